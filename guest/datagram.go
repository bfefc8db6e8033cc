//go:build linux && (amd64 || arm64)

package guest

import (
	"bytes"
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/posix"
)

// maxDatagram holds the longest datagram there is.
const maxDatagram = 64 << 10

// maxControl holds the control messages of one datagram.
const maxControl = 4096

// origin is what a datagram has beside its bytes, in the form that recvmsg(2) gives.
type origin struct {
	name    []byte
	control []byte
}

func (s *socket) startDatagrams() {
	s.mu.Lock()
	if s.state != over { // already closed
		s.state = open
	}
	s.mu.Unlock()
	s.intake.arrival, s.intake.errand.Run = make(chan struct{}, 1), s.run
	s.intake.call = s.g.process.NewOp(func() {})
	s.intake.header = posix.Msghdr{Name: make([]byte, maxAddress), Control: make([]byte, maxControl), Iov: make([][]byte, 1)}
	s.g.running.Go(s.pumpDatagramsOut)
	s.g.running.Go(s.pumpDatagramsIn)
}

// pumpDatagramsOut carries what the program sends without an address. Nobody else
// reads our end, so that it also shows errors, and ends the socket when the program
// has closed its end and all is carried.
func (s *socket) pumpDatagramsOut() {
	stop, err := s.g.process.OnReady(s.fd, 0, s.alarm)
	if err != nil {
		return
	}
	defer stop()
	s.alarm() // an error may have been before
	var sent *volley
	o := &out{socket: s}
	o.deliver = o.send
	receive := func(fd uintptr) bool {
		s.out.Lock()
		sent = s.g.volleys.take()
		if err = sent.receive(int(fd)); err != nil {
			s.g.volleys.give(sent)
			s.out.Unlock()
		}
		return err != unix.EAGAIN
	}
	for {
		waited := s.raw.Read(receive)
		if errors.Is(waited, os.ErrDeadlineExceeded) { // kicked
			_ = s.file.SetReadDeadline(time.Time{})
			waited = s.raw.Control(func(fd uintptr) { receive(fd) })
			if waited == nil && err == unix.EAGAIN {
				if s.departed.Load() {
					s.close(false)
					return
				}
				if s.alarmed.Swap(false) {
					s.show()
				}
				continue
			}
			s.kick() // there may be more before what the kick was for
		}
		switch {
		case waited != nil: // closed by us
			return
		case err != nil:
			s.close(false)
			return
		}
		o.carryAll(sent)
		s.out.Unlock()
	}
}

// behind is whether something that the program has sent is still to be carried out.
func (s *socket) behind(end int) bool {
	if n, err := unix.IoctlGetInt(end, unix.SIOCOUTQ); err == nil && n > 1 { // 1: see ahead.trim
		return true
	}
	if !s.out.TryLock() {
		return true
	}
	s.out.Unlock()
	return false
}

// catchUp carries out what the program has sent.
func (s *socket) catchUp() {
	s.out.Lock()
	defer s.out.Unlock()
	buf := s.g.buffers.take()
	defer s.g.buffers.give(buf)
	for {
		var n int
		var err error
		if s.raw.Control(func(fd uintptr) { n, err = unix.Read(int(fd), buf[:]) }) != nil || err != nil {
			return // the pump will find out why
		}
		s.carryOut(buf[:n])
	}
}

// out is what carries out a socket's datagrams.
type out struct {
	*socket
	deliver     func() // send
	volley      *volley
	sent        int   // of the volley
	before, err error // what the program's next call is to tell
}

// carryAll sends the datagrams of a volley, which it gives back, in one entry of the
// stack if there is room.
func (o *out) carryAll(v *volley) {
	o.hasTold()
	o.volley, o.sent, o.before, o.err = v, 0, nil, nil
	o.g.process.Domain().Carry(o.deliver)
	o.note(o.before)
	o.note(o.err)
	var rest [][]byte
	for i := o.sent; i < v.n; i++ {
		rest = append(rest, bytes.Clone(v.datagram(i)))
	}
	o.g.volleys.give(v)
	for _, b := range rest {
		o.carryOut(b)
	}
}

// send sends what there is room for, inside an entry.
func (o *out) send() {
	for v := o.volley; o.sent < v.n; o.sent++ {
		if v.cut(o.sent) { // no protocol has so long ones
			o.err = unix.EMSGSIZE
			continue
		}
		v.message.Data, v.message.Flags = v.datagram(o.sent), unix.MSG_NOSIGNAL
		if err := o.stack.TakeError(); err != nil {
			o.before = err
		}
		_, err := o.stack.SendLocked(&v.message)
		if err == unix.EAGAIN {
			return
		}
		if err != nil {
			o.err = err
		}
	}
}

// note keeps an error for the program's next call.
func (s *socket) note(err error) {
	if err != nil && err != unix.EBADF {
		s.mu.Lock()
		s.keep(err)
		s.mu.Unlock()
	}
}

// carryOut sends a datagram as soon as there is room for it. What keeps it from being
// sent is told by the program's next call, as is an error that was before.
func (s *socket) carryOut(b []byte) {
	s.hasTold()
	var room <-chan struct{}
	for {
		var before, err error
		s.g.process.Domain().Do(func() {
			before = s.stack.TakeError()
			_, err = s.stack.SendLocked(&core.Message{Data: b, Flags: unix.MSG_NOSIGNAL})
		})
		s.note(before)
		if err != unix.EAGAIN {
			s.note(err)
			return
		}
		if room == nil {
			news, stop, err := s.watch(posix.POLLOUT)
			if err != nil { // closed
				return
			}
			defer stop()
			room = news
			continue
		}
		select {
		case <-room:
		case <-s.gone: // nobody will know
			return
		}
	}
}

// intake is what carries in a socket's datagrams: its pump, or an errand.
type intake struct {
	arrival chan struct{} // of capacity 1: the pump is to look
	errand  core.Errand   // socket.run

	mu      sync.Mutex // of who carries; taken before the socket's
	call    *posix.Op
	header  posix.Msghdr
	last    origin
	failure error // the latest, if nothing has come since
}

// arrived is called inside an entry when something may have come.
func (s *socket) arrived() {
	if !s.g.process.Domain().Errand(&s.intake.errand) {
		signal(s.intake.arrival)
	}
}

// run carries in for who has brought what came: what it cannot do, or not at once, the
// pump does.
func (s *socket) run() {
	in := &s.intake
	if in.mu.TryLock() {
		defer in.mu.Unlock()
		for range 2 {
			if !s.mayCarryIn() {
				break
			}
			if done, _ := s.carryIn(); done {
				return
			}
		}
	}
	signal(in.arrival)
}

// pumpDatagramsIn carries what the stack receives to the program's end, and keeps where
// it came from for the call that asks; while a call takes datagrams from the stack
// itself, nothing is carried.
func (s *socket) pumpDatagramsIn() {
	stop, err := s.g.process.OnReady(s.fd, posix.POLLIN, s.arrived)
	if err != nil {
		return
	}
	defer stop()
	for {
		s.mu.Lock()
		for s.receivers > 0 && s.state == open {
			s.idle.Wait()
		}
		ended := s.state == over
		s.mu.Unlock()
		if ended || s.room() != nil {
			return
		}
		s.intake.mu.Lock()
		done, deaf := s.carryIn()
		s.intake.mu.Unlock()
		if deaf {
			return
		}
		if done {
			<-s.intake.arrival
		}
	}
}

// carryIn carries what there is and has room. It tells whether that was all, and whether
// the program has shut its end down. The intake's mutex is held.
func (s *socket) carryIn() (done, deaf bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.receivers > 0 || s.state == over {
		return false, false
	}
	v := s.g.volleys.take()
	defer s.g.volleys.give(v)
	err := s.gather(v)
	done, deaf = err == unix.EAGAIN, err == unix.EBADF
	if s.pushAll(v) == unix.EPIPE {
		deaf = true
	}
	if err != nil && !done && !deaf {
		s.keep(err)
		done = err == s.intake.failure // it will not go away by itself
	}
	s.intake.failure = err
	return done, deaf
}

// gather takes datagrams from the stack, as many as may wait in the program's end. The
// error is why there are no more. Both mutexes are held.
func (s *socket) gather(v *volley) error {
	in := &s.intake
	v.n = 0
	for cost := 0; v.n < volleySize && s.ahead.roomy(s.memory, v.n, cost); v.n++ {
		m := in.header
		m.Iov[0] = v.memory[v.n].data[:]
		in.call.Recvmsg(s.fd, &m, unix.MSG_DONTWAIT)
		n, err := in.call.Result()
		if err != nil {
			return err
		}
		o := origin{name: m.Name[:min(m.NameLen, maxAddress)], control: m.Control[:m.ControlLen]}
		in.last = o.remembered(&in.last)
		v.piece(v.n, n)
		w := &v.waits[v.n]
		if *w, err = s.g.scale.waiting(v.memory[v.n].data[:n], in.last); err != nil {
			return err
		}
		cost += w.cost
	}
	return nil
}

// datagram is one received datagram, whole.
type datagram struct {
	origin
	data  []byte
	flags int
}

// take takes a datagram, or looks at it: the one that waits in the program's end, or
// from the stack; before that a pending error. unix.EAGAIN if there is none. The mutex
// is held.
func (s *socket) take(end int, d *datagram, flags int) error {
	peek := flags & unix.MSG_PEEK
	if flags&unix.MSG_ERRQUEUE != 0 {
		return s.takeFromQueue(end, d, flags)
	}
	if err := s.pendingError(end); err != nil {
		return err
	}
	err := s.takeAhead(end, d, peek)
	s.ahead.stopped()
	if err == nil {
		return nil
	}
	err = s.receive(d, peek|flags&unix.MSG_OOB)
	s.settle(end)
	return err
}

// receive takes a datagram from the stack.
func (s *socket) receive(d *datagram, flags int) error {
	h := posix.Msghdr{Name: make([]byte, maxAddress), Iov: [][]byte{d.data[:cap(d.data)]}, Control: make([]byte, maxControl)}
	n, err := s.g.process.Recvmsg(s.fd, &h, flags|unix.MSG_DONTWAIT)
	if err != nil {
		return err
	}
	d.origin = origin{name: h.Name[:min(h.NameLen, maxAddress)], control: h.Control[:h.ControlLen]}
	d.data, d.flags = d.data[:n], h.Flags&^unix.MSG_CMSG_CLOEXEC
	return nil
}

// limit is SO_RCVTIMEO of a call.
type limit struct {
	set bool
	at  time.Time
}

func (l limit) left() time.Duration { return time.Until(l.at) }

func (s *socket) receiveLimit(end int) limit {
	tv, err := unix.GetsockoptTimeval(end, unix.SOL_SOCKET, unix.SO_RCVTIMEO)
	if err != nil || tv.Sec == 0 && tv.Usec == 0 {
		return limit{}
	}
	return limit{true, time.Now().Add(time.Duration(tv.Nano()))}
}
