package law

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/qdisc"
)

// Fields are target, ce_threshold (if it is on) and interval as tc shows them.
func (p *Params) Fields() []core.QdiscField {
	f := []core.QdiscField{qdisc.Field("target", qdisc.Micros(p.Target), "target %s ", qdisc.FormatTime(p.Target))}
	if p.CEThreshold != 0 {
		f = append(f, qdisc.Field("ce_threshold", qdisc.Micros(p.CEThreshold), "ce_threshold %s ", qdisc.FormatTime(p.CEThreshold)))
	}
	return append(f, qdisc.Field("interval", qdisc.Micros(p.Interval), "interval %s ", qdisc.FormatTime(p.Interval)))
}
