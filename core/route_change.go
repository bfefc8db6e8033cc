package core

import (
	"syscall"

	"github.com/libos-go/libos/core/fib"
	"github.com/libos-go/libos/core/wire"
)

// How routes come and go.

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
	err := in.addRoute(e, placeAlone)
	if err == nil {
		in.routesChanged(e, false)
	}
	return err
}

// ReplaceRouteLocked puts e in the place of the route old, of which nobody hears a word:
// those that hear of routes are told of news, that it is there or gone. Errors are those
// of AddRoute, and then old stays. Inside an entry.
func (in *Instance) ReplaceRouteLocked(old, e, news *RouteEntry, gone bool) error {
	at := placeAlone
	if e.Prefix.Addr.Is4() { // old was the first of its metric
		at = placeBefore
	}
	if err := in.removeNode(old, true, true); err != nil {
		return err
	}
	if err := in.addRoute(e, at); err != nil {
		_ = in.addRoute(old, at)
		in.invalidateRoutes()
		return err
	}
	if at == placeBefore && sameRoute(old, e) { // nothing is new (fib_table_insert, net/ipv4/fib_trie.c)
		in.invalidateRoutes()
		return nil
	}
	in.routesChanged(news, gone)
	return nil
}

// addRoute is AddRouteLocked without a word.
func (in *Instance) addRoute(e *RouteEntry, at place) error {
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
	if e.Type == RouteUnicast && e.NexthopID == 0 {
		if !is4 && e.Gateway.Is4() && !e.Gateway.IsUnspecified() { // IPv4 has ways by neighbours of IPv6, too (RFC 8950)
			return syscall.EINVAL
		}
		if in.networkOf(e.Gateway) < 0 && !e.Gateway.IsUnspecified() {
			return syscall.EAFNOSUPPORT
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
	switch {
	case e.Type > RouteThrow:
		return syscall.EINVAL
	case e.Type < RouteBlackhole && e.Interface == nil && e.NexthopID == 0:
		if e.Interface = in.loopback; e.Interface == nil {
			return syscall.ENODEV
		}
	}
	e.Table = e.table()
	t, err := in.treeFor(e.Table, is4)
	if err != nil {
		return err
	}
	var n *routeNode
	if e.NexthopID == 0 {
		n = e.node()
	} else if n, err = in.byObject(e); err != nil {
		return err
	}
	first, _ := t.Exact(e.Prefix)
	for x := first; x != nil; x = x.next {
		if at != placeAlone {
			if y, z := n.entry(e.Prefix, e.Table), x.entry(e.Prefix, e.Table); n.isOwn() == x.isOwn() && sameRoute(&y, &z) {
				return syscall.EEXIST
			}
			continue
		}
		if x.metric == e.Metric && x.isOwn() == n.isOwn() && (x.typ == n.typ || is4) &&
			(x.ifc == n.ifc && x.gateway() == n.gateway() && x.object() == n.object() || is4 && !x.isOwn()) {
			return syscall.EEXIST
		}
	}
	put := &first
	for *put != nil && !n.before(*put) && !(at == placeBefore && n.metric == (*put).metric && n.isOwn() == (*put).isOwn()) {
		put = &(*put).next
	}
	n.next, *put = *put, n
	t.Insert(e.Prefix, first)
	in.countPaths(n, 1)
	return nil
}

// countPaths counts a route that came or went.
func (in *Instance) countPaths(n *routeNode, by int) {
	if len(n.paths()) > 1 {
		in.routes.multipath += by
	}
	if x := n.object(); x != nil {
		x.routes += by
	}
}

// before orders routes of one prefix: those of the local table before the rest,
// then by metric.
func (n *routeNode) before(o *routeNode) bool {
	if n.isOwn() != o.isOwn() {
		return n.isOwn()
	}
	return n.metric < o.metric
}

// RemoveRoute removes the first route that has the table, the prefix and, where they are
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
	r, err := in.lookup(&RouteQuery{Dst: gateway})
	if err != nil || r.Type != RouteUnicast || r.Gateway != gateway {
		return nil, syscall.ENETUNREACH
	}
	return r.Interface, nil
}

// RemoveRouteLocked is RemoveRoute inside an entry.
func (in *Instance) RemoveRouteLocked(like *RouteEntry) error { return in.removeRoute(like, false) }

// removeRoute is RemoveRouteLocked, quietly without telling which route it was.
func (in *Instance) removeRoute(like *RouteEntry, quietly bool) error {
	return in.removeNode(like, quietly, false)
}

// removeNode is removeRoute, of exactly the route like if that is set.
func (in *Instance) removeNode(like *RouteEntry, quietly, exactly bool) error {
	table := like.table()
	t := in.tree(table)
	if t == nil {
		return syscall.ESRCH
	}
	first, _ := t.Exact(like.Prefix)
	for at := &first; *at != nil; at = &(*at).next {
		x := *at
		if exactly {
			if y := x.entry(like.Prefix, table); x.isOwn() != (table == TableLocal) || !sameRoute(like, &y) {
				continue
			}
		} else if like.Type != 0 && like.Type != x.kind() || x.isOwn() != (table == TableLocal) || like.Metric != 0 && like.Metric != x.metric {
			continue
		} else if o := x.object(); o != nil || like.NexthopID != 0 {
			if o == nil || like.NexthopID != o.ID && (like.NexthopID != 0 || like.Interface != nil || !like.Gateway.IsUnspecified()) {
				continue
			}
		} else if like.Interface != nil && like.Interface != x.ifc || !like.Gateway.IsUnspecified() && like.Gateway != x.gateway() {
			continue
		}
		if *at = x.next; first == nil {
			t.Delete(like.Prefix)
		} else {
			t.Insert(like.Prefix, first)
		}
		gone := x.entry(like.Prefix, table)
		in.countPaths(x, -1)
		if quietly {
			in.routesChanged(nil, true)
			return nil
		}
		in.routesChanged(&gone, true)
		return nil
	}
	return syscall.ESRCH
}

// Routes are all routes: those of the tables main and local in address order, then those
// of each other table.
func (in *Instance) Routes() []RouteEntry {
	var out []RouteEntry
	in.domain.Do(func() { out = in.RoutesLocked() })
	return out
}

// RoutesLocked is Routes inside an entry.
func (in *Instance) RoutesLocked() []RouteEntry {
	var out []RouteEntry
	in.walkRoutes(func(p wire.Prefix, table uint32, n *routeNode) { out = append(out, n.entry(p, table)) })
	return out
}

// walkRoutes visits all routes of all tables. f must not change them.
func (in *Instance) walkRoutes(f func(p wire.Prefix, table uint32, n *routeNode)) {
	walk := func(table uint32, t *fib.Table[*routeNode]) {
		t.Walk(func(p wire.Prefix, first *routeNode) bool {
			for n := first; n != nil; n = n.next {
				f(p, table, n)
			}
			return true
		})
	}
	walk(TableMain, &in.routes.fib)
	if p := in.routes.policy; p != nil {
		for _, t := range p.tables {
			walk(t.id, &t.routes)
		}
	}
}

func (in *Instance) routesChanged(e *RouteEntry, gone bool) {
	in.invalidateRoutes()
	in.notify(Event{Kind: EventRoute, Route: e, Gone: gone})
}

// addressRoutes adds or removes the routes that come with an address.
func (in *Instance) addressRoutes(ifc *Interface, a *Address, add bool) {
	if add {
		in.addRoutesOf(ifc, a, true, true)
		return
	}
	routes, n := addressRoutes(ifc, a)
	for i := range routes[:n] {
		e := &routes[i]
		if a.Prefix.Addr.Is4() { // the local one is the last (fib_del_ifaddr)
			e = &routes[(i+1)%n]
		}
		if e.Metric == 0 {
			_ = in.RemoveRouteLocked(e)
			continue
		}
		_ = in.RemoveRouteLocked(&RouteEntry{Prefix: e.Prefix, Interface: e.Interface, Type: e.Type, Metric: e.Metric})
	}
	in.invalidateRoutes()
}

// addRoutesOf adds the local route of an address, its other routes, or both.
func (in *Instance) addRoutesOf(ifc *Interface, a *Address, own, others bool) {
	routes, n := addressRoutes(ifc, a)
	for i := range routes[:n] {
		if i == 0 && (!own || a.Flags&AddressTentative != 0) || i > 0 && (!others || !ifc.Up()) {
			continue // not an address yet; no link yet (fib_add_ifaddr)
		}
		_ = in.AddRouteLocked(&routes[i]) // an equal route may be there already
	}
	in.invalidateRoutes()
}

// addressRoutes are the routes that come with an address, the local one first.
func addressRoutes(ifc *Interface, a *Address) (routes [4]RouteEntry, n int) {
	p := a.Prefix
	full := uint8(128)
	if p.Addr.Is4() {
		full = 32
	}
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
	return routes, n
}
