// Package raw is raw sockets (raw(7); Linux net/ipv4/raw.c, net/ipv6/raw.c): SOCK_RAW
// of AF_INET and AF_INET6, which send packets of any IP protocol and see every one that
// comes for this host.
//
// Addresses, routes, queues and control messages of the sockets are the core's
// (core/datagram.go); here is who hears what (input.go), what is put before or into
// what is sent (output.go) and the options (options.go). Begin at handler.go.
package raw
