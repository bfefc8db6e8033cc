// Package udp is the User Datagram Protocol (RFC 768, RFC 1122 §4.1, RFC 8200
// §8.1) behind the narrow contract of a separable protocol: it sees packets and
// values through [core.Env] and nothing else of the core, so that the same
// source runs linked in or in a process of its own.
//
// Here is what UDP tells a wiring, and its settings. What it does is in
// protocols/internal/datagram, which it shares with protocols/udplite, tests
// included.
package udp
