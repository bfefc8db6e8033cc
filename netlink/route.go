package netlink

import (
	"cmp"
	"encoding/binary"
	"slices"
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Routes: struct rtmsg and RTA_… attributes (fib_dump_info, net/ipv4/fib_semantics.c;
// rt6_fill_node, net/ipv6/route.c).

func writeRoute(w *writer, in *core.Instance, e *core.RouteEntry) { writeRouteAs(w, in, e, false) }

// writeRouteAs is writeRoute of one that may be gone: of IPv6, with its interface or next
// hop, whose end it has not heard of.
func writeRouteAs(w *writer, in *core.Instance, e *core.RouteEntry, gone bool) {
	flagsOf := hopFlags
	if gone {
		flagsOf = func(ifc *core.Interface) uint8 {
			if e.NexthopID != 0 || ifc != nil && !ifc.Up() {
				return 0
			}
			return hopFlags(ifc)
		}
	}
	is4 := e.Prefix.Addr.Is4()
	table := e.Table
	scope := e.Scope
	if !is4 {
		scope = core.ScopeUniverse
	}
	w.u8(familyOf(e.Prefix.Addr), e.Prefix.Bits, 0, 0, shortTable(table), uint8(e.Protocol), uint8(scope), uint8(e.Type))
	w.u32(routeFlags(e, flagsOf))
	w.attr32(rtaTable, table)
	if e.Prefix.Bits > 0 {
		w.addr(rtaDst, e.Prefix.Addr)
	}
	if e.Metric != 0 || !is4 {
		w.attr32(rtaPriority, e.Metric)
	}
	writeMetrics(w, e.MTU, e.Metrics)
	if !e.Source.IsUnspecified() && (is4 || table != tableLocal) {
		w.addr(rtaPrefsrc, preferred(e))
	}
	told, several := true, e.Paths != nil
	if e.NexthopID != 0 {
		w.attr32(rtaNHID, e.NexthopID)
		told = in.NexthopCompat()
		o, _ := in.NexthopLocked(e.NexthopID)
		several = several || !is4 && len(o.Group) > 0 // be it a group of one (rt6_fill_node_nexthop)
	}
	if !e.Gateway.IsUnspecified() && !several && told {
		writeGateway(w, e.Gateway, is4)
	}
	switch {
	case !told:
	case several:
		writeHops(w, hopsOf(e), is4, flagsOf)
	case e.Interface != nil:
		w.attr32(rtaOif, uint32(e.Interface.Index()))
	case !is4 && in.Loopback() != nil:
		w.attr32(rtaOif, uint32(in.Loopback().Index()))
	}
	if !is4 {
		writeRouteCache(w, in, e.Expires)
		w.attr8(rtaPref, 0)
	}
}

// writeGateway writes RTA_GATEWAY, or RTA_VIA for a way of IPv4 by a neighbour of IPv6.
func writeGateway(w *writer, gateway wire.Addr, is4 bool) {
	if gateway.Is4() == is4 {
		w.addr(rtaGateway, gateway)
		return
	}
	a := gateway.As16()
	w.header(rtaVia, 2+len(a))
	w.u16(uint16(familyOf(gateway)))
	w.u8(a[:]...)
	w.pad()
}

// writeRouteCache writes struct rta_cacheinfo.
func writeRouteCache(w *writer, in *core.Instance, expires core.Time) {
	w.header(rtaCacheinfo, 32)
	w.zeros(8)
	left := uint32(0)
	if expires != 0 {
		left = uint32(max(0, expires.Sub(in.Now())) / (time.Second / userHZ))
	}
	w.u32(left)
	w.zeros(20)
}

// dumpRoutes tells of the routes of a family. What of the rest of the header counts
// is known where the request is checked strictly.
func (r *request) dumpRoutes() (*dump, error) {
	family := r.family()
	table, protocol, typ, oif := uint32(0), uint8(0), uint8(0), uint32(0)
	if binary.NativeEndian.Uint32(r.fixed[8:])&routeCloned != 0 { // the exceptions of a cache that does not exist
		return listOf([]core.RouteEntry{}, nil), nil
	}
	if r.e.strict {
		table, protocol, typ = uint32(r.fixed[4]), r.fixed[5], r.fixed[7]
		var err error
		if r.attrs.has(rtaTable) {
			if table, err = r.attrs.u32(rtaTable); err != nil {
				return nil, err
			}
		}
		if oif, err = r.attrs.u32(rtaOif); err != nil {
			return nil, err
		}
		if oif != 0 && r.in.InterfaceByIndex(int(int32(oif))) == nil {
			return nil, refuse(syscall.ENODEV, "there is no interface with that index")
		}
		if table != tableUnspec && family != afUnspec && !slices.Contains(r.in.Tables(family == afInet6), table) {
			return nil, refuse(syscall.ENOENT, "there is no such routing table")
		}
	}
	var list []core.RouteEntry
	all := r.in.RoutesLocked()
	for _, f := range [...]uint8{afInet, afInet6} {
		if family != afUnspec && family != f {
			continue
		}
		if f == afInet6 {
			slices.SortStableFunc(all, childrenFirst)
		}
		of := map[uint32][]core.RouteEntry{}
		for _, e := range all {
			if familyOf(e.Prefix.Addr) == f {
				of[e.Table] = append(of[e.Table], e)
			}
		}
		for _, t := range r.in.Tables(f == afInet6) {
			if table != tableUnspec && table != t {
				continue
			}
			for _, e := range of[t] {
				if protocol != 0 && uint8(e.Protocol) != protocol || typ != 0 && uint8(e.Type) != typ ||
					oif != 0 && !anyHop(&e, func(ifc *core.Interface) bool { return ifc != nil && ifc.Index() == int(oif) }) ||
					f == afInet && e.Type != core.RouteLocal && e.NexthopID == 0 && !anyHop(&e, func(ifc *core.Interface) bool { return ifc == nil || ifc.Up() }) {
					continue
				}
				list = append(list, e)
			}
		}
	}
	return listOf(list, func(w *writer, begin func(uint16), e core.RouteEntry) {
		begin(newRoute)
		writeRoute(w, r.in, &e)
	}), nil
}

// childrenFirst is the order in which Linux walks its tree of IPv6 routes: a prefix
// after those that it contains (net/ipv6/ip6_fib.c, fib6_walk_continue).
func childrenFirst(a, b core.RouteEntry) int {
	if a.Prefix.Addr.Is4() || b.Prefix.Addr.Is4() {
		return 0
	}
	switch {
	case a.Prefix.Bits > b.Prefix.Bits && b.Prefix.Contains(a.Prefix.Addr):
		return -1
	case b.Prefix.Bits > a.Prefix.Bits && a.Prefix.Contains(b.Prefix.Addr):
		return 1
	}
	return cmp.Or(a.Prefix.Addr.Compare(b.Prefix.Addr), cmp.Compare(a.Metric, b.Metric))
}

// preferred is the source that Linux tells of a route: of the local route of a
// secondary address it is the primary one (fib_add_ifaddr, net/ipv4/fib_frontend.c).
func preferred(e *core.RouteEntry) wire.Addr {
	if e.Type != core.RouteLocal || e.Interface == nil || !e.Source.Is4() {
		return e.Source
	}
	a := e.Interface.Address(e.Source)
	if a == nil || a.Flags&core.AddressSecondary == 0 {
		return e.Source
	}
	for _, x := range e.Interface.Addresses() {
		if x.Flags&core.AddressSecondary == 0 && x.Prefix.Addr.Is4() && x.Prefix.Bits == a.Prefix.Bits && x.Prefix.Contains(a.Prefix.Addr) {
			return x.Prefix.Addr
		}
	}
	return e.Source
}

// getRoute answers ip route get (inet_rtm_getroute, inet6_rtm_getroute).
func (r *request) getRoute() error {
	family := r.family()
	if family != afInet && family != afInet6 {
		return refuse(syscall.EOPNOTSUPP, "no route is of that family")
	}
	var q core.RouteQuery
	var err error
	if q.Dst, _, err = r.attrs.addr(rtaDst, family); err != nil {
		return err
	}
	if q.Src, _, err = r.attrs.addr(rtaSrc, family); err != nil {
		return err
	}
	var x core.Selector
	if err = r.selector(&x); err != nil {
		return err
	}
	q.Selector = &x
	oif, err := r.attrs.u32(rtaOif)
	if err != nil {
		return err
	}
	if q.Interface = int(int32(oif)); oif != 0 && r.in.InterfaceByIndex(q.Interface) == nil {
		return refuse(syscall.ENODEV, "there is no interface with that index")
	}
	if q.Dst == (wire.Addr{}) && family == afInet {
		q.Dst = wire.IPv4Any()
	}
	if x.In != nil {
		if x.Src = q.Src; q.Src.IsUnspecified() {
			q.Src = q.Dst
		} else if r.in.IsLocal(q.Src) {
			return refuse(syscall.EINVAL, "no packet comes in from an address of this host")
		}
	} else if !q.Src.IsUnspecified() && !r.in.IsLocal(q.Src) {
		return refuse(syscall.EINVAL, "the source is no address of this host")
	}
	rt, err := r.in.Route(q)
	if err != nil {
		return err
	}
	if x.In != nil {
		if rt.Type == core.RouteUnicast && !forwards(r.in, family, x.In) {
			return refuse(syscall.EHOSTUNREACH, "packets that come in by that interface are not forwarded")
		}
		q.Src = x.Src
	}
	flags := binary.NativeEndian.Uint32(r.fixed[8:])
	e, found := r.in.MatchLocked(q)
	return r.answer(func(w *writer) {
		w.begin(newRoute, 0, r.seq, r.pid)
		if found && flags&routeFIBMatch != 0 {
			writeRoute(w, r.in, &e)
		} else {
			writeResult(w, r.in, rt, &q, &e, flags&routeLookupTable != 0)
		}
		w.end()
	})
}

// selector reads what rules see of the packet that a route is asked for.
func (r *request) selector(x *core.Selector) (err error) {
	if x.Mark, err = r.attrs.u32(rtaMark); err != nil {
		return err
	}
	x.TOS = r.fixed[3] &^ 3
	if a, ok := r.attrs.find(rtaIPProto); ok && len(a.data) > 0 {
		x.Protocol = a.data[0]
	}
	for _, p := range [...]struct {
		typ int
		to  *uint16
	}{{rtaSport, &x.SrcPort}, {rtaDport, &x.DstPort}} {
		if a, ok := r.attrs.find(p.typ); ok && len(a.data) >= 2 {
			*p.to = binary.BigEndian.Uint16(a.data)
		}
	}
	iif, err := r.attrs.u32(rtaIif)
	if err == nil {
		x.In, err = r.outOf(int(int32(iif)))
	}
	return err
}

// forwards tells whether packets of a family that come in by ifc are forwarded.
func forwards(in *core.Instance, family uint8, ifc *core.Interface) bool {
	name := "net.ipv4.conf." + ifc.Name() + ".forwarding"
	if family == afInet6 {
		name = "net.ipv6.conf.all.forwarding"
	}
	v, err := in.SysctlLocked(name)
	return err == nil && v == "1"
}

// disabled tells whether IPv6 is turned off on ifc.
func disabled(in *core.Instance, ifc *core.Interface) bool {
	n, ok := in.Network(wire.IPv6Any()).(core.AddressJudge)
	return ok && !n.TakesAddresses(ifc)
}

// writeResult writes what a look-up found, by the route e (rt_fill_info,
// net/ipv4/route.c; rt6_fill_node, net/ipv6/route.c). The table is told as it is
// for IPv6, and for IPv4 if the program asked for it.
func writeResult(w *writer, in *core.Instance, rt *core.Route, q *core.RouteQuery, e *core.RouteEntry, tellTable bool) {
	is4 := q.Dst.Is4()
	out, flags, protocol, sourceBits := rt.Interface, uint32(0), uint8(0), uint8(0)
	if rt.Local() && in.Loopback() != nil {
		out = in.Loopback()
	}
	table := uint32(tableMain)
	if (tellTable || !is4) && e.Table != 0 {
		table = e.Table
	}
	if is4 {
		flags = routeCloned
		switch rt.Type {
		case core.RouteLocal:
			flags |= routeIsLocal
		case core.RouteBroadcast:
			flags |= routeIsBroadcast
		case core.RouteMulticast:
			flags |= routeIsMulticast
		case core.RouteUnicast:
			if rt.Interface == q.Selector.In {
				flags |= routeRedirects
			}
		}
	} else {
		protocol, sourceBits = uint8(e.Protocol), 128
	}
	if !q.Src.IsUnspecified() {
		sourceBits = uint8(q.Src.Bits())
	}
	w.u8(familyOf(q.Dst), uint8(q.Dst.Bits()), sourceBits, 0, shortTable(table), protocol, 0, uint8(rt.Type))
	w.u32(flags)
	w.addr(rtaDst, q.Dst)
	if sourceBits != 0 {
		w.addr(rtaSrc, q.Src)
	}
	w.attr32(rtaTable, table)
	if rt.Gateway != q.Dst && !rt.Local() {
		writeGateway(w, rt.Gateway, is4)
	}
	w.attr32(rtaOif, uint32(out.Index()))
	if q.Selector.Mark != 0 && is4 {
		w.attr32(rtaMark, q.Selector.Mark)
	}
	if q.Selector.In != nil {
		w.attr32(rtaIif, uint32(q.Selector.In.Index()))
	} else if q.Src.IsUnspecified() {
		w.addr(rtaPrefsrc, rt.Src)
	}
	if !is4 {
		w.attr32(rtaPriority, e.Metric)
	}
	if rt.MTU < rt.LinkMTU {
		writeMetrics(w, rt.MTU, e.Metrics)
	} else {
		writeMetrics(w, e.MTU, e.Metrics)
	}
	if is4 && q.Selector.In == nil {
		w.attr32(rtaUID, 0)
	}
	writeRouteCache(w, in, 0)
	if !is4 {
		w.attr8(rtaPref, 0)
	}
}

// route is what a request says of a route.
func (r *request) route() (e core.RouteEntry, onLink bool, err error) {
	family := r.family()
	if family != afInet && family != afInet6 {
		return e, false, refuse(syscall.EOPNOTSUPP, "no route is of that family")
	}
	any := wire.Addr{}
	if family == afInet {
		any = wire.IPv4Any()
	}
	e = core.RouteEntry{Protocol: core.RouteProtocol(r.fixed[5]), Scope: core.Scope(r.fixed[6]), Type: core.RouteType(r.fixed[7])}
	if e.Prefix.Addr, _, err = r.attrs.addr(rtaDst, family); err != nil {
		return e, false, err
	}
	if !r.attrs.has(rtaDst) {
		e.Prefix.Addr = any
	}
	if e.Prefix.Bits = r.fixed[1]; int(e.Prefix.Bits) > any.Bits() || e.Prefix.Masked() != e.Prefix {
		return e, false, refuse(syscall.EINVAL, "the destination has bits beyond its prefix")
	}
	if r.fixed[2] != 0 {
		return e, false, refuse(syscall.EOPNOTSUPP, "no route is chosen by its source")
	}
	table := uint32(r.fixed[4])
	if r.attrs.has(rtaTable) {
		if table, err = r.attrs.u32(rtaTable); err != nil {
			return e, false, err
		}
	}
	if e.Table = table; table == tableUnspec {
		e.Table = tableMain
	}
	if x, ok := r.attrs.find(rtaEncap); ok {
		return e, false, refuseAt(x.at, syscall.EOPNOTSUPP, "there are no tunnels to put packets into")
	}
	if e.NexthopID, err = r.attrs.u32(rtaNHID); err != nil {
		return e, false, err
	}
	if e.NexthopID != 0 && (r.attrs.has(rtaGateway) || r.attrs.has(rtaVia) || r.attrs.has(rtaOif) || r.attrs.has(rtaMultipath)) {
		return e, false, refuse(syscall.EINVAL, "a route has ways of its own, or the number of a next hop")
	}
	if e.Metric, err = r.attrs.u32(rtaPriority); err != nil {
		return e, false, err
	}
	if e.Source, _, err = r.attrs.addr(rtaPrefsrc, family); err != nil {
		return e, false, err
	}
	if e.MTU, e.Metrics, err = r.metrics(); err != nil {
		return e, false, err
	}
	if s, err := r.attrs.u32(rtaExpires); err != nil {
		return e, false, err
	} else if s != 0 {
		e.Expires = r.in.Lifetime(s)
	}
	return e, binary.NativeEndian.Uint32(r.fixed[8:])&nexthopOnLink != 0, r.nexthop(&e, r.attrs)
}

// nexthop reads where a route leads: RTA_OIF and RTA_GATEWAY, or the paths of
// RTA_MULTIPATH.
func (r *request) nexthop(e *core.RouteEntry, attrs attributes) error {
	oif, err := attrs.u32(rtaOif)
	if err != nil {
		return err
	}
	if e.Interface, err = r.outOf(int(int32(oif))); err != nil {
		return err
	}
	if e.Gateway, err = r.gateway(attrs); err != nil {
		return err
	}
	if x, ok := attrs.find(rtaMultipath); ok {
		e.Paths, err = r.nexthops(x)
	}
	return err
}

// gateway reads RTA_GATEWAY or RTA_VIA (fib_gw_from_via, net/ipv4/fib_frontend.c).
func (r *request) gateway(attrs attributes) (wire.Addr, error) {
	x, ok := attrs.find(rtaVia)
	if !ok {
		a, _, err := attrs.addr(rtaGateway, r.family())
		return a, err
	}
	switch {
	case r.family() == afInet6:
		return wire.Addr{}, refuseAt(x.at, syscall.EINVAL, "gateways of IPv6 are of IPv6")
	case attrs.has(rtaGateway):
		return wire.Addr{}, refuseAt(x.at, syscall.EINVAL, "a next hop has one gateway")
	case len(x.data) < 2:
		return wire.Addr{}, refuseAt(x.at, syscall.EINVAL, "the gateway has no family")
	}
	family := binary.NativeEndian.Uint16(x.data)
	if family == afInet && len(x.data) != 6 || family == afInet6 && len(x.data) != 18 || family != afInet && family != afInet6 {
		return wire.Addr{}, refuseAt(x.at, syscall.EINVAL, "the gateway is no address of its family")
	}
	a, _ := wire.AddrFromSlice(x.data[2:])
	return a, nil
}

// addRoute is RTM_NEWROUTE.
func (r *request) addRoute() error {
	e, onLink, err := r.route()
	if err != nil {
		return err
	}
	is4 := r.family() == afInet
	if !is4 && e.Metric == 0 {
		e.Metric = metricIPv6
	}
	switch e.Type {
	case 0:
		e.Type = core.RouteUnicast
	case core.RouteUnicast, core.RouteLocal, core.RouteBroadcast:
	case core.RouteBlackhole, core.RouteUnreachable, core.RouteProhibit, core.RouteThrow:
		e.Interface, e.Gateway, e.Paths = nil, wire.Addr{}, nil
	default:
		return refuse(syscall.EINVAL, "no route is of that type")
	}
	if (e.Type == core.RouteLocal || e.Type == core.RouteBroadcast) && e.Interface == nil && e.NexthopID == 0 {
		if e.Interface = r.in.Loopback(); e.Interface == nil {
			return refuse(syscall.ENODEV, "the route names no interface")
		}
	}
	if e.Type == core.RouteUnicast && e.NexthopID == 0 {
		if len(e.Paths) == 1 {
			e.Gateway, e.Interface, onLink, e.Paths = e.Paths[0].Gateway, e.Paths[0].Interface, onLink || e.Paths[0].OnLink, nil
		}
		for i, x := range hopsOf(&e) {
			if !is4 && indexOfHop(hopsOf(&e)[:i], &x) >= 0 {
				return refuse(syscall.EEXIST, "two next hops are the same")
			}
			if err := r.checkHop(x, onLink || x.OnLink); err != nil {
				return err
			}
		}
	}
	if !e.Source.IsUnspecified() && !r.in.IsLocal(e.Source) {
		return refuse(syscall.EINVAL, "the preferred source is no address of this host")
	}
	same := r.routeLike(&e)
	switch {
	case same != nil && is4 && r.flags&(flagExcl|flagReplace) == 0:
		return r.in.AppendRouteLocked(&e, r.flags&flagAppend == 0)
	case same != nil && r.flags&flagExcl != 0:
		return syscall.EEXIST
	case same != nil && r.flags&flagReplace != 0:
		return r.in.ReplaceRouteLocked(same, &e, &e, false)
	case same == nil && r.flags&flagCreate == 0:
		return refuse(syscall.ENOENT, "there is no such route")
	}
	if x := r.joins(&e); x != nil {
		return r.join(x, &e)
	}
	return r.in.AddRouteLocked(&e)
}

// checkHop finds fault with a path (fib_check_nh, net/ipv4/fib_semantics.c).
func (r *request) checkHop(x core.Nexthop, onLink bool) error {
	if x.Interface != nil && !x.Interface.Up() {
		return refuse(syscall.ENETDOWN, "Nexthop device is not up")
	}
	is6 := r.family() == afInet6 || !x.Gateway.Is4() && !x.Gateway.IsUnspecified()
	if x.Interface != nil && is6 && disabled(r.in, x.Interface) {
		return refuse(syscall.EACCES, "IPv6 is turned off on the interface (disable_ipv6)")
	}
	if x.Gateway.IsUnspecified() && x.Interface == nil {
		return refuse(syscall.ENODEV, "the route names neither interface nor gateway")
	}
	if x.Gateway.IsUnspecified() || onLink {
		return nil
	}
	q := core.RouteQuery{Dst: x.Gateway}
	if x.Interface != nil {
		q.Interface = x.Interface.Index()
	}
	rt, err := r.in.Route(q)
	if _, led := r.in.MatchLocked(q); err != nil || !led || rt.Type != core.RouteUnicast || rt.Gateway != x.Gateway {
		errno := syscall.ENETUNREACH
		if err == nil && rt.Local() {
			errno = syscall.EINVAL
		} else if is6 {
			errno = syscall.EHOSTUNREACH
		}
		return refuse(errno, "Nexthop has invalid gateway")
	}
	return nil
}

// routeLike is the route that e would replace: of the same prefix and metric, in the
// same table.
func (r *request) routeLike(e *core.RouteEntry) *core.RouteEntry {
	for _, x := range r.in.RoutesLocked() {
		if x.Prefix == e.Prefix && x.Metric == e.Metric && x.Table == e.Table {
			return &x
		}
	}
	return nil
}

// removeRoute is RTM_DELROUTE: what the request leaves open is not compared.
func (r *request) removeRoute() error {
	e, _, err := r.route()
	if err != nil {
		return err
	}
	if r.family() == afInet6 && len(e.Paths) > 0 { // each path by itself (ip6_route_multipath_del)
		hops := e.Paths
		for _, h := range hops {
			e.Gateway, e.Interface, e.Paths = h.Gateway, h.Interface, nil
			if x := r.removed(&e); x == nil {
				err = refuse(syscall.ESRCH, "there is no such route")
			} else if failed := r.leave(x, &h); failed != nil {
				err = failed
			}
		}
		return err
	}
	x := r.removed(&e)
	switch {
	case x == nil:
		return refuse(syscall.ESRCH, "there is no such route")
	case r.family() == afInet6 && !e.Gateway.IsUnspecified() && x.NexthopID == 0:
		return r.leave(x, &core.Nexthop{Gateway: e.Gateway, Interface: e.Interface})
	}
	return r.in.RemoveThisRouteLocked(x)
}

// removed is the route that a request to remove e means, nil if there is none.
func (r *request) removed(e *core.RouteEntry) *core.RouteEntry {
	is6 := r.family() == afInet6
	for _, x := range r.in.RoutesLocked() {
		if x.Prefix != e.Prefix || x.Table != e.Table ||
			e.Metric != 0 && x.Metric != e.Metric || e.Type != 0 && x.Type != e.Type || e.Protocol != 0 && x.Protocol != e.Protocol ||
			e.NexthopID != 0 && x.NexthopID != e.NexthopID || !is6 && !r.metricsFit(e, &x) ||
			x.NexthopID == 0 && len(e.Paths) > 0 && !sameHops(hopsOf(&x), e.Paths) || !e.Source.IsUnspecified() && x.Source != e.Source {
			continue
		}
		if x.NexthopID != 0 { // fib_nh_match; ip6_route_del looks at no way of it
			if is6 || e.Interface == nil && e.Gateway.IsUnspecified() && len(e.Paths) == 0 {
				return &x
			}
			continue
		}
		fits := func(h core.Nexthop) bool {
			return (e.Interface == nil || h.Interface == e.Interface) && (e.Gateway.IsUnspecified() || h.Gateway == e.Gateway)
		}
		if is6 && slices.ContainsFunc(hopsOf(&x), fits) || !is6 && fits(core.Nexthop{Gateway: x.Gateway, Interface: x.Interface}) {
			return &x
		}
	}
	return nil
}
