package netem

import (
	"errors"
	"math"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/impair"
	"github.com/libos-go/libos/core/qdisc"
)

// netem is the discipline (sch_netem.c).
type netem struct {
	qdisc.Counter
	owner  core.QdiscOwner
	in     *core.Instance
	config Config
	line   impair.Line
	dice   core.Source
	child  core.Qdisc // nil for none
	gone   uint64     // dropped by former children

	ahead   qdisc.Queue // overtakes those that are delayed
	delayed schedule
	until   core.Time // when the line has sent what it was given
	slot    slotState
}

func newNetem(c Config, o core.QdiscOwner) *netem {
	n := &netem{Counter: qdisc.Counter{Link: o.Link()}, owner: o, in: o.Instance()}
	n.set(c)
	return n
}

func (n *netem) set(c Config) {
	if c.Limit == 0 {
		c.Limit = defaultLimit
	}
	n.config = c
	i := c.impairments()
	n.line = i.Start()
	n.dice = n.owner.Random()
	if c.Seed != 0 {
		n.dice = &seeded{c.Seed}
	}
	n.slot = slotState{on: c.Slot.on(), spacing: c.Slot.Spacing.Start()}
	n.newSlot(n.in.Now())
}

// seeded is splitmix64: numbers of one seed, whatever else the host draws.
type seeded struct{ state uint64 }

func (s *seeded) Uint64() uint64 {
	s.state += 0x9e3779b97f4a7c15
	z := s.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Enqueue implements core.Qdisc.
func (n *netem) Enqueue(p *core.Packet) {
	fate := n.line.Count(n.dice)
	if fate.Lost && n.config.ECN && p.MarkCE(n.Link) {
		n.Count.Dropped++ // as Linux counts the mark
		fate.Copies++
	}
	if fate.Copies == 0 {
		n.Drop(p)
		return
	}
	if fate.Copies > 1 {
		if twin := p.Copy(); twin != nil {
			n.delay(twin)
		}
	}
	n.delay(p)
}

// delay damages the packet if the dice say so and gives it its time.
func (n *netem) delay(p *core.Packet) {
	if n.line.Corrupts(n.dice) && !n.damage(p) {
		n.Drop(p)
		return
	}
	size := n.Measure(p)
	if n.held() >= n.config.Limit {
		n.Drop(p)
		return
	}
	now := n.in.Now()
	if n.line.Ahead(n.dice) {
		n.Count.Requeues++
		n.ahead.Push(p)
		return
	}
	wait := n.line.Delay(n.dice)
	if n.config.Rate.BitsPerSecond != 0 {
		// The delay runs while the packet waits for the line (sch_netem.c).
		if n.until > now {
			wait = max(wait-time.Duration(n.until-now), 0)
			now = n.until
		}
		wait += min(n.config.Rate.Time(size), maxWait)
	}
	p.Queue.At = now + core.Time(min(wait, maxWait))
	n.until = max(n.until, p.Queue.At)
	n.delayed.push(p)
}

// maxWait keeps instants within 64 bits whatever the rate.
const maxWait = 30 * 24 * time.Hour

// damage flips one bit.
func (n *netem) damage(p *core.Packet) bool {
	if p.Checksum == core.ChecksumPartial && p.SegmentSize == 0 {
		p.CompleteChecksum()
	}
	if p.Len() == 0 {
		return true
	}
	if !p.Linearize() || !p.Unshare() {
		return false
	}
	at, mask := impair.Bit(n.dice, p.Len())
	p.Linear()[at] ^= mask
	return true
}

// Dequeue implements core.Qdisc.
func (n *netem) Dequeue() *core.Packet {
	if p := n.ahead.Pop(); p != nil {
		n.Sent(p)
		return p
	}
	now := n.in.Now()
	for {
		at, ok := n.delayed.first()
		if !ok {
			break
		}
		if n.slot.on && n.slot.next < at {
			n.newSlot(now)
		}
		if when := max(at, n.slot.next); when > now {
			n.owner.WakeAt(when)
			break
		}
		p := n.delayed.pop()
		n.takeSlot(p, now)
		if n.child == nil {
			n.Sent(p)
			return p
		}
		n.child.Enqueue(p)
	}
	if n.child != nil {
		if p := n.child.Dequeue(); p != nil {
			n.Measure(p)
			n.Sent(p)
			return p
		}
	}
	return nil
}

// slotState is where the slots are.
type slotState struct {
	on             bool
	spacing        impair.Delayer
	next           core.Time
	packets, bytes int
}

// newSlot begins the next slot.
func (n *netem) newSlot(now core.Time) {
	s, c := &n.slot, &n.config.Slot
	if !s.on {
		return
	}
	wait := c.Min
	if c.spaced() {
		wait = s.spacing.Next(n.dice)
	} else if c.Max > c.Min {
		span := uint64(c.Max - c.Min)
		r := n.dice.Uint64() >> 32
		wait += time.Duration(span>>32*r + span&math.MaxUint32*r>>32)
	}
	s.next = now + core.Time(wait)
	s.packets, s.bytes = math.MaxInt, math.MaxInt
	if c.Packets != 0 {
		s.packets = c.Packets
	}
	if c.Bytes != 0 {
		s.bytes = c.Bytes
	}
}

// takeSlot takes p's share of the slot.
func (n *netem) takeSlot(p *core.Packet, now core.Time) {
	s := &n.slot
	if !s.on {
		return
	}
	s.packets--
	if s.bytes -= int(p.Queue.Bytes); s.packets <= 0 || s.bytes <= 0 {
		n.newSlot(now)
	}
}

// held is how many packets count against the limit.
func (n *netem) held() int { return n.ahead.Len() + n.delayed.len() + n.childLen() }

func (n *netem) childLen() int {
	if n.child == nil {
		return 0
	}
	return n.child.Len()
}

func (n *netem) Len() int { return n.held() }

func (n *netem) Backlog() int {
	b := n.ahead.Bytes() + n.delayed.bytes
	if n.child != nil {
		b += n.child.Backlog()
	}
	return b
}

// Purge implements core.Qdisc.
func (n *netem) Purge() {
	n.ahead.Free()
	n.delayed.free()
	n.until = 0
	if n.child != nil {
		n.child.Purge()
	}
}

// Counts implements core.Qdisc: what the child dropped is dropped here, too.
func (n *netem) Counts() core.QdiscCounts {
	c := n.Count
	if c.Dropped += n.gone; n.child != nil {
		c.Dropped += n.child.Counts().Dropped
	}
	return c
}

func (n *netem) Config() core.QdiscConfig   { return n.config }
func (n *netem) Details() []core.QdiscField { return nil }

// Change implements core.Qdisc: packets that wait keep their times.
func (n *netem) Change(c core.QdiscConfig) error {
	x, ok := c.(Config)
	if !ok {
		return errors.New("needs a netem.Config")
	}
	n.set(x)
	return nil
}

// SetChild implements core.QdiscParent.
func (n *netem) SetChild(q core.Qdisc) {
	if n.child != nil {
		n.gone += n.child.Counts().Dropped
		n.child.Purge()
	}
	n.child = q
}
