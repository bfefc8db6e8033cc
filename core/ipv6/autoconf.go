package ipv6

import (
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/timer"
	"github.com/libos-go/libos/core/wire"
)

// twoHours is the least lifetime that an unauthenticated advertisement can
// shorten an address to (RFC 4862 §5.5.3 e).
const twoHours = 2 * time.Hour

// autoconf is what an instance learnt from router advertisements, and the one
// timer that watches all lifetimes.
type autoconf struct {
	net       *network
	timer     timer.Timer
	routers   []*router
	prefixes  []*onLink
	redirects []*core.RouteEntry
}

// onLink is an advertised prefix whose addresses are on the link.
type onLink struct {
	entry core.RouteEntry
	until core.Time // 0 is for ever
}

func (n *network) autoconf() *autoconf {
	if n.auto == nil {
		n.auto = &autoconf{net: n}
	}
	return n.auto
}

func (n *network) closeAutoconf() {
	if n.auto != nil {
		n.in.CancelTimer(&n.auto.timer)
		n.auto = nil
	}
}

// prefixInfo takes a Prefix Information option.
func (n *network) prefixInfo(d *device, info *wire.PrefixInfo) {
	p := info.Prefix.Masked()
	if p.Addr.IsLinkLocalUnicast() || p.Addr.IsMulticast() || p.Addr.Is4() || info.Preferred > info.Valid {
		return // RFC 4861 §6.3.4, RFC 4862 §5.5.3 b and c
	}
	if info.OnLink {
		n.learnPrefix(d.ifc, p, info.Valid)
	}
	if info.Autonomous && n.conf(d.ifc).Autoconf && p.Bits == 64 {
		n.configure(d, p, info)
	}
}

// learnPrefix adds, refreshes or removes an on-link prefix (RFC 4861 §6.3.4).
func (n *network) learnPrefix(ifc *core.Interface, p wire.Prefix, valid uint32) {
	list := n.autoconf().prefixes
	for i, x := range list {
		if x.entry.Interface != ifc || x.entry.Prefix != p {
			continue
		}
		if valid == 0 {
			n.auto.prefixes = append(list[:i], list[i+1:]...)
			_ = n.in.RemoveRouteLocked(&x.entry)
			return
		}
		x.until = n.in.Lifetime(valid)
		return
	}
	if valid == 0 || len(list) >= maxPrefixes {
		return
	}
	x := &onLink{until: n.in.Lifetime(valid)}
	x.entry = core.RouteEntry{Prefix: p, Interface: ifc, Metric: 256, Type: core.RouteUnicast, Protocol: core.RouteByRA, Scope: core.ScopeLink}
	e := x.entry
	if n.in.AddRouteLocked(&e) != nil {
		return // the prefix of an administrator's address
	}
	n.auto.prefixes = append(list, x)
}

// configure forms an address from a prefix, or refreshes its lifetimes
// (RFC 4862 §5.5.3 d and e).
func (n *network) configure(d *device, p wire.Prefix, info *wire.PrefixInfo) {
	formed := 0
	for _, a := range d.ifc.Addresses() {
		if a.Flags&core.AddressPermanent != 0 || a.Prefix.Addr.Is4() {
			continue
		}
		if a.Prefix.Masked() == p {
			n.refresh(a, info)
			return
		}
		formed++
	}
	if info.Valid == 0 {
		return
	}
	if most := n.conf(d.ifc).MaxAddresses; most != 0 && formed >= most {
		return
	}
	a := &core.Address{Prefix: wire.Prefix{Addr: d.formAddress(p, 0), Bits: 64}, Flags: core.AddressNoPrefix,
		Valid: n.in.Lifetime(info.Valid), Preferred: n.in.Lifetime(info.Preferred)}
	if info.Preferred == 0 {
		a.Flags |= core.AddressDeprecated
	}
	_ = d.ifc.AddAddressLocked(a) // EEXIST: the address is an administrator's
}

// refresh sets the lifetimes of an autoconfigured address by the two-hour rule.
func (n *network) refresh(a *core.Address, info *wire.PrefixInfo) {
	now := n.in.Now()
	valid := n.in.Lifetime(info.Valid)
	remaining := twoHours + 1
	if a.Valid != 0 {
		remaining = a.Valid.Sub(now)
	}
	switch {
	case valid == 0 || info.Valid > uint32(twoHours/time.Second) || a.Valid != 0 && valid > a.Valid:
		a.Valid = valid
	case remaining > twoHours:
		a.Valid = now.Add(twoHours)
	}
	a.Preferred = n.in.Lifetime(info.Preferred)
	old := a.Flags
	a.Flags &^= core.AddressDeprecated
	if info.Preferred == 0 {
		a.Flags |= core.AddressDeprecated
	}
	if a.Flags != old {
		n.in.InvalidateRoutes()
	}
}

// removeConfigured takes away the addresses and prefixes that were made for an
// interface: they come again with the next advertisement.
func (n *network) removeConfigured(d *device) {
	var gone []wire.Addr
	for _, a := range d.ifc.Addresses() {
		if x := a.Prefix.Addr; x.Is6() && (a.Flags&core.AddressPermanent == 0 || x == d.generated) {
			gone = append(gone, x)
		} else if x.Is6() && a.Flags&core.AddressTentative == 0 && n.tested(d.ifc, a) {
			n.suspend(d.ifc, a) // tested again when the interface comes up
		}
	}
	d.generated = wire.Addr{}
	for _, a := range gone {
		_ = d.ifc.RemoveAddressLocked(a)
	}
	d.ra = nil
	if n.auto == nil {
		return
	}
	for i := len(n.auto.prefixes) - 1; i >= 0; i-- {
		if x := n.auto.prefixes[i]; x.entry.Interface == d.ifc {
			n.auto.prefixes = append(n.auto.prefixes[:i], n.auto.prefixes[i+1:]...)
			_ = n.in.RemoveRouteLocked(&x.entry)
		}
	}
	n.forgetRedirects(d.ifc)
}

// watchLifetimes sets the timer for the next lifetime that ends.
func (n *network) watchLifetimes() {
	a := n.autoconf()
	next := core.Never
	consider := func(t core.Time) {
		if t != 0 {
			next = min(next, t)
		}
	}
	for _, r := range a.routers {
		consider(r.until)
	}
	for _, p := range a.prefixes {
		consider(p.until)
	}
	for _, ifc := range n.in.Interfaces() {
		for _, x := range ifc.Addresses() {
			if x.Prefix.Addr.Is4() {
				continue
			}
			consider(x.Valid)
			if x.Flags&core.AddressDeprecated == 0 {
				consider(x.Preferred)
			}
		}
	}
	n.in.SetTimer(&a.timer, next, a)
}

// Expire implements timer.Expirer: addresses are deprecated and removed
// (RFC 4862 §5.5.4), routers and prefixes forgotten (RFC 4861 §6.3.5).
func (a *autoconf) Expire(_ *timer.Timer, now core.Time) {
	n := a.net
	over := func(t core.Time) bool { return t != 0 && t <= now }
	for i := len(a.routers) - 1; i >= 0; i-- {
		if over(a.routers[i].until) {
			n.dropRouter(i)
		}
	}
	for i := len(a.prefixes) - 1; i >= 0; i-- {
		if x := a.prefixes[i]; over(x.until) {
			a.prefixes = append(a.prefixes[:i], a.prefixes[i+1:]...)
			_ = n.in.RemoveRouteLocked(&x.entry)
		}
	}
	for _, ifc := range n.in.Interfaces() {
		list := ifc.Addresses()
		for i := len(list) - 1; i >= 0; i-- {
			switch x := list[i]; {
			case x.Prefix.Addr.Is4():
			case over(x.Valid):
				_ = ifc.RemoveAddressLocked(x.Prefix.Addr)
			case over(x.Preferred) && x.Flags&core.AddressDeprecated == 0:
				x.Flags |= core.AddressDeprecated
				n.in.InvalidateRoutes()
			}
		}
	}
	n.watchLifetimes()
}
