package core

import (
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core/wire"
)

// datagramEndpoint is the core's side of a socket whose protocol is behind the
// narrow contract: addresses, receive queue and route are kept here, so that
// neither receiving nor getsockname crosses to the protocol.
type datagramEndpoint struct {
	socket     *Socket
	sep        *separable
	route      *Route // of the last datagram
	queue      PacketList
	pending    *Op // an operation that the protocol has not ended yet
	accepts    *acceptQueue
	counts     *SocketCounts // nil while nobody asks
	held       *heldDatagram // of MSG_MORE; nil while nothing is held back
	errors     *errorQueue   // IP_RECVERR, IPV6_RECVERR; nil while there are none
	local      SockAddr
	peer       SockAddr
	queued     int32  // truesize of the queue and of the errors
	offset     int32  // bytes read of the oldest message
	consumed   int32  // bytes read since the protocol was told
	lost       uint32 // datagrams that found no room
	life       uint32 // of the handler that knows the socket (separable.life)
	given      Given
	bindTag    uint32 // of the operation that bound it: the order of binding
	why        uint16 // errno of every call, once that handler was lost
	ready      Ready  // the protocol's own
	connecting bool   // Connect goes on
	connected  bool
	cork       bool // UDP_CORK
	shutRead   bool
	shutWrite  bool
	anySource  bool // bound to a group or broadcast address: no source to send from
	anyAddr    bool // the user named no local address to bind to
	anyPort    bool // the protocol chose the local port
	linkDevice bool // the bound device came with a link-local address
}

// acceptQueue holds connections that wait for Accept.
type acceptQueue struct {
	sockets []*Socket
	most    int
}

// control runs op and returns it with its results. While the protocol has not
// ended it, it returns errPending, and again the next time the call is made;
// while it works for another call, errBusy.
func (e *datagramEndpoint) control(op Op) (Op, error) {
	if e.dead() {
		return op, syscall.Errno(e.why)
	}
	if p := e.pending; p != nil {
		switch {
		case !e.socket.resuming:
			return op, errBusy
		case !p.Done:
			return op, errPending
		}
		e.pending, e.socket.resuming = nil, false
		e.gives(p)
		e.socket.Wake(ReadyIn | ReadyOut) // those that found it busy
		return *p, p.Err
	}
	d := e.socket.instance.domain
	e.dress(&op)
	x := d.takeOp()
	*x = op
	e.sep.handler.Control(x)
	op = *x
	if !op.Done { // the handler keeps x until it completes it
		p := op
		e.pending = &p
		return op, errPending
	}
	d.giveOp(x)
	e.gives(&op)
	return op, op.Err
}

// dress gives op a name and says what the protocol is to know of the socket.
func (e *datagramEndpoint) dress(op *Op) {
	o := e.socket.options
	op.Socket = e.socket.id
	op.Device = int(o.Device)
	op.ReceiveBuffer, op.SendBuffer = int(o.ReceiveBuffer), int(o.SendBuffer)
	if o.ReuseAddr {
		op.Flags |= OpReuseAddr
	}
	if o.ReusePort {
		op.Flags |= OpReusePort
	}
	if o.V6Only {
		op.Flags |= OpV6Only
	}
	d := e.socket.instance.domain
	d.lastOp++
	op.Tag = d.lastOp
}

// die ends the socket's life with the protocol, which has lost it. What waits to
// be read can still be read.
func (e *datagramEndpoint) die(why syscall.Errno) {
	e.why = uint16(why)
	e.connecting, e.shutRead, e.shutWrite = false, true, true
	if p := e.pending; p != nil && !p.Done {
		p.Err, p.Done = why, true
	}
	e.socket.SetError(why)
	e.socket.Wake(ReadyIn | ReadyOut | ReadyErr | ReadyHup | ReadyRdHup)
}

func (e *datagramEndpoint) dead() bool { return e.why != 0 }

// takeOp and giveOp keep ended operations for the next.
func (d *Domain) takeOp() *Op {
	if n := len(d.ops); n > 0 {
		op := d.ops[n-1]
		d.ops = d.ops[:n-1]
		return op
	}
	return new(Op)
}

func (d *Domain) giveOp(op *Op) {
	*op = Op{}
	d.ops = append(d.ops, op)
}

// completed takes the end of a pending operation.
func (e *datagramEndpoint) completed(op *Op) {
	if p := e.pending; p != nil && p.Tag == op.Tag {
		p.Local, p.Peer, p.Given, p.Err, p.Done = op.Local, op.Peer, op.Given, op.Err, true
		if p.Kind == OpGetOption {
			p.Data = op.Data
		}
	}
	e.socket.Wake(ReadyIn | ReadyOut)
}

// Opened tells whether the protocol has taken the socket.
func (e *datagramEndpoint) opened() error {
	p := e.pending
	if p == nil || p.Kind != OpOpen {
		return nil
	}
	if !p.Done {
		return errPending
	}
	e.pending = nil
	e.gives(p)
	return p.Err
}

func (e *datagramEndpoint) bound() bool { return e.local.Port != 0 }

func (e *datagramEndpoint) Bind(a SockAddr) error {
	if e.bound() && e.socket.typ != SockRaw || e.connected { // a raw socket may change its address (net/ipv4/raw.c, raw_bind)
		return syscall.EINVAL
	}
	typ, err := e.socket.localType(a)
	if err != nil {
		return err
	}
	if err := e.linkScope(a); err != nil {
		return err
	}
	op, err := e.control(Op{Kind: OpBind, Addr: a, Family: int(e.socket.family), Ports: e.socket.instance.PortRange()})
	if err != nil {
		return err
	}
	e.local, e.route = op.Local, nil
	e.bindTag, e.anyAddr, e.anyPort = op.Tag, a.Addr.IsUnspecified(), a.Port == 0
	e.anySource = typ == RouteMulticast || typ == RouteBroadcast
	return nil
}

// linkScope binds the socket to the link that a link-local address names. It
// must be named by the address or be bound already (net/ipv6/datagram.c).
func (e *datagramEndpoint) linkScope(a SockAddr) error {
	if a.Addr.Is4() || !a.Addr.IsLinkLocalUnicast() {
		return nil
	}
	o := e.socket.options
	switch {
	case a.Scope == 0 && o.Device == 0:
		return syscall.EINVAL
	case a.Scope == 0:
	case e.socket.instance.InterfaceByIndex(int(a.Scope)) == nil:
		return syscall.ENODEV
	case o.Device == 0:
		e.socket.own().Device = int32(a.Scope)
		e.linkDevice = true
	case o.Device != int32(a.Scope):
		return syscall.EINVAL
	}
	return nil
}

// autobind gives an unbound socket a port.
func (e *datagramEndpoint) autobind() error {
	if e.bound() {
		return nil
	}
	op := Op{Kind: OpBind, Family: int(e.socket.family), Ports: e.socket.instance.PortRange()}
	if e.socket.family == afInet {
		op.Addr.Addr = wire.IPv4Any()
	}
	op, err := e.control(op)
	if err != nil {
		return err
	}
	e.local = op.Local
	e.bindTag, e.anyAddr, e.anyPort = op.Tag, true, true
	return nil
}

func (e *datagramEndpoint) Connect(a SockAddr) error {
	if e.oriented() {
		switch {
		case e.connecting:
			return syscall.EALREADY
		case e.connected, e.accepts != nil:
			return syscall.EISCONN
		}
	}
	if err := e.autobind(); err != nil {
		return err
	}
	a.Addr = destination(a.Addr)
	if err := e.linkScope(a); err != nil {
		return err
	}
	r, err := e.lookup(a, e.source(), 0, e.socket.options.OnLink(a.Addr))
	if err != nil {
		return err
	}
	op, err := e.control(Op{Kind: OpConnect, Addr: a, Local: SockAddr{Addr: r.Src, Port: e.local.Port, Scope: e.local.Scope}})
	if err == syscall.EINPROGRESS {
		return e.connectGoesOn(op.Local, a)
	}
	if err != nil {
		return err
	}
	e.local, e.peer, e.connected, e.route = op.Local, a, true, nil
	e.socket.Wake(ReadyOut)
	return nil
}

// Disconnect dissolves the association (connect(2) with AF_UNSPEC): a local
// address or port that the user did not ask for is given up.
func (e *datagramEndpoint) Disconnect() error {
	op, err := e.control(Op{Kind: OpConnect, Flags: OpDissolve})
	if err != nil {
		return err
	}
	if e.linkDevice {
		e.socket.own().Device, e.linkDevice = 0, false
	}
	e.local, e.peer, e.connected, e.route = op.Local, SockAddr{}, false, nil
	return nil
}

func (e *datagramEndpoint) Listen(backlog int) error {
	if e.accepts == nil {
		if err := e.autobind(); err != nil {
			return err
		}
	}
	_, err := e.control(Op{Kind: OpListen, Value: backlog})
	if err != nil {
		return err
	}
	if e.accepts == nil {
		e.accepts = &acceptQueue{}
	}
	e.accepts.most = max(1, backlog)
	return nil
}

// Held is what SO_MEMINFO tells: the memory of what waits to be read.
func (e *datagramEndpoint) Held() (received, sent int) { return int(e.queued), 0 }

// Listening tells whether the socket accepts connections (SO_ACCEPTCONN).
func (e *datagramEndpoint) Listening() bool { return e.accepts != nil }

func (e *datagramEndpoint) Accept() (*Socket, error) {
	q := e.accepts
	switch {
	case q == nil && e.socket.typ == SockDgram:
		return nil, syscall.EOPNOTSUPP
	case q == nil:
		return nil, syscall.EINVAL
	case len(q.sockets) == 0:
		return nil, syscall.EAGAIN
	}
	s := q.sockets[0]
	q.sockets = append(q.sockets[:0], q.sockets[1:]...)
	return s, nil
}

// enqueue puts a datagram into the receive queue; false when it is full (p is
// freed).
func (e *datagramEndpoint) enqueue(p *Packet) bool {
	if f := e.socket.options.filter; f != nil && !e.passes(f, p) {
		p.Free()
		return true
	}
	size := int32(p.TrueSize())
	if e.shutRead || e.queue.head != nil && e.queued+size > e.socket.options.ReceiveBuffer {
		p.Free()
		e.lost++
		if e.counts != nil {
			e.counts.Dropped++
		}
		return false
	}
	if e.counts != nil {
		e.counts.Received++
		e.counts.ReceivedBytes += uint64(p.Len())
	}
	e.queued += size
	e.queue.Push(p)
	return true
}

func (e *datagramEndpoint) Receive(m *Message) (int, error) {
	if m.Flags&MsgOOB != 0 && e.socket.protocol != 0 && !e.socket.hasPorts() { // others pass over it
		return 0, syscall.EOPNOTSUPP
	}
	if e.socket.err != 0 {
		return 0, e.socket.takeError()
	}
	p := e.queue.head
	if p == nil {
		switch {
		case e.dead():
			return 0, syscall.Errno(e.why)
		case e.shutRead && e.socket.typ == SockDgram && (e.socket.nonblock || m.Flags&MsgDontWait != 0):
			return 0, syscall.EAGAIN // the end ends waits alone (net/core/datagram.c, __skb_wait_for_more_packets)
		case e.shutRead || e.ready&ReadyRdHup != 0:
			return 0, nil
		case e.oriented() && !e.connected && !e.connecting:
			return 0, syscall.ENOTCONN
		}
		return 0, syscall.EAGAIN
	}
	if p.ancillary != 0 || len(m.Ancillary) != 0 || e.given.Next != 0 {
		e.takeAncillary(m, p)
	}
	n := m.copyOut(p, int(p.ancillary)+int(e.offset))
	ifindex := p.Ifindex()
	m.Addr, m.HasAddr = scoped(p.Src, p.SrcPort, ifindex), true
	m.TOS, m.HopLimit = p.TOS, p.HopLimit
	m.PacketInfo = PacketInfo{Addr: p.Dst, Interface: ifindex}
	m.HasPacketInfo, m.HasTOS, m.HasHopLimit = e.socket.options.tells(p.Dst.Is4())
	m.Arrival = p.Arrival
	m.OutFlags = 0
	if p.Flags&FlagNotification != 0 {
		m.OutFlags = MsgNotification
	}
	if e.keepsRest() {
		e.consume(m, p, n)
		return n, nil
	}
	if whole := p.userLen(); n < whole {
		m.OutFlags |= MsgTrunc
		if m.Flags&MsgTrunc != 0 {
			n = whole
		}
	}
	if m.Flags&MsgPeek == 0 {
		e.queue.Pop()
		e.queued -= int32(p.TrueSize())
		p.Free()
	}
	return n, nil
}

// Ioctl is ioctl(2). What is sent leaves the socket at once, so that nothing
// waits (net/ipv4/udp.c, udp_ioctl).
func (e *datagramEndpoint) Ioctl(request int) (int, error) {
	switch request {
	case SIOCINQ:
		if p := e.queue.head; p != nil {
			return p.userLen() - int(e.offset), nil
		}
		return 0, nil
	case SIOCOUTQ:
		return 0, nil
	}
	return 0, syscall.ENOTTY
}

func (e *datagramEndpoint) Shutdown(how int) error {
	if e.connected {
		if _, err := e.control(Op{Kind: OpShutdown, Value: how}); err != nil {
			return err
		}
	}
	e.shutRead = e.shutRead || how != ShutWrite
	e.shutWrite = e.shutWrite || how != ShutRead
	e.socket.Wake(ReadyIn | ReadyOut | ReadyHup)
	if !e.connected { // it has its effect all the same (net/ipv4/af_inet.c, inet_shutdown)
		return syscall.ENOTCONN
	}
	return nil
}

func (e *datagramEndpoint) Close() {
	e.queue.Free()
	e.purgeErrors()
	e.queued = 0
	if e.accepts != nil {
		for _, c := range e.accepts.sockets {
			c.closeLocked()
		}
		e.accepts = nil
	}
	e.pending = nil // its completion finds no socket
	op := Op{Kind: OpClose, Value: -1}
	if l := e.socket.options.Linger; l >= 0 {
		op.Value = int(l.Milliseconds())
	}
	_, _ = e.control(op)
	e.pending = nil
}

func (e *datagramEndpoint) Ready() Ready {
	r := e.ready
	if e.errors != nil { // net/core/datagram.c, datagram_poll
		r |= ReadyErr
	}
	if !e.shutWrite && !e.oriented() {
		r |= ReadyOut
	}
	if e.queue.head != nil || e.accepts != nil && len(e.accepts.sockets) > 0 {
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
	if e.corks(level, name) {
		return e.setCork(value)
	}
	op, err := e.control(Op{Kind: OpSetOption, Level: level, Name: name, Data: value})
	if err == nil && op.Local.Port != 0 { // bound by an option
		e.local, e.route = op.Local, nil
	}
	return err
}

func (e *datagramEndpoint) Option(level, name int, buf []byte) (int, error) {
	if e.corks(level, name) {
		return copy(buf, binary.NativeEndian.AppendUint32(nil, uint32(bit(e.cork)))), nil
	}
	op, err := e.control(Op{Kind: OpGetOption, Level: level, Name: name, Data: buf})
	if err != nil {
		return 0, err
	}
	return copy(buf, op.Data), nil
}

// BindingChanged tells the protocol that SO_REUSEADDR, SO_REUSEPORT or
// SO_BINDTODEVICE of the socket changed.
func (e *datagramEndpoint) BindingChanged(name int) error {
	e.route = nil
	_, err := e.control(Op{Kind: OpSetOption, Level: SolSocket, Name: name})
	return err
}
