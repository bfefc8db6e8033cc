package ipv6

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// icmpInput takes an ICMPv6 message that is for this instance (RFC 4443).
func (n *network) icmpInput(p *core.Packet) {
	n.count.inc(icmpInMsgs)
	if !p.Pullup(wire.ICMPv6BodySize) {
		n.drop(p, icmpInErrors)
		return
	}
	if p.Checksum == core.ChecksumUnknown {
		c := wire.Checksum{}
		c.AddPseudoHeader(p.Src, p.Dst, wire.ProtoICMPv6, p.Len())
		p.Sum(&c, 0)
		if c.Fold() != 0xffff {
			n.count.inc(icmpInCsumErrors)
			n.drop(p, icmpInErrors)
			return
		}
	}
	m := wire.ICMPv6(p.Linear())
	typ := m.Type()
	if i, ok := icmpIn(typ); ok {
		n.count.inc(i)
	}
	switch typ {
	case wire.ICMPv6Echo:
		n.echo(p)
		return
	case wire.ICMPv6EchoReply:
		if !n.in.DeliverTransport(p) {
			p.Free()
		}
		return
	}
	if !p.Linearize() {
		n.drop(p, icmpInErrors)
		return
	}
	if typ >= wire.ICMPv6RouterSolicit && typ <= wire.ICMPv6Redirect && p.Flags&core.FlagReassembled != 0 {
		p.Free() // RFC 6980 §5: discovery in fragments is ignored silently
		return
	}
	m = wire.ICMPv6(p.Linear())
	ok := true
	switch typ {
	case wire.ICMPv6RouterSolicit:
		ok = n.routerSolicit(p, m)
	case wire.ICMPv6RouterAdvert:
		ok = n.routerAdvert(p, m)
	case wire.ICMPv6NeighborSolicit:
		ok = n.neighborSolicit(p, m)
	case wire.ICMPv6NeighborAdvert:
		ok = n.neighborAdvert(p, m)
	case wire.ICMPv6Redirect:
		ok = n.redirected(p, m)
	case wire.ICMPv6MLDQuery, wire.ICMPv6MLDReport:
		ok = n.listenerMessage(p, m)
	default:
		if m.IsError() {
			ok = n.errorReceived(p, m)
		}
		// Informational messages of other types are dropped silently (RFC 4443 §2.4 b).
	}
	if !ok {
		n.count.inc(icmpInErrors)
	}
	p.Free()
}

// echo answers an echo request in its own packet (RFC 4443 §4.2).
func (n *network) echo(p *core.Packet) {
	s := n.sys()
	multicast := p.Dst.IsMulticast()
	if s.EchoIgnoreAll || multicast && s.EchoIgnoreMcst || p.Src.IsUnspecified() || !p.Unshare() {
		p.Free()
		return
	}
	m := wire.ICMPv6(p.Linear())
	if m.Code() != 0 {
		p.Free()
		return
	}
	q := core.RouteQuery{Dst: p.Src, Interface: scopeOf(p.Src, p.Interface)}
	if !multicast {
		q.Src = p.Dst
	}
	r, err := n.in.Route(q)
	if err != nil {
		n.drop(p, outNoRoutes)
		return
	}
	m.SetType(wire.ICMPv6EchoReply)
	if multicast {
		p.Src, p.Dst = r.Src, p.Src
		n.sendICMP(p, r)
		return
	}
	// The pseudo header is the same with both addresses exchanged.
	m.SetChecksum(wire.Update16(m.Checksum(), wire.ICMPv6Echo<<8, wire.ICMPv6EchoReply<<8))
	p.Src, p.Dst = p.Dst, p.Src
	n.outputICMP(p, r)
}

// scopeOf is the interface that a packet to a must use: that on which its
// link-local addresses mean something, 0 for other addresses.
func scopeOf(a wire.Addr, ifc *core.Interface) int {
	if ifc != nil && (a.IsLinkLocalUnicast() || a.IsMulticast()) {
		return ifc.Index()
	}
	return 0
}

// sendICMP completes the checksum of p, which starts at the ICMPv6 header, and
// sends it by r.
func (n *network) sendICMP(p *core.Packet, r *core.Route) {
	checksumICMP(p)
	n.outputICMP(p, r)
}

func (n *network) outputICMP(p *core.Packet, r *core.Route) {
	n.count.sentICMP(p.Linear()[0])
	p.Route, p.Interface = r, r.Interface
	p.Protocol = wire.ProtoICMPv6
	p.HopLimit, p.FlowLabel = 0, 0
	p.Checksum = core.ChecksumUnknown
	p.Flags = 0
	_ = n.Output(p) // counted there
}

func checksumICMP(p *core.Packet) {
	m := wire.ICMPv6(p.Linear())
	m.SetChecksum(0)
	c := wire.Checksum{}
	c.AddPseudoHeader(p.Src, p.Dst, wire.ProtoICMPv6, p.Len())
	p.Sum(&c, 0)
	m.SetChecksum(c.Field())
}
