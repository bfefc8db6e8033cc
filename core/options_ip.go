package core

import (
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core/wire"
)

func (s *Socket) setIPOption(name int, b []byte) (bool, error) {
	o := s.own()
	switch name {
	case IPAddMembership, IPDropMembership:
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
		var ifindex int
		switch {
		case len(b) >= 12:
			ifindex = int(int32(binary.NativeEndian.Uint32(b[8:])))
		case len(b) >= 4:
			a, _ := wire.AddrFromSlice(b[:4])
			if !a.IsUnspecified() {
				ifc := s.instance.interfaceWith(a)
				if ifc == nil {
					return true, syscall.EADDRNOTAVAIL
				}
				ifindex = ifc.index
			}
		default:
			return true, syscall.EINVAL
		}
		o.MulticastInterface = int32(ifindex)
		return true, nil
	}
	v, err := intValue(b)
	if err != nil {
		return true, err
	}
	switch name {
	case IPTOS:
		o.TOS = uint8(v)
	case IPTTL:
		if v != -1 && (v < 1 || v > 255) {
			return true, syscall.EINVAL
		}
		o.HopLimit = uint8(max(v, 0))
	case IPMulticastTTL:
		if v < -1 || v > 255 {
			return true, syscall.EINVAL
		}
		if v == -1 {
			v = 1
		}
		o.MulticastHops = uint8(v)
	case IPMulticastLoop:
		o.MulticastLoop = v != 0
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
		o.RecvHopLimit = v != 0
	default:
		return false, nil
	}
	return true, nil
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

func (s *Socket) pathMTU() (int, error) {
	peer, ok := s.endpoint.Peer()
	if !ok {
		return 0, syscall.ENOTCONN
	}
	r, err := s.instance.Route(RouteQuery{Dst: peer.Addr, Src: s.endpoint.Local().Addr, Interface: s.outInterface(peer)})
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
		v = int(o.HopLimit)
		if v == 0 {
			v = 64
		}
	case IPMulticastTTL:
		v = int(o.MulticastHops)
	case IPMulticastLoop:
		v = bit(o.MulticastLoop)
	case IPMTUDiscover:
		v = int(o.PMTUDiscover)
	case IPFreeBind:
		v = bit(o.FreeBind)
	case IPPktInfo:
		v = bit(o.RecvPacketInfo)
	case IPRecvTOS:
		v = bit(o.RecvTOS)
	case IPRecvTTL:
		v = bit(o.RecvHopLimit)
	case IPMTU:
		if v, err = s.pathMTU(); err != nil {
			return 0, true, err
		}
	default:
		return 0, false, nil
	}
	return putInt(buf, v)
}
