//go:build linux && (amd64 || arm64)

package trap

import (
	"errors"
	"io"
	"math"
	"runtime"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Listener is where the calls of one program and its children stop.
type Listener struct {
	fd   int
	stop int // an eventfd: Stop was called

	mu     sync.Mutex
	closed bool
}

// Call is one stopped system call (struct seccomp_notif).
type Call struct {
	ID     uint64
	Thread uint32 // its thread, by the number that /proc has it under
	_      uint32
	Number int32
	_      uint32 // architecture
	_      uint64 // instruction pointer
	Args   [6]uint64
}

// reply is struct seccomp_notif_resp.
type reply struct {
	id    uint64
	value int64
	errno int32
	flags uint32
}

// addFD is struct seccomp_notif_addfd.
type addFD struct {
	id    uint64
	flags uint32
	src   uint32
	dst   uint32
	cloex uint32
}

// ErrGone tells that the caller is not waiting any more: a signal has interrupted it
// or it has ended.
var ErrGone = errors.New("trap: the call was interrupted")

func newListener(fd int) (*Listener, error) {
	unix.CloseOnExec(fd)
	stop, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	// Best effort, since Linux 6.6: whoever answers runs where the caller waited.
	_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_SET_FLAGS, unix.SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP)
	return &Listener{fd: fd, stop: stop}, nil
}

// Next waits for a call: io.EOF when the program and all its children have ended, or
// after Stop. It is for one goroutine.
func (l *Listener) Next(c *Call) error {
	for {
		p := [2]unix.PollFd{{Fd: int32(l.fd), Events: unix.POLLIN}, {Fd: int32(l.stop), Events: unix.POLLIN}}
		if _, err := unix.Poll(p[:], -1); err != nil {
			if err == unix.EINTR {
				continue
			}
			return err
		}
		if p[1].Revents != 0 {
			return io.EOF
		}
		if p[0].Revents&unix.POLLIN == 0 {
			if p[0].Revents != 0 {
				return io.EOF
			}
			continue
		}
		*c = Call{}
		if err := l.ioctl(unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(c)); err == nil {
			return nil
		} else if err != unix.ENOENT && err != unix.EINTR {
			return err
		}
	}
}

// Stop has Next return. Any goroutine may call it.
func (l *Listener) Stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		_, _ = unix.Write(l.stop, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

// Close ends the listener, after Next has returned for the last time: calls that are
// stopped now or later fail with ENOSYS.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	_ = unix.Close(l.stop)
	return unix.Close(l.fd)
}

func (l *Listener) ioctl(request uintptr, arg unsafe.Pointer) error {
	_, err := l.ioctlValue(request, arg)
	return err
}

func (l *Listener) ioctlValue(request uintptr, arg unsafe.Pointer) (int, error) {
	n, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(l.fd), request, uintptr(arg))
	if errno == 0 {
		return int(n), nil
	}
	return -1, errno
}

// Waiting tells whether the caller still waits. What was read of its memory before is
// its own only if it does.
func (l *Listener) Waiting(c *Call) bool {
	id := c.ID
	return l.ioctl(unix.SECCOMP_IOCTL_NOTIF_ID_VALID, unsafe.Pointer(&id)) == nil
}

// Return ends the call with a value. ErrGone if nobody waits for it.
func (l *Listener) Return(c *Call, value int64) error {
	return l.send(&reply{id: c.ID, value: value})
}

// Fail ends the call with an errno.
func (l *Listener) Fail(c *Call, errno unix.Errno) error {
	return l.send(&reply{id: c.ID, errno: -int32(errno)})
}

// Continue has the kernel carry the call out.
func (l *Listener) Continue(c *Call) error {
	return l.send(&reply{id: c.ID, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE})
}

func (l *Listener) send(r *reply) error {
	err := l.ioctl(unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(r))
	if err == unix.ENOENT {
		return ErrGone
	}
	return err
}

// ReturnFD gives the caller a copy of a descriptor of ours, at the lowest free
// number, and ends the call with that. ErrGone if nobody waits, or the caller's own
// error (EMFILE), with which the call is to fail.
func (l *Listener) ReturnFD(c *Call, fd int, cloexec bool) error {
	a := addFD{id: c.ID, flags: unix.SECCOMP_ADDFD_FLAG_SEND, src: uint32(fd)}
	if cloexec {
		a.cloex = unix.O_CLOEXEC
	}
	return l.add(&a)
}

// ReturnFDAt is ReturnFD at a number of the caller's, which has to be free: what is
// there would be closed. EBADF or EMFILE if the caller may not have it.
func (l *Listener) ReturnFDAt(c *Call, fd, at int, cloexec bool) error {
	a := addFD{id: c.ID, flags: unix.SECCOMP_ADDFD_FLAG_SEND | unix.SECCOMP_ADDFD_FLAG_SETFD, src: uint32(fd), dst: uint32(at)}
	if cloexec {
		a.cloex = unix.O_CLOEXEC
	}
	return l.add(&a)
}

// add has the caller take a descriptor, and waits for that. A signal in between would
// take the descriptor back and leave the answer, which is 0 then (seccomp_notify_addfd,
// kernel/seccomp.c): there are many, as the runtime preempts by them.
func (l *Listener) add(a *addFD) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	all, before := unix.Sigset_t{}, unix.Sigset_t{}
	for i := range all.Val {
		all.Val[i] = math.MaxUint64
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &before); err != nil {
		return err
	}
	_, err := l.ioctlValue(unix.SECCOMP_IOCTL_NOTIF_ADDFD, unsafe.Pointer(a))
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
	if err == unix.ENOENT {
		return ErrGone
	}
	return err
}
