// Package modules is a folder of modules as third parties write them, each a Go
// module of its own on the public packages of libos: newest (a datagram protocol
// with sockets, settings and counters of its own), qemu (a link to a QEMU guest),
// udplink (a link over UDP or Unix sockets), player (a device that plays a pcap
// file), filter (a packet filter stacked on another device), ledbat (a congestion
// control that looks at delay). Each has a README.md; docs/writing-a-module.md tells
// how to begin one. Start at newest.
package modules
