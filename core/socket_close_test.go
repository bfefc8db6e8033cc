package core_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
)

func TestShutdown(t *testing.T) {
	each(t, streams, func(t *testing.T, h *hosts, k kind) {
		c, s, _ := h.pair(t, k, 7)
		want(t, "an unknown direction", c.Shutdown(3), einval)
		ok(t, c.Shutdown(core.ShutWrite))
		_, err := c.Send(&core.Message{Data: []byte("x"), Flags: core.MsgNoSignal})
		want(t, "send after shutdown", err, syscall.EPIPE)
		wantReceived(t, s, 10, 0, "")
		send(t, s, "the other way")
		wantReceived(t, c, 20, 0, "the other way")
		ok(t, c.Shutdown(core.ShutRead))
		wantReceived(t, c, 20, 0, "")
	})
}

func TestShutdownOfADatagramSocket(t *testing.T) {
	each(t, datagrams, func(t *testing.T, h *hosts, k kind) {
		c, _, _ := h.pair(t, k, 7)
		ok(t, c.Shutdown(core.ShutWrite))
		_, err := c.Send(&core.Message{Data: []byte("x")})
		want(t, "send", err, syscall.EPIPE)
		if r := c.Ready(); r != 0 {
			t.Errorf("ready for %#x, want nothing", r)
		}
		ok(t, c.Shutdown(core.ShutRead))
		wantReceived(t, c, 10, 0, "")

		// Without a peer it is an error, and still wakes who reads.
		s := open(t, h.a, k)
		done := false
		h.Go("reader", func() {
			wantReceived(t, s, 10, 0, "")
			done = true
		})
		ok(t, h.a.Sleep(time.Second))
		want(t, "shutdown without a peer", s.Shutdown(core.ShutBoth), syscall.ENOTCONN)
		ok(t, h.a.Sleep(time.Second))
		if !done {
			t.Error("the reader still waits")
		}
	})
}

func TestCloseWakesEveryCall(t *testing.T) {
	each(t, kinds, func(t *testing.T, h *hosts, k kind) {
		c, s, l := h.pair(t, k, 7)
		calls := map[string]error{}
		block := func(name string, f func() error) {
			h.Go(name, func() { calls[name] = f() })
		}
		blocked := 2
		block("receive", func() error { _, err := receive(c, 10, 0); return err })
		block("receive all", func() error { _, err := receive(c, 100000, core.MsgWaitAll); return err })
		if k.typ == core.SockStream {
			full := open(t, h.a, k)
			ok(t, full.Connect(l.LocalAddr()))
			full.SetNonblock(true)
			for {
				if _, err := full.Send(&core.Message{Data: make([]byte, 100000)}); err == syscall.EAGAIN {
					break
				}
				ok(t, h.a.Sleep(time.Second))
			}
			full.SetNonblock(false)
			far := at("10.0.0.77", 7)
			if k.family == core.AFInet6 {
				far = at("fd00::77", 7)
			}
			lost := open(t, h.a, k)
			waiting := h.bound(t, k, 8)
			blocked += 4
			block("send", func() error { _, err := full.Send(&core.Message{Data: make([]byte, 10)}); return err })
			block("send after it", func() error { _, err := full.Send(&core.Message{Data: make([]byte, 10)}); return err })
			block("connect", func() error { return lost.Connect(far) })
			block("accept", func() error { _, _, err := waiting.Accept(); return err })
			ok(t, h.a.Sleep(100*time.Millisecond))
			for _, x := range []*core.Socket{full, lost, waiting} {
				ok(t, x.Close())
			}
		}
		ok(t, h.a.Sleep(100*time.Millisecond))
		ok(t, c.Close())
		ok(t, s.Close())
		ok(t, h.a.Sleep(100*time.Millisecond))
		if len(calls) != blocked {
			t.Errorf("%d of %d calls came back: %v", len(calls), blocked, calls)
		}
		for name, err := range calls {
			want(t, name, err, syscall.EBADF)
		}
	})
}

func TestAClosedSocketFailsEveryCall(t *testing.T) {
	each(t, kinds, func(t *testing.T, h *hosts, k kind) {
		a, b := k.addresses()
		s := open(t, h.a, k)
		ok(t, s.Close())
		_, sendErr := s.Send(&core.Message{Data: []byte("x")})
		_, recvErr := receive(s, 10, 0)
		_, _, acceptErr := s.Accept()
		_, optErr := s.Int(core.SolSocket, core.SoType)
		_, peerErr := s.PeerAddr()
		for name, err := range map[string]error{
			"close": s.Close(), "bind": s.Bind(at(a, 7)), "connect": s.Connect(at(b, 7)), "listen": s.Listen(1),
			"accept": acceptErr, "send": sendErr, "receive": recvErr, "shutdown": s.Shutdown(core.ShutBoth),
			"setsockopt": s.SetInt(core.SolSocket, core.SoReuseAddr, 1), "getsockopt": optErr, "getpeername": peerErr,
			"dissolve": s.Disconnect(),
		} {
			want(t, name, err, syscall.EBADF)
		}
		if a := s.LocalAddr(); a != (core.SockAddr{}) {
			t.Errorf("local address %v", a)
		}
		if r := s.Ready(); r != core.ReadyErr|core.ReadyHup {
			t.Errorf("ready for %#x", r)
		}
		s.SetReadDeadline(1)
	})
}

func TestAClosedInstanceEndsItsSockets(t *testing.T) {
	each(t, kinds, func(t *testing.T, h *hosts, k kind) {
		c, _, l := h.pair(t, k, 7)
		var got, accepted error
		h.Go("reader", func() { _, got = receive(c, 10, 0) })
		h.Go("server", func() { _, _, accepted = l.Accept() })
		ok(t, h.a.Sleep(time.Second))
		ok(t, h.a.Close())
		ok(t, h.b.Close())
		ok(t, h.b.Sleep(time.Second))
		want(t, "a blocked receive", got, syscall.EBADF)
		if k.typ == core.SockStream {
			want(t, "a blocked accept", accepted, syscall.EBADF)
		}
		want(t, "close", c.Close(), syscall.EBADF)
		_, err := h.a.Socket(k.family, k.typ, 0)
		want(t, "a new socket", err, syscall.ENETDOWN)
	})
}
