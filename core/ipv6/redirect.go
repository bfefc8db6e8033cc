package ipv6

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

const (
	// maxRedirects bounds the routes learnt from redirects.
	maxRedirects = 256
	// redirectMetric puts them before every other route to their destination.
	redirectMetric = 1
	redirectedOpt  = 8 // size of a Redirected Header option without the packet
)

// redirect tells the sender of p, which goes back to the link that it came
// from, of the better first hop (RFC 4861 §8.2). It borrows p.
func (n *network) redirect(p *core.Packet, r *core.Route) {
	ifc := p.Interface
	target := r.Gateway
	if target != p.Dst && !target.IsLinkLocalUnicast() || p.Flags&core.FlagRouterAlert != 0 {
		return
	}
	src, err := n.in.Route(core.RouteQuery{Dst: p.Src, Src: p.Src, Interface: scopeOf(p.Src, ifc)})
	if err != nil || src.Interface != ifc || src.Type != core.RouteUnicast || src.Gateway != p.Src {
		return // the sender is no neighbour
	}
	from := n.linkLocal(ifc)
	if from.IsUnspecified() || !n.mayError(p.Src) {
		return
	}
	nb := ifc.Neighbour(target)
	known := nb != nil && nb.State&(core.NeighbourReachable|core.NeighbourStale|core.NeighbourDelay|core.NeighbourProbe|core.NeighbourPermanent) != 0
	size := wire.RedirectSize
	if known {
		size += wire.NDLinkLayerSize
	}
	quote := min(p.Len(), minMTU-headerSize-size-redirectedOpt) &^ 7
	m := n.newMessage(size + redirectedOpt + quote)
	if m == nil {
		return
	}
	b := m.Linear()
	wire.Redirect(b).Encode(target, p.Dst)
	if known {
		wire.PutNDLinkLayer(b[wire.RedirectSize:], wire.NDOptTargetLL, nb.HWAddr)
	}
	b = b[size:]
	b[0], b[1] = wire.NDOptRedirected, uint8((redirectedOpt+quote)/8)
	p.CopyOut(0, b[redirectedOpt:])
	n.sendDiscovery(m, ifc, from, p.Src)
}

// linkLocal is the link-local address of an interface, "::" if it has none
// that can be used.
func (n *network) linkLocal(ifc *core.Interface) wire.Addr {
	for _, a := range ifc.Addresses() {
		if x := a.Prefix.Addr; x.Is6() && x.IsLinkLocalUnicast() && a.Flags&(core.AddressTentative|core.AddressDADFailed) == 0 {
			return x
		}
	}
	return wire.Addr{}
}

// redirected takes a Redirect (RFC 4861 §8.3).
func (n *network) redirected(p *core.Packet, m wire.ICMPv6) bool {
	var o wire.NDOptions
	v, err := wire.ParseRedirect(m, p.Src, p.HopLimit, &o)
	if err != nil {
		return false
	}
	ifc := p.Interface
	c := n.conf(ifc)
	if !c.AcceptRedirects || c.Forwarding || !discovers(ifc) {
		return true
	}
	dst, target := v.Destination(), v.Target()
	if dst.Is4() || target.Is4() || dst.IsUnspecified() || dst.IsLinkLocalUnicast() {
		return false
	}
	r, err := n.in.Route(core.RouteQuery{Dst: dst, Src: dst})
	if err != nil || r.Type != core.RouteUnicast || r.Interface != ifc || r.Gateway != p.Src {
		return false // RFC 4861 §8.1: only the current first hop may redirect
	}
	u := core.NeighbourUpdate{HWAddr: o.TargetLL, HasHWAddr: o.Has&wire.NDHasTargetLL != 0, Override: true, Create: true, IsRouter: target != dst}
	ifc.LearnNeighbour(target, u)
	e := core.RouteEntry{Prefix: wire.HostPrefix(dst), Interface: ifc, Metric: redirectMetric, Type: core.RouteUnicast, Protocol: core.RouteByRedirect}
	if target != dst {
		e.Gateway = target
	}
	a := n.autoconf()
	for i, x := range a.redirects {
		if x.Prefix == e.Prefix && x.Interface == ifc {
			n.dropRedirect(i)
			break
		}
	}
	if len(a.redirects) >= maxRedirects {
		n.dropRedirect(0)
	}
	if n.in.AddRouteLocked(&e) == nil {
		a.redirects = append(a.redirects, &e)
	}
	return true
}

func (n *network) dropRedirect(i int) {
	e := n.auto.redirects[i]
	n.auto.redirects = append(n.auto.redirects[:i], n.auto.redirects[i+1:]...)
	_ = n.in.RemoveRouteLocked(e)
}

// forgetRedirects forgets what was learnt on a link.
func (n *network) forgetRedirects(ifc *core.Interface) {
	for i := len(n.auto.redirects) - 1; i >= 0; i-- {
		if n.auto.redirects[i].Interface == ifc {
			n.dropRedirect(i)
		}
	}
}
