package core

import (
	"syscall"

	"github.com/libos-go/libos/core/wire"
)

// datagramEndpoint is the core's side of a socket whose protocol is behind the
// narrow contract: addresses, receive queue and route are kept here, so that
// neither receiving nor getsockname crosses to the protocol.
type datagramEndpoint struct {
	socket     *Socket
	sep        *separable
	local      SockAddr
	peer       SockAddr
	bound      bool
	connected  bool
	shutRead   bool
	shutWrite  bool
	ready      Ready // the protocol's own
	route      *Route
	queue      PacketList
	queued     int // truesize of the queue
	pending    *Op // an operation that the protocol has not ended yet
	backlog    []*Socket
	backlogMax int
}

// control runs op; EAGAIN while the protocol has not ended it.
func (e *datagramEndpoint) control(op *Op) error {
	if p := e.pending; p != nil {
		if !p.Done {
			return syscall.EAGAIN
		}
		e.pending = nil
		if p.Kind == op.Kind {
			*op = *p
			return op.Err
		}
	}
	op.Socket = e.socket.id
	op.Device = int(e.socket.options.Device)
	o := &e.socket.options
	if o.ReuseAddr {
		op.Flags |= OpReuseAddr
	}
	if o.ReusePort {
		op.Flags |= OpReusePort
	}
	if o.V6Only {
		op.Flags |= OpV6Only
	}
	e.sep.handler.Control(op)
	if !op.Done {
		p := *op
		e.pending = &p
		return syscall.EAGAIN
	}
	return op.Err
}

// completed takes the end of a pending operation.
func (e *datagramEndpoint) completed(op *Op) {
	if e.pending != nil && e.pending.Kind == op.Kind {
		*e.pending = *op
	}
	e.socket.Wake(ReadyIn | ReadyOut)
}

func (e *datagramEndpoint) Bind(a SockAddr) error {
	if e.bound {
		return syscall.EINVAL
	}
	if err := e.socket.checkLocal(a); err != nil {
		return err
	}
	op := Op{Kind: OpBind, Addr: a, Family: e.socket.family}
	if err := e.control(&op); err != nil {
		return err
	}
	e.local, e.bound = op.Local, true
	return nil
}

// autobind gives an unbound socket a port.
func (e *datagramEndpoint) autobind() error {
	if e.bound {
		return nil
	}
	op := Op{Kind: OpBind, Family: e.socket.family}
	if e.socket.family == afInet {
		op.Addr.Addr = wire.FromV4(0)
	}
	if err := e.control(&op); err != nil {
		return err
	}
	e.local, e.bound = op.Local, true
	return nil
}

func (e *datagramEndpoint) Connect(a SockAddr) error {
	if err := e.autobind(); err != nil {
		return err
	}
	in := e.socket.instance
	src := e.local.Addr
	r, err := in.Route(RouteQuery{Dst: a.Addr, Src: src, Interface: e.socket.outInterface(a)})
	if err != nil {
		return err
	}
	if r.Type == RouteBroadcast && !e.socket.options.Broadcast {
		return syscall.EACCES
	}
	op := Op{Kind: OpConnect, Addr: a, Local: SockAddr{Addr: r.Src, Port: e.local.Port, Scope: e.local.Scope}}
	if err := e.control(&op); err != nil {
		return err
	}
	e.local, e.peer, e.connected, e.route = op.Local, a, true, nil
	e.socket.Wake(ReadyOut)
	return nil
}

// Disconnect dissolves the association (connect(2) with AF_UNSPEC).
func (e *datagramEndpoint) Disconnect() error {
	op := Op{Kind: OpConnect, Flags: OpDissolve}
	if err := e.control(&op); err != nil {
		return err
	}
	e.local, e.peer, e.connected, e.route = op.Local, SockAddr{}, false, nil
	return nil
}

func (e *datagramEndpoint) Listen(backlog int) error {
	if err := e.autobind(); err != nil {
		return err
	}
	op := Op{Kind: OpListen, Value: backlog}
	if err := e.control(&op); err != nil {
		return err
	}
	e.backlogMax = max(1, backlog)
	return nil
}

func (e *datagramEndpoint) Accept() (*Socket, error) {
	if e.backlogMax == 0 {
		return nil, syscall.EINVAL
	}
	if len(e.backlog) == 0 {
		return nil, syscall.EAGAIN
	}
	s := e.backlog[0]
	e.backlog = append(e.backlog[:0], e.backlog[1:]...)
	return s, nil
}

func (e *datagramEndpoint) Send(m *Message) (int, error) {
	if e.shutWrite {
		return 0, syscall.EPIPE
	}
	if err := e.socket.takeError(); err != nil {
		return 0, err
	}
	if m.Flags&MsgOOB != 0 {
		return 0, syscall.EOPNOTSUPP
	}
	dst := e.peer
	if m.HasAddr {
		if err := e.socket.checkPeer(m.Addr); err != nil {
			return 0, err
		}
		dst = m.Addr
	} else if !e.connected {
		return 0, syscall.EDESTADDRREQ
	}
	if dst.Port == 0 && (SocketKind{Protocol: e.socket.protocol}).ByDefault() { // echo has no ports
		return 0, syscall.EINVAL
	}
	n := m.Len()
	if n > maxDatagram {
		return 0, syscall.EMSGSIZE
	}
	if err := e.autobind(); err != nil {
		return 0, err
	}
	s, in := e.socket, e.socket.instance
	r, err := e.routeTo(dst, m)
	if err != nil {
		return 0, err
	}
	if r.Type == RouteBroadcast && !s.options.Broadcast {
		return 0, syscall.EACCES
	}
	p := in.NewPacket(Headroom, n)
	if p == nil {
		return 0, syscall.ENOBUFS
	}
	m.CopyIn(p.Put(n))
	p.Src, p.SrcPort, p.Dst, p.DstPort = r.Src, e.local.Port, dst.Addr, dst.Port
	p.Route, p.Interface = r, r.Interface
	s.options.stamp(p, r)
	if m.HasTOS {
		p.TOS = m.TOS
	}
	if m.HasHopLimit {
		p.HopLimit = m.HopLimit
	}
	batch := [1]*Packet{p}
	if err := e.sep.handler.Send(s.id, batch[:]); err != nil {
		return 0, err
	}
	return n, nil
}

const maxDatagram = 65535

// routeTo is the route to dst, remembered from the last datagram if it fits.
func (e *datagramEndpoint) routeTo(dst SockAddr, m *Message) (*Route, error) {
	src, oif := e.local.Addr, e.socket.outInterface(dst)
	if m.HasPacketInfo {
		if !m.PacketInfo.Addr.IsUnspecified() {
			src = m.PacketInfo.Addr
		}
		if m.PacketInfo.Interface != 0 {
			oif = m.PacketInfo.Interface
		}
	}
	if r := e.route; r != nil && r.key.dst == dst.Addr && r.key.src == src && int(r.key.oif) == oif && r.Valid() {
		return r, nil
	}
	if dst.Addr.IsMulticast() && oif == 0 {
		oif = int(e.socket.options.MulticastInterface)
	}
	r, err := e.socket.instance.Route(RouteQuery{Dst: dst.Addr, Src: src, Interface: oif})
	if err != nil {
		return nil, err
	}
	e.route = r
	return r, nil
}

// enqueue puts a datagram into the receive queue; false when it is full (p is
// freed).
func (e *datagramEndpoint) enqueue(p *Packet) bool {
	size := p.TrueSize()
	if e.shutRead || e.queued+size > int(e.socket.options.ReceiveBuffer) && e.queue.Len() > 0 {
		p.Free()
		return false
	}
	e.queued += size
	e.queue.Push(p)
	return true
}

func (e *datagramEndpoint) Receive(m *Message) (int, error) {
	if m.Flags&MsgErrQueue != 0 {
		return 0, syscall.EAGAIN
	}
	if m.Flags&MsgOOB != 0 {
		return 0, syscall.EOPNOTSUPP
	}
	p := e.queue.Peek()
	if p == nil {
		if err := e.socket.takeError(); err != nil {
			return 0, err
		}
		if e.shutRead {
			return 0, nil
		}
		return 0, syscall.EAGAIN
	}
	n := m.CopyOut(p)
	m.Addr, m.HasAddr = SockAddr{Addr: p.Src, Port: p.SrcPort}, true
	if p.Src.IsLinkLocalUnicast() && !p.Src.Is4() && p.Interface != nil {
		m.Addr.Scope = uint32(p.Interface.index)
	}
	m.TOS, m.HopLimit = p.TOS, p.HopLimit
	m.PacketInfo.Addr = p.Dst
	if p.Interface != nil {
		m.PacketInfo.Interface = p.Interface.index
	}
	m.Arrival = p.Arrival
	if n < p.Len() {
		m.OutFlags |= MsgTrunc
		if m.Flags&MsgTrunc != 0 {
			n = p.Len()
		}
	}
	if m.Flags&MsgPeek == 0 {
		e.queue.Pop()
		e.queued -= p.TrueSize()
		p.Free()
	}
	return n, nil
}

func (e *datagramEndpoint) Shutdown(how int) error {
	if !e.connected {
		return syscall.ENOTCONN
	}
	op := Op{Kind: OpShutdown, Value: how}
	if err := e.control(&op); err != nil {
		return err
	}
	e.shutRead = e.shutRead || how != ShutWrite
	e.shutWrite = e.shutWrite || how != ShutRead
	e.socket.Wake(ReadyIn | ReadyOut | ReadyHup)
	return nil
}

func (e *datagramEndpoint) Close() {
	e.queue.Free()
	e.queued = 0
	for _, c := range e.backlog {
		c.closeLocked()
	}
	e.backlog = nil
	e.pending = nil
	op := Op{Kind: OpClose}
	_ = e.control(&op)
	e.pending = nil
}

func (e *datagramEndpoint) Ready() Ready {
	r := e.ready
	if !e.shutWrite {
		r |= ReadyOut
	}
	if e.queue.Len() > 0 || len(e.backlog) > 0 {
		r |= ReadyIn
	}
	if e.shutRead {
		r |= ReadyIn | ReadyRdHup
	}
	if e.shutRead && e.shutWrite {
		r |= ReadyHup
	}
	return r
}

func (e *datagramEndpoint) Local() SockAddr { return e.local }

func (e *datagramEndpoint) Peer() (SockAddr, bool) { return e.peer, e.connected }

func (e *datagramEndpoint) SetOption(level, name int, value []byte) error {
	op := Op{Kind: OpSetOption, Level: level, Name: name, Data: value}
	return e.control(&op)
}

func (e *datagramEndpoint) Option(level, name int, buf []byte) (int, error) {
	op := Op{Kind: OpGetOption, Level: level, Name: name, Data: buf}
	if err := e.control(&op); err != nil {
		return 0, err
	}
	return copy(buf, op.Data), nil
}
