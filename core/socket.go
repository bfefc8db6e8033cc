package core

import (
	"syscall"
	"time"

	"github.com/libos-go/libos/core/timer"
	"github.com/libos-go/libos/core/wire"
)

// Address families and socket types with Linux's numbers, whatever the system
// this runs on.
const (
	afUnspec = 0
	afInet   = 2
	afInet6  = 10

	AFInet  = afInet
	AFInet6 = afInet6

	SockStream    = 1
	SockDgram     = 2
	SockRaw       = 3
	SockSeqPacket = 5
)

// Socket is one open socket of an instance. Its methods are the POSIX calls:
// they block unless the socket is non-blocking, and fail with the errno that
// Linux documents. They may be called from any goroutine in real time, from
// tasks in virtual time.
type Socket struct {
	instance *Instance
	endpoint Endpoint
	options  *SocketOptions // the Domain's defaults until the first change
	waiters  *waitNode
	limits   *deadlines
	id       SocketID
	family   uint16
	typ      uint16
	protocol uint16
	err      uint16 // SO_ERROR, an errno
	nonblock bool
	closed   bool
	sending  bool // a writer is between Reserve and the end of its call
	reading  bool
}

// waitNode is one waiter on a socket's queue. Those of blocked calls are kept
// by the Domain with their Waiter and used again.
type waitNode struct {
	next   *waitNode
	waiter *Waiter
	mask   Ready
	notify func(Ready) // instead of waiter: readiness callback (poll, epoll), inside the entry
	timer  timer.Timer // SO_RCVTIMEO, SO_SNDTIMEO
	domain *Domain
}

// Expire implements timer.Expirer.
func (n *waitNode) Expire(*timer.Timer, Time) { n.domain.wake(n.waiter) }

// patience is how long one call waits in all (SO_RCVTIMEO, SO_SNDTIMEO).
type patience struct{ until Time }

// deadlines are the limits set by SetReadDeadline and SetWriteDeadline.
type deadlines struct {
	socket      *Socket
	read, write timer.Timer
	readPast    bool
	writePast   bool
}

// Socket opens a socket. EAFNOSUPPORT, EPROTONOSUPPORT or ESOCKTNOSUPPORT when
// the instance has no such kind, ENOBUFS when memory is short.
func (in *Instance) Socket(family, typ, protocol int) (*Socket, error) {
	var s *Socket
	var err error
	in.domain.enter()
	defer in.domain.leave()
	if s, err = in.SocketLocked(family, typ, protocol); err != nil {
		return nil, err
	}
	for {
		o, ok := s.endpoint.(interface{ opened() error })
		if !ok {
			return s, nil
		}
		err := o.opened()
		if err == nil {
			return s, nil
		}
		if err == errPending {
			if err = s.waitAlways(ReadyIn | ReadyOut); err == nil {
				continue
			}
		}
		if !s.closed {
			s.closeLocked()
		}
		return nil, err
	}
}

// SocketLocked is Socket inside an entry.
func (in *Instance) SocketLocked(family, typ, protocol int) (*Socket, error) {
	if in.closed {
		return nil, syscall.ENETDOWN
	}
	i := in.wiring.SocketKind(family, typ, protocol)
	if i < 0 {
		return nil, in.whyNoSocket(family, typ)
	}
	if (family == afInet || family == afInet6) && in.networkFamily(family) < 0 {
		return nil, syscall.EAFNOSUPPORT
	}
	s := newSocket(in, family, typ, protocol)
	if s == nil {
		return nil, syscall.ENFILE
	}
	ep, err := in.transports[i].NewEndpoint(s)
	if err != nil {
		in.sockets.drop(s)
		return nil, err
	}
	s.endpoint = ep
	return s, nil
}

func (in *Instance) networkFamily(family int) int {
	for i := range in.wiring.Networks {
		if in.wiring.Networks[i].Network.Family == family {
			return i
		}
	}
	return -1
}

func (in *Instance) whyNoSocket(family, typ int) error {
	if in.networkFamily(family) < 0 {
		return syscall.EAFNOSUPPORT
	}
	for i := range in.wiring.Protocols {
		for _, k := range in.wiring.Protocols[i].Protocol.Sockets {
			if k.Family == family && k.Type == typ {
				return syscall.EPROTONOSUPPORT
			}
		}
	}
	return syscall.ESOCKTNOSUPPORT
}

// newSocket makes a socket without an endpoint, nil when there are too many.
func newSocket(in *Instance, family, typ, protocol int) *Socket {
	s := &Socket{instance: in, family: uint16(family), typ: uint16(typ), protocol: uint16(protocol), options: in.domain.defaults.socket}
	if !in.sockets.add(s) {
		return nil
	}
	if family == afInet6 {
		if x, ok := in.networks[in.networkFamily(family)].(interface{ BindV6Only() bool }); ok && x.BindV6Only() {
			s.own().V6Only = true
		}
	}
	return s
}

// NewChild makes the socket of a connection that was accepted on s; the
// transport gives its endpoint. It is nil when there are too many sockets.
// Inside an entry.
func (s *Socket) NewChild(ep Endpoint) *Socket {
	c := s.child()
	if c == nil {
		return nil
	}
	c.endpoint = ep
	return c
}

// child is a new socket of the same kind with the same options.
func (s *Socket) child() *Socket {
	c := newSocket(s.instance, int(s.family), int(s.typ), int(s.protocol))
	if c != nil && s.options != s.instance.domain.defaults.socket {
		o := *s.options
		c.options = &o
	}
	return c
}

// Instance is the stack the socket belongs to.
func (s *Socket) Instance() *Instance { return s.instance }

// ID names the socket in its instance.
func (s *Socket) ID() SocketID { return s.id }

// Kind is the triple the socket was opened with.
func (s *Socket) Kind() (family, typ, protocol int) {
	return int(s.family), int(s.typ), int(s.protocol)
}

// Endpoint is the protocol's side, inside an entry.
func (s *Socket) Endpoint() Endpoint { return s.endpoint }

// Options are the socket's options; the protocol reads them inside an entry.
// They are shared with other sockets and must not be written: see OwnOptions.
func (s *Socket) Options() *SocketOptions { return s.options }

// OwnOptions are the socket's options for a change by its protocol.
func (s *Socket) OwnOptions() *SocketOptions { return s.own() }

func (s *Socket) own() *SocketOptions {
	if s.options == s.instance.domain.defaults.socket {
		o := *s.options
		s.options = &o
	}
	return s.options
}

// SetNonblock makes calls fail with EAGAIN (or EINPROGRESS) instead of waiting.
func (s *Socket) SetNonblock(on bool) {
	s.instance.domain.Do(func() { s.nonblock = on })
}

// Wake wakes those who wait for any of r, and for errors and hang-ups in any
// case. It is called by protocols inside an entry, and is cheap when nobody
// waits.
func (s *Socket) Wake(r Ready) {
	for n := s.waiters; n != nil; {
		next := n.next
		if r&(n.mask|ReadyErr|ReadyHup) != 0 {
			if n.notify != nil {
				n.notify(r)
			} else {
				s.instance.domain.wake(n.waiter)
			}
		}
		n = next
	}
}

// SetError sets the pending error (SO_ERROR) and wakes everybody.
func (s *Socket) SetError(err syscall.Errno) {
	s.err = uint16(err)
	s.Wake(ReadyErr)
}

// takeError returns and clears the pending error.
func (s *Socket) takeError() error {
	if s.err == 0 {
		return nil
	}
	err := syscall.Errno(s.err)
	s.err = 0
	return err
}

// TakeError is the pending error for a protocol that reports it.
func (s *Socket) TakeError() error { return s.takeError() }

// wait blocks until any of mask may have come, with the lock given up
// meanwhile. EAGAIN for a non-blocking call; ErrDeadline past the deadline;
// EBADF when the socket was closed. The waits of one call share pt, and fail
// with EAGAIN after SO_RCVTIMEO or SO_SNDTIMEO.
func (s *Socket) wait(mask Ready, flags int, pt *patience) error {
	if s.nonblock || flags&MsgDontWait != 0 {
		return syscall.EAGAIN
	}
	if err := s.expired(mask); err != nil {
		return err
	}
	d := s.instance.domain
	limit := s.options.ReceiveTimeout
	if mask&ReadyIn == 0 {
		limit = s.options.SendTimeout
	}
	if limit > 0 {
		if pt.until == 0 {
			pt.until = d.now.Add(limit)
		}
		if pt.until <= d.now {
			return syscall.EAGAIN
		}
	}
	return s.park(mask, pt.until)
}

// park blocks until any of mask may have come or the clock shows until (0:
// never).
func (s *Socket) park(mask Ready, until Time) error {
	d := s.instance.domain
	node := d.takeNode()
	node.mask, node.next = mask, s.waiters
	s.waiters = node
	if until != 0 {
		s.instance.SetTimer(&node.timer, until, node)
	}
	d.leave()
	err := d.host.Park(node.waiter)
	d.enter()
	if until != 0 {
		s.instance.CancelTimer(&node.timer)
	}
	s.unwait(node)
	d.giveNode(node)
	if err != nil {
		return err
	}
	if s.closed {
		return syscall.EBADF
	}
	return s.expired(mask)
}

func (s *Socket) unwait(node *waitNode) {
	for p := &s.waiters; *p != nil; p = &(*p).next {
		if *p == node {
			*p = node.next
			return
		}
	}
}

// OnReady has f called inside the Domain's entry whenever any of mask may have
// come, until stop is called. It is the building block of poll and epoll.
func (s *Socket) OnReady(mask Ready, f func(Ready)) (stop func()) {
	node := &waitNode{mask: mask, notify: f}
	s.instance.domain.Do(func() {
		node.next = s.waiters
		s.waiters = node
	})
	return func() { s.instance.domain.Do(func() { s.unwait(node) }) }
}

// Ready is the readiness now, as poll(2) reports it.
func (s *Socket) Ready() Ready {
	var r Ready
	s.instance.domain.Do(func() { r = s.readyLocked() })
	return r
}

func (s *Socket) readyLocked() Ready {
	if s.closed {
		return ReadyErr | ReadyHup
	}
	r := s.endpoint.Ready()
	if s.err != 0 {
		r |= ReadyErr | ReadyIn | ReadyOut
	}
	return r
}

// takeNode takes an idle wait node with its waiter or makes one.
func (d *Domain) takeNode() *waitNode {
	if n := len(d.free); n > 0 {
		w := d.free[n-1]
		d.free = d.free[:n-1]
		return w
	}
	return &waitNode{domain: d, waiter: &Waiter{Token: make(chan struct{}, 1)}}
}

// giveNode puts n back. A late wake finds it idle or makes its next user look
// once more in vain: both are harmless.
func (d *Domain) giveNode(n *waitNode) {
	n.next, n.waiter.Task = nil, nil
	if len(d.free) < 64 {
		d.free = append(d.free, n)
	}
}

// enter starts a socket call.
func (s *Socket) enter() error {
	s.instance.domain.enter()
	if s.closed {
		return syscall.EBADF
	}
	return nil
}

func (s *Socket) leave() { s.instance.domain.leave() }

// Bind gives the socket a local address; port 0 chooses one.
func (s *Socket) Bind(a SockAddr) error {
	return s.call(ReadyIn|ReadyOut, func() error { return s.endpoint.Bind(a) })
}

// call runs a control operation that may end later.
func (s *Socket) call(mask Ready, f func() error) error {
	defer s.leave()
	if err := s.enter(); err != nil {
		return err
	}
	for {
		err := f()
		if err != errPending {
			return err
		}
		if err := s.waitAlways(mask); err != nil {
			return err
		}
	}
}

// waitAlways waits also on a non-blocking socket: for the end of an operation
// that is only under way to another process.
func (s *Socket) waitAlways(mask Ready) error { return s.park(mask, 0) }

// Connect connects the socket to a. On a stream it waits until the connection
// stands or failed; a non-blocking socket gives EINPROGRESS instead, and
// SO_ERROR when it is writable.
func (s *Socket) Connect(a SockAddr) error {
	defer s.leave()
	if err := s.enter(); err != nil {
		return err
	}
	if err := s.checkPeer(a); err != nil {
		return err
	}
	var pt patience
	err := s.endpoint.Connect(a)
	for err == errPending {
		if err = s.waitAlways(ReadyIn | ReadyOut); err == nil {
			err = s.endpoint.Connect(a)
		}
	}
	if err != syscall.EINPROGRESS {
		return err
	}
	for {
		if err := s.wait(ReadyOut|ReadyErr|ReadyHup, 0, &pt); err != nil {
			if err == syscall.EAGAIN {
				return syscall.EINPROGRESS
			}
			return err
		}
		r := s.endpoint.Ready()
		if err := s.takeError(); err != nil {
			return err
		}
		if r&(ReadyOut|ReadyHup|ReadyErr) != 0 {
			return nil
		}
	}
}

// Disconnect dissolves the association with the peer, as connect(2) with
// AF_UNSPEC does. EOPNOTSUPP where the protocol has no such thing.
func (s *Socket) Disconnect() error {
	return s.call(ReadyIn|ReadyOut, func() error {
		if e, ok := s.endpoint.(interface{ Disconnect() error }); ok {
			return e.Disconnect()
		}
		return syscall.EOPNOTSUPP
	})
}

// Listen makes the socket accept connections.
func (s *Socket) Listen(backlog int) error {
	return s.call(ReadyIn|ReadyOut, func() error { return s.endpoint.Listen(backlog) })
}

// Accept takes the oldest connection that waits.
func (s *Socket) Accept() (*Socket, SockAddr, error) {
	defer s.leave()
	if err := s.enter(); err != nil {
		return nil, SockAddr{}, err
	}
	var pt patience
	for {
		if err := s.expired(ReadyIn); err != nil {
			return nil, SockAddr{}, err
		}
		c, err := s.endpoint.Accept()
		if err == nil {
			peer, _ := c.endpoint.Peer()
			return c, peer, nil
		}
		if err != syscall.EAGAIN {
			return nil, SockAddr{}, err
		}
		if err := s.wait(ReadyIn, 0, &pt); err != nil {
			return nil, SockAddr{}, err
		}
	}
}

// bulkCopy is the size from which user bytes are copied outside the lock.
const bulkCopy = 4096

// Send sends m as sendmsg(2) does and returns the bytes taken.
func (s *Socket) Send(m *Message) (int, error) {
	defer s.leave()
	if err := s.enter(); err != nil {
		return 0, err
	}
	return s.send(m)
}

// write is Send of b alone, to an address if that is given.
func (s *Socket) write(b []byte, to *SockAddr) (int, error) {
	defer s.leave()
	if err := s.enter(); err != nil {
		return 0, err
	}
	m := s.instance.domain.takeMessage()
	m.Data, m.Flags = b, MsgNoSignal
	if to != nil {
		m.Addr, m.HasAddr = *to, true
	}
	n, err := s.send(m)
	s.instance.domain.giveMessage(m)
	return n, err
}

// send is Send inside an entry.
func (s *Socket) send(m *Message) (int, error) {
	if s.typ == SockStream {
		return s.sendStream(m)
	}
	var pt patience
	for {
		if err := s.expired(ReadyOut); err != nil {
			return 0, err
		}
		n, err := s.endpoint.Send(m)
		switch err {
		case errPending:
			err = s.waitAlways(ReadyIn | ReadyOut)
		case syscall.EAGAIN:
			err = s.wait(ReadyOut, m.Flags, &pt)
		default:
			return n, err
		}
		if err != nil {
			return 0, err
		}
	}
}

// sendStream sends all of m, waiting for room as it goes. One writer at a time
// holds the stream, so that concurrent writes do not interleave.
func (s *Socket) sendStream(m *Message) (sent int, err error) {
	var pt patience
	for s.sending {
		if err := s.wait(ReadyOut, m.Flags, &pt); err != nil {
			return 0, err
		}
	}
	s.sending = true
	defer func() {
		s.sending = false
		s.Wake(ReadyOut)
	}()
	data, vector, empty := m.Data, m.Vector, m.Len() == 0
	m.Vector = nil
	for i := -1; i < len(vector); i++ {
		b := data
		if i >= 0 {
			b = vector[i]
		}
		for first := true; len(b) > 0 || first && i < 0 && empty; first = false {
			if err := s.expired(ReadyOut); err != nil {
				return sent, err
			}
			m.Data = b
			n, err := s.sendSome(m)
			sent += n
			b = b[n:]
			if err == syscall.EAGAIN {
				err = s.wait(ReadyOut, m.Flags, &pt)
			}
			if err != nil {
				if sent > 0 && err == syscall.EAGAIN {
					return sent, nil
				}
				return sent, err
			}
			if len(b) == 0 {
				break
			}
		}
	}
	return sent, nil
}

func (s *Socket) sendSome(m *Message) (int, error) {
	bulk, ok := s.endpoint.(BulkEndpoint)
	if !ok || len(m.Data) <= bulkCopy || m.Flags&MsgOOB != 0 {
		return s.endpoint.Send(m)
	}
	d := s.instance.domain
	r := d.takeReservation()
	defer d.giveReservation(r)
	if err := bulk.Reserve(len(m.Data), r); err != nil {
		return 0, err
	}
	d.leave()
	n := 0
	for i := range r.Pieces[:r.N] {
		f := &r.Pieces[i]
		n += copy(f.Page.Data[f.Off:f.Off+f.Len], m.Data[n:])
	}
	d.enter()
	return n, bulk.Commit(r, n)
}

// Receive receives into m as recvmsg(2) does and returns the bytes; 0 on a
// stream is its end.
func (s *Socket) Receive(m *Message) (int, error) {
	defer s.leave()
	if err := s.enter(); err != nil {
		return 0, err
	}
	return s.receive(m)
}

// read is Receive into b alone; it tells where a datagram came from.
func (s *Socket) read(b []byte) (n int, from SockAddr, err error) {
	defer s.leave()
	if err := s.enter(); err != nil {
		return 0, from, err
	}
	m := s.instance.domain.takeMessage()
	m.Data = b
	n, err = s.receive(m)
	from = m.Addr
	s.instance.domain.giveMessage(m)
	return n, from, err
}

// receive is Receive inside an entry.
func (s *Socket) receive(m *Message) (int, error) {
	got := 0
	var pt patience
	for s.reading {
		if err := s.wait(ReadyIn, m.Flags, &pt); err != nil {
			return 0, err
		}
	}
	for {
		if err := s.expired(ReadyIn); err != nil {
			return got, err
		}
		n, err := s.receiveSome(m)
		if err == nil {
			got += n
			if m.Flags&MsgWaitAll == 0 || s.typ != SockStream || n == 0 || m.Flags&MsgPeek != 0 || n >= m.Len() {
				return got, nil
			}
			m.Data = m.Data[n:]
			continue
		}
		if err != syscall.EAGAIN {
			if got > 0 {
				return got, nil
			}
			return 0, err
		}
		if err := s.wait(ReadyIn, m.Flags, &pt); err != nil {
			if got > 0 {
				return got, nil
			}
			return 0, err
		}
	}
}

func (s *Socket) receiveSome(m *Message) (int, error) {
	bulk, ok := s.endpoint.(BulkEndpoint)
	if !ok || len(m.Data) <= bulkCopy || m.Flags&(MsgOOB|MsgPeek|MsgTrunc) != 0 || len(m.Vector) > 0 {
		return s.endpoint.Receive(m)
	}
	d := s.instance.domain
	r := d.takeReservation()
	defer d.giveReservation(r)
	if err := bulk.Take(len(m.Data), r); err != nil || r.Bytes == 0 {
		return 0, err
	}
	s.reading = true
	d.leave()
	n := 0
	for i := range r.Pieces[:r.N] {
		n += copy(m.Data[n:], r.Pieces[i].Bytes())
	}
	d.enter()
	s.reading = false
	bulk.Done(r)
	if s.waiters != nil {
		s.Wake(ReadyIn)
	}
	return n, nil
}

// Shutdown ends one or both directions.
func (s *Socket) Shutdown(how int) error {
	if how < ShutRead || how > ShutBoth {
		return syscall.EINVAL
	}
	return s.call(ReadyIn|ReadyOut, func() error { return s.endpoint.Shutdown(how) })
}

// Close closes the socket; every call that waits on it fails with EBADF. With
// SO_LINGER and a positive time on a blocking stream it waits until the data
// is acknowledged or the time is over.
func (s *Socket) Close() error {
	d := s.instance.domain
	d.enter()
	defer d.leave()
	if s.closed {
		return syscall.EBADF
	}
	if l, ok := s.endpoint.(interface{ Lingering() bool }); ok && s.options.Linger > 0 && !s.nonblock {
		if s.endpoint.Shutdown(ShutWrite) == nil && l.Lingering() {
			s.setLimitLocked(&s.deadlines().write, &s.limits.writePast, d.now.Add(s.options.Linger))
			for l.Lingering() {
				if s.park(ReadyOut|ReadyErr|ReadyHup, 0) != nil || s.expired(ReadyOut) != nil {
					break
				}
			}
		}
	}
	if !s.closed {
		s.closeLocked()
	}
	return nil
}

// closeLocked closes inside an entry.
func (s *Socket) closeLocked() {
	s.closed = true
	s.Wake(ReadyIn | ReadyOut | ReadyErr | ReadyHup)
	s.stopLimits()
	s.endpoint.Close()
	s.instance.sockets.drop(s)
}

// CloseLocked is Close without lingering, for protocols inside an entry.
func (s *Socket) CloseLocked() {
	if !s.closed {
		s.closeLocked()
	}
}

// LocalAddr is the address the socket is bound to (getsockname), zero when the
// socket is closed.
func (s *Socket) LocalAddr() SockAddr {
	var a SockAddr
	s.instance.domain.Do(func() {
		if !s.closed {
			a = s.endpoint.Local()
		}
	})
	return a
}

// PeerAddr is the address the socket is connected to (getpeername), or ENOTCONN,
// or EBADF when the socket is closed.
func (s *Socket) PeerAddr() (SockAddr, error) {
	var a SockAddr
	err := error(syscall.EBADF)
	s.instance.domain.Do(func() {
		if s.closed {
			return
		}
		var ok bool
		if a, ok = s.endpoint.Peer(); ok {
			err = nil
		} else {
			err = syscall.ENOTCONN
		}
	})
	return a, err
}

// checkLocal tells whether the socket may bind to a: an own address, a group, a
// broadcast address or the unspecified one.
func (s *Socket) checkLocal(a SockAddr) error {
	_, err := s.localType(a)
	return err
}

// localType is checkLocal and tells what a is: RouteMulticast, RouteBroadcast,
// or RouteLocal for every other address.
func (s *Socket) localType(a SockAddr) (RouteType, error) {
	if err := s.checkFamily(a.Addr); err != nil {
		return 0, err
	}
	switch {
	case a.Addr.IsUnspecified():
		return RouteLocal, nil
	case a.Addr.IsMulticast():
		return RouteMulticast, nil
	case a.Addr.IsBroadcast():
		return RouteBroadcast, nil
	}
	switch t := s.instance.addressType(a.Addr); {
	case t == RouteLocal || t == RouteBroadcast:
		return t, nil
	case s.options.FreeBind:
		return RouteLocal, nil
	}
	if n, ok := s.instance.Network(a.Addr).(interface{ NonlocalBind() bool }); ok && n.NonlocalBind() {
		return RouteLocal, nil
	}
	return 0, syscall.EADDRNOTAVAIL
}

// CheckLocal is checkLocal for transports.
func (s *Socket) CheckLocal(a SockAddr) error { return s.checkLocal(a) }

func (s *Socket) checkPeer(a SockAddr) error { return s.checkFamily(a.Addr) }

// checkFamily refuses IPv6 addresses on an AF_INET socket and IPv4 ones on an
// AF_INET6 socket that is for IPv6 only.
func (s *Socket) checkFamily(a wire.Addr) error {
	switch {
	case s.family == afInet && !a.Is4():
		return syscall.EAFNOSUPPORT
	case s.family == afInet6 && a.Is4() && s.options.V6Only:
		return syscall.ENETUNREACH
	}
	return nil
}

// outInterface is the interface that a datagram to a must use, 0 for any.
func (s *Socket) outInterface(a SockAddr) int {
	if s.options.Device != 0 {
		return int(s.options.Device)
	}
	if a.Scope != 0 && !a.Addr.Is4() && (a.Addr.IsLinkLocalUnicast() || a.Addr.IsMulticast()) {
		return int(a.Scope)
	}
	return 0
}

// OutInterface is outInterface for transports.
func (s *Socket) OutInterface(a SockAddr) int { return s.outInterface(a) }

// socketTable finds sockets by their number: the low 20 bits are a place, the
// rest counts its users, so that the number of a closed socket finds nobody.
type socketTable struct {
	slots  []socketSlot
	free   uint32                    // first free place plus one
	groups map[SocketID][]membership // multicast groups joined
}

type socketSlot struct {
	socket *Socket
	next   uint32 // next free place plus one
	uses   uint32
}

const socketPlaces = 1 << 20

// add gives s a number; false when there are socketPlaces sockets.
func (t *socketTable) add(s *Socket) bool {
	at := t.free
	if at == 0 {
		if len(t.slots) == socketPlaces-1 {
			return false
		}
		t.slots = append(t.slots, socketSlot{})
		at = uint32(len(t.slots))
	}
	x := &t.slots[at-1]
	t.free, x.next = x.next, 0
	s.id = SocketID(x.uses*socketPlaces | at)
	x.uses++
	x.socket = s
	return true
}

func (t *socketTable) get(id SocketID) *Socket {
	at := id & (socketPlaces - 1)
	if at == 0 || int(at) > len(t.slots) {
		return nil
	}
	if s := t.slots[at-1].socket; s != nil && s.id == id {
		return s
	}
	return nil
}

func (t *socketTable) drop(s *Socket) {
	if t.get(s.id) != s {
		return
	}
	at := uint32(s.id & (socketPlaces - 1))
	x := &t.slots[at-1]
	x.socket, x.next, t.free = nil, t.free, at
	for _, m := range t.groups[s.id] {
		m.ifc.LeaveGroup(m.group)
	}
	delete(t.groups, s.id)
}

// closeAll closes every socket.
func (t *socketTable) closeAll() {
	for i := 0; i < len(t.slots); i++ {
		if s := t.slots[i].socket; s != nil {
			s.closeLocked()
		}
	}
}

// Sockets are the open sockets in the order of their places. Inside an entry.
func (in *Instance) Sockets() []*Socket {
	var out []*Socket
	for i := range in.sockets.slots {
		if s := in.sockets.slots[i].socket; s != nil {
			out = append(out, s)
		}
	}
	return out
}

// SetReadDeadline and SetWriteDeadline bound the calls that wait, on the host's
// clock; 0 takes the bound away. They take effect on calls that wait already.
func (s *Socket) SetReadDeadline(t Time) { s.setLimit(t, true) }

// SetWriteDeadline is SetReadDeadline for sends and connects.
func (s *Socket) SetWriteDeadline(t Time) { s.setLimit(t, false) }

func (s *Socket) deadlines() *deadlines {
	if s.limits == nil {
		s.limits = &deadlines{socket: s}
	}
	return s.limits
}

func (s *Socket) setLimit(t Time, read bool) {
	s.instance.domain.Do(func() {
		if s.closed {
			return
		}
		l := s.deadlines()
		if read {
			s.setLimitLocked(&l.read, &l.readPast, t)
		} else {
			s.setLimitLocked(&l.write, &l.writePast, t)
		}
	})
}

func (s *Socket) setLimitLocked(tm *timer.Timer, past *bool, t Time) {
	in := s.instance
	in.CancelTimer(tm)
	*past = t != 0 && t <= in.domain.now
	if t != 0 && !*past {
		in.SetTimer(tm, t, s.limits)
	}
	s.Wake(ReadyIn | ReadyOut) // waiting calls look again
}

// Expire implements timer.Expirer.
func (l *deadlines) Expire(t *timer.Timer, _ Time) {
	if t == &l.read {
		l.readPast = true
		l.socket.Wake(ReadyIn)
		return
	}
	l.writePast = true
	l.socket.Wake(ReadyOut)
}

func (s *Socket) stopLimits() {
	if s.limits != nil {
		s.instance.CancelTimer(&s.limits.read)
		s.instance.CancelTimer(&s.limits.write)
	}
}

// expired reports a deadline that has passed for calls that wait for mask.
func (s *Socket) expired(mask Ready) error {
	l := s.limits
	if l == nil {
		return nil
	}
	if mask&ReadyIn != 0 && l.readPast || mask&ReadyOut != 0 && mask&ReadyIn == 0 && l.writePast {
		return ErrDeadline
	}
	return nil
}

// ErrDeadline is returned by a socket call whose deadline has passed. The net
// doors turn it into os.ErrDeadlineExceeded.
const ErrDeadline = deadlineError(0)

type deadlineError int

func (deadlineError) Error() string   { return "deadline exceeded" }
func (deadlineError) Timeout() bool   { return true }
func (deadlineError) Temporary() bool { return true }

// Sleep blocks the calling task for d on the host's clock.
func (in *Instance) Sleep(d time.Duration) error {
	dm := in.domain
	dm.enter()
	defer dm.leave()
	sl := sleeper{domain: dm, node: dm.takeNode()}
	in.SetTimer(&sl.timer, dm.now.Add(d), &sl)
	for !sl.over {
		dm.leave()
		err := dm.host.Park(sl.node.waiter)
		dm.enter()
		if err != nil {
			in.CancelTimer(&sl.timer)
			return err
		}
	}
	dm.giveNode(sl.node)
	return nil
}

type sleeper struct {
	timer  timer.Timer
	domain *Domain
	node   *waitNode
	over   bool
}

// Expire implements timer.Expirer.
func (s *sleeper) Expire(*timer.Timer, Time) {
	s.over = true
	s.domain.wake(s.node.waiter)
}
