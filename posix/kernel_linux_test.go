package posix_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/device/devicetest/kernel"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/posix"
)

// calls are the system calls of a program, the stack's or the kernel's.
type calls interface {
	Socket(family, typ, proto int) (int, error)
	Bind(fd int, addr []byte) error
	Listen(fd, backlog int) error
	Accept4(fd int, addr []byte, flags int) (nfd, addrlen int, err error)
	Connect(fd int, addr []byte) error
	Getsockname(fd int, addr []byte) (int, error)
	Getpeername(fd int, addr []byte) (int, error)
	Read(fd int, b []byte) (int, error)
	Write(fd int, b []byte) (int, error)
	Recvfrom(fd int, b []byte, flags int, addr []byte) (n, addrlen int, err error)
	Sendto(fd int, b []byte, flags int, addr []byte) (int, error)
	Recvmsg(fd int, m *posix.Msghdr, flags int) (int, error)
	Sendmsg(fd int, m *posix.Msghdr, flags int) (int, error)
	Getsockopt(fd, level, name int, val []byte) (int, error)
	Setsockopt(fd, level, name int, val []byte) error
	Shutdown(fd, how int) error
	Close(fd int) error
	Dup(fd int) (int, error)
	Fcntl(fd, cmd, arg int) (int, error)
	Ioctl(fd int, request uint, arg []byte) (int, error)
	Poll(fds []posix.PollFD, timeout time.Duration) (int, error)
	EpollCreate1(flags int) (int, error)
	EpollCtl(epfd, op, fd int, ev *posix.EpollEvent) error
	EpollWait(epfd int, events []posix.EpollEvent, timeout time.Duration) (int, error)
	Pipe2(flags int) (r, w int, err error)
	Splice(fdIn int, offIn *int64, fdOut int, offOut *int64, n int, flags int) (int, error)
	Tee(fdIn, fdOut, n, flags int) (int, error)
	Eventfd2(initial uint32, flags int) (int, error)
}

// linux are those of the kernel that runs the test, on the calling thread.
type linux struct{}

func at(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

func number(n uintptr, e syscall.Errno) (int, error) {
	if e != 0 {
		return -1, e
	}
	return int(n), nil
}

func call(trap uintptr, a ...uintptr) (int, error) {
	var x [6]uintptr
	copy(x[:], a)
	for {
		n, _, e := unix.Syscall6(trap, x[0], x[1], x[2], x[3], x[4], x[5])
		if e != syscall.EINTR {
			return number(n, e)
		}
	}
}

func only(_ int, err error) error { return err }

func (linux) Socket(family, typ, proto int) (int, error) {
	return call(unix.SYS_SOCKET, uintptr(family), uintptr(typ), uintptr(proto))
}
func (linux) Bind(fd int, a []byte) error {
	return only(call(unix.SYS_BIND, uintptr(fd), at(a), uintptr(len(a))))
}
func (linux) Listen(fd, backlog int) error {
	return only(call(unix.SYS_LISTEN, uintptr(fd), uintptr(backlog)))
}
func (linux) Accept4(fd int, a []byte, flags int) (int, int, error) {
	l := uint32(len(a))
	if a == nil {
		n, err := call(unix.SYS_ACCEPT4, uintptr(fd), 0, 0, uintptr(flags))
		return n, 0, err
	}
	n, err := call(unix.SYS_ACCEPT4, uintptr(fd), at(a), uintptr(unsafe.Pointer(&l)), uintptr(flags))
	return n, int(l), err
}
func (linux) Connect(fd int, a []byte) error {
	return only(call(unix.SYS_CONNECT, uintptr(fd), at(a), uintptr(len(a))))
}
func named(trap uintptr, fd int, a []byte) (int, error) {
	l := uint32(len(a))
	if n, err := call(trap, uintptr(fd), at(a), uintptr(unsafe.Pointer(&l))); err != nil {
		return n, err
	}
	return int(l), nil
}
func (linux) Getsockname(fd int, a []byte) (int, error) { return named(unix.SYS_GETSOCKNAME, fd, a) }
func (linux) Getpeername(fd int, a []byte) (int, error) { return named(unix.SYS_GETPEERNAME, fd, a) }
func (linux) Read(fd int, b []byte) (int, error) {
	return call(unix.SYS_READ, uintptr(fd), at(b), uintptr(len(b)))
}
func (linux) Write(fd int, b []byte) (int, error) {
	return call(unix.SYS_WRITE, uintptr(fd), at(b), uintptr(len(b)))
}
func (linux) Recvfrom(fd int, b []byte, flags int, a []byte) (int, int, error) {
	if a == nil {
		n, err := call(unix.SYS_RECVFROM, uintptr(fd), at(b), uintptr(len(b)), uintptr(flags))
		return n, 0, err
	}
	l := uint32(len(a))
	n, err := call(unix.SYS_RECVFROM, uintptr(fd), at(b), uintptr(len(b)), uintptr(flags), at(a), uintptr(unsafe.Pointer(&l)))
	return n, int(l), err
}
func (linux) Sendto(fd int, b []byte, flags int, a []byte) (int, error) {
	return call(unix.SYS_SENDTO, uintptr(fd), at(b), uintptr(len(b)), uintptr(flags|posix.MSG_NOSIGNAL), at(a), uintptr(len(a)))
}
func header(m *posix.Msghdr) (*unix.Msghdr, []unix.Iovec) {
	iov := make([]unix.Iovec, len(m.Iov), len(m.Iov)+1)
	for i, b := range m.Iov {
		iov[i].Base = unsafe.SliceData(b)
		iov[i].SetLen(len(b))
	}
	h := &unix.Msghdr{Name: unsafe.SliceData(m.Name), Namelen: uint32(len(m.Name)), Iov: unsafe.SliceData(iov), Control: unsafe.SliceData(m.Control)}
	h.SetIovlen(len(iov))
	h.SetControllen(len(m.Control))
	return h, iov
}
func (linux) Recvmsg(fd int, m *posix.Msghdr, flags int) (int, error) {
	h, _ := header(m)
	n, err := call(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(h)), uintptr(flags))
	if err == nil {
		m.NameLen, m.ControlLen, m.Flags = int(h.Namelen), int(h.Controllen), int(h.Flags)
	}
	return n, err
}
func (linux) Sendmsg(fd int, m *posix.Msghdr, flags int) (int, error) {
	h, _ := header(m)
	return call(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(h)), uintptr(flags|posix.MSG_NOSIGNAL))
}
func (linux) Getsockopt(fd, level, name int, v []byte) (int, error) {
	l := uint32(len(v))
	if n, err := call(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name), at(v), uintptr(unsafe.Pointer(&l))); err != nil {
		return n, err
	}
	return int(l), nil
}
func (linux) Setsockopt(fd, level, name int, v []byte) error {
	return only(call(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name), at(v), uintptr(len(v))))
}
func (linux) Shutdown(fd, how int) error {
	return only(call(unix.SYS_SHUTDOWN, uintptr(fd), uintptr(how)))
}
func (linux) Close(fd int) error      { return only(call(unix.SYS_CLOSE, uintptr(fd))) }
func (linux) Dup(fd int) (int, error) { return call(unix.SYS_DUP, uintptr(fd)) }
func (linux) Fcntl(fd, cmd, arg int) (int, error) {
	return call(unix.SYS_FCNTL, uintptr(fd), uintptr(cmd), uintptr(arg))
}
func (linux) Ioctl(fd int, request uint, arg []byte) (int, error) {
	return call(unix.SYS_IOCTL, uintptr(fd), uintptr(request), at(arg))
}
func (linux) Poll(fds []posix.PollFD, timeout time.Duration) (int, error) {
	ms := int32(timeout / time.Millisecond)
	if timeout < 0 {
		ms = -1
	}
	ts := unix.NsecToTimespec(int64(ms) * 1e6)
	var p uintptr
	if ms >= 0 {
		p = uintptr(unsafe.Pointer(&ts))
	}
	return call(unix.SYS_PPOLL, uintptr(unsafe.Pointer(unsafe.SliceData(fds))), uintptr(len(fds)), p)
}
func (linux) EpollCreate1(flags int) (int, error) {
	return number2(unix.EpollCreate1(flags))
}
func number2(n int, err error) (int, error) { return n, err }
func (linux) EpollCtl(epfd, op, fd int, ev *posix.EpollEvent) error {
	var x *unix.EpollEvent
	if ev != nil {
		x = &unix.EpollEvent{Events: ev.Events, Fd: int32(ev.Data), Pad: int32(ev.Data >> 32)}
	}
	return unix.EpollCtl(epfd, op, fd, x)
}
func (linux) EpollWait(epfd int, events []posix.EpollEvent, timeout time.Duration) (int, error) {
	x := make([]unix.EpollEvent, len(events))
	ms := int(timeout / time.Millisecond)
	if timeout < 0 {
		ms = -1
	}
	for {
		n, err := unix.EpollWait(epfd, x, ms)
		if err == unix.EINTR {
			continue
		}
		for i := range max(n, 0) {
			events[i] = posix.EpollEvent{Events: x[i].Events, Data: uint64(uint32(x[i].Fd)) | uint64(uint32(x[i].Pad))<<32}
		}
		return n, err
	}
}
func (linux) Pipe2(flags int) (int, int, error) {
	var p [2]int
	err := unix.Pipe2(p[:], flags)
	return p[0], p[1], err
}
func (linux) Splice(in int, offIn *int64, out int, offOut *int64, n, flags int) (int, error) {
	k, err := unix.Splice(in, offIn, out, offOut, n, flags)
	return int(k), err
}
func (linux) Tee(in, out, n, flags int) (int, error) {
	k, err := unix.Tee(in, out, n, flags)
	return int(k), err
}
func (linux) Eventfd2(initial uint32, flags int) (int, error) {
	return unix.Eventfd(uint(initial), flags)
}

// program is a sequence of calls with a trace of what they gave, which must be the
// same on the stack as on the kernel.
type program struct {
	calls
	trace strings.Builder
	sleep func(time.Duration)
	t     *testing.T
	fds   []int
}

func (p *program) log(what string, v ...any) {
	fmt.Fprintf(&p.trace, "%s:", what)
	for _, x := range v {
		if e, ok := x.(syscall.Errno); ok {
			x = unix.ErrnoName(e)
		}
		fmt.Fprintf(&p.trace, " %v", x)
	}
	p.trace.WriteByte('\n')
}

func (p *program) did(what string, err error) { p.log(what, err) }

func (p *program) open(family, typ int) int {
	fd, err := p.Socket(family, typ, 0)
	if err != nil {
		p.t.Fatalf("socket: %v", err)
	}
	p.fds = append(p.fds, fd)
	p.must(p.Setsockopt(fd, 1, 20, append(append(int32le(0), int32le(0)...), append(int32le(200_000), int32le(0)...)...))) // nobody waits for ever
	return fd
}

func (p *program) tcp() int { return p.open(posix.AF_INET, posix.SOCK_STREAM) }

func (p *program) udp() int { return p.open(posix.AF_INET, posix.SOCK_DGRAM) }

func (p *program) must(err error) {
	if err != nil {
		p.t.Helper()
		p.t.Fatalf("%T: %v; so far:\n%s", p.calls, err, p.trace.String())
	}
}

// pair is two connected streams.
func (p *program) pair() (c, s int) {
	l := p.tcp()
	p.must(p.Bind(l, sockaddr("127.0.0.1", 0)))
	p.must(p.Listen(l, 5))
	c = p.tcp()
	p.must(p.Connect(c, p.name(l)))
	s, _, err := p.Accept4(l, nil, 0)
	p.must(err)
	p.must(p.Close(l))
	p.fds = append(p.fds, s)
	return c, s
}

func (p *program) name(fd int) []byte {
	b := make([]byte, 28)
	n, err := p.Getsockname(fd, b)
	p.must(err)
	return b[:n]
}

// reads logs a read of n bytes.
func (p *program) reads(what string, fd, n, flags int) {
	b := make([]byte, n)
	k, _, err := p.Recvfrom(fd, b, flags, nil)
	p.log(what, k, err, fmt.Sprintf("%q", b[:min(max(k, 0), n)]))
}

func (p *program) sends(what string, fd int, s string, flags int) {
	n, err := p.Sendto(fd, []byte(s), flags, nil)
	p.log(what, n, err)
}

// polls logs what a poll for everything gives, after what was sent has arrived.
func (p *program) polls(what string, fd int) {
	p.sleep(20 * time.Millisecond)
	f := []posix.PollFD{{FD: int32(fd), Events: -1 &^ 0x1c00}}
	n, err := p.Poll(f, 0)
	p.log("poll "+what, n, err, fmt.Sprintf("%#x", uint16(f[0].Revents)))
}

func (p *program) number(what string, fd, level, name int) {
	var b [4]byte
	n, err := p.Getsockopt(fd, level, name, b[:])
	p.log(what, n, err, b[:max(n, 0)])
}

func int32le(v int) []byte { return []byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)} }

// trace runs f on the stack.
func ourTrace(t *testing.T, f func(p *program)) string {
	r := coretest.New(t, host.NewVirtual(1))
	in := r.Instance("a", libos.Wiring())
	p := &program{calls: posix.NewProcess(in), t: t}
	p.sleep = func(d time.Duration) { must(t, in.Sleep(d)) }
	r.Do(func() {
		f(p)
		must(t, p.calls.(*posix.Process).CloseAll())
	})
	return p.trace.String()
}

func kernelTrace(t *testing.T, f func(p *program)) (trace string) {
	kernel.InNamespace(t, func(t *testing.T) {
		kernel.MustCommand(t, "ip", "link", "set", "lo", "up")
		p := &program{calls: linux{}, t: t, sleep: time.Sleep}
		f(p)
		for _, fd := range p.fds {
			_ = p.Close(fd)
		}
		trace = p.trace.String()
	})
	return trace
}

// differ compares two traces line by line.
func differ(t *testing.T, ours, theirs string) {
	a, b := strings.Split(ours, "\n"), strings.Split(theirs, "\n")
	for i := range max(len(a), len(b)) {
		var x, y string
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			t.Errorf("step %d\n  stack:  %s\n  kernel: %s", i+1, x, y)
		}
	}
}
