package tcp

import (
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

var _ core.BulkEndpoint = (*conn)(nil)

// NewEndpoint implements core.Transport.
func (t *Transport) NewEndpoint(s *core.Socket) (core.Endpoint, error) {
	c := t.newConn()
	if c == nil {
		return nil, syscall.ENOBUFS
	}
	c.socket = s
	c.tuple.local = anyAddress(s)
	return c, nil
}

func anyAddress(s *core.Socket) wire.Addr {
	if family, _, _ := s.Kind(); family == core.AFInet {
		return wire.IPv4Any()
	}
	return wire.IPv6Any()
}

// Connect implements core.Endpoint (RFC 9293 §3.10.1, active open).
func (c *conn) Connect(a core.SockAddr) error {
	switch {
	case c.state.in(setOpening):
		return syscall.EALREADY
	case c.state != stateClosed, c.is(flagDone): // also when it is over, until it is dissolved
		return syscall.EISCONN
	}
	t := c.t
	if a.Addr.IsUnspecified() { // Linux takes it for the host itself
		a.Addr = wire.IPv6Loopback()
		if family, _, _ := c.socket.Kind(); family == core.AFInet {
			a.Addr = wire.FromV4(0x7f000001)
		}
	}
	switch {
	case a.Addr.IsMulticast(), a.Addr.IsBroadcast():
		return syscall.ENETUNREACH
	case a.Addr.IsLinkLocalUnicast() && !a.Addr.Is4() && a.Scope == 0 && c.socket.Options().Device == 0:
		return syscall.EINVAL
	}
	c.flags &^= flagFinReceived | flagShutRead | flagEnded | flagPersist
	c.rcv.queue.clear(&t.slabs)
	c.scope = uint32(c.socket.OutInterface(a))
	src := c.tuple.local
	if src.IsUnspecified() {
		src = wire.Addr{}
	}
	q := core.RouteQuery{Dst: a.Addr, Src: src, Interface: int(c.scope), OnLink: c.socket.Options().OnLink(a.Addr),
		Flow: t.in.Flow(src, a.Addr, wire.ProtoTCP, c.tuple.lport, a.Port)}
	var x core.Selector
	if t.in.HasRules(!a.Addr.Is4()) {
		x = c.socket.Selector(c.tuple.lport, a.Port)
		q.Selector = &x
	}
	r, err := t.in.Route(q)
	if err != nil {
		return err
	}
	if r.Type == core.RouteBroadcast || r.Type == core.RouteMulticast {
		return syscall.ENETUNREACH
	}
	if src.IsUnspecified() {
		src = r.Src
	}
	u := tuple{local: src, peer: a.Addr, lport: c.tuple.lport, pport: a.Port}
	if u.lport != 0 {
		if !t.vacate(&u) {
			return syscall.EADDRNOTAVAIL
		}
	} else if err := t.choosePort(&u); err != nil {
		return err
	}
	c.tuple, c.route = u, r
	if q.Selector != nil { // now that addresses and ports are known (ip_route_newports)
		c.route = nil
		c.refreshRoute()
		if c.route == nil {
			c.route = r
		}
	}
	_ = c.socket.TakeError() // of what was before (net/ipv4/tcp_output.c, tcp_connect_init)
	c.begin()
	c.setState(stateSynSent)
	c.enter()
	t.counters.activeOpens++
	c.touch()
	c.sendSyn()
	t.settle()
	return syscall.EINPROGRESS
}

// begin sets up the sequence spaces and buffers of a connection whose tuple and
// route are known.
func (c *conn) begin() {
	t, set, o := c.t, c.t.settings(), c.options()
	c.softErr, c.probes = 0, 0
	c.flags &^= agreed
	extra := c.extra
	c.snd = sender{limit: set.WMem[1]}
	c.rcv = receiver{limit: set.RMem[1]}
	c.rec, c.rtt, c.cong.cwnd, c.tally = recovery{}, rttEstimator{}, 0, tally{}
	c.snd.start(t.key().initialSequence(&c.tuple, t.in.Now()))
	most := max(set.RMem[2], set.RMem[1])
	if o.ReceiveBufferSet {
		c.rcv.limit = o.ReceiveBuffer
		most = space(o.ReceiveBuffer)
	}
	if o.SendBufferSet {
		c.snd.limit = o.SendBuffer
	}
	if c.rcv.clamp = c.windowClamp(); c.rcv.clamp != 0 {
		most = min(most, c.rcv.clamp)
	}
	if set.WindowScaling {
		// Linux scales for all of the memory, though half of it is window
		// (net/ipv4/tcp_output.c, tcp_select_initial_window).
		for c.rcv.scale < wire.TCPMaxWindowScale && most>>c.rcv.scale > 65535 {
			c.rcv.scale++
		}
	}
	if set.Timestamps == 1 {
		c.tsOffset = t.key().timestampOffset(c.tuple.local, c.tuple.peer)
	}
	if extra != nil {
		c.snd.mssCap = extra.maxSeg
		extra.urgent = urgent{}
	}
	c.lastRecv = t.in.Now()
	c.updateMSS()
}

// Listen implements core.Endpoint.
func (c *conn) Listen(backlog int) error {
	t := c.t
	if most := int(t.settings().Somaxconn); backlog < 0 || backlog > most { // net/socket.c: it is taken as unsigned
		backlog = most
	}
	if c.state == stateListen {
		c.listener.backlog = backlog
		return nil
	}
	if c.state != stateClosed {
		return syscall.EINVAL
	}
	if c.tuple.lport == 0 {
		if err := c.Bind(core.SockAddr{Addr: c.tuple.local}); err != nil {
			return err
		}
	} else if t.taken(c, c.tuple.local, c.tuple.lport, true) {
		return syscall.EADDRINUSE
	}
	c.listener = &listener{conn: c, backlog: backlog}
	c.setState(stateListen)
	return nil
}

// Listening tells whether the socket accepts connections (SO_ACCEPTCONN).
func (c *conn) Listening() bool { return c.state == stateListen }

// Accept implements core.Endpoint.
func (c *conn) Accept() (*core.Socket, error) {
	if c.state != stateListen {
		return nil, syscall.EINVAL
	}
	l := c.listener
	if len(l.ready) == 0 {
		return nil, syscall.EAGAIN
	}
	child := l.ready[0]
	s := c.socket.NewChild(child)
	if s == nil {
		return nil, syscall.ENFILE
	}
	l.forget(child)
	child.listener = nil
	child.socket = s
	if child.state == stateClosed && child.softErr != 0 { // it ended while it waited
		s.SetError(child.softErr)
	}
	return s, nil
}

// Ready implements core.Endpoint, as Linux's tcp_poll does (net/ipv4/tcp.c).
func (c *conn) Ready() core.Ready {
	if c.state == stateListen {
		if len(c.listener.ready) > 0 {
			return core.ReadyIn
		}
		return 0
	}
	if c.state.in(setOpening) {
		return 0
	}
	var r core.Ready
	ended := c.flags&(flagFinReceived|flagShutRead|flagEnded) != 0
	if c.state == stateClosed || ended && !c.state.in(setSending) {
		r |= core.ReadyHup
	}
	if ended {
		r |= core.ReadyIn | core.ReadyRdHup
	}
	if c.rcv.queue.bytes > 0 && c.rcv.queue.bytes >= c.socket.Options().ReceiveLowat && !c.onlyUrgent() {
		r |= core.ReadyIn
	}
	if !c.state.in(setSending) || c.writable() {
		r |= core.ReadyOut
	} else { // who asked is told when there is room
		c.flags |= flagNoSpace
	}
	if c.extra != nil && c.extra.urgent.state != urgentNone && c.extra.urgent.state != urgentRead {
		r |= core.ReadyPri
	}
	return r
}

// writable tells whether there is room worth waking a writer for.
func (c *conn) writable() bool {
	return c.snd.room() > 0 && c.snd.room() >= int(c.snd.limit)/3 && !c.crowded()
}

// Local implements core.Endpoint.
func (c *conn) Local() core.SockAddr {
	return core.SockAddr{Addr: c.tuple.local, Port: c.tuple.lport, Scope: c.scopeOf(c.tuple.local)}
}

// Peer implements core.Endpoint.
func (c *conn) Peer() (core.SockAddr, bool) {
	a := core.SockAddr{Addr: c.tuple.peer, Port: c.tuple.pport, Scope: c.scopeOf(c.tuple.peer)}
	return a, c.state.in(setSynchronized | 1<<stateSynReceived)
}

func (c *conn) scopeOf(a wire.Addr) uint32 {
	if a.IsLinkLocalUnicast() && !a.Is4() {
		return c.scope
	}
	return 0
}

// maySend tells why nothing can be sent now.
func (c *conn) maySend() error {
	if c.state.in(setOpening) {
		return syscall.EAGAIN
	}
	if err := c.socket.TakeError(); err != nil {
		return err
	}
	if !c.state.in(setSending) {
		return syscall.EPIPE
	}
	if c.snd.room() <= 0 || c.crowded() {
		c.flags |= flagNoSpace
		return syscall.EAGAIN
	}
	return nil
}

// noMemory tells a writer what to do when memory is short: wait while our own data
// hold some, which acknowledgements give back.
func (c *conn) noMemory() error {
	if c.snd.queue.len() > 0 {
		c.flags |= flagNoSpace
		return syscall.EAGAIN
	}
	return syscall.ENOBUFS
}

// Send implements core.Endpoint (RFC 9293 §3.10.2).
func (c *conn) Send(m *core.Message) (int, error) {
	if err := c.maySend(); err != nil {
		return 0, err
	}
	data := m.Data[:min(len(m.Data), c.snd.room())]
	var n int
	if zeros := m.Zeros(); zeros != nil {
		n = c.snd.queue.refer(&c.t.slabs, zeros, len(data))
	} else {
		n = c.snd.queue.write(&c.t.slabs, data)
	}
	if n == 0 && len(m.Data) > 0 {
		return 0, c.noMemory()
	}
	if m.Flags&core.MsgOOB != 0 && n == len(m.Data) && n > 0 {
		c.sendUrgent()
	}
	c.set(flagMore, m.Flags&core.MsgMore != 0)
	if n < len(m.Data) {
		c.flags |= flagNoSpace
	}
	c.touch()
	c.t.settle()
	return n, nil
}

// Reserve implements core.BulkEndpoint.
func (c *conn) Reserve(n int, r *core.Reservation) error {
	if err := c.maySend(); err != nil {
		return err
	}
	c.snd.queue.reserve(&c.t.slabs, min(n, c.snd.room()), r)
	if r.Bytes == 0 {
		return c.noMemory()
	}
	c.holds++
	return nil
}

// Commit implements core.BulkEndpoint.
func (c *conn) Commit(r *core.Reservation, n int) error {
	t := c.t
	c.holds--
	c.touch()
	open := c.state.in(setSending) && c.socket != nil
	if !open {
		n = 0
	}
	taken := c.snd.queue.commit(&t.slabs, r, n)
	if taken < n { // what the user was told is sent cannot be
		t.counters.abortOnMemory++
		c.abort(syscall.ENOBUFS)
	}
	c.flags &^= flagMore
	var err error
	if !open {
		err = syscall.EPIPE
		if c.socket != nil {
			if e := c.socket.TakeError(); e != nil {
				err = e
			}
		}
	}
	t.settle()
	return err
}

// mayReceive tells why there are no bytes to read: io.EOF is nil.
func (c *conn) mayReceive() (end bool, err error) {
	if c.state == stateListen {
		return false, syscall.ENOTCONN
	}
	if c.is(flagFinReceived) {
		return true, nil
	}
	if err := c.socket.TakeError(); err != nil {
		return false, err
	}
	switch {
	case c.is(flagShutRead):
		return true, nil
	case c.state != stateClosed:
		return false, syscall.EAGAIN
	case c.is(flagDone):
		return true, nil
	}
	return false, syscall.ENOTCONN
}

// Receive implements core.Endpoint (RFC 9293 §3.10.3).
func (c *conn) Receive(m *core.Message) (int, error) {
	if m.Flags&core.MsgOOB != 0 {
		return c.receiveUrgent(m)
	}
	if m.Len() == 0 {
		return 0, nil
	}
	limit, at := c.urgentStop()
	skip := 0
	if at { // the urgent byte is next and not inline
		if m.Flags&core.MsgPeek != 0 {
			skip = 1
		} else {
			c.skipUrgent()
		}
	}
	if int(c.rcv.queue.bytes) == skip {
		end, err := c.mayReceive()
		if end {
			return 0, nil
		}
		return 0, err
	}
	n := 0
	read := func(b []byte) {
		if limit > 0 && n+len(b) > limit {
			b = b[:limit-n]
		}
		n += c.rcv.queue.copyOut(skip+n, b)
	}
	if m.Flags&core.MsgTrunc != 0 { // tcp(7): drop instead of copying
		n = min(int(c.rcv.queue.bytes)-skip, m.Len())
		if limit > 0 {
			n = min(n, limit)
		}
	} else {
		read(m.Data)
		for _, v := range m.Vector {
			read(v)
		}
	}
	if m.Flags&core.MsgPeek == 0 {
		c.rcv.queue.drop(&c.t.slabs, n)
		c.consumed(n)
	}
	return n, nil
}

// Take implements core.BulkEndpoint.
func (c *conn) Take(n int, r *core.Reservation) error {
	limit, at := c.urgentStop()
	if at {
		c.skipUrgent()
	}
	if limit > 0 {
		n = min(n, limit)
	}
	if c.rcv.queue.bytes == 0 {
		_, err := c.mayReceive()
		return err
	}
	c.rcv.queue.take(&c.t.slabs, n, r)
	c.holds++
	return nil
}

// Done implements core.BulkEndpoint.
func (c *conn) Done(r *core.Reservation) {
	t := c.t
	for i := range r.Pieces[:r.N] {
		r.Pieces[i].Page.Unref(t.account)
		r.Pieces[i].Page = nil
	}
	n := r.Bytes
	r.N = 0
	c.holds--
	if c.socket == nil {
		c.touch()
		t.settle()
		return
	}
	c.consumed(n)
}

// consumed follows the user's reading of n bytes: the buffer may grow, and the
// peer learns when the window has doubled (net/ipv4/tcp.c,
// tcp_cleanup_rbuf).
func (c *conn) consumed(n int) {
	c.tally.taken += uint64(n)
	if n == 0 || !c.state.in(setReceiving) {
		return
	}
	c.tune(n)
	offered := uint32(max(c.rcv.adv.Sub(c.rcv.nxt), 0))
	if w := c.rcv.window(); w > offered && w >= 2*offered {
		c.flags |= flagAckNow
		c.touch()
		c.t.settle()
	}
}

// Shutdown implements core.Endpoint.
func (c *conn) Shutdown(how int) error {
	t := c.t
	switch {
	case c.state.in(1<<stateClosed | 1<<stateTimeWait):
		return syscall.ENOTCONN
	case c.state == stateListen:
		if how != core.ShutWrite {
			c.stopListening()
			c.wake(core.ReadyIn | core.ReadyHup)
		}
		return nil
	case c.state == stateSynSent:
		c.end(0)
		c.flags &^= flagEnded
		t.settle()
		return nil
	}
	if how != core.ShutWrite {
		c.flags |= flagShutRead
		c.wake(core.ReadyIn | core.ReadyRdHup)
	}
	if how != core.ShutRead {
		c.queueFin()
		c.wake(core.ReadyOut)
	}
	t.settle()
	return nil
}

func (c *conn) stopListening() {
	l := c.listener
	c.setState(stateClosed)
	l.close()
	c.listener = nil
	c.t.settle()
}

// Lingering tells whether data or our FIN wait for an acknowledgement (SO_LINGER).
func (c *conn) Lingering() bool {
	return c.state.in(1<<stateFinWait1 | 1<<stateClosing | 1<<stateLastAck)
}

// Unread tells whether bytes arrived that the user did not read: a close is then a
// reset, for which nobody waits.
func (c *conn) Unread() bool { return c.rcv.queue.bytes > 0 }

// Disconnect is connect(2) with AF_UNSPEC: the connection is reset and the
// socket can be used again.
func (c *conn) Disconnect() error {
	t := c.t
	if c.state == stateListen {
		c.stopListening()
		return nil
	}
	c.touch()
	if c.state.in(setOpening | 1<<stateEstablished | 1<<stateCloseWait | setFinWait) { // net/ipv4/tcp.c, tcp_disconnect
		c.socket.SetError(syscall.ECONNRESET)
	}
	c.abort(0)
	c.rcv.queue.clear(&t.slabs)
	c.flags &^= flagDone | flagFinReceived | flagShutRead | flagEnded
	c.tuple.peer, c.tuple.pport = wire.Addr{}, 0
	if !c.is(flagBound) {
		c.tuple.local, c.tuple.lport = anyAddress(c.socket), 0
	}
	t.settle()
	return nil
}

// ConnectFailed tells that the user knows how the attempt ended: the socket is as
// fresh (net/ipv4/af_inet.c, __inet_stream_connect).
func (c *conn) ConnectFailed() { c.flags &^= flagEnded }

// Close implements core.Endpoint (RFC 9293 §3.10.4).
func (c *conn) Close() {
	t := c.t
	o := c.socket.Options()
	abort := o.Linger == 0
	c.touch()
	if c.state == stateListen {
		c.stopListening()
		c.touch()
	}
	c.flags |= flagOrphan
	c.socket = nil
	c.urgentDrop()
	switch {
	case c.state == stateClosed:
	case c.state == stateSynSent:
		c.end(0)
	case c.rcv.queue.bytes > 0 && c.state.in(setSynchronized): // RFC 2525 §2.17
		t.counters.abortOnClose++
		c.abort(0)
	case abort:
		t.counters.abortOnData++
		c.abort(0)
	case c.state == stateFinWait2:
		c.awaitFin()
	default:
		c.queueFin()
	}
	if c.state != stateTimeWait && c.state != stateFinWait2 {
		c.lifeAt = core.Never // no keepalive for an orphan
	}
	c.orphaned()
	t.settle()
}

// OptionsChanged tells that SO_KEEPALIVE or a buffer size changed.
func (c *conn) OptionsChanged() {
	o := c.socket.Options()
	if o.ReceiveBufferSet {
		c.rcv.limit = o.ReceiveBuffer
	}
	if o.SendBufferSet {
		c.snd.limit = o.SendBuffer
	}
	c.keepaliveChanged()
	c.touch()
	c.t.settle()
}
