package posix

import (
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// SIOCDIFADDR and SIOCSIFADDR are requests of ipv6(7) with a struct in6_ifreq on sockets
// of IPv6 (addrconf_add_ifaddr, addrconf_del_ifaddr, net/ipv6/addrconf.c).
const SIOCDIFADDR = 0x8936

const sizeofIn6Ifreq = 24

// address6 adds or removes an address of an interface, which its index names.
func (p *Process) address6(request uint, b []byte) error {
	if len(b) < sizeofIn6Ifreq {
		return syscall.EFAULT
	}
	ne := binary.NativeEndian
	prefix := wire.Prefix{Addr: wire.AddrFrom16([16]byte(b))}
	length, index := ne.Uint32(b[16:]), int(int32(ne.Uint32(b[20:])))
	if length > 128 {
		return syscall.EINVAL
	}
	prefix.Bits = uint8(length)
	var err error
	p.domain.Do(func() {
		ifc := p.instance.InterfaceByIndex(index)
		switch {
		case ifc == nil:
			err = syscall.ENODEV
		case request == SIOCSIFADDR:
			err = ifc.AddAddressLocked(&core.Address{Prefix: prefix, Flags: core.AddressPermanent})
		default:
			if a := ifc.Address(prefix.Addr); a == nil || a.Prefix.Bits != prefix.Bits {
				err = syscall.EADDRNOTAVAIL
				return
			}
			err = ifc.RemoveAddressLocked(prefix.Addr)
		}
	})
	return err
}
