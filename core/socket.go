package core

import (
	"syscall"
)

// Address families and socket types with Linux's numbers, whatever the system
// this runs on.
const (
	afUnspec = 0
	afInet   = 2
	afInet6  = 10

	AFInet   = afInet
	AFInet6  = afInet6
	AFPacket = 17

	SockStream    = 1
	SockDgram     = 2
	SockRaw       = 3
	SockSeqPacket = 5
	SockDCCP      = 6
)

// Socket is one open socket of an instance. Its methods are the POSIX calls:
// they block unless the socket is non-blocking, and fail with the errno that
// Linux documents. They may be called from any goroutine in real time, from
// tasks in virtual time.
type Socket struct {
	instance   *Instance
	endpoint   Endpoint
	options    *SocketOptions // the Domain's defaults until the first change
	waiters    *waitNode
	limits     *deadlines
	id         SocketID
	family     uint16
	typ        uint16
	protocol   uint16
	err        uint16 // SO_ERROR, an errno
	place      uint16 // of its protocol among the instance's
	nonblock   bool
	closed     bool
	connecting bool // the outcome of a connect was not told yet
	sending    bool // a writer is between Reserve and the end of its call
	reading    bool
	contended  bool // another call found sending or reading set
	resuming   bool // a call is made again after its operation ended (see attempt)
}

// Socket opens a socket. EAFNOSUPPORT, EPROTONOSUPPORT or ESOCKTNOSUPPORT when
// the instance has no such kind, ENOBUFS when memory is short.
func (in *Instance) Socket(family, typ, protocol int) (*Socket, error) {
	if in.autoload != nil {
		in.load(SocketKind{family, typ, protocol})
	}
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
			if err = s.parkOnly(ReadyIn|ReadyOut, 0); err == nil {
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
	s.place = uint16(i)
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
	err := syscall.EAFNOSUPPORT
	if in.networkFamily(family) >= 0 {
		err = syscall.ESOCKTNOSUPPORT
	}
	for i := range in.wiring.Protocols {
		for _, k := range in.wiring.Protocols[i].Protocol.Sockets {
			if k.Family == family && k.Type == typ {
				return syscall.EPROTONOSUPPORT
			}
			if k.Family == family && family != afInet && family != afInet6 { // of no network protocol
				err = syscall.ESOCKTNOSUPPORT
			}
		}
	}
	return err
}

// newSocket makes a socket without an endpoint, nil when there are too many.
func newSocket(in *Instance, family, typ, protocol int) *Socket {
	s := &Socket{instance: in, family: uint16(family), typ: uint16(typ), protocol: uint16(protocol), options: in.freshOptions()}
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
	if c != nil {
		c.place = s.place
	}
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

// enter starts a socket call.
func (s *Socket) enter() error {
	s.instance.domain.enter()
	if s.closed {
		return syscall.EBADF
	}
	return nil
}

func (s *Socket) leave() { s.instance.domain.leave() }

// call runs a control operation that may end later.
func (s *Socket) call(f func() error) error {
	defer s.leave()
	if err := s.enter(); err != nil {
		return err
	}
	return s.attempt(f)
}

// Shutdown ends one or both directions.
func (s *Socket) Shutdown(how int) error {
	if how < ShutRead || how > ShutBoth {
		return syscall.EINVAL
	}
	return s.call(func() error { return s.endpoint.Shutdown(how) })
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
		u, ok := s.endpoint.(interface{ Unread() bool })
		if !(ok && u.Unread()) && s.endpoint.Shutdown(ShutWrite) == nil && l.Lingering() {
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
