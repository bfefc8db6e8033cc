package core

import (
	"slices"
	"syscall"

	"github.com/libos-go/libos/core/wire"
)

// Nexthop is one of several paths of a route.
type Nexthop struct {
	Gateway   wire.Addr // unspecified when the destination is on the link
	Interface *Interface
	Weight    int // its share, 1 to 256; 0 is 1
	OnLink    bool
}

// mostPaths bounds the paths of a route.
const mostPaths = 256

// pathSet is what a route with several paths has of them, in the order given.
type pathSet struct{ list []Nexthop }

// uses tells whether the route leads out by ifc.
func (n *routeNode) uses(ifc *Interface) bool {
	for _, x := range n.paths() {
		if x.Interface == ifc {
			return true
		}
	}
	return n.ifc == ifc
}

// alive tells whether the route has several paths of which one is up.
func (n *routeNode) alive() bool {
	return slices.ContainsFunc(n.paths(), func(x Nexthop) bool { return x.Interface.Up() })
}

func (n *routeNode) paths() []Nexthop {
	if n.more == nil || n.more.paths == nil {
		return nil
	}
	return n.more.paths.list
}

// checkPaths completes the paths of a route: with interfaces that gateways tell, weights,
// and the first as the route's own. EINVAL for paths that cannot be, ENETUNREACH for a
// gateway that is on no link.
func (in *Instance) checkPaths(e *RouteEntry) error {
	if len(e.Paths) > mostPaths || e.Type != RouteUnicast || !e.Prefix.Addr.Is4() {
		return syscall.EINVAL
	}
	list := make([]Nexthop, len(e.Paths))
	for i, x := range e.Paths {
		if x.Weight == 0 {
			x.Weight = 1
		}
		if x.Weight < 1 || x.Weight > 256 || !x.Gateway.IsUnspecified() && !x.Gateway.Is4() {
			return syscall.EINVAL
		}
		if x.Interface == nil {
			var err error
			if x.Interface, err = in.linkOf(x.Gateway); err != nil {
				return err
			}
		}
		list[i] = x
	}
	e.Gateway, e.Interface = list[0].Gateway, list[0].Interface
	if len(list) == 1 {
		list = nil
	}
	e.Paths = list
	return nil
}

// usable tells whether the path may be taken for a query.
func (x *Nexthop) usable(q *RouteQuery) bool {
	return x.Interface.Up() && (q.Interface == 0 || x.Interface.index == q.Interface) && (!q.OnLink || x.Gateway.IsUnspecified())
}

// choose is the path of a flow: each of those that can be used has a part of the space
// of hashes by its weight (fib_select_multipath, net/ipv4/fib_semantics.c). A source that
// is an address of one of their interfaces decides before the hash does. nil if no path
// can be used.
func (in *Instance) choose(paths []Nexthop, q *RouteQuery) *Nexthop {
	var total, own uint64
	ofSource := func(x *Nexthop) bool { return !q.Src.IsUnspecified() && x.Interface.Address(q.Src) != nil }
	for i := range paths {
		if x := &paths[i]; x.usable(q) {
			total += uint64(x.Weight)
			if ofSource(x) {
				own += uint64(x.Weight)
			}
		}
	}
	if total == 0 {
		return nil
	}
	flow := q.Flow
	if flow == 0 {
		flow = in.hashFlow(q.Src, q.Dst, 0)
	}
	if own != 0 {
		total = own
	}
	at := uint64(flow) * total >> 32
	for i := range paths {
		x := &paths[i]
		if !x.usable(q) || own != 0 && !ofSource(x) {
			continue
		}
		if at < uint64(x.Weight) {
			return x
		}
		at -= uint64(x.Weight)
	}
	return nil
}

// MultipathPolicy is a Network that says what of a packet chooses among several paths.
type MultipathPolicy interface {
	// MultipathPorts tells whether ports count beside addresses
	// (net.ipv4.fib_multipath_hash_policy 1).
	MultipathPorts() bool
}

// Flow is what RouteQuery.Flow is for a packet: 0 while no route has several paths.
// Ports are 0 where there are none. Inside an entry.
func (in *Instance) Flow(src, dst wire.Addr, protocol uint8, sport, dport uint16) uint32 {
	if in.routes.multipath == 0 || !dst.Is4() {
		return 0
	}
	more := uint64(0)
	if n, ok := in.Network(dst).(MultipathPolicy); ok && n.MultipathPorts() {
		more = uint64(protocol)<<32 | uint64(sport)<<16 | uint64(dport)
	}
	return in.hashFlow(src, dst, more)
}

// hashFlow is never 0. It is keyed: nobody outside can choose a path.
func (in *Instance) hashFlow(src, dst wire.Addr, more uint64) uint32 {
	t := &in.routes
	if t.flowKey == 0 {
		t.flowKey = in.Random().Uint64() | 1
	}
	if src.IsUnspecified() {
		src = wire.Addr{}
	}
	h := t.flowKey
	for _, v := range [...]uint64{src.Lo, dst.Lo, more} {
		h = (h ^ v) * 0x9e3779b97f4a7c15
		h ^= h >> 29
		h = h * 0xbf58476d1ce4e5b9
		h ^= h >> 32
	}
	return uint32(h>>32) | 1
}

// LeadsBy tells whether a route to a leads out by ifc, be it one of several paths. Inside
// an entry.
func (in *Instance) LeadsBy(a wire.Addr, ifc *Interface) bool {
	f := in.find(&RouteQuery{Dst: a})
	return f.node != nil && f.node.uses(ifc)
}

// Multipath tells whether any route has several paths. Inside an entry.
func (in *Instance) Multipath() bool { return in.routes.multipath > 0 }
