package posix

import (
	"sync/atomic"
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
)

// socket is a socket as an object. The stack's own never waits: who waits is the
// Op, so that what it waits for is copied here.
type socket struct {
	s           *core.Socket
	family, typ int
	shadow      shadow
	stamp       atomic.Int64 // core.Time at which the last datagram that was read had come
}

// shadow are the options that say how calls wait.
type shadow struct {
	lowat         atomic.Int32
	receive, send atomic.Int64 // SO_RCVTIMEO, SO_SNDTIMEO
	linger        atomic.Int64 // -1 off
}

func newSocket(s *core.Socket, of *socket) *socket {
	s.SetNonblock(true)
	family, typ, _ := s.Kind()
	x := &socket{s: s, family: family, typ: typ}
	x.shadow.lowat.Store(1)
	x.shadow.linger.Store(-1)
	if of != nil {
		x.shadow.lowat.Store(of.shadow.lowat.Load())
		x.shadow.receive.Store(of.shadow.receive.Load())
		x.shadow.send.Store(of.shadow.send.Load())
		x.shadow.linger.Store(of.shadow.linger.Load())
	}
	return x
}

func (s *socket) ready() core.Ready { return s.s.ReadyLocked() }

func (s *socket) watch(w *watch) { w.socket.Set(s.s, w.mask, w.tell) }

func (s *socket) unwatch(w *watch) { w.socket.Stop() }

func (s *socket) close() error { return s.s.Close() }

func (s *socket) receiveLimit() time.Duration { return time.Duration(s.shadow.receive.Load()) }

func (s *socket) sendLimit() time.Duration { return time.Duration(s.shadow.send.Load()) }

// Socket is socket(2). typ may have SOCK_NONBLOCK and SOCK_CLOEXEC.
func (p *Process) Socket(family, typ, protocol int) (fd int, err error) {
	if typ&^(sockTypeMask|SOCK_NONBLOCK|SOCK_CLOEXEC) != 0 {
		return -1, syscall.EINVAL
	}
	switch {
	case family < 0 || family >= 46: // AF_MAX
		return -1, syscall.EAFNOSUPPORT
	case typ&sockTypeMask >= 11: // SOCK_MAX
		return -1, syscall.EINVAL
	case (family == AF_INET || family == AF_INET6) && (protocol < 0 || protocol >= 263): // IPPROTO_MAX
		return -1, syscall.EINVAL
	}
	s, err := p.instance.Socket(family, typ&sockTypeMask, protocol)
	if err != nil {
		return -1, err
	}
	return p.open(newSocket(s, nil), O_RDWR|typ&SOCK_NONBLOCK, typ&SOCK_CLOEXEC != 0)
}

// Bind is bind(2).
func (p *Process) Bind(fd int, addr []byte) error {
	_, s, err := p.socket(fd)
	if err != nil {
		return err
	}
	a, err := s.bindAddress(addr)
	if err != nil {
		return err
	}
	return s.s.Bind(a)
}

// Listen is listen(2).
func (p *Process) Listen(fd, backlog int) error {
	_, s, err := p.socket(fd)
	if err != nil {
		return err
	}
	if s.typ != SOCK_STREAM && s.typ != SOCK_SEQPACKET && s.typ != SOCK_DCCP {
		return syscall.EOPNOTSUPP
	}
	return s.s.Listen(backlog)
}

// Shutdown is shutdown(2).
func (p *Process) Shutdown(fd, how int) error {
	_, s, err := p.socket(fd)
	if err != nil {
		return err
	}
	return s.s.Shutdown(how)
}

// Getsockname is getsockname(2): addr gets what fits of the address, whose full
// length is returned.
func (p *Process) Getsockname(fd int, addr []byte) (int, error) {
	_, s, err := p.socket(fd)
	if err != nil {
		return -1, err
	}
	return putSockAddr(addr, s.family, s.s.LocalAddr()), nil
}

// Getpeername is getpeername(2), likewise.
func (p *Process) Getpeername(fd int, addr []byte) (int, error) {
	_, s, err := p.socket(fd)
	if err != nil {
		return -1, err
	}
	a, err := s.s.PeerAddr()
	if err != nil {
		return -1, err
	}
	return putSockAddr(addr, s.family, a), nil
}

// Connect is connect(2).
func (p *Process) Connect(fd int, addr []byte) error {
	o := p.takeOp()
	_, err := p.await(o, o.Connect(fd, addr))
	return err
}

// Connect begins Process.Connect.
func (o *Op) Connect(fd int, addr []byte) bool {
	o.reset()
	d, s, err := o.p.socket(fd)
	if err != nil {
		return o.fail(err)
	}
	family, err := familyOf(addr)
	if err != nil {
		return o.fail(err)
	}
	if family == AF_UNSPEC {
		if err := s.s.Disconnect(); err != nil {
			return o.fail(err)
		}
		o.done = true
		return true
	}
	if o.address, err = s.connectAddress(addr); err != nil {
		return o.fail(err)
	}
	o.socket, o.nonblock = s, d.nonblock()
	o.wants(fd, d, core.ReadyOut|core.ReadyErr|core.ReadyHup)
	return o.begin((*Op).connect)
}

func (o *Op) connect() (err error) {
	if o.part {
		err = o.socket.s.ConnectResult()
	} else {
		err = o.socket.s.Connect(o.address)
	}
	if err != syscall.EINPROGRESS && err != syscall.EALREADY {
		return err
	}
	if !o.part {
		o.part, o.extra = true, int(err.(syscall.Errno))
	}
	if b := o.block(o.socket.sendLimit()); b != syscall.EAGAIN {
		return b
	}
	return syscall.Errno(o.extra)
}

// Accept4 is accept4(2): flags are SOCK_NONBLOCK and SOCK_CLOEXEC. addr gets what
// fits of the peer's address, addrlen is its full length.
func (p *Process) Accept4(fd int, addr []byte, flags int) (nfd, addrlen int, err error) {
	o := p.takeOp()
	done := o.Accept4(fd, addr, flags)
	if !done {
		o.wait()
	}
	addrlen = o.extra
	nfd, err = p.await(o, true)
	return nfd, addrlen, err
}

// Accept4 begins Process.Accept4; AddrLen has the address's length.
func (o *Op) Accept4(fd int, addr []byte, flags int) bool {
	o.reset()
	if flags&^(SOCK_NONBLOCK|SOCK_CLOEXEC) != 0 {
		return o.fail(syscall.EINVAL)
	}
	d, s, err := o.p.socket(fd)
	if err != nil {
		return o.fail(err)
	}
	o.socket, o.nonblock, o.flags, o.name = s, d.nonblock(), flags, addr
	o.wants(fd, d, core.ReadyIn)
	return o.begin((*Op).accept)
}

func (o *Op) accept() error {
	c, peer, err := o.socket.s.Accept()
	if err == syscall.EAGAIN {
		return o.block(o.socket.receiveLimit())
	}
	if err != nil {
		return err
	}
	s := newSocket(c, o.socket)
	o.extra = putSockAddr(o.name, s.family, peer)
	o.n, err = o.p.open(s, O_RDWR|o.flags&SOCK_NONBLOCK, o.flags&SOCK_CLOEXEC != 0)
	return err
}

// AddrLen is the full length of the address that a call gave (Accept4, Recvfrom).
func (o *Op) AddrLen() int { return o.extra }

// Close is close(2). The last descriptor of a socket with SO_LINGER waits, also if
// it is non-blocking, until the data are acknowledged or the time is over; calls
// that wait on the description fail with EBADF.
func (p *Process) Close(fd int) error {
	o := p.takeOp()
	_, err := p.await(o, o.Close(fd))
	return err
}

// Close begins Process.Close: the descriptor is free at once.
func (o *Op) Close(fd int) bool {
	o.reset()
	d, last, err := o.p.take(fd)
	if err != nil {
		return o.fail(err)
	}
	s, ok := d.object.(*socket)
	if !last || !ok || s.shadow.linger.Load() <= 0 || !s.lingers() {
		if last {
			err = o.p.end(d)
		}
		o.err, o.done = err, true
		return true
	}
	o.socket = s
	o.wants(fd, d, core.ReadyOut|core.ReadyErr|core.ReadyHup)
	return o.begin((*Op).linger)
}

// lingers begins the end of a connection that has something to wait for.
func (s *socket) lingers() bool {
	lingering := false
	s.s.Instance().Domain().Do(func() {
		e := s.s.Endpoint()
		l, ok := e.(interface{ Lingering() bool })
		if u, has := e.(interface{ Unread() bool }); !ok || has && u.Unread() {
			return
		}
		lingering = e.Shutdown(core.ShutWrite) == nil && l.Lingering()
	})
	return lingering
}

func (o *Op) linger() error {
	s, lingering := o.socket, false
	s.s.Instance().Domain().Do(func() {
		l, ok := s.s.Endpoint().(interface{ Lingering() bool })
		lingering = ok && l.Lingering()
	})
	if lingering {
		if err := o.block(time.Duration(s.shadow.linger.Load())); err == errBlocked {
			return err
		}
	}
	return o.p.end(o.want[0].description)
}
