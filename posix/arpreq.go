package posix

import (
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Requests of arp(7) with a struct arpreq (arp_ioctl, net/ipv4/arp.c).
const (
	SIOCDARP = 0x8953
	SIOCGARP = 0x8954
	SIOCSARP = 0x8955
)

const (
	sizeofArpreq = 68
	arpHardware  = 16
	arpFlags     = 32
	arpDevice    = 52

	arpComplete  = 0x02 // ATF_COM
	arpPermanent = 0x04
	arpPublished = 0x08
	arpNetmask   = 0x20
	arpDontPub   = 0x40
)

// arp answers a request about a neighbour, or carries it out. ENXIO for one that is not
// there, EOPNOTSUPP for one to be answered for (ATF_PUBL).
func (p *Process) arp(request uint, b []byte) error {
	if len(b) < sizeofArpreq {
		return syscall.EFAULT
	}
	ne := binary.NativeEndian
	flags := ne.Uint32(b[arpFlags:])
	switch {
	case ne.Uint16(b) != AF_INET:
		return syscall.EPFNOSUPPORT
	case flags&arpPublished == 0 && flags&(arpNetmask|arpDontPub) != 0:
		return syscall.EINVAL
	case flags&arpPublished != 0 && request == SIOCSARP:
		return syscall.EOPNOTSUPP
	case flags&arpPublished != 0 && request == SIOCDARP:
		return syscall.ENXIO
	}
	a, name := wire.FromV4(binary.BigEndian.Uint32(b[4:])), cString(b[arpDevice:])
	var err error
	p.domain.Do(func() {
		var ifc *core.Interface
		if name != "" {
			ifc = p.instance.InterfaceNamed(name)
		} else if r, e := p.instance.Route(core.RouteQuery{Dst: a}); e == nil {
			ifc = r.Interface
		} else {
			err = e
			return
		}
		if ifc == nil {
			err = syscall.ENODEV
			return
		}
		n := ifc.Neighbour(a)
		switch {
		case request == SIOCSARP:
			err = setArp(ifc, a, flags, b[arpHardware:])
		case n == nil:
			err = syscall.ENXIO
		case request == SIOCDARP:
			ifc.RemoveNeighbour(a)
		default:
			tellArp(ifc, n, b)
		}
	})
	return err
}

func setArp(ifc *core.Interface, a wire.Addr, flags uint32, hw []byte) error {
	if kind := binary.NativeEndian.Uint16(hw); kind != 0 && kind != ifc.HardwareType() {
		return syscall.EINVAL
	}
	if ifc.Flags()&(core.FlagIsLoopback|core.FlagNoARP) != 0 {
		return syscall.EINVAL
	}
	state := core.NeighbourStale
	if flags&arpPermanent != 0 {
		state = core.NeighbourPermanent
	}
	if !ifc.PutNeighbour(a, wire.HWAddr(hw[2:8]), state) {
		return syscall.ENOBUFS
	}
	return nil
}

func tellArp(ifc *core.Interface, n *core.Neighbour, b []byte) {
	clear(b[arpHardware : arpHardware+16])
	flags := uint32(0)
	switch {
	case n.State&core.NeighbourPermanent != 0:
		flags = arpPermanent | arpComplete
	case n.State&(core.NeighbourIncomplete|core.NeighbourFailed) == 0:
		flags = arpComplete
	}
	if n.State&core.NeighbourNoARP == 0 {
		binary.NativeEndian.PutUint16(b[arpHardware:], ifc.HardwareType())
		copy(b[arpHardware+2:], n.HWAddr[:])
	}
	binary.NativeEndian.PutUint32(b[arpFlags:], flags)
	clear(b[arpDevice:sizeofArpreq])
	copy(b[arpDevice:sizeofArpreq-1], ifc.Name())
}
