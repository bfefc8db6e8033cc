//go:build linux && (amd64 || arm64)

package guest

import (
	"encoding/binary"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/guest/trap"
	"github.com/libos-go/libos/posix"
)

// Sizes and offsets of struct msghdr and struct mmsghdr.
const (
	sizeofMsghdr  = 56
	sizeofMmsghdr = 64
	sizeofIovec   = 16
	maxIov        = 1024 // UIO_MAXIOV
	maxVlen       = 1024
)

// header is a struct msghdr of the caller.
type header struct {
	at         uint64
	name       uint64
	nameLen    uint32
	iov        []piece
	control    uint64
	controlLen uint64
}

// piece is one struct iovec.
type piece struct{ at, length uint64 }

func (r *request) header(at uint64) (h header, err error) {
	var b [sizeofMsghdr]byte
	if err := r.c.Read(at, b[:]); err != nil {
		return h, err
	}
	ne := binary.NativeEndian
	h = header{at: at, name: ne.Uint64(b[0:]), nameLen: ne.Uint32(b[8:]), control: ne.Uint64(b[32:]), controlLen: ne.Uint64(b[40:])}
	n := ne.Uint64(b[24:])
	if n > maxIov {
		return h, unix.EMSGSIZE
	}
	v := make([]byte, n*sizeofIovec)
	if err := r.c.Read(ne.Uint64(b[16:]), v); err != nil {
		return h, err
	}
	for ; len(v) > 0; v = v[sizeofIovec:] {
		h.iov = append(h.iov, piece{ne.Uint64(v), ne.Uint64(v[8:])})
	}
	return h, nil
}

// plain tells whether a send of it on a connection is one of bytes and nothing else.
func (h *header) plain(flags int) bool {
	return h.controlLen == 0 && flags&(unix.MSG_OOB|unix.MSG_FASTOPEN) == 0
}

func (h *header) length() (n uint64) {
	for _, p := range h.iov {
		if n += p.length; n > maxStreamCall {
			return maxStreamCall
		}
	}
	return n
}

// maxStreamCall bounds what one stopped call moves; a stream's caller sends the rest
// by another.
const maxStreamCall = 1 << 20

// gather reads the caller's bytes.
func (r *request) gather(iov []piece, limit int) ([]byte, error) {
	var b []byte
	for _, p := range iov {
		n := int(min(p.length, uint64(limit-len(b)+1)))
		from := len(b)
		b = append(b, make([]byte, n)...)
		if err := r.c.Read(p.at, b[from:]); err != nil {
			return nil, err
		}
		if len(b) > limit {
			return nil, unix.EMSGSIZE
		}
	}
	return b, nil
}

// scatter writes bytes to the caller's buffers and returns how many fitted.
func (r *request) scatter(iov []piece, b []byte) (int, error) {
	n := 0
	for _, p := range iov {
		k := int(min(p.length, uint64(len(b))))
		if err := r.c.Write(p.at, b[:k]); err != nil {
			return n, err
		}
		n, b = n+k, b[k:]
	}
	return n, nil
}

// socketOrNative is socket for calls of which the kernel has those of other sockets,
// and of streams those without anything unusual.
func (r *request) socketOrNative(native func(s *socket) bool) (*socket, int) {
	s, end, err := r.socket()
	switch {
	case err != nil:
		_ = r.fail(err)
		return nil, -1
	case s == nil:
		r.goOn()
		return nil, -1
	case native != nil && s.stream() && native(s):
		_ = unix.Close(end)
		r.goOn()
		return nil, -1
	}
	return s, end
}

// transmit sends one message and answers the call by finish with what it moved. It
// closes end.
func (r *request) transmit(s *socket, end int, m *posix.Msghdr, flags int, finish func(r *request, n int, err error)) {
	try := func() (n int, err error) {
		if s.stream() {
			return s.g.process.Sendmsg(s.fd, m, flags|unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		}
		s.mu.Lock()
		err = s.pendingError(end)
		s.mu.Unlock()
		if err == nil {
			n, err = s.g.process.Sendmsg(s.fd, m, flags|unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		}
		return n, err
	}
	answer := func(r *request, n int, err error) {
		_ = unix.Close(end)
		if err == unix.EPIPE && flags&unix.MSG_NOSIGNAL == 0 {
			r.signalPipe()
		}
		finish(r, n, err)
	}
	n, err := try()
	if err != unix.EAGAIN || flags&unix.MSG_DONTWAIT != 0 || nonblocking(end) {
		answer(r, n, err)
		return
	}
	w := *r
	r.p.waiting.Go(func() {
		room, stop, err := s.watch(posix.POLLOUT)
		if err != nil {
			answer(&w, 0, err)
			return
		}
		defer stop()
		for w.l.Waiting(&w.c) {
			if n, err := try(); err != unix.EAGAIN {
				answer(&w, n, err)
				return
			}
			select {
			case <-room:
			case <-time.After(stillThere):
			}
		}
		answer(&w, 0, trap.ErrGone)
	})
}

// signalPipe is the SIGPIPE of a send to a stream that has ended.
func (r *request) signalPipe() {
	tgid := r.c.Process()
	if tgid > 0 {
		_ = unix.Tgkill(tgid, int(r.c.Thread), unix.SIGPIPE)
	}
}

func (r *request) sendtoCall() {
	oob := r.arg(3)&unix.MSG_OOB != 0
	fastOpen := r.arg(3)&unix.MSG_FASTOPEN != 0
	s, end := r.socketOrNative(func(s *socket) bool { return !oob && !fastOpen && r.c.Args[4] == 0 })
	if s == nil {
		return
	}
	if !oob && !fastOpen && s.carries() {
		r.writeNative(end, []piece{{r.c.Args[1], r.c.Args[2]}}, r.arg(3))
		return
	}
	data, err := r.gather([]piece{{r.c.Args[1], r.c.Args[2]}}, maxStreamCall)
	var name []byte
	if err == nil && r.c.Args[4] != 0 {
		name, err = r.address(r.c.Args[4], r.arg(5))
	}
	if err != nil {
		_ = unix.Close(end)
		_ = r.fail(err)
		return
	}
	m := &posix.Msghdr{Name: name, Iov: [][]byte{data}}
	r.transmit(s, end, m, r.arg(3), func(r *request, n int, err error) { _ = r.done(n, err) })
}

// outgoing reads a message to send.
func (r *request) outgoing(h *header) (*posix.Msghdr, error) {
	m := &posix.Msghdr{}
	data, err := r.gather(h.iov, maxStreamCall)
	if err != nil {
		return nil, err
	}
	m.Iov = [][]byte{data}
	if h.name != 0 && h.nameLen > 0 {
		if m.Name, err = r.address(h.name, int(min(h.nameLen, maxAddress))); err != nil {
			return nil, err
		}
	}
	if h.controlLen > maxOption {
		return nil, unix.ENOBUFS
	}
	if h.control != 0 && h.controlLen > 0 {
		m.Control = make([]byte, h.controlLen)
		err = r.c.Read(h.control, m.Control)
	}
	return m, err
}

func (r *request) sendmsgCall() {
	var h header
	var err error
	flags := r.arg(2)
	s, end := r.socketOrNative(func(*socket) bool {
		h, err = r.header(r.c.Args[1])
		return err == nil && h.plain(flags) && h.name == 0
	})
	if s == nil {
		return
	}
	if err == nil && h.plain(flags) && s.carries() {
		r.writeNative(end, h.iov, flags)
		return
	}
	if h.at == 0 && err == nil {
		h, err = r.header(r.c.Args[1])
	}
	var m *posix.Msghdr
	if err == nil {
		m, err = r.outgoing(&h)
	}
	if err != nil {
		_ = unix.Close(end)
		_ = r.fail(err)
		return
	}
	r.transmit(s, end, m, flags, func(r *request, n int, err error) { _ = r.done(n, err) })
}

func (r *request) sendmmsgCall() {
	s, end := r.socketOrNative(func(*socket) bool { return true })
	if s == nil {
		return
	}
	r.sendSeveral(s, end, 0)
}

// sendSeveral sends the messages of a sendmmsg(2) from the i-th on. It closes end.
func (r *request) sendSeveral(s *socket, end, i int) {
	count := min(int(uint32(r.c.Args[2])), maxVlen)
	flags := r.arg(3)
	if i == count {
		_ = unix.Close(end)
		_ = r.l.Return(&r.c, int64(i))
		return
	}
	at := r.c.Args[1] + uint64(i)*sizeofMmsghdr
	h, err := r.header(at)
	var m *posix.Msghdr
	if err == nil {
		m, err = r.outgoing(&h)
	}
	after := func(r *request, n int, err error) bool {
		if err == nil {
			var l [4]byte
			binary.NativeEndian.PutUint32(l[:], uint32(n))
			err = r.c.Write(at+sizeofMsghdr, l[:])
		}
		if err != nil && i > 0 {
			_ = r.l.Return(&r.c, int64(i))
			return false
		}
		if err != nil {
			_ = r.fail(err)
			return false
		}
		return true
	}
	if err != nil {
		_ = unix.Close(end)
		after(r, 0, err)
		return
	}
	again, err := unix.Dup(end)
	if err != nil {
		_ = unix.Close(end)
		after(r, 0, err)
		return
	}
	r.transmit(s, end, m, flags, func(r *request, n int, err error) {
		if !after(r, n, err) {
			_ = unix.Close(again)
			return
		}
		r.sendSeveral(s, again, i+1)
	})
}

// receiveWith answers a call with a datagram, as soon as there is one: give writes it
// to the caller and answers. It closes end.
func (r *request) receiveWith(s *socket, end, flags int, give func(r *request, d *datagram) error) {
	try := func(r *request) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		buf := s.g.buffers.take()
		defer s.g.buffers.give(buf)
		d := datagram{data: buf[:maxDatagram:maxDatagram]}
		err := s.take(end, &d, flags)
		if err == unix.EAGAIN {
			return false
		}
		defer unix.Close(end) // with the mutex held, see reap
		if err != nil {
			_ = r.fail(err)
			return true
		}
		if errors.Is(give(r, &d), trap.ErrGone) && flags&unix.MSG_PEEK == 0 {
			s.putBack(end, &d)
		}
		return true
	}
	if try(r) {
		return
	}
	if flags&(unix.MSG_DONTWAIT|unix.MSG_ERRQUEUE) != 0 || nonblocking(end) {
		_ = unix.Close(end)
		_ = r.l.Fail(&r.c, unix.EAGAIN)
		return
	}
	w := *r
	limit := s.receiveLimit(end)
	s.mu.Lock()
	s.receivers++
	s.mu.Unlock()
	r.p.waiting.Go(func() {
		answered := false
		defer func() {
			if !answered {
				_ = unix.Close(end)
			}
			s.mu.Lock()
			s.receivers--
			s.idle.Signal()
			s.mu.Unlock()
		}()
		arrival, stop, err := s.watch(posix.POLLIN)
		if err != nil {
			_ = w.fail(err)
			return
		}
		defer stop()
		for {
			if answered = try(&w); answered {
				return
			}
			wait := stillThere
			if limit.set {
				if wait = min(wait, limit.left()); wait <= 0 {
					_ = w.l.Fail(&w.c, unix.EAGAIN)
					return
				}
			}
			select {
			case <-arrival:
			case <-time.After(wait):
			}
			if !w.l.Waiting(&w.c) {
				return
			}
		}
	})
}

// streamReceive answers a receive of a stream that is not native: of urgent data or
// of the error queue.
func (r *request) streamReceive(s *socket, end int, iov []piece, flags int) (int, error) {
	defer unix.Close(end)
	b := make([]byte, maxDatagram)
	h := posix.Msghdr{Iov: [][]byte{b}, Control: make([]byte, maxControl)}
	n, err := s.g.process.Recvmsg(s.fd, &h, flags|unix.MSG_DONTWAIT)
	if err != nil {
		return 0, err
	}
	return r.scatter(iov, b[:n])
}

func (r *request) recvfromCall() {
	flags := r.arg(3)
	s, end := r.socketOrNative(func(*socket) bool { return flags&(unix.MSG_OOB|unix.MSG_ERRQUEUE) == 0 })
	if s == nil {
		return
	}
	iov := []piece{{r.c.Args[1], r.c.Args[2]}}
	if s.stream() {
		n, err := r.streamReceive(s, end, iov, flags)
		_ = r.done(n, err)
		return
	}
	r.receiveWith(s, end, flags, func(r *request, d *datagram) error {
		n, err := r.scatter(iov, d.data)
		if err == nil && r.c.Args[4] != 0 {
			err = r.putAddress(r.c.Args[4], r.c.Args[5], d.name, len(d.name))
		}
		if flags&unix.MSG_TRUNC != 0 {
			n = len(d.data)
		}
		return r.done(n, err)
	})
}

// give writes a datagram by a struct msghdr and returns what recvmsg(2) does.
func (r *request) give(h *header, d *datagram, flags int) (int, error) {
	n, err := r.scatter(h.iov, d.data)
	if err != nil {
		return 0, err
	}
	out := d.flags
	if n < len(d.data) {
		out |= unix.MSG_TRUNC
		if flags&unix.MSG_TRUNC != 0 {
			n = len(d.data)
		}
	}
	var b [sizeofMsghdr]byte
	ne := binary.NativeEndian
	if h.name != 0 {
		if err := r.c.Write(h.name, d.name[:min(len(d.name), int(h.nameLen))]); err != nil {
			return 0, err
		}
		ne.PutUint32(b[:], uint32(len(d.name)))
		if err := r.c.Write(h.at+8, b[:4]); err != nil {
			return 0, err
		}
	}
	room := int(min(h.controlLen, maxOption))
	if h.control == 0 {
		room = 0
	}
	control := make([]byte, room)
	k, whole := posix.FitControl(control, d.control)
	if !whole {
		out |= unix.MSG_CTRUNC
	}
	if err := r.c.Write(h.control, control[:k]); err != nil {
		return 0, err
	}
	ne.PutUint64(b[:], uint64(k))
	if err := r.c.Write(h.at+40, b[:8]); err != nil {
		return 0, err
	}
	ne.PutUint32(b[:], uint32(out|flags&unix.MSG_CMSG_CLOEXEC))
	return n, r.c.Write(h.at+48, b[:4])
}

func (r *request) recvmsgCall() {
	flags := r.arg(2)
	s, end := r.socketOrNative(func(*socket) bool { return flags&(unix.MSG_OOB|unix.MSG_ERRQUEUE) == 0 })
	if s == nil {
		return
	}
	h, err := r.header(r.c.Args[1])
	if err != nil {
		_ = unix.Close(end)
		_ = r.fail(err)
		return
	}
	if s.stream() {
		n, err := r.streamReceive(s, end, h.iov, flags)
		_ = r.done(n, err)
		return
	}
	r.receiveWith(s, end, flags, func(r *request, d *datagram) error {
		n, err := r.give(&h, d, flags)
		return r.done(n, err)
	})
}

func (r *request) recvmmsgCall() {
	s, end := r.socketOrNative(func(*socket) bool { return true })
	if s == nil {
		return
	}
	flags := r.arg(3)
	count := min(int(uint32(r.c.Args[2])), maxVlen)
	if count == 0 {
		_ = unix.Close(end)
		_ = r.l.Return(&r.c, 0)
		return
	}
	r.receiveWith(s, end, flags, func(r *request, d *datagram) error { // the mutex is held, end is open
		i := 0
		for {
			at := r.c.Args[1] + uint64(i)*sizeofMmsghdr
			h, err := r.header(at)
			var n int
			if err == nil {
				n, err = r.give(&h, d, flags)
			}
			if err == nil {
				var l [4]byte
				binary.NativeEndian.PutUint32(l[:], uint32(n))
				err = r.c.Write(at+sizeofMsghdr, l[:])
			}
			if err != nil && i == 0 {
				return r.fail(err)
			}
			if err != nil {
				break
			}
			if i++; i == count || flags&unix.MSG_PEEK != 0 {
				break
			}
			d.data = d.data[:cap(d.data)]
			if err := s.take(end, d, flags); err != nil {
				if err != unix.EAGAIN {
					s.keep(err) // for the next call
				}
				break
			}
		}
		return r.l.Return(&r.c, int64(i))
	})
}
