package core

import (
	"syscall"

	"github.com/libos-go/libos/allocator"
	"github.com/libos-go/libos/core/wire"
)

// InterfaceStats are a network device's counters, as in /proc/net/dev.
type InterfaceStats struct {
	RxPackets, RxBytes, RxErrors, RxDropped, Multicast uint64
	TxPackets, TxBytes, TxErrors, TxDropped            uint64
	RxUnknown                                          uint64 // ethertype nobody takes
}

// Interface is a network device of an instance.
type Interface struct {
	instance *Instance
	device   Device
	name     string
	index    int
	flags    InterfaceFlags
	offloads Offloads
	mtu      int32
	maxMTU   int32
	queueLen int32
	hwaddr   wire.HWAddr
	link     Link

	closed    bool
	gone      bool // it goes down for ever
	wasUp     bool // see Activated
	noCarrier bool // the device has no link to the other side
	stalled   bool // the device did not accept all; Resume comes
	isDirty   bool
	nextDirty *Interface
	txq       PacketList
	queue     *queueing  // disciplines, nil for the plain queue txq
	rxq       PacketList // frames that wait in the Domain's run queue
	isQueued  bool       // there

	addresses  []*Address
	multicast  []multicastGroup
	neighbours *neighbourTable
	stats      *InterfaceStats // made by the first frame
	seldom     *seldom

	// NetworkState is one value for each network protocol of the wiring, theirs
	// to use; who needs its place makes the slice long enough.
	NetworkState []any
}

// seldom is what few interfaces have.
type seldom struct {
	sieve   Sieve // the device, if it is one
	pacer   Pacer // says how many packets the device takes
	taps    []Tap
	sysctls []any // blocks of its own, by table

	made     string   // see Interface.MadeAs
	group    uint32   // see Interface.Group
	altNames []string // in the order of their coming
}

func (ifc *Interface) own() *seldom {
	if ifc.seldom == nil {
		ifc.seldom = new(seldom)
	}
	return ifc.seldom
}

// count are the counters, made when the first frame comes or goes.
func (ifc *Interface) count() *InterfaceStats {
	if ifc.stats == nil {
		ifc.stats = new(InterfaceStats)
	}
	return ifc.stats
}

// Tap sees every frame of an interface, complete with link header, before
// the device or the stack takes it. It must not keep nor change p.
type Tap interface {
	Tap(ifc *Interface, p *Packet, out bool)
}

// GroupTap is a Tap that is also told when the frames that came at one time, each
// of which it has seen, are over.
type GroupTap interface {
	Tap
	Over(ifc *Interface)
}

type multicastGroup struct {
	addr  wire.Addr
	users int
}

// Instance is the stack the interface belongs to.
func (ifc *Interface) Instance() *Instance { return ifc.instance }

// Device is the driver.
func (ifc *Interface) Device() Device { return ifc.device }

// Name, Index and MTU are as ip link shows them.
func (ifc *Interface) Name() string { return ifc.name }

// Index counts from 1 and is not reused.
func (ifc *Interface) Index() int { return ifc.index }

// MTU is the largest network packet in bytes.
func (ifc *Interface) MTU() int { return int(ifc.mtu) }

// QueueLen is how many frames wait for the device at most.
func (ifc *Interface) QueueLen() int { return int(ifc.queueLen) }

// Link is the kind of link layer.
func (ifc *Interface) Link() Link { return ifc.link }

// HWAddr is the link-layer address.
func (ifc *Interface) HWAddr() wire.HWAddr { return ifc.hwaddr }

// Flags are the IFF_ flags now.
func (ifc *Interface) Flags() InterfaceFlags { return ifc.flags }

// Up tells whether the interface is administratively up.
func (ifc *Interface) Up() bool { return ifc.flags&FlagUp != 0 }

// Offloads are what the device does.
func (ifc *Interface) Offloads() Offloads { return ifc.offloads }

// Stats are the counters, to be read or (by the interface's own network
// protocols) increased inside an entry.
func (ifc *Interface) Stats() *InterfaceStats { return ifc.count() }

// AddTap adds t, and returns a function that removes it. Inside an entry.
func (ifc *Interface) AddTap(t Tap) (remove func()) {
	o := ifc.own()
	o.taps = append(o.taps, t)
	return func() {
		for i, x := range o.taps {
			if x == t {
				o.taps = append(o.taps[:i:i], o.taps[i+1:]...)
				return
			}
		}
	}
}

// Deliver is the first door, for frames from outside the Domain: a device's
// goroutine, another Domain. The frames are copied. It does not wait for a busy
// Domain; it returns how many frames were taken, fewer only when the inbox is
// full (the caller keeps or drops the rest). Errands that come of it are done here.
func (ifc *Interface) Deliver(frames []Frame) int {
	d := ifc.instance.domain
	if !d.mu.TryLock() {
		n := d.inbox.put(ifc, frames)
		if !d.mu.TryLock() {
			return n // the holder looks again after unlocking
		}
		d.begin()
		d.carrying = true
		d.takeInbox()
		d.leave()
		return n
	}
	d.begin()
	d.carrying = true
	d.takeInbox()
	for i := range frames {
		ifc.admit(frames[i])
	}
	d.leave()
	return len(frames)
}

// admit copies one outside frame into a packet and queues it. Inside an entry.
func (ifc *Interface) admit(f Frame) {
	if ifc.closed {
		return
	}
	p := ifc.instance.NewInput(f)
	if p == nil {
		ifc.count().RxDropped++
		return
	}
	ifc.instance.domain.run.push(ifc, p)
}

// NewInput copies a frame of at most 64 KiB and a link header from outside into a packet, for
// [Interface.Receive]; nil when memory is short. Inside an entry.
func (in *Instance) NewInput(f Frame) *Packet {
	linear := len(f.Data)
	if linear > allocator.Page64K.Size()-inputHeadroom {
		linear = inputLinear
	}
	p := in.NewPacket(inputHeadroom, linear)
	if p == nil {
		return nil
	}
	copy(p.Put(linear), f.Data)
	if rest := f.Data[linear:]; len(rest) > 0 {
		page := in.domain.pool.Page(allocator.ClassFor(len(rest)), &in.account)
		if page == nil || len(page.Data) < len(rest) {
			if page != nil {
				page.Unref(&in.account)
			}
			p.Free()
			return nil
		}
		copy(page.Data, rest)
		p.AppendFrag(page, 0, len(rest))
		page.Unref(&in.account)
	}
	p.SetTransportHeader() // what ChecksumStart counts from
	p.Checksum = f.Meta.Checksum
	p.ChecksumStart, p.ChecksumField = f.Meta.ChecksumStart, f.Meta.ChecksumField
	p.SegmentSize = f.Meta.SegmentSize
	return p
}

// inputLinear is how much of a frame that no page holds is linear: all headers.
const inputLinear = 2048 - inputHeadroom

// inputHeadroom lets a received frame be forwarded with a longer link header.
const inputHeadroom = 32

// Receive is the first door inside the Domain: it queues a packet that starts
// with the link header and takes ownership. It is called by devices inside an
// entry (from Send or a timer).
func (ifc *Interface) Receive(p *Packet) {
	if ifc.closed || ifc.flags&FlagUp == 0 {
		ifc.count().RxDropped++
		p.Free()
		return
	}
	p.Move(ifc.instance)
	ifc.instance.domain.run.push(ifc, p)
}

// receive runs a group of frames through the instance.
func (ifc *Interface) receive(list PacketList) {
	in, stats := ifc.instance, ifc.count()
	for p := list.Pop(); p != nil; p = list.Pop() {
		if ifc.closed || ifc.flags&FlagUp == 0 {
			stats.RxDropped++
			p.Free()
			continue
		}
		if s := ifc.seldom; s != nil {
			if s.sieve != nil && !s.sieve.Admits(p) {
				stats.RxDropped++
				p.Free()
				continue
			}
			for _, t := range s.taps {
				t.Tap(ifc, p, false)
			}
		}
		p.Flags &^= flagTapped
		stats.RxPackets++
		stats.RxBytes += uint64(p.Len())
		p.Interface, p.Route = ifc, nil
		p.Flags &= FlagLoopback // the rest was of the sender
		p.Arrival = in.domain.now
		ifc.input(p)
	}
	if ifc.seldom != nil {
		for _, t := range ifc.seldom.taps {
			if g, ok := t.(GroupTap); ok {
				g.Over(ifc)
			}
		}
	}
	in.domain.deliverLocal()
}

// input strips the link header and gives the packet to its network protocol.
func (ifc *Interface) input(p *Packet) {
	link, typ := ifc.link, PacketHost
	if p.Flags&FlagLoopback != 0 { // no link header was made
		link, typ = LinkLoopback, p.Type
	}
	switch link {
	case LinkEthernet:
		if p.LinearLen() < wire.EthernetSize && !p.Pullup(wire.EthernetSize) {
			ifc.count().RxErrors++
			p.Free()
			return
		}
		eth := wire.Ethernet(p.Linear())
		p.EtherType = eth.Type()
		dst := eth.Dst()
		switch {
		case dst == ifc.hwaddr:
			p.Type = PacketHost
		case dst.IsBroadcast():
			p.Type = PacketBroadcast
		case dst.IsMulticast():
			p.Type = PacketMulticast
			ifc.count().Multicast++
		default:
			p.Type = PacketOtherHost
			p.Free()
			return
		}
		p.Pull(wire.EthernetSize)
	default:
		p.Type = typ
		if p.LinearLen() < 1 && !p.Pullup(1) {
			ifc.count().RxErrors++
			p.Free()
			return
		}
		switch p.Linear()[0] >> 4 {
		case 4:
			p.EtherType = wire.EtherTypeIPv4
		case 6:
			p.EtherType = wire.EtherTypeIPv6
		default:
			ifc.count().RxErrors++
			p.Free()
			return
		}
	}
	if ifc.offloads&OffloadRxVerified != 0 && p.Checksum == ChecksumUnknown {
		p.Checksum = ChecksumVerified
	}
	in := ifc.instance
	if i := in.wiring.EtherType(p.EtherType); i >= 0 {
		in.networks[i].Input(p)
		return
	}
	ifc.count().RxUnknown++
	p.Free()
}

// Transmit queues a complete frame (link header in place) and takes ownership.
// Inside an entry; the frame leaves when the entry does.
func (ifc *Interface) Transmit(p *Packet) {
	if ifc.closed || ifc.flags&FlagUp == 0 || ifc.txq.Len() >= int(ifc.queueLen) && ifc.queue == nil {
		ifc.count().TxDropped++
		p.Free()
		return
	}
	if p.Checksum == ChecksumPartial && ifc.offloads&OffloadTxChecksum == 0 {
		p.CompleteChecksum()
	}
	if ifc.queue != nil {
		ifc.queue.nodes[0].Qdisc.Enqueue(p)
	} else {
		ifc.txq.Push(p)
	}
	ifc.instance.domain.markDirty(ifc)
}

// TransmitPast is Transmit past disciplines (PACKET_QDISC_BYPASS; Linux: __dev_direct_xmit):
// no tap sees the frame go. False, and the frame is dropped, when the device takes none
// now. Inside an entry.
func (ifc *Interface) TransmitPast(p *Packet) bool {
	if ifc.closed || ifc.flags&FlagUp == 0 || ifc.stalled || ifc.txq.Len() >= int(ifc.queueLen) {
		ifc.count().TxDropped++
		p.Free()
		return false
	}
	if p.Checksum == ChecksumPartial && ifc.offloads&OffloadTxChecksum == 0 {
		p.CompleteChecksum()
	}
	p.Flags |= flagTapped
	ifc.txq.Push(p)
	ifc.instance.domain.markDirty(ifc)
	return true
}

// Full tells whether the next frame would be dropped because the interface's own queue is
// full, once the device has been offered what waits: for those who make many in one entry
// and can wait. A discipline drops by rules of its own. Inside an entry.
func (ifc *Interface) Full() bool {
	if ifc.queue == nil && ifc.txq.Len() >= int(ifc.queueLen) {
		ifc.flush()
	}
	return ifc.queue == nil && ifc.txq.Len() >= int(ifc.queueLen)
}

// TransmitTo puts the Ethernet header in front of p and queues it; on a link
// without one it queues p as it is. EtherType must be set.
func (ifc *Interface) TransmitTo(p *Packet, dst wire.HWAddr) {
	if ifc.link == LinkEthernet {
		if !p.EnsureHeadroom(wire.EthernetSize) {
			ifc.count().TxDropped++
			p.Free()
			return
		}
		wire.Ethernet(p.Push(wire.EthernetSize)).Encode(dst, ifc.hwaddr, p.EtherType)
	}
	ifc.Transmit(p)
}

// SetPacer has p asked before each Send; nil asks nobody. It is called by the
// device, from Attach or inside an entry.
func (ifc *Interface) SetPacer(p Pacer) {
	if p != nil || ifc.seldom != nil {
		ifc.own().pacer = p
	}
}

// flush offers the queue to the device.
func (ifc *Interface) flush() {
	if ifc.queue != nil {
		ifc.queue.flush()
		return
	}
	batch := ifc.instance.domain.batch[:]
	for !ifc.stalled && ifc.txq.Len() > 0 {
		n, most := 0, len(batch)
		if s := ifc.seldom; s != nil && s.pacer != nil {
			if most = min(most, s.pacer.Room()); most <= 0 {
				ifc.stalled = true
				return
			}
		}
		for n < most {
			p := ifc.txq.Pop()
			if p == nil {
				break
			}
			batch[n] = p
			n++
		}
		ifc.offer(batch[:n])
	}
}

// offer gives packets to the device and tells how many it took; the others wait
// at the head of txq.
func (ifc *Interface) offer(batch []*Packet) (taken int) {
	bytes := 0
	for _, p := range batch {
		if p.Flags&flagTapped == 0 {
			p.Flags |= flagTapped
			if ifc.seldom != nil {
				for _, t := range ifc.seldom.taps {
					t.Tap(ifc, p, true)
				}
			}
		}
		bytes += p.Len()
	}
	taken = ifc.device.Send(batch)
	for i := len(batch) - 1; i >= taken; i-- {
		bytes -= batch[i].Len()
		ifc.txq.PushFront(batch[i])
	}
	stats := ifc.count()
	stats.TxPackets += uint64(taken)
	stats.TxBytes += uint64(bytes)
	ifc.stalled = ifc.stalled || taken < len(batch)
	clear(batch)
	return taken
}

// Resume tells the interface that its device takes packets again. Any
// goroutine outside the Domain may call it.
func (ifc *Interface) Resume() {
	d := ifc.instance.domain
	d.enter()
	ifc.ResumeLocked()
	d.leave()
}

// ResumeLocked is Resume for a device that is inside an entry.
func (ifc *Interface) ResumeLocked() {
	ifc.stalled = false
	if ifc.txq.Len() > 0 || ifc.queue != nil {
		ifc.instance.domain.markDirty(ifc)
	}
}

// CompleteChecksum computes a transport checksum that was left partial.
func (p *Packet) CompleteChecksum() {
	var c wire.Checksum
	start := p.ChecksumOffset()
	at := start + int(p.ChecksumField)
	lin := p.Linear()
	if start < 0 || at+2 > len(lin) {
		return // a device said nonsense: the receiver's check will find it
	}
	p.Sum(&c, start)
	sum := c.Field()
	if sum == 0 && p.Protocol == wire.ProtoUDP {
		sum = 0xffff
	}
	lin[at], lin[at+1] = byte(sum>>8), byte(sum)
	p.Checksum = ChecksumUnknown
}

// SetUp brings the interface up or down. As in Linux the routes by way of an interface
// that goes down are removed, those of IPv4 without a word, and its IPv6 addresses
// unless net.ipv6.conf.*.keep_addr_on_down keeps them; coming up brings back
// those that its addresses make, and no other.
func (ifc *Interface) SetUp(up bool) error {
	var err error
	ifc.instance.domain.Do(func() { err = ifc.setUp(up) })
	return err
}

// SetUpLocked is SetUp inside an entry.
func (ifc *Interface) SetUpLocked(up bool) error { return ifc.setUp(up) }

func (ifc *Interface) setUp(up bool) error {
	if ifc.closed {
		return syscall.ENODEV
	}
	if up == ifc.Up() {
		return nil
	}
	if up {
		ifc.turn(true, func() { ifc.connect(false) })
	} else {
		ifc.turn(false, func() { ifc.withdraw(ifc.keepsAddresses()) })
	}
	if w, ok := ifc.device.(CarrierWatcher); ok {
		w.UpChanged()
	}
	return nil
}

// turn is setUp without what becomes of routes, addresses, neighbours and carriers. before is called when
// programs have heard of it, and the protocols have not.
func (ifc *Interface) turn(up bool, before func()) {
	if up {
		ifc.wasUp = true
		ifc.flags |= FlagUp
		if !ifc.noCarrier {
			ifc.flags |= FlagRunning
		}
	} else {
		ifc.flags &^= FlagUp | FlagRunning
		ifc.txq.Free()
		ifc.purgeQdiscs()
	}
	ifc.instance.invalidateRoutes() // routes by an interface that is down do not count
	ifc.changed()
	news := Event{Kind: EventInterface, Interface: ifc}
	ifc.instance.announce(news)
	if before != nil {
		before()
	}
	ifc.instance.spread(news)
}

// SetListening says whether somebody wants all frames (IFF_PROMISC) or all multicasts
// (IFF_ALLMULTI) of the link to be seen by taps. Inside an entry.
func (ifc *Interface) SetListening(promiscuous, allMulticast bool) {
	flags := ifc.flags &^ (FlagPromiscuous | FlagAllMulticast)
	if promiscuous {
		flags |= FlagPromiscuous
	}
	if allMulticast {
		flags |= FlagAllMulticast
	}
	if flags != ifc.flags {
		ifc.flags = flags
		ifc.instance.notify(Event{Kind: EventInterface, Interface: ifc})
	}
}

// SetCarrier tells whether the device has a link to the other side: FlagRunning
// is set while it has one and the interface is up. It is called by the device,
// inside an entry; a new interface has its carrier.
func (ifc *Interface) SetCarrier(on bool) {
	if ifc.closed || ifc.noCarrier == !on {
		return
	}
	ifc.noCarrier = !on
	if !ifc.Up() {
		return
	}
	ifc.flags ^= FlagRunning
	if !on {
		ifc.instance.flushNexthops(ifc)
	}
	ifc.instance.notify(Event{Kind: EventInterface, Interface: ifc})
}

// SetMTU changes the MTU. EINVAL outside 68 … the device's largest.
func (ifc *Interface) SetMTU(mtu int) error {
	var err error
	ifc.instance.domain.Do(func() { err = ifc.SetMTULocked(mtu) })
	return err
}

// SetMTULocked is SetMTU inside an entry.
func (ifc *Interface) SetMTULocked(mtu int) error {
	if mtu < 68 || mtu > int(ifc.maxMTU) {
		return syscall.EINVAL
	}
	ifc.mtu = int32(mtu)
	ifc.instance.invalidateRoutes()
	ifc.changed()
	ifc.instance.notify(Event{Kind: EventInterface, Interface: ifc})
	return nil
}

// changed tells a device that wants to know of its interface.
func (ifc *Interface) changed() {
	if w, ok := ifc.device.(InterfaceWatcher); ok {
		w.Changed()
	}
}

// JoinGroup counts one more user of a multicast group on this link.
func (ifc *Interface) JoinGroup(a wire.Addr) {
	for i := range ifc.multicast {
		if ifc.multicast[i].addr == a {
			ifc.multicast[i].users++
			return
		}
	}
	ifc.multicast = append(ifc.multicast, multicastGroup{a, 1})
	ifc.instance.notify(Event{Kind: EventJoin, Interface: ifc, Addr: a})
}

// LeaveGroup counts one user less.
func (ifc *Interface) LeaveGroup(a wire.Addr) {
	for i := range ifc.multicast {
		if g := &ifc.multicast[i]; g.addr == a {
			if g.users--; g.users == 0 {
				ifc.multicast = append(ifc.multicast[:i], ifc.multicast[i+1:]...)
				ifc.instance.notify(Event{Kind: EventLeave, Interface: ifc, Addr: a})
			}
			return
		}
	}
}

// InGroup tells whether the interface takes packets to the group.
func (ifc *Interface) InGroup(a wire.Addr) bool {
	for i := range ifc.multicast {
		if ifc.multicast[i].addr == a {
			return true
		}
	}
	return false
}

// Groups are the multicast groups with users.
func (ifc *Interface) Groups() []wire.Addr {
	out := make([]wire.Addr, len(ifc.multicast))
	for i := range ifc.multicast {
		out[i] = ifc.multicast[i].addr
	}
	return out
}

// GroupUsers is how often a multicast group was joined, 0 if it was not.
func (ifc *Interface) GroupUsers(a wire.Addr) int {
	for i := range ifc.multicast {
		if g := &ifc.multicast[i]; g.addr == a {
			return g.users
		}
	}
	return 0
}
