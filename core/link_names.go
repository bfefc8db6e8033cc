package core

import (
	"slices"
	"syscall"
)

const (
	// altNameSize is how long other names are, with the zero byte (ALTIFNAMSIZ).
	altNameSize = 128
	// mostAltNames bounds how many an interface has, which Linux does by their length in
	// a message (rtnl_alt_ifname, net/core/rtnetlink.c).
	mostAltNames = 490
)

// AltNames are other names that the interface is found by, oldest first (ip link
// property); not to be changed.
func (ifc *Interface) AltNames() []string {
	if ifc.seldom == nil {
		return nil
	}
	return ifc.seldom.altNames
}

// called tells whether a name is the interface's.
func (ifc *Interface) called(name string) bool {
	return ifc.name == name || ifc.seldom != nil && slices.Contains(ifc.seldom.altNames, name)
}

// AddAltNameLocked gives the interface one more name to be found by. EEXIST if an
// interface has it, EINVAL if it is empty, longer than 127 bytes or one too many. Who
// has changed names tells so by Interface.ChangedLocked. Inside an entry.
func (ifc *Interface) AddAltNameLocked(name string) error {
	switch {
	case name == "" || len(name) >= altNameSize || len(ifc.AltNames()) >= mostAltNames:
		return syscall.EINVAL
	case ifc.instance.interfaceByName(name) != nil:
		return syscall.EEXIST
	}
	ifc.own().altNames = append(slices.Clip(ifc.seldom.altNames), name)
	return nil
}

// RemoveAltNameLocked takes such a name away. ENOENT if nobody has it, EINVAL if it is
// another's or the interface's own. Inside an entry.
func (ifc *Interface) RemoveAltNameLocked(name string) error {
	if ifc.instance.interfaceByName(name) == nil {
		return syscall.ENOENT
	}
	i := slices.Index(ifc.AltNames(), name)
	if i < 0 {
		return syscall.EINVAL
	}
	ifc.seldom.altNames = slices.Delete(slices.Clone(ifc.seldom.altNames), i, i+1)
	return nil
}

// ChangedLocked tells the protocols that something of the interface is another. Inside
// an entry.
func (ifc *Interface) ChangedLocked() {
	ifc.instance.notify(Event{Kind: EventInterface, Interface: ifc})
}

// InterfaceNamed is InterfaceByName inside an entry.
func (in *Instance) InterfaceNamed(name string) *Interface { return in.interfaceByName(name) }

// Group is the number of the group that the interface is of, 0 for the default one (ip
// link set … group): programs change or remove the interfaces of a group together.
func (ifc *Interface) Group() uint32 {
	if ifc.seldom == nil {
		return 0
	}
	return ifc.seldom.group
}

// SetGroupLocked puts the interface into another group. Inside an entry.
func (ifc *Interface) SetGroupLocked(group uint32) {
	if group != ifc.Group() {
		ifc.own().group = group
		ifc.ChangedLocked()
	}
}

// Activated tells whether the interface has been up: before, it has no discipline at all
// (Linux's noop).
func (ifc *Interface) Activated() bool { return ifc.wasUp }
