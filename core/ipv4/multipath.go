package ipv4

import (
	"github.com/libos-go/libos/core"
)

// MultipathHash implements core.MultipathPolicy.
func (s *stack) MultipathHash() (policy int, fields uint32) {
	return int(s.conf.MultipathPolicy), uint32(s.conf.MultipathFields)
}

// flowOf is what chooses among several paths for a packet of somebody else
// (fib_multipath_hash, net/ipv4/route.c).
func (s *stack) flowOf(p *core.Packet) uint32 {
	if !s.in.Multipath() {
		return 0
	}
	outer, inner, tunnel := core.ReadFlow(p.Linear())
	if !tunnel {
		return s.in.FlowOf(&outer, nil)
	}
	return s.in.FlowOf(&outer, &inner)
}

// wayByRules is wayTo where rules look at more than the destination.
func (s *stack) wayByRules(p *core.Packet, flow uint32) (*core.Route, error) {
	k, _, _ := core.ReadFlow(p.Linear())
	x := k.Selector(p.Interface, p.TOS)
	return s.in.Route(core.RouteQuery{Dst: p.Dst, Src: p.Dst, Flow: flow, Selector: &x})
}
