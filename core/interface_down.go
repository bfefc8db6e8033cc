package core

import (
	"slices"

	"github.com/libos-go/libos/core/wire"
)

// What goes with an interface that goes down, and what comes back with it.

// AddressKeeper is a Network that says what becomes of addresses.
type AddressKeeper interface {
	// KeepsAddresses tells whether permanent addresses stay when the interface goes
	// down, but for link-local ones (net.ipv6.conf.*.keep_addr_on_down).
	KeepsAddresses(ifc *Interface) bool
}

func (ifc *Interface) keepsAddresses() bool {
	k, ok := ifc.instance.Network(wire.IPv6Loopback()).(AddressKeeper)
	return ok && k.KeepsAddresses(ifc)
}

// withdraw lets go what Linux does when an interface goes down: routes of IPv4 without
// a word (fib_disable_ip, net/ipv4/fib_frontend.c), then what IPv6 has (addrconf_ifdown,
// net/ipv6/addrconf.c), but for addresses to keep.
func (ifc *Interface) withdraw(keep bool) {
	ifc.instance.flushNexthops(ifc)
	ifc.removeNeighbours(true)
	ifc.instance.removeRoutesOf(ifc, false)
	ifc.withdrawIPv6(keep)
}

// WithdrawIPv6Locked lets go what IPv6 has on an interface on which it ends, but for
// addresses to keep; RestoreIPv6Locked brings back what the interface has by itself, and
// the routes of what was kept. Inside an entry.
func (ifc *Interface) WithdrawIPv6Locked() {
	ifc.instance.removeRoutesOf(ifc, true)
	ifc.withdrawIPv6(ifc.keepsAddresses())
}

// RestoreIPv6Locked is the way back of WithdrawIPv6Locked.
func (ifc *Interface) RestoreIPv6Locked() { ifc.connect(true) }

func (ifc *Interface) withdrawIPv6(keep bool) {
	ifc.removeNeighbours(false)
	for _, linkLocal := range [...]bool{false, true} { // those that reach farther are first
		for _, a := range slices.Backward(slices.Clone(ifc.addresses)) {
			p := a.Prefix.Addr
			if p.Is4() || p.IsLinkLocalUnicast() != linkLocal || keep && a.Flags&AddressPermanent != 0 && !linkLocal && !p.IsLoopback() {
				continue
			}
			ifc.dropAddress(a)
		}
	}
}

// connect brings back the routes of the addresses (fib_netdev_event,
// net/ipv4/fib_frontend.c; fixup_permanent_addr, net/ipv6/addrconf.c), and the
// loopback's address of IPv6 (init_loopback, there).
func (ifc *Interface) connect(only6 bool) {
	in := ifc.instance
	if one := wire.HostPrefix(wire.IPv6Loopback()); ifc == in.loopback && in.networkOf(one.Addr) >= 0 && ifc.Address(one.Addr) == nil {
		_ = ifc.AddAddressLocked(&Address{Prefix: one, Flags: AddressPermanent})
	}
	for _, a := range ifc.addresses {
		if !only6 || a.Prefix.Addr.Is6() {
			in.addressRoutes(ifc, a, true)
		}
	}
}

// removeRoutesOf removes the routes by way of ifc, those of IPv4 without a word; all of
// all interfaces if it is nil, those of IPv6 if only6 is set. Local routes of IPv4 stay while the interface does, those
// of addresses until these go; a route of several paths stays while one of them is up.
func (in *Instance) removeRoutesOf(ifc *Interface, only6 bool) {
	var gone [3][]RouteEntry // IPv4, IPv6's table main, IPv6's table local
	in.walkRoutes(func(p wire.Prefix, table uint32, n *routeNode) {
		is4 := p.Addr.Is4()
		if ifc != nil && n.object() != nil { // it goes with its next hop
			return
		}
		if only6 && is4 || ifc != nil && (!n.uses(ifc) || is4 && n.typ == RouteLocal && (!ifc.gone || p.Bits == 32) || !ifc.gone && n.alive()) {
			return
		}
		i := 0
		if !is4 {
			i = 1
			if n.isOwn() {
				i = 2
			}
		}
		gone[i] = append(gone[i], n.entry(p, table))
	})
	for i := range gone {
		for k := range gone[i] {
			_ = in.removeRoute(&gone[i][k], ifc != nil && i == 0)
		}
	}
}

// forgetSource has no route prefer an address that is gone: routes of IPv4 go with it
// (fib_sync_down_addr, net/ipv4/fib_semantics.c), those of IPv6 choose again
// (rt6_remove_prefsrc, net/ipv6/route.c).
func (in *Instance) forgetSource(a wire.Addr) {
	if in.IsLocal(a) {
		return
	}
	var gone []RouteEntry
	in.walkRoutes(func(p wire.Prefix, table uint32, n *routeNode) {
		switch {
		case n.more == nil || n.more.source != a || p.Addr.Is4() != a.Is4():
		case a.Is4():
			gone = append(gone, n.entry(p, table))
		default:
			n.more.source = wire.Addr{}
		}
	})
	for i := range gone {
		_ = in.RemoveRouteLocked(&gone[i])
	}
	in.invalidateRoutes()
}
