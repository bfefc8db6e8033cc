package core

import (
	"github.com/libos-go/libos/core/wire"
)

// NetworkProtocol describes a network protocol (IPv4, IPv6): a value that the
// wiring names, not a registration.
type NetworkProtocol struct {
	Name       string
	Family     int              // AF_INET or AF_INET6
	EtherTypes []wire.EtherType // first its own, then companions (ARP)
	New        func(*Instance, SysctlView) Network
}

// Network is a network protocol of one instance. All methods run inside an
// entry of the Domain.
type Network interface {
	// Input takes ownership of p, which starts at the network header and has
	// EtherType, Interface and Type set.
	Input(p *Packet)
	// Output takes ownership of p, which starts at the transport header and
	// has Src, Dst, Protocol, Route and, where they matter, TOS, HopLimit
	// and FlagDontFragment set. It builds the network header, fragments
	// where allowed, and sends. EMSGSIZE: longer than the path MTU and not
	// to be fragmented (p is freed).
	Output(p *Packet) error
	// Unreachable answers received packet p (network header remembered) with
	// an ICMP error; it borrows p.
	Unreachable(p *Packet, why Unreachable)
	// Solicit asks the link for n's link-layer address: by broadcast or
	// multicast, or to the address known so far when unicast is set.
	Solicit(n *Neighbour, unicast bool)
	// Failed tells that n did not answer: p waited for it (owned).
	Failed(n *Neighbour, p *Packet)
	// Event tells of addresses, interfaces, groups and sysctls.
	Event(e *Event)
	// Source chooses the source address for dst by way of ifc (RFC 6724 for
	// IPv6); false when there is none.
	Source(ifc *Interface, dst wire.Addr) (wire.Addr, bool)
	// Close ends the protocol and frees what it holds.
	Close()
}

// Unreachable is why a packet could not be delivered here.
type Unreachable uint8

const (
	UnreachableProtocol Unreachable = iota
	UnreachablePort
	UnreachableHost
	UnreachableNet
	UnreachableProhibited
	UnreachableTooBig // Info is the MTU
	UnreachableHopLimit
	UnreachableReassembly
	LastUnreachable = UnreachableReassembly
)

// EventKind says what an Event tells.
type EventKind uint8

const (
	EventInterface      EventKind = iota // up, down, MTU, created
	EventInterfaceGone                   // about to be removed
	EventAddress                         // Addr was added to Interface
	EventAddressGone                     // Addr was removed
	EventRoute                           // routes changed: Route was added, or removed if Gone
	EventJoin                            // first user of a multicast group
	EventLeave                           // last user gone
	EventSysctl                          // Sysctls is the protocol's block now
	EventReceiveDropped                  // Count datagrams for Socket met a full buffer
	EventNeighbour                       // a neighbour's state changed
	EventSendDropped                     // Count datagrams of Socket found no memory
	EventReceived                        // Count bytes of Socket were read: a connection's window may open
	EventReceiveIgnored                  // Count datagrams for Socket were of groups that it did not join (IP_MULTICAST_ALL)
	EventAddressChanged                  // lifetimes or flags of Addr are others
	LastEvent           = EventAddressChanged
)

// Event is news for network and transport protocols.
type Event struct {
	Kind      EventKind
	Interface *Interface // nil for a protocol behind the narrow contract
	Ifindex   int        // the interface's index, for those
	Addr      wire.Addr
	Address   *Address    // in process: of EventAddress, EventAddressGone and EventAddressChanged
	Route     *RouteEntry // in process: of EventRoute
	Gone      bool
	New       bool // in process: of EventInterface, of one that has just been made
	Sysctls   any
	Socket    SocketID
	Count     int
}

// Announcer is a Transport that tells programs of events.
type Announcer interface {
	// Announce has the news of EventInterface before anybody acts on them, so that
	// programs hear of a change before its consequences. e is borrowed.
	Announce(e *Event)
}

// notify tells every network and transport protocol.
func (in *Instance) notify(news Event) {
	if news.Kind == EventInterface {
		in.announce(news)
	}
	in.spread(news)
}

func (in *Instance) announce(news Event) {
	in.domain.lend(news, func(e *Event) {
		for _, t := range in.transports {
			if a, ok := t.(Announcer); ok {
				a.Announce(e)
			}
		}
	})
}

func (in *Instance) spread(news Event) {
	in.domain.lend(news, func(e *Event) {
		for _, n := range in.networks {
			n.Event(e)
		}
		for _, t := range in.transports {
			t.Event(e)
		}
	})
}

// lend has tell borrow the Domain's one Event; those who hear it may bring the next
// news before they have all heard.
func (d *Domain) lend(news Event, tell func(*Event)) {
	e := &d.news
	outer := *e
	defer func() { *e = outer }()
	*e = news
	tell(e)
}
