// Package ipv4 is the Internet Protocol, version 4, with ARP, ICMP and IGMP:
// input and its checks, output, fragments and their reassembly, forwarding,
// errors and their rate limits, groups. [Protocol] is the value that a wiring
// names, [PingProtocol] the echo client's datagram socket.
//
// Not here: wire formats (core/wire), routes, addresses and the neighbour cache
// (core), what IPv4 and IPv6 share (core/ipcommon). Start reading at input.go
// and output.go; forward.go is between them, icmp_error.go and icmp.go answer.
package ipv4
