package core

import (
	"fmt"
	"strings"
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
	MTU       int // 0: the interface's
	Type      RouteType
	Protocol  RouteProtocol
	Scope     Scope
	Expires   Time // 0 never
	// Paths are where an IPv4 route leads that has several: Gateway and Interface are
	// those of the first. Not to be changed.
	Paths []Nexthop
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
	self     bool // the preferred source is the prefix's own address
}

// routeMore is what routes of addresses hardly have.
type routeMore struct {
	gateway, source wire.Addr
	mtu             int
	expires         Time
	paths           *pathSet
}

func (e *RouteEntry) node() *routeNode {
	n := &routeNode{ifc: e.Interface, metric: e.Metric, typ: e.Type, protocol: e.Protocol, scope: e.Scope}
	m := routeMore{e.Gateway, e.Source, e.MTU, e.Expires, nil}
	if len(e.Paths) > 1 {
		m.paths = &pathSet{e.Paths}
	}
	if m.source == e.Prefix.Addr && !m.source.IsUnspecified() {
		n.self, m.source = true, wire.Addr{}
	}
	if m != (routeMore{}) {
		kept := m
		n.more = &kept
	}
	return n
}

// entry is the route as it was added, p being its prefix.
func (n *routeNode) entry(p wire.Prefix) RouteEntry {
	e := RouteEntry{Prefix: p, Interface: n.ifc, Metric: n.metric, Type: n.typ, Protocol: n.protocol, Scope: n.scope}
	if n.self {
		e.Source = p.Addr
	}
	if m := n.more; m != nil {
		e.Gateway, e.MTU, e.Expires, e.Paths = m.gateway, m.mtu, m.expires, n.paths()
		if !n.self {
			e.Source = m.source
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
func (n *routeNode) isOwn() bool { return n.typ == RouteLocal || n.typ == RouteBroadcast }

// Route is the result of a look-up, shared and immutable but for its neighbour.
// It holds until Valid says otherwise.
type Route struct {
	Interface *Interface
	Gateway   wire.Addr // the next hop on the link: the gateway or the destination
	Src       wire.Addr
	Dst       wire.Addr
	MTU       int // path MTU as far as known
	LinkMTU   int // without what ICMP told: for packets of others
	neighbour *Neighbour
	expires   Time      // of the entry or of the path MTU in MTU, 0 never
	asked     wire.Addr // RouteQuery.Src
	oif       int32     // RouteQuery.Interface
	flow      uint32    // RouteQuery.Flow
	gen       uint32
	onLink    bool // RouteQuery.OnLink
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
}

// routeTable is the forwarding table of an instance with a small cache of
// results in front.
type routeTable struct {
	fib   fib.Table[*routeNode] // the most preferred of each prefix
	cache []*Route              // direct mapped, a power of two
	pmtu  map[wire.Addr]pathMTU
	miss  uint32
	gen   uint32 // see RouteGeneration

	multipath int    // how many routes have several paths
	flowKey   uint64 // 0 until the first choice among them
}

type pathMTU struct {
	mtu     int
	expires Time
}

const routeCacheMax = 1024

// Route finds the way to q.Dst, by the cache or by the table. Errors as
// connect(2) reports them: ENETUNREACH, EHOSTUNREACH, EACCES (prohibit), EINVAL
// (blackhole), EADDRNOTAVAIL (no source address). Inside an entry.
func (in *Instance) Route(q RouteQuery) (*Route, error) {
	t := &in.routes
	h := q.hash()
	if n := len(t.cache); n > 0 {
		if r := t.cache[h&uint32(n-1)]; r != nil && r.answers(&q) && r.gen == in.routes.gen && (r.expires == 0 || in.domain.now < r.expires) {
			return r, nil
		}
	}
	r, err := in.lookup(q)
	if err != nil {
		return nil, err
	}
	r.asked, r.oif, r.onLink, r.flow, r.gen = q.Src, int32(q.Interface), q.OnLink, q.Flow, in.routes.gen
	if t.miss++; int(t.miss) > len(t.cache) && len(t.cache) < routeCacheMax {
		t.cache = make([]*Route, max(2, 2*len(t.cache)))
		t.miss = 0
	}
	t.cache[h&uint32(len(t.cache)-1)] = r
	return r, nil
}

func (q *RouteQuery) hash() uint32 {
	h := q.Dst.Lo ^ q.Dst.Hi*0x9e3779b97f4a7c15 ^ q.Src.Lo*0xc2b2ae3d27d4eb4f ^ q.Src.Hi ^ uint64(q.Interface) ^ uint64(q.Flow)<<32
	h *= 0x9e3779b97f4a7c15
	return uint32(h >> 32)
}

// find is the most preferred route to q.Dst of those that can be used, nil if
// there is none.
func (in *Instance) find(q RouteQuery) (wire.Prefix, *routeNode) {
	var e *routeNode
	now := in.domain.now
	_, p, _ := in.routes.fib.LookupFunc(q.Dst, func(_ wire.Prefix, first *routeNode) bool {
		for c := first; c != nil; c = c.next {
			if x := c.expires(); x != 0 && x <= now {
				continue
			}
			if paths := c.paths(); paths != nil {
				if in.choose(paths, &q) == nil {
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
// broadcast, or anything else; 0 if it has none.
func (in *Instance) addressType(a wire.Addr) RouteType {
	if _, n := in.find(RouteQuery{Dst: a}); n != nil {
		return n.typ
	}
	return 0
}

func (in *Instance) lookup(q RouteQuery) (*Route, error) {
	prefix, n := in.find(q)
	if n == nil {
		return in.lookupLink(q)
	}
	switch n.typ {
	case RouteBlackhole:
		return nil, syscall.EINVAL
	case RouteUnreachable:
		return nil, syscall.EHOSTUNREACH
	case RouteProhibit:
		return nil, syscall.EACCES
	}
	e := n.entry(prefix)
	if e.Paths != nil {
		x := in.choose(e.Paths, &q)
		e.Gateway, e.Interface = x.Gateway, x.Interface
	}
	r := &Route{Interface: e.Interface, Dst: q.Dst, Src: q.Src, Type: e.Type, Gateway: e.Gateway, MTU: e.Interface.MTU(), expires: e.Expires}
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
func (in *Instance) lookupLink(q RouteQuery) (*Route, error) {
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

// AddRoute adds a route. EEXIST if one with the same prefix and metric (for
// IPv6 also interface and gateway) is there, ENETUNREACH if the gateway is on no link, EINVAL if it makes no sense.
func (in *Instance) AddRoute(e RouteEntry) error {
	var err error
	in.domain.Do(func() { err = in.AddRouteLocked(&e) })
	return err
}

// AddRouteLocked is AddRoute inside an entry. It completes e: with the type
// and, where the gateway tells it, the interface.
func (in *Instance) AddRouteLocked(e *RouteEntry) error {
	if e.Type == 0 {
		e.Type = RouteUnicast
	}
	is4 := e.Prefix.Addr.Is4()
	if is4 && e.Prefix.Bits > 32 || e.Prefix.Bits > 128 || e.Prefix.Masked() != e.Prefix {
		return syscall.EINVAL
	}
	if in.networkOf(e.Prefix.Addr) < 0 {
		return syscall.EAFNOSUPPORT
	}
	if e.Type == RouteUnicast {
		if !e.Gateway.IsUnspecified() && e.Gateway.Is4() != is4 {
			return syscall.EINVAL
		}
		if len(e.Paths) > 0 {
			if err := in.checkPaths(e); err != nil {
				return err
			}
		}
		if e.Interface == nil {
			var err error
			if e.Interface, err = in.linkOf(e.Gateway); err != nil {
				return err
			}
		}
	}
	first, _ := in.routes.fib.Exact(e.Prefix)
	for x := first; x != nil; x = x.next {
		if x.metric == e.Metric && (x.typ == e.Type || is4) && (x.ifc == e.Interface && x.gateway() == e.Gateway || is4 && !x.isOwn()) {
			return syscall.EEXIST
		}
	}
	n := e.node()
	at := &first
	for *at != nil && !n.before(*at) {
		at = &(*at).next
	}
	n.next, *at = *at, n
	in.routes.fib.Insert(e.Prefix, first)
	if n.paths() != nil {
		in.routes.multipath++
	}
	in.routesChanged(e, false)
	return nil
}

// before orders routes of one prefix: those of the local table before the rest,
// then by metric.
func (n *routeNode) before(o *routeNode) bool {
	if n.isOwn() != o.isOwn() {
		return n.isOwn()
	}
	return n.metric < o.metric
}

// RemoveRoute removes the first route that has the prefix and, where they are
// given, the gateway, interface, metric and type. ESRCH if there is none.
func (in *Instance) RemoveRoute(like RouteEntry) error {
	var err error
	in.domain.Do(func() { err = in.RemoveRouteLocked(&like) })
	return err
}

// linkOf is the interface on whose link a gateway is: ENODEV if there is no gateway,
// ENETUNREACH if it is on no link.
func (in *Instance) linkOf(gateway wire.Addr) (*Interface, error) {
	if gateway.IsUnspecified() {
		return nil, syscall.ENODEV
	}
	r, err := in.lookup(RouteQuery{Dst: gateway})
	if err != nil || r.Type != RouteUnicast || r.Gateway != gateway {
		return nil, syscall.ENETUNREACH
	}
	return r.Interface, nil
}

// RemoveRouteLocked is RemoveRoute inside an entry.
func (in *Instance) RemoveRouteLocked(like *RouteEntry) error { return in.removeRoute(like, false) }

// removeRoute is RemoveRouteLocked, quietly without telling which route it was.
func (in *Instance) removeRoute(like *RouteEntry, quietly bool) error {
	first, _ := in.routes.fib.Exact(like.Prefix)
	for at := &first; *at != nil; at = &(*at).next {
		x := *at
		if like.Type != 0 && like.Type != x.typ || like.Type == 0 && x.isOwn() ||
			like.Interface != nil && like.Interface != x.ifc ||
			!like.Gateway.IsUnspecified() && like.Gateway != x.gateway() || like.Metric != 0 && like.Metric != x.metric {
			continue
		}
		if *at = x.next; first == nil {
			in.routes.fib.Delete(like.Prefix)
		} else {
			in.routes.fib.Insert(like.Prefix, first)
		}
		if x.paths() != nil {
			in.routes.multipath--
		}
		if quietly {
			in.routesChanged(nil, true)
			return nil
		}
		gone := x.entry(like.Prefix)
		in.routesChanged(&gone, true)
		return nil
	}
	return syscall.ESRCH
}

// Routes are all routes in address order.
func (in *Instance) Routes() []RouteEntry {
	var out []RouteEntry
	in.domain.Do(func() { out = in.RoutesLocked() })
	return out
}

// RoutesLocked is Routes inside an entry.
func (in *Instance) RoutesLocked() []RouteEntry {
	var out []RouteEntry
	in.routes.fib.Walk(func(p wire.Prefix, first *routeNode) bool {
		for n := first; n != nil; n = n.next {
			out = append(out, n.entry(p))
		}
		return true
	})
	return out
}

func (in *Instance) routesChanged(e *RouteEntry, gone bool) {
	in.invalidateRoutes()
	in.notify(Event{Kind: EventRoute, Route: e, Gone: gone})
}

// addressRoutes adds or removes the routes that come with an address.
func (in *Instance) addressRoutes(ifc *Interface, a *Address, add bool) {
	p := a.Prefix
	full := uint8(128)
	if p.Addr.Is4() {
		full = 32
	}
	var routes [4]RouteEntry
	n := 0
	put := func(e RouteEntry) { routes[n], n = e, n+1 }
	put(RouteEntry{Prefix: wire.Prefix{Addr: p.Addr, Bits: full}, Interface: ifc, Source: p.Addr,
		Type: RouteLocal, Protocol: RouteByKernel, Scope: ScopeHost})
	if p.Addr.IsLoopback() && p.Addr.Is4() && p.Bits < full {
		put(RouteEntry{Prefix: p.Masked(), Interface: ifc, Source: p.Addr,
			Type: RouteLocal, Protocol: RouteByKernel, Scope: ScopeHost})
	} else if p.Bits < full && a.Flags&(AddressSecondary|AddressNoPrefix) == 0 {
		e := RouteEntry{Prefix: p.Masked(), Interface: ifc, Type: RouteUnicast, Protocol: RouteByKernel, Scope: ScopeLink}
		if full == 32 {
			e.Source = p.Addr
		} else {
			e.Metric = 256
		}
		put(e)
	}
	if !a.Peer.IsUnspecified() && a.Peer != p.Addr {
		put(RouteEntry{Prefix: wire.Prefix{Addr: a.Peer, Bits: full}, Interface: ifc, Source: p.Addr,
			Type: RouteUnicast, Protocol: RouteByKernel, Scope: ScopeLink})
	}
	broadcast := a.Broadcast
	if broadcast.IsUnspecified() && full == 32 && p.Bits < 31 && a.Flags&AddressSecondary == 0 && !p.Addr.IsLoopback() {
		broadcast = wire.FromV4(p.Addr.V4() | (1<<(32-p.Bits) - 1)) // whatever the device can (fib_add_ifaddr, net/ipv4/fib_frontend.c)
	}
	if full == 32 && !broadcast.IsUnspecified() {
		put(RouteEntry{Prefix: wire.Prefix{Addr: broadcast, Bits: 32}, Interface: ifc, Source: p.Addr,
			Type: RouteBroadcast, Protocol: RouteByKernel, Scope: ScopeLink})
	}
	for i := range routes[:n] {
		e := &routes[i]
		if add {
			if i == 0 && a.Flags&AddressTentative != 0 || i > 0 && !ifc.Up() {
				continue // not an address yet; no link yet (fib_add_ifaddr)
			}
			_ = in.AddRouteLocked(e) // an equal route may be there already
			continue
		}
		if e.Metric == 0 {
			_ = in.RemoveRouteLocked(e)
			continue
		}
		_ = in.RemoveRouteLocked(&RouteEntry{Prefix: e.Prefix, Interface: e.Interface, Type: e.Type, Metric: e.Metric})
	}
	in.invalidateRoutes()
}

// String is the route as ip route prints it.
func (e RouteEntry) String() string {
	var b strings.Builder
	switch e.Type {
	case RouteLocal:
		b.WriteString("local ")
	case RouteBroadcast:
		b.WriteString("broadcast ")
	case RouteBlackhole:
		b.WriteString("blackhole ")
	case RouteUnreachable:
		b.WriteString("unreachable ")
	case RouteProhibit:
		b.WriteString("prohibit ")
	}
	if e.Prefix.Bits == 0 {
		b.WriteString("default")
	} else {
		b.WriteString(e.Prefix.String())
	}
	if e.Paths == nil {
		e.writeWay(&b, e.Gateway, e.Interface)
	}
	if !e.Source.IsUnspecified() {
		fmt.Fprintf(&b, " src %v", e.Source)
	}
	if e.Metric != 0 {
		fmt.Fprintf(&b, " metric %d", e.Metric)
	}
	for _, x := range e.Paths {
		b.WriteString(" nexthop")
		e.writeWay(&b, x.Gateway, x.Interface)
		fmt.Fprintf(&b, " weight %d", x.Weight)
	}
	return b.String()
}

func (e *RouteEntry) writeWay(b *strings.Builder, gateway wire.Addr, ifc *Interface) {
	if !gateway.IsUnspecified() {
		fmt.Fprintf(b, " via %v", gateway)
	}
	if ifc != nil {
		fmt.Fprintf(b, " dev %s", ifc.name)
	}
}

// MatchLocked is the route that answers q, false if there is none. Inside an entry.
func (in *Instance) MatchLocked(q RouteQuery) (RouteEntry, bool) {
	p, n := in.find(q)
	if n == nil {
		return RouteEntry{}, false
	}
	return n.entry(p), true
}
