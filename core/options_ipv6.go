package core

import (
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core/wire"
)

func (s *Socket) setIPv6Option(name int, b []byte) (bool, error) {
	o := s.own()
	switch name {
	case IPv6JoinGroup, IPv6LeaveGroup, MCastJoinGroup, MCastLeaveGroup:
		if s.typ == SockStream {
			return true, syscall.EPROTO
		}
		if name == MCastJoinGroup || name == MCastLeaveGroup {
			return true, s.groupRequest(b, afInet6, name == MCastJoinGroup)
		}
		if len(b) < 20 {
			return true, syscall.EINVAL
		}
		group, _ := wire.AddrFromSlice(b[:16])
		if group.Is4() {
			return true, syscall.EINVAL
		}
		return true, s.membership(group, wire.Addr{}, int(int32(binary.NativeEndian.Uint32(b[16:]))), name == IPv6JoinGroup)
	case IPv6MulticastHops, IPv6MulticastIF:
		if s.typ == SockStream {
			return true, syscall.ENOPROTOOPT
		}
	}
	v, err := intValue(b)
	if err != nil {
		return true, err
	}
	switch name {
	case IPv6V6Only:
		if a := s.endpoint.Local(); a.Port != 0 {
			return true, syscall.EINVAL
		}
		o.V6Only = v != 0
	case IPv6UnicastHops:
		if v < -1 || v > 255 {
			return true, syscall.EINVAL
		}
		o.HopLimit = uint8(max(v, 0))
	case IPv6MulticastHops:
		if v < -1 || v > 255 {
			return true, syscall.EINVAL
		}
		if v == -1 {
			v = 1
		}
		o.MulticastHops = uint8(v)
	case IPv6MulticastIF:
		if v != 0 && s.instance.InterfaceByIndex(v) == nil {
			return true, syscall.ENODEV
		}
		if d := o.Device; v != 0 && d != 0 && int(d) != v {
			return true, syscall.EINVAL
		}
		o.MulticastInterface = int32(v)
	case IPv6MulticastLoop:
		if v&^1 != 0 {
			return true, syscall.EINVAL
		}
		o.MulticastLoop = v != 0
	case IPv6MulticastAll:
		o.MulticastAll6 = v != 0
	case IPv6MTUDiscover:
		if v < PMTUDont || v > 5 {
			return true, syscall.EINVAL
		}
		o.PMTUDiscover = uint8(v)
	case IPv6TClass:
		if v < -1 || v > 255 {
			return true, syscall.EINVAL
		}
		o.TOS = uint8(max(v, 0))
		s.selectorChanged()
		if s.typ == SockStream { // the ECN bits are TCP's own
			o.TOS &^= 3
		}
	case IPv6DontFrag:
		o.DontFragment = v != 0
	case IPv6FreeBind:
		o.FreeBind = v != 0
	case IPv6RecvPktInfo:
		o.RecvPacketInfo6 = v != 0
	case IPv6RecvTClass:
		o.RecvTClass = v != 0
	case IPv6RecvHopLimit:
		o.RecvHopLimit = v != 0
	case IPv6RecvErr:
		return s.setRecvErr(&o.RecvErr6, v != 0), nil
	default:
		return false, nil
	}
	return true, nil
}

// ipv6Option reads an option of IPPROTO_IPV6 that the core keeps.
func (s *Socket) ipv6Option(name int, buf []byte) (n int, handled bool, err error) {
	o := s.options
	var v int
	switch name {
	case IPv6V6Only:
		v = bit(o.V6Only)
	case IPv6UnicastHops:
		if v = int(o.HopLimit); v == 0 {
			v = s.defaultHops(afInet6, s.leavesBy())
		}
	case IPv6MulticastHops:
		v = int(o.MulticastHops)
	case IPv6MulticastIF:
		v = int(o.MulticastInterface)
	case IPv6MulticastLoop:
		v = bit(o.MulticastLoop)
	case IPv6MulticastAll:
		v = bit(o.MulticastAll6)
	case IPv6MTUDiscover:
		v = int(o.PMTUDiscover)
	case IPv6TClass:
		v = int(o.TOS)
	case IPv6DontFrag:
		v = bit(o.DontFragment)
	case IPv6FreeBind:
		v = bit(o.FreeBind)
	case IPv6RecvPktInfo:
		v = bit(o.RecvPacketInfo6)
	case IPv6RecvTClass:
		v = bit(o.RecvTClass)
	case IPv6RecvHopLimit:
		v = bit(o.RecvHopLimit)
	case IPv6RecvErr:
		if !s.recvErr() {
			return 0, false, nil
		}
		v = bit(o.RecvErr6)
	case IPv6MTU:
		if v, err = s.pathMTU(); err != nil {
			return 0, true, err
		}
	default:
		return 0, false, nil
	}
	return putInt(buf, v)
}
