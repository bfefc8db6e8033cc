//go:build linux && (amd64 || arm64)

package guest

import (
	"time"

	"golang.org/x/sys/unix"

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
	failure error // there is no datagram: an error is to be told
}

func (s *socket) startDatagrams() {
	s.mu.Lock()
	s.state = open
	s.mu.Unlock()
	s.g.running.Go(s.pumpDatagramsOut)
	s.g.running.Go(s.pumpDatagramsIn)
}

// pumpDatagramsOut carries what the program sends without an address.
func (s *socket) pumpDatagramsOut() {
	for {
		var buf *[pumpSize]byte
		var n int
		var err error
		hung := false
		waited := s.raw.Read(func(fd uintptr) bool {
			buf = s.g.takeBuffer()
			n, _, err = unix.Recvfrom(int(fd), buf[:], 0)
			if n == 0 && err == nil {
				hung = hungUp(fd)
			}
			if err == unix.EAGAIN {
				s.g.giveBuffer(buf)
			}
			return err != unix.EAGAIN
		})
		switch {
		case waited != nil: // closed by us
			return
		case hung, err != nil:
			s.close(false)
			return
		default: // an error is the socket's pending one, or lost as in a queue of the network
			for {
				_, err := s.g.process.Sendto(s.fd, buf[:n], unix.MSG_NOSIGNAL, nil)
				if err != unix.EAGAIN || s.poll(posix.POLLOUT, -1) != nil {
					break
				}
			}
			s.g.giveBuffer(buf)
		}
	}
}

// pumpDatagramsIn carries what the stack receives to the program's end. One datagram
// at a time is there, so that its origin is known when a call asks for it; while a
// call takes datagrams from the stack itself, none is.
func (s *socket) pumpDatagramsIn() {
	for {
		s.mu.Lock()
		for s.receivers > 0 && s.state == open {
			s.idle.Wait()
		}
		ended := s.state == over
		s.mu.Unlock()
		if ended || s.readable() != nil || s.drained() != nil {
			return
		}
		s.mu.Lock()
		if s.receivers > 0 || s.state == over {
			s.mu.Unlock()
			continue
		}
		buf := s.g.takeBuffer()
		h := posix.Msghdr{Name: make([]byte, maxAddress), Iov: [][]byte{buf[:]}, Control: make([]byte, maxControl)}
		n, err := s.g.process.Recvmsg(s.fd, &h, unix.MSG_DONTWAIT)
		if err == nil {
			s.carried = append(s.carried[:0], origin{name: h.Name[:min(h.NameLen, maxAddress)], control: h.Control[:h.ControlLen]})
			s.push(buf[:n])
		} else if err != unix.EAGAIN { // an empty message wakes for it
			s.carried = append(s.carried[:0], origin{failure: err})
			s.push(nil)
		}
		s.mu.Unlock()
		s.g.giveBuffer(buf)
	}
}

// push puts a datagram into the program's end, which is empty.
func (s *socket) push(b []byte) {
	_ = s.raw.Control(func(fd uintptr) { _, _ = unix.SendmsgN(int(fd), b, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL) })
}

// drained waits until the program's end is empty. A message counts with its memory,
// of which one byte is still there when the kernel tells that it has been taken
// (sock_wfree, net/core/sock.c).
func (s *socket) drained() error {
	return s.raw.Write(func(fd uintptr) bool {
		n, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
		return err != nil || n <= 1
	})
}

// datagram is one received datagram, whole.
type datagram struct {
	origin
	data  []byte
	flags int
}

// take takes a datagram, or looks at it: the one that waits in the program's end, or
// from the stack. unix.EAGAIN if there is none. The mutex is held.
func (s *socket) take(end int, d *datagram, flags int) error {
	peek := flags & unix.MSG_PEEK
	if len(s.carried) > 0 {
		n, _, err := unix.Recvfrom(end, d.data[:cap(d.data)], peek|unix.MSG_DONTWAIT)
		if err == nil {
			d.origin, d.data, d.flags = s.carried[0], d.data[:max(n, 0)], 0
			if peek == 0 {
				s.carried = s.carried[:0]
			}
			if d.failure != nil {
				return d.failure
			}
			return nil
		}
		s.carried = s.carried[:0] // a native call has had it
	}
	h := posix.Msghdr{Name: make([]byte, maxAddress), Iov: [][]byte{d.data[:cap(d.data)]}, Control: make([]byte, maxControl)}
	n, err := s.g.process.Recvmsg(s.fd, &h, peek|flags&(unix.MSG_ERRQUEUE|unix.MSG_OOB)|unix.MSG_DONTWAIT)
	if err != nil {
		return err
	}
	d.origin = origin{name: h.Name[:min(h.NameLen, maxAddress)], control: h.Control[:h.ControlLen]}
	d.data, d.flags = d.data[:n], h.Flags&^unix.MSG_CMSG_CLOEXEC
	return nil
}

// putBack returns a datagram that nobody got. The mutex is held.
func (s *socket) putBack(d *datagram) {
	s.carried = append(s.carried[:0], d.origin)
	s.push(d.data)
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
