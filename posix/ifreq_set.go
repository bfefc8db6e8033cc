package posix

import (
	"encoding/binary"
	"math/bits"
	"strings"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Requests of netdevice(7) with a struct ifreq that change an interface.
const (
	SIOCSIFFLAGS   = 0x8914
	SIOCSIFADDR    = 0x8916
	SIOCSIFDSTADDR = 0x8918
	SIOCSIFBRDADDR = 0x891a
	SIOCSIFNETMASK = 0x891c
	SIOCSIFMETRIC  = 0x891e
	SIOCSIFMTU     = 0x8922
	SIOCSIFNAME    = 0x8923
	SIOCSIFHWADDR  = 0x8924
	SIOCADDMULTI   = 0x8931
	SIOCDELMULTI   = 0x8932
	SIOCSIFTXQLEN  = 0x8943
)

func changesIfreq(request uint) bool {
	switch request {
	case SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFDSTADDR, SIOCSIFBRDADDR, SIOCSIFNETMASK, SIOCSIFMETRIC, SIOCSIFMTU, SIOCSIFNAME, SIOCSIFHWADDR,
		SIOCADDMULTI, SIOCDELMULTI, SIOCSIFTXQLEN:
		return true
	}
	return false
}

// change carries out what a request sets (devinet_ioctl, net/ipv4/devinet.c;
// dev_ifsioc, net/core/dev_ioctl.c).
func change(ifc *core.Interface, name string, request uint, v []byte) error {
	ne := binary.NativeEndian
	switch request {
	case SIOCSIFFLAGS:
		flags := core.InterfaceFlags(ne.Uint16(v))
		if !strings.Contains(name, ":") {
			return ifc.SetFlagsLocked(flags, core.FlagUp|core.FlagNoARP|core.FlagPromiscuous|core.FlagAllMulticast|core.FlagMulticast)
		}
		a := labelled(ifc, name)
		if a == nil {
			return syscall.EADDRNOTAVAIL
		}
		if flags&core.FlagUp == 0 {
			return ifc.RemoveAddressLocked(a.Prefix.Addr)
		}
		return nil
	case SIOCSIFMTU:
		return ifc.SetMTULocked(int(int32(ne.Uint32(v))))
	case SIOCSIFTXQLEN:
		return ifc.SetQueueLenLocked(int(int32(ne.Uint32(v))))
	case SIOCSIFNAME:
		return ifc.SetNameLocked(cString(v[:ifNameSize-1]))
	case SIOCSIFHWADDR:
		if ne.Uint16(v) != ifc.HardwareType() {
			return syscall.EINVAL
		}
		return ifc.SetHWAddrLocked(wire.HWAddr(v[2:8]))
	case SIOCSIFADDR, SIOCSIFDSTADDR, SIOCSIFBRDADDR, SIOCSIFNETMASK:
		return changeAddress(ifc, name, request, v)
	}
	return syscall.EOPNOTSUPP // SIOCSIFMETRIC; SIOCADDMULTI: frames of all groups come in
}

// changeAddress changes the address of a label.
func changeAddress(ifc *core.Interface, label string, request uint, v []byte) error {
	if request != SIOCSIFNETMASK && binary.NativeEndian.Uint16(v) != AF_INET {
		return syscall.EINVAL
	}
	x, old := wire.FromV4(binary.BigEndian.Uint32(v[4:])), labelled(ifc, label)
	var a core.Address
	switch {
	case request == SIOCSIFADDR:
		n, ok := classBits(x)
		if !ok {
			return syscall.EINVAL
		}
		if old != nil && old.Prefix.Addr == x {
			return nil
		}
		if ifc.Flags()&core.FlagPointToPoint != 0 {
			n = 32
		}
		a = core.Address{Prefix: wire.Prefix{Addr: x, Bits: n}, Flags: core.AddressPermanent}
		if strings.Contains(label, ":") {
			a.Label = label
		}
	case old == nil:
		return syscall.EADDRNOTAVAIL
	default:
		a = *old
		a.State, a.Flags = nil, a.Flags&^core.AddressSecondary
	}
	switch request {
	case SIOCSIFDSTADDR:
		if _, ok := classBits(x); !ok {
			return syscall.EINVAL
		}
		a.Peer = x
	case SIOCSIFBRDADDR:
		a.Broadcast, a.NoBroadcast = x, x == wire.IPv4Any()
		if a.NoBroadcast {
			a.Broadcast = wire.Addr{}
		}
	case SIOCSIFNETMASK:
		n, ok := maskBits(x)
		if !ok {
			return syscall.EINVAL
		}
		if b, ok := a.Prefix.Broadcast(); ok && a.Broadcast == b { // that of the former mask goes with it
			a.Broadcast = wire.Addr{}
		}
		a.Prefix.Bits = n
	}
	if old != nil {
		if err := ifc.RemoveAddressLocked(old.Prefix.Addr); err != nil {
			return err
		}
	}
	if request == SIOCSIFADDR && x == wire.IPv4Any() { // ifconfig eth0 0.0.0.0
		return nil
	}
	return ifc.AddAddressLocked(&a)
}

// maskBits is the length of the prefix that a netmask stands for; one with a hole stands
// for none.
func maskBits(mask wire.Addr) (uint8, bool) {
	n := bits.LeadingZeros32(^mask.V4())
	return uint8(n), mask.V4()<<n == 0
}

// classBits is the length of the prefix by an address's class (inet_abc_len,
// net/ipv4/devinet.c); there is none for a group.
func classBits(a wire.Addr) (uint8, bool) {
	switch x := a.V4(); {
	case x>>24 == 0, x == 1<<32-1:
		return 0, true
	case x>>31 == 0:
		return 8, true
	case x>>30 == 2:
		return 16, true
	case x>>29 == 6:
		return 24, true
	case x>>28 == 15:
		return 32, true
	}
	return 0, false
}
