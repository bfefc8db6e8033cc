package fq

import (
	"errors"
	"math/bits"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/qdisc"
)

// fq is the discipline (sch_fq.c).
type fq struct {
	qdisc.Counter
	in     *core.Instance
	owner  core.QdiscOwner
	config Config
	key    uint64
	keyed  bool

	index     map[uint64]int32 // hash of a flow to its place
	flows     []flow
	free      []int32
	collectAt int
	fresh     list // flows that begin
	old       list
	waiting   []int32
	count     uint64

	packets, bytes int
	stats
}

type stats struct {
	collected, throttled, marked, flowLimit, tooLong, horizonDrops, horizonCaps uint64
}

// Enqueue implements core.Qdisc.
func (q *fq) Enqueue(p *core.Packet) {
	q.Measure(p)
	if q.packets >= q.config.Limit {
		q.Overlimit(p)
		return
	}
	now := q.in.Now()
	p.Queue.At = now
	if p.Departure != 0 {
		p.Queue.At = p.Departure
		if edge := now + core.Time(q.config.Horizon); p.Departure > edge {
			if !q.config.HorizonCap {
				q.horizonDrops++
				q.Drop(p)
				return
			}
			q.horizonCaps++
			p.Queue.At = edge
		}
	}
	i := q.find(p)
	f := &q.flows[i]
	if f.queue.Len() >= q.config.FlowLimit {
		q.stats.flowLimit++
		q.Drop(p)
		return
	}
	q.packets++
	q.bytes += int(p.Queue.Bytes)
	f.push(p)
	if f.where == away {
		f.where = turning
		q.fresh.push(q.flows, i)
		if now-f.since > core.Time(q.config.RefillDelay) {
			f.credit = max(f.credit, q.config.Quantum)
		}
	}
}

// push keeps the packets of a flow in the order of their departures.
func (f *flow) push(p *core.Packet) {
	if f.queue.Len() == 0 || p.Queue.At >= f.last {
		f.last = p.Queue.At
		f.queue.Push(p)
		return
	}
	var sorted qdisc.Queue
	for x := f.queue.Pop(); x != nil; x = f.queue.Pop() {
		if p != nil && p.Queue.At < x.Queue.At {
			sorted.Push(p)
			p = nil
		}
		sorted.Push(x)
	}
	f.queue = sorted
}

// Dequeue implements core.Qdisc.
func (q *fq) Dequeue() *core.Packet {
	now := q.in.Now()
	q.wake(now)
	for {
		l := &q.fresh
		if l.n == 0 {
			if l = &q.old; l.n == 0 {
				if len(q.waiting) > 0 {
					q.owner.WakeAt(q.flows[q.waiting[0]].next)
				}
				return nil
			}
		}
		i := l.head
		f := &q.flows[i]
		if f.credit <= 0 {
			f.credit += q.config.Quantum
			q.old.push(q.flows, l.pop(q.flows))
			continue
		}
		p := f.queue.Peek()
		if p == nil {
			l.pop(q.flows)
			// A new flow that ran empty waits its turn among the old ones once.
			if l == &q.fresh && q.old.n > 0 {
				q.old.push(q.flows, i)
			} else {
				f.where, f.since = away, now
			}
			continue
		}
		if !q.config.NoPacing || p.Departure != 0 {
			if due := max(p.Queue.At, f.next); due > now {
				l.pop(q.flows)
				f.next = due
				q.throttled++
				q.wait(i)
				continue
			} else if q.config.CEThreshold != 0 && now-due > core.Time(q.config.CEThreshold) && p.MarkCE(q.Link) {
				q.marked++
			}
		}
		p = f.queue.Pop()
		q.packets--
		q.bytes -= int(p.Queue.Bytes)
		f.credit -= int(p.Queue.Bytes)
		if !q.config.NoPacing {
			q.pace(f, p, now)
		}
		q.Sent(p)
		return p
	}
}

// pace sets when the flow may send again.
func (q *fq) pace(f *flow, p *core.Packet, now core.Time) {
	rate, size := q.config.MaxRate, int(p.Queue.Bytes)
	if p.Departure == 0 { // a packet with a time of its own was paced by its sender
		if own := p.PacingRate; own != 0 && own <= 1<<60 && (rate == 0 || own*8 < rate) {
			rate = own * 8
		}
		if rate != 0 && rate <= q.config.LowRate {
			f.credit = 0
		} else if size = max(size, q.config.Quantum); f.credit > 0 {
			return // within its turn a flow sends at once, and pays at its end
		}
	}
	if rate == 0 {
		return
	}
	length := time.Second
	if hi, lo := bits.Mul64(uint64(size)*8, uint64(time.Second)); hi < rate {
		if n, _ := bits.Div64(hi, lo, rate); n < uint64(time.Second) {
			length = time.Duration(n)
		}
	}
	if length == time.Second {
		q.tooLong++
	}
	if f.next != 0 { // what was lost since it was due is made up for, up to a half
		length -= min(length/2, time.Duration(now-f.next))
	}
	f.next = now + core.Time(length)
}

func (q *fq) Len() int     { return q.packets }
func (q *fq) Backlog() int { return q.bytes }

func (q *fq) Purge() {
	for i := range q.flows {
		q.flows[i].queue.Free()
	}
	q.index, q.flows, q.free, q.waiting, q.fresh, q.old = nil, nil, nil, nil, list{}, list{}
	q.packets, q.bytes, q.collectAt = 0, 0, 0
}

func (q *fq) Config() core.QdiscConfig { return q.config }

// Change implements core.Qdisc: what is above a lower limit leaves all the same.
func (q *fq) Change(c core.QdiscConfig) error {
	x, ok := c.(Config)
	if !ok {
		return errors.New("needs an fq.Config")
	}
	x.fill(q.owner)
	q.config = x
	return nil
}

// Details implements core.Qdisc.
func (q *fq) Details() []core.QdiscField {
	inactive := 0
	for i := range q.flows {
		if q.flows[i].used && q.flows[i].where == away {
			inactive++
		}
	}
	f := []core.QdiscField{
		qdisc.Field("flows", len(q.index), "  flows %d", len(q.index)), qdisc.Field("inactive", inactive, " (inactive %d", inactive),
		qdisc.Field("throttled", len(q.waiting), " throttled %d)", len(q.waiting)),
	}
	if len(q.waiting) > 0 {
		if d := time.Duration(q.flows[q.waiting[0]].next - q.in.Now()); d > 0 {
			f = append(f, qdisc.Field("next_packet_delay", int64(d), " next_packet_delay %s", qdisc.FormatTime(d)))
		}
	}
	f = append(f, qdisc.Field("gc", q.collected, "\n  gc %d", q.collected), qdisc.Field("highprio", 0, " highprio 0"), qdisc.Field("throttled_total", q.throttled, " throttled %d", q.throttled))
	for _, x := range []struct {
		key string
		n   uint64
	}{{"ce_mark", q.marked}, {"flows_plimit", q.flowLimit}, {"pkts_too_long", q.tooLong}, {"horizon_drops", q.horizonDrops}, {"horizon_caps", q.horizonCaps}} {
		if x.n != 0 {
			f = append(f, qdisc.Field(x.key, x.n, " %s %d", x.key, x.n))
		}
	}
	return f
}
