package red

import (
	"errors"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/qdisc"
	"github.com/libos-go/libos/core/qdisc/fifo"
)

// red is the discipline (sch_red.c). All sums are of integers, so that they are
// the same on every machine: the average is held in units of 2^-log bytes, and
// probabilities as fractions of 2^32.
type red struct {
	qdisc.Counter
	in     *core.Instance
	owner  core.QdiscOwner
	config Config
	dice   core.Source
	child  core.Qdisc
	ours   bool
	gone   uint64

	log     int   // weight of the average: 2^-log
	average int64 // bytes << log
	chance  uint64
	count   int64 // packets since the last drop or mark, -1 if the average was below Min
	idle    core.Time
	isIdle  bool
	adapted core.Time // when chance was looked at

	early, marked uint64
}

func (r *red) set(c Config) {
	c.fill()
	old := r.log
	r.config = c
	r.log = weight(c.Min, c.Burst, c.AvPkt)
	r.average = r.average >> old << r.log
	r.chance = uint64(c.Probability * (1 << 32))
	r.count, r.adapted = -1, r.in.Now()
}

// Enqueue implements core.Qdisc.
func (r *red) Enqueue(p *core.Packet) {
	c := &r.config
	r.Measure(p)
	r.update()
	avg := r.average >> r.log
	switch {
	case avg < int64(c.Min):
		r.count = -1
	case avg >= int64(c.Max):
		r.count = -1
		r.Count.Overlimits++
		if c.HardDrop || !r.mark(p) {
			r.early++
			r.Drop(p)
			return
		}
	default:
		if r.count++; r.count > 0 && r.strikes(avg) {
			r.count = 0
			r.Count.Overlimits++
			if !r.mark(p) {
				r.early++
				r.Drop(p)
				return
			}
		}
	}
	r.child.Enqueue(p)
}

// mark tells whether a packet that was struck goes on: marked, or with NoDrop as it
// is.
func (r *red) mark(p *core.Packet) bool {
	if !r.config.ECN {
		return false
	}
	if p.MarkCE(r.Link) {
		r.marked++
		return true
	}
	return r.config.NoDrop
}

// update brings the average up to date (Floyd and Jacobson §4): after an idle time
// as if packets of average size had left at the bandwidth.
func (r *red) update() {
	backlog := int64(r.child.Backlog())
	now := r.in.Now()
	if r.isIdle {
		r.isIdle = false
		slot := max(int64(uint64(r.config.AvPkt)*8*uint64(time.Second)/r.config.Bandwidth), 1)
		m := int64(now-r.idle) / slot
		if m > 64<<r.log { // nothing is left of it
			r.average = 0
		}
		for ; m > 0 && r.average > 0; m-- {
			r.average -= max(r.average>>r.log, 1)
		}
	} else {
		r.average += backlog - r.average>>r.log
	}
	if r.config.Adaptive {
		r.adapt(now)
	}
}

// adaptEvery is how often chance is moved, and adaptMost how many times at once
// after a pause.
const (
	adaptEvery = core.Time(500 * time.Millisecond)
	adaptMost  = 64
)

// adapt moves the probability so that the average comes to the middle between Min
// and Max (Floyd, Gummadi, Shenker: Adaptive RED, §3).
func (r *red) adapt(now core.Time) {
	span := int64(r.config.Max - r.config.Min)
	low, high := int64(r.config.Min)+span*2/5, int64(r.config.Min)+span*3/5
	avg := r.average >> r.log
	const one = 1 << 32
	for n := 0; now-r.adapted >= adaptEvery; n++ {
		if r.adapted += adaptEvery; n == adaptMost {
			r.adapted = now
		}
		switch {
		case avg > high && r.chance <= one/2:
			r.chance += min(one/100, r.chance/4)
		case avg < low && r.chance >= one/100:
			r.chance = r.chance * 9 / 10
		}
	}
}

// strikes tells whether a packet is dropped or marked where the average is between
// Min and Max: with probability p/(1 - count·p), which spaces drops evenly (Floyd
// and Jacobson §7, method 2).
func (r *red) strikes(avg int64) bool {
	c := &r.config
	p := r.chance * uint64(avg-int64(c.Min)) / uint64(c.Max-c.Min)
	done := p * uint64(r.count)
	return done >= 1<<32 || r.dice.Uint64()>>32*((1<<32-done)>>16)>>16 < p
}

// Dequeue implements core.Qdisc.
func (r *red) Dequeue() *core.Packet {
	p := r.child.Dequeue()
	if p == nil {
		if !r.isIdle && r.child.Len() == 0 {
			r.isIdle, r.idle = true, r.in.Now()
		}
		return nil
	}
	r.Measure(p)
	r.Sent(p)
	return p
}

func (r *red) Len() int     { return r.child.Len() }
func (r *red) Backlog() int { return r.child.Backlog() }

func (r *red) Purge() {
	r.child.Purge()
	r.average, r.count, r.isIdle = 0, -1, false
}

// Counts implements core.Qdisc: what the child dropped is dropped here, too.
func (r *red) Counts() core.QdiscCounts {
	c := r.Count
	c.Dropped += r.gone + r.child.Counts().Dropped
	return c
}

func (r *red) Config() core.QdiscConfig { return r.config }

// Change implements core.Qdisc.
func (r *red) Change(c core.QdiscConfig) error {
	x, ok := c.(Config)
	if !ok {
		return errors.New("needs a red.Config")
	}
	r.set(x)
	if r.ours {
		return r.child.Change(fifo.Config{Bytes: true, Limit: r.config.Limit})
	}
	return nil
}

// SetChild implements core.QdiscParent.
func (r *red) SetChild(q core.Qdisc) {
	if r.child != nil {
		r.gone += r.child.Counts().Dropped
		r.child.Purge()
	}
	if r.ours = q == nil; r.ours {
		q = fifo.New(fifo.Config{Bytes: true, Limit: r.config.Limit}, r.owner)
	}
	r.child = q
}

// Details implements core.Qdisc.
func (r *red) Details() []core.QdiscField {
	other := r.gone + r.child.Counts().Dropped
	return []core.QdiscField{
		qdisc.Field("marked", r.marked, "  marked %d", r.marked), qdisc.Field("early", r.early, " early %d", r.early),
		qdisc.Field("pdrop", other, " pdrop %d", other), qdisc.Field("other", 0, " other 0"),
	}
}
