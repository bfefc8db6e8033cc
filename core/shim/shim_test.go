package shim_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/coretest/talk"
	"github.com/libos-go/libos/core/ipv4"
	"github.com/libos-go/libos/core/remote"
	"github.com/libos-go/libos/core/shim"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
)

const (
	ours   = "10.0.0.1"
	theirs = "10.0.0.2"
)

// pair is two instances with talk, over a pipe.
type pair struct {
	*coretest.Rig
	a, b *core.Instance
}

// eachWay runs a test with talk linked in, through the shim, and through one
// whose messages arrive later.
func eachWay(t *testing.T, cfg pipe.Config, test func(t *testing.T, p *pair)) {
	for _, way := range []string{"linked in", "through the shim", "through the shim, later"} {
		t.Run(way, func(t *testing.T) {
			entry := func() core.ProtocolEntry {
				if way == "linked in" {
					return talk.Entry()
				}
				return shim.Wrap(talk.Entry(), shim.Options{Later: strings.HasSuffix(way, "later"), Failed: func(err error) { t.Error(err) }})
			}
			wiring := func() *core.Wiring {
				return &core.Wiring{Name: "talk", Protocols: []core.ProtocolEntry{entry()},
					Networks: []core.NetworkEntry{{Network: ipv4.Protocol(), Sysctls: sysctl.Of[ipv4.Sysctls](), Devices: sysctl.Of[ipv4.DeviceSysctls]()}}}
			}
			r := coretest.New(t, host.NewVirtual(7))
			p := &pair{r, r.Instance("a", wiring()), r.Instance("b", wiring())}
			left, right := pipe.New(cfg)
			r.Attach(p.a, left, "eth0", ours+"/24")
			r.Attach(p.b, right, "eth0", theirs+"/24")
			test(t, p)
		})
	}
}

// alone is an instance with one protocol on a wire.
func alone(t *testing.T, e core.ProtocolEntry) *core.Instance {
	r := coretest.New(t, host.NewVirtual(1))
	in := r.Instance("a", &core.Wiring{Protocols: []core.ProtocolEntry{e},
		Networks: []core.NetworkEntry{{Network: ipv4.Protocol(), Sysctls: sysctl.Of[ipv4.Sysctls](), Devices: sysctl.Of[ipv4.DeviceSysctls]()}}})
	r.Wire(in, "w0", core.LinkRaw, ours+"/24")
	return in
}

func at(a string, port uint16) core.SockAddr {
	return core.SockAddr{Addr: wire.MustAddr(a), Port: port}
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (p *pair) socket(t *testing.T, in *core.Instance) *core.Socket {
	return must(in.Socket(core.AFInet, core.SockStream, talk.Number))(t)
}

// listener is a socket of b that listens at port 7.
func (p *pair) listener(t *testing.T) *core.Socket {
	t.Helper()
	l := p.socket(t, p.b)
	if err := errors.Join(l.Bind(at(theirs, 7)), l.Listen(2)); err != nil {
		t.Fatal(err)
	}
	return l
}

func (p *pair) connected(t *testing.T) (client, server *core.Socket) {
	t.Helper()
	l := p.listener(t)
	client = p.socket(t, p.a)
	if err := client.Connect(at(theirs, 7)); err != nil {
		t.Fatal(err)
	}
	server, from, err := l.Accept()
	if err != nil || from.Addr != wire.MustAddr(ours) {
		t.Fatalf("accepted from %v, %v", from, err)
	}
	return client, server
}

func send(t *testing.T, s *core.Socket, text string) {
	t.Helper()
	if n, err := s.Send(&core.Message{Data: []byte(text)}); n != len(text) || err != nil {
		t.Fatalf("sent %d bytes of %q: %v", n, text, err)
	}
}

func receive(t *testing.T, s *core.Socket, room int) (string, int) {
	t.Helper()
	m := core.Message{Data: make([]byte, room)}
	n, err := s.Receive(&m)
	if err != nil {
		t.Fatal(err)
	}
	return string(m.Data[:n]), m.OutFlags
}

func TestConnectionsAreMadeAndMessagesCross(t *testing.T) {
	eachWay(t, pipe.Config{}, func(t *testing.T, p *pair) {
		p.Do(func() {
			client, server := p.connected(t)
			if peer, err := server.PeerAddr(); err != nil || peer != client.LocalAddr() {
				t.Errorf("the server's peer is %v, %v; the client is at %v", peer, err, client.LocalAddr())
			}
			send(t, client, "hello")
			send(t, server, "welcome")
			if got, flags := receive(t, server, 10); got != "hello" || flags != core.MsgEOR {
				t.Errorf("%q, flags %x", got, flags)
			}
			if got, _ := receive(t, client, 10); got != "welcome" {
				t.Errorf("%q", got)
			}
		})
	})
}

func TestAMessageIsReadInPartsAndTheProtocolHearsOfIt(t *testing.T) {
	eachWay(t, pipe.Config{}, func(t *testing.T, p *pair) {
		p.Do(func() {
			client, server := p.connected(t)
			send(t, client, "0123456789")
			if got, flags := receive(t, server, 4); got != "0123" || flags != 0 {
				t.Errorf("%q, flags %x", got, flags)
			}
			if got, flags := receive(t, server, 40); got != "456789" || flags != core.MsgEOR {
				t.Errorf("%q, flags %x", got, flags)
			}
			if n := must(server.Int(talk.Level, talk.Read))(t); n != 10 {
				t.Errorf("the protocol heard of %d bytes", n)
			}
		})
	})
}

func TestLostMessagesAreSentAgain(t *testing.T) {
	bad := pipe.Config{Wire: pipe.Wire{Delay: time.Millisecond, Loss: 0.2, Duplicate: 0.1, Reorder: 0.1, ReorderDelay: 3 * time.Millisecond}}
	eachWay(t, bad, func(t *testing.T, p *pair) {
		p.Do(func() {
			client, server := p.connected(t)
			p.Go("sender", func() {
				for i := range 100 {
					send(t, client, fmt.Sprint(i))
				}
			})
			for i := range 100 {
				if got, _ := receive(t, server, 10); got != fmt.Sprint(i) {
					t.Fatalf("message %d is %q", i, got)
				}
			}
			if n := must(client.Int(talk.Level, talk.Retries))(t); n == 0 {
				t.Error("nothing was sent again on a link that loses")
			}
		})
	})
}

func TestTheEndIsSeenAfterTheLastMessage(t *testing.T) {
	eachWay(t, pipe.Config{}, func(t *testing.T, p *pair) {
		p.Do(func() {
			client, server := p.connected(t)
			if err := server.SetInt(talk.Level, talk.Notify, 1); err != nil {
				t.Fatal(err)
			}
			send(t, client, "last")
			if err := client.Shutdown(core.ShutWrite); err != nil {
				t.Fatal(err)
			}
			if got, _ := receive(t, server, 10); got != "last" {
				t.Errorf("%q", got)
			}
			if got, flags := receive(t, server, 10); got != "peer end" || flags&core.MsgNotification == 0 {
				t.Errorf("%q, flags %x: want a notification", got, flags)
			}
			if got, _ := receive(t, server, 10); got != "" {
				t.Errorf("%q after the end", got)
			}
			if _, err := client.Send(&core.Message{Data: []byte("x")}); err != syscall.EPIPE {
				t.Errorf("a send after shutdown: %v", err)
			}
		})
	})
}

func TestErrorsOfConnecting(t *testing.T) {
	eachWay(t, pipe.Config{}, func(t *testing.T, p *pair) {
		p.Do(func() {
			s := p.socket(t, p.a)
			if _, err := s.Send(&core.Message{Data: []byte("x")}); err != syscall.ENOTCONN {
				t.Errorf("a send without connection: %v", err)
			}
			if _, err := s.Receive(&core.Message{Data: make([]byte, 1)}); err != syscall.ENOTCONN {
				t.Errorf("a receive without connection: %v", err)
			}
			if err := s.Connect(at(theirs, 9)); err != syscall.ECONNREFUSED {
				t.Errorf("nobody listens: %v", err)
			}
			gone := p.socket(t, p.a)
			if err := gone.Connect(at("10.0.0.77", 9)); err != syscall.EHOSTUNREACH && err != syscall.ETIMEDOUT {
				t.Errorf("nobody is there: %v", err)
			}
			l := p.listener(t)
			s = p.socket(t, p.a)
			s.SetNonblock(true)
			if err := s.Connect(at(theirs, 7)); err != syscall.EINPROGRESS {
				t.Errorf("a non-blocking connect: %v", err)
			}
			if _, _, err := l.Accept(); err != nil {
				t.Error(err)
			}
			if _, err := s.PeerAddr(); err != nil {
				t.Errorf("accepted, and the client has no peer: %v", err)
			}
			if err := s.Connect(at(theirs, 7)); err != nil && err != syscall.EISCONN {
				t.Errorf("the outcome: %v", err)
			}
			if err := s.Connect(at(theirs, 7)); err != syscall.EISCONN {
				t.Errorf("connected already: %v", err)
			}
			if err := s.SetInt(talk.Level, 99, 1); err != syscall.ENOPROTOOPT {
				t.Errorf("an option that there is not: %v", err)
			}
		})
	})
}

func TestAFullBacklogTakesNoMore(t *testing.T) {
	eachWay(t, pipe.Config{}, func(t *testing.T, p *pair) {
		p.Do(func() {
			l := p.listener(t)
			for range 4 {
				s := p.socket(t, p.a)
				s.SetNonblock(true)
				_ = s.Connect(at(theirs, 7))
			}
			_ = p.a.Sleep(50 * time.Millisecond)
			l.SetNonblock(true)
			n := 0
			for _, _, err := l.Accept(); err == nil; _, _, err = l.Accept() {
				n++
			}
			if n != 2 {
				t.Errorf("a backlog of 2 held %d connections", n)
			}
		})
	})
}

func TestSettingsAndAddressesReachTheProtocol(t *testing.T) {
	eachWay(t, pipe.Config{Wire: pipe.Wire{Loss: 1}}, func(t *testing.T, p *pair) {
		if err := p.a.SetSysctl("net.talk.wait", "10"); err != nil {
			t.Fatal(err)
		}
		p.Do(func() {
			s := p.socket(t, p.a)
			if n := must(s.Int(talk.Level, talk.Addrs))(t); n == 0 {
				t.Error("it heard of no address")
			}
			before := p.Host.Now()
			if err := s.Connect(at(ours, 7)); err != syscall.ECONNREFUSED {
				t.Errorf("to ourselves: %v", err)
			}
			if took := p.Host.Now().Sub(before); took > time.Second {
				t.Errorf("after %v", took)
			}
		})
	})
}

// A peer with two addresses is reached by the second when the link of the first
// carries nothing any more.
func TestAConnectionGoesOnOverAnotherAddressOfThePeer(t *testing.T) {
	eachWay(t, pipe.Config{}, func(t *testing.T, p *pair) {
		left, right := pipe.New(pipe.Config{Wire: pipe.Wire{Delay: time.Millisecond}})
		p.Attach(p.a, left, "eth1", "10.0.1.1/24")
		p.Attach(p.b, right, "eth1", "10.0.1.2/24")
		p.Do(func() {
			client, server := p.connected(t)
			if err := client.SetInt(talk.Level, talk.Notify, 1); err != nil {
				t.Fatal(err)
			}
			for _, s := range []*core.Socket{client, server} {
				if n := must(s.Int(talk.Level, talk.Paths))(t); n != 2 {
					t.Errorf("%d addresses of the peer are known", n)
				}
			}
			send(t, client, "over the first")
			if got, _ := receive(t, server, 20); got != "over the first" {
				t.Errorf("%q", got)
			}
			if err := p.b.InterfaceByName("eth0").SetUp(false); err != nil {
				t.Fatal(err)
			}
			send(t, client, "over the second")
			if got, _ := receive(t, server, 20); got != "over the second" {
				t.Errorf("%q", got)
			}
			if got, flags := receive(t, client, 20); got != "path change" || flags&core.MsgNotification == 0 {
				t.Errorf("%q, flags %x: want a notification", got, flags)
			}
			send(t, server, "back")
			if got, _ := receive(t, client, 20); got != "back" {
				t.Errorf("%q", got)
			}
		})
	})
}

// Calls that meet on one socket each get their own result.
func TestConcurrentCallsKeepTheirResults(t *testing.T) {
	eachWay(t, pipe.Config{}, func(t *testing.T, p *pair) {
		p.Do(func() {
			s := p.socket(t, p.b)
			if err := s.Bind(at(theirs, 7)); err != nil {
				t.Fatal(err)
			}
			done := 0
			p.Go("option", func() {
				if err := s.SetInt(talk.Level, 99, 1); err != syscall.ENOPROTOOPT {
					t.Errorf("an option that there is not, while another call waits: %v", err)
				}
				if done++; done == 1 {
					t.Log("the option was first")
				}
			})
			if err := s.Listen(1); err != nil {
				t.Errorf("listen: %v", err)
			}
			_ = p.b.Sleep(time.Millisecond)
			if done != 1 {
				t.Errorf("%d calls ended", done)
			}
		})
	})
}

// breaks is a protocol that breaks the contract in one way.
type breaks struct {
	core.Handler
	send func(batch []*core.Packet) error
}

func (b *breaks) Send(_ core.SocketID, batch []*core.Packet) error { return b.send(batch) }
func (b *breaks) Control(op *core.Op)                              { op.Done = true; op.Local = at(ours, 5) }

func TestBreachesComeToLight(t *testing.T) {
	var kept *core.Packet
	for _, x := range []struct {
		name, want string
		send       func([]*core.Packet) error
	}{
		{"a packet kept for ever", "still held", func(b []*core.Packet) error { kept = b[0]; return nil }},
		{"an error without number", "no errno", func(b []*core.Packet) error { b[0].Free(); return errors.New("no") }},
	} {
		t.Run(x.name, func(t *testing.T) {
			var failed []string
			e := talk.Entry()
			e.Protocol.Sockets = []core.SocketKind{{Family: core.AFInet, Type: core.SockDgram, Protocol: talk.Number}}
			e.Protocol.NewHandler = func(env core.Env) core.Handler {
				return &breaks{talk.New(env), x.send}
			}
			e = shim.Wrap(e, shim.Options{Failed: func(err error) { failed = append(failed, err.Error()) }})
			t.Run("run", func(t *testing.T) {
				in := alone(t, e)
				s := must(in.Socket(core.AFInet, core.SockDgram, talk.Number))(t)
				_, _ = s.Send(&core.Message{Data: []byte("x"), HasAddr: true, Addr: at(theirs, 7)})
			})
			if all := strings.Join(failed, "\n"); !strings.Contains(all, x.want) {
				t.Errorf("the shim said %q, want %q in it", all, x.want)
			}
		})
	}
	_ = kept
}

var _ core.Handler = (*remote.Near)(nil)
var _ core.Env = (*remote.Far)(nil)
