package ipv6

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/ipcommon"
	"github.com/libos-go/libos/core/wire"
)

const (
	minMTU     = wire.IPv6MinMTU
	headerSize = wire.IPv6Size
)

// Protocol describes IPv6 for a wiring. Its settings are [Sysctls] and, for
// each interface, [DeviceSysctls].
func Protocol() core.NetworkProtocol {
	return core.NetworkProtocol{Name: "ipv6", Family: core.AFInet6, EtherTypes: []wire.EtherType{wire.EtherTypeIPv6}, New: open}
}

// PingProtocol describes the sockets of echo clients over IPv6 for a wiring.
func PingProtocol() core.Protocol {
	return core.Protocol{
		Name: "ping6", Numbers: []uint8{wire.ProtoICMPv6},
		Sockets:    []core.SocketKind{{Family: core.AFInet6, Type: core.SockDgram, Protocol: int(wire.ProtoICMPv6)}},
		NewHandler: newPing,
	}
}

func newPing(env core.Env) core.Handler { return ipcommon.NewPing(env, wire.ProtoICMPv6) }

// network is the IPv6 of one instance.
type network struct {
	in          *core.Instance
	view        core.SysctlView
	count       counters
	devices     []*device // by interface index - 1; nil where nothing is known
	closed      bool
	loopbackOff bool      // IPv6 is turned off there
	secret      [2]uint64 // of flow labels and stable interface identifiers; 0 until drawn
	limiter     *errorLimiter
	fragged     *ipcommon.Reassembler
	ids         ipcommon.Identifications
	auto        *autoconf
	labels      *labels               // of addresses; nil for the default ones
	params      *core.NeighbourParams // the answer of NeighbourParams
	untabled    *untabled             // settings, where the wiring has no tables
}

func open(in *core.Instance, v core.SysctlView) core.Network {
	n := &network{in: in, view: v}
	if v.Block() == nil || v.All() == nil {
		n.untabled = newUntabled()
	}
	return n
}

// device is what IPv6 knows of an interface.
type device struct {
	net *network
	ifc *core.Interface
	up  bool // the interface was up at its last event, with IPv6 enabled
	// generated is the link-local address made for this interface, "::" if none.
	generated wire.Addr
	router    bool // forwarding was on: the all-routers group is joined
	carrier   bool // the link had its other side
	withdrawn bool // addresses and routes were taken away when IPv6 was turned off
	blocked   bool // the link-local address is a duplicate, and accept_dad is 2
	tests     []*dad
	rs        *solicitation
	ra        *advertised
	mld       *listener
	adverts   *advertiser
}

// known is the device of an interface if there is one.
func (n *network) known(ifc *core.Interface) *device {
	if i := ifc.Index() - 1; i < len(n.devices) {
		return n.devices[i]
	}
	return nil
}

// device is the device of an interface, made at first use.
func (n *network) device(ifc *core.Interface) *device {
	i := ifc.Index() - 1
	if i >= len(n.devices) {
		n.devices = append(n.devices, make([]*device, i+1-len(n.devices))...)
	}
	if n.devices[i] == nil {
		n.devices[i] = &device{net: n, ifc: ifc}
	}
	return n.devices[i]
}

// enabled tells whether IPv6 runs on an interface that is up (RFC 8200 §5: not
// on links that carry less than 1280 bytes).
func (n *network) enabled(ifc *core.Interface) bool {
	if d := n.known(ifc); d != nil && d.blocked {
		return false
	}
	return ifc.MTU() >= minMTU && !n.conf(ifc).DisableIPv6
}

// Event implements core.Network.
func (n *network) Event(e *core.Event) {
	if n.closed {
		return
	}
	switch e.Kind {
	case core.EventInterface:
		n.interfaceChanged(e.Interface)
	case core.EventInterfaceGone:
		if d := n.known(e.Interface); d != nil {
			d.down()
			n.forgetRouters(e.Interface)
			n.devices[e.Interface.Index()-1] = nil
		}
		if n.fragged != nil {
			n.fragged.Forget(e.Interface)
		}
	case core.EventAddress:
		if !e.Addr.Is4() {
			n.addressAdded(e.Interface, e.Interface.Address(e.Addr))
		}
	case core.EventAddressChanged:
		if !e.Addr.Is4() {
			n.watchLifetimes()
		}
	case core.EventAddressGone:
		if !e.Addr.Is4() {
			n.addressGone(e.Interface, e.Addr)
		}
	case core.EventJoin:
		if !e.Addr.Is4() {
			n.device(e.Interface).joined(e.Addr)
		}
	case core.EventLeave:
		if !e.Addr.Is4() {
			n.device(e.Interface).left(e.Addr)
		}
	case core.EventNeighbour:
		if !e.Addr.Is4() {
			n.neighbourChanged(e.Interface, e.Addr)
		}
	case core.EventSysctl:
		for _, ifc := range n.in.Interfaces() {
			n.interfaceChanged(ifc)
		}
	}
}

// interfaceChanged follows an interface up and down, and what its settings say.
func (n *network) interfaceChanged(ifc *core.Interface) {
	d := n.known(ifc)
	if d != nil && !ifc.Up() {
		d.blocked = false // a new start, a new test
	}
	on := ifc.Up() && n.enabled(ifc)
	if ifc.Link() == core.LinkLoopback && ifc.Up() && on == n.loopbackOff {
		if n.loopbackOff = !on; on {
			ifc.RestoreIPv6Locked()
		} else {
			ifc.WithdrawIPv6Locked()
		}
	}
	if (d == nil || !d.up) && ifc.Flags()&core.FlagRunning == 0 {
		on = false // it starts with the first carrier, and goes on without (addrconf_notify, net/ipv6/addrconf.c)
	}
	if d == nil && !on {
		return
	}
	if d == nil {
		if ifc.Link() == core.LinkLoopback {
			return // nothing to discover: no state
		}
		d = n.device(ifc)
	}
	switch {
	case on && !d.up:
		if d.withdrawn {
			d.withdrawn = false
			ifc.RestoreIPv6Locked()
		}
		d.start()
	case !on && d.up:
		d.down()
		n.forgetRouters(ifc)
		if ifc.Up() && !d.blocked { // addrconf_ifdown, net/ipv6/addrconf.c
			ifc.WithdrawIPv6Locked()
			d.withdrawn = true
		}
	}
	if !d.up {
		return
	}
	d.setRouter(n.conf(ifc).Forwarding)
	carrier := ifc.Flags()&core.FlagRunning != 0
	if carrier && !d.carrier {
		d.linked()
	}
	d.carrier = carrier
}

// linked greets a link that is there again, perhaps another one: the groups are
// told and routers asked for (RFC 4861 §6.3.7).
func (d *device) linked() {
	d.startListener()
	if !d.net.linkLocal(d.ifc).IsUnspecified() {
		d.solicitRouters()
	}
}

// start brings IPv6 up on an interface: a link-local address, duplicate address
// detection for all addresses, then router solicitations (RFC 4862 §5.3).
func (d *device) start() {
	d.up = true
	d.carrier = d.ifc.Flags()&core.FlagRunning != 0
	for _, a := range d.ifc.Addresses() {
		if a.Prefix.Addr.Is6() {
			d.testAddress(a)
		}
	}
	d.generateLinkLocal()
	d.startListener()
	d.startAdvertising()
}

// down ends all that runs on an interface, and takes away the addresses that
// were made for it.
func (d *device) down() {
	d.up = false
	for len(d.tests) > 0 {
		d.tests[0].stop()
	}
	d.stopSoliciting()
	d.stopListener()
	d.stopAdvertising()
	d.setRouter(false)
	d.net.removeConfigured(d)
}

// setRouter joins or leaves the all-routers group (RFC 4291 §2.8).
func (d *device) setRouter(on bool) {
	if on == d.router {
		return
	}
	d.router = on
	if on {
		d.stopSoliciting()
		d.ifc.JoinGroup(wire.IPv6AllRouters())
		if d.net.conf(d.ifc).AcceptRA < 2 {
			d.net.forgetRouters(d.ifc)
		}
	} else {
		d.ifc.LeaveGroup(wire.IPv6AllRouters())
	}
}

// discovers tells whether neighbour discovery runs on an interface: not on
// loopback, nor where there are no link-layer addresses.
func discovers(ifc *core.Interface) bool {
	return ifc.Link() == core.LinkEthernet && ifc.Flags()&core.FlagNoARP == 0
}

// Close implements core.Network.
func (n *network) Close() {
	n.closed = true
	for _, d := range n.devices {
		if d != nil {
			d.down()
		}
	}
	n.closeAutoconf()
	if n.fragged != nil {
		n.fragged.Close()
	}
	n.devices = nil
}

// key is a secret of the instance, drawn at first use.
func (n *network) key() *[2]uint64 {
	for n.secret[0] == 0 {
		n.secret[0], n.secret[1] = n.in.Random().Uint64(), n.in.Random().Uint64()
	}
	return &n.secret
}

// within is a random duration in 0..d.
func (n *network) within(d int64) int64 {
	if d <= 0 {
		return 0
	}
	return int64(n.in.Random().Uint64() % uint64(d+1))
}
