package core

import (
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
	default:
		r, err := in.Route(RouteQuery{Dst: group})
		if err != nil {
			return syscall.ENODEV
		}
		ifc = r.Interface
	}
	key := membership{group, ifc}
	for i, m := range in.sockets.groups[s.id] {
		if m != key {
			continue
		}
		if join {
			return syscall.EADDRINUSE
		}
		list := in.sockets.groups[s.id]
		in.sockets.groups[s.id] = append(list[:i:i], list[i+1:]...)
		ifc.LeaveGroup(group)
		return nil
	}
	if !join {
		return syscall.EADDRNOTAVAIL
	}
	if len(in.sockets.groups[s.id]) >= maxMemberships {
		return syscall.ENOBUFS
	}
	if in.sockets.groups == nil {
		in.sockets.groups = make(map[SocketID][]membership)
	}
	in.sockets.groups[s.id] = append(in.sockets.groups[s.id], key)
	ifc.JoinGroup(group)
	return nil
}

// maxMemberships bounds the groups of one socket (net.ipv4.igmp_max_memberships).
const maxMemberships = 20

type membership struct {
	group wire.Addr
	ifc   *Interface
}
