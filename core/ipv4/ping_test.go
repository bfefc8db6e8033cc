package ipv4_test

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/ipcommon"
	"github.com/libos-go/libos/core/wire"
	. "github.com/libos-go/libos/core/wire/wiretest"
	"github.com/libos-go/libos/device/loopback"
	"github.com/libos-go/libos/host"
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

func TestPinger(t *testing.T) {
	b, peerIn := pair(t)
	b.Do(func() {
		p, err := ipcommon.NewPinger(b.in, addr(peer), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		for seq := range uint16(3) {
			r, err := p.Ping(seq, []byte("some data"), time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if r.From != addr(peer) || r.Seq != seq || string(r.Data) != "some data" || r.HopLimit != 64 || r.RoundTrip != 0 {
				t.Errorf("got %+v", r)
			}
		}
		if err := peerIn.SetSysctl("net.ipv4.icmp_echo_ignore_all", "1"); err != nil {
			t.Fatal(err)
		}
		start := b.Host.Now()
		if _, err := p.Ping(9, nil, 2*time.Second); err != core.ErrDeadline {
			t.Errorf("no reply: %v, want ErrDeadline", err)
		}
		if d := b.Host.Now().Sub(start); d != 2*time.Second {
			t.Errorf("gave up after %v", d)
		}
	})
}

func TestPingerLearnsOfRouters(t *testing.T) {
	c := newChain(t, 3)
	c.Do(func() {
		p, err := ipcommon.NewPinger(c.routers[0], addr("10.9.0.1"), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		r, err := p.Ping(1, nil, time.Second)
		if err != nil || r.HopLimit != 63 {
			t.Errorf("got %+v, %v", r, err)
		}
		if err := p.Socket().SetInt(core.SolIP, core.IPTTL, 1); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Ping(2, nil, time.Second); err != syscall.EHOSTUNREACH {
			t.Errorf("TTL 1: %v, want EHOSTUNREACH by time exceeded", err)
		}
	})
}

func TestLoopback(t *testing.T) {
	w := wiring(&sink{})
	w.Loopback = loopback.Device
	r := coretest.New(t, host.NewVirtual(1))
	in := r.Instance("a", w)
	r.Wire(in, "w0", core.LinkRaw, us+"/24")
	r.Do(func() {
		for _, a := range []string{"127.0.0.1", "127.1.2.3", us} {
			p, err := ipcommon.NewPinger(in, addr(a), 0)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := p.Ping(1, []byte("x"), time.Second); err != nil || got.From != addr(a) {
				t.Errorf("ping %s: %+v, %v", a, got, err)
			}
			_ = p.Close()
		}
	})
	if lo := in.Loopback().Stats().TxPackets; lo != 6 {
		t.Errorf("lo carried %d packets, want 6", lo)
	}
}

func TestNonlocalBind(t *testing.T) {
	b, _ := pair(t)
	b.Do(func() {
		s, _ := b.in.Socket(core.AFInet, core.SockDgram, 1)
		defer s.Close()
		a := core.SockAddr{Addr: addr("192.0.2.1"), Port: 5}
		if err := s.Bind(a); err != syscall.EADDRNOTAVAIL {
			t.Errorf("bind to a foreign address: %v, want EADDRNOTAVAIL", err)
		}
		b.set(t, "net.ipv4.ip_nonlocal_bind", "1")
		if err := s.Bind(a); err != nil {
			t.Errorf("with ip_nonlocal_bind: %v", err)
		}
	})
}

func TestUnconnectedPingSocketsHearNoErrors(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	for _, connected := range []bool{false, true} {
		s, _ := b.in.Socket(core.AFInet, core.SockDgram, 1)
		to := core.SockAddr{Addr: addr(peer)}
		m := core.Message{Data: echoRequest(1, ""), Addr: to, HasAddr: true}
		if connected {
			if err := s.Connect(to); err != nil {
				t.Fatal(err)
			}
			m.HasAddr = false
		}
		if _, err := s.Send(&m); err != nil {
			t.Fatal(err)
		}
		id := int(s.LocalAddr().Port)
		w.Expect(IPv4(us, peer).Echo(id, 1))
		w.Inject(IPv4("10.0.0.9", us).ICMP("unreachable", Code(1), Quote(IPv4(us, peer).Echo(id, 1))))
		if got := s.Ready()&core.ReadyErr != 0; got != connected {
			t.Errorf("connected %v: error pending %v", connected, got)
		}
		_ = s.Close()
	}
}

// An echo request that did not arrive comes back whole, from its own header on
// (ping_err, net/ipv4/ping.c); one that is too long for the link never left.
func TestAPingSocketThatAsksGetsItsRequestsBack(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	s, err := b.in.Socket(core.AFInet, core.SockDgram, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for option, v := range map[int]int{core.IPRecvErr: 1, core.IPMTUDiscover: core.PMTUDo} {
		if err := s.SetInt(core.SolIP, option, v); err != nil {
			t.Fatal(err)
		}
	}
	to := core.SockAddr{Addr: addr(peer)}
	if _, err := s.Send(&core.Message{Data: echoRequest(7, "hello"), Addr: to, HasAddr: true}); err != nil {
		t.Fatal(err)
	}
	sent := w.Expect(IPv4(us, peer).ICMP("echo request"))
	w.Inject(IPv4("10.0.0.9", us).ICMP("time exceeded", Quote(Read(sent))))
	m := core.Message{Data: make([]byte, 100), Flags: core.MsgErrQueue}
	n, err := s.Receive(&m)
	if err != nil || string(m.Data[:n]) != string(sent[wire.IPv4MinSize:]) || m.Addr != to {
		t.Errorf("got % x to %v, %v; want % x", m.Data[:n], m.Addr, err, sent[wire.IPv4MinSize:])
	}
	if e := m.Error; e.Errno != syscall.EHOSTUNREACH || e.Origin != core.ErrorOriginICMP || e.Offender.Addr != addr("10.0.0.9") {
		t.Errorf("got %+v", e)
	}
	if _, err := s.Send(&core.Message{Data: make([]byte, 1600), Addr: to, HasAddr: true}); err != syscall.EINVAL {
		t.Errorf("no echo request: %v, want EINVAL", err)
	}
	if _, err := s.Send(&core.Message{Data: echoRequest(8, string(make([]byte, 1600))), Addr: to, HasAddr: true}); err != syscall.EMSGSIZE {
		t.Errorf("a request longer than the link carries: %v, want EMSGSIZE", err)
	}
	if _, err := s.Receive(&m); err != nil || m.Error.Origin != core.ErrorOriginLocal || m.Error.Info != 1500 {
		t.Errorf("got %+v, %v; want a local error", m.Error, err)
	}
}
