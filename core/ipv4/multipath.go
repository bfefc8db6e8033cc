package ipv4

import (
	"github.com/libos-go/libos/core"
)

// MultipathHash implements core.MultipathPolicy.
func (s *stack) MultipathHash() (policy int, fields uint32) {
	return int(s.conf.MultipathPolicy), uint32(s.conf.MultipathFields)
}

// NexthopCompat implements core.NexthopPolicy.
func (s *stack) NexthopCompat() bool { return s.conf.NexthopCompat }

// wayByRules is wayTo where rules look at more than the destination.
func (s *stack) wayByRules(p *core.Packet, flow uint32) (*core.Route, error) {
	k, _, _ := core.ReadFlow(p.Linear())
	x := k.Selector(p.Interface, p.TOS)
	return s.in.Route(core.RouteQuery{Dst: p.Dst, Src: p.Dst, Flow: flow, Selector: &x})
}
