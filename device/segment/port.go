package segment

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"net"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/timer"
	"github.com/libos-go/libos/core/wire"
)

// PortConfig describes a port. The zero value has a name and an MTU of 1500.
type PortConfig struct {
	// Name tells ports apart: hardware addresses and random streams are derived from
	// it. "" takes the medium's name and a number.
	Name string
	// HWAddr, zero derives one from Name.
	HWAddr wire.HWAddr
	// MTU in bytes of network packet; 0 is 1500.
	MTU int
	// QueueLen is how many frames wait in the interface's queue; 0 is 1000. There is
	// no other queue before a medium with a rate.
	QueueLen int
	// Cable leads to the switch that the port is plugged into; a Hub and a Radio have
	// rate and delay of their own.
	Cable Cable
	// Promiscuous hands the interface frames for all stations. The stack takes none
	// that are not for it; taps see them.
	Promiscuous bool
	// Position of the station in a Radio; nil is the origin for ever.
	Position Path
}

// Check finds values out of range.
func (c *PortConfig) Check() error {
	if c.MTU != 0 && (c.MTU < 68 || c.MTU > 65535) {
		return fmt.Errorf("port %q: MTU %d is not in 68..65535", c.Name, c.MTU)
	}
	if c.HWAddr.IsMulticast() {
		return fmt.Errorf("port %q: %v is a group's address, not one of a station", c.Name, c.HWAddr)
	}
	if c.QueueLen < 0 {
		return fmt.Errorf("port %q: queue length %d is negative; 0 is 1000", c.Name, c.QueueLen)
	}
	if err := c.Cable.check(); err != nil {
		return fmt.Errorf("port %q: %w", c.Name, err)
	}
	return nil
}

// Medium is what ports are plugged into: a *Hub, a *Switch or a *Radio.
type Medium interface {
	base() *base
	room(p *Port) int
	send(p *Port, batch []*core.Packet)
	joined(p *Port)
	left(p *Port)
}

// base is what every medium has: its ports.
type base struct {
	name   string
	domain *core.Domain // of the ports
	ports  []*Port      // attached and plugged in, in that order
	made   int          // ports made by Port
}

// ErrDomain is why a port does not work that is in another Domain than the others
// of its medium.
var ErrDomain = errors.New("the ports of a segment are in one Domain: put the instances into one, or join segments of several Domains by an instance that forwards between them, with a pipe")

// Port is a station's end of a segment. It implements core.Device.
type Port struct {
	cfg    PortConfig
	ifc    *core.Interface
	medium Medium
	err    error
	in     bool // in the medium's list
	closed bool
	count  Counters

	flight flight // frames on their way to the interface

	waiting bool // for the medium; see bus
	up      uplink
	down    egress // of the switch, towards the port
}

// Counters tell what happened to the frames of a port.
type Counters struct {
	Sent       uint64 // frames taken from the interface
	Unplugged  uint64 // sent while the port was plugged into nothing
	Collisions uint64 // transmissions that another station spoilt
	Lost       uint64 // given up after collisions
	// Of frames to this port:
	Received   uint64 // handed to the interface, or on their way
	Bytes      uint64 // of those
	NotHeard   uint64 // lost by a radio's loss
	QueueDrops uint64 // the switch's queue before the port was full
	Missed     uint64 // were under way when the port left
}

// NewPort makes a port that is plugged into nothing. Values that cfg.Check would
// refuse are taken for the nearest legal ones.
func NewPort(cfg PortConfig) *Port {
	if cfg.MTU == 0 {
		cfg.MTU = 1500
	}
	cfg.MTU = min(max(cfg.MTU, 68), 65535)
	cfg.Cable = Cable{Rate: max(0, cfg.Cable.Rate), Delay: max(0, cfg.Cable.Delay), QueueLen: max(0, cfg.Cable.QueueLen)}
	if cfg.HWAddr.IsZero() || cfg.HWAddr.IsMulticast() {
		cfg.HWAddr = address(cfg.Name)
	}
	p := &Port{cfg: cfg}
	p.flight.port, p.up.port, p.up.idle.port = p, p, p
	p.down.cable = cfg.Cable
	return p
}

// address is a locally administered unicast address made of a hash of the name.
func address(name string) wire.HWAddr {
	f := fnv.New64a()
	_, _ = f.Write([]byte("segment/" + name))
	h := f.Sum64()
	return wire.HWAddr{0x02, byte(h >> 32), byte(h >> 24), byte(h >> 16), byte(h >> 8), byte(h)}
}

// newPort makes a port of m.
func newPort(m Medium, cfg PortConfig) *Port {
	b := m.base()
	if cfg.Name == "" {
		cfg.Name = fmt.Sprintf("%s/%d", b.name, b.made)
	}
	b.made++
	p := NewPort(cfg)
	p.medium = m
	return p
}

// Name of the port.
func (p *Port) Name() string { return p.cfg.Name }

// Interface is nil until the port is attached.
func (p *Port) Interface() *core.Interface { return p.ifc }

// Err tells why a port that was attached has no medium: ErrDomain, or nil.
func (p *Port) Err() error { return p.err }

// Counters so far. Inside an entry, or while nothing runs.
func (p *Port) Counters() Counters { return p.count }

// Properties implements core.Device.
func (p *Port) Properties() core.Properties {
	pr := core.Properties{Kind: "segment", Link: core.LinkEthernet, MTU: p.cfg.MTU, HWAddr: p.cfg.HWAddr,
		Flags: core.FlagBroadcast | core.FlagMulticast, Offloads: core.OffloadScatter, QueueLen: p.cfg.QueueLen}
	if p.cfg.Promiscuous {
		pr.Flags |= core.FlagPromiscuous
	}
	return pr
}

// Attach implements core.Device.
func (p *Port) Attach(ifc *core.Interface) {
	p.ifc = ifc
	ifc.SetPacer(p)
	m := p.medium
	p.medium = nil
	if m == nil {
		ifc.SetCarrier(false)
		return
	}
	if p.err = p.Plug(m); p.err != nil {
		ifc.SetCarrier(false)
		in := ifc.Instance()
		in.Domain().Host().Log().Error("a port has no carrier", "instance", in.Name(), "device", ifc.Name(), "error", p.err)
	}
}

// Plug puts the port into a medium, after it is unplugged from the one it is in.
// Inside an entry once the port is attached. It fails by ErrDomain.
func (p *Port) Plug(m Medium) error {
	if p.ifc == nil {
		p.medium = m
		return nil
	}
	if p.closed {
		return fmt.Errorf("port %q: %w", p.cfg.Name, net.ErrClosed)
	}
	b := m.base()
	d := p.ifc.Instance().Domain()
	if s, ok := m.(*Switch); ok {
		b.domain = s.joinedDomain()
	}
	if b.domain != nil && b.domain != d {
		return fmt.Errorf("port %q of segment %q: %w", p.cfg.Name, b.name, ErrDomain)
	}
	p.Unplug()
	b.domain = d
	b.ports = append(b.ports, p)
	p.medium, p.in, p.err = m, true, nil
	m.joined(p)
	p.ifc.SetCarrier(true)
	p.ifc.ResumeLocked()
	return nil
}

// Unplug takes the port out of its medium: the interface loses its carrier, and
// what is on its way to it does not arrive. Inside an entry once the port is
// attached.
func (p *Port) Unplug() {
	m := p.medium
	p.medium = nil
	if m == nil || !p.in {
		return
	}
	p.in = false
	b := m.base()
	for i, x := range b.ports {
		if x == p {
			b.ports = append(b.ports[:i:i], b.ports[i+1:]...)
			break
		}
	}
	if len(b.ports) == 0 {
		b.domain = nil
	}
	m.left(p)
	p.count.Missed += uint64(p.flight.drop())
	p.up.drop()
	p.down = egress{cable: p.down.cable, bytes: p.down.bytes}
	p.ifc.SetCarrier(false)
	p.ifc.ResumeLocked() // what waits is dropped, as behind an unplugged cable
}

// Medium is what the port is plugged into, or nil.
func (p *Port) Medium() Medium { return p.medium }

// SetCable changes what frames cross from now on. Inside an entry.
func (p *Port) SetCable(c Cable) error {
	if err := c.check(); err != nil {
		return fmt.Errorf("port %q: %w", p.cfg.Name, err)
	}
	p.cfg.Cable, p.down.cable = c, c
	return nil
}

// Room implements core.Pacer.
func (p *Port) Room() int {
	if p.medium == nil {
		return math.MaxInt
	}
	return p.medium.room(p)
}

// Send implements core.Device. It takes everything; Room is what holds frames back.
func (p *Port) Send(batch []*core.Packet) int {
	if p.medium == nil || !p.in {
		for _, x := range batch {
			x.Free()
		}
		p.count.Unplugged += uint64(len(batch))
		p.ifc.Stats().TxDropped += uint64(len(batch))
		return len(batch)
	}
	p.count.Sent += uint64(len(batch))
	for _, x := range batch {
		x.Flags, x.Checksum = 0, core.ChecksumUnknown
	}
	p.medium.send(p, batch)
	return len(batch)
}

// Close implements core.Device.
func (p *Port) Close() error {
	if p.ifc != nil {
		p.ifc.Instance().Domain().Do(func() {
			p.Unplug()
			p.closed = true
		})
	}
	return nil
}

// Rate is how fast the port sends, in bits per second: its cable to a switch, a hub's
// medium or a radio's channel; 0 is no limit, or no medium. Inside an entry, or while
// nothing runs, as Queue and Toward.
func (p *Port) Rate() int64 {
	switch m := p.medium.(type) {
	case *Hub:
		return m.cfg.Rate
	case *Radio:
		return m.cfg.Rate
	case *Switch:
		return p.cfg.Cable.Rate
	}
	return 0
}

// Queue is what of the port's frames has not left for a switch at now, in bytes. None
// waits there as long as the interface has a queue.
func (p *Port) Queue(now core.Time) (frames, bytes int) {
	return 0, rest(p.up.free, now, p.cfg.Cable.Rate)
}

// Toward is the way to the port: what waits at the switch at now, with the rest of
// the frame that is on the cable in bytes, and the bytes that have left for the port
// so far.
func (p *Port) Toward(now core.Time) (frames, bytes int, sent uint64) {
	if _, ok := p.medium.(*Switch); !ok {
		return 0, 0, p.count.Bytes
	}
	frames, bytes = p.down.waiting(now)
	return frames, bytes, p.down.bytes - min(p.down.bytes, uint64(bytes))
}

// received counts a frame that is on its way to the interface.
func (p *Port) received(x *core.Packet) {
	p.count.Received++
	p.count.Bytes += uint64(x.Len())
}

// wants tells whether the interface is to get a frame to dst.
func (p *Port) wants(dst wire.HWAddr) bool {
	return dst[0]&1 != 0 || p.ifc.HWAddr() == dst || p.ifc.Flags()&core.FlagPromiscuous != 0
}

// flight holds the frames on their way to a port.
type flight struct {
	queue
	port  *Port
	timer timer.Timer
}

// put takes ownership of x, which arrives at the instant at.
func (f *flight) put(x *core.Packet, at core.Time) {
	ifc := f.port.ifc
	if f.n == 0 && at <= ifc.Instance().Now() {
		f.port.received(x)
		ifc.Receive(x)
		return
	}
	if f.n >= maxFlight {
		ifc.Stats().RxDropped++
		x.Free()
		return
	}
	f.port.received(x)
	x.Move(ifc.Instance())
	if f.push(arrival{at: at, p: x}) {
		ifc.SetArrival(&f.timer, at, f)
	}
}

// Expire implements timer.Expirer: what has arrived is received.
func (f *flight) Expire(*timer.Timer, core.Time) {
	ifc := f.port.ifc
	now := ifc.Instance().Now()
	for a := f.first(); a != nil; a = f.first() {
		if a.at > now {
			ifc.SetArrival(&f.timer, a.at, f)
			return
		}
		ifc.Receive(f.pop().p)
	}
}

func (f *flight) drop() int {
	f.port.ifc.Instance().CancelTimer(&f.timer)
	return f.queue.drop()
}

// copies hands x to one port after the other: the last gets x itself, the others
// a clone with the same payload pages.
type copies struct {
	x    *core.Packet
	to   *Port
	when core.Time
}

func (c *copies) give(to *Port, at core.Time) {
	if c.to != nil {
		if y := c.x.Clone(c.to.ifc.Instance()); y != nil {
			c.to.flight.put(y, c.when)
		} else {
			c.to.ifc.Stats().RxDropped++
		}
	}
	c.to, c.when = to, at
}

func (c *copies) end() {
	if c.to == nil {
		c.x.Free()
		return
	}
	c.to.flight.put(c.x, c.when)
}
