package session_test

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
	"github.com/libos-go/libos/core/remote"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/plugin/session"
	"github.com/libos-go/libos/protocols/udp"
)

func talking(open func(core.Env) core.Handler) []session.Served {
	return []session.Served{{Name: "talk", Open: open, Sysctls: sysctl.Of[talk.Sysctls]()}}
}

func twoTalk(t *testing.T, open func(core.Env) core.Handler) *two {
	return twoWith(t, talk.Protocol(), sysctl.Of[talk.Sysctls](), talking(open))
}

// mute hides that a handler is a core.Saver.
type mute struct{ core.Handler }

func talkMute(env core.Env) core.Handler { return mute{talk.New(env)} }

// newer is a version that does not know the state of this one.
type newer struct{ core.Handler }

func (newer) Save() []byte         { return nil }
func (newer) Restore([]byte) error { return errors.New("a state of another age") }

func (n *two) stream(in *core.Instance) *core.Socket {
	n.T.Helper()
	s, err := in.Socket(core.AFInet, core.SockStream, talk.Number)
	if err != nil {
		n.T.Fatal(err)
	}
	return s
}

func (n *two) listener(in *core.Instance, at core.SockAddr) *core.Socket {
	n.T.Helper()
	s := n.stream(in)
	if err := errors.Join(s.Bind(at), s.Listen(4)); err != nil {
		n.T.Fatal(err)
	}
	return s
}

func (n *two) accept(l *core.Socket) *core.Socket {
	n.T.Helper()
	s, _, err := l.Accept()
	if err != nil {
		n.T.Fatal(err)
	}
	return s
}

func TestConnectionsGoOverInTheMiddleOfAConversation(t *testing.T) {
	n := twoTalk(t, talk.New)
	n.Do(func() {
		l := n.listener(n.b, addr("10.0.0.2", 7))
		client := n.stream(n.a)
		if err := errors.Join(client.SetInt(talk.Level, talk.Notify, 1), client.Connect(addr("10.0.0.2", 7))); err != nil {
			t.Fatal(err)
		}
		server := n.accept(l)
		for i := range 30 {
			if i%3 == 0 {
				n.replace()
			}
			out, back := fmt.Sprint("out ", i), fmt.Sprint("back ", i)
			say(t, client, out, core.SockAddr{})
			say(t, server, back, core.SockAddr{}) // crosses the other, and a replacement
			hear(t, server, out)
			hear(t, client, back)
		}
		if v, err := client.Int(talk.Level, talk.Read); err != nil || v == 0 {
			t.Errorf("it heard of %d bytes read, %v", v, err)
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	if st := n.s.Stats(); st.Replaced != 10 || st.SocketsLost != 0 || st.Faults != 0 {
		t.Errorf("%+v", st)
	}
}

// What was sent and not acknowledged is sent again by the other process, when its
// time comes: the timer has gone over.
func TestWhatIsNotAcknowledgedIsSentAgainByTheOtherProcess(t *testing.T) {
	n := twoTalk(t, talk.New)
	n.Do(func() {
		l := n.listener(n.b, addr("10.0.0.2", 7))
		client := n.stream(n.a)
		if err := client.Connect(addr("10.0.0.2", 7)); err != nil {
			t.Fatal(err)
		}
		server := n.accept(l)
		eth := n.b.InterfaceByName("eth0")
		if err := eth.SetUp(false); err != nil {
			t.Fatal(err)
		}
		say(t, client, "lost at first", core.SockAddr{})
		_ = n.a.Sleep(50 * time.Millisecond)
		n.replace()
		if err := eth.SetUp(true); err != nil {
			t.Fatal(err)
		}
		before := n.Host.Now()
		hear(t, server, "lost at first")
		if took := n.Host.Now().Sub(before); took < 100*time.Millisecond || took > 200*time.Millisecond {
			t.Errorf("sent again after %v: the timer was set for 150 ms from then", took)
		}
		if v, err := client.Int(talk.Level, talk.Retries); v != 1 || err != nil {
			t.Errorf("%d retransmissions, %v", v, err)
		}
	})
}

func TestAListeningSocketAndItsBacklogGoOver(t *testing.T) {
	n := twoTalk(t, talk.New)
	n.Do(func() {
		l := n.stream(n.a)
		if err := l.Bind(addr("10.0.0.1", 7)); err != nil {
			t.Fatal(err)
		}
		listening := false
		n.Go("listen", func() { // ends after a millisecond: it is under way at the replacement
			if err := l.Listen(4); err != nil {
				t.Errorf("the call that waited: %v", err)
			}
			listening = true
		})
		_ = n.a.Sleep(500 * time.Microsecond)
		n.replace()
		_ = n.a.Sleep(5 * time.Millisecond)
		if !listening {
			t.Fatal("the call that waited did not end")
		}
		one, two := n.stream(n.b), n.stream(n.b)
		if err := one.Connect(addr("10.0.0.1", 7)); err != nil {
			t.Fatal(err)
		}
		n.replace() // one waits to be accepted
		if err := two.Connect(addr("10.0.0.1", 7)); err != nil {
			t.Fatal(err)
		}
		for _, c := range []*core.Socket{one, two} {
			s := n.accept(l)
			say(t, c, "hello", core.SockAddr{})
			hear(t, s, "hello")
		}
	})
}

func TestAProtocolThatCannotSaveKeepsItsConnections(t *testing.T) {
	n := twoTalk(t, talkMute)
	n.Do(func() {
		l := n.listener(n.a, addr("10.0.0.1", 7))
		client := n.stream(n.b)
		n.replace() // a listening socket needs no core.Saver
		if err := client.Connect(addr("10.0.0.1", 7)); err != nil {
			t.Fatal(err)
		}
		server := n.accept(l)
		move := func(force bool) (int, error) {
			return session.Replace([]session.Move{{Session: n.s, Link: another(t, n.what, nil)}}, session.ReplaceOptions{Force: force})
		}
		lost, err := move(false)
		if lost != 0 || !errors.Is(err, syscall.EBUSY) || !strings.Contains(err.Error(), "1 connections of talk") || !strings.Contains(err.Error(), "--force") {
			t.Errorf("%d lost, %v", lost, err)
		}
		say(t, client, "still here", core.SockAddr{})
		hear(t, server, "still here")
		if lost, err = move(true); lost != 1 || err != nil {
			t.Errorf("by force: %d lost, %v", lost, err)
		}
		if _, err := server.Send(&core.Message{Data: []byte("x")}); err != syscall.ECONNRESET {
			t.Errorf("a connection that was given up: %v", err)
		}
		again := n.stream(n.b)
		if err := again.Connect(addr("10.0.0.1", 7)); err != nil {
			t.Fatal(err)
		}
		say(t, again, "the listener", core.SockAddr{})
		hear(t, n.accept(l), "the listener")
	})
	if st := n.s.Stats(); st.SocketsLost != 1 || st.Replaced != 2 || st.Lost != 0 {
		t.Errorf("%+v", st)
	}
}

func TestAStateThatIsNotUnderstoodRefusesTheReplacement(t *testing.T) {
	n := twoTalk(t, talk.New)
	n.what = talking(func(env core.Env) core.Handler { return newer{talk.New(env)} })
	n.Do(func() {
		l := n.listener(n.b, addr("10.0.0.2", 7))
		client := n.stream(n.a)
		if err := client.Connect(addr("10.0.0.2", 7)); err != nil {
			t.Fatal(err)
		}
		server := n.accept(l)
		_, err := session.Replace([]session.Move{{Session: n.s, Link: another(t, n.what, nil)}}, session.ReplaceOptions{})
		if !errors.Is(err, session.ErrTakeOver) || !errors.Is(err, syscall.EBUSY) || !strings.Contains(err.Error(), "a state of another age") {
			t.Errorf("%v", err)
		}
		say(t, client, "still here", core.SockAddr{})
		hear(t, server, "still here")
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		_ = n.a.Sleep(10 * time.Millisecond)
		n.replace() // nothing is connected any more: what is not understood is not needed
		if _, err := n.a.Socket(core.AFInet, core.SockStream, talk.Number); err != nil {
			t.Error(err)
		}
	})
}

// hoarder is a protocol that has much to save.
type hoarder struct {
	core.Handler
	state []byte
}

// Save implements core.Saver.
func (h hoarder) Save() []byte { return h.state }

// Restore implements core.Saver.
func (h hoarder) Restore([]byte) error { return nil }

// slow takes its time for each answer to a question of a kind, all of them in time.
type slow struct {
	session.Link
	kind remote.Kind
}

// Next implements session.Link.
func (l slow) Next() ([]byte, error) {
	msg, err := l.Link.Next()
	if len(msg) >= remote.HeaderSize && remote.Kind(msg[4]) == l.kind {
		time.Sleep(20 * time.Millisecond)
	}
	return msg, err
}

// Each answer comes in time, and all of them would take several seconds.
func TestAProcessThatTakesItsTimeForEveryStepIsNotTakenOver(t *testing.T) {
	for name, kinds := range map[string][2]remote.Kind{"the old one": {remote.KindSave, 0}, "the other": {0, remote.KindRestore}} {
		t.Run(name, func(t *testing.T) {
			what := []session.Served{{Name: "udp", Sysctls: sysctl.Of[udp.Sysctls](), Open: func(env core.Env) core.Handler {
				return hoarder{udp.Protocol().NewHandler(env), make([]byte, 24<<20)}
			}}}
			with := func(k remote.Kind) session.Link {
				return another(t, what, func(l session.Link) session.Link { return slow{l, k} })
			}
			rig := coretest.New(t, host.NewRealTime())
			in := rig.Instance("a", networks())
			s := session.New(rig.Domain, session.Options{Name: "udp", Patience: 500 * time.Millisecond})
			if err := s.Connect(with(kinds[0])); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Disconnect(nil) })
			if err := in.AddProtocol(s.Protocol(udp.Protocol(), sysctl.Of[udp.Sysctls]())); err != nil {
				t.Fatal(err)
			}
			_, err := session.Replace([]session.Move{{Session: s, Link: with(kinds[1])}}, session.ReplaceOptions{})
			if !errors.Is(err, session.ErrTakeOver) || !strings.Contains(err.Error(), "it took longer than 2s") {
				t.Errorf("replaced: %v", err)
			}
			c, err := in.ListenPacket("udp4", "127.0.0.1:0") // the old one goes on
			if err != nil || s.Stats().Lost > 0 {
				t.Fatalf("%v, %+v", err, s.Stats())
			}
			c.Close()
		})
	}
}
