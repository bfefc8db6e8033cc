package pipe

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/timer"
	"github.com/libos-go/libos/core/wire"
)

// End is one end of a pipe. It implements core.Device.
type End struct {
	cable *cable
	index int // 0 is a, 1 is b
	other *End
	ifc   *core.Interface

	// peer is set while both ends are attached. Sender's side.
	peer atomic.Pointer[peer]
	out  line   // what happens to frames sent here; under the sender's lock
	in   flight // frames on their way to here; under the receiver's lock
	box  outbox // frames sent here to another Domain; with a lock of its own

	cut  bool        // see SetLinkUp
	idle timer.Timer // resumes a paced interface when the transmitter is idle
}

// cable is what the two ends share.
type cable struct {
	cfg  Config
	mu   sync.Mutex
	ends [2]*core.Interface // attached and not closed

	closed bool // an end was attached and is closed
}

// peer is the other end as a sender sees it.
type peer struct {
	ifc   *core.Interface
	local bool // in the sender's Domain
}

// New makes a pipe. Values that cfg.Check would refuse are taken for the
// nearest legal ones.
func New(cfg Config) (a, b core.Device) {
	if cfg.MTU == 0 {
		cfg.MTU = 1500
	}
	cfg.MTU = min(max(cfg.MTU, 68), 65535)
	c := &cable{cfg: cfg}
	ends := [2]*End{{cable: c, index: 0}, {cable: c, index: 1}}
	for i, e := range ends {
		e.other = ends[1-i]
		e.out.init(cfg.direction(i))
		if !cfg.Raw {
			e.out.header = wire.EthernetSize
		}
	}
	if !(ends[0].out.ideal && ends[1].out.ideal) {
		c.cfg.Offload = false
	}
	return ends[0], ends[1]
}

// Properties implements core.Device.
func (e *End) Properties() core.Properties {
	c := &e.cable.cfg
	p := core.Properties{Kind: "pipe", Link: core.LinkEthernet, MTU: c.MTU, Offloads: core.OffloadScatter}
	if c.Raw {
		p.Link = core.LinkRaw
		p.Flags = core.FlagPointToPoint | core.FlagNoARP | core.FlagMulticast
	} else {
		p.HWAddr = c.hwaddr(e.index)
		p.Flags = core.FlagBroadcast | core.FlagMulticast
	}
	p.NoQueue = !e.out.paced
	if e.out.paced {
		p.QueueLen = e.out.wire.QueueLen
	}
	if c.Offload {
		p.Offloads |= core.OffloadTxChecksum | core.OffloadRxVerified | core.OffloadSegmentation
	}
	return p
}

// Speed implements core.Speeder.
func (e *End) Speed() int64 { return e.out.wire.Rate }

// Attach implements core.Device.
func (e *End) Attach(ifc *core.Interface) {
	e.ifc = ifc
	e.in.end = e
	in := ifc.Instance()
	c := e.cable
	if e.out.paced {
		ifc.SetPacer(e)
	}
	e.takeDice()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ends[e.index] = ifc
	if far := c.ends[1-e.index]; far != nil {
		local := far.Instance().Domain() == in.Domain()
		e.peer.Store(&peer{far, local})
		e.other.peer.Store(&peer{ifc, local})
	}
}

// takeDice gives the line its random stream when it first needs one.
func (e *End) takeDice() {
	l, in, c := &e.out, e.ifc.Instance(), &e.cable.cfg
	if !l.needsDice || l.dice != nil {
		return
	}
	if l.dice = c.Source; l.dice != nil {
		return
	}
	name := in.Name() + "/" + e.ifc.Name()
	if c.Name != "" {
		name = c.Name + "/" + [2]string{"a", "b"}[e.index]
	}
	l.dice = in.Domain().Host().Random("pipe/" + name)
}

// Wire is what the pipe does now to frames that this end sends.
func (e *End) Wire() Wire { return e.out.wire }

// SetWire changes what the pipe does to frames that this end sends from now on.
// Those under way arrive when they would have, and the transmitter is busy as long as
// it would have been. Loss models begin anew; the dice are the same. Inside an entry
// of the Domain of this end's instance, or before it is attached. A pipe with Offload
// stays ideal. Where both ends run at different times (Config.Ferry), a delay must not
// become shorter than it began.
func (e *End) SetWire(w Wire) error {
	err := w.check()
	if err == nil && e.cable.cfg.Offload && !w.ideal() {
		err = errors.New("offload needs an ideal pipe")
	}
	if err != nil {
		return fmt.Errorf("pipe %q: %w", e.cable.cfg.Name, err)
	}
	l := &e.out
	l.init(&w)
	if e.ifc == nil {
		return nil
	}
	e.takeDice()
	if l.paced {
		e.ifc.SetPacer(e)
	} else {
		e.ifc.SetPacer(nil)
		e.ifc.ResumeLocked()
	}
	return nil
}

// SetLinkUp cuts the cable at this end, or mends it: the interface loses its
// carrier, and what it sends is lost; frames under way arrive. Inside an entry of the
// Domain of this end's instance. The other end notices nothing: do the same there.
func (e *End) SetLinkUp(up bool) {
	if e.cut == !up || e.ifc == nil {
		return
	}
	e.cut = !up
	if up && e.peer.Load() == nil && e.unplugged() {
		return // there is no other end to have a carrier from
	}
	e.ifc.SetCarrier(up)
	e.ifc.ResumeLocked()
}

// unplugged tells whether the other end was there and is gone.
func (e *End) unplugged() bool {
	c := e.cable
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// Room implements core.Pacer. The instant of the departure is compared; a timer
// stands there only while a frame waits for it.
func (e *End) Room() int {
	l := &e.out
	if !l.paced || e.cut {
		return math.MaxInt
	}
	if in := e.ifc.Instance(); in.Now() < l.free {
		in.SetTimer(&e.idle, l.free, e)
		return 0
	}
	return l.wire.Pace
}

// Expire implements timer.Expirer: the transmitter is idle.
func (e *End) Expire(*timer.Timer, core.Time) { e.ifc.ResumeLocked() }

// Send implements core.Device. A local peer takes everything: what a wire's
// queue has no place for is dropped and counted. A peer in another Domain takes
// as much as its outbox holds.
func (e *End) Send(batch []*core.Packet) int {
	to := e.peer.Load()
	if to == nil || e.cut { // the cable is unplugged
		for _, p := range batch {
			p.Free()
		}
		e.out.count.Unplugged += uint64(len(batch))
		e.ifc.Stats().TxDropped += uint64(len(batch))
		return len(batch)
	}
	if !to.local {
		return e.sendAway(to, batch)
	}
	if !e.out.ideal {
		e.sendWire(to, batch)
		return len(batch)
	}
	offload := e.cable.cfg.Offload
	for _, p := range batch {
		p.Flags = 0
		if !offload {
			p.Checksum = core.ChecksumUnknown
		}
		e.out.count.Bytes += uint64(p.Len())
		to.ifc.Receive(p)
	}
	return len(batch)
}

// Close implements core.Device: it unplugs the cable. The other end loses its
// carrier; frames on their way to it still arrive.
func (e *End) Close() error {
	if e.ifc == nil {
		return nil
	}
	far := e.unplug()
	e.ifc.Instance().Domain().Do(e.quiet)
	e.box.close()
	if far != nil {
		far.Instance().Domain().Do(func() { far.SetCarrier(false) })
	}
	return nil
}

// unplug takes the end off the cable and tells who was at the other, nil if nobody was.
func (e *End) unplug() (far *core.Interface) {
	c := e.cable
	c.mu.Lock()
	defer c.mu.Unlock()
	far = c.ends[1-e.index]
	c.ends[e.index], c.closed = nil, true
	e.peer.Store(nil)
	e.other.peer.Store(nil)
	return far
}

// quiet drops what is on its way to the end. Inside an entry.
func (e *End) quiet() {
	e.ifc.Instance().CancelTimer(&e.idle)
	e.in.close()
}

// Counters tell what a direction did to frames.
type Counters struct {
	Sent       uint64 // frames the end took from its interface
	Bytes      uint64 // of those that were not dropped before the wire
	Lost       uint64 // by Loss
	Duplicated uint64
	Corrupted  uint64
	Reordered  uint64 // held back by Reorder
	QueueDrops uint64 // the queue before the wire was full
	Unplugged  uint64 // sent while there was no other end
}

// Counters of the frames sent by this end. Inside an entry, or while nothing
// runs.
func (e *End) Counters() Counters { return e.out.count }

// Queue is what waits for the wire at now in a queue of the wire's own, and what
// of it is not yet on the wire in bytes, the rest of the frame that is on it
// included. Inside an entry, or while nothing runs.
func (e *End) Queue(now core.Time) (frames, bytes int) {
	l := &e.out
	if l.free <= now {
		return 0, 0
	}
	if l.paced { // no more than what is on the wire
		if l.wire.Rate <= 0 {
			return 0, 0
		}
		return 0, l.sentIn(l.free.Sub(now))
	}
	frames, bytes, first := l.leaving.waiting(now)
	if rest := l.sentIn(first.at.Sub(now)); rest < int(first.size) {
		bytes -= int(first.size) - rest
	}
	return frames, bytes
}

// sentIn is how many bytes the wire takes in a time; of a trace, whose frames leave
// at once when their time has come, more than any frame.
func (l *line) sentIn(d time.Duration) int {
	if l.wire.Rate <= 0 {
		return math.MaxInt32
	}
	hi, lo := bits.Mul64(uint64(d), uint64(l.wire.Rate))
	if hi >= 8e9 {
		return math.MaxInt32
	}
	q, _ := bits.Div64(hi, lo, 8e9)
	return int(min(q, math.MaxInt32))
}

// Rate is how fast the wire is, in bits per second, the mean of a trace; 0 is no
// limit.
func (e *End) Rate() int64 {
	if t := e.out.wire.Trace; t != nil {
		return int64(t.Rate())
	}
	return e.out.wire.Rate
}
