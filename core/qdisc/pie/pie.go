package pie

import (
	"errors"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/qdisc"
)

// pie is the discipline. Probabilities are integers, fractions of one, so that
// they are the same on every machine. The controller needs no timer: what it does
// every Update depends on nothing that changes between packets, and is made up for
// when one comes or goes.
type pie struct {
	qdisc.Counter
	in     *core.Instance
	owner  core.QdiscOwner
	config Config
	dice   core.Source
	queue  qdisc.Queue

	probability int64
	sum         int64 // of the probabilities since the last drop
	burst       time.Duration
	delay, old  time.Duration // of what left last, and that at the last update
	next        core.Time     // update
	left        core.Time     // when a packet left last, 0 for never

	stats struct{ in, overLimit, dropped, maxQueue, marked uint64 }
}

const (
	one      = int64(1) << 48
	maxBurst = 150 * time.Millisecond // RFC 8033 §4.4
	maxDelay = 10 * time.Second       // keeps products within 64 bits
)

func (p *pie) restart() { p.probability, p.sum, p.burst = 0, 0, maxBurst }

// Enqueue implements core.Qdisc (RFC 8033 §4.1).
func (p *pie) Enqueue(x *core.Packet) {
	size := p.Measure(x)
	p.update(p.in.Now())
	switch {
	case p.queue.Len() >= p.config.Limit:
		p.stats.overLimit++
		p.Count.Overlimits++
		p.sum = 0
		p.drop(x)
		return
	case p.strikes(size):
		p.sum = 0
		// RFC 8033 §5.1: marks are for light congestion.
		if !p.config.ECN || p.probability > one/10 || !x.MarkCE(p.Link) {
			p.drop(x)
			return
		}
		p.stats.marked++
	}
	x.Queue.At = p.in.Now()
	p.queue.Push(x)
	p.stats.in++
	p.stats.maxQueue = max(p.stats.maxQueue, uint64(p.queue.Len()))
}

func (p *pie) drop(x *core.Packet) {
	p.stats.dropped++
	p.Drop(x)
}

// strikes tells whether a packet is dropped or marked.
func (p *pie) strikes(size int) bool {
	mtu := p.owner.MTU()
	switch {
	case p.burst > 0, // RFC 8033 §4.4
		p.delay < p.config.Target/2 && p.probability < one/5, p.queue.Bytes() <= 2*mtu: // §4.1
		return false
	}
	chance := p.probability
	if p.config.ByteMode && size <= mtu {
		chance = chance / int64(mtu) * int64(size)
	}
	if chance == 0 {
		p.sum = 0
	}
	// RFC 8033 §5.4: neither two drops at once nor long without one.
	switch p.sum += chance; {
	case p.sum < one/100*85:
		return false
	case p.sum >= one/2*17:
		return true
	}
	return int64(p.dice.Uint64()>>16) < chance
}

// update runs the controller for the instants that have passed (RFC 8033 §4.2).
func (p *pie) update(now core.Time) {
	for p.next <= now {
		before := *p
		p.control()
		p.next += core.Time(p.config.Update)
		if p.probability == before.probability && p.delay == before.delay && p.old == before.old && p.burst == before.burst {
			// Nothing moves any more: so it would be at all instants up to now.
			p.next += (now - p.next + core.Time(p.config.Update)) / core.Time(p.config.Update) * core.Time(p.config.Update)
			break
		}
	}
}

// control moves the probability once.
func (p *pie) control() {
	delay, c := min(p.delay, maxDelay), &p.config
	alpha, beta := one/16*int64(c.Alpha), one/16*int64(c.Beta) // per second
	// RFC 8033 §5.2 (auto-tuning): small probabilities move in small steps.
	if p.probability < one/10 {
		shift := 1
		for power := int64(100); p.probability < one/power && power <= 1_000_000; power *= 10 {
			shift += 2
		}
		alpha, beta = alpha>>shift, beta>>shift
	}
	// Microseconds of at most 10 s times 2⁴⁹ per second stay within 64 bits.
	const second = int64(time.Second / time.Microsecond)
	delta := alpha/second*int64((delay-c.Target)/time.Microsecond) + beta/second*int64((delay-p.old)/time.Microsecond)
	if delta > one/50 && p.probability >= one/10 {
		delta = one / 50 // §5.5
	}
	if delay > 250*time.Millisecond {
		delta += one / 50
	}
	p.probability = min(max(p.probability+delta, 0), one)
	if delay == 0 && p.old == 0 { // §4.2: an idle queue forgets
		p.probability -= max(p.probability/64, min(p.probability, 1))
	}
	if p.probability == 0 && delay < c.Target/2 && p.old < c.Target/2 {
		p.restart()
	}
	p.old = delay
}

// Dequeue implements core.Qdisc.
func (p *pie) Dequeue() *core.Packet {
	now := p.in.Now()
	p.update(now)
	x := p.queue.Pop()
	if x == nil {
		return nil
	}
	p.delay = time.Duration(now - x.Queue.At)
	if p.queue.Len() == 0 {
		p.delay = 0
	}
	if p.left != 0 && p.burst > 0 {
		p.burst = max(p.burst-time.Duration(now-p.left), 0)
	}
	p.left = now
	p.Sent(x)
	return x
}

func (p *pie) Len() int     { return p.queue.Len() }
func (p *pie) Backlog() int { return p.queue.Bytes() }

func (p *pie) Purge() {
	p.queue.Free()
	p.restart()
	p.delay, p.old, p.left = 0, 0, 0
}

func (p *pie) Config() core.QdiscConfig { return p.config }

// Change implements core.Qdisc: what is above a lower limit is dropped.
func (p *pie) Change(c core.QdiscConfig) error {
	x, ok := c.(Config)
	if !ok {
		return errors.New("needs a pie.Config")
	}
	p.update(p.in.Now())
	x.fill()
	p.config = x
	for p.queue.Len() > x.Limit {
		p.drop(p.queue.Pop())
	}
	return nil
}

// Details implements core.Qdisc.
func (p *pie) Details() []core.QdiscField {
	p.update(p.in.Now())
	s, prob := &p.stats, float64(p.probability)/float64(one)
	return []core.QdiscField{
		qdisc.Field("prob", prob, "  prob %.6g", prob), qdisc.Field("delay", qdisc.Micros(p.delay), " delay %s\n", qdisc.FormatTime(p.delay)),
		qdisc.Field("pkts_in", s.in, "  pkts_in %d", s.in), qdisc.Field("overlimit", s.overLimit, " overlimit %d", s.overLimit),
		qdisc.Field("dropped", s.dropped, " dropped %d", s.dropped), qdisc.Field("maxq", s.maxQueue, " maxq %d", s.maxQueue), qdisc.Field("ecn_mark", s.marked, " ecn_mark %d", s.marked),
	}
}
