package raw

import (
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Protocol describes raw sockets to a wiring.
func Protocol() core.Protocol {
	return core.Protocol{
		Name: "raw",
		Sockets: []core.SocketKind{
			{Family: core.AFInet, Type: core.SockRaw, Protocol: core.AnyProtocol},
			{Family: core.AFInet6, Type: core.SockRaw, Protocol: core.AnyProtocol},
		},
		NewHandler: newHandler,
	}
}

func newHandler(env core.Env) core.Handler { return &handler{env: env} }

// handler is raw sockets in one instance.
type handler struct {
	env core.Env
	*sockets
}

// sockets are there from the first one on.
type sockets struct {
	byID map[core.SocketID]*socket
	// by protocol number, the oldest first: the order in which they hear of a packet
	byProtocol [256][]*socket
}

// socket is one of them, as its protocol sees it.
type socket struct {
	id        core.SocketID
	v4        bool
	protocol  wire.Protocol
	connected bool
	header    bool // IP_HDRINCL, IPV6_HDRINCL
	checksum  bool // IPV6_CHECKSUM
	device    int32
	offset    int32      // of the checksum, in bytes
	bound     wire.Addr  // by bind(2)
	local     wire.Addr  // bound, or chosen by connect(2)
	peer      wire.Addr  // of a connected one
	filter    icmpFilter // ICMP_FILTER, ICMPV6_FILTER
}

// Input implements core.Handler; no protocol number is of raw sockets alone.
func (h *handler) Input(batch []*core.Packet) {
	for _, p := range batch {
		p.Free()
	}
}

// Error implements core.Handler: see ErrorRaw.
func (h *handler) Error(*core.ErrorReport) {}

// Timer implements core.Handler; there are none.
func (h *handler) Timer(uint64) {}

// Event implements core.Handler. What met a full buffer is counted by the socket, as
// Linux does (/proc/net/raw).
func (h *handler) Event(*core.Event) {}

// Counters implements core.Handler: SNMP knows none of raw sockets.
func (h *handler) Counters() []core.Counters { return nil }

// Close implements core.Handler.
func (h *handler) Close() { h.sockets = nil }

// Control implements core.Handler.
func (h *handler) Control(op *core.Op) {
	op.Done = true
	if op.Kind == core.OpOpen {
		op.Err = h.open(op)
		return
	}
	var x *socket
	if h.sockets != nil {
		x = h.byID[op.Socket]
	}
	if x == nil {
		op.Err = syscall.EBADF
		return
	}
	switch op.Kind {
	case core.OpBind:
		if x.v4 != op.Addr.Addr.Is4() { // net/ipv6/raw.c, rawv6_bind
			op.Err = syscall.EINVAL
			return
		}
		x.device = int32(op.Device)
		x.bound, x.local = op.Addr.Addr, op.Addr.Addr
		op.Local = core.SockAddr{Addr: x.local, Port: uint16(x.protocol), Scope: op.Addr.Scope}
	case core.OpConnect:
		h.connect(x, op)
	case core.OpListen:
		op.Err = syscall.EOPNOTSUPP
	case core.OpShutdown:
	case core.OpClose:
		h.drop(x)
	case core.OpSetOption:
		x.device = int32(op.Device)
		op.Err = x.setOption(op.Level, op.Name, op.Data)
	case core.OpGetOption:
		op.Data, op.Err = x.option(op.Level, op.Name, len(op.Data))
	default:
		op.Err = syscall.EOPNOTSUPP
	}
}

// open makes a socket: protocol 0 stands for none (net/ipv4/af_inet.c, inet_create).
func (h *handler) open(op *core.Op) error {
	if op.Value <= 0 || op.Value > 255 {
		return syscall.EPROTONOSUPPORT
	}
	x := &socket{id: op.Socket, v4: op.Family == core.AFInet, protocol: wire.Protocol(op.Value)}
	x.header = x.protocol == wire.ProtoRaw
	if !x.v4 { // RFC 3542 §3.1; net/ipv6/raw.c, rawv6_init_sk
		switch x.protocol {
		case wire.ProtoICMPv6:
			x.checksum, x.offset = true, 2
		case wire.ProtoMobility:
			x.checksum, x.offset = true, 4
		}
	}
	if h.sockets == nil {
		h.sockets = &sockets{byID: make(map[core.SocketID]*socket)}
	}
	h.byID[x.id] = x
	h.byProtocol[x.protocol] = append(h.byProtocol[x.protocol], x)
	return nil
}

func (h *handler) drop(x *socket) {
	delete(h.byID, x.id)
	list := h.byProtocol[x.protocol]
	for i, y := range list {
		if y == x {
			h.byProtocol[x.protocol] = append(list[:i:i], list[i+1:]...)
			return
		}
	}
}

// connect is connect(2), or its undoing: what bind(2) said stays.
func (h *handler) connect(x *socket, op *core.Op) {
	if op.Flags&core.OpDissolve != 0 {
		x.connected, x.peer, x.local = false, wire.Addr{}, x.bound
		op.Local = core.SockAddr{Addr: x.local, Port: uint16(x.protocol)}
		return
	}
	if x.v4 != op.Addr.Addr.Is4() {
		op.Err = syscall.EINVAL
		return
	}
	x.connected, x.peer, x.local = true, op.Addr.Addr, op.Local.Addr
	x.device = int32(op.Device)
	op.Local.Port = uint16(x.protocol)
}
