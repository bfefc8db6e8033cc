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
type pathSet struct {
	list   []Nexthop
	object *nexthopObject // whose paths they are, nil if they are the route's
	reject bool           // the object leads nowhere
	v4     bool           // the object is of IPv4, or has a member that is
}

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
	is4 := e.Prefix.Addr.Is4()
	if len(e.Paths) > mostPaths || e.Type != RouteUnicast {
		return syscall.EINVAL
	}
	list := make([]Nexthop, len(e.Paths))
	for i, x := range e.Paths {
		if x.Weight == 0 {
			x.Weight = 1
		}
		if x.Weight < 1 || x.Weight > 256 || !is4 && x.Gateway.Is4() && !x.Gateway.IsUnspecified() {
			return syscall.EINVAL
		}
		if in.networkOf(x.Gateway) < 0 && !x.Gateway.IsUnspecified() {
			return syscall.EAFNOSUPPORT
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
// of hashes by its weight (fib_select_multipath, net/ipv4/fib_semantics.c; fib6_select_path,
// net/ipv6/route.c). A source that is an IPv4 address of one of their interfaces decides
// before the hash does. nil if no path can be used.
func (in *Instance) choose(paths []Nexthop, q *RouteQuery) *Nexthop {
	var total, own uint64
	ofSource := func(x *Nexthop) bool {
		return q.Src.Is4() && !q.Src.IsUnspecified() && x.Interface.Address(q.Src) != nil
	}
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
		flow = in.hashFlow(&FlowKey{Src: q.Src, Dst: q.Dst}, nil)
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
	// MultipathHash is fib_multipath_hash_policy and the fields of policy 3
	// (net.ipv4 and net.ipv6; Documentation/networking/ip-sysctl.rst).
	MultipathHash() (policy int, fields uint32)
}

// Fields of fib_multipath_hash_fields; those of an inner packet are six bits further.
const (
	hashSrc = 1 << iota
	hashDst
	hashProtocol
	hashLabel
	hashSrcPort
	hashDstPort
	hashAddrs = hashSrc | hashDst
	hashInner = 6
)

// Flow is what RouteQuery.Flow is for packets made here: 0 while no route has several
// paths. Ports are 0 where there are none. Inside an entry.
func (in *Instance) Flow(src, dst wire.Addr, protocol uint8, sport, dport uint16) uint32 {
	if in.routes.multipath == 0 {
		return 0
	}
	return in.FlowOf(&FlowKey{Src: src, Dst: dst, Protocol: protocol, SrcPort: sport, DstPort: dport}, nil)
}

// FlowOf is Flow by all that is known of a packet; inner is nil where it carries none.
func (in *Instance) FlowOf(outer, inner *FlowKey) uint32 {
	if in.routes.multipath == 0 {
		return 0
	}
	policy, fields := 0, uint32(0)
	if n, ok := in.Network(outer.Dst).(MultipathPolicy); ok {
		policy, fields = n.MultipathHash()
	}
	layer3 := func(k *FlowKey) uint32 { // ip_multipath_l3_keys; rt6_multipath_hash
		if k.Dst.Is4() {
			return hashAddrs
		}
		return hashAddrs | hashProtocol | hashLabel
	}
	var a, b FlowKey
	switch policy {
	case 0:
		a = outer.only(layer3(outer))
	case 1:
		a = outer.only(hashAddrs | hashProtocol | hashSrcPort | hashDstPort)
	case 2:
		if inner == nil {
			inner = outer
		}
		a = inner.only(layer3(inner))
	default:
		if a = outer.only(fields); inner != nil {
			b = inner.only(fields >> hashInner)
		}
	}
	return in.hashFlow(&a, &b)
}

// only has the fields of k that count.
func (k *FlowKey) only(fields uint32) (out FlowKey) {
	if fields&hashSrc != 0 {
		out.Src = k.Src
	}
	if fields&hashDst != 0 {
		out.Dst = k.Dst
	}
	if fields&hashProtocol != 0 {
		out.Protocol = k.Protocol
	}
	if fields&hashLabel != 0 {
		out.Label = k.Label
	}
	if fields&hashSrcPort != 0 {
		out.SrcPort = k.SrcPort
	}
	if fields&hashDstPort != 0 {
		out.DstPort = k.DstPort
	}
	return out
}

// hashFlow is never 0. It is keyed: nobody outside can choose a path.
func (in *Instance) hashFlow(a, b *FlowKey) uint32 {
	t := &in.routes
	if t.flowKey == 0 {
		t.flowKey = in.Random().Uint64() | 1
	}
	h := t.flowKey
	for _, k := range [...]*FlowKey{a, b} {
		if k == nil || *k == (FlowKey{}) {
			continue
		}
		src := k.Src
		if src.IsUnspecified() {
			src = wire.Addr{}
		}
		ports := uint64(k.Protocol)<<32 | uint64(k.SrcPort)<<16 | uint64(k.DstPort)
		for _, v := range [...]uint64{src.Lo, k.Dst.Lo, ports, src.Hi, k.Dst.Hi, uint64(k.Label)} {
			h = (h ^ v) * 0x9e3779b97f4a7c15
			h ^= h >> 29
			h = h * 0xbf58476d1ce4e5b9
			h ^= h >> 32
		}
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
