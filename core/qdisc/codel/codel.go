package codel

import (
	"errors"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/qdisc"
	"github.com/libos-go/libos/core/qdisc/law"
)

// Config is CoDel's (tc-codel(8)). The zero value is Linux's defaults.
type Config struct {
	Limit       int           // packets; 0 is 1000
	Target      time.Duration // 0 is 5 ms
	Interval    time.Duration // 0 is 100 ms
	CEThreshold time.Duration // marks packets that waited longer; 0 is off
	ECN         bool          // marks in place of dropping
}

// Kind implements core.QdiscConfig.
func (c Config) Kind() string { return "codel" }

func (c *Config) params() law.Params {
	return law.Params{Target: c.Target, Interval: c.Interval, CEThreshold: c.CEThreshold, ECN: c.ECN}
}

// Check implements core.QdiscConfig.
func (c Config) Check() error {
	p := c.params()
	p.Fill(0)
	if err := p.Check(); err != nil {
		return err
	}
	return qdisc.Range("limit", c.Limit, 0, 1<<24)
}

// Fields implements core.QdiscConfig.
func (c Config) Fields() []core.QdiscField {
	p := c.params()
	f := append([]core.QdiscField{qdisc.Field("limit", c.Limit, "limit %dp ", c.Limit)}, p.Fields()...)
	if c.ECN {
		f = append(f, qdisc.Field("ecn", true, "ecn "))
	}
	return f
}

func parse(words []string, old core.QdiscConfig) (core.QdiscConfig, error) {
	c, _ := old.(Config)
	w := qdisc.NewWords("codel", words)
	for o := w.Option(); o != ""; o = w.Option() {
		switch o {
		case "limit":
			c.Limit = w.Int(0, 1<<24)
		case "target":
			c.Target = w.Time()
		case "interval":
			c.Interval = w.Time()
		case "ce_threshold":
			c.CEThreshold = w.Time()
		case "ecn", "noecn":
			c.ECN = o == "ecn"
		default:
			w.Unknown("limit, target, interval, ce_threshold, ecn and noecn")
		}
	}
	return c, w.Err()
}

// Kind describes the discipline.
func Kind() core.QdiscKind {
	return core.QdiscKind{
		Name:  "codel",
		Parse: parse,
		New: func(c core.QdiscConfig, o core.QdiscOwner) (core.Qdisc, error) {
			x, ok := c.(Config)
			if !ok {
				return nil, errors.New("needs a codel.Config")
			}
			q := &codel{Counter: qdisc.Counter{Link: o.Link()}, in: o.Instance(), owner: o}
			q.set(x)
			return q, nil
		},
	}
}

type codel struct {
	qdisc.Counter
	in      *core.Instance
	owner   core.QdiscOwner
	config  Config
	params  law.Params
	state   law.State
	stats   law.Stats
	queue   qdisc.Queue
	overlim uint64
}

func (q *codel) set(c Config) {
	if c.Limit == 0 {
		c.Limit = 1000
	}
	q.params = c.params()
	q.params.Fill(q.owner.MTU())
	c.Target, c.Interval = q.params.Target, q.params.Interval
	q.config = c
}

// Enqueue implements core.Qdisc.
func (q *codel) Enqueue(p *core.Packet) {
	if q.Measure(p); q.queue.Len() >= q.config.Limit {
		q.overlim++
		q.Count.Overlimits++
		q.Counter.Drop(p)
		return
	}
	p.Queue.At = q.in.Now()
	q.queue.Push(p)
}

// Dequeue implements core.Qdisc.
func (q *codel) Dequeue() *core.Packet {
	p := q.state.Dequeue(q, &q.params, &q.stats, q.Link, q.in.Now())
	if p != nil {
		q.Sent(p)
	}
	return p
}

// Head and Bytes implement law.Queue, and so does the Counter's Drop.
func (q *codel) Head() *core.Packet { return q.queue.Pop() }

// Bytes are those that wait.
func (q *codel) Bytes() int { return q.queue.Bytes() }

func (q *codel) Len() int     { return q.queue.Len() }
func (q *codel) Backlog() int { return q.queue.Bytes() }

func (q *codel) Purge() {
	q.queue.Free()
	q.state = law.State{}
}

func (q *codel) Config() core.QdiscConfig { return q.config }

// Change implements core.Qdisc: what is above a lower limit is dropped.
func (q *codel) Change(c core.QdiscConfig) error {
	x, ok := c.(Config)
	if !ok {
		return errors.New("needs a codel.Config")
	}
	q.set(x)
	for q.queue.Len() > q.config.Limit {
		q.Counter.Drop(q.queue.Pop())
	}
	return nil
}

// Details implements core.Qdisc.
func (q *codel) Details() []core.QdiscField {
	s := &q.state
	f := []core.QdiscField{
		qdisc.Field("count", s.Count, "  count %d", s.Count), qdisc.Field("lastcount", s.LastCount, " lastcount %d", s.LastCount),
		qdisc.Field("ldelay", qdisc.Micros(s.Delay), " ldelay %s", qdisc.FormatTime(s.Delay)),
	}
	if s.Dropping {
		f = append(f, qdisc.Field("dropping", true, " dropping"))
	}
	if next := time.Duration(s.DropNext - q.in.Now()); s.DropNext != 0 {
		text := " drop_next " + qdisc.FormatTime(max(next, 0))
		if next < 0 {
			text = " drop_next -" + qdisc.FormatTime(-next)
		}
		f = append(f, core.QdiscField{Key: "drop_next", Value: qdisc.Micros(next), Text: text})
	}
	return append(f,
		qdisc.Field("maxpacket", q.stats.MaxPacket, "\n  maxpacket %d", q.stats.MaxPacket), qdisc.Field("ecn_mark", q.stats.Marked, " ecn_mark %d", q.stats.Marked),
		qdisc.Field("drop_overlimit", q.overlim, " drop_overlimit %d", q.overlim), ceMark(q.stats.CEMarked))
}

func ceMark(n uint64) core.QdiscField {
	if n == 0 {
		return core.QdiscField{}
	}
	return qdisc.Field("ce_mark", n, " ce_mark %d", n)
}
