package segment

import (
	"fmt"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/timer"
	"github.com/libos-go/libos/core/wire"
)

// SwitchConfig describes a Switch.
type SwitchConfig struct {
	// Name tells segments apart: names of ports are derived from it.
	Name string
	// Age is how long a station is remembered that says nothing; 0 is 300 s (IEEE
	// 802.1D-2004 table 7-5).
	Age time.Duration
	// Stations is how many are remembered; frames to others go to all ports. 0 is
	// 16384.
	Stations int
}

// Check finds values out of range.
func (c *SwitchConfig) Check() error {
	if c.Age < 0 {
		return fmt.Errorf("switch %q: age %v is negative; 0 is 300s", c.Name, c.Age)
	}
	if c.Stations < 0 || c.Stations > 1<<20 {
		return fmt.Errorf("switch %q: %d stations are not in 0..%d; 0 is 16384", c.Name, c.Stations, 1<<20)
	}
	return nil
}

// Switch is a learning bridge: it stores each frame until its last bit is there,
// and forwards it to the port behind which its receiver was heard, or to all
// others (IEEE 802.1D-2004 clause 7, without spanning tree and VLANs). The cable of a
// port (PortConfig.Cable) has a rate and a delay each way, and a queue at the switch.
// Trunks join switches to trees: one that would close a loop is refused, so that no
// frame goes round.
type Switch struct {
	cfg    SwitchConfig
	b      base
	table  table
	trunks []*trunkEnd
	count  SwitchCounters
}

// SwitchCounters tell what a switch did to frames.
type SwitchCounters struct {
	Forwarded  uint64 // to the one side where the receiver is
	Flooded    uint64 // to all other sides
	Filtered   uint64 // the receiver is where the frame came from
	QueueDrops uint64 // a queue before a trunk was full; for those before ports see Counters
	Refused    uint64 // frames with a group's address as source
}

// side is where frames enter and leave a switch: a port or a trunk.
type side struct {
	port  *Port
	trunk *trunkEnd
}

// NewSwitch makes a switch. Values that cfg.Check would refuse are taken for the
// nearest legal ones.
func NewSwitch(cfg SwitchConfig) *Switch {
	if cfg.Age <= 0 {
		cfg.Age = 300 * time.Second
	}
	if cfg.Stations <= 0 {
		cfg.Stations = 16384
	}
	cfg.Stations = min(cfg.Stations, 1<<20)
	return &Switch{cfg: cfg, b: base{name: cfg.Name}, table: table{most: cfg.Stations, age: core.Time(cfg.Age)}}
}

// Port makes a port of the switch, for a new interface of any instance in the Domain
// of the others.
func (s *Switch) Port(cfg PortConfig) *Port { return newPort(s, cfg) }

// Counters so far. Inside an entry, or while nothing runs.
func (s *Switch) Counters() SwitchCounters { return s.count }

// Where is the port behind which a station was heard last; ok is false if it is
// not known or behind a trunk. Inside an entry of the ports' Domain.
func (s *Switch) Where(h wire.HWAddr) (p *Port, ok bool) {
	if s.b.domain == nil {
		return nil, false
	}
	if x := s.table.lookup(s.b.domain.Now(), key(h)); x != nil && x.port != nil {
		return x.port, true
	}
	return nil, false
}

func (s *Switch) base() *base { return &s.b }

func (s *Switch) joined(p *Port) { p.up.side = side{port: p} }

func (s *Switch) left(p *Port) {
	s.table.forget(&p.up.side)
	s.rehouse()
}

// room lets a port send while its own transmitter is idle.
func (s *Switch) room(p *Port) int {
	if p.cfg.Cable.Rate == 0 {
		return 64
	}
	if in := p.ifc.Instance(); in.Now() < p.up.free {
		in.SetTimer(&p.up.idle.timer, p.up.free, &p.up.idle)
		return 0
	}
	return 1
}

func (s *Switch) send(p *Port, batch []*core.Packet) {
	now := p.ifc.Instance().Now()
	c := &p.cfg.Cable
	for _, x := range batch {
		if x.LinearLen() < wire.EthernetSize && !x.Pullup(wire.EthernetSize) {
			p.ifc.Stats().TxErrors++
			x.Free()
			continue
		}
		depart := now
		if c.Rate > 0 {
			depart = max(now, p.up.free).Add(transmission(x.Len(), c.Rate))
			p.up.free = depart
		}
		if at := depart.Add(c.Delay); at > now || p.up.n > 0 {
			p.up.put(x, at)
		} else {
			s.forward(now, &p.up.side, x)
		}
	}
}

// forward sends a frame that is in the switch on its way.
func (s *Switch) forward(now core.Time, from *side, x *core.Packet) {
	eth := wire.Ethernet(x.Linear())
	dst, src := eth.Dst(), eth.Src()
	if src.IsMulticast() {
		s.count.Refused++
		x.Free()
		return
	}
	s.table.learn(now, key(src), from)
	if !dst.IsMulticast() {
		switch to := s.table.lookup(now, key(dst)); {
		case to == nil:
		case to == from:
			s.count.Filtered++
			x.Free()
			return
		default:
			s.count.Forwarded++
			if to.trunk != nil {
				to.trunk.send(now, x)
				return
			}
			s.out(now, to.port, x)
			return
		}
	}
	s.count.Flooded++
	for _, t := range s.trunks {
		if &t.side != from {
			if y := x.Copy(); y != nil {
				t.send(now, y)
			} else {
				s.count.QueueDrops++
			}
		}
	}
	c := copies{x: x}
	size := x.Len()
	for _, p := range s.b.ports {
		if &p.up.side == from {
			continue
		}
		// The frame occupies the port's cable also where its interface wants nothing
		// of it.
		at, ok := p.down.carry(now, size)
		if !ok {
			p.count.QueueDrops++
		} else if p.wants(dst) {
			c.give(p, at)
		}
	}
	c.end()
}

// out sends a frame to a port.
func (s *Switch) out(now core.Time, p *Port, x *core.Packet) {
	at, ok := p.down.carry(now, x.Len())
	if !ok {
		p.count.QueueDrops++
		x.Free()
		return
	}
	if !p.wants(wire.Ethernet(x.Linear()).Dst()) {
		x.Free()
		return
	}
	p.flight.put(x, at)
}

// uplink is the way from a port to its switch.
type uplink struct {
	queue
	port  *Port
	side  side
	free  core.Time // when the last frame has left
	timer timer.Timer
	idle  idle
}

// put takes ownership of x, which is in the switch at the instant at.
func (u *uplink) put(x *core.Packet, at core.Time) {
	if u.n >= maxFlight {
		u.port.ifc.Stats().TxDropped++
		x.Free()
		return
	}
	if u.push(arrival{at: at, p: x}) {
		u.port.ifc.Instance().SetTimer(&u.timer, at, u)
	}
}

// Expire implements timer.Expirer: frames are in the switch.
func (u *uplink) Expire(*timer.Timer, core.Time) {
	in := u.port.ifc.Instance()
	now := in.Now()
	s := u.port.medium.(*Switch)
	for a := u.first(); a != nil; a = u.first() {
		if a.at > now {
			in.SetTimer(&u.timer, a.at, u)
			return
		}
		s.forward(now, &u.side, u.pop().p)
	}
}

// drop frees what is on its way. The counter of the port is not moved: the frames
// were sent.
func (u *uplink) drop() {
	in := u.port.ifc.Instance()
	in.CancelTimer(&u.timer)
	in.CancelTimer(&u.idle.timer)
	u.queue.drop()
	u.free = 0
}

// idle resumes the interface of a port when its transmitter is idle.
type idle struct {
	timer timer.Timer
	port  *Port
}

// Expire implements timer.Expirer.
func (i *idle) Expire(*timer.Timer, core.Time) { i.port.ifc.ResumeLocked() }
