package core

import (
	"strings"
	"syscall"

	"github.com/libos-go/libos/core/wire"
)

// What ip link set changes of an interface beside SetUp and SetMTU. All of it is for
// callers inside an entry, and told to the protocols as EventInterface.

// Carrier tells whether the device has a link to the other side.
func (ifc *Interface) Carrier() bool { return !ifc.noCarrier }

// MaxMTU is the largest MTU that may be set.
func (ifc *Interface) MaxMTU() int { return int(ifc.maxMTU) }

// SetNameLocked renames the interface; one %d stands for the least number that makes a
// name nobody has. EINVAL for a name that is empty, longer than
// 15 bytes or that has a '/', a ':' or space in it (dev_valid_name, net/core/dev.c),
// EEXIST if another has it.
func (ifc *Interface) SetNameLocked(name string) error {
	if strings.Contains(name, "%") {
		name = ifc.instance.freeName(name)
	}
	if !ValidInterfaceName(name) {
		return syscall.EINVAL
	}
	if name == ifc.name {
		return nil
	}
	if ifc.instance.interfaceByName(name) != nil {
		return syscall.EEXIST
	}
	ifc.name = name
	ifc.instance.notify(Event{Kind: EventInterface, Interface: ifc})
	return nil
}

// ValidInterfaceName tells whether an interface may have the name.
func ValidInterfaceName(name string) bool {
	if name == "" || len(name) >= interfaceNameSize || name == "." || name == ".." {
		return false
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c == '/', c == ':', c <= ' ', c == 0xa0, c == 0x7f:
			return false
		}
	}
	return true
}

// SetHWAddrLocked gives the interface another link-layer address. EOPNOTSUPP on a
// link without such addresses, EADDRNOTAVAIL for one that is no host's.
func (ifc *Interface) SetHWAddrLocked(a wire.HWAddr) error {
	switch {
	case ifc.link != LinkEthernet:
		return syscall.EOPNOTSUPP
	case a == wire.HWAddr{} || a.IsMulticast():
		return syscall.EADDRNOTAVAIL
	case a == ifc.hwaddr:
		return nil
	}
	ifc.hwaddr = a
	ifc.changed()
	ifc.instance.notify(Event{Kind: EventInterface, Interface: ifc})
	return nil
}

// SetQueueLenLocked sets how many frames wait for the device at most. EINVAL below 0
// and above what an int32 holds.
func (ifc *Interface) SetQueueLenLocked(n int) error {
	if n < 0 || n > 1<<31-1 {
		return syscall.EINVAL
	}
	if int(ifc.queueLen) != n {
		ifc.queueLen = int32(n)
		ifc.instance.notify(Event{Kind: EventInterface, Interface: ifc})
	}
	return nil
}

// settableFlags are those that a user may change beside FlagUp (__dev_change_flags,
// net/core/dev.c).
const settableFlags = FlagNoARP | FlagPromiscuous | FlagAllMulticast | FlagMulticast

// SetFlagsLocked changes the flags of mask to those of flags; those that no user may
// change stay.
func (ifc *Interface) SetFlagsLocked(flags, mask InterfaceFlags) error {
	if f := ifc.flags&^(mask&settableFlags) | flags&mask&settableFlags; f != ifc.flags {
		ifc.flags = f
		ifc.instance.invalidateRoutes()
		ifc.instance.notify(Event{Kind: EventInterface, Interface: ifc})
	}
	if mask&FlagUp != 0 {
		return ifc.setUp(flags&FlagUp != 0)
	}
	return nil
}

// StatsNow are the counters now, all zero for an interface without traffic.
func (ifc *Interface) StatsNow() InterfaceStats {
	if ifc.stats == nil {
		return InterfaceStats{}
	}
	return *ifc.stats
}
