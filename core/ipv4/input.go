package ipv4

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Input implements core.Network.
func (s *stack) Input(p *core.Packet) {
	if p.EtherType == wire.EtherTypeARP {
		s.arpInput(p)
		return
	}
	c := s.c()
	*c.at(ipInReceives)++
	b := p.Linear()
	if len(b) < wire.IPv4MinSize {
		if !p.Pullup(wire.IPv4MinSize) {
			s.drop(p, ipInHdrErrors)
			return
		}
		b = p.Linear()
	}
	// RFC 1122 §3.2.1.1 and .2, RFC 1812 §5.2.2: length, checksum, version,
	// header length, total length.
	hl := wire.IPv4MinSize
	if b[0] != 0x45 {
		hl = int(b[0]&15) * 4
		if b[0]>>4 != 4 || hl < wire.IPv4MinSize || !p.Pullup(hl) {
			s.drop(p, ipInHdrErrors)
			return
		}
		b = p.Linear()
	}
	h := wire.IPv4(b)
	if !h.ChecksumOK() {
		*c.at(extInCsumErrors)++
		s.drop(p, ipInHdrErrors)
		return
	}
	total := h.TotalLen()
	if n := p.Len(); total != n {
		switch {
		case total < hl:
			s.drop(p, ipInHdrErrors)
			return
		case total > n:
			s.drop(p, extInTruncated)
			return
		}
		p.Trim(total) // the link's padding
		if p.Checksum == core.ChecksumPartial {
			p.Checksum = core.ChecksumUnknown
		}
	}
	*c.at(extInOctets) += uint64(total)
	*c.at(extInNoECT + counter(h.ECN()))++

	p.Src, p.Dst = h.Src(), h.Dst()
	p.TOS, p.HopLimit, p.Protocol = h.TOS(), h.TTL(), h.Protocol()
	p.SetNetworkHeader()
	d := s.device(p.Interface)
	var o wire.IPv4Options
	if hl > wire.IPv4MinSize && !s.inputOptions(p, h, d, &o) {
		return
	}
	s.route(p, h, d, &o)
}

// inputOptions checks the options; it drops the packet and returns false when
// they are bad or not wanted.
func (s *stack) inputOptions(p *core.Packet, h wire.IPv4, d *device, o *wire.IPv4Options) bool {
	if pointer, err := wire.ParseIPv4Options(h.Options(), o); err != nil {
		if p.Type == core.PacketHost {
			s.sendError(p, wire.ICMPv4ParameterProblem, 0, uint32(pointer)<<24)
		}
		s.drop(p, ipInHdrErrors)
		return false
	}
	if o.SourceRoute != 0 && !d.acceptSourceRoute { // RFC 1812 §5.3.13.4 allows it
		s.martian(p, d, "source route")
		s.drop(p, ipInHdrErrors)
		return false
	}
	if o.RouterAlert != 0 {
		p.Flags |= core.FlagRouterAlert
	}
	return true
}

// route decides what happens to a packet with a sound header: it is for us, to
// be forwarded, or dropped (Linux: ip_route_input_slow).
func (s *stack) route(p *core.Packet, h wire.IPv4, d *device, o *wire.IPv4Options) {
	c := s.counters
	own := p.Flags&core.FlagLoopback != 0 || p.Interface.Flags()&core.FlagIsLoopback != 0
	src, dst := p.Src.V4(), p.Dst.V4()
	switch {
	case src>>28 >= 0xe && (src>>28 == 0xe || src == 0xffffffff): // RFC 1122 §3.2.1.3
		s.martianSource(p, d)
		return
	case dst>>28 == 0xe:
		*c.at(extInMcastPkts)++
		*c.at(extInMcastOctets) += uint64(h.TotalLen())
		if !own && !s.sourceFitsGroup(p, d) {
			s.martianSource(p, d)
			return
		}
		s.inputMulticast(p, h)
		return
	case dst == 0xffffffff || src|dst == 0:
		if !own && src != 0 && !s.validSource(p, d) {
			s.martianSource(p, d)
			return
		}
		s.inputBroadcast(p, h)
		return
	case src>>24 == 0:
		s.martianSource(p, d)
		return
	case dst>>24 == 0:
		s.martianDestination(p, d)
		return
	case !own && !d.routeLocalnet && dst>>24 == 127: // RFC 1122 §3.2.1.3(g)
		s.martianDestination(p, d)
		return
	}
	// The destination stands for the source too, so that one cached route
	// serves all packets to it.
	r, err := s.wayTo(p)
	if !own && !s.validSource(p, d) {
		s.martianSource(p, d)
		return
	}
	switch {
	case err != nil:
		s.noRoute(p, d, err)
	case r.Type == core.RouteLocal:
		if p.Type != core.PacketHost && d.dropUnicastInL2 {
			s.drop(p, ipInAddrErrors)
			return
		}
		if o.SourceRoute != 0 {
			if next, more := wire.IPv4SourceRouteNext(h, o.SourceRoute); more {
				s.sourceRoute(p, d, next, o)
				return
			}
		}
		s.deliver(p, h)
	case r.Type == core.RouteBroadcast:
		s.inputBroadcast(p, h)
	default:
		s.forward(p, h, d, r, o)
	}
}

// validSource tells whether a packet may come from p.Src by its interface: it
// is not one of ours nor a broadcast address, and by rp_filter there is a way
// back (RFC 3704, Linux: fib_validate_source).
func (s *stack) validSource(p *core.Packet, d *device) bool {
	rules := s.in.HasRules(false)
	if p.Src == s.source && p.Interface == s.sourceIfc && s.sourceGen == s.in.RouteGeneration() && !rules {
		return true
	}
	if p.Src.IsLoopback() && !d.routeLocalnet {
		return false
	}
	onLink := false
	q := core.RouteQuery{Dst: p.Src, Src: p.Src}
	var back core.Selector
	if rules { // as a packet made here is asked for (__fib_validate_source, net/ipv4/fib_frontend.c)
		q.Src, q.Selector = p.Dst, &back
		back.TOS = p.TOS
	}
	r, err := s.in.Route(q)
	if err != nil {
		if d.rpFilter != 0 {
			return false
		}
	} else {
		switch r.Type {
		case core.RouteLocal:
			if !d.acceptLocal {
				return false
			}
		case core.RouteBroadcast:
			return false
		}
		if d.rpFilter == 1 && r.Interface != p.Interface && !(s.in.Multipath() && s.in.LeadsBy(p.Src, p.Interface)) {
			return false
		}
		onLink = r.Interface == p.Interface && r.Gateway == p.Src
	}
	s.source, s.sourceIfc, s.sourceGen, s.onLink = p.Src, p.Interface, s.in.RouteGeneration(), onLink
	return true
}

// sourceFitsGroup is the check for packets to groups: a host without an address
// may speak to groups of the link (Linux: ip_mc_validate_source).
func (s *stack) sourceFitsGroup(p *core.Packet, d *device) bool {
	switch v := p.Src.V4(); {
	case v == 0:
		return p.Dst.IsLinkLocalMulticast()
	case v>>24 == 0:
		return false
	}
	return s.validSource(p, d)
}

// wayTo is the route for a packet. Packets come in runs to one destination, so the last
// answer is tried first where there is but one way to it.
func (s *stack) wayTo(p *core.Packet) (*core.Route, error) {
	dst := p.Dst
	flow := s.in.FlowOfPacket(p) // fib_multipath_hash, net/ipv4/route.c
	if s.in.HasRules(false) {
		return s.wayByRules(p, flow)
	}
	if r := s.last; flow == 0 && r != nil && r.Dst == dst && r.Valid() {
		return r, nil
	}
	r, err := s.in.Route(core.RouteQuery{Dst: dst, Src: dst, Flow: flow})
	if err == nil {
		s.last = r
	}
	return r, err
}

// inputBroadcast delivers a packet to everybody on the link.
func (s *stack) inputBroadcast(p *core.Packet, h wire.IPv4) {
	c := s.counters
	*c.at(extInBcastPkts)++
	*c.at(extInBcastOctets) += uint64(h.TotalLen())
	if p.Type == core.PacketHost {
		p.Type = core.PacketBroadcast
	}
	s.deliver(p, h)
}

// inputMulticast delivers a packet to a group that somebody here has joined.
// 224.0.0.1 is every host's (RFC 1112 §4).
func (s *stack) inputMulticast(p *core.Packet, h wire.IPv4) {
	if p.Type == core.PacketHost {
		p.Type = core.PacketMulticast
	}
	if p.Dst != wire.IPv4AllSystems() && !p.Interface.InGroup(p.Dst) && p.Protocol != wire.ProtoIGMP &&
		p.Interface.Flags()&core.FlagIsLoopback == 0 {
		p.Free() // as a network card's filter would; Linux does not count it either
		return
	}
	s.deliver(p, h)
}

// deliver takes a packet that is for this host: it puts fragments together and
// gives the payload to its protocol.
func (s *stack) deliver(p *core.Packet, h wire.IPv4) {
	if h.IsFragment() {
		if p = s.reassemble(p, h); p == nil {
			return
		}
		h = wire.IPv4(p.NetworkHeader())
	} else {
		p.Pull(h.HeaderLen())
	}
	p.SetTransportHeader()
	c := s.counters
	raw := s.in.DeliverRaw(p)
	switch p.Protocol {
	case wire.ProtoICMP:
		*c.at(ipInDelivers)++
		s.icmpInput(p, h)
		return
	case wire.ProtoIGMP:
		*c.at(ipInDelivers)++
		s.igmpInput(p)
		return
	}
	if s.in.DeliverTransport(p) {
		*c.at(ipInDelivers)++
		return
	}
	if raw { // net/ipv4/ip_input.c, ip_protocol_deliver_rcu
		*c.at(ipInDelivers)++
		p.Free()
		return
	}
	s.sendError(p, wire.ICMPv4Unreachable, wire.ICMPv4ProtocolUnreachable, 0)
	s.drop(p, ipInUnknownProtos)
}

// drop counts and frees a packet.
func (s *stack) drop(p *core.Packet, why counter) {
	*s.counters.at(why)++
	p.Free()
}

// martianSource drops a packet whose source cannot be where it came from
// (RFC 1812 §5.3.7).
func (s *stack) martianSource(p *core.Packet, d *device) {
	s.martian(p, d, "source")
	s.drop(p, ipInAddrErrors)
}

func (s *stack) martianDestination(p *core.Packet, d *device) {
	s.martian(p, d, "destination")
	s.drop(p, ipInAddrErrors)
}

func (s *stack) martian(p *core.Packet, d *device, what string) {
	if d.logMartians {
		s.in.Domain().Host().Log().Warn("martian "+what, "host", s.in.Name(), "device", p.Interface.Name(),
			"source", p.Src.String(), "destination", p.Dst.String())
	}
}
