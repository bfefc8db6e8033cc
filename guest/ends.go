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

// open makes the ends if they are not made, and tells whether that was now.
func (e *ends) open() (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.file != nil {
		return false, nil
	}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err == nil {
		err = unix.SetNonblock(fd, true) // what has it wait in the runtime's own
	}
	if err != nil {
		return false, os.NewSyscallError("epoll_create1", err)
	}
	e.epoll, e.file, e.of = fd, os.NewFile(uintptr(fd), "ends"), make(map[int32]*socket)
	e.raw, err = e.file.SyscallConn()
	return err == nil, err
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

// update has what the socket awaits now told. The socket's mutex is held.
func (s *socket) update() (err error) {
	var want uint32
	switch {
	case !s.begun || s.draining:
	case s.state == open && !s.mute:
		want = unix.EPOLLIN | unix.EPOLLRDHUP
	default: // only that the program's end is closed
		want = unix.EPOLLRDHUP | unix.EPOLLET
	}
	if s.full {
		if want == 0 {
			want = unix.EPOLLET
		}
		want |= unix.EPOLLOUT
	}
	if want == s.awaited {
		return nil
	}
	e := &s.g.ends
	gone := s.raw.Control(func(fd uintptr) {
		ev := unix.EpollEvent{Events: want, Fd: int32(fd)}
		switch {
		case want == 0:
			err = unix.EpollCtl(e.epoll, unix.EPOLL_CTL_DEL, int(fd), nil)
		case s.awaited == 0:
			e.mu.Lock()
			e.of[int32(fd)] = s
			e.mu.Unlock()
			err = unix.EpollCtl(e.epoll, unix.EPOLL_CTL_ADD, int(fd), &ev)
		default:
			err = unix.EpollCtl(e.epoll, unix.EPOLL_CTL_MOD, int(fd), &ev)
		}
	})
	s.awaited = want
	return errors.Join(gone, err)
}

// closeEnd closes our end.
func (s *socket) closeEnd() {
	if s.stream() {
		e := &s.g.ends
		_ = s.raw.Control(func(fd uintptr) {
			e.mu.Lock()
			if e.of[int32(fd)] == s {
				delete(e.of, int32(fd))
			}
			e.mu.Unlock()
		})
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
func hungUp(fd uintptr) bool {
	p := [1]unix.PollFd{{Fd: int32(fd)}}
	_, err := unix.Poll(p[:], 0)
	return err == nil && p[0].Revents&unix.POLLHUP != 0
}
