package ipcommon

import (
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// NewPing makes the protocol of echo clients' sockets for number, ICMP's or
// ICMPv6's: SOCK_DGRAM with protocol IPPROTO_ICMP or IPPROTO_ICMPV6, as Linux's
// ping sockets (net/ipv4/ping.c).
//
// The local port is the echo identifier, chosen when the socket is not bound.
// A datagram sent is an echo request from its type on, whose identifier and
// checksum are filled in; a datagram received is a reply, from its type on. The
// destination's port says nothing. On a connected socket ICMP errors about its
// requests are reported, also those that other sockets take as passing.
func NewPing(env core.Env, number wire.Protocol) core.Handler {
	return &ping{env: env, number: number}
}

// ping is the echo client's protocol in one instance.
type ping struct {
	env    core.Env
	number uint8 // IP protocol: which of the two ICMPs it is
	*pingState
}

// pingState is there from the first socket or packet on.
type pingState struct {
	sockets map[core.SocketID]*pinger
	byID    map[uint16]core.SocketID
	counts  [numPingCounters]uint64
}

func (h *ping) wake() {
	if h.pingState == nil {
		h.pingState = new(pingState)
	}
}

type pinger struct {
	id        uint16
	bound     bool
	connected bool
	local     core.SockAddr
	peer      core.SockAddr
}

const (
	pingInReplies = iota
	pingNoSockets
	pingOutRequests
	pingRcvbufErrors
	numPingCounters
)

// echo types of the family.
func (h *ping) types() (request, reply uint8) {
	if h.number == wire.ProtoICMPv6 {
		return wire.ICMPv6Echo, wire.ICMPv6EchoReply
	}
	return wire.ICMPv4Echo, wire.ICMPv4EchoReply
}

// Input implements core.Handler: replies find their socket by identifier.
func (h *ping) Input(batch []*core.Packet) {
	h.wake()
	_, reply := h.types()
	for _, p := range batch {
		b := p.Linear()
		if len(b) < wire.ICMPv4Size || b[0] != reply || b[1] != 0 {
			p.Free()
			continue
		}
		m := wire.ICMPv4(b)
		id, ok := h.byID[m.ID()]
		x := h.sockets[id]
		if !ok || !x.takes(p) {
			h.counts[pingNoSockets]++
			p.Free()
			continue
		}
		h.counts[pingInReplies]++
		p.SrcPort, p.DstPort = 0, x.id
		one := [1]*core.Packet{p}
		h.env.Deliver(id, one[:])
	}
}

// takes tells whether the socket's addresses allow a reply.
func (x *pinger) takes(p *core.Packet) bool {
	if !x.local.Addr.IsUnspecified() && x.local.Addr != p.Dst {
		return false
	}
	return !x.connected || x.peer.Addr == p.Src || x.peer.Addr.IsMulticast() || x.peer.Addr.IsBroadcast()
}

// Error implements core.Handler.
func (h *ping) Error(e *core.ErrorReport) {
	request, _ := h.types()
	if h.pingState == nil || len(e.Quoted) < wire.ICMPv4Size || e.Quoted[0] != request {
		return
	}
	id, ok := h.byID[wire.ICMPv4(e.Quoted).ID()]
	if !ok {
		return
	}
	x := h.sockets[id]
	if x.connected && x.peer.Addr != e.Dst {
		return
	}
	hard := *e
	hard.Hard = true
	h.env.Report(id, &hard, 0, 0)
}

// Timer implements core.Handler; there are none.
func (h *ping) Timer(uint64) {}

// Event implements core.Handler.
func (h *ping) Event(e *core.Event) {
	if e.Kind == core.EventReceiveDropped && h.pingState != nil {
		h.counts[pingRcvbufErrors] += uint64(e.Count)
	}
}

// Control implements core.Handler.
func (h *ping) Control(op *core.Op) {
	op.Done = true
	h.wake()
	x := h.sockets[op.Socket]
	if x == nil && op.Kind != core.OpOpen {
		op.Err = syscall.EBADF
		return
	}
	switch op.Kind {
	case core.OpOpen:
		if h.sockets == nil {
			h.sockets, h.byID = make(map[core.SocketID]*pinger), make(map[uint16]core.SocketID)
		}
		h.sockets[op.Socket] = &pinger{}
	case core.OpBind:
		op.Err = h.bind(x, op)
		op.Local = x.local
	case core.OpConnect:
		if op.Flags&core.OpDissolve != 0 {
			x.connected, x.peer = false, core.SockAddr{}
			op.Local = x.local
			return
		}
		x.connected, x.peer = true, op.Addr
		op.Local.Port = x.id
	case core.OpListen:
		op.Err = syscall.EOPNOTSUPP
	case core.OpShutdown:
	case core.OpClose:
		if x.bound {
			delete(h.byID, x.id)
		}
		delete(h.sockets, op.Socket)
	default:
		op.Err = syscall.ENOPROTOOPT
	}
}

// bind gives the socket its identifier: the port asked for or a random free one.
func (h *ping) bind(x *pinger, op *core.Op) error {
	id := op.Addr.Port
	if id == 0 {
		if len(h.byID) >= 0xffff {
			return syscall.EAGAIN
		}
		for id = uint16(h.env.Random()); id == 0 || h.used(id); {
			id++
		}
	} else if h.used(id) {
		return syscall.EADDRINUSE
	}
	x.id, x.bound, x.local = id, true, op.Addr
	x.local.Port = id
	h.byID[id] = op.Socket
	return nil
}

func (h *ping) used(id uint16) bool { _, ok := h.byID[id]; return ok }

// Send implements core.Handler. EINVAL for anything but a whole echo request of
// code 0.
func (h *ping) Send(s core.SocketID, batch []*core.Packet) error {
	h.wake()
	request, _ := h.types()
	x := h.sockets[s]
	for i, p := range batch {
		if x == nil || !p.Pullup(wire.ICMPv4Size) || p.Linear()[0] != request || p.Linear()[1] != 0 {
			for _, q := range batch[i:] {
				q.Free()
			}
			return syscall.EINVAL
		}
		m := wire.ICMPv4(p.Linear())
		m.SetID(x.id)
		m.SetChecksum(0)
		var c wire.Checksum
		if h.number == wire.ProtoICMPv6 {
			c.AddPseudoHeader(p.Src, p.Dst, wire.ProtoICMPv6, p.Len())
		}
		p.Sum(&c, 0)
		m.SetChecksum(c.Field())
		p.Protocol = h.number
		h.counts[pingOutRequests]++
	}
	return h.env.Output(batch)
}

// Counters implements core.Handler: a group that Linux does not have.
func (h *ping) Counters() []core.Counters {
	group := "Ping"
	if h.number == wire.ProtoICMPv6 {
		group = "Ping6"
	}
	counts := make([]uint64, numPingCounters)
	if h.pingState != nil {
		copy(counts, h.counts[:])
	}
	return []core.Counters{{Group: group, Names: []string{"InReplies", "NoSockets", "OutRequests", "RcvbufErrors"},
		Values: counts}}
}

// Close implements core.Handler.
func (h *ping) Close() {
	if h.pingState != nil {
		h.sockets, h.byID = nil, nil
	}
}
