package ipv4_test

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	. "github.com/libos-go/libos/core/wire/wiretest"
)

// pair is two hosts on one cable.
func pair(t *testing.T) (*bench, *core.Instance) {
	t.Helper()
	b := newBench(t)
	peerIn := b.Instance("b", wiring(&sink{}))
	x := &cable{mac: wire.HWAddr{2, 0, 0, 0, 0, 1}}
	y := &cable{mac: wire.HWAddr{2, 0, 0, 0, 0, 2}, other: x}
	x.other = y
	b.Attach(b.in, x, "eth0", us+"/24")
	b.Attach(peerIn, y, "eth0", peer+"/24")
	return b, peerIn
}

// echoRequest is one with this sequence number; identifier and checksum are the
// stack's.
func echoRequest(seq byte, data string) []byte {
	return append([]byte{8, 0, 0, 0, 0, 0, 0, seq}, data...)
}

func TestPingSocket(t *testing.T) {
	b, _ := pair(t)
	b.Do(func() {
		s, err := b.in.Socket(core.AFInet, core.SockDgram, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for seq := byte(1); seq <= 3; seq++ {
			if _, err := s.Send(&core.Message{Data: echoRequest(seq, "hello"), Addr: core.SockAddr{Addr: addr(peer)}, HasAddr: true}); err != nil {
				t.Fatal(err)
			}
			m := core.Message{Data: make([]byte, 100)}
			n, err := s.Receive(&m)
			if err != nil {
				t.Fatal(err)
			}
			r := wire.ICMPv4(m.Data[:n])
			if r.Type() != wire.ICMPv4EchoReply || r.Seq() != uint16(seq) || string(r.Payload()) != "hello" || m.Addr.Addr != addr(peer) {
				t.Errorf("got % x from %v", r, m.Addr.Addr)
			}
		}
	})
	b.count(t, "Ping", "OutRequests", 3)
	b.count(t, "Ping", "InReplies", 3)
}

func TestPingSocketsHaveTheirOwnIdentifiers(t *testing.T) {
	b, _ := pair(t)
	b.Do(func() {
		var ids [3]uint16
		for i := range ids {
			s, err := b.in.Socket(core.AFInet, core.SockDgram, 1)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if i == 2 {
				if err := s.Bind(core.SockAddr{Addr: addr("0.0.0.0"), Port: ids[0]}); err != syscall.EADDRINUSE {
					t.Errorf("a taken identifier: %v", err)
				}
				return
			}
			if err := s.Connect(core.SockAddr{Addr: addr(peer)}); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Send(&core.Message{Data: echoRequest(1, "")}); err != nil {
				t.Fatal(err)
			}
			m := core.Message{Data: make([]byte, 100)}
			n, err := s.Receive(&m)
			if err != nil {
				t.Fatal(err)
			}
			ids[i] = wire.ICMPv4(m.Data[:n]).ID()
			if got := s.LocalAddr(); got.Port != ids[i] || got.Addr != addr(us) {
				t.Errorf("local address %v, identifier %d", got, ids[i])
			}
		}
		if ids[0] == ids[1] || ids[0] == 0 {
			t.Errorf("identifiers %v", ids)
		}
	})
}

func TestPingSocketTakesOnlyEchoRequests(t *testing.T) {
	b, _ := pair(t)
	b.Do(func() {
		s, _ := b.in.Socket(core.AFInet, core.SockDgram, 1)
		defer s.Close()
		for _, data := range [][]byte{{8, 0, 0}, {0, 0, 0, 0, 0, 0, 0, 0}, {8, 1, 0, 0, 0, 0, 0, 0}} {
			if _, err := s.Send(&core.Message{Data: data, Addr: core.SockAddr{Addr: addr(peer)}, HasAddr: true}); err != syscall.EINVAL {
				t.Errorf("% x: %v, want EINVAL", data, err)
			}
		}
	})
}

func TestPingLearnsThatTheHostIsUnreachable(t *testing.T) {
	b, _ := pair(t)
	b.Do(func() {
		s, _ := b.in.Socket(core.AFInet, core.SockDgram, 1)
		defer s.Close()
		if err := s.Connect(core.SockAddr{Addr: addr("10.0.0.99")}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Send(&core.Message{Data: echoRequest(1, "")}); err != nil {
			t.Fatal(err)
		}
		start := b.Host.Now()
		_, err := s.Receive(&core.Message{Data: make([]byte, 100)})
		if !errors.Is(err, syscall.EHOSTUNREACH) {
			t.Errorf("got %v, want EHOSTUNREACH", err)
		}
		if d := b.Host.Now().Sub(start); d != 3*time.Second {
			t.Errorf("after %v, want three requests a second apart", d)
		}
	})
}

func TestRepliesForNobodyAreDropped(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	w.Inject(IPv4(peer, us).EchoReply(1, 1).PayloadLen(10))
	w.ExpectNothing()
	b.count(t, "Ping", "NoSockets", 1)
}

func TestDatagramSocketsAreNotPingSockets(t *testing.T) {
	b := newBench(t)
	if _, err := b.in.Socket(core.AFInet, core.SockDgram, 0); err != syscall.EPROTONOSUPPORT {
		t.Errorf("SOCK_DGRAM without UDP: %v, want EPROTONOSUPPORT", err)
	}
}
