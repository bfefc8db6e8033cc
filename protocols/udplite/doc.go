// Package udplite is the Lightweight User Datagram Protocol (RFC 3828): UDP whose
// checksum may leave the end of a datagram uncovered, so that a damaged picture or
// voice still arrives. It is behind the same narrow contract as protocols/udp, has
// ports, sockets and counters of its own, and needs nothing of UDP.
//
// Here is what UDP-Lite tells a wiring. What it does is in
// protocols/internal/datagram, which it shares with protocols/udp, tests included;
// coverage.go there is UDP-Lite's alone.
package udplite
