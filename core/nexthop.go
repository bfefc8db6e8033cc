package core

import (
	"cmp"
	"maps"
	"slices"
	"syscall"

	"github.com/libos-go/libos/core/wire"
)

// Next hops that have a number: routes name them by it, and follow when they are changed
// or removed (ip-nexthop(8); net/ipv4/nexthop.c).

// NexthopObject is one of them: a way out, nowhere, or a group of others.
type NexthopObject struct {
	ID        uint32
	Protocol  RouteProtocol
	V6        bool // of IPv6, not of IPv4; false for a group
	Blackhole bool
	OnLink    bool
	Scope     Scope
	Gateway   wire.Addr // unspecified when destinations are on the link
	Interface *Interface
	Group     []NexthopMember // in the order given; not to be changed
}

// NexthopMember is one next hop of a group.
type NexthopMember struct {
	ID     uint32
	Weight int // its share, 1 to 65535
}

// NexthopWatcher is a transport that hears of next hops.
type NexthopWatcher interface {
	// NexthopChanged tells that one was added or is another now, or that it is gone. It is
	// borrowed.
	NexthopChanged(o *NexthopObject, gone bool)
}

// NexthopPolicy is a Network that says whether routes are told of with the ways of the
// next hops that they name (net.ipv4.nexthop_compat_mode).
type NexthopPolicy interface{ NexthopCompat() bool }

const (
	mostObjects = 1 << 20
	mostMembers = 8191 // of 8 bytes in an attribute of netlink
)

// nexthopObject is a NexthopObject as an instance holds it.
type nexthopObject struct {
	NexthopObject
	set    pathSet                     // the paths of all routes that name it
	groups map[*nexthopObject]struct{} // that have it as a member
	age    uint64                      // of a group: when it got its members
	routes int                         // that name it
}

type nexthopTable struct {
	byID map[uint32]*nexthopObject
	last uint32 // number that was chosen last
	ages uint64
}

func (in *Instance) nexthop(id uint32) *nexthopObject {
	if t := in.routes.nexthops; t != nil {
		return t.byID[id]
	}
	return nil
}

// NexthopLocked is the next hop with a number. Inside an entry.
func (in *Instance) NexthopLocked(id uint32) (NexthopObject, bool) {
	if o := in.nexthop(id); o != nil {
		return o.NexthopObject, true
	}
	return NexthopObject{}, false
}

// NexthopsLocked are all of them by number. Inside an entry.
func (in *Instance) NexthopsLocked() []NexthopObject {
	t := in.routes.nexthops
	if t == nil {
		return nil
	}
	out := make([]NexthopObject, 0, len(t.byID))
	for _, o := range t.byID {
		out = append(out, o.NexthopObject)
	}
	slices.SortFunc(out, func(a, b NexthopObject) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// NexthopCompat tells whether routes are told of with the ways of the next hops that
// they name.
func (in *Instance) NexthopCompat() bool {
	p, ok := in.Network(wire.IPv4Any()).(NexthopPolicy)
	return !ok || p.NexthopCompat()
}

// AddNexthopLocked adds a next hop, and chooses its number where it has none. Where
// replace is set it takes the place of the one with its number, if there is one. Whether a
// gateway can be reached is for the caller to know. Errors are Refusals: EINVAL for what
// makes no sense, EEXIST, ENOBUFS where there are too many. Inside an entry.
func (in *Instance) AddNexthopLocked(o NexthopObject, replace bool) error {
	old := in.nexthop(o.ID)
	if o.ID != 0 && old != nil && !replace {
		return syscall.EEXIST
	}
	if err := in.checkNexthop(&o); err != nil {
		return err
	}
	if old != nil {
		return in.replaceNexthop(old, o)
	}
	t := in.routes.nexthops
	if t == nil {
		t = &nexthopTable{byID: make(map[uint32]*nexthopObject)}
		in.routes.nexthops = t
	}
	if len(t.byID) >= mostObjects {
		return refuse(syscall.ENOBUFS, "there are too many next hops")
	}
	if o.ID == 0 { // nh_find_unused_id
		for t.last++; t.last == 0 || t.byID[t.last] != nil; {
			t.last++
		}
		o.ID = t.last
	}
	x := &nexthopObject{NexthopObject: o}
	x.set.object = x
	t.byID[o.ID] = x
	in.enrol(x)
	in.setPaths(x)
	in.nexthopChanged(x, false)
	return nil
}

// checkNexthop finds fault with a next hop by itself (rtm_to_nh_config,
// nh_check_attr_group), and completes it.
func (in *Instance) checkNexthop(o *NexthopObject) error {
	if len(o.Group) == 0 {
		if o.Blackhole {
			o.Interface = in.loopback
			return nil
		}
		switch {
		case o.Interface == nil:
			return refuse(syscall.EINVAL, "a next hop names its interface")
		case !o.Gateway.IsUnspecified() && o.Gateway.Is4() == o.V6:
			return refuse(syscall.EINVAL, "the gateway is of another family")
		}
		return nil
	}
	if len(o.Group) > mostMembers {
		return refuse(syscall.EINVAL, "a group has too many members")
	}
	seen := make(map[uint32]bool, len(o.Group))
	for _, m := range o.Group {
		x := in.nexthop(m.ID)
		switch {
		case m.Weight < 1 || m.Weight > 65535:
			return refuse(syscall.EINVAL, "a weight is 1 to 65535")
		case seen[m.ID]:
			return refuse(syscall.EINVAL, "a next hop is in a group once")
		case x == nil:
			return refuse(syscall.EINVAL, "a member of the group is no next hop")
		case len(x.Group) > 0:
			return refuse(syscall.EINVAL, "a group is no member of a group")
		case x.Blackhole && len(o.Group) > 1:
			return refuse(syscall.EINVAL, "a blackhole is alone in its group")
		}
		seen[m.ID] = true
	}
	return nil
}

// enrol has the members of a group know of it.
func (in *Instance) enrol(x *nexthopObject) {
	in.renew(x)
	for _, m := range x.Group {
		if y := in.nexthop(m.ID); y != nil {
			if y.groups == nil {
				y.groups = make(map[*nexthopObject]struct{})
			}
			y.groups[x] = struct{}{}
		}
	}
}

// renew makes x the newest group of its members.
func (in *Instance) renew(x *nexthopObject) {
	in.routes.nexthops.ages++
	x.age = in.routes.nexthops.ages
}

func (in *Instance) dismiss(x *nexthopObject) {
	for _, m := range x.Group {
		if y := in.nexthop(m.ID); y != nil {
			delete(y.groups, x)
		}
	}
}

// newestGroups are the groups that have x as a member, the newest first.
func (x *nexthopObject) newestGroups() []*nexthopObject {
	return slices.SortedFunc(maps.Keys(x.groups), func(a, b *nexthopObject) int { return cmp.Compare(b.age, a.age) })
}

// setPaths makes the paths of a next hop anew, and those of the groups that it is in.
func (in *Instance) setPaths(x *nexthopObject) {
	list := make([]Nexthop, 0, max(1, len(x.Group)))
	reject, v4 := x.Blackhole, len(x.Group) == 0 && !x.V6
	if len(x.Group) == 0 {
		if x.Interface != nil {
			list = append(list, Nexthop{Gateway: x.Gateway, Interface: x.Interface, Weight: 1, OnLink: x.OnLink})
		}
	} else {
		for _, m := range x.Group {
			y := in.nexthop(m.ID)
			v4 = v4 || !y.V6
			reject = reject || y.Blackhole
			if y.Interface != nil {
				list = append(list, Nexthop{Gateway: y.Gateway, Interface: y.Interface, Weight: m.Weight, OnLink: y.OnLink})
			}
		}
	}
	if len(x.set.list) > 1 {
		in.routes.multipath -= x.routes
	}
	if len(list) > 1 {
		in.routes.multipath += x.routes
	}
	x.set.list, x.set.reject, x.set.v4 = list, reject, v4
	for g := range x.groups {
		in.setPaths(g)
	}
	in.invalidateRoutes()
}

// checkFor finds fault with a next hop for a route (fib_check_nexthop,
// fib6_check_nexthop).
func (x *nexthopObject) checkFor(is4 bool, scope Scope) error {
	if !is4 {
		if x.set.v4 {
			return refuse(syscall.EINVAL, "IPv6 has no way by a next hop of IPv4")
		}
		return nil
	}
	if scope == ScopeHost && len(x.Group) > 0 {
		return refuse(syscall.EINVAL, "a route of scope host has one next hop")
	}
	for _, h := range x.set.list[:min(1, len(x.set.list))] {
		if scope == ScopeHost && !h.Gateway.IsUnspecified() {
			return refuse(syscall.EINVAL, "a route of scope host has no gateway")
		}
		if h.OnLink && scope >= ScopeLink {
			return refuse(syscall.EINVAL, "the scope is not that of the next hop")
		}
	}
	return nil
}

// replaceNexthop is replace_nexthop: routes follow, if what they follow suits them.
func (in *Instance) replaceNexthop(old *nexthopObject, o NexthopObject) error {
	switch {
	case len(old.Group) > 0 && len(o.Group) == 0:
		return refuse(syscall.EINVAL, "a group stays a group")
	case len(old.Group) == 0 && len(o.Group) > 0:
		return refuse(syscall.EINVAL, "a next hop becomes no group")
	}
	for g := range old.groups {
		if o.Blackhole && len(g.Group) > 1 {
			return refuse(syscall.EINVAL, "a blackhole is alone in its group")
		}
	}
	was := old.NexthopObject
	put := func(o NexthopObject) {
		in.dismiss(old)
		old.NexthopObject = o
		in.enrol(old)
		in.setPaths(old)
	}
	put(o)
	if err := in.suits(old); err != nil {
		put(was)
		return err
	}
	in.nexthopChanged(old, false)
	if in.NexthopCompat() {
		in.tellRoutes(old)
		for _, g := range old.newestGroups() {
			in.tellRoutes(g)
		}
	}
	return nil
}

// suits tells whether a next hop is one for the routes that name it, or a group that it
// is in.
func (in *Instance) suits(x *nexthopObject) (err error) {
	concerned := x.routes > 0
	for g := range x.groups {
		concerned = concerned || g.routes > 0
	}
	if !concerned {
		return nil
	}
	in.walkRoutes(func(p wire.Prefix, _ uint32, n *routeNode) {
		y := n.object()
		if err != nil || y == nil {
			return
		}
		if _, member := x.groups[y]; member || y == x {
			err = y.checkFor(p.Addr.Is4(), n.scope)
		}
	})
	return err
}

// tellRoutes has those who hear of routes hear of all that name x, the last ones first
// (__nexthop_replace_notify).
func (in *Instance) tellRoutes(x *nexthopObject) {
	for _, e := range slices.Backward(in.routesBy(x)) {
		in.notify(Event{Kind: EventRoute, Route: &e})
	}
}

// routesBy are the routes that name a next hop, those of IPv6 before those of IPv4, for
// which there is an order in which Linux removes and tells.
func (in *Instance) routesBy(x *nexthopObject) (list []RouteEntry) {
	if x.routes == 0 {
		return nil
	}
	in.walkRoutes(func(p wire.Prefix, table uint32, n *routeNode) {
		if n.object() == x {
			list = append(list, n.entry(p, table))
		}
	})
	slices.SortStableFunc(list, func(a, b RouteEntry) int {
		return cmp.Compare(family(a.Prefix.Addr.Is4()), family(b.Prefix.Addr.Is4()))
	})
	return list
}

// RemoveNexthopLocked removes a next hop, the routes that name it, and the groups that
// have no other. ENOENT if there is none. Inside an entry.
func (in *Instance) RemoveNexthopLocked(id uint32) error {
	x := in.nexthop(id)
	if x == nil {
		return syscall.ENOENT
	}
	in.removeNexthop(x, true)
	return nil
}

// removeNexthop is remove_nexthop: routes of IPv4 go without a word.
func (in *Instance) removeNexthop(x *nexthopObject, tell bool) {
	if tell {
		in.nexthopChanged(x, true)
	}
	quietly := !in.NexthopCompat()
	for _, e := range in.routesBy(x) {
		_ = in.removeRoute(&e, quietly || e.Prefix.Addr.Is4())
	}
	in.dismiss(x)
	delete(in.routes.nexthops.byID, x.ID)
	for _, g := range x.newestGroups() {
		if len(g.Group) == 1 {
			in.removeNexthop(g, tell)
			continue
		}
		g.Group = slices.DeleteFunc(slices.Clone(g.Group), func(m NexthopMember) bool { return m.ID == x.ID })
		in.renew(g)
		in.setPaths(g)
		if tell {
			in.nexthopChanged(g, false)
		}
	}
	in.invalidateRoutes()
}

// flushNexthops removes those that lead out by ifc, without a word (nexthop_flush_dev).
func (in *Instance) flushNexthops(ifc *Interface) {
	for _, o := range in.NexthopsLocked() {
		if x := in.nexthop(o.ID); x != nil && o.Interface == ifc && (!o.Blackhole || ifc.gone) {
			in.removeNexthop(x, false)
		}
	}
}

func (in *Instance) nexthopChanged(x *nexthopObject, gone bool) {
	for _, t := range in.transports {
		if w, ok := t.(NexthopWatcher); ok {
			w.NexthopChanged(&x.NexthopObject, gone)
		}
	}
}

// object is the next hop that the route names, nil if it names none.
func (n *routeNode) object() *nexthopObject {
	if n.more == nil || n.more.paths == nil {
		return nil
	}
	return n.more.paths.object
}

// kind is the route's type, as its next hop has it.
func (n *routeNode) kind() RouteType {
	if n.more != nil && n.more.paths != nil && n.more.paths.reject {
		return RouteBlackhole
	}
	return n.typ
}

// byObject is the node of a route that names a next hop, which e is completed by.
func (in *Instance) byObject(e *RouteEntry) (*routeNode, error) {
	x := in.nexthop(e.NexthopID)
	if x == nil {
		return nil, refuse(syscall.EINVAL, "there is no next hop with that number")
	}
	if err := x.checkFor(e.Prefix.Addr.Is4(), e.Scope); err != nil {
		return nil, err
	}
	e.Gateway, e.Interface, e.Paths = wire.Addr{}, nil, nil
	n := e.node()
	if n.more == nil {
		n.more = &routeMore{}
	}
	n.more.paths = &x.set
	*e = n.entry(e.Prefix, e.Table)
	return n, nil
}
