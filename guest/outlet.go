//go:build linux && (amd64 || arm64)

package guest

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/posix"
)

// How many connections a carrier looks after in one entry of the stack, and how much of
// each. A connection with more gets a pump of its own while that lasts.
const (
	carried   = 32
	carrySize = 16 << 10
)

// outlet carries what programs write to their connections: all that is there of all in
// one entry of the stack.
type outlet struct {
	g       *Guest
	events  [2 * carried]unix.EpollEvent
	loads   []load // of one entry
	now     load
	take    func(fd uintptr) // receive
	deliver func()           // send
	memory  [carried][carrySize]byte
	message core.Message
}

// load is what one connection has to carry.
type load struct {
	*socket
	n   int
	err error
}

// run serves until the ends are closed.
func (o *outlet) run() {
	o.take = o.receive
	o.deliver = o.send
	var n int
	var err error
	wait := func(fd uintptr) bool {
		for err = unix.EINTR; err == unix.EINTR; {
			n, err = unix.EpollWait(int(fd), o.events[:], 0)
		}
		return n > 0 || err != nil
	}
	for {
		if o.g.ends.raw.Read(wait) != nil || err != nil {
			return
		}
		for _, e := range o.events[:n] {
			s := o.g.ends.socket(e.Fd)
			if s == nil {
				continue
			}
			if e.Events&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
				s.roomy()
			}
			if e.Events&^unix.EPOLLOUT != 0 {
				o.look(s)
			}
			if len(o.loads) == carried {
				o.carry()
			}
		}
		o.carry()
	}
}

// look takes what waits in an end.
func (o *outlet) look(s *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.begun || s.draining {
		return
	}
	o.now = load{socket: s}
	if s.raw.Control(o.take) != nil || o.now.err == unix.EAGAIN {
		return
	}
	switch err := o.now.err; {
	case o.now.n > 0:
		o.loads = append(o.loads, o.now)
	case err != nil || s.state == open && !s.mute:
		s.draining = true
		_ = s.update()
		s.g.running.Go(func() { s.drain(nil, err) })
	}
}

// receive takes what waits in the end that look is about; that it is closed is EPIPE.
func (o *outlet) receive(fd uintptr) {
	switch {
	case o.now.state == open && !o.now.mute:
		o.now.n, o.now.err = receiveSome(int(fd), o.memory[len(o.loads)][:])
	case hungUp(fd):
		o.now.err = unix.EPIPE
	}
}

// carry gives what was taken to the stack.
func (o *outlet) carry() {
	if len(o.loads) == 0 {
		return
	}
	o.g.process.Domain().Carry(o.deliver)
	for i := range o.loads {
		l := &o.loads[i]
		if l.n > 0 || l.err != nil {
			o.handOver(l.socket, o.memory[i][:l.n], l.err)
		}
		l.socket = nil
	}
	o.loads = o.loads[:0]
}

// send gives what was taken to the stack, inside an entry.
func (o *outlet) send() {
	for i := range o.loads {
		l, b := &o.loads[i], &o.memory[i]
		o.message.Data, o.message.Flags = b[:l.n], unix.MSG_NOSIGNAL
		var sent int
		sent, l.err = l.stack.SendLocked(&o.message)
		o.message.Data = nil
		l.n = copy(b[:], b[max(sent, 0):l.n])
		if l.err == nil && sent == carrySize {
			l.err = unix.EAGAIN // a stream
		}
	}
}

// handOver has a pump of its own go on with a connection.
func (o *outlet) handOver(s *socket, rest []byte, err error) {
	s.mu.Lock()
	s.draining = true
	_ = s.update()
	s.mu.Unlock()
	rest = append([]byte(nil), rest...)
	if err == unix.EAGAIN || err == unix.ENOBUFS {
		err = nil
	}
	s.g.running.Go(func() {
		if err != nil {
			s.silence()
		}
		s.drain(rest, nil)
	})
}

// silence has what the program writes from now on fail.
func (s *socket) silence() {
	s.mu.Lock()
	s.mute = true
	s.mu.Unlock()
	_ = s.raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RD) })
}

// drain carries what the program writes, after rest, until there is nothing; follows the
// end of its direction, and ends the socket when the last descriptor of it is closed.
func (s *socket) drain(rest []byte, err error) {
	if len(rest) > 0 && s.send(rest) != nil {
		s.silence()
	}
	for err == nil {
		s.mu.Lock()
		carries := s.state == open && !s.mute
		s.mu.Unlock()
		if !carries {
			break
		}
		buf := s.g.buffers.take()
		var n int
		if gone := s.raw.Control(func(fd uintptr) { n, err = receiveSome(int(fd), buf[:]) }); gone != nil {
			s.g.buffers.give(buf)
			return // closed by us
		}
		switch {
		case err != nil:
		case n == 0:
			s.mu.Lock()
			s.mute = true
			s.mu.Unlock()
			if !s.hung() {
				_ = s.g.process.Shutdown(s.fd, unix.SHUT_WR)
			}
		case s.send(buf[:n]) != nil:
			s.silence()
		}
		s.g.buffers.give(buf)
	}
	switch {
	case err != nil && err != unix.EAGAIN && err != unix.EPIPE: // ECONNRESET: closed with bytes in it that the program had not read
		s.close(true)
		return
	case s.hung() && err != unix.EAGAIN:
		s.hangUp()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining = false
	_ = s.update() // told once more if anything has come meanwhile
}

// hung tells whether the program's end is closed.
func (s *socket) hung() (hung bool) {
	_ = s.raw.Control(func(fd uintptr) { hung = hungUp(fd) })
	return hung
}

// hangUp follows the end of both directions: the program has closed its end, or shut
// down the one where the peer's had ended.
func (s *socket) hangUp() {
	s.mu.Lock()
	halves := s.halves
	s.mu.Unlock()
	if halves {
		_ = s.g.process.Shutdown(s.fd, unix.SHUT_WR)
		s.abandon()
		return
	}
	s.close(false)
}

// scarce is how long a pump waits for what nobody tells of.
const scarce = time.Millisecond

// send gives bytes to the stack, waiting for room.
func (s *socket) send(b []byte) error {
	var room <-chan struct{}
	var m core.Message
	for len(b) > 0 {
		m.Data, m.Flags = b, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT
		n, err := s.stack.Send(&m)
		b = b[max(n, 0):]
		switch {
		case err == unix.EAGAIN && room == nil:
			news, stop, err := s.watch(posix.POLLOUT)
			if err != nil {
				return err
			}
			defer stop()
			room = news
		case err == unix.ENOBUFS || err == unix.EAGAIN && s.stack.Ready()&core.ReadyOut != 0:
			time.Sleep(scarce) // for memory; or another call was at it
		case err == unix.EAGAIN:
			<-room
		case err != nil:
			return err
		}
	}
	return nil
}
