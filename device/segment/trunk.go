package segment

import (
	"errors"
	"fmt"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/timer"
)

// ErrLoop is why switches are not joined that are joined already, directly or by
// others: nothing would stop a broadcast from going round.
var ErrLoop = errors.New("a second way between two switches: there is no spanning tree protocol, so leave out this trunk")

// Trunk is a cable between two switches.
type Trunk struct {
	ends [2]trunkEnd
	gone bool
}

// trunkEnd is a trunk at one of its switches.
type trunkEnd struct {
	queue // on their way to here
	side  side
	sw    *Switch
	far   *trunkEnd
	out   egress
	sent  uint64 // frames that were not dropped
	drops uint64 // frames for which the queue had no room
	timer timer.Timer
	// Frames under way are charged to the instance of a port, and the timer is in its
	// name: the first one that the switch can reach.
	holder *Port
}

// Join lays a trunk between two switches, whose ports are in one Domain. Inside an
// entry once ports are attached. It fails by ErrDomain and ErrLoop.
func Join(a, b *Switch, c Cable) (*Trunk, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("trunk between %q and %q: %w", a.b.name, b.b.name, err)
	}
	loop := false
	a.walk(nil, func(s *Switch) bool { loop = loop || s == b; return loop })
	if loop {
		return nil, fmt.Errorf("trunk between %q and %q: %w", a.b.name, b.b.name, ErrLoop)
	}
	if x, y := a.joinedDomain(), b.joinedDomain(); x != nil && y != nil && x != y {
		return nil, fmt.Errorf("trunk between %q and %q: %w", a.b.name, b.b.name, ErrDomain)
	}
	t := &Trunk{}
	for i, s := range [2]*Switch{a, b} {
		e := &t.ends[i]
		e.sw, e.far, e.out.cable = s, &t.ends[1-i], c
		e.side = side{trunk: e}
		s.trunks = append(s.trunks, e)
	}
	return t, nil
}

// Remove takes the trunk away; what is on its way over it is lost. Inside an entry
// once ports are attached.
func (t *Trunk) Remove() {
	if t.gone {
		return
	}
	t.gone = true
	for i := range t.ends {
		e := &t.ends[i]
		e.clear()
		e.sw.table.forget(&e.side)
		for j, x := range e.sw.trunks {
			if x == e {
				e.sw.trunks = append(e.sw.trunks[:j:j], e.sw.trunks[j+1:]...)
				break
			}
		}
	}
	for i := range t.ends {
		t.ends[i].sw.rehouse()
	}
}

// TrunkWay is how one direction of a trunk stands.
type TrunkWay struct {
	Rate   int64 // bit/s, 0 for no limit
	Frames int   // that wait at the switch
	Rest   int   // bytes of them and of the frame that is on the cable
	// Since the beginning:
	Sent  uint64 // frames that were sent or wait
	Bytes uint64 // that have left
	Drops uint64 // frames for which the queue had no room
}

// Way is how the trunk stands from the first switch to the second, or back, at now.
// Inside an entry, or while nothing runs.
func (t *Trunk) Way(back bool, now core.Time) TrunkWay {
	e := &t.ends[0]
	if back {
		e = &t.ends[1]
	}
	w := TrunkWay{Rate: e.out.cable.Rate, Sent: e.sent, Drops: e.drops}
	w.Frames, w.Rest = e.out.waiting(now)
	w.Bytes = e.out.bytes - min(e.out.bytes, uint64(w.Rest))
	return w
}

// walk visits s and the switches that are joined to it, until f says true.
func (s *Switch) walk(from *trunkEnd, f func(*Switch) bool) bool {
	if f(s) {
		return true
	}
	for _, t := range s.trunks {
		if t != from && t.far.sw.walk(t.far, f) {
			return true
		}
	}
	return false
}

// joinedDomain is the Domain of the ports of s and the switches joined to it.
func (s *Switch) joinedDomain() (d *core.Domain) {
	s.walk(nil, func(x *Switch) bool { d = x.b.domain; return d != nil })
	return d
}

// anchor is the first port that s can reach.
func (s *Switch) anchor() (p *Port) {
	s.walk(nil, func(x *Switch) bool {
		if len(x.b.ports) > 0 {
			p = x.b.ports[0]
		}
		return p != nil
	})
	return p
}

// rehouse gives frames on trunks to another instance where the port that held them
// has gone, or a trunk.
func (s *Switch) rehouse() {
	s.walk(nil, func(x *Switch) bool {
		for _, t := range x.trunks {
			t.rehouse()
		}
		return false
	})
}

func (e *trunkEnd) rehouse() {
	if e.n == 0 {
		return
	}
	p := e.sw.anchor()
	if p == nil {
		e.clear()
		return
	}
	if p != e.holder {
		e.holder.ifc.Instance().CancelTimer(&e.timer)
		e.holder = p
		in := p.ifc.Instance()
		for i := range e.n {
			e.at(i).p.Move(in)
		}
		in.SetTimer(&e.timer, e.first().at, e)
	}
}

func (e *trunkEnd) clear() {
	if e.holder != nil {
		e.holder.ifc.Instance().CancelTimer(&e.timer)
	}
	e.sw.count.QueueDrops += uint64(e.queue.drop())
}

// send takes ownership of x and sends it to the other switch.
func (e *trunkEnd) send(now core.Time, x *core.Packet) {
	at, ok := e.out.carry(now, x.Len())
	if !ok || e.far.n >= maxFlight {
		e.sw.count.QueueDrops++
		e.drops++
		x.Free()
		return
	}
	e.sent++
	f := e.far
	if at <= now && f.n == 0 {
		f.sw.forward(now, &f.side, x)
		return
	}
	if f.n == 0 {
		f.holder = f.sw.anchor()
	}
	in := f.holder.ifc.Instance()
	x.Move(in)
	if f.push(arrival{at: at, p: x}) {
		in.SetTimer(&f.timer, at, f)
	}
}

// Expire implements timer.Expirer: frames are in the switch.
func (e *trunkEnd) Expire(*timer.Timer, core.Time) {
	in := e.holder.ifc.Instance()
	now := in.Now()
	for a := e.first(); a != nil; a = e.first() {
		if a.at > now {
			in.SetTimer(&e.timer, a.at, e)
			return
		}
		e.sw.forward(now, &e.side, e.pop().p)
	}
}
