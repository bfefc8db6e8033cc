package tbf

import (
	"errors"
	"fmt"
	"math/bits"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/qdisc"
	"github.com/libos-go/libos/core/qdisc/fifo"
)

// Config is a token bucket (tc-tbf(8)).
type Config struct {
	// Rate in bits per second.
	Rate uint64
	// Burst is the size of the bucket in bytes: what may leave at once. A packet that
	// is larger never leaves, so that it is dropped.
	Burst int
	// PeakRate in bits per second bounds the bursts, 0 for no bound; MTU is the size
	// of its bucket in bytes, at least a packet.
	PeakRate uint64
	MTU      int
	// Limit in bytes of what waits for tokens, or Latency, the longest a packet waits
	// for them: one of the two.
	Limit   int
	Latency time.Duration
}

// Kind implements core.QdiscConfig.
func (c Config) Kind() string { return "tbf" }

// Check implements core.QdiscConfig.
func (c Config) Check() error {
	switch {
	case c.Rate == 0 || c.Rate > qdisc.MaxRate:
		return errors.New("rate is missing: set it in bits per second, such as 1mbit")
	case c.Burst <= 0:
		return errors.New("burst is missing: set it in bytes, to at least a full packet, such as 32kbit")
	case c.PeakRate != 0 && (c.PeakRate > qdisc.MaxRate || c.PeakRate <= c.Rate):
		return fmt.Errorf("peakrate %s is not above the rate %s", qdisc.FormatRate(c.PeakRate), qdisc.FormatRate(c.Rate))
	case c.PeakRate != 0 && c.MTU <= 0:
		return errors.New("peakrate needs mtu, the bytes that leave at once: at least a full packet")
	case c.Limit < 0 || c.Latency < 0:
		return errors.New("limit and latency are not negative")
	case (c.Limit == 0) == (c.Latency == 0):
		return errors.New("one of limit (bytes) and latency (time) is needed")
	case c.Latency > maxLatency:
		return fmt.Errorf("latency %v is above %v", c.Latency, maxLatency)
	}
	return nil
}

// maxLatency keeps rate × latency within 64 bits.
const maxLatency = 24 * time.Hour

// limit is Limit, or what Latency comes to (q_tbf.c: the bucket and what the rate
// sends meanwhile).
func (c *Config) limit() int {
	if c.Limit != 0 {
		return c.Limit
	}
	n := bytesIn(c.Rate, c.Latency) + int64(c.Burst)
	if c.PeakRate != 0 {
		n = min(n, bytesIn(c.PeakRate, c.Latency)+int64(c.MTU))
	}
	return int(min(n, 1<<31-1))
}

// bytesIn is how many bytes a rate sends in d.
func bytesIn(rate uint64, d time.Duration) int64 {
	hi, lo := bits.Mul64(rate, uint64(d))
	if hi >= 8e9 {
		return 1<<63 - 1
	}
	q, _ := bits.Div64(hi, lo, 8e9)
	return int64(min(q, 1<<62))
}

// timeOf is how long a rate takes for n bytes, rounded up, at most some days.
func timeOf(rate uint64, n int) int64 {
	hi, lo := bits.Mul64(uint64(n)*8, 1e9)
	lo, carry := bits.Add64(lo, rate-1, 0)
	if hi += carry; hi >= rate {
		return 1 << 50
	}
	q, _ := bits.Div64(hi, lo, rate)
	return int64(min(q, 1<<50))
}

// Kind describes the discipline.
func Kind() core.QdiscKind {
	return core.QdiscKind{
		Name:  "tbf",
		Parse: parse,
		New: func(c core.QdiscConfig, o core.QdiscOwner) (core.Qdisc, error) {
			x, ok := c.(Config)
			if !ok {
				return nil, errors.New("needs a tbf.Config")
			}
			t := &bucket{Counter: qdisc.Counter{Link: o.Link()}, owner: o, in: o.Instance()}
			t.set(x)
			t.SetChild(nil)
			t.fill()
			return t, nil
		},
	}
}

// bucket is the discipline. Tokens are held as time, as sch_tbf.c does: a full
// bucket is the time that the rate takes for it.
type bucket struct {
	qdisc.Counter
	owner  core.QdiscOwner
	in     *core.Instance
	config Config
	child  core.Qdisc
	ours   bool         // child is the one we made
	next   *core.Packet // taken from the child, waits for tokens
	gone   uint64       // dropped by former children

	depth, peakDepth   int64 // ns of tokens
	tokens, peakTokens int64
	last               core.Time
}

func (t *bucket) set(c Config) {
	t.config = c
	t.depth = timeOf(c.Rate, c.Burst)
	if c.PeakRate != 0 {
		t.peakDepth = timeOf(c.PeakRate, c.MTU)
	}
	t.tokens, t.peakTokens = min(t.tokens, t.depth), min(t.peakTokens, t.peakDepth)
}

func (t *bucket) fill() {
	t.tokens, t.peakTokens, t.last = t.depth, t.peakDepth, t.in.Now()
}

// largest is the largest packet that can ever leave.
func (t *bucket) largest() int {
	if t.config.PeakRate != 0 {
		return min(t.config.Burst, t.config.MTU)
	}
	return t.config.Burst
}

// Enqueue implements core.Qdisc. A super-segment that the bucket cannot hold is
// dropped like any other packet: nothing here cuts it.
func (t *bucket) Enqueue(p *core.Packet) {
	if t.Measure(p) > t.largest() {
		t.Drop(p)
		return
	}
	t.child.Enqueue(p)
}

// Dequeue implements core.Qdisc.
func (t *bucket) Dequeue() *core.Packet {
	for t.next == nil {
		if t.next = t.child.Dequeue(); t.next == nil {
			return nil
		}
		if t.Measure(t.next) > t.largest() { // the child took it before a change
			t.Drop(t.next)
			t.next = nil
		}
	}
	p := t.next
	now := t.in.Now()
	size := int(p.Queue.Bytes)
	passed := min(int64(now-t.last), t.depth)
	tokens := min(t.tokens+passed, t.depth) - timeOf(t.config.Rate, size)
	peak := int64(0)
	if t.config.PeakRate != 0 {
		peak = min(t.peakTokens+min(int64(now-t.last), t.peakDepth), t.peakDepth) - timeOf(t.config.PeakRate, size)
	}
	if short := min(tokens, peak); short < 0 {
		t.Count.Overlimits++
		t.owner.WakeAt(now - core.Time(short))
		return nil
	}
	t.tokens, t.peakTokens, t.last, t.next = tokens, peak, now, nil
	t.Sent(p)
	return p
}

func (t *bucket) Len() int {
	n := t.child.Len()
	if t.next != nil {
		n++
	}
	return n
}

func (t *bucket) Backlog() int {
	n := t.child.Backlog()
	if t.next != nil {
		n += int(t.next.Queue.Bytes)
	}
	return n
}

// Purge implements core.Qdisc: the bucket is full again.
func (t *bucket) Purge() {
	t.child.Purge()
	if t.next != nil {
		t.next.Free()
		t.next = nil
	}
	t.fill()
}

// Counts implements core.Qdisc: what the child dropped is dropped here, too.
func (t *bucket) Counts() core.QdiscCounts {
	c := t.Count
	c.Dropped += t.gone + t.child.Counts().Dropped
	return c
}

func (t *bucket) Config() core.QdiscConfig   { return t.config }
func (t *bucket) Details() []core.QdiscField { return nil }

// Change implements core.Qdisc.
func (t *bucket) Change(c core.QdiscConfig) error {
	x, ok := c.(Config)
	if !ok {
		return errors.New("needs a tbf.Config")
	}
	t.set(x)
	if t.ours {
		return t.child.Change(fifo.Config{Bytes: true, Limit: x.limit()})
	}
	return nil
}

// SetChild implements core.QdiscParent.
func (t *bucket) SetChild(q core.Qdisc) {
	if t.child != nil {
		t.gone += t.child.Counts().Dropped
		t.child.Purge()
	}
	if t.ours = q == nil; t.ours {
		q = fifo.New(fifo.Config{Bytes: true, Limit: t.config.limit()}, t.owner)
	}
	t.child = q
}
