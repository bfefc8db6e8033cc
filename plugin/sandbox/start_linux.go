package sandbox

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/elastic/go-seccomp-bpf"
	"golang.org/x/sys/unix"
)

// Start starts the program in the outer wall, in a process group of its own, so
// that a Ctrl-C at the terminal reaches the stack first.
//
// What a thread gives up, the programs that it starts never have, and a thread
// that gave something up cannot serve the stack any more: Start takes one that is
// ended after it.
func (p *Program) Start() (*os.Process, error) {
	if _, err := os.FindProcess(os.Getpid()); err != nil { // os looks once what the kernel has, and not behind the wall
		return nil, err
	}
	var pid int
	err := onThread(func() error {
		attr := &syscall.ProcAttr{Dir: p.Dir, Env: p.Env, Sys: &syscall.SysProcAttr{Setpgid: true}}
		for _, f := range p.Files {
			attr.Files = append(attr.Files, f.Fd())
		}
		if p.Network != nil {
			if err := unix.Setns(int(p.Network.Fd()), unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("sandbox: network namespace: %w", err)
			}
		}
		if !p.Open {
			if err := p.confine(); err != nil {
				return err
			}
		}
		var err error
		for range busyTries {
			if pid, err = syscall.ForkExec(p.Path, []string{p.Path}, attr); !errors.Is(err, unix.ETXTBSY) {
				break
			}
			time.Sleep(busyPause)
		}
		if err != nil {
			return &os.PathError{Op: "start", Path: p.Path, Err: err}
		}
		return nil
	})
	runtime.KeepAlive(p)
	if err != nil {
		return nil, err
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		return nil, err
	}
	if !p.Open {
		if err := p.limit(pid); err != nil {
			_ = process.Kill()
			_, _ = process.Wait()
			return nil, err
		}
	}
	return process, nil
}

// A program that this process has just written may still be open for writing in
// a copy of its descriptors that another start holds for a moment.
const (
	busyTries = 20
	busyPause = 5 * time.Millisecond
)

// onThread runs f on a thread that ends with it. The process's first thread cannot
// end, and is not taken.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked
		if unix.Gettid() != unix.Getpid() {
			done <- f()
			return
		}
		another := make(chan error, 1)
		go func() { // the first thread is taken while this waits
			runtime.LockOSThread()
			another <- f()
		}()
		done <- <-another
		runtime.UnlockOSThread()
	}()
	return <-done
}

// confine takes from the calling thread what the program is not to have.
func (p *Program) confine() error {
	// A table of descriptors of its own, in which all are closed by exec but those
	// that are handed over: also those that others in this process left open.
	if err := unix.CloseRange(3, ^uint(0)>>1, unix.CLOSE_RANGE_UNSHARE|unix.CLOSE_RANGE_CLOEXEC); err != nil && !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("sandbox: descriptors: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("sandbox: no_new_privs: %w", err)
	}
	if err := keep(p.Privileges.Capabilities); err != nil {
		return fmt.Errorf("sandbox: capabilities: %w", err)
	}
	list, err := outer(p.Privileges)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	if err := seccomp.LoadFilter(seccomp.Filter{Policy: list}); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	return nil
}

// keep leaves the calling thread, and what it executes, those capabilities that
// are named, as far as it has them. A root that gained others by exec would break
// no_new_privs; the bounding set goes too where that is allowed.
func keep(names []string) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return err
	}
	var wanted [2]uint32
	for _, n := range names {
		c := capability(n)
		if c < 0 {
			return fmt.Errorf("%s: %w", n, unix.EINVAL)
		}
		wanted[c/32] |= 1 << (c % 32)
	}
	for c := range 64 {
		if wanted[c/32]&(1<<(c%32)) == 0 {
			_ = unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0) // EPERM without CAP_SETPCAP, EINVAL past the last
		}
	}
	_ = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	for i := range data {
		k := wanted[i] & data[i].Permitted
		data[i] = unix.CapUserData{Effective: k, Permitted: k, Inheritable: k}
	}
	if err := unix.Capset(&header, &data[0]); err != nil {
		return err
	}
	for c := range 64 {
		if data[c/32].Permitted&(1<<(c%32)) != 0 {
			if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, uintptr(c), 0, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// limit sets the limits of a process that has just begun. Threads are not among
// them: RLIMIT_NPROC counts all those of the user.
func (p *Program) limit(pid int) error {
	l := p.Limits.Default()
	largest := uint64(0) // of a file
	if p.Privileges.Files {
		largest = Unlimited
	}
	for _, x := range []struct {
		resource int
		most     uint64
	}{{unix.RLIMIT_CORE, 0}, {unix.RLIMIT_FSIZE, largest}, {unix.RLIMIT_DATA, l.Memory}, {unix.RLIMIT_NOFILE, l.Descriptors}} {
		if x.most == Unlimited {
			continue
		}
		var old unix.Rlimit
		if err := unix.Prlimit(pid, x.resource, nil, &old); err != nil {
			return fmt.Errorf("sandbox: limits: %w", err)
		}
		most := min(x.most, old.Max)
		if err := unix.Prlimit(pid, x.resource, &unix.Rlimit{Cur: most, Max: most}, nil); err != nil {
			return fmt.Errorf("sandbox: limits: %w", err)
		}
	}
	return nil
}
