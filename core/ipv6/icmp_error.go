package ipv6

import (
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/ipcommon"
	"github.com/libos-go/libos/core/wire"
)

// Unreachable implements core.Network.
func (n *network) Unreachable(p *core.Packet, why core.Unreachable) {
	switch why {
	case core.UnreachableProtocol:
		if u, ok := findUpper(p.NetworkHeader()); ok {
			n.sendError(p, wire.ICMPv6ParameterProblem, wire.ICMPv6UnknownNextHeader, uint32(u.nextAt))
		}
	case core.UnreachablePort:
		n.sendError(p, wire.ICMPv6Unreachable, wire.ICMPv6PortUnreachable, 0)
	case core.UnreachableHost:
		n.sendError(p, wire.ICMPv6Unreachable, wire.ICMPv6AddressUnreachable, 0)
	case core.UnreachableNet:
		n.sendError(p, wire.ICMPv6Unreachable, wire.ICMPv6NoRoute, 0)
	case core.UnreachableProhibited:
		n.sendError(p, wire.ICMPv6Unreachable, wire.ICMPv6AdminProhibited, 0)
	case core.UnreachableTooBig:
		mtu := minMTU
		if p.Route != nil {
			mtu = max(mtu, p.Route.MTU)
		}
		n.sendError(p, wire.ICMPv6PacketTooBig, 0, uint32(mtu))
	case core.UnreachableHopLimit:
		n.sendError(p, wire.ICMPv6TimeExceeded, wire.ICMPv6HopLimitExceeded, 0)
	case core.UnreachableReassembly:
		n.sendError(p, wire.ICMPv6TimeExceeded, wire.ICMPv6ReassemblyExceeded, 0)
	}
}

// sendError answers packet p, whose network header is remembered, with an ICMPv6
// error that quotes as much of it as fits into 1280 bytes. It borrows p.
func (n *network) sendError(p *core.Packet, typ, code uint8, rest uint32) {
	quote := p.NetworkHeader()
	if !n.answerable(p, quote, typ, code) {
		return
	}
	dst := wire.IPv6(quote).Src()
	q := core.RouteQuery{Dst: dst, Interface: scopeOf(dst, p.Interface)}
	if to := wire.IPv6(quote).Dst(); to.IsUnicast() {
		// RFC 4443 §2.2: the address that the packet was sent to, if it is ours.
		r, err := n.in.Route(core.RouteQuery{Dst: to, Src: to, Interface: scopeOf(to, p.Interface)})
		if err == nil && r.Type == core.RouteLocal {
			q.Src = to
		}
	}
	r, err := n.in.Route(q)
	if err != nil {
		n.count.inc(icmpOutErrors)
		return
	}
	if r.Type != core.RouteLocal && !n.mayError(dst) { // Linux: icmpv6_xrlim_allow
		n.count.inc(icmpOutRateLimitHost)
		return
	}
	size := len(quote)
	for _, f := range p.Frags() {
		size += int(f.Len)
	}
	size = min(size, minMTU-headerSize-wire.ICMPv6BodySize)
	e := n.in.NewPacket(core.Headroom, wire.ICMPv6BodySize+size)
	if e == nil {
		n.count.inc(icmpOutErrors)
		return
	}
	b := e.Put(wire.ICMPv6BodySize + size)
	wire.ICMPv6(b).Encode(typ, code, rest)
	b = b[wire.ICMPv6BodySize:]
	b = b[copy(b, quote):]
	for _, f := range p.Frags() {
		b = b[copy(b, f.Bytes()):]
	}
	e.Src, e.Dst = r.Src, dst
	n.sendICMP(e, r)
}

// answerable tells whether an error about p may be sent (RFC 4443 §2.4 e).
func (n *network) answerable(p *core.Packet, quote []byte, typ, code uint8) bool {
	if len(quote) < headerSize {
		return false
	}
	h := wire.IPv6(quote)
	if src := h.Src(); !src.IsUnicast() || src.Is4() {
		return false // it does not name one node
	}
	multicast := h.Dst().IsMulticast() || p.Type == core.PacketMulticast || p.Type == core.PacketBroadcast
	if multicast && typ != wire.ICMPv6PacketTooBig && !(typ == wire.ICMPv6ParameterProblem && code == wire.ICMPv6UnknownOption) {
		return false
	}
	u, ok := findUpper(quote)
	if !ok {
		return true // what breaks off in its headers is no ICMPv6 error
	}
	if u.protocol != wire.ProtoICMPv6 {
		return true
	}
	if u.later || len(quote) <= u.offset {
		return false // it may be an error
	}
	t := quote[u.offset]
	return !wire.ICMPv6IsError(t) && t != wire.ICMPv6Redirect
}

// errorLimiter bounds the errors sent: to each destination, and to all
// (RFC 4443 §2.4 f; Linux icmp_msgs_per_sec and icmp_msgs_burst).
type errorLimiter struct {
	all  ipcommon.Bucket
	each ipcommon.PeerLimiter
}

const (
	errorRate  = 1000 // a second, to all
	errorBurst = 50
)

// mayError takes one error to dst out of the buckets.
func (n *network) mayError(dst wire.Addr) bool {
	every := n.sys().RateLimit
	if every == 0 {
		return true
	}
	if n.limiter == nil {
		n.limiter = new(errorLimiter)
	}
	now := n.in.Now()
	return n.limiter.all.Allow(now, errorRate, errorBurst) && n.limiter.each.Allow(now, dst, every)
}

// errorReceived tells the transport of an error about a packet it sent
// (RFC 4443 §2.4 d; Linux icmpv6_notify).
func (n *network) errorReceived(p *core.Packet, m wire.ICMPv6) bool {
	quote := m.Payload()
	if len(quote) < headerSize || quote[0]>>4 != 6 {
		return false
	}
	h := wire.IPv6(quote)
	src, dst := h.Src(), h.Dst()
	if src.Is4() || dst.Is4() || !n.in.IsLocal(src) {
		return false // it is not about a packet of ours
	}
	u, found := findUpper(quote)
	e := core.ErrorReport{Protocol: u.protocol, Src: src, Dst: dst, Offender: p.Src, Type: m.Type(), Code: m.Code(),
		Info: m.Rest(), Ifindex: p.Ifindex(), TOS: p.TOS, HopLimit: p.HopLimit}
	e.Errno, e.Hard = errnoOf(m.Type(), m.Code())
	whole := found && !u.later && len(quote)-u.offset >= 8
	if whole {
		e.Quoted, e.Whole = quote[u.offset:], quote
	}
	if m.Type() == wire.ICMPv6PacketTooBig {
		// RFC 8201 §4: a smaller value than the least MTU is to be discarded.
		if m.MTU() < minMTU {
			return true
		}
		if n.in.Credible(&e) {
			e.MTU = int(min(m.MTU(), 65535))
			n.learnPathMTU(dst, e.MTU, p.Interface)
		}
	}
	if whole {
		n.in.DeliverError(&e)
	}
	return true
}

// learnPathMTU keeps a path MTU that is smaller than what is known.
func (n *network) learnPathMTU(dst wire.Addr, mtu int, ifc *core.Interface) {
	r, err := n.in.Route(core.RouteQuery{Dst: dst, Src: dst, Interface: scopeOf(dst, ifc)})
	if err != nil || r.Type != core.RouteUnicast || mtu >= r.MTU {
		return
	}
	n.in.SetPathMTU(dst, mtu, n.in.Now().Add(n.sys().MTUExpires))
}

// errnoOf is what a socket call reports for an error, and whether it ends a
// connection attempt (Linux net/ipv6/icmp.c, icmpv6_err_convert).
func errnoOf(typ, code uint8) (syscall.Errno, bool) {
	switch typ {
	case wire.ICMPv6Unreachable:
		switch code {
		case wire.ICMPv6NoRoute:
			return syscall.ENETUNREACH, false
		case wire.ICMPv6BeyondScope, wire.ICMPv6AddressUnreachable:
			return syscall.EHOSTUNREACH, false
		case wire.ICMPv6PortUnreachable:
			return syscall.ECONNREFUSED, true
		case wire.ICMPv6AdminProhibited, wire.ICMPv6PolicyFailed, wire.ICMPv6RejectRoute:
			return syscall.EACCES, true
		}
		return syscall.EPROTO, true
	case wire.ICMPv6PacketTooBig:
		return syscall.EMSGSIZE, false
	case wire.ICMPv6TimeExceeded:
		return syscall.EHOSTUNREACH, false
	case wire.ICMPv6ParameterProblem:
		return syscall.EPROTO, true
	}
	return syscall.EPROTO, false
}

// Failed implements core.Network: p waited for a neighbour that did not answer
// (RFC 4861 §7.2.2). The sender learns it, on this instance without a packet.
func (n *network) Failed(nb *core.Neighbour, p *core.Packet) {
	if p.Flags&core.FlagForwarded != 0 {
		n.sendError(p, wire.ICMPv6Unreachable, wire.ICMPv6AddressUnreachable, 0)
		p.Free()
		return
	}
	b := p.NetworkHeader()
	u, ok := findUpper(b)
	if ok && !u.later && len(b)-u.offset >= 8 {
		h := wire.IPv6(b)
		e := core.ErrorReport{Protocol: u.protocol, Src: h.Src(), Dst: h.Dst(), Offender: h.Src(), Type: wire.ICMPv6Unreachable,
			Code: wire.ICMPv6AddressUnreachable, Quoted: b[u.offset:], Ifindex: p.Ifindex()}
		e.Errno, e.Hard = errnoOf(e.Type, e.Code)
		n.in.DeliverError(&e)
	}
	p.Free()
}
