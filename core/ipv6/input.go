package ipv6

import (
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Input implements core.Network: it checks the header (RFC 8200 §3) and leads
// the packet to this instance's protocols, to the next hop, or nowhere.
func (n *network) Input(p *core.Packet) {
	ifc := p.Interface
	n.count.inc(inReceives)
	n.count.add(inOctets, p.Len())
	if p.LinearLen() < headerSize && !p.Pullup(headerSize) {
		n.drop(p, inTruncatedPkts)
		return
	}
	h := wire.IPv6(p.Linear())
	if h[0]>>4 != 6 {
		n.drop(p, inHdrErrors)
		return
	}
	switch total := headerSize + h.PayloadLen(); {
	case total > p.Len():
		n.drop(p, inTruncatedPkts)
		return
	case total < p.Len():
		p.Trim(total) // the link's padding
	}
	p.SetNetworkHeader()
	p.Src, p.Dst = h.Src(), h.Dst()
	p.TOS, p.HopLimit, p.FlowLabel = h.TrafficClass(), h.HopLimit(), h.FlowLabel()
	n.count.inc(inNoECTPkts + counter(p.TOS&3))
	if why, ok := acceptable(p, ifc); !ok {
		n.drop(p, why)
		return
	}
	if ifc.Link() != core.LinkLoopback && !n.enabled(ifc) {
		n.drop(p, inDiscards)
		return
	}
	next := h.NextHeader()
	if next == wire.ProtoHopByHop && !n.hopByHop(p) {
		return
	}
	if p.Dst.IsMulticast() {
		n.count.inc(inMcastPkts)
		n.count.add(inMcastOctets, p.Len())
		if p.Dst != wire.IPv6AllNodes() && !ifc.InGroup(p.Dst) && p.Dst.Scope() != wire.ScopeInterfaceLocal {
			p.Free()
			return
		}
		n.deliver(p, next)
		return
	}
	q := core.RouteQuery{Dst: p.Dst, Src: p.Dst, Flow: n.in.FlowOfPacket(p)} // one entry of the cache serves all sources
	if p.Dst.IsLinkLocalUnicast() {
		q.Interface = ifc.Index()
	}
	var x core.Selector
	if n.in.HasRules(true) {
		x = selectorOf(p)
		q.Selector = &x
	}
	r, err := n.in.Route(q)
	if err != nil {
		n.noRoute(p, err)
		return
	}
	if r.Type != core.RouteLocal {
		n.forward(p, r)
		return
	}
	if p.Dst.IsLinkLocalUnicast() && r.Interface != ifc && p.Flags&core.FlagLoopback == 0 && ifc.Link() != core.LinkLoopback {
		n.drop(p, inAddrErrors) // an address of another link
		return
	}
	n.deliver(p, next)
}

// acceptable judges the addresses of a header alone (RFC 4291 §2.5.3, §2.7;
// Linux net/ipv6/ip6_input.c); otherwise it names the counter.
func acceptable(p *core.Packet, ifc *core.Interface) (counter, bool) {
	switch {
	case p.Src.IsMulticast():
		return inHdrErrors, false
	case p.Src.Is4() || p.Dst.Is4(): // v4-mapped addresses do not belong on a wire
		return inAddrErrors, false
	case p.Dst.IsUnspecified():
		return inAddrErrors, false
	}
	if ifc.Link() == core.LinkLoopback || p.Flags&core.FlagLoopback != 0 {
		return 0, true
	}
	if p.Src.IsLoopback() || p.Dst.IsLoopback() {
		return inHdrErrors, false
	}
	if p.Dst.IsMulticast() && p.Dst.Scope() <= wire.ScopeInterfaceLocal {
		return inHdrErrors, false
	}
	return 0, true
}

// noRoute ends a packet whose destination no route leads to.
func (n *network) noRoute(p *core.Packet, err error) {
	if !n.confAll().Forwarding {
		n.drop(p, inAddrErrors)
		return
	}
	n.count.inc(inNoRoutes)
	switch err {
	case syscall.EINVAL: // blackhole
	case syscall.EACCES:
		n.sendError(p, wire.ICMPv6Unreachable, wire.ICMPv6AdminProhibited, 0)
	default: // of an unreachable route, too (ip6_pkt_discard, net/ipv6/route.c)
		n.sendError(p, wire.ICMPv6Unreachable, wire.ICMPv6NoRoute, 0)
	}
	p.Free()
}

func (n *network) drop(p *core.Packet, why counter) {
	n.count.inc(why)
	p.Free()
}

// deliver gives p, which starts at its IPv6 header, to the protocol behind its
// headers, the first of which is next.
func (n *network) deliver(p *core.Packet, next wire.Protocol) {
	u := upperLayer{protocol: next, offset: headerSize, nextAt: 6}
	switch next {
	case wire.ProtoHopByHop, wire.ProtoRouting, wire.ProtoDestination, wire.ProtoFragment:
		if p, u = n.extensions(p); p == nil {
			return
		}
	}
	p.Protocol = u.protocol
	p.Pull(u.offset)
	p.SetTransportHeader()
	raw := n.in.DeliverRaw(p)
	switch u.protocol {
	case wire.ProtoICMPv6:
		n.count.inc(inDelivers)
		n.icmpInput(p)
		return
	case wire.ProtoNoNext: // RFC 8200 §4.7
		p.Free()
		return
	}
	if n.in.DeliverTransport(p) {
		n.count.inc(inDelivers)
		return
	}
	if raw { // net/ipv6/ip6_input.c, ip6_protocol_deliver_rcu
		n.count.inc(inDelivers)
		p.Free()
		return
	}
	n.count.inc(inUnknownProtos)
	n.sendError(p, wire.ICMPv6ParameterProblem, wire.ICMPv6UnknownNextHeader, uint32(u.nextAt))
	p.Free()
}
