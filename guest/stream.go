//go:build linux && (amd64 || arm64)

package guest

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/posix"
)

// start begins to serve a socket whose program has it. A stream that is not connected
// yet is only watched for its end.
func (s *socket) start() {
	if !s.stream() {
		s.startDatagrams()
		return
	}
	s.mu.Lock()
	s.begun = true
	connected := s.state == open
	err := s.update()
	s.mu.Unlock()
	switch {
	case err != nil:
		s.close(true)
	case connected:
		s.g.inlet.follow(s)
	}
}

// connected follows the end of a connect: the program's end becomes writable.
func (s *socket) connected() {
	s.mu.Lock()
	if s.state == over {
		s.mu.Unlock()
		return
	}
	s.resume()
	s.state = open
	err := s.update()
	s.mu.Unlock()
	if err != nil {
		s.close(true)
		return
	}
	s.g.inlet.follow(s)
}

// openEnds has what carries connections serve.
func (g *Guest) openEnds() error {
	return g.ends.open(func() {
		g.outlet, g.inlet = &outlet{g: g}, newInlet(g)
		g.running.Go(g.outlet.run)
		g.running.Go(g.inlet.serve)
	})
}

// connect is connect(2) of a stream. end is the program's end, which it closes.
func (r *request) connect(s *socket, end int, addr []byte) {
	defer unix.Close(end)
	wait := !nonblocking(end)
	s.mu.Lock()
	if s.state == connecting {
		s.mu.Unlock()
		if !wait { // a second call
			_ = r.l.Fail(&r.c, unix.EALREADY)
			return
		}
		r.awaitConnect(s)
		return
	}
	err := s.g.process.Connect(s.fd, addr)
	if err != unix.EINPROGRESS {
		s.mu.Unlock()
		if err == nil {
			s.connected()
		}
		_ = r.done(0, err)
		return
	}
	s.resume()
	if err := s.stop(end, bufferSize); err != nil {
		s.mu.Unlock()
		_ = r.fail(err)
		return
	}
	s.state, s.connect = connecting, make(chan struct{})
	s.mu.Unlock()
	s.g.running.Go(s.outcome)
	if wait {
		r.awaitConnect(s)
		return
	}
	_ = r.l.Fail(&r.c, unix.EINPROGRESS)
}

// awaitConnect answers a blocking connect when its outcome is known.
func (r *request) awaitConnect(s *socket) {
	s.mu.Lock()
	s.waiters++
	done := s.connect
	s.mu.Unlock()
	w := *r
	r.p.waiting.Go(func() {
		tick := time.NewTicker(stillThere)
		defer tick.Stop()
		gone := false
	wait:
		for !gone {
			select {
			case <-done:
				break wait
			case <-tick.C:
				gone = !w.l.Waiting(&w.c)
			}
		}
		s.mu.Lock()
		s.waiters--
		connected := s.state == open
		s.mu.Unlock()
		switch {
		case gone:
		case connected:
			_ = w.l.Return(&w.c, 0)
		default:
			_ = w.fail(s.takeError(unix.ECONNABORTED))
		}
	})
}

// stillThere is how often a call that waits is looked after: its thread may have been
// interrupted or have ended.
const stillThere = time.Second

// outcome follows a connect to its end.
func (s *socket) outcome() {
	if s.poll(posix.POLLOUT, -1) != nil {
		s.mu.Lock()
		close(s.connect)
		s.mu.Unlock()
		return
	}
	if _, err := s.g.process.Getpeername(s.fd, nil); err == nil {
		s.connected()
		close(s.connect)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer close(s.connect)
	if s.state == over {
		return
	}
	if s.waiters > 0 {
		s.state = fresh // a call tells; the next connect is a new attempt
		return
	}
	s.mu.Unlock()
	s.abandon() // with a filler in it, which makes an error of it
	s.mu.Lock()
}

// takeError is the stack's pending error, or another if there is none.
func (s *socket) takeError(other unix.Errno) error {
	var b [4]byte
	if _, err := s.g.process.Getsockopt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR, b[:]); err != nil {
		return err
	}
	if e := unix.Errno(binary.NativeEndian.Uint32(b[:])); e != 0 {
		return e
	}
	return other
}

// listen is listen(2).
func (s *socket) listen(backlog int) error {
	err := s.g.process.Listen(s.fd, backlog)
	s.mu.Lock()
	begins := err == nil && s.state != listening
	if begins {
		s.state = listening
	}
	s.mu.Unlock()
	if begins {
		s.g.running.Go(s.pumpListener)
	}
	return err
}

// pumpListener keeps a byte in the program's end while connections wait, which is
// what makes it readable.
func (s *socket) pumpListener() {
	for {
		if s.readable() != nil {
			return
		}
		s.mu.Lock()
		for s.token && s.state == listening {
			s.tokenGone.Wait()
		}
		if s.state != listening {
			s.mu.Unlock()
			return
		}
		s.putToken()
		s.mu.Unlock()
	}
}

// putToken makes the program's end readable if a connection waits. The mutex is held.
func (s *socket) putToken() {
	if s.token || len(s.accepted) == 0 && s.poll(posix.POLLIN, 0) != nil {
		return
	}
	s.token = true
	_ = s.raw.Control(func(fd uintptr) {
		_, _ = unix.SendmsgN(int(fd), s.g.filler[:1], nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	})
}

// takeToken makes the program's end unreadable if no connection waits.
func (s *socket) takeToken(end int) {
	if !s.token || len(s.accepted) > 0 || s.poll(posix.POLLIN, 0) == nil {
		return
	}
	var b [1]byte
	_, _, _ = unix.Recvfrom(end, b[:], unix.MSG_DONTWAIT)
	s.token = false
	s.tokenGone.Signal()
	s.putToken() // one may have come meanwhile
}

// accept is accept(2) and accept4(2). It closes end.
func (r *request) accept(s *socket, end int, flags int) {
	if r.tryAccept(s, end, flags) {
		_ = unix.Close(end)
		return
	}
	if nonblocking(end) {
		_ = unix.Close(end)
		_ = r.l.Fail(&r.c, unix.EAGAIN)
		return
	}
	w := *r
	r.p.waiting.Go(func() {
		defer unix.Close(end)
		for {
			err := s.poll(posix.POLLIN, stillThere)
			switch {
			case !w.l.Waiting(&w.c):
				return
			case err == unix.EAGAIN:
			case err != nil:
				_ = w.fail(err)
				return
			case w.tryAccept(s, end, flags):
				return
			}
		}
	})
}

// tryAccept answers the call unless nothing waits.
func (r *request) tryAccept(s *socket, end, flags int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	var fd int
	var err error
	if n := len(s.accepted); n > 0 {
		fd, s.accepted = s.accepted[0], s.accepted[1:]
	} else if fd, _, err = s.g.process.Accept4(s.fd, nil, unix.SOCK_NONBLOCK); err != nil {
		if err == unix.EAGAIN {
			return false
		}
		_ = r.fail(err)
		return true
	}
	c, child, err := s.g.pair(r.c.Thread, fd, s.family, s.typ, s.protocol, flags&unix.SOCK_NONBLOCK != 0)
	if err == nil {
		c.state = open
		err = r.putPeerName(c)
		if err == nil {
			err = r.l.ReturnFD(&r.c, child, flags&unix.SOCK_CLOEXEC != 0)
		}
		_ = unix.Close(child)
	}
	switch {
	case err == nil:
		c.start()
	case c == nil || c.forget():
		s.accepted = append([]int{fd}, s.accepted...) // for the next call
		fallthrough
	default:
		_ = r.fail(err)
	}
	s.takeToken(end)
	return true
}

// putPeerName writes the peer's address where accept's caller wants it.
func (r *request) putPeerName(c *socket) error {
	if r.c.Args[1] == 0 {
		return nil
	}
	var b [maxAddress]byte
	n, err := c.g.process.Getpeername(c.fd, b[:])
	if err != nil { // reset since: the address is lost, the connection is not
		n = 0
	}
	return r.putAddress(r.c.Args[1], r.c.Args[2], b[:min(n, len(b))], n)
}

// nonblocking tells whether a descriptor has O_NONBLOCK.
func nonblocking(fd int) bool {
	f, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return err == nil && f&unix.O_NONBLOCK != 0
}
