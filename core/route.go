package core

import (
	"syscall"

	"github.com/libos-go/libos/core/fib"
	"github.com/libos-go/libos/core/wire"
)

// RouteType is what happens to a packet that matches, with Linux's RTN_ numbers.
type RouteType uint8

const (
	RouteUnicast     RouteType = 1
	RouteLocal       RouteType = 2
	RouteBroadcast   RouteType = 3
	RouteAnycast     RouteType = 4
	RouteMulticast   RouteType = 5
	RouteBlackhole   RouteType = 6
	RouteUnreachable RouteType = 7
	RouteProhibit    RouteType = 8
	RouteThrow       RouteType = 9 // the look-up goes on as if the table had no route
)

// Routing tables that have a name, with Linux's RT_TABLE_ numbers.
const (
	TableDefault uint32 = 253
	TableMain    uint32 = 254
	TableLocal   uint32 = 255
)

// RouteProtocol is who made a route, with Linux's RTPROT_ numbers.
type RouteProtocol uint8

const (
	RouteByRedirect RouteProtocol = 1
	RouteByKernel   RouteProtocol = 2
	RouteByBoot     RouteProtocol = 3
	RouteByStatic   RouteProtocol = 4
	RouteByRA       RouteProtocol = 9
)

// RouteEntry is one route of the forwarding table.
type RouteEntry struct {
	Prefix    wire.Prefix
	Gateway   wire.Addr // unspecified when the destination is on the link
	Interface *Interface
	Source    wire.Addr // preferred source, unspecified to choose
	Metric    uint32
	// Table is the number of the routing table; 0 is local for routes of the types
	// local, broadcast, anycast and multicast, main for others.
	Table    uint32
	MTU      int // 0: the interface's
	Type     RouteType
	Protocol RouteProtocol
	Scope    Scope
	Expires  Time          // 0 never
	Metrics  *RouteMetrics // nil where it says nothing but the MTU; not to be changed
	// Paths are where a route leads that has several: Gateway and Interface are
	// those of the first. Not to be changed.
	Paths []Nexthop
	// NexthopID names the NexthopObject that Gateway, Interface and Paths are of; they
	// are not looked at when such a route is added. 0 for a route with ways of its own.
	NexthopID uint32
}

// routeNode is a RouteEntry as the table holds it: without the prefix, which is
// the table's key, and with what few routes have beside it.
type routeNode struct {
	next     *routeNode // of the same prefix, less preferred
	ifc      *Interface
	more     *routeMore // nil when all of it is zero
	metric   uint32
	typ      RouteType
	protocol RouteProtocol
	scope    Scope
	flags    nodeFlags
}

type nodeFlags uint8

const (
	nodeSelf  nodeFlags = 1 << iota // the preferred source is the prefix's own address
	nodeLocal                       // of the table local, which shares its tree with main
)

// routeMore is what routes of addresses hardly have.
type routeMore struct {
	gateway, source wire.Addr
	mtu             int
	expires         Time
	paths           *pathSet
	metrics         *RouteMetrics
}

func (e *RouteEntry) node() *routeNode {
	n := &routeNode{ifc: e.Interface, metric: e.Metric, typ: e.Type, protocol: e.Protocol, scope: e.Scope}
	m := routeMore{e.Gateway, e.Source, e.MTU, e.Expires, nil, e.Metrics}
	if len(e.Paths) > 1 {
		m.paths = &pathSet{list: e.Paths}
	}
	if m.source == e.Prefix.Addr && !m.source.IsUnspecified() {
		n.flags, m.source = nodeSelf, wire.Addr{}
	}
	if e.table() == TableLocal {
		n.flags |= nodeLocal
	}
	if m != (routeMore{}) {
		kept := m
		n.more = &kept
	}
	return n
}

// table is the number of the table that e belongs to.
func (e *RouteEntry) table() uint32 {
	if e.Table != 0 {
		return e.Table
	}
	switch e.Type {
	case RouteLocal, RouteBroadcast, RouteAnycast, RouteMulticast:
		return TableLocal
	}
	return TableMain
}

// entry is the route as it was added, p being its prefix and table that of the tree
// that holds it.
func (n *routeNode) entry(p wire.Prefix, table uint32) RouteEntry {
	e := RouteEntry{Prefix: p, Interface: n.ifc, Metric: n.metric, Table: table, Type: n.kind(), Protocol: n.protocol, Scope: n.scope}
	if n.isOwn() {
		e.Table = TableLocal
	}
	if n.flags&nodeSelf != 0 {
		e.Source = p.Addr
	}
	if m := n.more; m != nil {
		e.Gateway, e.MTU, e.Expires, e.Paths, e.Metrics = m.gateway, m.mtu, m.expires, n.paths(), m.metrics
		if n.flags&nodeSelf == 0 {
			e.Source = m.source
		}
		if x := n.object(); x != nil {
			e.NexthopID = x.ID
			if len(e.Paths) > 0 {
				e.Gateway, e.Interface = e.Paths[0].Gateway, e.Paths[0].Interface
			}
			if len(e.Paths) < 2 {
				e.Paths = nil
			}
		}
	}
	return e
}

func (n *routeNode) gateway() wire.Addr {
	if n.more == nil {
		return wire.Addr{}
	}
	return n.more.gateway
}

func (n *routeNode) expires() Time {
	if n.more == nil {
		return 0
	}
	return n.more.expires
}

// isOwn tells whether the route is of Linux's local table, which is asked first.
func (n *routeNode) isOwn() bool { return n.flags&nodeLocal != 0 }

// Route is the result of a look-up, shared and immutable but for its neighbour.
// It holds until Valid says otherwise.
type Route struct {
	Interface *Interface
	Gateway   wire.Addr // the next hop on the link: the gateway or the destination
	Src       wire.Addr
	Dst       wire.Addr
	MTU       int           // path MTU as far as known
	LinkMTU   int           // without what ICMP told: for packets of others
	Metrics   *RouteMetrics // of the entry, nil for none
	neighbour *Neighbour
	expires   Time      // of the entry or of the path MTU in MTU, 0 never
	asked     wire.Addr // RouteQuery.Src
	oif       int32     // RouteQuery.Interface
	flow      uint32    // RouteQuery.Flow
	gen       uint32
	table     uint32 // that answered, where rules were asked
	onLink    bool   // RouteQuery.OnLink
	Type      RouteType
}

// answers tells whether r is the result of the look-up q.
func (r *Route) answers(q *RouteQuery) bool {
	return r.Dst == q.Dst && r.asked == q.Src && int(r.oif) == q.Interface && r.onLink == q.OnLink && r.flow == q.Flow
}

// Valid tells whether the tables are as they were at the look-up.
func (r *Route) Valid() bool {
	in := r.Interface.instance
	return r.gen == in.routes.gen && (r.expires == 0 || in.domain.now < r.expires)
}

// RouteGeneration changes whenever routes, addresses, interfaces or path MTUs
// do: what was concluded from them holds while it stays.
func (in *Instance) RouteGeneration() uint32 { return in.routes.gen }

// Local tells whether the destination is this instance.
func (r *Route) Local() bool { return r.Type == RouteLocal }

// RouteQuery asks for a route.
type RouteQuery struct {
	Dst       wire.Addr
	Src       wire.Addr // unspecified to choose
	Interface int       // index of the interface to use, 0 for any
	OnLink    bool      // by no gateway (SO_DONTROUTE)
	// Flow chooses among several paths of a route (Instance.Flow); 0 has the addresses
	// choose.
	Flow uint32
	// Selector is what rules see beside the rest; nil for a packet made here of which
	// nothing more is known. Not kept.
	Selector *Selector
}

// routeTable is the forwarding table of an instance with a small cache of
// results in front.
type routeTable struct {
	fib   fib.Table[*routeNode] // main and local: the most preferred of each prefix
	cache []*Route              // direct mapped, a power of two
	pmtu  map[wire.Addr]pathMTU
	miss  uint32
	gen   uint32 // see RouteGeneration

	policy *policy // nil while there are the rules and tables that every host has

	nexthops *nexthopTable // nil until there is the first

	multipath int    // how many routes have several paths
	flowKey   uint64 // 0 until the first choice among them
}

type pathMTU struct {
	mtu     int
	expires Time
}

const routeCacheMax = 1024

// Route finds the way to q.Dst, by the cache or by the tables. Errors as
// connect(2) reports them: ENETUNREACH, EHOSTUNREACH, EACCES (prohibit), EINVAL
// (blackhole), EADDRNOTAVAIL (no source address). Inside an entry.
func (in *Instance) Route(q RouteQuery) (*Route, error) {
	if in.HasRules(!q.Dst.Is4()) {
		return in.routeByPolicy(&q)
	}
	t := &in.routes // as remembered does, without a call
	if n := len(t.cache); n > 0 {
		if r := t.cache[q.hash()&uint32(n-1)]; r != nil && r.answers(&q) && r.gen == t.gen && (r.expires == 0 || in.domain.now < r.expires) {
			return r, nil
		}
	}
	r, err := in.lookup(&q)
	if err == nil {
		in.remember(r, &q, 0)
	}
	return r, err
}

// remembered is the answer of a table that the cache has, or nil.
func (in *Instance) remembered(q *RouteQuery, table uint32) *Route {
	t := &in.routes
	if n := len(t.cache); n > 0 {
		r := t.cache[q.hash()&uint32(n-1)]
		if r != nil && r.answers(q) && r.gen == t.gen && r.table == table && (r.expires == 0 || in.domain.now < r.expires) {
			return r
		}
	}
	return nil
}

func (in *Instance) remember(r *Route, q *RouteQuery, table uint32) {
	t := &in.routes
	r.asked, r.oif, r.onLink, r.flow, r.gen, r.table = q.Src, int32(q.Interface), q.OnLink, q.Flow, t.gen, table
	if t.miss++; int(t.miss) > len(t.cache) && len(t.cache) < routeCacheMax {
		t.cache = make([]*Route, max(2, 2*len(t.cache)))
		t.miss = 0
	}
	t.cache[q.hash()&uint32(len(t.cache)-1)] = r
}

func (q *RouteQuery) hash() uint32 {
	h := q.Dst.Lo ^ q.Dst.Hi*0x9e3779b97f4a7c15 ^ q.Src.Lo*0xc2b2ae3d27d4eb4f ^ q.Src.Hi ^ uint64(q.Interface) ^ uint64(q.Flow)<<32
	h *= 0x9e3779b97f4a7c15
	return uint32(h >> 32)
}

// found is what a look-up found: a route and the table it is of, or the error of a
// rule; neither if nothing answers.
type found struct {
	prefix wire.Prefix
	node   *routeNode
	table  uint32 // of the tree: main stands for local, too
	err    syscall.Errno
}

// find is the most preferred route to q.Dst of those that can be used.
func (in *Instance) find(q *RouteQuery) found {
	if in.routes.policy != nil {
		return in.findByPolicy(q)
	}
	p, n := in.search(&in.routes.fib, q, bothTables)
	if n != nil && n.typ == RouteThrow {
		n = nil
	}
	return found{prefix: p, node: n, table: TableMain}
}

// Which routes of a tree count.
const (
	bothTables = iota
	onlyMain
	onlyLocal
)

// search looks in one tree.
func (in *Instance) search(t *fib.Table[*routeNode], q *RouteQuery, which int) (wire.Prefix, *routeNode) {
	var e *routeNode
	now := in.domain.now
	_, p, _ := t.LookupFunc(q.Dst, func(_ wire.Prefix, first *routeNode) bool {
		for c := first; c != nil; c = c.next {
			if which != bothTables && c.isOwn() != (which == onlyLocal) {
				continue
			}
			if x := c.expires(); x != 0 && x <= now {
				continue
			}
			if paths := c.paths(); paths != nil {
				if c.kind() != RouteBlackhole && in.choose(paths, q) == nil {
					continue
				}
				e = c
				return true
			}
			if c.ifc != nil && !c.ifc.Up() && c.typ != RouteLocal {
				continue
			}
			if q.Interface != 0 && c.typ != RouteLocal && (c.ifc == nil || c.ifc.index != q.Interface) {
				continue
			}
			if q.OnLink && !c.gateway().IsUnspecified() {
				continue
			}
			e = c
			return true
		}
		return false
	})
	return p, e
}

// addressType tells what an address is to this instance by its routes: local,
// broadcast, or anything else; 0 if it has none. Rules have no say
// (inet_addr_type, net/ipv4/fib_frontend.c).
func (in *Instance) addressType(a wire.Addr) RouteType {
	if _, n := in.search(&in.routes.fib, &RouteQuery{Dst: a}, bothTables); n != nil {
		return n.kind()
	}
	return 0
}

func (in *Instance) lookup(q *RouteQuery) (*Route, error) { return in.resolve(q, in.find(q)) }

// resolve makes a route of what was found.
func (in *Instance) resolve(q *RouteQuery, f found) (*Route, error) {
	n := f.node
	if f.err != 0 {
		return nil, f.err
	}
	if n == nil {
		return in.lookupLink(q)
	}
	switch n.kind() {
	case RouteBlackhole:
		return nil, syscall.EINVAL
	case RouteUnreachable:
		return nil, syscall.EHOSTUNREACH
	case RouteProhibit:
		return nil, syscall.EACCES
	}
	e := n.entry(f.prefix, f.table)
	if e.Paths != nil {
		x := in.choose(e.Paths, q)
		e.Gateway, e.Interface = x.Gateway, x.Interface
	}
	r := &Route{Interface: e.Interface, Dst: q.Dst, Src: q.Src, Type: e.Type, Gateway: e.Gateway, MTU: e.Interface.MTU(), Metrics: e.Metrics, expires: e.Expires}
	if e.Gateway.IsUnspecified() {
		r.Gateway = q.Dst
	}
	if e.MTU != 0 && e.MTU < r.MTU {
		r.MTU = e.MTU
	}
	if e.Type == RouteLocal {
		r.MTU = 65535
		if lo := in.loopback; lo != nil {
			r.MTU = lo.MTU()
		}
	}
	return in.finish(r, e.Source)
}

// lookupLink finds a way for destinations that need no table: multicast, the
// limited broadcast, link-local and point-to-point by a named interface.
func (in *Instance) lookupLink(q *RouteQuery) (*Route, error) {
	typ := RouteUnicast
	switch {
	case q.Dst.IsMulticast():
		typ = RouteMulticast
	case q.Dst.IsBroadcast():
		typ = RouteBroadcast
	case q.Interface == 0:
		return nil, syscall.ENETUNREACH
	}
	for _, ifc := range in.interfaces {
		if ifc == nil || !ifc.Up() || (q.Interface != 0 && ifc.index != q.Interface) {
			continue
		}
		if q.Interface == 0 && (ifc.flags&FlagIsLoopback != 0 ||
			typ == RouteMulticast && ifc.flags&FlagMulticast == 0 || typ == RouteBroadcast && ifc.flags&FlagBroadcast == 0) {
			continue
		}
		if q.Interface == 0 && !q.Src.IsUnspecified() && ifc.Address(q.Src) == nil {
			continue
		}
		return in.finish(&Route{Interface: ifc, Gateway: q.Dst, Dst: q.Dst, Src: q.Src, MTU: ifc.MTU(), Type: typ}, wire.Addr{})
	}
	return nil, syscall.ENETUNREACH
}

// finish chooses the source address and applies a learnt path MTU.
func (in *Instance) finish(r *Route, preferred wire.Addr) (*Route, error) {
	n := in.networkOf(r.Dst)
	if n < 0 {
		return nil, syscall.EAFNOSUPPORT
	}
	if r.Src.IsUnspecified() {
		switch {
		case r.Type == RouteLocal:
			r.Src = r.Dst
		case !preferred.IsUnspecified():
			r.Src = preferred
		default:
			src, ok := in.networks[n].Source(r.Interface, r.Dst)
			if !ok {
				return nil, syscall.EADDRNOTAVAIL
			}
			r.Src = src
		}
	}
	if m, ok := in.networks[n].(interface{ InterfaceMTU(*Interface) int }); ok && r.Type != RouteLocal {
		r.MTU = min(r.MTU, m.InterfaceMTU(r.Interface))
	}
	r.LinkMTU = r.MTU
	if len(in.routes.pmtu) == 0 {
		return r, nil
	}
	if p, ok := in.routes.pmtu[r.Dst]; ok {
		if p.expires != 0 && p.expires <= in.domain.now {
			delete(in.routes.pmtu, r.Dst)
		} else if p.mtu < r.MTU {
			r.MTU = p.mtu
			if r.expires == 0 || p.expires != 0 && p.expires < r.expires {
				r.expires = p.expires
			}
		}
	}
	return r, nil
}

// SetPathMTU remembers a path MTU learnt by ICMP until expires (0: until
// forgotten). It keeps at most 4096 destinations.
func (in *Instance) SetPathMTU(dst wire.Addr, mtu int, expires Time) {
	if in.routes.pmtu == nil {
		in.routes.pmtu = make(map[wire.Addr]pathMTU)
	}
	if len(in.routes.pmtu) >= 4096 {
		clear(in.routes.pmtu)
	}
	in.routes.pmtu[dst] = pathMTU{mtu, expires}
	in.invalidateRoutes()
}

// InvalidateRoutes makes every result of Route be looked up again. A network
// protocol calls it when the standing of an address or the MTU of a link
// changed. Inside an entry.
func (in *Instance) InvalidateRoutes() { in.invalidateRoutes() }

// invalidateRoutes makes every cached route be looked up again.
func (in *Instance) invalidateRoutes() {
	in.routes.gen++
	clear(in.routes.cache)
}

// MatchLocked is the route that answers q, false if there is none. Inside an entry.
func (in *Instance) MatchLocked(q RouteQuery) (RouteEntry, bool) {
	f := in.find(&q)
	if f.node == nil {
		return RouteEntry{}, false
	}
	return f.node.entry(f.prefix, f.table), true
}
