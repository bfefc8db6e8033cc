package core

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/libos-go/libos/core/wire"
)

const (
	// mostIndex is the highest number that the instance gives by itself before it takes
	// those that are free again, and the highest that may be asked for: tables by number
	// stay small however many interfaces come and go.
	mostIndex = 1 << 16
	// mostMade bounds the interfaces that programs make.
	mostMade = 4096
)

// DeviceOptions are what an interface begins with.
type DeviceOptions struct {
	// Name of the interface; "" is the device's own, or its kind with a number. One %d
	// in it stands for the least number that makes a name nobody has
	// (__dev_alloc_name, net/core/dev.c).
	Name string
	// Index is the interface's number, from 1; 0 is the next.
	Index int
	// MTU, HWAddr and QueueLen are the device's where they are zero; a negative QueueLen
	// is a queue of no length.
	MTU      int
	HWAddr   wire.HWAddr
	QueueLen int
	// Group that the interface is of (ip link … group).
	Group uint32
	// Made is the kind as which a program made the device (LinkKind): it may
	// remove the interface, too.
	Made string
}

// AddDeviceLocked is AddDevice with all particulars, inside an entry. EEXIST if the name
// or the number is taken, EINVAL for a name, an MTU or a number that cannot be, ENFILE
// when programs have made too many.
func (in *Instance) AddDeviceLocked(dev Device, o DeviceOptions) (*Interface, error) {
	pr := dev.Properties()
	ifc := &Interface{instance: in, device: dev, link: pr.Link, flags: pr.Flags &^ (FlagUp | FlagRunning),
		offloads: pr.Offloads, mtu: int32(pr.MTU), maxMTU: int32(pr.MaxMTU), queueLen: int32(pr.QueueLen), hwaddr: pr.HWAddr}
	if ifc.maxMTU == 0 {
		ifc.maxMTU = 65535
	}
	if o.MTU != 0 {
		ifc.mtu = int32(o.MTU)
	}
	if ifc.mtu < 68 || ifc.mtu > ifc.maxMTU {
		return nil, fmt.Errorf("core: device %s: MTU %d is not in 68..%d: %w", pr.Kind, ifc.mtu, ifc.maxMTU, syscall.EINVAL)
	}
	if ifc.queueLen == 0 {
		ifc.queueLen = 1000
	}
	if o.QueueLen != 0 {
		ifc.queueLen = int32(max(o.QueueLen, 0))
	}
	if o.HWAddr != (wire.HWAddr{}) {
		ifc.hwaddr = o.HWAddr
	} else if ifc.link == LinkEthernet && ifc.hwaddr == (wire.HWAddr{}) {
		ifc.hwaddr = in.randomHWAddr()
	}
	if in.closed {
		return nil, syscall.ENODEV
	}
	if o.Made != "" && in.made >= mostMade {
		return nil, syscall.ENFILE
	}
	if err := in.nameInterface(ifc, &o, &pr); err != nil {
		return nil, err
	}
	if err := in.numberInterface(ifc, o.Index); err != nil {
		return nil, err
	}
	if s, ok := dev.(Sieve); ok {
		ifc.own().sieve = s
	}
	if o.Made != "" {
		ifc.own().made, ifc.own().group = o.Made, o.Group
		in.made++
	}
	dev.Attach(ifc)
	if err := ifc.attachDefaultQdisc(pr.NoQueue); err != nil {
		in.domain.host.Log().Warn("interface without queueing discipline", "instance", in.name, "interface", ifc.name, "error", err)
	}
	in.notify(Event{Kind: EventInterface, Interface: ifc, New: true})
	return ifc, nil
}

// randomHWAddr is an address that is administered locally (eth_random_addr).
func (in *Instance) randomHWAddr() (a wire.HWAddr) {
	v := in.Random().Uint64()
	for i := range a {
		a[i] = byte(v >> (8 * i))
	}
	a[0] = a[0]&^1 | 2
	return a
}

func (in *Instance) nameInterface(ifc *Interface, o *DeviceOptions, pr *Properties) error {
	name := o.Name
	if name == "" {
		if name = pr.Name; name == "" {
			name = pr.Kind + "%d"
		}
	}
	if strings.Contains(name, "%") && (o.Made != "" || o.Name == "") {
		name = in.freeName(name)
	}
	switch {
	case o.Made != "" && !ValidInterfaceName(name):
		return syscall.EINVAL
	case in.interfaceByName(name) != nil:
		return fmt.Errorf("core: %s has a device %s: %w", in.name, name, syscall.EEXIST)
	}
	ifc.name = name
	return nil
}

// freeName puts the least number in the place of %d that makes a name nobody has; ""
// if the template has anything but one %d.
func (in *Instance) freeName(template string) string {
	before, after, ok := strings.Cut(template, "%d")
	if !ok || strings.Contains(before, "%") || strings.Contains(after, "%") {
		return ""
	}
	for i := 0; ; i++ {
		if name := before + strconv.Itoa(i) + after; in.interfaceByName(name) == nil {
			return name
		}
	}
}

// numberInterface gives ifc the number that is wanted, or the next: one is used again
// only when there are no others.
func (in *Instance) numberInterface(ifc *Interface, wanted int) error {
	i := wanted
	switch {
	case wanted < 0 || wanted > mostIndex:
		return syscall.EINVAL
	case wanted != 0:
		if in.InterfaceByIndex(wanted) != nil {
			return syscall.EEXIST
		}
	default:
		for i = in.lastIndex + 1; in.InterfaceByIndex(i) != nil; i++ {
		}
		if i > mostIndex && i > len(in.interfaces) {
			if free := slices.Index(in.interfaces, nil); free >= 0 {
				i = free + 1
			}
		}
		in.lastIndex = i
	}
	for len(in.interfaces) < i {
		in.interfaces = append(in.interfaces, nil)
	}
	ifc.index, in.interfaces[i-1] = i, ifc
	return nil
}

// MadeAs is the kind as which a program made the interface, "" if none did.
func (ifc *Interface) MadeAs() string {
	if ifc.seldom == nil {
		return ""
	}
	return ifc.seldom.made
}

// Partner is the interface at the other end of the link, nil if it is of another
// instance or nobody knows.
func (ifc *Interface) Partner() *Interface {
	if d, ok := ifc.device.(LinkDevice); ok {
		if p := d.Partner(); p != nil && p.instance == ifc.instance && !p.closed {
			return p
		}
	}
	return nil
}

// RemoveLinkLocked removes an interface that a program made, with its partner, and what
// comes with them. EOPNOTSUPP for others, which go with their instance. Inside an entry.
func (in *Instance) RemoveLinkLocked(ifc *Interface) error {
	if ifc.MadeAs() == "" {
		return syscall.EOPNOTSUPP
	}
	all := []*Interface{ifc}
	if p := ifc.Partner(); p != nil {
		all = append(all, p)
	}
	for _, x := range all {
		x.device.(LinkDevice).CloseLocked()
	}
	for _, x := range all { // all are down before the first is gone (unregister_netdevice_many, net/core/dev.c)
		x.shut()
	}
	for _, x := range all {
		in.expunge(x)
	}
	return nil
}

// shut takes an interface down for ever.
func (ifc *Interface) shut() {
	empty := func() {
		ifc.gone = true
		ifc.withdraw(false)
	}
	if ifc.Up() {
		ifc.turn(false, empty)
		return
	}
	empty()
}

// detach takes an interface out of the instance, and tells whether it was there.
func (in *Instance) detach(ifc *Interface) bool {
	if ifc.closed || ifc.instance != in {
		return false
	}
	ifc.shut()
	in.expunge(ifc)
	return true
}

// expunge takes an interface that is shut out of the instance.
func (in *Instance) expunge(ifc *Interface) {
	for _, a := range slices.Clone(ifc.addresses) {
		ifc.dropAddress(a)
	}
	ifc.removeQdiscs()
	ifc.wasUp = false
	in.notify(Event{Kind: EventInterfaceGone, Interface: ifc})
	ifc.removeNeighbours(true)
	ifc.removeNeighbours(false)
	ifc.closed = true
	if st := ifc.stats; st != nil {
		in.packets += st.TxPackets + st.RxPackets
	}
	ifc.txq.Free()
	in.domain.run.forget(ifc)
	if ifc.MadeAs() != "" {
		in.made--
	}
	in.interfaces[ifc.index-1] = nil
	if in.loopback == ifc {
		in.loopback = nil
	}
	in.invalidateRoutes()
}

// dropAddress removes an address whose routes are gone, but for the local one.
func (ifc *Interface) dropAddress(a *Address) {
	i := slices.Index(ifc.addresses, a)
	if i < 0 {
		return
	}
	ifc.addresses = slices.Delete(slices.Clone(ifc.addresses), i, i+1)
	in, p := ifc.instance, a.Prefix.Addr
	in.notify(Event{Kind: EventAddressGone, Interface: ifc, Addr: p, Address: a})
	_ = in.RemoveRouteLocked(&RouteEntry{Prefix: wire.Prefix{Addr: p, Bits: uint8(p.Bits())}, Interface: ifc, Type: RouteLocal})
	in.invalidateRoutes()
}
