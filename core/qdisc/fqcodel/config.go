package fqcodel

import (
	"cmp"
	"errors"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/qdisc"
	"github.com/libos-go/libos/core/qdisc/law"
)

// Config is fq_codel's (tc-fq_codel(8)). The zero value is Linux's defaults.
type Config struct {
	Limit       int           // packets; 0 is 10240
	Flows       int           // queues that flows are hashed to, at most 65536; 0 is 1024. A change cannot alter it.
	Quantum     int           // bytes a flow sends in its turn; 0 is a full frame
	Target      time.Duration // 0 is 5 ms
	Interval    time.Duration // 0 is 100 ms
	CEThreshold time.Duration // marks packets that waited longer; 0 is off
	MemoryLimit int           // bytes of memory that packets hold; 0 is 32 MB
	DropBatch   int           // packets dropped at once from the longest queue; 0 is 64
	NoECN       bool          // drops in place of marking
}

// Kind implements core.QdiscConfig.
func (c Config) Kind() string { return "fq_codel" }

func (c *Config) params() law.Params {
	return law.Params{Target: c.Target, Interval: c.Interval, CEThreshold: c.CEThreshold, ECN: !c.NoECN}
}

// Check implements core.QdiscConfig.
func (c Config) Check() error {
	p := c.params()
	p.Fill(0)
	return errors.Join(p.Check(), qdisc.Range("limit", c.Limit, 0, 1<<24), qdisc.Range("flows", c.Flows, 0, 65536),
		qdisc.Range("quantum", c.Quantum, 0, 1<<20), qdisc.Range("memory_limit", c.MemoryLimit, 0, 1<<31-1), qdisc.Range("drop_batch", c.DropBatch, 0, 1<<16))
}

// fill replaces zeros.
func (c *Config) fill(o core.QdiscOwner) (p law.Params) {
	c.Limit, c.Flows = cmp.Or(c.Limit, 10240), cmp.Or(c.Flows, 1024)
	c.MemoryLimit, c.DropBatch = cmp.Or(c.MemoryLimit, 32<<20), cmp.Or(c.DropBatch, 64)
	c.Quantum = max(cmp.Or(c.Quantum, o.MTU()+o.Link().HeaderLen()), 256) // sch_fq_codel.c: a turn ends
	p = c.params()
	p.Fill(o.MTU())
	c.Target, c.Interval = p.Target, p.Interval
	return p
}

// Fields implements core.QdiscConfig.
func (c Config) Fields() []core.QdiscField {
	f := []core.QdiscField{
		qdisc.Field("limit", c.Limit, "limit %dp ", c.Limit), qdisc.Field("flows", c.Flows, "flows %d ", c.Flows), qdisc.Field("quantum", c.Quantum, "quantum %d ", c.Quantum),
	}
	p := c.params()
	f = append(append(f, p.Fields()...),
		qdisc.Field("memory_limit", c.MemoryLimit, "memory_limit %s ", qdisc.FormatSize(c.MemoryLimit)))
	if !c.NoECN {
		f = append(f, qdisc.Field("ecn", true, "ecn "))
	}
	return append(f, qdisc.Field("drop_batch", c.DropBatch, "drop_batch %d ", c.DropBatch))
}

func parse(words []string, old core.QdiscConfig) (core.QdiscConfig, error) {
	c, _ := old.(Config)
	w := qdisc.NewWords("fq_codel", words)
	for o := w.Option(); o != ""; o = w.Option() {
		switch o {
		case "limit":
			c.Limit = w.Int(0, 1<<24)
		case "flows":
			c.Flows = w.Int(1, 65536)
		case "quantum":
			c.Quantum = w.Size()
		case "target":
			c.Target = w.Time()
		case "interval":
			c.Interval = w.Time()
		case "ce_threshold":
			c.CEThreshold = w.Time()
		case "memory_limit":
			c.MemoryLimit = w.Size()
		case "drop_batch":
			c.DropBatch = w.Int(1, 1<<16)
		case "ecn", "noecn":
			c.NoECN = o == "noecn"
		default:
			w.Unknown("limit, flows, quantum, target, interval, ce_threshold, memory_limit, drop_batch, ecn and noecn")
		}
	}
	return c, w.Err()
}

// Kind describes the discipline.
func Kind() core.QdiscKind {
	return core.QdiscKind{
		Name:  "fq_codel",
		Parse: parse,
		New: func(c core.QdiscConfig, o core.QdiscOwner) (core.Qdisc, error) {
			x, ok := c.(Config)
			if !ok {
				return nil, errors.New("needs an fqcodel.Config")
			}
			q := &fqCodel{Counter: qdisc.Counter{Link: o.Link()}, in: o.Instance(), owner: o}
			q.params = x.fill(o)
			q.config = x
			return q, nil
		},
	}
}
