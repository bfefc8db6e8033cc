// Package ipcommon holds what IPv4 and IPv6 share: the reassembly of fragments,
// rate limits of ICMP errors, packet identifications, ping sockets. Each piece
// is independent of the address family and is driven by the family's package
// (core/ipv4, core/ipv6), where headers and messages are. Start at
// reassembly.go.
package ipcommon
