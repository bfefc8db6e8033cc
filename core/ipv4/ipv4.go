package ipv4

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/ipcommon"
	"github.com/libos-go/libos/core/wire"
)

// Protocol describes IPv4 with ARP, for a wiring. Its settings are those of
// [Sysctls] and, for each interface, [DeviceSysctls].
func Protocol() core.NetworkProtocol {
	return core.NetworkProtocol{
		Name: "ipv4", Family: core.AFInet,
		EtherTypes: []wire.EtherType{wire.EtherTypeIPv4, wire.EtherTypeARP},
		New:        newStack,
	}
}

// PingProtocol describes the echo client's sockets, which Linux calls ping
// sockets: SOCK_DGRAM with protocol IPPROTO_ICMP (net/ipv4/ping.c). The local
// port is the echo identifier.
func PingProtocol() core.Protocol {
	return core.Protocol{
		Name: "ping", Numbers: []uint8{wire.ProtoICMP},
		Sockets:    []core.SocketKind{{Family: core.AFInet, Type: core.SockDgram, Protocol: int(wire.ProtoICMP)}},
		NewHandler: newPing,
	}
}

func newPing(env core.Env) core.Handler { return ipcommon.NewPing(env, wire.ProtoICMP) }

// stack is IPv4 in one instance.
type stack struct {
	in       *core.Instance
	view     core.SysctlView
	slot     int // of this protocol in Interface.NetworkState
	conf     *Sysctls
	base     *settings // of interfaces without settings of their own
	counters *counters
	icmp     *icmpState
	frags    *ipcommon.Reassembler
	ids      ipcommon.Identifications

	lifetimes *lifetimes // nil while no address has one

	// The last source that passed the checks: traffic comes in runs.
	source    wire.Addr
	sourceIfc *core.Interface
	sourceGen uint32
	last      *core.Route // answer of wayTo
	onLink    bool
}

// device is IPv4's state of one interface.
type device struct {
	*settings
	igmp *igmp
}

func newStack(in *core.Instance, view core.SysctlView) core.Network {
	s := &stack{in: in, view: view}
	for i, n := range in.Wiring().Networks {
		if n.Network.Family == core.AFInet {
			s.slot = i
		}
	}
	s.configure()
	return s
}

// device is the state of an interface, made at first use.
func (s *stack) device(ifc *core.Interface) *device {
	if s.slot < len(ifc.NetworkState) {
		if d, ok := ifc.NetworkState[s.slot].(*device); ok {
			return d
		}
	}
	return s.newDevice(ifc)
}

func (s *stack) newDevice(ifc *core.Interface) *device {
	if n := s.slot + 1 - len(ifc.NetworkState); n > 0 {
		ifc.NetworkState = append(ifc.NetworkState, make([]any, n)...)
	}
	d := &device{settings: s.settingsOf(ifc)}
	ifc.NetworkState[s.slot] = d
	return d
}

// Event implements core.Network.
func (s *stack) Event(e *core.Event) {
	switch e.Kind {
	case core.EventSysctl:
		s.configure()
		for _, ifc := range s.in.Interfaces() {
			s.device(ifc).settings = s.settingsOf(ifc)
		}
		if s.frags != nil {
			s.frags.SetLimits(int(s.conf.FragHighThresh), s.conf.FragTime)
		}
		s.sourceIfc = nil
	case core.EventInterface:
		if e.Interface.Up() {
			for _, a := range e.Interface.Addresses() {
				s.announce(e.Interface, a.Prefix.Addr)
			}
			s.igmpUp(e.Interface)
		} else {
			s.igmpDown(e.Interface)
		}
	case core.EventInterfaceGone:
		s.igmpDown(e.Interface)
		s.sourceIfc = nil
		if s.frags != nil {
			s.frags.Forget(e.Interface)
		}
	case core.EventAddress:
		s.announce(e.Interface, e.Addr)
		if a := e.Address; a != nil && e.Addr.Is4() && (a.Valid != 0 || a.Preferred != 0) {
			s.watchLifetimes()
		}
	case core.EventAddressChanged:
		if e.Addr.Is4() {
			s.watchLifetimes()
		}
	case core.EventJoin:
		if e.Addr.Is4() {
			s.igmpJoin(e.Interface, e.Addr)
		}
	case core.EventLeave:
		if e.Addr.Is4() {
			s.igmpLeave(e.Interface, e.Addr)
		}
	}
}

// Source implements core.Network: a primary address of ifc whose network holds
// dst, else its first one, else one of another interface (Linux:
// inet_select_addr).
func (s *stack) Source(ifc *core.Interface, dst wire.Addr) (wire.Addr, bool) {
	var first *core.Address
	for _, a := range ifc.Addresses() {
		if !a.Prefix.Addr.Is4() || a.Flags&core.AddressSecondary != 0 {
			continue
		}
		if a.Scope >= core.ScopeHost && !dst.IsLoopback() && ifc.Flags()&core.FlagIsLoopback == 0 {
			continue
		}
		if a.Prefix.Contains(dst) || !a.Peer.IsUnspecified() && a.Peer == dst {
			return a.Prefix.Addr, true
		}
		if first == nil {
			first = a
		}
	}
	if first != nil {
		return first.Prefix.Addr, true
	}
	for _, other := range s.in.Interfaces() {
		if other == ifc || other.Flags()&core.FlagIsLoopback != 0 {
			continue
		}
		for _, a := range other.Addresses() {
			if a.Prefix.Addr.Is4() && a.Flags&core.AddressSecondary == 0 && a.Scope < core.ScopeLink {
				return a.Prefix.Addr, true
			}
		}
	}
	return wire.Addr{}, false
}

// Close implements core.Network.
func (s *stack) Close() {
	if s.lifetimes != nil {
		s.in.CancelTimer(&s.lifetimes.timer)
	}
	if s.frags != nil {
		s.frags.Close()
	}
}
