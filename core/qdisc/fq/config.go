package fq

import (
	"cmp"
	"errors"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/qdisc"
)

// Config is fq's (tc-fq(8)). The zero value is Linux's defaults. Rates are in bits
// per second.
type Config struct {
	Limit          int // packets; 0 is 10000
	FlowLimit      int // packets of one flow; 0 is 100
	Quantum        int // bytes a flow sends in its turn; 0 is two full frames
	InitialQuantum int // bytes a new flow sends at once; 0 is ten full frames
	// Buckets bounds how many idle flows are remembered, to twice as many; 0 is 1024.
	Buckets int
	MaxRate uint64 // of one flow, 0 for no bound
	// LowRate: a socket that is paced slower has no credit to send at once. 0 is 550
	// kbit/s.
	LowRate     uint64
	RefillDelay time.Duration // idle time after which a flow has a quantum again; 0 is 40 ms
	CEThreshold time.Duration // marks packets that left later than they were due; 0 is off
	// Horizon is how far ahead a departure may lie; 0 is 10 s. What lies beyond is
	// dropped, or with HorizonCap leaves at the horizon.
	Horizon    time.Duration
	HorizonCap bool
	NoPacing   bool // sends at once whatever the rates
}

// Kind implements core.QdiscConfig.
func (c Config) Kind() string { return "fq" }

// Check implements core.QdiscConfig.
func (c Config) Check() error {
	for _, d := range []time.Duration{c.RefillDelay, c.CEThreshold, c.Horizon} {
		if d < 0 || d > time.Hour {
			return errors.New("refill_delay, ce_threshold and horizon are in 0…1h")
		}
	}
	if c.MaxRate > qdisc.MaxRate || c.LowRate > qdisc.MaxRate {
		return errors.New("maxrate and low_rate_threshold are at most 2^53 bit/s")
	}
	return errors.Join(qdisc.Range("limit", c.Limit, 0, 1<<24), qdisc.Range("flow_limit", c.FlowLimit, 0, 1<<24), qdisc.Range("quantum", c.Quantum, 0, 1<<20),
		qdisc.Range("initial_quantum", c.InitialQuantum, 0, 1<<30), qdisc.Range("buckets", c.Buckets, 0, 1<<18))
}

func (c *Config) fill(o core.QdiscOwner) {
	frame := o.MTU() + o.Link().HeaderLen()
	c.Limit, c.FlowLimit, c.Buckets = cmp.Or(c.Limit, 10000), cmp.Or(c.FlowLimit, 100), cmp.Or(c.Buckets, 1024)
	c.Quantum, c.InitialQuantum = cmp.Or(c.Quantum, 2*frame), cmp.Or(c.InitialQuantum, 10*frame)
	c.LowRate = cmp.Or(c.LowRate, 550_000)
	c.RefillDelay, c.Horizon = cmp.Or(c.RefillDelay, 40*time.Millisecond), cmp.Or(c.Horizon, 10*time.Second)
}

// Fields implements core.QdiscConfig.
func (c Config) Fields() []core.QdiscField {
	f := []core.QdiscField{
		qdisc.Field("limit", c.Limit, "limit %dp ", c.Limit), qdisc.Field("flow_limit", c.FlowLimit, "flow_limit %dp ", c.FlowLimit), qdisc.Field("buckets", c.Buckets, "buckets %d ", c.Buckets),
	}
	if c.NoPacing {
		f = append(f, qdisc.Field("pacing", false, "nopacing "))
	}
	f = append(f, qdisc.Field("quantum", c.Quantum, "quantum %s ", qdisc.FormatSize(c.Quantum)),
		qdisc.Field("initial_quantum", c.InitialQuantum, "initial_quantum %s ", qdisc.FormatSize(c.InitialQuantum)))
	if c.MaxRate != 0 {
		f = append(f, qdisc.Field("maxrate", c.MaxRate/8, "maxrate %s ", qdisc.FormatRate(c.MaxRate)))
	}
	f = append(f, qdisc.Field("low_rate_threshold", c.LowRate/8, "low_rate_threshold %s ", qdisc.FormatRate(c.LowRate)),
		qdisc.Field("refill_delay", qdisc.Micros(c.RefillDelay), "refill_delay %s ", qdisc.FormatTime(c.RefillDelay)))
	if c.CEThreshold != 0 {
		f = append(f, qdisc.Field("ce_threshold", qdisc.Micros(c.CEThreshold), "ce_threshold %s ", qdisc.FormatTime(c.CEThreshold)))
	}
	f = append(f, qdisc.Field("horizon", qdisc.Micros(c.Horizon), "horizon %s ", qdisc.FormatTime(c.Horizon)))
	if c.HorizonCap {
		return append(f, core.QdiscField{Key: "horizon_cap", Value: nil, Text: "horizon_cap "})
	}
	return append(f, core.QdiscField{Key: "horizon_drop", Value: nil, Text: "horizon_drop "})
}

func parse(words []string, old core.QdiscConfig) (core.QdiscConfig, error) {
	c, _ := old.(Config)
	w := qdisc.NewWords("fq", words)
	for o := w.Option(); o != ""; o = w.Option() {
		switch o {
		case "limit":
			c.Limit = w.Int(0, 1<<24)
		case "flow_limit":
			c.FlowLimit = w.Int(0, 1<<24)
		case "quantum":
			c.Quantum = w.Size()
		case "initial_quantum":
			c.InitialQuantum = w.Size()
		case "buckets":
			c.Buckets = w.Int(1, 1<<18)
		case "maxrate":
			c.MaxRate = w.Rate()
		case "low_rate_threshold":
			c.LowRate = w.Rate()
		case "refill_delay":
			c.RefillDelay = w.Time()
		case "ce_threshold":
			c.CEThreshold = w.Time()
		case "horizon":
			c.Horizon = w.Time()
		case "horizon_cap", "horizon_drop":
			c.HorizonCap = o == "horizon_cap"
		case "pacing", "nopacing":
			c.NoPacing = o == "nopacing"
		default:
			w.Unknown("limit, flow_limit, quantum, initial_quantum, buckets, maxrate, low_rate_threshold, refill_delay, ce_threshold, horizon, horizon_cap, horizon_drop, pacing and nopacing")
		}
	}
	return c, w.Err()
}

// Kind describes the discipline.
func Kind() core.QdiscKind {
	return core.QdiscKind{
		Name:  "fq",
		Parse: parse,
		New: func(c core.QdiscConfig, o core.QdiscOwner) (core.Qdisc, error) {
			x, ok := c.(Config)
			if !ok {
				return nil, errors.New("needs an fq.Config")
			}
			x.fill(o)
			return &fq{Counter: qdisc.Counter{Link: o.Link()}, in: o.Instance(), owner: o, config: x}, nil
		},
	}
}
