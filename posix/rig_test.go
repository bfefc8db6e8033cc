package posix_test

import (
	"testing"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/posix"
)

// programs are two processes on two hosts with one link between them, in virtual
// time.
type programs struct {
	*coretest.Rig
	a, b *proc
}

// proc is a Process whose calls fail the test where that says so.
type proc struct {
	*posix.Process
	t testing.TB
}

const (
	addrA, addrB   = "10.0.0.1", "10.0.0.2"
	addrA6, addrB6 = "fd00::1", "fd00::2"
)

func newPrograms(t testing.TB, options ...coretest.Option) *programs {
	t.Helper()
	r := coretest.New(t, host.NewVirtual(1), options...)
	w := libos.Wiring()
	a, b := r.Instance("a", w), r.Instance("b", w)
	da, db := pipe.New(pipe.Config{Wire: pipe.Wire{Delay: time.Millisecond}})
	r.Attach(a, da, "eth0", addrA+"/24", addrA6+"/64")
	r.Attach(b, db, "eth0", addrB+"/24", addrB6+"/64")
	return &programs{r, newProc(t, a), newProc(t, b)}
}

func newProc(t testing.TB, in *core.Instance) *proc {
	p := &proc{posix.NewProcess(in), t}
	t.Cleanup(func() { _ = p.CloseAll() })
	return p
}

// run makes programs and runs f as a task.
func run(t *testing.T, f func(h *programs)) {
	t.Helper()
	h := newPrograms(t)
	h.Do(func() { f(h) })
}

// sockaddr is the bytes of a socket address.
func sockaddr(address string, port uint16) []byte {
	a := wire.MustAddr(address)
	family := posix.AF_INET
	if !a.Is4() {
		family = posix.AF_INET6
	}
	return posix.AppendSockAddr(nil, family, core.SockAddr{Addr: a, Port: port})
}

// must fails the test if err is not nil.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// want checks the error of a call.
func want(t testing.TB, what string, err, errno error) {
	t.Helper()
	if err != errno {
		t.Errorf("%s: %v, want %v", what, err, errno)
	}
}

func (p *proc) socket(typ int) int {
	p.t.Helper()
	fd, err := p.Socket(posix.AF_INET, typ, 0)
	must(p.t, err)
	return fd
}

// listener is a listening socket on port.
func (p *proc) listener(port uint16) int {
	p.t.Helper()
	fd := p.socket(posix.SOCK_STREAM)
	must(p.t, p.Bind(fd, sockaddr("0.0.0.0", port)))
	must(p.t, p.Listen(fd, 8))
	return fd
}

// connection is two connected sockets: a's and b's.
func (h *programs) connection(port uint16) (c, s int) {
	t := h.T
	t.Helper()
	l := h.b.listener(port)
	c = h.a.socket(posix.SOCK_STREAM)
	must(t, h.a.Connect(c, sockaddr(addrB, port)))
	s, _, err := h.b.Accept4(l, nil, 0)
	must(t, err)
	must(t, h.b.Close(l))
	return c, s
}

// write writes all of s.
func (p *proc) write(fd int, s string) {
	p.t.Helper()
	if n, err := p.Write(fd, []byte(s)); err != nil || n != len(s) {
		p.t.Fatalf("wrote %d of %d bytes, %v", n, len(s), err)
	}
}

// reads checks one read of at most n bytes.
func (p *proc) reads(fd, n int, s string) {
	p.t.Helper()
	b := make([]byte, n)
	if got, err := p.Read(fd, b); err != nil || string(b[:max(got, 0)]) != s {
		p.t.Errorf("read %q, %v; want %q", b[:max(got, 0)], err, s)
	}
}

// revents is a poll of one descriptor that does not wait.
func (p *proc) revents(fd int, events int16) int16 {
	p.t.Helper()
	f := []posix.PollFD{{FD: int32(fd), Events: events}}
	_, err := p.Poll(f, 0)
	must(p.t, err)
	return f[0].Revents
}

func (h *programs) sleep(d time.Duration) {
	h.T.Helper()
	must(h.T, h.a.Instance().Sleep(d))
}
