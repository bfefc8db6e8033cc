package sim

import (
	"slices"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/device/segment"
)

// Samples are taken by every part of its own nodes. What is sampled at an instant
// is the state before that instant's events, and only the network's own events
// change it: so a part takes the samples of all instants that have passed when it
// comes to an event, and no event is spent on them.

// sampler is a part's.
type sampler struct {
	taken int // samples so far; the next one is that of the instant (taken+1) * every
}

// Sample has the flows that tasks track and the queues of all interfaces sampled
// at the multiples of every, for Results. It is called before the first Run.
func (n *Network) Sample(every time.Duration) {
	switch {
	case every <= 0:
		n.wrong("", "samples every %v: the time between samples is positive", every)
	case n.now.Load() > 0:
		n.wrong("", "samples begin with the network: call Sample before Run")
	default:
		n.every = core.Time(every)
	}
}

// advance runs what happens before an instant, with the samples that lie before.
func (p *part) advance(run func(core.Time), before core.Time) {
	if every := p.net.every; every > 0 {
		for at := every * core.Time(p.taken+1); at < before; at = every * core.Time(p.taken+1) {
			if p.host.Next() < at {
				run(at)
				if p.net.stop.Load() || p.failed != nil {
					return // in the middle of something
				}
			}
			p.take(at)
		}
	}
	run(before)
}

// sample takes the samples before an instant up to which nothing will happen, and
// none after the network's end.
func (p *part) sample(before core.Time) {
	every := p.net.every
	if every == 0 {
		return
	}
	before = min(before, core.Time(p.net.now.Load())+1)
	for at := every * core.Time(p.taken+1); at < before; at = every * core.Time(p.taken+1) {
		p.take(at)
	}
}

func (p *part) take(at core.Time) {
	p.taken++
	p.domain.Do(func() {
		for _, x := range p.net.nodes {
			if x.part != p {
				continue
			}
			x.going = slices.DeleteFunc(x.going, func(f *flow) bool {
				f.sample(at)
				return f.sampled
			})
			for _, q := range x.ports {
				q.queue.sample(q.now(at), p.net.every)
				if q.toward != nil {
					q.toward.sample(q.towardNow(at), p.net.every)
				}
			}
		}
		p.net.eachTrunk(func(runs *part, _ *Segment, t *trunk) {
			for i := range t.ways {
				if runs == p {
					t.ways[i].sample(t.now(i, at), p.net.every)
				}
			}
		})
	})
}

// column is one metric over time. Values that do not change at the end are
// counted, so that what is over costs nothing.
type column struct {
	values []float64
	last   float64
	more   int // how often last follows
}

func (c *column) push(v float64) {
	if v == c.last {
		c.more++
		return
	}
	c.settle()
	c.values = append(c.values, v)
	c.last = v
}

func (c *column) settle() {
	for ; c.more > 0; c.more-- {
		c.values = append(c.values, c.last)
	}
}

// all are the values, n of them.
func (c *column) all(n int) []float64 {
	out := make([]float64, 0, n)
	out = append(out, c.values[:min(n, len(c.values))]...)
	for len(out) < n && len(out) < len(c.values)+c.more {
		out = append(out, c.last)
	}
	return out
}

// empty tells that nothing but zero was measured.
func (c *column) empty() bool { return len(c.values) == 0 }

// queued is the queue of an interface over time.
type queued struct {
	frames, bytes, rate, use, drops, losses column
	sent                                    float64 // bytes that have left, at the last sample
}

// queueNow is what an interface and its wire say.
type queueNow struct {
	limit         int64   // bit/s of the wire, 0 has none
	frames, bytes int     // that wait
	sent          float64 // bytes that have left
	drops, losses uint64
}

// wired is a device that may have a queue of its own and a rate.
type wired interface {
	Queue(now core.Time) (frames, bytes int)
	Rate() int64
}

// now is read inside an entry.
func (p *port) now(at core.Time) (q queueNow) {
	stats := p.ifc.Stats()
	q.sent = float64(stats.TxBytes)
	var dropped uint64
	q.frames, q.bytes, dropped = p.ifc.Backlog()
	q.drops = stats.TxDropped
	q.drops += dropped
	w, ok := p.device.(wired)
	if !ok {
		return q
	}
	q.limit = w.Rate()
	frames, bytes := w.Queue(at)
	q.frames += frames
	switch d := p.device.(type) {
	case interface{ Counters() pipe.Counters }:
		c := d.Counters()
		q.losses = c.Lost + c.Unplugged
		q.sent = float64(c.Bytes)
	case *segment.Port:
		c := d.Counters()
		q.losses = c.Lost + c.Unplugged
	}
	q.drops -= min(q.drops, q.losses)
	q.sent -= float64(bytes)
	q.bytes += bytes
	return q
}

// towardNow is what a segment says of its way to the port. Inside an entry.
func (p *port) towardNow(at core.Time) (q queueNow) {
	d := p.device.(*segment.Port)
	c := d.Counters()
	frames, bytes, sent := d.Toward(at)
	return queueNow{d.Rate(), frames, bytes, float64(sent), c.QueueDrops, c.NotHeard + c.Missed}
}

func (c *queued) sample(q queueNow, every core.Time) {
	rate := (q.sent - c.sent) * 8 / time.Duration(every).Seconds()
	c.sent = q.sent
	c.frames.push(float64(q.frames))
	c.bytes.push(float64(q.bytes))
	c.rate.push(rate)
	use := 0.0
	if q.limit > 0 {
		use = rate / float64(q.limit)
	}
	c.use.push(use)
	c.drops.push(float64(q.drops))
	c.losses.push(float64(q.losses))
}
