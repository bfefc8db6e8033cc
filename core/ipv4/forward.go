package ipv4

import (
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// forward sends a packet of others on its way (RFC 1812 §5.2.1, Linux:
// ip_forward).
func (s *stack) forward(p *core.Packet, h wire.IPv4, d *device, r *core.Route, o *wire.IPv4Options) {
	c := s.counters
	if !d.forwarding {
		s.drop(p, ipInAddrErrors)
		return
	}
	if p.Type != core.PacketHost { // RFC 1122 §3.3.6: a link broadcast is not forwarded
		s.drop(p, ipInDiscards)
		return
	}
	if r.Type == core.RouteMulticast || p.Dst.IsBroadcast() {
		s.drop(p, ipInAddrErrors)
		return
	}
	if h.TTL() <= 1 {
		s.sendError(p, wire.ICMPv4TimeExceeded, wire.ICMPv4TTLExceeded, 0)
		s.drop(p, ipInHdrErrors)
		return
	}
	if o.SourceRoute != 0 && o.Strict && r.Gateway != p.Dst { // RFC 1812 §5.2.7.1, code 5
		s.sendError(p, wire.ICMPv4Unreachable, wire.ICMPv4SourceRouteFailed, 0)
		s.drop(p, ipInHdrErrors)
		return
	}
	mtu := r.LinkMTU
	if s.conf.ForwardUsePMTU {
		mtu = r.MTU
	}
	if h.TotalLen() > mtu && !fitsInSegments(p, h, mtu) {
		if h.DontFragment() {
			*c.at(ipFragFails)++
			s.sendError(p, wire.ICMPv4Unreachable, wire.ICMPv4FragmentationNeeded, uint32(mtu))
			p.Free()
			return
		}
	} else {
		mtu = 0
	}
	if !p.Unshare() {
		s.drop(p, ipInDiscards)
		return
	}
	h = wire.IPv4(p.Linear())
	if r.Interface == p.Interface && s.onLink && d.sendRedirects && o.SourceRoute == 0 {
		s.sendRedirect(p, d, r)
	}
	h.DecrementTTL()
	if o.RecordRoute|o.Timestamp != 0 {
		s.recordForward(h, r, o)
	}
	*c.at(ipForwDatagrams)++
	*c.at(extOutOctets) += uint64(h.TotalLen())
	p.Flags |= core.FlagForwarded
	p.Interface = r.Interface
	if mtu != 0 {
		_ = s.fragment(p, r, mtu)
		return
	}
	*c.at(ipOutTransmits)++
	r.Send(p)
}

// sourceRoute sends a packet that reached us on to the next address of its
// source route, in whose place ours is recorded (RFC 791 §3.1, Linux:
// ip_options_rcv_srr).
func (s *stack) sourceRoute(p *core.Packet, d *device, next wire.Addr, o *wire.IPv4Options) {
	r, err := s.in.Route(core.RouteQuery{Dst: next, Src: next})
	if err != nil || r.Type != core.RouteUnicast || !d.forwarding {
		if d.forwarding {
			s.sendError(p, wire.ICMPv4Unreachable, wire.ICMPv4SourceRouteFailed, 0)
		}
		s.drop(p, ipInAddrErrors)
		return
	}
	a, ok := s.Source(r.Interface, next)
	if !ok || !p.Unshare() {
		s.drop(p, ipInDiscards)
		return
	}
	h := wire.IPv4(p.Linear())
	wire.IPv4RecordRoute(h, o.SourceRoute, a)
	h.SetDst(next)
	h.UpdateChecksum()
	p.Dst = next
	s.forward(p, h, d, r, o)
}

// fitsInSegments tells whether a super-segment will fit the MTU when it is cut.
func fitsInSegments(p *core.Packet, h wire.IPv4, mtu int) bool {
	if p.SegmentSize == 0 {
		return false
	}
	n := h.HeaderLen()
	b := p.Linear()
	if h.Protocol() == wire.ProtoTCP && len(b) >= n+13 {
		n += int(b[n+12]>>4) * 4
	} else {
		n += wire.UDPSize
	}
	return n+int(p.SegmentSize) <= mtu
}

// noRoute drops a packet that has nowhere to go, and a router tells its source
// (RFC 1812 §5.2.7.1).
func (s *stack) noRoute(p *core.Packet, d *device, err error) {
	counter, code := extInNoRoutes, uint8(wire.ICMPv4NetUnreachable)
	switch err {
	case syscall.EHOSTUNREACH:
		counter, code = ipInAddrErrors, wire.ICMPv4HostUnreachable
	case syscall.EACCES:
		code = wire.ICMPv4AdminProhibited
	case syscall.EINVAL: // a blackhole is silent
		p.Free()
		return
	}
	if d.forwarding && p.Type == core.PacketHost {
		s.sendError(p, wire.ICMPv4Unreachable, code, 0)
	} else if !d.forwarding {
		counter = ipInAddrErrors
	}
	s.drop(p, counter)
}
