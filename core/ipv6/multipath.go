package ipv6

import (
	"github.com/libos-go/libos/core"
)

// MultipathHash implements core.MultipathPolicy.
func (n *network) MultipathHash() (policy int, fields uint32) {
	s := n.sys()
	return s.MultipathPolicy, uint32(s.MultipathFields)
}

// selectorOf is what rules see of p, which starts at its IPv6 header.
func selectorOf(p *core.Packet) core.Selector {
	k, _, _ := core.ReadFlow(p.Linear())
	return k.Selector(p.Interface, p.TOS)
}
