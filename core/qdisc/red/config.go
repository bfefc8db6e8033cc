package red

import (
	"errors"
	"fmt"
	"math"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/qdisc"
)

// Config is RED's (tc-red(8)). Sizes are bytes.
type Config struct {
	Limit int // of the queue: beyond it what comes is dropped
	// Min and Max are the average lengths where dropping begins and where it is
	// certain. Max 0 is three times Min, or a quarter of Limit; Min 0 a third of Max.
	Min, Max int
	AvPkt    int // average size of a packet
	Burst    int // packets that may come at once; 0 is (2 Min + Max) / (3 AvPkt)
	// Probability of a drop at Max; 0 is 0.02.
	Probability float64
	// Bandwidth of the line in bits per second, by which the average falls while the
	// queue is empty; 0 is 10 Mbit/s.
	Bandwidth uint64
	ECN       bool // marks in place of dropping between Min and Max
	HardDrop  bool // drops, also with ECN, where the average is above Max
	NoDrop    bool // with ECN: queues what cannot be marked
	Adaptive  bool // moves Probability so that the average stays between Min and Max (Floyd, Gummadi, Shenker 2001)
}

// Kind implements core.QdiscConfig.
func (c Config) Kind() string { return "red" }

func (c *Config) fill() {
	if c.Max == 0 {
		if c.Max = c.Limit / 4; c.Min > 0 {
			c.Max = 3 * min(c.Min, 1<<30)
		}
	}
	if c.Min == 0 {
		c.Min = c.Max / 3
	}
	if c.Probability == 0 {
		c.Probability = 0.02
	}
	if c.Bandwidth == 0 {
		c.Bandwidth = 10_000_000
	}
	if c.Burst == 0 && c.AvPkt > 0 {
		c.Burst = (2*c.Min + c.Max) / (3 * c.AvPkt)
	}
}

// Check implements core.QdiscConfig.
func (c Config) Check() error {
	c.fill()
	switch {
	case c.Limit <= 0 || c.AvPkt <= 0:
		return errors.New("limit and avpkt are needed: the bytes of the queue and of an average packet, such as limit 100kb avpkt 1000")
	case c.Limit > 1<<30 || c.AvPkt > 1<<20:
		return errors.New("limit is at most 1gb, avpkt 1mb")
	case c.Min < 0 || c.Min >= c.Max || c.Max > c.Limit:
		return fmt.Errorf("min %d, max %d and limit %d are not in rising order", c.Min, c.Max, c.Limit)
	case !(c.Probability > 0 && c.Probability <= 1):
		return fmt.Errorf("probability %v is not above 0 and at most 1", c.Probability)
	case c.Burst < 0 || c.Bandwidth > qdisc.MaxRate:
		return errors.New("burst is not negative, bandwidth at most 2^53 bit/s")
	case (c.HardDrop || c.NoDrop) && !c.ECN:
		return errors.New("harddrop and nodrop need ecn: without it every packet is dropped")
	}
	if weight(c.Min, c.Burst, c.AvPkt) < 0 {
		return fmt.Errorf("burst %d is too small for min %d and avpkt %d: no average lets it pass; set it to at least %d", c.Burst, c.Min, c.AvPkt, c.Min/c.AvPkt+1)
	}
	return nil
}

// weight is the logarithm of the average's weight w, W = 2^-weight, by which a
// burst of packets that comes to an empty queue brings the average to min at the
// most (Floyd and Jacobson §6, as tc_red.c solves it); -1 if there is none.
func weight(min, burst, avpkt int) int {
	a := float64(burst) + 1 - float64(min)/float64(avpkt)
	if a < 1 {
		return -1
	}
	w := 0.5
	for n := 1; n < 32; n++ {
		if a <= (1-math.Pow(1-w, float64(burst)))/w {
			return n
		}
		w /= 2
	}
	return -1
}

// Fields implements core.QdiscConfig.
func (c Config) Fields() []core.QdiscField {
	f := []core.QdiscField{qdisc.Field("limit", c.Limit, "limit %s ", qdisc.FormatSize(c.Limit)),
		qdisc.Field("min", c.Min, "min %s ", qdisc.FormatSize(c.Min)), qdisc.Field("max", c.Max, "max %s ", qdisc.FormatSize(c.Max))}
	for _, x := range []struct {
		key string
		on  bool
	}{{"ecn", c.ECN}, {"harddrop", c.HardDrop}, {"adaptive", c.Adaptive}, {"nodrop", c.NoDrop}} {
		if x.on {
			f = append(f, qdisc.Field(x.key, true, "%s ", x.key))
		}
	}
	return f
}

func parse(words []string, _ core.QdiscConfig) (core.QdiscConfig, error) {
	var c Config
	w := qdisc.NewWords("red", words)
	for o := w.Option(); o != ""; o = w.Option() {
		switch o {
		case "limit":
			c.Limit = w.Size()
		case "min":
			c.Min = w.Size()
		case "max":
			c.Max = w.Size()
		case "avpkt":
			c.AvPkt = w.Size()
		case "burst":
			c.Burst = w.Int(0, 1<<24)
		case "probability":
			c.Probability = w.Float(0, 1)
		case "bandwidth":
			c.Bandwidth = w.Rate()
		case "ecn":
			c.ECN = true
		case "harddrop":
			c.HardDrop = true
		case "nodrop":
			c.NoDrop = true
		case "adaptive", "adaptative":
			c.Adaptive = true
		default:
			w.Unknown("limit, min, max, avpkt, burst, probability, bandwidth, ecn, harddrop, nodrop and adaptive")
		}
	}
	return c, w.Err()
}

// Kind describes the discipline.
func Kind() core.QdiscKind {
	return core.QdiscKind{
		Name:  "red",
		Parse: parse,
		New: func(c core.QdiscConfig, o core.QdiscOwner) (core.Qdisc, error) {
			x, ok := c.(Config)
			if !ok {
				return nil, errors.New("needs a red.Config")
			}
			r := &red{Counter: qdisc.Counter{Link: o.Link()}, in: o.Instance(), owner: o, dice: o.Random()}
			r.set(x)
			r.SetChild(nil)
			return r, nil
		},
	}
}
