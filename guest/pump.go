//go:build linux && (amd64 || arm64)

package guest

import (
	"errors"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/core"
)

// news tells a pump that a socket of the stack may be as the pump wants it.
type news struct {
	socket *core.Socket
	watch  core.Watch
	come   chan struct{} // of capacity 1
}

// news has events of the stack's socket told until stop.
func (s *socket) news(events core.Ready) (*news, error) {
	stack, err := s.g.process.Stack(s.fd)
	if err != nil {
		return nil, err
	}
	n := &news{socket: stack, come: make(chan struct{}, 1)}
	stack.Instance().Domain().Do(func() { n.watch.Set(stack, events, n.tell) })
	return n, nil
}

func (n *news) tell(core.Ready) {
	select {
	case n.come <- struct{}{}:
	default:
	}
}

func (n *news) stop() { n.socket.Instance().Domain().Do(n.watch.Stop) }

// await waits for news: not if a socket that is as the pump wants it found another call
// at work on it, of which there are none.
func (n *news) await(as core.Ready) {
	if n.socket.Ready()&as != 0 {
		runtime.Gosched()
		return
	}
	<-n.come
}

// outlet carries what a program writes to the stack.
type outlet struct {
	s       *socket
	news    *news // of room in the stack, after the first bytes
	message core.Message

	// What look has seen.
	mute bool // the program's direction has ended
	hung bool // the program's end is closed
	buf  *[pumpSize]byte
	n    int
	err  error
}

// pumpOut carries what the program writes to the stack, and ends the socket when the
// last descriptor of it is closed.
func (s *socket) pumpOut() {
	p := outlet{s: s}
	defer func() {
		if p.news != nil {
			p.news.stop()
		}
	}()
	look := p.look
	for {
		waited := s.raw.Read(look)
		switch {
		case errors.Is(waited, os.ErrDeadlineExceeded): // kicked
			_ = s.file.SetReadDeadline(time.Time{})
		case waited != nil: // closed by us
			return
		case p.hung:
			s.hangUp()
			return
		case p.err != nil: // ECONNRESET: closed with bytes in it that the program had not read
			s.close(true)
			return
		case p.n == 0:
			p.mute = true
			_ = s.raw.Control(func(fd uintptr) { p.hung = hungUp(fd) })
			if p.hung {
				s.hangUp()
				return
			}
			_ = s.g.process.Shutdown(s.fd, unix.SHUT_WR)
		default:
			err := p.send(p.buf[:p.n])
			s.g.buffers.give(p.buf)
			if err != nil {
				p.mute = true // what it writes from now on fails
				_ = s.raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RD) })
			}
		}
	}
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

// look takes what waits in our end, and tells whether it found anything.
func (p *outlet) look(fd uintptr) bool {
	p.s.mu.Lock()
	carries := p.s.state == open && !p.mute
	p.s.mu.Unlock()
	if !carries {
		p.hung = hungUp(fd)
		return p.hung
	}
	p.buf = p.s.g.buffers.take()
	p.n, p.err = unix.Read(int(fd), p.buf[:])
	if p.n <= 0 || p.err != nil {
		p.s.g.buffers.give(p.buf)
	}
	return p.err != unix.EAGAIN
}

// send gives bytes to the stack.
func (p *outlet) send(b []byte) (err error) {
	if p.news == nil {
		if p.news, err = p.s.news(core.ReadyOut); err != nil {
			return err
		}
	}
	for len(b) > 0 {
		p.message.Data, p.message.Flags = b, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT
		n, err := p.news.socket.Send(&p.message)
		b = b[max(n, 0):]
		switch {
		case err == unix.EAGAIN:
			p.news.await(core.ReadyOut)
		case err != nil:
			return err
		}
	}
	return nil
}

// inlet carries what the stack receives to the program.
type inlet struct {
	s       *socket
	message core.Message

	// Of what write is to write.
	rest []byte
	err  error
}

// pumpIn carries what the stack receives to the program.
func (s *socket) pumpIn() {
	news, err := s.news(core.ReadyIn)
	if err != nil { // closed
		return
	}
	defer news.stop()
	p := inlet{s: s}
	write := p.write
	for more := true; ; {
		if !more {
			<-news.come
		}
		buf := s.g.buffers.take()
		p.message.Data, p.message.Flags = buf[:], 0
		var n int
		n, more, err = news.socket.ReceiveSome(&p.message)
		if n > 0 && err == nil {
			p.rest = buf[:n]
			if err := s.raw.Write(write); err != nil || p.err != nil {
				s.g.buffers.give(buf)
				return
			}
		}
		s.g.buffers.give(buf)
		switch {
		case err == unix.EAGAIN && more:
			runtime.Gosched() // another call is at it
		case err == unix.EAGAIN:
		case err != nil:
			s.abandon()
			return
		case n == 0:
			_ = s.raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_WR) })
			return
		}
	}
}

// write writes the rest, and tells whether it is over with it.
func (p *inlet) write(fd uintptr) bool {
	for {
		var n int
		n, p.err = sendSome(int(fd), p.rest)
		if p.err != nil {
			return p.err != unix.EAGAIN
		}
		if p.rest = p.rest[n:]; len(p.rest) == 0 {
			return true
		}
	}
}

// sendSome is send(2) of a part of b that has room.
func sendSome(fd int, b []byte) (int, error) {
	n, _, e := unix.Syscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}
