package ipv4

import (
	"encoding/binary"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// MultipathPorts implements core.MultipathPolicy.
func (s *stack) MultipathPorts() bool { return s.conf.MultipathPolicy == 1 }

// flowOf is what chooses among several paths for a packet of somebody else
// (fib_multipath_hash, net/ipv4/route.c). All fragments of a packet have none of its
// ports, so that they go one way.
func (s *stack) flowOf(p *core.Packet) uint32 {
	if !s.in.Multipath() {
		return 0
	}
	h := wire.IPv4(p.Linear())
	sport, dport := ports(h)
	return s.in.Flow(p.Src, p.Dst, h.Protocol(), sport, dport)
}

// ports are those of a packet that has them whole, or 0.
func ports(h wire.IPv4) (src, dst uint16) {
	switch h.Protocol() {
	case wire.ProtoTCP, wire.ProtoUDP, wire.ProtoUDPLite, wire.ProtoSCTP, wire.ProtoDCCP:
		if at := h.HeaderLen(); !h.IsFragment() && len(h) >= at+4 {
			return binary.BigEndian.Uint16(h[at:]), binary.BigEndian.Uint16(h[at+2:])
		}
	}
	return 0, 0
}

// wayByRules is wayTo where rules look at more than the destination.
func (s *stack) wayByRules(p *core.Packet, flow uint32) (*core.Route, error) {
	h := wire.IPv4(p.Linear())
	x := core.Selector{Src: p.Src, In: p.Interface, Protocol: h.Protocol(), TOS: p.TOS}
	x.SrcPort, x.DstPort = ports(h)
	return s.in.Route(core.RouteQuery{Dst: p.Dst, Src: p.Dst, Flow: flow, Selector: &x})
}
