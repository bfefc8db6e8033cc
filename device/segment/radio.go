package segment

import (
	"fmt"
	"math"
	"math/bits"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Point is a place in metres.
type Point struct{ X, Y, Z float64 }

// Path is where a station is at an instant. It is asked for every frame that is in
// the air, in no order, and must give equal answers for equal instants.
type Path func(at core.Time) Point

// At is the path of a station that does not move.
func At(p Point) Path { return func(core.Time) Point { return p } }

// Move is the straight path from one place at an instant to another one at a later
// instant, with rests before and after.
func Move(from Point, leave core.Time, to Point, arrive core.Time) Path {
	return func(at core.Time) Point {
		switch {
		case at <= leave:
			return from
		case at >= arrive:
			return to
		}
		f := float64(at-leave) / float64(arrive-leave)
		return Point{from.X + f*(to.X-from.X), from.Y + f*(to.Y-from.Y), from.Z + f*(to.Z-from.Z)}
	}
}

// LossPoint says that a frame is lost with a probability at a distance in metres.
type LossPoint struct{ Distance, Loss float64 }

// RadioConfig describes a Radio.
type RadioConfig struct {
	// Name tells segments apart: names of ports and the random stream are derived from
	// it.
	Name string
	// Rate in bits per second of frame bytes, which all stations share; 0 is no limit.
	Rate int64
	// Delay is added to every frame's way; beside it a frame takes distance/Speed.
	Delay time.Duration
	// Speed of propagation in metres per second; 0 is that of light, 299,792,458.
	Speed float64
	// Range in metres beyond which nothing is heard; 0 is everywhere.
	Range float64
	// Loss by distance: between two points it is interpolated, before the first and
	// after the last it is theirs. Distances rise. Nil loses nothing.
	Loss []LossPoint
	// Slot is the unit of the random time that a station waits, after it found the
	// medium busy, before it sends: 0 to 15 of them. 0 is 9 µs (IEEE 802.11), negative
	// is none.
	Slot time.Duration
	// Collision is the probability that a transmission is spoilt while others wait for
	// the medium. It is repeated at once up to Retries times, then the frame is lost.
	Collision float64
	Retries   int
	// Source of the dice; nil takes the stream "radio/NAME" of the ports' host.
	Source core.Source
}

// Check finds values out of range.
func (c *RadioConfig) Check() error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("radio %q: "+format, append([]any{c.Name}, args...)...)
	}
	switch {
	case c.Rate < 0:
		return fail("rate %d is negative; 0 is no limit", c.Rate)
	case c.Delay < 0:
		return fail("delay %v is negative", c.Delay)
	case !(c.Speed >= 0):
		return fail("a speed of %v m/s is none; 0 is that of light", c.Speed)
	case !(c.Range >= 0):
		return fail("range %v is negative; 0 is everywhere", c.Range)
	case !(c.Collision >= 0 && c.Collision <= 1):
		return fail("collision is a probability between 0 and 1, not %v", c.Collision)
	case c.Retries < 0 || c.Retries > 255:
		return fail("%d retries are not in 0..255", c.Retries)
	}
	for i, p := range c.Loss {
		if !(p.Loss >= 0 && p.Loss <= 1) {
			return fail("loss is a probability between 0 and 1, not %v", p.Loss)
		}
		if !(p.Distance >= 0) || i > 0 && p.Distance <= c.Loss[i-1].Distance {
			return fail("distances of losses rise from 0 on: %v m is point %d", p.Distance, i)
		}
	}
	return nil
}

// Radio is one channel that all stations share: one sends at a time, and every
// station in range hears it, or loses it by its distance or by what SetLoss says of
// the pair. Who finds the channel busy waits; one of those who wait, chosen by the
// dice, sends next, after a random number of slots.
type Radio struct {
	cfg   RadioConfig
	b     base
	bus   bus
	dice  core.Source
	pairs map[[2]*Port]float64
}

const (
	speedOfLight = 299_792_458
	defaultSlot  = 9 * time.Microsecond
	slots        = 16
)

// NewRadio makes a radio channel. Values that cfg.Check would refuse are taken for
// the nearest legal ones.
func NewRadio(cfg RadioConfig) *Radio {
	cfg.Rate, cfg.Delay = max(0, cfg.Rate), max(0, cfg.Delay)
	cfg.Retries = min(max(0, cfg.Retries), 255)
	if !(cfg.Speed > 0) {
		cfg.Speed = speedOfLight
	}
	if cfg.Slot == 0 {
		cfg.Slot = defaultSlot
	}
	r := &Radio{cfg: cfg, b: base{name: cfg.Name}, dice: cfg.Source}
	r.bus.choose = r.below
	return r
}

// Port makes a port of the channel, for a new interface of any instance in the
// Domain of the others.
func (r *Radio) Port(cfg PortConfig) *Port { return newPort(r, cfg) }

// SetPath moves the station of a port from now on. Inside an entry of the ports'
// Domain.
func (p *Port) SetPath(path Path) { p.cfg.Position = path }

// Position of the station at an instant.
func (p *Port) Position(at core.Time) Point {
	if p.cfg.Position == nil {
		return Point{}
	}
	return p.cfg.Position(at)
}

// SetLoss says with which probability frames of one port are lost at another, from
// now on, whatever their distance and range; a negative one has the distance decide
// again. Inside an entry of the ports' Domain.
func (r *Radio) SetLoss(from, to *Port, loss float64) error {
	if loss > 1 || loss != loss {
		return fmt.Errorf("radio %q: loss is a probability between 0 and 1, not %v", r.cfg.Name, loss)
	}
	k := [2]*Port{from, to}
	if loss < 0 {
		delete(r.pairs, k)
		return nil
	}
	if r.pairs == nil {
		r.pairs = make(map[[2]*Port]float64)
	}
	r.pairs[k] = loss
	return nil
}

// InRange tells whether a station hears another one at an instant, but for losses.
func (r *Radio) InRange(from, to *Port, at core.Time) bool {
	return r.cfg.Range == 0 || distance(from.Position(at), to.Position(at)) <= r.cfg.Range
}

func distance(a, b Point) float64 { return math.Hypot(math.Hypot(a.X-b.X, a.Y-b.Y), a.Z-b.Z) }

func (r *Radio) base() *base { return &r.b }

func (r *Radio) joined(p *Port) {
	if r.dice == nil {
		r.dice = p.ifc.Instance().Domain().Host().Random("radio/" + r.cfg.Name)
	}
}

func (r *Radio) left(p *Port) {
	r.bus.left(p)
	for k := range r.pairs {
		if k[0] == p || k[1] == p {
			delete(r.pairs, k)
		}
	}
}

func (r *Radio) room(p *Port) int {
	if r.cfg.Rate == 0 {
		return 64
	}
	return r.bus.room(p)
}

func (r *Radio) send(p *Port, batch []*core.Packet) {
	now := p.ifc.Instance().Now()
	for _, x := range batch {
		depart, spoilt := now, false
		if r.cfg.Rate > 0 {
			depart, spoilt = r.transmit(p, now, x.Len())
		}
		if spoilt {
			p.count.Lost++
			p.ifc.Stats().TxDropped++
			x.Free()
			continue
		}
		r.spread(p, x, depart)
	}
}

// transmit occupies the channel until a frame has left it, or was spoilt by its last
// try.
func (r *Radio) transmit(p *Port, now core.Time, size int) (depart core.Time, spoilt bool) {
	depart = max(now, r.bus.free)
	backoff := r.bus.free > 0 && r.bus.free == now // the channel was busy until now
	others := r.bus.contenders()
	for try := 0; ; try++ {
		if (backoff || try > 0) && r.cfg.Slot > 0 {
			depart = depart.Add(time.Duration(r.below(slots)) * r.cfg.Slot)
		}
		depart = depart.Add(transmission(size, r.cfg.Rate))
		if others == 0 || !r.roll(r.cfg.Collision) {
			break
		}
		p.count.Collisions++
		if spoilt = try == r.cfg.Retries; spoilt {
			break
		}
	}
	r.bus.taken(p, depart)
	return depart, spoilt
}

// spread gives a frame to every station that hears it and wants it.
func (r *Radio) spread(p *Port, x *core.Packet, depart core.Time) {
	if x.LinearLen() < wire.EthernetSize && !x.Pullup(wire.EthernetSize) {
		p.ifc.Stats().TxErrors++
		x.Free()
		return
	}
	dst := wire.Ethernet(x.Linear()).Dst()
	here := p.Position(depart)
	c := copies{x: x}
	for _, to := range r.b.ports {
		if to == p || !to.wants(dst) {
			continue
		}
		d := distance(here, to.Position(depart))
		loss, said := -1.0, false
		if len(r.pairs) > 0 {
			loss, said = r.pairs[[2]*Port{p, to}]
		}
		if !said {
			if r.cfg.Range > 0 && d > r.cfg.Range {
				continue
			}
			loss = r.lossAt(d)
		}
		if r.roll(loss) {
			to.count.NotHeard++
			continue
		}
		way := r.cfg.Delay
		if d > 0 {
			way += time.Duration(min(d/r.cfg.Speed*1e9, 1e18))
		}
		c.give(to, depart.Add(way))
	}
	c.end()
}

// lossAt interpolates the table.
func (r *Radio) lossAt(d float64) float64 {
	t := r.cfg.Loss
	for i := range t {
		if d <= t[i].Distance {
			if i == 0 {
				return t[0].Loss
			}
			a, b := t[i-1], t[i]
			return a.Loss + (b.Loss-a.Loss)*(d-a.Distance)/(b.Distance-a.Distance)
		}
	}
	if len(t) > 0 {
		return t[len(t)-1].Loss
	}
	return 0
}

// roll tells whether something of probability q happens; it draws only where it may
// or may not.
func (r *Radio) roll(q float64) bool {
	return q > 0 && (q >= 1 || float64(r.dice.Uint64()>>11) < q*(1<<53))
}

func (r *Radio) below(n int) int {
	hi, _ := bits.Mul64(r.dice.Uint64(), uint64(n))
	return int(hi)
}
