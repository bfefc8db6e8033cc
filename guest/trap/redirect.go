//go:build linux && (amd64 || arm64)

package trap

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Redirect has the kernel carry the call out with a descriptor of ours as one of its
// arguments, in place of the caller's own, which other threads go on using meanwhile.
// The descriptor is gone again when the call returns. ErrGone if nobody waits; another
// error if the caller cannot be traced, as under a debugger: the call then still waits
// for its answer.
//
// The caller gets the descriptor at a free number. It is then traced (ptrace(2)) for
// this one call: interrupted, it begins the call anew, with that number. The policy may
// stop the call again, and whoever answers must not wait for Redirect: it is for a
// goroutine of its own. A parent that waits for the caller (wait(2)) must not take its
// stops for its end, see [WaitExit].
func (l *Listener) Redirect(c *Call, argument, fd int) error {
	n, err := l.addFD(c, fd)
	if err != nil {
		return err
	}
	done := make(chan error)
	go func() { // the thread that traces makes all calls of it, and ends with it
		runtime.LockOSThread()
		done <- redirect(int(c.Thread), argument, n)
	}()
	return <-done
}

// addFD gives the caller a copy of a descriptor at a free number, closed by exec.
func (l *Listener) addFD(c *Call, fd int) (int, error) {
	a := addFD{id: c.ID, src: uint32(fd), cloex: unix.O_CLOEXEC}
	n, err := l.ioctlValue(unix.SECCOMP_IOCTL_NOTIF_ADDFD, unsafe.Pointer(&a))
	if err == unix.ENOENT {
		err = ErrGone
	}
	return n, err
}

// Stops of a thread that is traced by PTRACE_SEIZE with PTRACE_O_TRACESYSGOOD.
const (
	syscallStop = int(unix.SIGTRAP) | 0x80
	eventStop   = unix.PTRACE_EVENT_STOP
)

// tracee is a thread that this thread traces.
type tracee struct {
	tid     int
	signals []unix.Signal // came while it was traced
}

var errTracee = errors.New("trap: the traced thread has ended")

// redirect is Redirect on the tracing thread.
func redirect(tid, argument, fd int) (err error) {
	t := tracee{tid: tid}
	if err := ptrace(unix.PTRACE_SEIZE, tid, 0, unix.PTRACE_O_TRACESYSGOOD); err != nil {
		return fmt.Errorf("trap: the program cannot be traced, as its ring wants it: %w", err)
	}
	defer func() {
		if e := ptrace(unix.PTRACE_DETACH, tid, 0, 0); e == nil {
			for _, s := range t.signals {
				if tgid := (&Call{Thread: uint32(tid)}).Process(); tgid > 0 {
					_ = unix.Tgkill(tgid, tid, s)
				}
			}
		}
	}()
	if err := ptrace(unix.PTRACE_INTERRUPT, tid, 0, 0); err != nil {
		return err
	}
	if err := t.stopped(func(w unix.WaitStatus) bool { return int(w)>>16 == eventStop }, 0); err != nil {
		return err
	}
	var began registers
	if err := began.get(tid); err != nil {
		return err
	}
	changed := began
	changed.setArgument(argument, uint64(fd))
	if err := changed.set(tid); err != nil {
		return err
	}
	for range 2 { // begins and ends
		if err := t.stopped(isSyscall, unix.PTRACE_SYSCALL); err != nil {
			return err
		}
	}
	var ended registers
	if err := ended.get(tid); err != nil {
		return err
	}
	closing := ended
	closing.call(unix.SYS_CLOSE, uint64(fd))
	if err := closing.set(tid); err != nil {
		return err
	}
	for range 2 {
		if err := t.stopped(isSyscall, unix.PTRACE_SYSCALL); err != nil {
			return err
		}
	}
	ended.setArgument(argument, began.argument(argument))
	return ended.set(tid)
}

func isSyscall(w unix.WaitStatus) bool { return w.Stopped() && int(w.StopSignal()) == syscallStop }

// stopped lets the thread run on by a request, if it is not 0, until a stop of some
// kind.
func (t *tracee) stopped(kind func(unix.WaitStatus) bool, request int) error {
	for {
		if request != 0 {
			if err := ptrace(request, t.tid, 0, 0); err != nil {
				return err
			}
		}
		var w unix.WaitStatus
		for {
			_, err := unix.Wait4(t.tid, &w, unix.WALL|unix.WNOTHREAD, nil)
			if err == unix.EINTR {
				continue
			}
			if err != nil {
				return err
			}
			break
		}
		switch {
		case !w.Stopped():
			return errTracee
		case kind(w):
			return nil
		case int(w)>>16 == 0 && int(w.StopSignal()) != syscallStop: // a signal: it is sent again
			t.signals = append(t.signals, w.StopSignal())
		}
		if request == 0 {
			if err := ptrace(unix.PTRACE_CONT, t.tid, 0, 0); err != nil {
				return err
			}
		}
	}
}

func ptrace(request, tid int, addr, data uintptr) error {
	if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), addr, data, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// transfer gets or sets registers.
func transfer(request, tid int, r unsafe.Pointer, n uintptr) error {
	v := unix.Iovec{Base: (*byte)(r)}
	v.SetLen(int(n))
	const general = 1 // NT_PRSTATUS
	return ptrace(request, tid, general, uintptr(unsafe.Pointer(&v)))
}

// get reads the registers of a stopped thread.
func (r *registers) get(tid int) error {
	return transfer(unix.PTRACE_GETREGSET, tid, unsafe.Pointer(r), unsafe.Sizeof(*r))
}

// set writes them.
func (r *registers) set(tid int) error {
	return transfer(unix.PTRACE_SETREGSET, tid, unsafe.Pointer(r), unsafe.Sizeof(*r))
}

// WaitExit waits until a child of this process has ended, but not for its stops, which a
// wait(2) in a process that traces it would take. The child is still there for wait(2).
func WaitExit(pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for {
		p := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(p[:], -1); err != unix.EINTR {
			return err
		}
	}
}
