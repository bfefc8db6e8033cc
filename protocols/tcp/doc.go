// Package tcp is the Transmission Control Protocol (RFC 9293) as an in-process
// transport: SOCK_STREAM sockets on IPv4 and IPv6.
//
// A connection (conn.go) is composed of small parts that keep to themselves:
// sender and send queue, receiver and reassembly, loss recovery and scoreboard,
// round-trip times, congestion window. Segments come in by transport.go and go
// through the checks of input.go in the order of RFC 9293 §3.10.7; they leave by
// output.go. Congestion controls are values behind the contract of
// core/congestion; wire formats are core/wire's. Start reading at
// transport.go, conn.go, input.go and output.go.
package tcp
