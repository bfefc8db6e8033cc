package core

import (
	"cmp"
	"slices"
	"time"

	"github.com/libos-go/libos/core/timer"
	"github.com/libos-go/libos/core/wire"
)

// NeighbourState is the state of neighbour unreachability detection (RFC 4861
// §7.3.2), with Linux's NUD_ numbers.
type NeighbourState uint8

const (
	NeighbourNone       NeighbourState = 0x00
	NeighbourIncomplete NeighbourState = 0x01
	NeighbourReachable  NeighbourState = 0x02
	NeighbourStale      NeighbourState = 0x04
	NeighbourDelay      NeighbourState = 0x08
	NeighbourProbe      NeighbourState = 0x10
	NeighbourFailed     NeighbourState = 0x20
	NeighbourNoARP      NeighbourState = 0x40
	NeighbourPermanent  NeighbourState = 0x80

	neighbourValid = NeighbourReachable | NeighbourStale | NeighbourDelay | NeighbourProbe | NeighbourNoARP | NeighbourPermanent
)

// NeighbourParams are the sysctls of net.ipv4.neigh.{dev} and
// net.ipv6.neigh.{dev}.
type NeighbourParams struct {
	BaseReachable   time.Duration // 30 s
	DelayFirstProbe time.Duration // 5 s
	Retransmit      time.Duration // 1 s
	GCStale         time.Duration // 60 s
	MulticastProbes int           // 3
	UnicastProbes   int           // 3
	QueueLen        int           // packets that wait for resolution, 101
}

// DefaultNeighbourParams are Linux's.
var defaultNeighbourParams = NeighbourParams{
	BaseReachable: 30 * time.Second, DelayFirstProbe: 5 * time.Second, Retransmit: time.Second,
	GCStale: 60 * time.Second, MulticastProbes: 3, UnicastProbes: 3, QueueLen: 101,
}

// neighbourLimit bounds the entries of one interface (gc_thresh3).
const neighbourLimit = 1024

// Neighbour is one entry of an interface's neighbour cache.
type Neighbour struct {
	Addr      wire.Addr
	HWAddr    wire.HWAddr
	State     NeighbourState
	Router    bool // IPv6
	Interface *Interface
	probes    int
	reachable time.Duration // how long the last proof counts
	used      Time          // last time a packet went to it
	confirmed Time          // last proof of two-way reachability
	updated   Time
	waiting   PacketList
	timer     timer.Timer
}

type neighbourTable struct {
	entries map[wire.Addr]*Neighbour
}

// Times are the instants of the last proof of reachability, of the last packet to the
// neighbour and of the last change, 0 for never; probes is how many solicitations were
// sent without an answer.
func (n *Neighbour) Times() (confirmed, used, updated Time, probes int) {
	return n.confirmed, n.used, n.updated, n.probes
}

// Waiting is the oldest packet that waits for resolution, still owned by the
// entry: its source address is used in solicitations.
func (n *Neighbour) Waiting() *Packet { return n.waiting.Peek() }

// Neighbours are the interface's entries, in no order. Inside an entry.
func (ifc *Interface) Neighbours() []*Neighbour {
	if ifc.neighbours == nil {
		return nil
	}
	out := make([]*Neighbour, 0, len(ifc.neighbours.entries))
	for _, n := range ifc.neighbours.entries {
		out = append(out, n)
	}
	return out
}

// Neighbour finds an entry, nil if there is none.
func (ifc *Interface) Neighbour(a wire.Addr) *Neighbour {
	if ifc.neighbours == nil {
		return nil
	}
	return ifc.neighbours.entries[a]
}

func (ifc *Interface) addNeighbour(a wire.Addr) *Neighbour {
	t := ifc.neighbours
	if t == nil {
		t = &neighbourTable{entries: make(map[wire.Addr]*Neighbour)}
		ifc.neighbours = t
	}
	if len(t.entries) >= neighbourLimit && !ifc.evictNeighbour() {
		return nil
	}
	n := &Neighbour{Addr: a, Interface: ifc, updated: ifc.instance.domain.now}
	t.entries[a] = n
	return n
}

// rank orders entries by what their loss costs: those without an answer go
// first, so that a scan of the network cannot push live neighbours out.
func (n *Neighbour) rank() int {
	switch n.State {
	case NeighbourReachable:
		return 2
	case NeighbourStale, NeighbourDelay, NeighbourProbe:
		return 1
	}
	return 0
}

// evictNeighbour drops the entry of the lowest rank that was not used for the
// longest time, the lowest address first among equals.
func (ifc *Interface) evictNeighbour() bool {
	var old *Neighbour
	for _, n := range ifc.neighbours.entries {
		if n.State&(NeighbourPermanent|NeighbourNoARP) != 0 {
			continue
		}
		if old == nil || cmp.Or(cmp.Compare(n.rank(), old.rank()), cmp.Compare(n.used, old.used), n.Addr.Compare(old.Addr)) < 0 {
			old = n
		}
	}
	if old == nil {
		return false
	}
	old.remove()
	return true
}

func (n *Neighbour) remove() {
	n.Interface.instance.CancelTimer(&n.timer)
	n.waiting.Free()
	n.State = NeighbourFailed
	delete(n.Interface.neighbours.entries, n.Addr)
	n.Interface.instance.invalidateRoutes() // routes hold the entry
	n.tell(true)
}

// NeighbourWatcher is a Transport that hears of every change of a neighbour's state,
// and of its end.
type NeighbourWatcher interface {
	// NeighbourChanged runs inside an entry. n is borrowed, and the watcher changes
	// nothing of the stack.
	NeighbourChanged(n *Neighbour, gone bool)
}

func (n *Neighbour) tell(gone bool) {
	for _, t := range n.Interface.instance.transports {
		if w, ok := t.(NeighbourWatcher); ok {
			w.NeighbourChanged(n, gone)
		}
	}
}

// inOrder are the entries by address: who hears of several at a time hears of them in
// this order.
func (ifc *Interface) inOrder() []*Neighbour {
	all := ifc.Neighbours()
	slices.SortFunc(all, func(a, b *Neighbour) int { return a.Addr.Compare(b.Addr) })
	return all
}

// removeNeighbours drops all entries of a family.
func (ifc *Interface) removeNeighbours(v4 bool) {
	for _, n := range ifc.inOrder() {
		if n.Addr.Is4() == v4 {
			n.remove()
		}
	}
}

// SetNeighbour makes a permanent entry. Inside an entry of the Domain.
func (ifc *Interface) SetNeighbour(a wire.Addr, hw wire.HWAddr) {
	n := ifc.Neighbour(a)
	if n == nil {
		if n = ifc.addNeighbour(a); n == nil {
			return
		}
	}
	n.State, n.HWAddr = NeighbourPermanent, hw
	ifc.instance.CancelTimer(&n.timer)
	n.tell(false)
	n.sendWaiting()
}

// RemoveNeighbour drops an entry and tells whether it was there.
func (ifc *Interface) RemoveNeighbour(a wire.Addr) bool {
	if n := ifc.Neighbour(a); n != nil {
		n.remove()
		return true
	}
	return false
}

// Send gives p, complete with its network header, to the next hop of r: at once
// when the link-layer address is known or not needed, after resolution
// otherwise. It takes ownership.
func (r *Route) Send(p *Packet) {
	ifc := r.Interface
	if ifc.link != LinkEthernet || ifc.flags&FlagNoARP != 0 && r.neighbour == nil {
		ifc.TransmitTo(p, wire.HWAddr{})
		return
	}
	switch r.Type {
	case RouteMulticast:
		ifc.TransmitTo(p, wire.MulticastHWAddr(r.Gateway))
		return
	case RouteBroadcast:
		ifc.TransmitTo(p, wire.HWBroadcast())
		return
	}
	n := r.neighbour
	if n == nil || n.State == NeighbourFailed {
		if n = ifc.Neighbour(r.Gateway); n == nil {
			if n = ifc.addNeighbour(r.Gateway); n == nil {
				ifc.count().TxDropped++
				p.Free()
				return
			}
		}
		r.neighbour = n
	}
	n.send(p)
}

// params asks the network protocol's sysctls; defaults without.
func (n *Neighbour) params() *NeighbourParams {
	in := n.Interface.instance
	if i := in.networkOf(n.Addr); i >= 0 {
		if t, ok := in.networks[i].(interface {
			NeighbourParams(*Interface) *NeighbourParams
		}); ok {
			return t.NeighbourParams(n.Interface)
		}
	}
	p := defaultNeighbourParams
	return &p
}

func (n *Neighbour) send(p *Packet) {
	in := n.Interface.instance
	now := in.domain.now
	n.used = now
	switch n.State {
	case NeighbourReachable, NeighbourPermanent, NeighbourDelay, NeighbourProbe, NeighbourNoARP:
		n.Interface.TransmitTo(p, n.HWAddr)
	case NeighbourStale:
		n.State = NeighbourDelay
		in.SetTimer(&n.timer, now.Add(n.params().DelayFirstProbe), n)
		n.Interface.TransmitTo(p, n.HWAddr)
	case NeighbourIncomplete:
		n.wait(p)
	default:
		n.State, n.probes = NeighbourIncomplete, 0
		n.wait(p)
		n.solicit()
	}
}

// wait keeps p until the address is known; the oldest gives way.
func (n *Neighbour) wait(p *Packet) {
	if n.waiting.Len() >= n.params().QueueLen {
		n.waiting.Pop().Free()
		n.Interface.count().TxDropped++
	}
	n.waiting.Push(p)
}

func (n *Neighbour) solicit() {
	in := n.Interface.instance
	n.probes++
	in.SetTimer(&n.timer, in.domain.now.Add(n.params().Retransmit), n)
	if i := in.networkOf(n.Addr); i >= 0 {
		in.networks[i].Solicit(n, n.State == NeighbourProbe)
	}
}

// Expire implements timer.Expirer.
func (n *Neighbour) Expire(_ *timer.Timer, now Time) {
	pr := n.params()
	in := n.Interface.instance
	switch n.State {
	case NeighbourReachable:
		if end := n.confirmed.Add(n.reachable); end > now {
			in.SetTimer(&n.timer, end, n)
			return
		}
		n.State = NeighbourStale
		in.SetTimer(&n.timer, now.Add(pr.GCStale), n)
		n.tell(false)
	case NeighbourStale:
		if end := n.used.Add(pr.GCStale); end > now {
			in.SetTimer(&n.timer, end, n)
			return
		}
		n.remove()
	case NeighbourDelay:
		if pr.UnicastProbes == 0 {
			n.fail()
			return
		}
		n.State, n.probes = NeighbourProbe, 0
		n.tell(false)
		n.solicit()
	case NeighbourProbe:
		if n.probes < pr.UnicastProbes {
			n.solicit()
			return
		}
		n.fail()
	case NeighbourIncomplete:
		if n.probes < pr.MulticastProbes {
			n.solicit()
			return
		}
		n.fail()
	}
}

// fail gives the waiting packets back to the network protocol, which answers
// them with host unreachable, and forgets the entry.
func (n *Neighbour) fail() {
	in := n.Interface.instance
	list := n.waiting
	n.waiting = PacketList{}
	n.remove() // what the errors below cause to be sent begins anew
	for p := list.Pop(); p != nil; p = list.Pop() {
		in.networks[max(0, in.wiring.EtherType(p.EtherType))].Failed(n, p) // also one of IPv4 that went by a neighbour of IPv6
	}
	in.notify(Event{Kind: EventNeighbour, Interface: n.Interface, Addr: n.Addr})
}

func (n *Neighbour) sendWaiting() {
	list := n.waiting
	n.waiting = PacketList{}
	for p := list.Pop(); p != nil; p = list.Pop() {
		n.send(p) // a stale entry is probed now
	}
}

// NeighbourUpdate is what a received message says of a neighbour.
type NeighbourUpdate struct {
	HWAddr    wire.HWAddr
	HasHWAddr bool
	Solicited bool // proof of reachability: an answer to our question
	Override  bool // may replace a different address
	Create    bool // make an entry if there is none
	IsRouter  bool // IPv6: set the router flag
	NotRouter bool // IPv6: clear it
}

// LearnNeighbour applies what was heard of a (RFC 4861 §7.2.5; ARP is treated
// alike). It returns the entry, nil if there is none.
func (ifc *Interface) LearnNeighbour(a wire.Addr, u NeighbourUpdate) *Neighbour {
	n := ifc.Neighbour(a)
	if n == nil {
		if !u.Create || !u.HasHWAddr {
			return nil
		}
		if n = ifc.addNeighbour(a); n == nil {
			return nil
		}
	}
	if n.State&(NeighbourPermanent|NeighbourNoARP) != 0 {
		return n
	}
	now := ifc.instance.domain.now
	if n.State&neighbourValid == 0 {
		if !u.HasHWAddr {
			return n
		}
		n.setRouter(u)
		n.HWAddr = u.HWAddr
		n.enter(u.Solicited, now)
		n.sendWaiting()
		return n
	}
	changed := u.HasHWAddr && u.HWAddr != n.HWAddr
	if changed && !u.Override {
		if n.State == NeighbourReachable {
			n.State = NeighbourStale
			ifc.instance.SetTimer(&n.timer, now.Add(n.params().GCStale), n)
		}
		return n
	}
	n.setRouter(u)
	if changed {
		n.HWAddr = u.HWAddr
	}
	if u.Solicited || changed {
		n.enter(u.Solicited, now)
	}
	return n
}

// setRouter follows the router flag of an accepted message.
func (n *Neighbour) setRouter(u NeighbourUpdate) {
	if u.IsRouter {
		n.Router = true
	}
	if u.NotRouter {
		n.Router = false
	}
}

func (n *Neighbour) enter(reachable bool, now Time) {
	pr := n.params()
	n.updated = now
	if n.used == 0 {
		n.used = now
	}
	if reachable {
		n.State, n.confirmed = NeighbourReachable, now
		// RFC 4861 §6.3.2: uniform in half to one and a half times the mean, so
		// that hosts do not probe in step.
		n.reachable = pr.BaseReachable/2 + time.Duration(n.Interface.instance.Random().Uint64()%uint64(max(1, pr.BaseReachable)))
		n.Interface.instance.SetTimer(&n.timer, now.Add(n.reachable), n)
		n.tell(false)
		return
	}
	n.State = NeighbourStale
	n.Interface.instance.SetTimer(&n.timer, now.Add(pr.GCStale), n)
	n.tell(false)
}

// Confirm tells that packets to the next hop of r arrive: an upper layer saw
// progress (RFC 4861 §7.3.1). It is cheap enough for every acknowledgement.
func (r *Route) Confirm() {
	n := r.neighbour
	if n == nil {
		return
	}
	switch n.State {
	case NeighbourReachable:
		n.confirmed = n.Interface.instance.domain.now
	case NeighbourStale, NeighbourDelay, NeighbourProbe:
		n.enter(true, n.Interface.instance.domain.now)
	}
}

// PutNeighbour makes an entry, or gives one that is there another address and state
// (ip neigh replace): permanent, noarp or reachable as state says, and stale, to be
// probed when it is used, for any other. It is false when the cache is full. Inside an
// entry of the Domain.
func (ifc *Interface) PutNeighbour(a wire.Addr, hw wire.HWAddr, state NeighbourState) bool {
	n := ifc.Neighbour(a)
	if n == nil {
		if n = ifc.addNeighbour(a); n == nil {
			return false
		}
	}
	now := ifc.instance.domain.now
	n.HWAddr = hw
	switch {
	case state&(NeighbourPermanent|NeighbourNoARP) != 0:
		n.State, n.updated = NeighbourNoARP, now
		if state&NeighbourPermanent != 0 {
			n.State = NeighbourPermanent
		}
		ifc.instance.CancelTimer(&n.timer)
		n.tell(false)
	default:
		n.enter(state == NeighbourReachable, now)
	}
	n.sendWaiting()
	return true
}
