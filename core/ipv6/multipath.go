package ipv6

import (
	"github.com/libos-go/libos/core"
)

// MultipathHash implements core.MultipathPolicy.
func (n *network) MultipathHash() (policy int, fields uint32) {
	s := n.sys()
	return s.MultipathPolicy, uint32(s.MultipathFields)
}

// flowOf is what chooses among several paths for a packet of somebody else
// (rt6_multipath_hash, net/ipv6/route.c).
func (n *network) flowOf(p *core.Packet) uint32 {
	if !n.in.Multipath() {
		return 0
	}
	outer, inner, tunnel := core.ReadFlow(p.Linear())
	if !tunnel {
		return n.in.FlowOf(&outer, nil)
	}
	return n.in.FlowOf(&outer, &inner)
}

// selectorOf is what rules see of p, which starts at its IPv6 header.
func selectorOf(p *core.Packet) core.Selector {
	k, _, _ := core.ReadFlow(p.Linear())
	return k.Selector(p.Interface, p.TOS)
}
