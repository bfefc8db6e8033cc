//go:build linux && (amd64 || arm64)

package guest

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ends are our ends of a Guest's connections, and what is awaited of each. Those that
// carry are polled level-triggered: who has taken less than there was need not ask once
// more whether that was all. Where what is awaited does not go away by being taken, such
// as the end of a direction, the trigger is the edge.
type ends struct {
	epoll int
	file  *os.File // of it
	raw   syscall.RawConn
	mu    sync.Mutex
	of    map[int32]*socket // by our end's number
}

// open makes the ends if they are not made, and calls made then.
func (e *ends) open(made func()) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.file != nil {
		return nil
	}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	_ = unix.SetNonblock(fd, true) // what has it wait in the runtime's own
	f := os.NewFile(uintptr(fd), "ends")
	raw, err := f.SyscallConn()
	if err != nil {
		_ = f.Close()
		return err
	}
	e.epoll, e.file, e.raw, e.of = fd, f, raw, make(map[int32]*socket)
	made()
	return nil
}

func (e *ends) close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.file == nil {
		return nil
	}
	return e.file.Close()
}

func (e *ends) socket(fd int32) *socket {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.of[fd]
}

// update has what the socket awaits now told, anew where that is another thing than
// before. It fails only when the end is not among the ends yet, or is closed. The
// socket's mutex is held.
func (s *socket) update() (err error) {
	if !s.begun || s.state == failed || s.state == over {
		return nil
	}
	want := uint32(unix.EPOLLET) // nothing but that the program's end is closed, once
	switch {
	case s.draining:
	case s.state == open && !s.mute:
		want = unix.EPOLLIN | unix.EPOLLRDHUP
	default: // only that the program's end is closed
		want = unix.EPOLLRDHUP | unix.EPOLLET
	}
	if s.full {
		want |= unix.EPOLLOUT
	}
	if want == s.awaited {
		return nil
	}
	e := &s.g.ends
	gone := s.raw.Control(func(fd uintptr) {
		ev := unix.EpollEvent{Events: want, Fd: int32(fd)}
		operation := unix.EPOLL_CTL_MOD
		if s.awaited == 0 {
			operation = unix.EPOLL_CTL_ADD
			e.mu.Lock()
			e.of[int32(fd)] = s
			e.mu.Unlock()
		}
		err = unix.EpollCtl(e.epoll, operation, int(fd), &ev)
	})
	if err = errors.Join(gone, err); err == nil {
		s.awaited = want
	}
	return err
}

// closeEnd closes our end.
func (s *socket) closeEnd() {
	if s.stream() {
		e := &s.g.ends
		s.mu.Lock()
		_ = s.raw.Control(func(fd uintptr) {
			if s.awaited != 0 { // a process that is just being started may have the file open, too
				_ = unix.EpollCtl(e.epoll, unix.EPOLL_CTL_DEL, int(fd), nil)
			}
			e.mu.Lock()
			if e.of[int32(fd)] == s {
				delete(e.of, int32(fd))
			}
			e.mu.Unlock()
		})
		s.mu.Unlock()
	}
	_ = s.file.Close()
	signal(s.space)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// receiveSome is recv(2) of what is there, which takes no longer than to copy it.
func receiveSome(fd int, b []byte) (int, error) {
	n, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}

// sendSome is send(2) of a part of b that has room, likewise.
func sendSome(fd int, b []byte) (int, error) {
	n, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}

// hungUp tells whether the program's end is closed.
func hungUp(fd uintptr) bool { return polls(int(fd), unix.POLLHUP) }
