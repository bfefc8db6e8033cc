package session_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/plugin/ring"
	"github.com/libos-go/libos/plugin/session"
	"github.com/libos-go/libos/protocols/udp"
	"github.com/libos-go/libos/protocols/udplite"
)

// lite is UDP-Lite, which has options that a socket keeps.
func lite() []session.Served {
	return []session.Served{{Name: "udplite", Open: udplite.Protocol().NewHandler}}
}

// another is the link to one more module of this process, which serves what it is
// told to and has ended well when the test ends.
func another(t testing.TB, what []session.Served, with func(session.Link) session.Link) session.Link {
	t.Helper()
	l, err := ring.Host(ring.Options{Name: "another"})
	if err != nil {
		t.Fatal(err)
	}
	m, err := ring.Module(l.Files())
	if err != nil {
		t.Fatal(err)
	}
	l.HandedOver()
	var far session.Link = session.Rings{Link: m}
	if with != nil {
		far = with(far)
	}
	var ended sync.WaitGroup
	ended.Go(func() {
		if err := session.Serve(far, what, slog.New(slog.DiscardHandler)); err != nil && with == nil {
			t.Errorf("a module ended: %v", err)
		}
	})
	t.Cleanup(func() {
		l.Close()
		ended.Wait()
	})
	return session.Rings{Link: l}
}

// two is a network of two stations in virtual time, a with a protocol in a module.
type two struct {
	*coretest.Rig
	a, b *core.Instance
	s    *session.Session
	what []session.Served
}

func twoWith(t *testing.T, p core.Protocol, table *sysctl.Table, what []session.Served) *two {
	rig := coretest.New(t, host.NewVirtual(1))
	w := networks()
	n := &two{Rig: rig, a: rig.Instance("a", w), b: rig.Instance("b", w), what: what}
	da, db := pipe.New(pipe.Config{Wire: pipe.Wire{Delay: time.Millisecond}})
	rig.Attach(n.a, da, "eth0", "10.0.0.1/24")
	rig.Attach(n.b, db, "eth0", "10.0.0.2/24")
	n.s = session.New(rig.Domain, session.Options{Name: p.Name, Lockstep: true, Patience: 10 * time.Second})
	if err := n.s.Connect(another(t, what, nil)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.s.Disconnect(nil) })
	if err := n.a.AddProtocol(n.s.Protocol(p, table)); err != nil {
		t.Fatal(err)
	}
	if err := n.b.AddProtocol(core.ProtocolEntry{Protocol: p, Sysctls: table}); err != nil {
		t.Fatal(err)
	}
	return n
}

func twoUDP(t *testing.T) *two {
	return twoWith(t, udp.Protocol(), sysctl.Of[udp.Sysctls](), served())
}

// replace has another module go on.
func (n *two) replace() {
	n.T.Helper()
	lost, err := session.Replace([]session.Move{{Session: n.s, Link: another(n.T, n.what, nil)}}, session.ReplaceOptions{})
	if err != nil || lost != 0 {
		n.T.Fatalf("%d sockets lost, %v", lost, err)
	}
}

func (n *two) socket(in *core.Instance, bind core.SockAddr, flags ...int) *core.Socket {
	n.T.Helper()
	s, err := in.Socket(core.AFInet, core.SockDgram, 0)
	if err != nil {
		n.T.Fatal(err)
	}
	for _, f := range flags {
		err = errors.Join(err, s.SetInt(core.SolSocket, f, 1))
	}
	if err = errors.Join(err, s.Bind(bind)); err != nil {
		n.T.Fatal(err)
	}
	return s
}

func addr(a string, port uint16) core.SockAddr {
	return core.SockAddr{Addr: wire.MustAddr(a), Port: port}
}

func say(t testing.TB, s *core.Socket, text string, to core.SockAddr) {
	t.Helper()
	if _, err := s.Send(&core.Message{Data: []byte(text), Addr: to, HasAddr: to.Port != 0}); err != nil {
		t.Errorf("%q: %v", text, err)
	}
}

func hear(t testing.TB, s *core.Socket, want string) core.SockAddr {
	t.Helper()
	m := core.Message{Data: make([]byte, 64)}
	n, err := s.Receive(&m)
	if err != nil || string(m.Data[:n]) != want {
		t.Errorf("heard %q, %v; want %q", m.Data[:max(n, 0)], err, want)
	}
	return m.Addr
}

func TestABoundSocketGoesOverToAnotherProcess(t *testing.T) {
	n := twoUDP(t)
	n.Do(func() {
		server, client := n.socket(n.a, addr("10.0.0.1", 7)), n.socket(n.b, addr("10.0.0.2", 9))
		say(t, client, "before", addr("10.0.0.1", 7))
		_ = n.a.Sleep(10 * time.Millisecond) // it waits in the queue
		n.replace()
		say(t, client, "after", addr("10.0.0.1", 7))
		hear(t, server, "before")
		hear(t, server, "after")
		say(t, server, "answer", addr("10.0.0.2", 9))
		if from := hear(t, client, "answer"); from != addr("10.0.0.1", 7) {
			t.Errorf("from %v", from)
		}
		if err := n.socketErr(n.a, addr("10.0.0.1", 7)); err != syscall.EADDRINUSE {
			t.Errorf("the port is free: %v", err)
		}
		if st := n.s.Stats(); st.Replaced != 1 || st.Lost != 0 || st.SocketsLost != 0 || st.Faults != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// socketErr is the error of a bind.
func (n *two) socketErr(in *core.Instance, at core.SockAddr) error {
	s, err := in.Socket(core.AFInet, core.SockDgram, 0)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Bind(at)
}

func TestAWaitingReceiveIsServedByTheOtherProcess(t *testing.T) {
	n := twoUDP(t)
	n.Do(func() {
		server, client := n.socket(n.a, addr("10.0.0.1", 7)), n.socket(n.b, addr("10.0.0.2", 9))
		heard := false
		n.Go("reader", func() {
			hear(t, server, "to who waits")
			heard = true
		})
		_ = n.a.Sleep(time.Millisecond)
		n.replace()
		say(t, client, "to who waits", addr("10.0.0.1", 7))
		_ = n.a.Sleep(10 * time.Millisecond)
		if !heard {
			t.Error("the call that waited heard nothing")
		}
	})
}

func TestAConnectedSocketStaysConnected(t *testing.T) {
	n := twoUDP(t)
	n.Do(func() {
		peer, other := n.socket(n.b, addr("10.0.0.2", 9)), n.socket(n.b, addr("10.0.0.2", 10))
		c, err := n.a.Socket(core.AFInet, core.SockDgram, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Connect(addr("10.0.0.2", 9)); err != nil {
			t.Fatal(err)
		}
		local := c.LocalAddr()
		n.replace()
		if c.LocalAddr() != local {
			t.Errorf("at %v, was at %v", c.LocalAddr(), local)
		}
		say(t, c, "hello", core.SockAddr{})
		if from := hear(t, peer, "hello"); from != local {
			t.Errorf("from %v, want %v", from, local)
		}
		say(t, other, "intruder", local)
		say(t, peer, "peer", local)
		hear(t, c, "peer")
		// What the user left open is open again: neither address nor port were named.
		if err := c.Disconnect(); err != nil {
			t.Fatal(err)
		}
		if now := c.LocalAddr(); now.Port != 0 || !now.Addr.IsUnspecified() {
			t.Errorf("after the end of the association at %v", now)
		}
	})
}

func TestGroupsStayJoined(t *testing.T) {
	n := twoUDP(t)
	n.Do(func() {
		group := addr("224.1.2.3", 7)
		s, client := n.socket(n.a, addr("0.0.0.0", 7)), n.socket(n.b, addr("10.0.0.2", 9))
		mreq := append(wire.MustAddr("224.1.2.3").NetIP().AsSlice(), wire.MustAddr("10.0.0.1").NetIP().AsSlice()...)
		if err := s.SetOption(core.SolIP, core.IPAddMembership, mreq); err != nil {
			t.Fatal(err)
		}
		n.replace()
		if err := client.Connect(group); err != nil {
			t.Fatal(err)
		}
		say(t, client, "to the group", core.SockAddr{})
		hear(t, s, "to the group")
	})
}

func TestSocketsThatShareAPortGoOverWhateverTheirFlagsAreNow(t *testing.T) {
	n := twoUDP(t)
	n.Do(func() {
		one := n.socket(n.a, addr("10.0.0.1", 7), core.SoReuseAddr)
		two := n.socket(n.a, addr("10.0.0.1", 7), core.SoReuseAddr)
		client := n.socket(n.b, addr("10.0.0.2", 9))
		say(t, client, "first", addr("10.0.0.1", 7))
		_ = n.a.Sleep(10 * time.Millisecond)
		chosen, else_ := one, two
		if two.Ready()&core.ReadyIn != 0 {
			chosen, else_ = two, one
		}
		hear(t, chosen, "first")
		if err := one.SetInt(core.SolSocket, core.SoReuseAddr, 0); err != nil {
			t.Fatal(err)
		}
		n.replace()
		say(t, client, "second", addr("10.0.0.1", 7))
		_ = n.a.Sleep(10 * time.Millisecond)
		if else_.Ready()&core.ReadyIn != 0 {
			t.Error("now the other of the two hears")
		}
		hear(t, chosen, "second")
		third, err := n.a.Socket(core.AFInet, core.SockDgram, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(third.SetInt(core.SolSocket, core.SoReuseAddr, 1), third.Bind(addr("10.0.0.1", 7))); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("a third with one that shares no more: %v", err)
		}
	})
}

func TestOptionsOfTheProtocolGoOver(t *testing.T) {
	n := twoWith(t, udplite.Protocol(), nil, lite())
	n.Do(func() {
		s, err := n.a.Socket(core.AFInet, core.SockDgram, core.SolUDPLite)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []int{30, 20} {
			if err := s.SetInt(core.SolUDPLite, udplite.SendCoverage, v); err != nil {
				t.Fatal(err)
			}
		}
		n.replace()
		if v, err := s.Int(core.SolUDPLite, udplite.SendCoverage); v != 20 || err != nil {
			t.Errorf("the coverage is %d, %v", v, err)
		}
	})
}

func TestCountersGoOn(t *testing.T) {
	n := twoUDP(t)
	n.Do(func() {
		server, client := n.socket(n.a, addr("10.0.0.1", 7)), n.socket(n.b, addr("10.0.0.2", 9))
		for i := range 4 {
			say(t, client, fmt.Sprint(i), addr("10.0.0.1", 7))
			hear(t, server, fmt.Sprint(i))
			n.replace()
		}
	})
	if got := n.Counter(n.a, "Udp", "InDatagrams"); got != 4 {
		t.Errorf("InDatagrams %d, want 4", got)
	}
}

// faulty is the end of a module that does something instead of taking the n-th
// message.
type faulty struct {
	session.Link
	at   int
	then func(l session.Link)
}

// Next implements session.Link.
func (l *faulty) Next() ([]byte, error) {
	msg, err := l.Link.Next()
	if msg != nil {
		if l.at--; l.at == 0 {
			l.then(l.Link)
		}
	}
	return msg, err
}

// The other process ends at each message that it is given while it takes over, and
// all goes on as before.
func TestAProcessThatEndsWhileItTakesOverCostsNothing(t *testing.T) {
	for _, x := range []struct {
		name string
		then func(session.Link)
	}{
		{"ends", func(l session.Link) { l.Close() }},
		{"lies", func(l session.Link) {
			msg := binary.LittleEndian.AppendUint32(nil, 20)
			l.Send(append(msg, make([]byte, 16)...))
		}},
	} {
		t.Run(x.name, func(t *testing.T) {
			n := twoUDP(t)
			n.Do(func() {
				server, client := n.socket(n.a, addr("10.0.0.1", 7)), n.socket(n.b, addr("10.0.0.2", 9))
				took := 0
				for at := 1; took == 0 && at < 50; at++ {
					say(t, client, "before", addr("10.0.0.1", 7))
					_ = n.a.Sleep(10 * time.Millisecond)
					l := another(t, served(), func(l session.Link) session.Link { return &faulty{l, at, x.then} })
					lost, err := session.Replace([]session.Move{{Session: n.s, Link: l}}, session.ReplaceOptions{})
					if err == nil {
						took = at
						break
					}
					if !errors.Is(err, session.ErrTakeOver) || lost != 0 || !strings.Contains(err.Error(), "does not take over: ") {
						t.Errorf("at message %d: %d lost, %v", at, lost, err)
					}
					say(t, client, "after", addr("10.0.0.1", 7))
					hear(t, server, "before")
					hear(t, server, "after")
					say(t, server, "answer", addr("10.0.0.2", 9))
					hear(t, client, "answer")
				}
				if took < 8 {
					t.Errorf("it took over at message %d", took)
				}
				if st := n.s.Stats(); st.Lost != 0 || st.SocketsLost != 0 || st.Replaced > 1 {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

func TestAProcessThatHangsWhileItTakesOverCostsNothing(t *testing.T) {
	rig := coretest.New(t, host.NewRealTime())
	in := rig.Instance("a", networks())
	s := session.New(rig.Domain, session.Options{Name: "udp", Patience: 100 * time.Millisecond, Log: slog.New(slog.DiscardHandler)})
	if err := s.Connect(another(t, served(), nil)); err != nil {
		t.Fatal(err)
	}
	if err := in.AddProtocol(s.Protocol(udp.Protocol(), sysctl.Of[udp.Sysctls]())); err != nil {
		t.Fatal(err)
	}
	c, err := in.ListenPacket("udp4", "127.0.0.1:7")
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{1, 4, 6} {
		l := another(t, served(), func(l session.Link) session.Link {
			return &faulty{l, at, func(l session.Link) { <-l.Done() }}
		})
		if _, err := session.Replace([]session.Move{{Session: s, Link: l}}, session.ReplaceOptions{}); !errors.Is(err, session.ErrTakeOver) {
			t.Errorf("hanging at message %d: %v", at, err)
		}
		var b [8]byte
		if _, err := c.WriteTo([]byte("x"), c.LocalAddr()); err != nil {
			t.Error(err)
		}
		if n, _, err := c.ReadFrom(b[:]); n != 1 || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	s.Disconnect(nil)
}

// Sessions of several Domains move together or not at all: what has moved goes back
// when another cannot.
func TestSessionsOfSeveralDomainsMoveTogetherOrNotAtAll(t *testing.T) {
	n, other := twoUDP(t), twoUDP(t)
	move := func(last session.Link) error {
		_, err := session.Replace([]session.Move{{Session: n.s, Link: another(t, n.what, nil)}, {Session: other.s, Link: last}}, session.ReplaceOptions{})
		return err
	}
	n.Do(func() {
		other.Do(func() {
			sockets := map[*two][2]*core.Socket{}
			for _, x := range []*two{n, other} {
				sockets[x] = [2]*core.Socket{x.socket(x.a, addr("10.0.0.1", 7)), x.socket(x.b, addr("10.0.0.2", 9))}
			}
			if err := move(another(t, n.what, func(l session.Link) session.Link { return &faulty{l, 5, func(l session.Link) { l.Close() }} })); !errors.Is(err, session.ErrTakeOver) {
				t.Errorf("%v", err)
			}
			if err := move(another(t, n.what, nil)); err != nil {
				t.Error(err)
			}
			for _, x := range []*two{n, other} {
				if st := x.s.Stats(); st.Replaced != 1 || st.Lost != 0 || st.SocketsLost != 0 {
					t.Errorf("%+v", st)
				}
				say(t, sockets[x][1], "hello", addr("10.0.0.1", 7))
			}
		})
	})
	for _, x := range []*two{n, other} {
		x.Advance(10 * time.Millisecond)
		if got := x.Counter(x.a, "Udp", "InDatagrams"); got != 1 {
			t.Errorf("InDatagrams %d, want 1", got)
		}
	}
}

// A thousand sockets go over within a fraction of a second, in which their Domain
// stands still.
func TestAThousandSocketsGoOverAtOnce(t *testing.T) {
	rig := coretest.New(t, host.NewRealTime())
	in := rig.Instance("a", networks())
	s := session.New(rig.Domain, session.Options{Name: "udp", Patience: 20 * time.Second, Log: slog.New(slog.DiscardHandler)})
	if err := s.Connect(another(t, served(), nil)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Disconnect(nil) })
	if err := in.AddProtocol(s.Protocol(udp.Protocol(), sysctl.Of[udp.Sysctls]())); err != nil {
		t.Fatal(err)
	}
	var all []*core.PacketConn
	for range 1000 {
		c, err := in.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	l := another(t, served(), nil)
	start := time.Now()
	if lost, err := session.Replace([]session.Move{{Session: s, Link: l}}, session.ReplaceOptions{}); lost != 0 || err != nil {
		t.Fatalf("%d sockets lost, %v", lost, err)
	}
	t.Logf("it took %v", time.Since(start))
	for i, c := range all {
		to := all[len(all)-1-i]
		if _, err := c.WriteTo([]byte{byte(i)}, to.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		var b [2]byte
		if n, from, err := to.ReadFrom(b[:]); n != 1 || err != nil || b[0] != byte(i) || from.String() != c.LocalAddr().String() {
			t.Fatalf("socket %d: %d bytes from %v, %v", i, n, from, err)
		}
	}
	for _, c := range all {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}
