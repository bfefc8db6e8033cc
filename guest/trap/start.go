//go:build linux && (amd64 || arm64)

package trap

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Start starts c under a policy. Before that, attach is told in which process and
// under which descriptor the listener is: there [Attach] takes it, here or in another
// process, and its calls are to be answered from then on. It needs no privilege: the
// program and its children gain none by a setuid file (no_new_privs). c must not ask
// for a signal at the end of its parent's thread (Pdeathsig): that ends at once.
//
// A filter is a thread's, and children inherit it: it is put on a thread that does
// nothing but start the program.
func Start(c *exec.Cmd, p Policy, attach func(pid, fd int) error) error {
	filter, err := p.program()
	if err != nil {
		return err
	}
	done := make(chan error)
	onThread(func() {
		fd, err := install(filter)
		if err != nil {
			done <- fmt.Errorf("trap: the kernel refused the filter: %w (it takes Linux 5.14 with seccomp)", err)
			return
		}
		err = attach(os.Getpid(), fd)
		_ = unix.Close(fd)
		if err == nil {
			err = c.Start()
		}
		done <- err
	})
	return <-done
}

// onThread calls f on a thread that ends with it.
func onThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			f() // never unlocked
			return
		}
		// The first thread of a process never ends: held here, it cannot get f again.
		started := make(chan struct{})
		onThread(func() {
			close(started)
			f()
		})
		<-started
		runtime.UnlockOSThread()
	}()
}

// install puts this thread and its children under a filter and returns the listener.
func install(filter []bpf.RawInstruction) (int, error) {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return -1, err
	}
	code := make([]unix.SockFilter, len(filter))
	for i, x := range filter {
		code[i] = unix.SockFilter{Code: x.Op, Jt: x.Jt, Jf: x.Jf, K: x.K}
	}
	p := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&p)))
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

// Attach takes the listener that [Start] offers as fd in process pid. The caller must
// be allowed to trace it: the same user, or root.
func Attach(pid, fd int) (*Listener, error) {
	if pid == os.Getpid() {
		n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		return newListener(n)
	}
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("trap: pidfd_open %d: %w", pid, err)
	}
	defer unix.Close(pidfd)
	n, err := unix.PidfdGetfd(pidfd, fd, 0)
	if err != nil {
		return nil, fmt.Errorf("trap: pidfd_getfd %d: %w (is ptrace forbidden here?)", pid, err)
	}
	return newListener(n)
}
