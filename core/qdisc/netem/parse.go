package netem

import (
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/impair"
	"github.com/libos-go/libos/core/qdisc"
)

// parse reads the options. What a change leaves out is as in a new discipline.
func parse(words []string, _ core.QdiscConfig) (core.QdiscConfig, error) {
	var c Config
	w := qdisc.NewWords("netem", words)
	for o := w.Option(); o != ""; o = w.Option() {
		switch o {
		case "limit":
			c.Limit = w.Int(0, maxLimit)
		case "delay", "latency":
			c.Delay = w.Time()
			if w.Number() {
				c.Jitter = w.Time()
				c.Correlation = percent(w, 0)
			}
		case "distribution":
			c.Distribution = distribution(w)
		case "loss", "drop":
			c.Loss = loss(w)
		case "ecn":
			c.ECN = true
		case "duplicate":
			c.Duplicate = chance(w)
		case "corrupt":
			c.Corrupt = chance(w)
		case "reorder":
			c.Reorder.Chance = chance(w)
		case "gap":
			c.Reorder.Gap = w.Int(0, 1<<30)
		case "rate":
			c.Rate.BitsPerSecond = w.Rate()
			for _, v := range []*int{&c.Rate.PacketOverhead, &c.Rate.CellSize, &c.Rate.CellOverhead} {
				if w.Number() {
					*v = w.Int(-65535, 65535)
				}
			}
		case "slot":
			slot(w, &c.Slot)
		case "seed":
			c.Seed = uint64(w.Int(0, 1<<62))
		default:
			w.Unknown("limit, delay, distribution, loss, ecn, duplicate, corrupt, reorder, gap, rate, slot and seed")
		}
	}
	if c.Reorder.P > 0 && c.Reorder.Gap == 0 {
		c.Reorder.Gap = 1
	}
	if err := w.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// percent is the next argument if there is one, or def.
func percent(w *qdisc.Words, def float64) float64 {
	if w.Number() {
		return w.Percent()
	}
	return def
}

func chance(w *qdisc.Words) impair.Chance {
	return impair.Chance{P: w.Percent(), Correlation: percent(w, 0)}
}

func distribution(w *qdisc.Words) impair.Distribution {
	s := w.Text()
	d, ok := impair.ParseDistribution(s)
	if !ok {
		w.Fail("%q is no distribution: there are uniform, normal, pareto and paretonormal", s)
	}
	return d
}

// loss reads a model, with the defaults of tc-netem(8).
func loss(w *qdisc.Words) impair.Loss {
	switch {
	case w.Take("state"):
		m := impair.FourState{P13: w.Percent()}
		m.P31 = percent(w, 1-m.P13)
		m.P32 = percent(w, 0)
		m.P23 = percent(w, 1)
		m.P14 = percent(w, 0)
		return m
	case w.Take("gemodel"):
		m := impair.GilbertElliott{P: w.Percent()}
		m.R = percent(w, 1-m.P)
		m.BadLoss = percent(w, 1)
		m.GoodLoss = percent(w, 0)
		return m
	}
	w.Take("random")
	if c := chance(w); c.P != 0 {
		return impair.Random(c)
	}
	return nil
}

func slot(w *qdisc.Words, s *Slot) {
	if w.Take("distribution") {
		s.Spacing.Distribution = distribution(w)
		s.Spacing.Mean, s.Spacing.Jitter = w.Time(), w.Time()
	} else {
		s.Min = w.Time()
		if s.Max = s.Min; w.Number() {
			s.Max = w.Time()
		}
	}
	for {
		switch {
		case w.Take("packets"):
			s.Packets = w.Int(0, 1<<30)
		case w.Take("bytes"):
			s.Bytes = w.Size()
		default:
			return
		}
	}
}

// Fields implements core.QdiscConfig.
func (c Config) Fields() []core.QdiscField {
	f := []core.QdiscField{qdisc.Field("limit", c.Limit, "limit %d", c.Limit)}
	object := func(text, key string, values ...core.QdiscField) {
		f = append(f, core.QdiscField{Text: text, Key: key, Value: values})
	}
	value := func(key string, v any) core.QdiscField { return core.QdiscField{Key: key, Value: v} }
	seconds := func(d time.Duration) float64 { return d.Seconds() }
	if c.Delay != 0 || c.Jitter != 0 {
		text := " delay " + qdisc.FormatTime(c.Delay)
		if c.Jitter != 0 {
			text += "  " + qdisc.FormatTime(c.Jitter) + optional(c.Correlation)
		}
		object(text, "delay", value("delay", seconds(c.Delay)), value("jitter", seconds(c.Jitter)), value("correlation", c.Correlation))
	}
	per := qdisc.FormatPercent
	switch m := c.Loss.(type) {
	case impair.Random:
		object(" loss "+per(m.P)+optional(m.Correlation), "loss-random", value("loss", m.P), value("correlation", m.Correlation))
	case impair.FourState:
		object(" loss state p13 "+per(m.P13)+" p31 "+per(m.P31)+" p32 "+per(m.P32)+" p23 "+per(m.P23)+" p14 "+per(m.P14), "loss-state",
			value("p13", m.P13), value("p31", m.P31), value("p32", m.P32), value("p23", m.P23), value("p14", m.P14))
	case impair.GilbertElliott:
		object(" loss gemodel p "+per(m.P)+" r "+per(m.R)+" 1-h "+per(m.BadLoss)+" 1-k "+per(m.GoodLoss), "loss-gemodel",
			value("p", m.P), value("r", m.R), value("1-h", m.BadLoss), value("1-k", m.GoodLoss))
	}
	for _, x := range []struct {
		key string
		c   impair.Chance
	}{{"duplicate", c.Duplicate}, {"reorder", c.Reorder.Chance}, {"corrupt", c.Corrupt}} {
		if x.c.P != 0 {
			object(" "+x.key+" "+per(x.c.P)+optional(x.c.Correlation), x.key, value(x.key, x.c.P), value("correlation", x.c.Correlation))
		}
	}
	if r := c.Rate; r.BitsPerSecond != 0 {
		text := " rate " + qdisc.FormatRate(r.BitsPerSecond)
		for _, x := range []core.QdiscField{qdisc.Field("", r.PacketOverhead, " packetoverhead %d", r.PacketOverhead),
			qdisc.Field("", r.CellSize, " cellsize %d", r.CellSize), qdisc.Field("", r.CellOverhead, " celloverhead %d", r.CellOverhead)} {
			if x.Value != 0 {
				text += x.Text
			}
		}
		object(text, "rate", value("rate", r.BitsPerSecond/8), value("packetoverhead", r.PacketOverhead), value("cellsize", r.CellSize), value("celloverhead", r.CellOverhead))
	}
	if s := &c.Slot; s.on() {
		text, values := " slot "+qdisc.FormatTime(s.Min)+" "+qdisc.FormatTime(s.Max), []core.QdiscField{value("min-delay", seconds(s.Min)), value("max-delay", seconds(s.Max))}
		if s.spaced() {
			text = " slot distribution " + qdisc.FormatTime(s.Spacing.Mean) + " " + qdisc.FormatTime(s.Spacing.Jitter)
			values = []core.QdiscField{value("distribution", seconds(s.Spacing.Mean)), value("jitter", seconds(s.Spacing.Jitter))}
		}
		x := []core.QdiscField{qdisc.Field("packets", s.Packets, " packets %d", s.Packets), qdisc.Field("bytes", s.Bytes, " bytes %d", s.Bytes)}
		for _, y := range x {
			if y.Value != 0 {
				text += y.Text
			}
		}
		object(text, "slot", append(values, x...)...)
	}
	if c.Seed != 0 {
		f = append(f, qdisc.Field("seed", c.Seed, " seed %d", c.Seed))
	}
	if c.ECN {
		f = append(f, qdisc.Field("ecn", true, " ecn "))
	}
	if c.Reorder.Gap != 0 {
		f = append(f, qdisc.Field("gap", c.Reorder.Gap, " gap %d", c.Reorder.Gap))
	}
	return f
}

// optional is a correlation, if there is one.
func optional(p float64) string {
	if p == 0 {
		return ""
	}
	return " " + qdisc.FormatPercent(p)
}
