// Package datagram is what the User Datagram Protocol and UDP-Lite share: ports,
// demultiplexing, delivery, options and errors. A [Flavour] says which of the two a
// handler is; protocols/udp and protocols/udplite describe them to a wiring, and
// each is in a binary only if it is chosen.
//
// Queues, blocking and addresses of sockets are the core's (core/datagram.go);
// IP is core/ipv4's and core/ipv6's. Start reading at handler.go, then input.go,
// output.go and table.go; coverage.go is what UDP-Lite does otherwise.
package datagram
