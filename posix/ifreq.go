package posix

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"strings"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Requests of netdevice(7) with a struct ifreq, which read what the instance has. Those
// that change it are in ifreq_set.go.
const (
	SIOCGIFNAME    = 0x8910
	SIOCGIFFLAGS   = 0x8913
	SIOCGIFADDR    = 0x8915
	SIOCGIFDSTADDR = 0x8917
	SIOCGIFBRDADDR = 0x8919
	SIOCGIFNETMASK = 0x891b
	SIOCGIFMETRIC  = 0x891d
	SIOCGIFMTU     = 0x8921
	SIOCGIFHWADDR  = 0x8927
	SIOCGIFINDEX   = 0x8933
	SIOCGIFTXQLEN  = 0x8942
	SIOCETHTOOL    = 0x8946
	SIOCGMIIPHY    = 0x8947
	SIOCGIFMAP     = 0x8970
)

// Sizes of struct ifreq and of struct ifconf, which SIOCGIFCONF fills: a length, and at 8
// the address of as many struct ifreq as fit.
const (
	SIOCGIFCONF  = 0x8912
	sizeofIfreq  = 40
	SizeofIfconf = 16

	ifNameSize = 16
)

func readsIfreq(request uint) bool {
	switch request {
	case SIOCGIFNAME, SIOCGIFFLAGS, SIOCGIFADDR, SIOCGIFDSTADDR, SIOCGIFBRDADDR, SIOCGIFNETMASK, SIOCGIFMETRIC, SIOCGIFMTU, SIOCGIFHWADDR,
		SIOCGIFINDEX, SIOCGIFTXQLEN, SIOCETHTOOL, SIOCGMIIPHY, SIOCGIFMAP:
		return true
	}
	return false
}

// ifreq answers a request about an interface, which it names, into the same bytes, or
// carries it out. The name can be an address's label: eth0:1. EFAULT if they are not a
// whole struct ifreq, ENODEV for an interface that is not there, EADDRNOTAVAIL for one
// without such an IPv4 address (net/ipv4/devinet.c), EOPNOTSUPP for what only a driver
// knows.
func (p *Process) ifreq(request uint, b []byte) error {
	if len(b) < sizeofIfreq {
		return syscall.EFAULT
	}
	v, err := b[ifNameSize:sizeofIfreq], error(nil)
	p.domain.Do(func() {
		var ifc *core.Interface
		name := cString(b[:ifNameSize-1])
		if request == SIOCGIFNAME {
			ifc = p.instance.InterfaceByIndex(int(int32(binary.NativeEndian.Uint32(v))))
		} else {
			device, _, _ := strings.Cut(name, ":")
			ifc = p.instance.InterfaceNamed(device)
		}
		switch {
		case ifc == nil:
			err = syscall.ENODEV
		case request == SIOCGIFNAME:
			clear(b[:ifNameSize])
			copy(b[:ifNameSize-1], ifc.Name())
		case readsIfreq(request):
			err = tell(ifc, name, request, v)
		default:
			err = change(ifc, name, request, v)
		}
	})
	return err
}

// cString is what is before the first zero.
func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// tell answers what a request asks of an interface.
func tell(ifc *core.Interface, name string, request uint, v []byte) error {
	ne := binary.NativeEndian
	switch request {
	case SIOCGIFFLAGS:
		ne.PutUint16(v, uint16(ifc.Flags()))
	case SIOCGIFMETRIC:
		ne.PutUint32(v, 0)
	case SIOCGIFMTU:
		ne.PutUint32(v, uint32(ifc.MTU()))
	case SIOCGIFINDEX:
		ne.PutUint32(v, uint32(ifc.Index()))
	case SIOCGIFTXQLEN:
		ne.PutUint32(v, uint32(ifc.QueueLen()))
	case SIOCGIFMAP: // no memory of a device is mapped
		clear(v)
	case SIOCETHTOOL: // the caller has what it points to
		return syscall.EFAULT
	case SIOCGMIIPHY:
		return syscall.EOPNOTSUPP
	case SIOCGIFHWADDR:
		a := ifc.HWAddr()
		clear(v[:16])
		ne.PutUint16(v, ifc.HardwareType())
		copy(v[2:], a[:])
	default:
		a := labelled(ifc, name)
		if a == nil {
			return syscall.EADDRNOTAVAIL
		}
		putAddressOf(a, request, v)
	}
	return nil
}

// labelled is the first IPv4 address of a label, which is the interface's name unless
// the address has another; nil if there is none.
func labelled(ifc *core.Interface, label string) *core.Address {
	for _, a := range ifc.Addresses() {
		if a.Prefix.Addr.Is4() && (a.Label == label || a.Label == "" && !strings.Contains(label, ":")) {
			return a
		}
	}
	return nil
}

// Ifconf is SIOCGIFCONF: what goes where the pointer in a struct ifconf leads, which is
// the caller's affair, a struct ifreq for each IPv4 address, with its interface's name and
// a struct sockaddr_in, as many as there is room for. conf gets their length; where its
// pointer is null, that of all. EINVAL for a length below 0, EFAULT for less than a whole
// struct.
func (p *Process) Ifconf(conf []byte) ([]byte, error) {
	if len(conf) < SizeofIfconf {
		return nil, syscall.EFAULT
	}
	ne := binary.NativeEndian
	room, null := int(int32(ne.Uint32(conf))), ne.Uint64(conf[8:]) == 0
	if !null && room < 0 {
		return nil, syscall.EINVAL
	}
	var b []byte
	p.domain.Do(func() {
		for _, ifc := range p.instance.Interfaces() {
			for _, a := range ifc.Addresses() {
				if !a.Prefix.Addr.Is4() {
					continue
				}
				var x [sizeofIfreq]byte
				copy(x[:ifNameSize-1], cmp.Or(a.Label, ifc.Name()))
				copy(x[ifNameSize:], AppendSockAddr(nil, AF_INET, core.SockAddr{Addr: a.Prefix.Addr}))
				b = append(b, x[:]...)
			}
		}
	})
	if !null {
		b = b[:min(len(b), room/sizeofIfreq*sizeofIfreq)]
	}
	ne.PutUint32(conf, uint32(len(b)))
	return b, nil
}

// putAddressOf answers what asks for a part of an IPv4 address, as a struct sockaddr_in.
func putAddressOf(a *core.Address, request uint, v []byte) {
	x := a.Prefix.Addr
	switch request {
	case SIOCGIFDSTADDR:
		if !a.Peer.IsUnspecified() {
			x = a.Peer
		}
	case SIOCGIFBRDADDR:
		if x = a.Broadcast; !x.Is4() {
			x = wire.IPv4Any()
		}
	case SIOCGIFNETMASK:
		x = a.Prefix.Mask()
	}
	copy(v, AppendSockAddr(nil, AF_INET, core.SockAddr{Addr: x}))
}
