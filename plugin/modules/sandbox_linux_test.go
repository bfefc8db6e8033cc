package modules_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/plugin"
	"github.com/libos-go/libos/plugin/modules"
	"github.com/libos-go/libos/plugin/sandbox"
)

// attempt begins the payload of a datagram whose sending makes the module try
// something; the error of that is the datagram's.
const attempt = "attempt: "

// attempts are what the module of these tests tries when told.
func attempts(name string) error {
	switch name {
	case "open":
		f, err := os.Open("/etc/passwd")
		if err == nil {
			f.Close()
		}
		return err
	case "create":
		return os.WriteFile("created", []byte("x"), 0o600)
	case "connect":
		c, err := net.DialTimeout("tcp", "127.0.0.1:9", time.Second)
		if err == nil {
			c.Close()
		}
		return err
	case "netlink":
		_, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)
		return err
	case "execve":
		return syscall.Exec("/bin/true", []string{"true"}, nil)
	case "fork":
		if pid, _, e := syscall.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0); e != 0 {
			return e
		} else if pid == 0 {
			syscall.RawSyscall(unix.SYS_EXIT, 0, 0, 0)
		}
		return nil
	case "namespace":
		_, _, e := syscall.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD|unix.CLONE_NEWUSER), 0, 0, 0, 0, 0)
		return e
	case "ptrace":
		return unix.PtraceAttach(os.Getppid())
	case "peek":
		var b [8]byte
		_, err := unix.ProcessVMReadv(os.Getppid(), []unix.Iovec{{Base: &b[0], Len: 8}}, []unix.RemoteIovec{{Base: 0x400000, Len: 8}}, 0)
		return err
	case "kill":
		return unix.Kill(os.Getppid(), 0)
	case "tgkill":
		return unix.Tgkill(os.Getppid(), os.Getppid(), 0)
	case "mount":
		return unix.Mount("none", "/mnt", "tmpfs", 0, "")
	case "code":
		b, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON)
		runtime.KeepAlive(b)
		return err
	case "handler": // of the signal by which it is to end
		var none [64]byte
		_, _, e := syscall.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(unix.SIGSYS), uintptr(unsafe.Pointer(&none[0])), 0, 8, 0, 0)
		return e
	case "descriptors":
		var opened []int
		for {
			fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
			if err != nil {
				for _, fd := range opened {
					unix.Close(fd)
				}
				return err
			}
			opened = append(opened, fd)
		}
	case "memory":
		var kept [][]byte
		for range 1 << 12 {
			b := make([]byte, 16<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			kept = append(kept, b)
		}
		return fmt.Errorf("%d", len(kept))
	}
	return unix.ENOSYS
}

// attempting is a protocol whose handler tries what datagrams say.
func attempting(p core.Protocol) core.Protocol {
	open := p.NewHandler
	p.NewHandler = func(e core.Env) core.Handler { return attempter{open(e)} }
	return p
}

type attempter struct{ core.Handler }

// Send implements core.Handler.
func (a attempter) Send(s core.SocketID, batch []*core.Packet) error {
	payload := make([]byte, batch[0].Len())
	batch[0].CopyOut(0, payload)
	if text, ok := strings.CutPrefix(string(payload), attempt); ok {
		for _, p := range batch {
			p.Free()
		}
		var e syscall.Errno
		if err := attempts(text); err != nil && !errors.As(err, &e) {
			e = unix.ENOMSG
		}
		if e == 0 {
			e = unix.ENOANO // it was allowed
		}
		return e
	}
	return a.Handler.Send(s, batch)
}

// allowed is the errno of an attempt that did not fail.
const allowed = unix.ENOANO

// needs is what the module asks for in the test that left a note beside it.
func needs() plugin.Privileges {
	b, err := os.ReadFile(os.Args[0] + ".needs")
	if err != nil {
		return plugin.Privileges{}
	}
	p, err := sandbox.Parse(strings.Fields(string(b)))
	if err != nil {
		panic(err) // a test's own mistake
	}
	return p
}

// try has the module try something and returns the error of that, ENETDOWN if it
// did not survive.
func (s *scene) try(t *testing.T, what string) syscall.Errno {
	t.Helper()
	c := s.open(t)
	defer c.Close()
	_, err := c.WriteTo([]byte(attempt+what), c.LocalAddr())
	if err == nil {
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		_, _, err = c.ReadFrom(make([]byte, 100))
	}
	var e syscall.Errno
	if !errors.As(err, &e) {
		t.Fatalf("%s: %v", what, err)
	}
	return e
}

// A module that uses the SDK is in both walls: what names files and makes sockets
// fails, what else it tries ends it by name, as a fault like others; a transfer of
// the same hosts, and the module that is started again, go on.
func TestTheInnerWallRefusesFilesAndSocketsAndEndsTheModuleForTheRest(t *testing.T) {
	s := newSceneOf(t, "plain", modules.Options{Patience: 5 * time.Second, Limits: sandbox.Limits{Descriptors: 64, Memory: limit()}})
	end := s.transfer(t)
	for _, x := range []struct {
		what   string
		errno  syscall.Errno
		reason string
	}{
		{"open", unix.EACCES, ""}, {"create", unix.EACCES, ""}, {"connect", unix.EACCES, ""}, {"netlink", unix.EACCES, ""},
		{"descriptors", unix.EMFILE, ""},
		{"execve", unix.ENETDOWN, "forbids: execve"}, {"fork", unix.ENETDOWN, "forbids: clone"}, {"namespace", unix.ENETDOWN, "forbids: clone"},
		{"ptrace", unix.ENETDOWN, "forbids: ptrace"}, {"peek", unix.ENETDOWN, "forbids: process_vm_readv"},
		{"kill", unix.ENETDOWN, "forbids: kill"}, {"tgkill", unix.ENETDOWN, "forbids: tgkill"}, {"mount", unix.ENETDOWN, "forbids: mount"},
		{"code", unix.ENETDOWN, "forbids: mmap"}, {"handler", unix.ENETDOWN, "forbids: rt_sigaction"},
		{"memory", unix.ENETDOWN, "exit status 2"},
	} {
		if x.what == "memory" && limit() == sandbox.Unlimited {
			continue
		}
		before := s.m.List()[0]
		if e := s.try(t, x.what); e != x.errno {
			t.Errorf("%s: %v, want %v", x.what, e, x.errno)
		}
		s.open(t).Close()
		after := s.m.List()[0]
		if lost := x.reason != ""; lost != (after.Restarts > before.Restarts) || !strings.Contains(after.Reason, x.reason) {
			t.Errorf("%s: restarts %d, then %d, because %q, want %q", x.what, before.Restarts, after.Restarts, after.Reason, x.reason)
		}
	}
	if end() == 0 {
		t.Error("the transfer moved nothing")
	}
}

// A module that builds no wall itself is still in that of the stack: it has
// nothing to gain.
func TestTheOuterWallHoldsForAModuleThatWantsNone(t *testing.T) {
	s := newScene(t, modules.Options{Patience: 5 * time.Second, Limits: sandbox.Limits{Descriptors: 64}})
	for what, want := range map[string]syscall.Errno{
		"connect": unix.EPERM, "netlink": unix.EPERM, "namespace": unix.EPERM, "ptrace": unix.EPERM, "peek": unix.EPERM, "kill": unix.EPERM,
		"mount": unix.EPERM, "descriptors": unix.EMFILE, "create": unix.EFBIG,
	} {
		if e := s.try(t, what); e != want {
			t.Errorf("%s: %v, want %v", what, e, want)
		}
	}
	if st := s.m.List()[0]; st.Restarts != 0 {
		t.Errorf("%+v", st)
	}
}

// limit leaves room for Go's own, not for much more.
func limit() uint64 {
	if (sandbox.Limits{}).Default().Memory == sandbox.Unlimited {
		return sandbox.Unlimited
	}
	return 512 << 20
}

// proc reads a field of /proc/PID/status.
func proc(t *testing.T, pid int, field string) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	t.Fatalf("no %s in\n%s", field, b)
	return ""
}

// The kernel says of a module's process what the walls are: no way to new
// privileges, filters, no capabilities, and no descriptor of the stack's but those
// that it was handed.
func TestTheKernelSaysThatTheSandboxIsThere(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	fd, err := unix.Open(secret, unix.O_RDWR|unix.O_CREAT, 0o600) // not closed by exec
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	m := manager(t, modules.Options{Dirs: []string{build(t)}})
	rig := coretest.New(t, host.NewRealTime())
	in := rig.Instance("a", networks())
	if err := m.Attach(in, "udp"); err != nil {
		t.Fatal(err)
	}
	echo(t, in)
	pid := m.List()[0].PID
	for field, want := range map[string]string{"NoNewPrivs": "1", "Seccomp": "2", "Seccomp_filters": "2",
		"CapEff": "0000000000000000", "CapPrm": "0000000000000000", "CapInh": "0000000000000000", "CapAmb": "0000000000000000"} {
		if got := proc(t, pid, field); got != want {
			t.Errorf("%s is %s, want %s", field, got, want)
		}
		if got := proc(t, os.Getpid(), field); got == want && field == "NoNewPrivs" {
			t.Errorf("the stack has %s %s itself", field, got)
		}
	}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil || len(tasks) < 2 {
		t.Errorf("threads %q, %v", tasks, err)
	}
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil || len(files) < 5 || len(files) > 30 {
		t.Errorf("descriptors %q, %v", files, err)
	}
	for _, f := range files {
		to, err := os.Readlink(f)
		if err != nil {
			continue // closed meanwhile
		}
		if !slices.ContainsFunc([]string{"pipe:", "socket:", "anon_inode:", "/memfd:", "/dev/null", "/sys/fs/cgroup"}, func(p string) bool { return strings.HasPrefix(to, p) }) {
			t.Errorf("descriptor %s is %s", filepath.Base(f), to)
		}
	}
	if cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); err != nil || !strings.HasPrefix(filepath.Base(cwd), "plugin-dir") {
		t.Errorf("it works in %s, %v", cwd, err)
	}
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Max core file size 0 0", "Max file size 0 0", "Max open files 4096 4096"} {
		if !strings.Contains(strings.Join(strings.Fields(string(limits)), " "), want) {
			t.Errorf("no %q in\n%s", want, limits)
		}
	}
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil || strings.Contains(string(environ), "PATH=") || strings.Contains(string(environ), "HOME=") {
		t.Errorf("its environment is %q, %v", environ, err)
	}
	dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its folder %s is left: %v", dir, err)
	}
}

// What a module asks for is in its manifest; it is given, or refused by name.
func TestPrivilegesAreDeclaredGivenAndRefused(t *testing.T) {
	dir := build(t)
	program := filepath.Join(dir, "udp")
	if err := os.WriteFile(program+".needs", []byte("network files CAP_NET_ADMIN"), 0o644); err != nil {
		t.Fatal(err)
	}
	x, err := modules.WriteManifest(dir, "udp", "UDP", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := x.Described().GetPrivileges(); !slices.Equal(got, []string{"network", "files", "CAP_NET_ADMIN"}) {
		t.Errorf("the manifest has %q", got)
	}
	for _, allowed := range [][]string{{}, {"network", "files"}} {
		_, err = modules.New(modules.Options{Dirs: []string{dir}, Privileges: allowed}).Load("udp", nil)
		if err == nil || !strings.Contains(err.Error(), "udp.json: module udp asks for the privilege") || !strings.Contains(err.Error(), "module_privileges") {
			t.Errorf("with %q: %v", allowed, err)
		}
	}
	m := manager(t, modules.Options{Dirs: []string{dir}, Privileges: []string{"files", "network", "CAP_NET_ADMIN", "CAP_NET_RAW"}})
	rig := coretest.New(t, host.NewRealTime())
	in := rig.Instance("a", networks())
	if err := m.Attach(in, "udp"); err != nil {
		t.Fatal(err)
	}
	for what, want := range map[string]syscall.Errno{"open": allowed, "netlink": allowed, "connect": unix.ECONNREFUSED} {
		c, err := in.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.WriteTo([]byte(attempt+what), c.LocalAddr())
		if err == nil {
			_, _, err = c.ReadFrom(make([]byte, 10))
		}
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
		c.Close()
	}
	want := "0000000000000000"
	if os.Geteuid() == 0 {
		want = "0000000000001000" // CAP_NET_ADMIN is 12
	}
	if got := proc(t, m.List()[0].PID, "CapEff"); got != want {
		t.Errorf("its capabilities are %s, want %s", got, want)
	}
}

// Without a sandbox a module runs as before, and the log says so once.
func TestNoSandboxIsTold(t *testing.T) {
	var said strings.Builder
	dir := build(t)
	m := modules.New(modules.Options{Dirs: []string{dir}, NoSandbox: true, Log: slog.New(slog.NewTextHandler(&said, nil))})
	defer m.Close()
	for range 2 {
		if _, err := m.Load("udp", nil); err != nil {
			t.Fatal(err)
		}
		if got := proc(t, m.List()[0].PID, "Seccomp"); got != "0" {
			t.Errorf("Seccomp is %s", got)
		}
		if err := m.Unload("udp"); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(said.String(), "modules run without a sandbox"); n != 1 || !strings.Contains(said.String(), `reason="it was switched off"`) {
		t.Errorf("%d times in %s", n, said.String())
	}
}
