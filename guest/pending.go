//go:build linux && (amd64 || arm64)

package guest

import (
	"encoding/binary"
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/posix"
)

// pending is the error of a datagram socket as its program sees it.
//
// A socket with an error pending, or one in its error queue, polls POLLERR. So does the
// program's end of the pair, made to: a datagram socket of AF_UNIX gets an error of its
// own, ECONNRESET, when the one that it is connected to connects elsewhere while it has
// datagrams that were not read (unix_dgram_disconnected, net/unix/af_unix.c). It then
// connects back. A call that the kernel carries out tells that error and takes it away;
// one that is stopped tells the true one, which is kept here.
type pending struct {
	errno unix.Errno // no call has told it yet
	shown bool       // the program's end was made to poll POLLERR
}

// alarm has the pump look for an error of the stack's socket.
func (s *socket) alarm() {
	s.alarmed.Store(true)
	s.kick()
}

// keep makes err, which a pump was told, the pending error. The mutex is held.
func (s *socket) keep(err error) {
	var errno unix.Errno
	if errors.As(err, &errno) && s.state == open {
		s.pending.errno = errno
		s.alarm()
	}
}

// hasTold notes that a call of the kernel's has told the error that was shown: a
// datagram came from the program, which would have been that call's failure otherwise.
func (s *socket) hasTold() {
	s.mu.Lock()
	if s.pending.shown {
		s.pending = pending{}
	}
	s.mu.Unlock()
}

// stackError takes the pending error of the stack's socket.
func (s *socket) stackError() unix.Errno {
	var b [4]byte
	if _, err := s.g.process.Getsockopt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR, b[:]); err != nil {
		return 0
	}
	return unix.Errno(binary.NativeEndian.Uint32(b[:]))
}

// failing tells whether the stack's socket has an error, pending or queued.
func (s *socket) failing() bool {
	p := [1]posix.PollFD{{FD: int32(s.fd)}}
	n, err := s.g.process.Poll(p[:], 0)
	return err == nil && n > 0 && p[0].Revents&posix.POLLERR != 0
}

// show has the program's end poll POLLERR if there is an error. Only the pump of our end
// calls it, which has carried all that was there.
func (s *socket) show() {
	s.mu.Lock()
	if e := s.stackError(); e != 0 {
		s.pending.errno = e
	}
	var late [][]byte
	if s.state == open && (s.pending.errno != 0 || s.failing()) {
		s.pending.shown = true
		_ = s.raw.Control(func(fd uintptr) { late = s.breakOff(int(fd)) })
	}
	s.mu.Unlock()
	for _, b := range late {
		s.carryOut(b)
	}
}

// breakOff gives the program's end its error. What the program sends meanwhile is lost,
// in the time of two calls. It returns what came after that.
func (s *socket) breakOff(ours int) (late [][]byte) {
	disconnect(ours)
	_ = unix.Sendto(s.g.stranger, []byte{0}, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, &s.name)
	_ = unix.Connect(ours, &s.endName)
	disconnect(ours)
	_ = unix.Connect(ours, &s.endName)
	// While our end was connected to nobody, anybody could send to it.
	b := make([]byte, pumpSize)
	for {
		n, from, err := unix.Recvfrom(ours, b, unix.MSG_DONTWAIT)
		if err != nil {
			return late
		}
		if a, ok := from.(*unix.SockaddrUnix); ok && a.Name == s.endName.Name {
			late = append(late, append([]byte(nil), b[:n]...))
		}
	}
}

// disconnect is connect(2) to AF_UNSPEC.
func disconnect(fd int) {
	var a unix.RawSockaddr // its family is 0
	_, _, _ = unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&a)), unsafe.Sizeof(a))
}

// pendingError takes the error that is to be told by a call which was stopped. The
// mutex is held.
func (s *socket) pendingError(end int) error {
	p := &s.pending
	if p.shown && !polls(end, unix.POLLERR) {
		*p = pending{} // a call of the kernel's has told it
	}
	errno := p.errno
	p.errno = 0
	s.settle(end)
	if errno == 0 {
		return nil
	}
	return errno
}

// settle has the program's end poll POLLERR no more when there is no error left. The
// mutex is held.
func (s *socket) settle(end int) {
	p := &s.pending
	if !p.shown || p.errno != 0 || s.failing() {
		return
	}
	p.shown = false
	_, _ = unix.GetsockoptInt(end, unix.SOL_SOCKET, unix.SO_ERROR)
}

// errorOption answers SO_ERROR of a datagram socket.
func (s *socket) errorOption(end int) unix.Errno {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errno unix.Errno
	if errors.As(s.pendingError(end), &errno) {
		return errno
	}
	errno = s.stackError()
	s.settle(end)
	return errno
}

// takeFromQueue takes an error from the queue. The pending one is that of the next, or
// none (sock_dequeue_err_skb, net/core/skbuff.c). The mutex is held.
func (s *socket) takeFromQueue(end int, d *datagram, flags int) error {
	if err := s.receive(d, flags&(unix.MSG_PEEK|unix.MSG_ERRQUEUE)); err != nil {
		return err
	}
	p := &s.pending
	if e := s.stackError(); e != 0 {
		p.errno = e
	} else if fromNetwork(d.control) {
		p.errno = 0
	}
	s.settle(end)
	if p.shown && !polls(end, unix.POLLERR) {
		s.alarm() // a call of the kernel's has taken it away, but there are more
	}
	return nil
}

// fromNetwork tells whether an error came by ICMP: its struct sock_extended_err has
// such an origin.
func fromNetwork(control []byte) bool {
	for len(control) > 0 {
		c, rest, ok := core.NextControl(control)
		if !ok {
			return false
		}
		if (c.Level == unix.IPPROTO_IP && c.Name == unix.IP_RECVERR || c.Level == unix.IPPROTO_IPV6 && c.Name == unix.IPV6_RECVERR) && len(c.Data) > 4 {
			return c.Data[4] != unix.SO_EE_ORIGIN_LOCAL
		}
		control = rest
	}
	return false
}

// nativeReceive takes the datagram that waits in the program's end, past the error that
// it shows.
func (s *socket) nativeReceive(end int, b []byte, flags int) (int, error) {
	n, _, err := unix.Recvfrom(end, b, flags|unix.MSG_DONTWAIT)
	if err == unix.ECONNRESET {
		s.alarm() // it is shown again
		n, _, err = unix.Recvfrom(end, b, flags|unix.MSG_DONTWAIT)
	}
	return n, err
}

// watch gives a channel that has a value whenever events may have come to the stack's
// socket, or an error or its end: what is there already does not count.
func (s *socket) watch(events int16) (came <-chan struct{}, stop func(), err error) {
	c := make(chan struct{}, 1)
	stop, err = s.g.process.OnReady(s.fd, events, func() { signal(c) })
	return c, stop, err
}

// polls tells whether a descriptor polls any of some events.
func polls(fd int, events int16) bool {
	p := [1]unix.PollFd{{Fd: int32(fd), Events: events}}
	_, err := unix.Poll(p[:], 0)
	return err == nil && p[0].Revents&events != 0
}
