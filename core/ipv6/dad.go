package ipv6

import (
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/timer"
	"github.com/libos-go/libos/core/wire"
)

// maxStartDelay spreads what all nodes of a link do when it comes up
// (MAX_RTR_SOLICITATION_DELAY, RFC 4861 §10).
const maxStartDelay = time.Second

// dad is duplicate address detection for one address (RFC 4862 §5.4).
type dad struct {
	timer   timer.Timer
	device  *device
	address *core.Address
	left    int // solicitations to send
}

// addressAdded looks at a new address of an interface.
func (n *network) addressAdded(ifc *core.Interface, a *core.Address) {
	if a == nil {
		return
	}
	if a.Valid != 0 || a.Preferred != 0 {
		n.watchLifetimes()
	}
	if ifc.Link() == core.LinkLoopback {
		return
	}
	d := n.device(ifc)
	if discovers(ifc) || ifc.Flags()&core.FlagMulticast != 0 {
		ifc.JoinGroup(wire.SolicitedNode(a.Prefix.Addr)) // RFC 4861 §7.2.1
	}
	if n.tested(ifc, a) {
		n.suspend(ifc, a) // where the address was there before
	}
	if d.up {
		d.testAddress(a)
	}
}

// TakesAddresses implements core.AddressJudge.
func (n *network) TakesAddresses(ifc *core.Interface) bool { return !n.conf(ifc).DisableIPv6 }

// BeginAddress implements core.AddressJudge.
func (n *network) BeginAddress(ifc *core.Interface, a *core.Address) {
	if ifc.Link() != core.LinkLoopback && n.tested(ifc, a) {
		a.Flags |= core.AddressTentative
	}
}

// tested tells whether an address must be tested for duplicates.
func (n *network) tested(ifc *core.Interface, a *core.Address) bool {
	c := n.conf(ifc)
	return discovers(ifc) && ifc.Flags()&core.FlagPointToPoint == 0 && a.Flags&core.AddressNoDAD == 0 && c.DADTransmits > 0 && n.acceptDAD(ifc) > 0
}

// addressGone ends what was going on for an address.
func (n *network) addressGone(ifc *core.Interface, a wire.Addr) {
	d := n.known(ifc)
	if d == nil {
		return
	}
	for _, t := range d.tests {
		if t.address.Prefix.Addr == a {
			t.stop()
			break
		}
	}
	if discovers(ifc) || ifc.Flags()&core.FlagMulticast != 0 {
		ifc.LeaveGroup(wire.SolicitedNode(a))
	}
}

// suspend makes an address tentative (RFC 4862 §5.4): without its local route
// it is not ours, neither for packets nor for bind(2). Only the messages that
// detect duplicates reach it, which go to multicast addresses.
func (n *network) suspend(ifc *core.Interface, a *core.Address) {
	a.Flags |= core.AddressTentative
	_ = n.in.RemoveRouteLocked(&core.RouteEntry{Prefix: wire.HostPrefix(a.Prefix.Addr), Interface: ifc, Type: core.RouteLocal})
	n.in.InvalidateRoutes()
}

// resume makes an address usable.
func (n *network) resume(ifc *core.Interface, a *core.Address) {
	a.Flags &^= core.AddressTentative
	ifc.AddressChangedLocked(a)
	_ = n.in.AddRouteLocked(&core.RouteEntry{Prefix: wire.HostPrefix(a.Prefix.Addr), Interface: ifc, Source: a.Prefix.Addr,
		Type: core.RouteLocal, Protocol: core.RouteByKernel, Scope: core.ScopeHost}) // EEXIST: it was there
	n.in.InvalidateRoutes()
}

// testAddress begins the detection for a tentative address of an interface
// that is up. An address that needs none is ready.
func (d *device) testAddress(a *core.Address) {
	for _, t := range d.tests {
		if t.address == a {
			return
		}
	}
	if a.Flags&core.AddressTentative == 0 {
		d.ready(a)
		return
	}
	a.Flags &^= core.AddressDADFailed
	t := &dad{device: d, address: a, left: d.net.conf(d.ifc).DADTransmits}
	d.tests = append(d.tests, t)
	now := d.net.in.Now()
	if a.Flags&core.AddressPermanent == 0 || a.Prefix.Addr.IsLinkLocalUnicast() {
		// RFC 4862 §5.4.2: what all nodes do at once is delayed at random.
		now = now.Add(time.Duration(d.net.within(int64(maxStartDelay))))
	}
	d.net.in.SetTimer(&t.timer, now, t)
}

// Expire implements timer.Expirer.
func (t *dad) Expire(_ *timer.Timer, now core.Time) {
	d := t.device
	n := d.net
	if t.left == 0 {
		t.stop()
		n.resume(d.ifc, t.address)
		if n.conf(d.ifc).NDiscNotify { // RFC 4861 §7.2.6
			n.advertise(d.ifc, t.address.Prefix.Addr, wire.IPv6AllNodes(), wire.NDAOverride|n.routerFlag(d.ifc))
		}
		d.ready(t.address)
		return
	}
	t.left--
	wait := n.NeighbourParams(d.ifc).Retransmit
	n.in.SetTimer(&t.timer, now.Add(wait), t)
	a := t.address.Prefix.Addr
	if p := n.newMessage(wire.NeighborSolicitSize); p != nil {
		wire.NeighborSolicit(p.Linear()).Encode(a)
		n.sendDiscovery(p, d.ifc, wire.IPv6Any(), wire.SolicitedNode(a))
	}
}

// stop ends the detection without a result.
func (t *dad) stop() {
	d := t.device
	d.net.in.CancelTimer(&t.timer)
	for i, x := range d.tests {
		if x == t {
			d.tests = append(d.tests[:i], d.tests[i+1:]...)
			break
		}
	}
	if len(d.tests) == 0 {
		d.tests = nil
	}
}

// ready begins to use an address.
func (d *device) ready(a *core.Address) {
	if a.Prefix.Addr.IsLinkLocalUnicast() {
		d.solicitRouters()
	}
}

// duplicate takes the news that a tentative address is another node's (RFC
// 4862 §5.4.5): it stays with the interface, unused, until an administrator
// acts.
func (n *network) duplicate(ifc *core.Interface, a *core.Address) {
	d := n.device(ifc)
	for _, t := range d.tests {
		if t.address == a {
			t.stop()
			break
		}
	}
	a.Flags |= core.AddressDADFailed
	n.in.Domain().Host().Log().Warn("ipv6: duplicate address detected", "instance", n.in.Name(), "interface", ifc.Name(), "address", a.Prefix.Addr)
	if a.Prefix.Addr == d.generated && n.acceptDAD(ifc) == 2 {
		d.blocked = true
		d.down()
	}
}
