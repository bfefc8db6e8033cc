package netlink

import (
	"encoding/binary"
	"slices"
	"syscall"

	"github.com/libos-go/libos/core"
)

// Routes with several next hops: struct rtnexthop in RTA_MULTIPATH (fib_get_nhs,
// fib_nh_match, fib_add_multipath, net/ipv4/fib_semantics.c).

const (
	sizeofNexthop   = 8
	nexthopDead     = 1
	nexthopLinkDown = 16
	mostNexthops    = 256
)

// nexthops reads RTA_MULTIPATH.
func (r *request) nexthops(x attribute) (list []core.Nexthop, err error) {
	ne, b, at := binary.NativeEndian, x.data, x.at+4
	for len(b) > 0 {
		if len(b) < sizeofNexthop {
			return nil, refuseAt(at, syscall.EINVAL, "next hop is too short")
		}
		n := int(ne.Uint16(b))
		if n < sizeofNexthop || n > len(b) {
			return nil, refuseAt(at, syscall.EINVAL, "next hop with a length that is not its own")
		}
		if len(list) == mostNexthops {
			return nil, refuseAt(at, syscall.EINVAL, "too many next hops")
		}
		nested, err := parseAttributes(b[sizeofNexthop:n], at+sizeofNexthop)
		if err != nil {
			return nil, err
		}
		hop := core.Nexthop{Weight: int(b[3]) + 1, OnLink: b[2]&nexthopOnLink != 0}
		if hop.Interface, err = r.outOf(int(int32(ne.Uint32(b[4:])))); err != nil {
			return nil, err
		}
		if hop.Gateway, err = r.gateway(nested); err != nil {
			return nil, err
		}
		list = append(list, hop)
		n = min(align(n), len(b))
		b, at = b[n:], at+n
	}
	if len(list) == 0 {
		return nil, refuseAt(x.at, syscall.EINVAL, "there is no next hop")
	}
	for i := range list { // rtm_to_fib6_multipath_config, ip6_route_multipath_add
		if r.family() == afInet6 && list[i].Gateway.IsUnspecified() {
			return nil, refuseAt(x.at, syscall.EINVAL, "a path of IPv6 among several has a gateway")
		}
	}
	return list, nil
}

// outOf is the interface with a number, nil for 0.
func (r *request) outOf(index int) (*core.Interface, error) {
	if index == 0 {
		return nil, nil
	}
	ifc := r.in.InterfaceByIndex(index)
	if ifc == nil {
		return nil, refuse(syscall.ENODEV, "there is no interface with that index")
	}
	return ifc, nil
}

// hopsOf are the paths of a route, be it one.
func hopsOf(e *core.RouteEntry) []core.Nexthop {
	if len(e.Paths) > 0 {
		return e.Paths
	}
	return []core.Nexthop{{Gateway: e.Gateway, Interface: e.Interface, Weight: 1}}
}

// anyHop tells whether something is true of an interface that a route leads out by.
func anyHop(e *core.RouteEntry, is func(*core.Interface) bool) bool {
	return slices.ContainsFunc(hopsOf(e), func(x core.Nexthop) bool { return is(x.Interface) })
}

// sameHops tells whether a route has the paths that a request names, in their order:
// what it leaves open is not compared.
func sameHops(has, named []core.Nexthop) bool {
	if len(has) != len(named) {
		return false
	}
	for i := range named {
		a, b := &has[i], &named[i]
		if b.Weight > 1 && a.Weight != b.Weight || b.Interface != nil && a.Interface != b.Interface ||
			!b.Gateway.IsUnspecified() && a.Gateway != b.Gateway {
			return false
		}
	}
	return true
}

// joins finds the route whose paths e becomes more of: of IPv6, with gateways, as e is
// (rt6_qualify_for_ecmp, include/net/ip6_fib.h). nil if there is none.
func (r *request) joins(e *core.RouteEntry) *core.RouteEntry {
	if r.family() != afInet6 || e.Type != core.RouteUnicast || e.NexthopID != 0 || hopsOf(e)[0].Gateway.IsUnspecified() {
		return nil
	}
	for _, x := range r.in.RoutesLocked() {
		if x.Prefix == e.Prefix && x.Metric == e.Metric && x.Table == e.Table && x.Type == core.RouteUnicast && x.NexthopID == 0 &&
			!hopsOf(&x)[0].Gateway.IsUnspecified() && x.Protocol != core.RouteByRA && x.Protocol != core.RouteByRedirect {
			return &x
		}
	}
	return nil
}

// join adds the paths of e to those of the route x. A single one is told of before those
// that were there (inet6_rt_notify).
func (r *request) join(x, e *core.RouteEntry) error {
	more := hopsOf(e)
	for i := range more {
		if h := &more[i]; h.Interface == nil {
			if rt, err := r.in.Route(core.RouteQuery{Dst: h.Gateway}); err == nil {
				h.Interface = rt.Interface
			}
		}
	}
	all := *x
	all.Paths = slices.Clone(hopsOf(x))
	for _, h := range more {
		if indexOfHop(all.Paths, &h) >= 0 {
			return refuse(syscall.EEXIST, "the route has that next hop")
		}
		all.Paths = append(all.Paths, h)
	}
	news := all
	if len(more) == 1 {
		news.Paths = slices.Concat(more, hopsOf(x))
	}
	return r.in.ReplaceRouteLocked(x, &all, &news, false)
}

// indexOfHop is the place of a path among others; -1 if it is not there. An interface
// that is not named may be any.
func indexOfHop(list []core.Nexthop, h *core.Nexthop) int {
	return slices.IndexFunc(list, func(x core.Nexthop) bool {
		return x.Gateway == h.Gateway && (h.Interface == nil || x.Interface == h.Interface)
	})
}

// leave takes one path from a route of IPv6, of which those are told that hear of routes.
func (r *request) leave(x *core.RouteEntry, h *core.Nexthop) error {
	i := indexOfHop(hopsOf(x), h)
	if len(x.Paths) == 0 {
		return r.in.RemoveRouteLocked(x)
	}
	gone, rest := *x, *x
	gone.Gateway, gone.Interface, gone.Paths = x.Paths[i].Gateway, x.Paths[i].Interface, nil
	rest.Paths = slices.Delete(slices.Clone(x.Paths), i, i+1)
	return r.in.ReplaceRouteLocked(x, &rest, &gone, true)
}

// hopFlags are the RTNH_F_… of a way out.
func hopFlags(ifc *core.Interface) uint8 {
	switch {
	case ifc == nil:
		return 0
	case !ifc.Up():
		return nexthopDead | nexthopLinkDown
	case !ifc.Carrier():
		return nexthopLinkDown
	}
	return 0
}

// routeFlags are the flags of a route as a whole.
func routeFlags(e *core.RouteEntry, flagsOf func(*core.Interface) uint8) uint32 {
	if e.Type != core.RouteUnicast && e.Type != core.RouteBroadcast {
		return 0
	}
	flags := uint8(nexthopLinkDown)
	for _, x := range hopsOf(e) {
		flags &= flagsOf(x.Interface)
	}
	return uint32(flags)
}

func writeHops(w *writer, list []core.Nexthop, is4 bool, flagsOf func(*core.Interface) uint8) {
	at := w.nest(rtaMultipath)
	for _, x := range list {
		begin := len(w.b)
		flags := flagsOf(x.Interface)
		if x.OnLink {
			flags |= nexthopOnLink
		}
		w.u16(0)
		w.u8(flags, uint8(min(x.Weight, 256)-1))
		index := 0 // a blackhole of a stack without lo
		if x.Interface != nil {
			index = x.Interface.Index()
		}
		w.u32(uint32(index))
		if !x.Gateway.IsUnspecified() {
			writeGateway(w, x.Gateway, is4)
		}
		w.endNest(begin)
	}
	w.endNest(at)
}
