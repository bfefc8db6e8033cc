package core

import (
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core/wire"
)

func (s *Socket) setIPOption(name int, b []byte) (bool, error) {
	o := s.own()
	switch name {
	case IPAddMembership, IPDropMembership, MCastJoinGroup, MCastLeaveGroup:
		if s.typ == SockStream {
			return true, syscall.EPROTO
		}
		if name == MCastJoinGroup || name == MCastLeaveGroup {
			return true, s.groupRequest(b, afInet, name == MCastJoinGroup)
		}
		if len(b) < 8 {
			return true, syscall.EINVAL
		}
		group, _ := wire.AddrFromSlice(b[:4])
		local, _ := wire.AddrFromSlice(b[4:8])
		ifindex := 0
		if len(b) >= 12 {
			ifindex = int(int32(binary.NativeEndian.Uint32(b[8:])))
		}
		return true, s.membership(group, local, ifindex, name == IPAddMembership)
	case IPMulticastIF:
		return true, s.setMulticastInterface(b)
	}
	v, err := byteValue(b)
	if err != nil {
		return true, err
	}
	switch name {
	case IPTOS:
		o.TOS = uint8(v)
		s.selectorChanged()
		if s.typ == SockStream { // the ECN bits are TCP's own (__ip_sock_set_tos)
			o.TOS &^= 3
		}
	case IPTTL:
		if v != -1 && (v < 1 || v > 255) {
			return true, syscall.EINVAL
		}
		o.HopLimit = uint8(max(v, 0))
	case IPMulticastTTL:
		if s.typ == SockStream || v < -1 || v > 255 {
			return true, syscall.EINVAL
		}
		if v == -1 {
			v = 1
		}
		o.MulticastHops = uint8(v)
	case IPMulticastLoop:
		o.MulticastLoop = v != 0
	case IPMulticastAll:
		if v&^1 != 0 {
			return true, syscall.EINVAL
		}
		o.MulticastAll = v != 0
	case IPMTUDiscover:
		if v < PMTUDont || v > 5 {
			return true, syscall.EINVAL
		}
		o.PMTUDiscover = uint8(v)
	case IPFreeBind:
		o.FreeBind = v != 0
	case IPPktInfo:
		o.RecvPacketInfo = v != 0
	case IPRecvTOS:
		o.RecvTOS = v != 0
	case IPRecvTTL:
		o.RecvTTL = v != 0
	case IPRecvErr:
		return s.setRecvErr(&o.RecvErr, v != 0), nil
	default:
		return false, nil
	}
	return true, nil
}

// setMulticastInterface is IP_MULTICAST_IF with an in_addr, an ip_mreq or an
// ip_mreqn (net/ipv4/ip_sockglue.c).
func (s *Socket) setMulticastInterface(b []byte) error {
	if s.typ == SockStream || len(b) < 4 {
		return syscall.EINVAL
	}
	at, ifindex := b[:4], 0
	if len(b) >= 8 {
		at = b[4:8]
	}
	if len(b) >= 12 {
		ifindex = int(int32(binary.NativeEndian.Uint32(b[8:])))
	}
	a, _ := wire.AddrFromSlice(at)
	var ifc *Interface
	switch {
	case ifindex != 0:
		ifc = s.instance.InterfaceByIndex(ifindex)
	case !a.IsUnspecified():
		ifc = s.instance.interfaceWith(a)
	default:
		s.options.MulticastInterface, s.options.MulticastSource = 0, wire.Addr{}
		return nil
	}
	if ifc == nil {
		return syscall.EADDRNOTAVAIL
	}
	if d := s.options.Device; d != 0 && int(d) != ifc.index {
		return syscall.EINVAL
	}
	s.options.MulticastInterface, s.options.MulticastSource = int32(ifc.index), a
	return nil
}

// interfaceWith is the interface that has address a.
func (in *Instance) interfaceWith(a wire.Addr) *Interface {
	for _, ifc := range in.interfaces {
		if ifc != nil && ifc.Address(a) != nil {
			return ifc
		}
	}
	return nil
}

// defaultHops is the TTL or hop limit of packets on which the socket has no say.
func (s *Socket) defaultHops(family int, ifc *Interface) int {
	if i := s.instance.networkFamily(family); i >= 0 {
		if n, ok := s.instance.networks[i].(interface{ DefaultHops(*Interface) int }); ok {
			return n.DefaultHops(ifc)
		}
	}
	return 64 // RFC 1700's default
}

// leavesBy is the interface of a connected socket's packets, nil if it has no
// peer.
func (s *Socket) leavesBy() *Interface {
	if r, err := s.pathRoute(); err == nil {
		return r.Interface
	}
	return nil
}

func (s *Socket) pathRoute() (*Route, error) {
	peer, ok := s.endpoint.Peer()
	if !ok {
		return nil, syscall.ENOTCONN
	}
	local := s.endpoint.Local()
	q := RouteQuery{Dst: peer.Addr, Src: local.Addr, Interface: s.outInterface(peer), OnLink: s.options.OnLink(peer.Addr)}
	var x Selector
	if s.instance.HasRules(!peer.Addr.Is4()) {
		x = s.Selector(local.Port, peer.Port)
		q.Selector = &x
	}
	return s.instance.Route(q)
}

func (s *Socket) pathMTU() (int, error) {
	r, err := s.pathRoute()
	if err != nil {
		return 0, err
	}
	return r.MTU, nil
}

// ipOption reads an option of IPPROTO_IP that the core keeps.
func (s *Socket) ipOption(name int, buf []byte) (n int, handled bool, err error) {
	o := s.options
	var v int
	switch name {
	case IPTOS:
		v = int(o.TOS)
	case IPTTL:
		if v = int(o.HopLimit); v == 0 {
			v = s.defaultHops(afInet, nil)
		}
	case IPMulticastIF:
		var b [4]byte
		if a := o.MulticastSource; a.Is4() { // in_addr, also where an index was given
			b = a.As4()
		}
		return copy(buf, b[:]), true, nil
	case IPMulticastTTL:
		v = int(o.MulticastHops)
	case IPMulticastLoop:
		v = bit(o.MulticastLoop)
	case IPMulticastAll:
		v = bit(o.MulticastAll)
	case IPMTUDiscover:
		v = int(o.PMTUDiscover)
	case IPFreeBind:
		v = bit(o.FreeBind)
	case IPPktInfo:
		v = bit(o.RecvPacketInfo)
	case IPRecvTOS:
		v = bit(o.RecvTOS)
	case IPRecvTTL:
		v = bit(o.RecvTTL)
	case IPRecvErr:
		if !s.recvErr() {
			return 0, false, nil
		}
		v = bit(o.RecvErr)
	case IPMTU:
		if v, err = s.pathMTU(); err != nil {
			return 0, true, err
		}
	default:
		return 0, false, nil
	}
	return putInt(buf, v)
}
