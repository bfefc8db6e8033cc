package core

import (
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core/wire"
)

// membership joins or leaves a multicast group. What a socket joined it leaves
// when it is closed.
func (s *Socket) membership(group, local wire.Addr, ifindex int, join bool) error {
	if !group.IsMulticast() {
		return syscall.EINVAL
	}
	in := s.instance
	var ifc *Interface
	switch {
	case ifindex != 0:
		if ifc = in.InterfaceByIndex(ifindex); ifc == nil {
			return syscall.ENODEV
		}
	case !local.IsUnspecified():
		if ifc = in.interfaceWith(local); ifc == nil {
			return syscall.ENODEV
		}
	case join:
		r, err := in.Route(RouteQuery{Dst: group})
		if err != nil {
			return syscall.ENODEV
		}
		ifc = r.Interface
	}
	key := membership{group, ifc}
	list := in.sockets.groups[s.id]
	for i, m := range list {
		if m.group != group || ifc != nil && m.ifc != ifc { // a leave may leave the interface open
			continue
		}
		if join {
			return syscall.EADDRINUSE
		}
		in.sockets.groups[s.id] = append(list[:i:i], list[i+1:]...)
		m.ifc.LeaveGroup(group)
		return nil
	}
	if !join {
		return syscall.EADDRNOTAVAIL
	}
	if len(list) >= maxMemberships {
		return syscall.ENOBUFS
	}
	if in.sockets.groups == nil {
		in.sockets.groups = make(map[SocketID][]membership)
	}
	in.sockets.groups[s.id] = append(list, key)
	ifc.JoinGroup(group)
	return nil
}

// hears tells whether the socket takes a packet to a group that came by
// interface ifindex: without IP_MULTICAST_ALL, where it joined the group there
// (net/ipv4/igmp.c, ip_mc_sf_allow); without IPV6_MULTICAST_ALL, where it joined
// it anywhere (net/ipv6/mcast.c, inet6_mc_check).
func (s *Socket) hears(group wire.Addr, ifindex int) bool {
	v4 := group.Is4()
	if v4 && s.options.MulticastAll || !v4 && s.options.MulticastAll6 {
		return true
	}
	for _, m := range s.instance.sockets.groups[s.id] {
		if m.group == group && (!v4 || m.ifc.index == ifindex) {
			return true
		}
	}
	return false
}

// groupRequest is MCAST_JOIN_GROUP or MCAST_LEAVE_GROUP: struct group_req has an
// interface index and, aligned to 8 bytes, a sockaddr of the level's family.
func (s *Socket) groupRequest(b []byte, family int, join bool) error {
	if len(b) < 136 {
		return syscall.EINVAL
	}
	if int(binary.NativeEndian.Uint16(b[8:])) != family {
		return syscall.EADDRNOTAVAIL
	}
	group := b[12:16]
	if family == afInet6 {
		group = b[16:32]
	}
	a, _ := wire.AddrFromSlice(group)
	if a.Is4() != (family == afInet) {
		return syscall.EINVAL
	}
	return s.membership(a, wire.Addr{}, int(int32(binary.NativeEndian.Uint32(b))), join)
}

// maxMemberships bounds the groups of one socket (net.ipv4.igmp_max_memberships).
const maxMemberships = 20

type membership struct {
	group wire.Addr
	ifc   *Interface
}
