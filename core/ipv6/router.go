package ipv6

import (
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/timer"
	"github.com/libos-go/libos/core/wire"
)

// solicitation asks for routers after an interface came up (RFC 4861 §6.3.7,
// RFC 7559).
type solicitation struct {
	timer  timer.Timer
	device *device
	sent   int
	wait   time.Duration
}

// maxSolicitWait bounds the growing intervals of RFC 7559 §2.
const maxSolicitWait = 3600 * time.Second

// acceptsRA tells whether an interface listens to routers.
func (n *network) acceptsRA(ifc *core.Interface) bool {
	c := n.conf(ifc)
	return ifc.Link() != core.LinkLoopback && (c.AcceptRA == 2 || c.AcceptRA == 1 && !c.Forwarding)
}

func (d *device) solicitRouters() {
	n := d.net
	if d.rs != nil || !discovers(d.ifc) || !n.acceptsRA(d.ifc) || n.conf(d.ifc).RouterSolicits == 0 {
		return
	}
	d.rs = &solicitation{device: d}
	d.net.in.SetTimer(&d.rs.timer, n.in.Now().Add(time.Duration(n.within(int64(maxStartDelay)))), d.rs)
}

func (d *device) stopSoliciting() {
	if d.rs != nil {
		d.net.in.CancelTimer(&d.rs.timer)
		d.rs = nil
	}
}

// Expire implements timer.Expirer.
func (s *solicitation) Expire(_ *timer.Timer, now core.Time) {
	d := s.device
	n := d.net
	c := n.conf(d.ifc)
	if c.RouterSolicits >= 0 && s.sent >= c.RouterSolicits || !n.acceptsRA(d.ifc) {
		d.rs = nil
		return
	}
	s.sent++
	switch {
	case s.wait == 0 || c.RouterSolicits >= 0:
		s.wait = c.RouterSolicitInt
	default:
		s.wait = min(2*s.wait+time.Duration(n.within(int64(s.wait/5)))-s.wait/10, maxSolicitWait)
	}
	n.in.SetTimer(&s.timer, now.Add(s.wait), s)
	src, ok := n.sourceOn(d.ifc, wire.IPv6AllRouters())
	size := wire.RouterSolicitSize
	if ok {
		size += wire.NDLinkLayerSize
	}
	p := n.newMessage(size)
	if p == nil {
		return
	}
	b := p.Linear()
	wire.RouterSolicit(b).Encode()
	if ok {
		wire.PutNDLinkLayer(b[wire.RouterSolicitSize:], wire.NDOptSourceLL, d.ifc.HWAddr())
	}
	n.sendDiscovery(p, d.ifc, src, wire.IPv6AllRouters())
}

// routerSolicit takes a Router Solicitation: a router learns the sender's
// address and, if it advertises, answers (RFC 4861 §6.2.6).
func (n *network) routerSolicit(p *core.Packet, m wire.ICMPv6) bool {
	var o wire.NDOptions
	if _, err := wire.ParseRouterSolicit(m, p.Src, p.HopLimit, &o); err != nil {
		return false
	}
	ifc := p.Interface
	if d := n.known(ifc); d != nil && d.adverts != nil {
		d.adverts.solicited()
	}
	if n.conf(ifc).Forwarding && o.Has&wire.NDHasSourceLL != 0 && discovers(ifc) {
		ifc.LearnNeighbour(p.Src, core.NeighbourUpdate{HWAddr: o.SourceLL, HasHWAddr: true, Override: true, Create: true, NotRouter: true})
	}
	return true
}

// advertised is what routers say of a link (RFC 4861 §6.3.4).
type advertised struct {
	hopLimit   uint8
	mtu        int
	reachable  time.Duration
	retransmit time.Duration
}

// routerAdvert takes a Router Advertisement (RFC 4861 §6.3.4).
func (n *network) routerAdvert(p *core.Packet, m wire.ICMPv6) bool {
	var o wire.NDOptions
	v, err := wire.ParseRouterAdvert(m, p.Src, p.HopLimit, &o)
	if err != nil {
		return false
	}
	ifc := p.Interface
	if !n.acceptsRA(ifc) {
		return true
	}
	d := n.device(ifc)
	f := v.Fields()
	c := n.conf(ifc)
	if d.rs != nil && f.Lifetime > 0 {
		d.stopSoliciting() // RFC 4861 §6.3.7
	}
	if discovers(ifc) {
		u := core.NeighbourUpdate{HWAddr: o.SourceLL, HasHWAddr: o.Has&wire.NDHasSourceLL != 0, Override: true, Create: true, IsRouter: true}
		ifc.LearnNeighbour(p.Src, u)
	}
	if d.ra == nil {
		d.ra = new(advertised)
	}
	if f.CurHopLimit >= uint8(c.AcceptRAMinHop) && f.CurHopLimit != 0 {
		d.ra.hopLimit = f.CurHopLimit
	}
	if f.ReachableTime != 0 && f.ReachableTime <= 3600000 { // RFC 4861 §6.2.1: at most an hour
		d.ra.reachable = time.Duration(f.ReachableTime) * time.Millisecond
	}
	if f.RetransTimer != 0 {
		d.ra.retransmit = time.Duration(f.RetransTimer) * time.Millisecond
	}
	if o.Has&wire.NDHasMTU != 0 && c.AcceptRAMTU && o.MTU >= minMTU && int64(o.MTU) <= int64(ifc.MTU()) && d.ra.mtu != int(o.MTU) {
		d.ra.mtu = int(o.MTU)
		n.in.InvalidateRoutes()
	}
	if c.AcceptRADefrtr {
		pref := f.Preference
		if !c.AcceptRARtrPref {
			pref = 0
		}
		n.learnRoute(ifc, wire.Prefix{}, p.Src, pref, uint32(f.Lifetime))
	}
	n.advertOptions(d, p.Src, v.Options())
	n.watchLifetimes()
	return true
}

// advertOptions takes the options that may come more than once.
func (n *network) advertOptions(d *device, router wire.Addr, options []byte) {
	c := n.conf(d.ifc)
	w := wire.NDOptionWalker(options)
	for kind, opt, ok := w.Next(); ok; kind, opt, ok = w.Next() {
		switch kind {
		case wire.NDOptPrefixInfo:
			if info, ok := wire.ParsePrefixInfo(opt); ok && c.AcceptRAPinfo {
				n.prefixInfo(d, &info)
			}
		case wire.NDOptRouteInfo:
			r, ok := wire.ParseRouteInfo(opt)
			if ok && int(r.Prefix.Bits) <= c.AcceptRARtInfo && c.AcceptRARtrPref && r.Prefix.Bits > 0 && r.Prefix.Addr.Is6() {
				n.learnRoute(d.ifc, r.Prefix.Masked(), router, r.Preference, r.Lifetime)
			}
		}
	}
}

// Limits of what advertisements can make an instance keep.
const (
	maxRouters  = 32 // routes by advertisement, default routers among them
	maxPrefixes = 64
)

// Metrics of advertised routes: by preference (RFC 4191 §2.1), and behind all
// of these when the router does not answer (RFC 4861 §6.3.6).
const (
	advertisedMetric  = 1024
	unreachableMetric = 16
)

// router is a route by way of a router that advertised itself.
type router struct {
	entry core.RouteEntry
	until core.Time // 0 is for ever
	pref  int8
	lost  bool // it did not answer
}

func (r *router) metric() uint32 {
	m := uint32(advertisedMetric - int(r.pref))
	if r.lost {
		m += unreachableMetric
	}
	return m
}

// learnRoute adds, refreshes or with a lifetime of 0 seconds removes a route.
func (n *network) learnRoute(ifc *core.Interface, prefix wire.Prefix, via wire.Addr, pref int8, lifetime uint32) {
	for i, r := range n.routers() {
		if r.entry.Interface != ifc || r.entry.Gateway != via || r.entry.Prefix != prefix {
			continue
		}
		switch {
		case lifetime == 0:
			n.dropRouter(i)
		case r.pref != pref || r.lost:
			_ = n.in.RemoveRouteLocked(&r.entry)
			r.pref, r.lost = pref, false
			n.installRouter(r)
			fallthrough
		default:
			r.until = n.in.Lifetime(lifetime)
		}
		return
	}
	if lifetime == 0 || len(n.routers()) >= maxRouters {
		return
	}
	r := &router{pref: pref, until: n.in.Lifetime(lifetime)}
	r.entry = core.RouteEntry{Prefix: prefix, Gateway: via, Interface: ifc, Type: core.RouteUnicast, Protocol: core.RouteByRA}
	n.installRouter(r)
	n.autoconf().routers = append(n.auto.routers, r)
}

func (n *network) installRouter(r *router) {
	r.entry.Metric = r.metric()
	e := r.entry
	_ = n.in.AddRouteLocked(&e) // EEXIST: an administrator's route stands
}

func (n *network) routers() []*router {
	if n.auto == nil {
		return nil
	}
	return n.auto.routers
}

func (n *network) dropRouter(i int) {
	r := n.auto.routers[i]
	n.auto.routers = append(n.auto.routers[:i], n.auto.routers[i+1:]...)
	_ = n.in.RemoveRouteLocked(&r.entry)
}

// removeRouter forgets the routes by way of a node that is no router any more.
func (n *network) removeRouter(ifc *core.Interface, via wire.Addr) {
	for i := len(n.routers()) - 1; i >= 0; i-- {
		if r := n.auto.routers[i]; r.entry.Interface == ifc && r.entry.Gateway == via {
			n.dropRouter(i)
		}
	}
}

// forgetRouters forgets the routes by way of any router of a link.
func (n *network) forgetRouters(ifc *core.Interface) {
	for i := len(n.routers()) - 1; i >= 0; i-- {
		if n.auto.routers[i].entry.Interface == ifc {
			n.dropRouter(i)
		}
	}
}

// neighbourChanged moves a router that does not answer behind the others, and
// back when it does (RFC 4861 §6.3.6).
func (n *network) neighbourChanged(ifc *core.Interface, a wire.Addr) {
	for _, r := range n.routers() {
		if r.entry.Interface != ifc || r.entry.Gateway != a {
			continue
		}
		nb := ifc.Neighbour(a)
		lost := nb == nil || nb.State == core.NeighbourFailed
		if lost == r.lost {
			continue
		}
		_ = n.in.RemoveRouteLocked(&r.entry)
		r.lost = lost
		n.installRouter(r)
	}
}
