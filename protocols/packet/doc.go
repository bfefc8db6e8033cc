// Package packet is packet sockets (AF_PACKET, packet(7); Linux
// net/packet/af_packet.c): frames as the interfaces have them, in both directions.
//
// Sockets hear by taps of the interfaces (core.Tap), which are there only while there
// are sockets. A received frame refers to the bytes of the packet that it was. A
// ring of shared memory (ring.go, block.go) gets copies instead. Begin at transport.go.
package packet
