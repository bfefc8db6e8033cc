package ipv4

import (
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// redirectInterval is the least time between redirects to one host.
const redirectInterval = time.Second

// sendRedirect tells the source of p, which came in by the interface it leaves,
// of the better next hop (RFC 1812 §5.2.7.2): always a host redirect, only to a
// source on the same link, and rarely.
func (s *stack) sendRedirect(p *core.Packet, d *device, r *core.Route) {
	gateway := r.Gateway
	if !gateway.Is4() { // it has no name in IPv4
		gateway = p.Dst
	}
	if !d.sharedMedia && !onNetwork(p.Interface, gateway) {
		return
	}
	x := s.i()
	if x.limits == nil {
		x.limits = new(errorLimits)
	}
	if !x.limits.redirects.Allow(s.in.Now(), p.Src, redirectInterval) {
		return
	}
	s.sendError(p, wire.ICMPv4Redirect, wire.ICMPv4RedirectHost, gateway.V4())
}

// redirectInput takes a redirect (RFC 1122 §3.2.2.2, Linux: __ip_do_redirect).
func (s *stack) redirectInput(p *core.Packet) {
	defer p.Free()
	if !p.Linearize() {
		return
	}
	m := wire.ICMPv4(p.Linear())
	q := m.Payload()
	if len(q) < wire.IPv4MinSize+8 || q[0]>>4 != 4 || m.Code() > 3 {
		s.i().n[icmpInErrors]++
		return
	}
	d, ifc := s.device(p.Interface), p.Interface
	quoted, gateway := wire.IPv4(q), m.Gateway()
	dst := quoted.Dst()
	if !d.acceptRedirects || d.forwarding || !gateway.IsUnicast() || gateway.V4()>>24 == 0 || gateway.IsLoopback() ||
		!dst.IsUnicast() || s.in.IsLocal(gateway) || !s.in.IsLocal(quoted.Src()) || p.Type != core.PacketHost {
		return
	}
	// It must come from the gateway in use and name one on the same link.
	r, err := s.in.Route(core.RouteQuery{Dst: dst, Src: quoted.Src()})
	if err != nil || r.Type != core.RouteUnicast || r.Gateway != p.Src || r.Interface != ifc || r.Gateway == gateway {
		return
	}
	if !onNetwork(ifc, gateway) && !d.sharedMedia {
		return
	}
	if !d.sharedMedia && d.secureRedirects && !s.isGateway(gateway) {
		return
	}
	s.learnRedirect(dst, gateway, ifc)
}

// isGateway tells whether a route names a as its gateway.
func (s *stack) isGateway(a wire.Addr) bool {
	for _, e := range s.in.RoutesLocked() {
		if e.Gateway == a && e.Type == core.RouteUnicast && e.Protocol != core.RouteByRedirect {
			return true
		}
	}
	return false
}

// redirectLife is how long a redirected route holds (Linux: ip_rt_gc_timeout).
const redirectLife = 300 * time.Second

// maxRedirects bounds the routes that redirects may make.
const maxRedirects = 1024

// learnRedirect makes a host route. An older one for the host gives way.
func (s *stack) learnRedirect(dst, gateway wire.Addr, ifc *core.Interface) {
	prefix := wire.HostPrefix(dst)
	n := 0
	now := s.in.Now()
	for _, e := range s.in.RoutesLocked() {
		if e.Protocol != core.RouteByRedirect {
			continue
		}
		if e.Prefix == prefix || e.Expires <= now {
			_ = s.in.RemoveRouteLocked(&e)
			continue
		}
		n++
	}
	if n < maxRedirects {
		_ = s.in.AddRouteLocked(&core.RouteEntry{Prefix: prefix, Gateway: gateway, Interface: ifc, Type: core.RouteUnicast,
			Protocol: core.RouteByRedirect, Expires: now.Add(redirectLife)})
	}
}
