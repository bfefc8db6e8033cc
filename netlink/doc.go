// Package netlink is AF_NETLINK: with NETLINK_ROUTE unmodified programs (ip, tc, dnsmasq,
// a C library's if_nameindex) see and change the links, addresses, routes, neighbours,
// rules and queueing disciplines of an instance and hear of changes, with
// NETLINK_SOCK_DIAG (ss) they list and break its sockets, with NETLINK_GENERIC (genl)
// they find the families that protocols name in the wiring.
//
// It is an in-process transport without IP protocol numbers: a request is answered
// inside the send that brings it, a dump goes on as its reader takes it. Begin at
// socket.go for the socket, request.go for what becomes of a message, format.go for
// messages and attributes as bytes; each kind of object has a file of its own. Numbers
// are Linux's on every system. What a request means to the stack is in core.
package netlink
