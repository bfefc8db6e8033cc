package core_test

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
)

// hosts are two instances on one link in virtual time.
type hosts struct {
	*coretest.Rig
	a, b *core.Instance
}

const (
	addrA, addrB   = "10.0.0.1", "10.0.0.2"
	addrA6, addrB6 = "fd00::1", "fd00::2"
)

func newHosts(t testing.TB) *hosts {
	t.Helper()
	r := coretest.New(t, host.NewVirtual(1))
	w := libos.Wiring()
	h := &hosts{Rig: r, a: r.Instance("a", w), b: r.Instance("b", w)}
	da, db := pipe.New(pipe.Config{})
	r.Attach(h.a, da, "eth0", addrA+"/24", addrA6+"/64")
	r.Attach(h.b, db, "eth0", addrB+"/24", addrB6+"/64")
	return h
}

func at(address string, port uint16) core.SockAddr {
	a, err := wire.ParseAddr(address)
	if err != nil {
		panic(err)
	}
	return core.SockAddr{Addr: a, Port: port}
}

// kind is one pair of family and type that every socket test runs on.
type kind struct{ family, typ int }

func (k kind) String() string {
	name := map[int]string{core.SockStream: "tcp", core.SockDgram: "udp"}[k.typ]
	return fmt.Sprintf("%s%d", name, map[int]int{core.AFInet: 4, core.AFInet6: 6}[k.family])
}

// addresses of a and b in the kind's family.
func (k kind) addresses() (a, b string) {
	if k.family == core.AFInet6 {
		return addrA6, addrB6
	}
	return addrA, addrB
}

var (
	streams   = []kind{{core.AFInet, core.SockStream}, {core.AFInet6, core.SockStream}}
	datagrams = []kind{{core.AFInet, core.SockDgram}, {core.AFInet6, core.SockDgram}}
	kinds     = append(append([]kind(nil), streams...), datagrams...)
)

// each runs f as a task for each kind, on hosts of its own.
func each(t *testing.T, list []kind, f func(t *testing.T, h *hosts, k kind)) {
	for _, k := range list {
		t.Run(k.String(), func(t *testing.T) {
			h := newHosts(t)
			h.Do(func() { f(t, h, k) })
		})
	}
}

// open makes a socket that is closed at the end of the test.
func open(t testing.TB, in *core.Instance, k kind) *core.Socket {
	t.Helper()
	s, err := in.Socket(k.family, k.typ, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// want checks the outcome of a call.
func want(t testing.TB, what string, got, errno error) {
	t.Helper()
	if got != errno {
		t.Errorf("%s: %v, want %v", what, got, errno)
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// bound opens a socket of k on b's address and port; a stream listens.
func (h *hosts) bound(t testing.TB, k kind, port uint16) *core.Socket {
	t.Helper()
	_, b := k.addresses()
	s := open(t, h.b, k)
	ok(t, s.Bind(at(b, port)))
	if k.typ == core.SockStream {
		ok(t, s.Listen(8))
	}
	return s
}

// pair is two connected sockets, a's and b's, and the listener of a stream.
func (h *hosts) pair(t testing.TB, k kind, port uint16) (c, s, l *core.Socket) {
	t.Helper()
	_, b := k.addresses()
	l = h.bound(t, k, port)
	c = open(t, h.a, k)
	ok(t, c.Connect(at(b, port)))
	if k.typ != core.SockStream {
		ok(t, l.Connect(c.LocalAddr()))
		return c, l, l
	}
	s, _, err := l.Accept()
	ok(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return c, s, l
}

func send(t testing.TB, s *core.Socket, data string) {
	t.Helper()
	if n, err := s.Send(&core.Message{Data: []byte(data)}); err != nil || n != len(data) {
		t.Fatalf("sent %d of %d bytes, %v", n, len(data), err)
	}
}

// receive is one recv(2) of up to n bytes.
func receive(s *core.Socket, n, flags int) (string, error) {
	b := make([]byte, n)
	got, err := s.Receive(&core.Message{Data: b, Flags: flags})
	return string(b[:min(max(got, 0), n)]), err
}

func wantReceived(t testing.TB, s *core.Socket, n, flags int, data string) {
	t.Helper()
	if got, err := receive(s, n, flags); err != nil || got != data {
		t.Errorf("received %q, %v; want %q", got, err, data)
	}
}

// wantNone checks that a receive would wait.
func wantNone(t testing.TB, s *core.Socket) {
	t.Helper()
	if got, err := receive(s, 64, core.MsgDontWait); err != syscall.EAGAIN {
		t.Errorf("received %q, %v; want EAGAIN", got, err)
	}
}
