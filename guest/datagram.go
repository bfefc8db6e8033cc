//go:build linux && (amd64 || arm64)

package guest

import (
	"bytes"
	"errors"
	"os"
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
		s.carryAll(sent)
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

// carryAll sends the datagrams of a volley, which it gives back, in one entry of the
// stack if there is room.
func (s *socket) carryAll(v *volley) {
	s.hasTold()
	i := 0
	var before, err error
	s.g.process.Domain().Do(func() {
		for ; i < v.n; i++ {
			v.message.Data, v.message.Flags = v.datagram(i), unix.MSG_NOSIGNAL
			if v.cut(i) { // no protocol has so long ones
				err = unix.EMSGSIZE
				continue
			}
			if e := s.stack.TakeError(); e != nil {
				before = e
			}
			_, e := s.stack.SendLocked(&v.message)
			if e == unix.EAGAIN {
				return
			}
			if e != nil {
				err = e
			}
		}
	})
	s.note(before)
	s.note(err)
	var rest [][]byte
	for ; i < v.n; i++ {
		rest = append(rest, bytes.Clone(v.datagram(i)))
	}
	s.g.volleys.give(v)
	for _, b := range rest {
		s.carryOut(b)
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

// pumpDatagramsIn carries what the stack receives to the program's end, and keeps where
// it came from for the call that asks; while a call takes datagrams from the stack
// itself, nothing is carried.
func (s *socket) pumpDatagramsIn() {
	arrival, stop, err := s.watch(posix.POLLIN)
	if err != nil {
		return
	}
	defer stop()
	call := s.g.process.NewOp(func() {})
	var failure error // the latest, if nothing has come since
	var last origin
	h := posix.Msghdr{Name: make([]byte, maxAddress), Control: make([]byte, maxControl), Iov: make([][]byte, 1)}
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
		s.mu.Lock()
		if s.receivers > 0 || s.state == over {
			s.mu.Unlock()
			continue
		}
		v := s.g.volleys.take()
		err := s.gather(v, call, &h, &last)
		wait, deaf := err == unix.EAGAIN, s.pushAll(v) == unix.EPIPE
		if err != nil && !wait && err != unix.EBADF {
			s.keep(err)
			wait = err == failure // it will not go away by itself
		}
		failure = err
		s.mu.Unlock()
		s.g.volleys.give(v)
		if deaf || err == unix.EBADF { // the program has shut its end down
			return
		}
		if wait {
			<-arrival
		}
	}
}

// gather takes datagrams from the stack, as many as may wait in the program's end. The
// error is why there are no more; last is the origin of the latest. The mutex is held.
func (s *socket) gather(v *volley, call *posix.Op, h *posix.Msghdr, last *origin) error {
	v.n = 0
	for cost := 0; v.n < volleySize && s.ahead.roomy(s.memory, v.n, cost); v.n++ {
		m := *h
		m.Iov[0] = v.memory[v.n].data[:]
		call.Recvmsg(s.fd, &m, unix.MSG_DONTWAIT)
		n, err := call.Result()
		if err != nil {
			return err
		}
		o := origin{name: m.Name[:min(m.NameLen, maxAddress)], control: m.Control[:m.ControlLen]}
		*last = o.remembered(last)
		v.piece(v.n, n)
		w := &v.waits[v.n]
		if *w, err = s.g.scale.waiting(v.memory[v.n].data[:n], *last); err != nil {
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
