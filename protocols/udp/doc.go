// Package udp is the User Datagram Protocol (RFC 768, RFC 1122 §4.1, RFC 8200
// §8.1) behind the narrow contract of a separable protocol: it sees packets and
// values through [core.Env] and nothing else of the core, so that the same
// source runs linked in or in a process of its own.
//
// Queues, blocking and addresses of sockets are the core's (core/datagram.go);
// IP is core/ipv4's and core/ipv6's. Here are ports, checksums, demultiplexing
// and errors. Start reading at udp.go, then input.go, output.go and table.go.
package udp
