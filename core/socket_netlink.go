package core

import "github.com/libos-go/libos/core/wire"

// AFNetlink is the address family of sockets that talk about the stack itself.
const AFNetlink = 16

// NetlinkAddr is the struct sockaddr_nl of a socket, or of groups, as a SockAddr: pid
// is the socket's number in its instance, 0 for the stack, groups a set of bits.
func NetlinkAddr(pid, groups uint32) SockAddr {
	return SockAddr{Scope: pid, Addr: wire.Addr{Lo: uint64(groups)}}
}

// Netlink is the number and the groups of an address made by NetlinkAddr.
func (a SockAddr) Netlink() (pid, groups uint32) { return a.Scope, uint32(a.Addr.Lo) }
