// Package usernet joins an instance to the network of the host as an ordinary
// program reaches it: by sockets, without privileges (device kind user).
//
// The device is a cable to a second instance, the gateway, which ends the guest's TCP
// connections and passes their bytes to connections of the host, as QEMU's user
// network and slirp do. Datagrams and echo requests go through sockets of the host
// one by one. Addresses are QEMU's: the host's own loopback is 10.0.2.2 (fec0::2), its
// name server 10.0.2.3 (fec0::3), the guest has 10.0.2.15/24 (fec0::15/64) by custom.
//
// Start reading at device.go: Send decides what becomes of a packet. header.go reads
// and rewrites packets, stream.go has TCP, datagram.go UDP, echo.go ICMP, reply.go what
// the device says by itself.
package usernet
