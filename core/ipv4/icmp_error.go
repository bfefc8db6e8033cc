package ipv4

import (
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/ipcommon"
	"github.com/libos-go/libos/core/wire"
)

// maxError is the size of the largest ICMP error sent: more need not arrive
// whole (RFC 1812 §4.3.2.3).
const maxError = wire.IPv4MinReassembled

// errorLimits are the rate limits of ICMP errors, made with the first error.
type errorLimits struct {
	global    ipcommon.Bucket
	peers     ipcommon.PeerLimiter
	redirects ipcommon.PeerLimiter
}

// sendError answers p with an ICMP error; it borrows p, whose network header is
// remembered. It sends nothing where RFC 1122 §3.2.2 and RFC 1812 §4.3.2.7
// forbid it, or when errors come too fast.
func (s *stack) sendError(p *core.Packet, typ, code uint8, rest uint32) {
	b := p.NetworkHeader()
	if len(b) < wire.IPv4MinSize {
		return
	}
	h := wire.IPv4(b)
	src, dst := h.Src(), h.Dst()
	switch {
	case p.Type == core.PacketBroadcast, p.Type == core.PacketMulticast, // sent as a link-layer broadcast
		h.FragmentOffset() != 0, // not the first fragment
		dst.IsMulticast(), dst.IsBroadcast(),
		src.IsUnspecified(), src.IsMulticast(), src.IsBroadcast(), src.V4()>>24 == 0:
		return
	}
	if h.Protocol() == wire.ProtoICMP { // not about an error, nor about what may be one
		hl := h.HeaderLen()
		if len(b) <= hl || wire.ICMPv4IsError(b[hl]) || b[hl] >= numICMPTypes {
			return
		}
	}
	from := wire.IPv4Any()
	if r, err := s.in.Route(core.RouteQuery{Dst: dst, Src: dst}); err == nil {
		switch r.Type {
		case core.RouteLocal:
			from = dst
		case core.RouteBroadcast:
			return
		}
	}
	if from.IsUnspecified() && s.conf.ErrorsUseInboundIfaddr && p.Interface != nil {
		if a, ok := s.Source(p.Interface, src); ok {
			from = a
		}
	}
	r, err := s.in.Route(core.RouteQuery{Dst: src, Src: from})
	if err != nil || r.Type == core.RouteBroadcast || r.Type == core.RouteMulticast {
		s.i().n[icmpOutErrors]++
		return
	}
	if !s.allowError(typ, code, src, r) {
		return
	}
	n := min(p.Len()+len(b)-p.LinearLen(), h.TotalLen(), min(maxError, r.MTU)-wire.IPv4MinSize-wire.ICMPv4Size)
	q := s.in.NewPacket(core.Headroom, wire.ICMPv4Size+n)
	if q == nil {
		s.i().n[icmpOutErrors]++
		return
	}
	m := wire.ICMPv4(q.Put(wire.ICMPv4Size + n))
	m.Encode(typ, code, rest)
	at := copy(m.Payload(), b)
	for i := range p.Frags() {
		at += copy(m.Payload()[at:], p.Frags()[i].Bytes())
	}
	m.UpdateChecksum()
	s.i().countOut(typ)
	q.Src, q.Dst, q.Protocol, q.Route = r.Src, src, wire.ProtoICMP, r
	q.TOS = h.TOS()&0x1e | 0xc0 // RFC 1812 §4.3.2.5: precedence 6
	q.Flags = core.FlagMayFragment
	_ = s.output(q, nil)
}

// allowError applies the rate limits (Linux: icmpv4_global_allow and
// icmpv4_xrlim_allow).
func (s *stack) allowError(typ, code uint8, dst wire.Addr, r *core.Route) bool {
	if typ < 32 && s.conf.ICMPRateMask>>typ&1 == 0 || typ >= 32 ||
		typ == wire.ICMPv4Unreachable && code == wire.ICMPv4FragmentationNeeded || // path MTU discovery lives on them
		r.Type == core.RouteLocal {
		return true
	}
	x := s.i()
	if x.limits == nil {
		x.limits = new(errorLimits)
	}
	now := s.in.Now()
	if s.conf.ICMPMsgsPerSec > 0 && !x.limits.global.Allow(now, int(s.conf.ICMPMsgsPerSec), int(s.conf.ICMPMsgsBurst)) {
		x.n[icmpOutRateLimitGlobal]++
		return false
	}
	if every := time.Duration(s.conf.ICMPRateLimit) * time.Millisecond; every > 0 && !x.limits.peers.Allow(now, dst, every) {
		x.n[icmpOutRateLimitHost]++
		return false
	}
	return true
}

// Unreachable implements core.Network.
func (s *stack) Unreachable(p *core.Packet, why core.Unreachable) {
	s.c()
	typ, code := uint8(wire.ICMPv4Unreachable), uint8(0)
	switch why {
	case core.UnreachableProtocol:
		code = wire.ICMPv4ProtocolUnreachable
	case core.UnreachablePort:
		code = wire.ICMPv4PortUnreachable
	case core.UnreachableHost:
		code = wire.ICMPv4HostUnreachable
	case core.UnreachableNet:
		code = wire.ICMPv4NetUnreachable
	case core.UnreachableProhibited:
		code = wire.ICMPv4AdminProhibited
	case core.UnreachableTooBig:
		if p.Interface == nil {
			return
		}
		s.sendError(p, typ, wire.ICMPv4FragmentationNeeded, uint32(p.Interface.MTU()))
		return
	case core.UnreachableHopLimit:
		typ, code = wire.ICMPv4TimeExceeded, wire.ICMPv4TTLExceeded
	case core.UnreachableReassembly:
		typ, code = wire.ICMPv4TimeExceeded, wire.ICMPv4ReassemblyExceeded
	default:
		return
	}
	s.sendError(p, typ, code, 0)
}
