package posix

import (
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Requests of netdevice(7) with a struct ifreq, which read what the instance has.
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
)

const (
	sizeofIfreq = 40
	ifNameSize  = 16
)

func isIfreq(request uint) bool {
	switch request {
	case SIOCGIFNAME, SIOCGIFFLAGS, SIOCGIFADDR, SIOCGIFDSTADDR, SIOCGIFBRDADDR, SIOCGIFNETMASK, SIOCGIFMETRIC, SIOCGIFMTU, SIOCGIFHWADDR,
		SIOCGIFINDEX, SIOCGIFTXQLEN, SIOCETHTOOL, SIOCGMIIPHY:
		return true
	}
	return false
}

// ifreq answers a request about an interface, which it names, into the same bytes.
// EFAULT if they are not a whole struct ifreq, ENODEV for an interface that is not
// there, EADDRNOTAVAIL for one without an IPv4 address (net/ipv4/devinet.c), EOPNOTSUPP
// for what only a driver knows.
func (p *Process) ifreq(request uint, b []byte) error {
	if len(b) < sizeofIfreq {
		return syscall.EFAULT
	}
	ne, v := binary.NativeEndian, b[ifNameSize:sizeofIfreq]
	var ifc *core.Interface
	if request == SIOCGIFNAME {
		p.domain.Do(func() { ifc = p.instance.InterfaceByIndex(int(int32(ne.Uint32(v)))) })
	} else {
		n := 0
		for n < ifNameSize-1 && b[n] != 0 {
			n++
		}
		ifc = p.instance.InterfaceByName(string(b[:n]))
	}
	if ifc == nil {
		return syscall.ENODEV
	}
	var err error
	p.domain.Do(func() {
		switch request {
		case SIOCGIFNAME:
			clear(b[:ifNameSize])
			copy(b[:ifNameSize-1], ifc.Name())
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
		case SIOCETHTOOL, SIOCGMIIPHY:
			err = syscall.EOPNOTSUPP
		case SIOCGIFHWADDR:
			a := ifc.HWAddr()
			clear(v[:16])
			ne.PutUint16(v, ifc.HardwareType())
			copy(v[2:], a[:])
		default:
			err = addressOf(ifc, request, v)
		}
	})
	return err
}

// AppendIfconf appends what SIOCGIFCONF tells: a struct ifreq for each IPv4 address,
// with its interface's name and a struct sockaddr_in. Where the pointer to them in
// struct ifconf leads is the caller's affair.
func (p *Process) AppendIfconf(b []byte) []byte {
	p.domain.Do(func() {
		for _, ifc := range p.instance.Interfaces() {
			for _, a := range ifc.Addresses() {
				if !a.Prefix.Addr.Is4() {
					continue
				}
				var x [sizeofIfreq]byte
				copy(x[:ifNameSize-1], ifc.Name())
				copy(x[ifNameSize:], AppendSockAddr(nil, AF_INET, core.SockAddr{Addr: a.Prefix.Addr}))
				b = append(b, x[:]...)
			}
		}
	})
	return b
}

// addressOf answers what asks for the first IPv4 address, as a struct sockaddr_in.
func addressOf(ifc *core.Interface, request uint, v []byte) error {
	a := ifc.FirstAddress(true)
	if a == nil {
		return syscall.EADDRNOTAVAIL
	}
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
		x = wire.FromV4(^uint32(0) << (32 - a.Prefix.Bits))
	}
	copy(v, AppendSockAddr(nil, AF_INET, core.SockAddr{Addr: x}))
	return nil
}
