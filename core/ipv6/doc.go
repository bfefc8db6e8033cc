// Package ipv6 is the Internet Protocol, version 6, of an instance: input,
// output, forwarding, extension headers, fragments, ICMPv6, neighbour discovery
// with address autoconfiguration, multicast listeners and source address
// selection.
//
// Not here: wire formats (core/wire), the neighbour cache's states and the
// routing table (core), sockets but for those of ping. Start reading at
// network.go, then input.go and output.go; icmp.go leads to nd.go and router.go.
package ipv6
