package core_test

import (
	"encoding/binary"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/host"
)

func TestSocketRefusesWhatIsNotThere(t *testing.T) {
	h := newHosts(t)
	for _, x := range []struct {
		name                  string
		family, typ, protocol int
		err                   error
	}{
		{"AF_UNIX", 1, core.SockStream, 0, syscall.EAFNOSUPPORT},
		{"AF_UNSPEC", 0, core.SockStream, 0, syscall.EAFNOSUPPORT},
		{"SOCK_SEQPACKET", core.AFInet, core.SockSeqPacket, 0, syscall.ESOCKTNOSUPPORT},
		{"UDP on a stream", core.AFInet, core.SockStream, 17, syscall.EPROTONOSUPPORT},
		{"TCP on datagrams", core.AFInet6, core.SockDgram, 6, syscall.EPROTONOSUPPORT},
		{"a protocol nobody has", core.AFInet, core.SockDgram, 200, syscall.EPROTONOSUPPORT},
	} {
		_, err := h.a.Socket(x.family, x.typ, x.protocol)
		want(t, x.name, err, x.err)
	}
	narrow := *libos.Wiring()
	narrow.Networks = narrow.Networks[:1]
	narrow.EtherType = nil
	in := h.Instance("v4", &narrow)
	_, err := in.Socket(core.AFInet6, core.SockStream, 0)
	want(t, "IPv6 without IPv6", err, syscall.EAFNOSUPPORT)
}

func TestBindErrors(t *testing.T) {
	each(t, kinds, func(t *testing.T, h *hosts, k kind) {
		a, b := k.addresses()
		s := open(t, h.a, k)
		want(t, "an address of another host", s.Bind(at(b, 7)), syscall.EADDRNOTAVAIL)
		ok(t, s.Bind(at(a, 7)))
		want(t, "a second bind", s.Bind(at(a, 8)), einval)
		want(t, "a taken port", open(t, h.a, k).Bind(at(a, 7)), syscall.EADDRINUSE)
		if got := s.LocalAddr(); got != at(a, 7) {
			t.Errorf("bound to %v", got)
		}
		other := open(t, h.a, k)
		if k.family == core.AFInet {
			want(t, "an address of IPv6", other.Bind(at(addrA6, 9)), syscall.EAFNOSUPPORT)
		} else {
			ok(t, other.SetInt(core.SolIPv6, core.IPv6V6Only, 1))
			want(t, "an address of IPv4 on IPv6 only", other.Bind(at(addrA, 9)), einval)
		}
		chosen := open(t, h.a, k)
		ok(t, chosen.Bind(at(a, 0)))
		if p := chosen.LocalAddr().Port; p < 32768 || p > 60999 {
			t.Errorf("chose port %d", p)
		}
		free := open(t, h.a, k)
		ok(t, free.SetInt(core.SolIP, core.IPFreeBind, 1))
		want(t, "an address of nobody with IP_FREEBIND", free.Bind(at(b, 9)), nil)
	})
}

func TestReusedPorts(t *testing.T) {
	each(t, kinds, func(t *testing.T, h *hosts, k kind) {
		a, _ := k.addresses()
		for i, opt := range []int{core.SoReuseAddr, core.SoReusePort} {
			port := uint16(100 + i)
			s, s2 := open(t, h.a, k), open(t, h.a, k)
			ok(t, s.SetInt(core.SolSocket, opt, 1))
			ok(t, s.Bind(at(a, port)))
			want(t, "a port whose second user does not share", s2.Bind(at(a, port)), syscall.EADDRINUSE)
			ok(t, s2.SetInt(core.SolSocket, opt, 1))
			want(t, "a port that both share", s2.Bind(at(a, port)), nil)
		}
	})
}

func TestAFreedPortCanBeBoundAgain(t *testing.T) {
	each(t, kinds, func(t *testing.T, h *hosts, k kind) {
		a, _ := k.addresses()
		s := open(t, h.a, k)
		ok(t, s.Bind(at(a, 7)))
		ok(t, s.Close())
		want(t, "bind", open(t, h.a, k).Bind(at(a, 7)), nil)
	})
}

func TestConnectErrors(t *testing.T) {
	each(t, kinds, func(t *testing.T, h *hosts, k kind) {
		a, b := k.addresses()
		s := open(t, h.a, k)
		if k.family == core.AFInet {
			want(t, "another family", s.Connect(at(addrB6, 7)), syscall.EAFNOSUPPORT)
			want(t, "no route", s.Connect(at("192.0.2.1", 7)), syscall.ENETUNREACH)
		} else {
			ok(t, s.SetInt(core.SolIPv6, core.IPv6V6Only, 1))
			want(t, "IPv4 on IPv6 only", s.Connect(at(addrB, 7)), syscall.ENETUNREACH)
			want(t, "no route", s.Connect(at("2001:db8::1", 7)), syscall.ENETUNREACH)
			want(t, "a link-local address without its link", s.Connect(at("fe80::1", 7)), einval)
		}
		_, err := s.PeerAddr()
		want(t, "getpeername", err, syscall.ENOTCONN)
		err = s.Connect(at(b, 7))
		if k.typ == core.SockStream {
			want(t, "a port without listener", err, syscall.ECONNREFUSED)
			l := h.bound(t, k, 7)
			want(t, "connecting a listener", l.Connect(at(a, 9)), syscall.EISCONN)
			ok(t, s.Connect(at(b, 7)))
			want(t, "a second connect", s.Connect(at(b, 7)), syscall.EISCONN)
		} else {
			ok(t, err)
			ok(t, s.Connect(at(b, 8)))
			if p, err := s.PeerAddr(); err != nil || p != at(b, 8) {
				t.Errorf("peer %v, %v", p, err)
			}
		}
	})
}

func TestANonblockingConnectTellsItsOutcomeOnce(t *testing.T) {
	each(t, streams, func(t *testing.T, h *hosts, k kind) {
		_, b := k.addresses()
		far := at("10.0.0.77", 7)
		if k.family == core.AFInet6 {
			far = at("fd00::77", 7)
		}
		s := open(t, h.a, k)
		s.SetNonblock(true)
		want(t, "connect", s.Connect(far), syscall.EINPROGRESS)
		want(t, "connect while it lasts", s.Connect(far), syscall.EALREADY)
		ok(t, h.a.Sleep(5*time.Second))
		want(t, "connect after it failed", s.Connect(far), syscall.EHOSTUNREACH)
		want(t, "connect anew", s.Connect(far), syscall.EINPROGRESS)
		ok(t, s.Disconnect())
		h.bound(t, k, 7)
		want(t, "connect elsewhere", s.Connect(at(b, 7)), syscall.EINPROGRESS)
		want(t, "connect after it stood", s.Connect(at(b, 7)), nil)
		want(t, "connect once more", s.Connect(at(b, 7)), syscall.EISCONN)
	})
}

func TestTheOutcomeOfAConnectIsSOError(t *testing.T) {
	each(t, streams, func(t *testing.T, h *hosts, k kind) {
		_, b := k.addresses()
		s := open(t, h.a, k)
		s.SetNonblock(true)
		want(t, "connect", s.Connect(at(b, 7)), syscall.EINPROGRESS)
		ok(t, h.a.Sleep(time.Second))
		for _, errno := range []syscall.Errno{syscall.ECONNREFUSED, 0} {
			if v, err := s.Int(core.SolSocket, core.SoError); err != nil || v != int(errno) {
				t.Errorf("SO_ERROR %v, %v; want %v", syscall.Errno(v), err, errno)
			}
		}
	})
}

func TestASecondBlockingConnectWaitsToo(t *testing.T) {
	h := newHosts(t)
	h.Do(func() {
		s := open(t, h.a, streams[0])
		s.SetNonblock(true)
		want(t, "connect", s.Connect(at(addrB, 7)), syscall.EINPROGRESS)
		s.SetNonblock(false)
		want(t, "blocking connect", s.Connect(at(addrB, 7)), syscall.ECONNREFUSED)
	})
}

// connect(2) with AF_UNSPEC.
func TestADissolvedSocketCanBeUsedAgain(t *testing.T) {
	each(t, kinds, func(t *testing.T, h *hosts, k kind) {
		_, b := k.addresses()
		c, s, _ := h.pair(t, k, 7)
		ok(t, c.Disconnect())
		_, err := c.PeerAddr()
		want(t, "getpeername", err, syscall.ENOTCONN)
		if p := c.LocalAddr().Port; p != 0 {
			t.Errorf("port %d is kept that nobody asked for", p)
		}
		_, err = c.Send(&core.Message{Data: []byte("x")})
		if k.typ == core.SockStream {
			want(t, "send", err, syscall.EPIPE)
			_, err := receive(s, 10, 0)
			want(t, "what the peer reads", err, syscall.ECONNRESET)
		} else {
			want(t, "send", err, syscall.EDESTADDRREQ)
			ok(t, s.Disconnect())
		}
		ok(t, c.Connect(at(b, 7)))
		send(t, c, "again")
	})
}

func TestListenErrors(t *testing.T) {
	each(t, kinds, func(t *testing.T, h *hosts, k kind) {
		s := open(t, h.a, k)
		_, _, err := s.Accept()
		if k.typ == core.SockDgram {
			want(t, "listen", s.Listen(5), syscall.EOPNOTSUPP)
			want(t, "accept", err, syscall.EOPNOTSUPP)
			return
		}
		want(t, "accept without listen", err, einval)
		ok(t, s.Listen(5))
		want(t, "listen again", s.Listen(6), nil)
		if v, err := s.Int(core.SolSocket, core.SoAcceptConn); v != 1 || err != nil {
			t.Errorf("SO_ACCEPTCONN %d, %v", v, err)
		}
		s.SetNonblock(true)
		_, _, err = s.Accept()
		want(t, "accept with nobody waiting", err, syscall.EAGAIN)
		_, err = receive(s, 10, 0)
		want(t, "receive on a listener", err, syscall.ENOTCONN)
		_, err = s.Send(&core.Message{Data: []byte("x")})
		want(t, "send on a listener", err, syscall.EPIPE)
		c, _, _ := h.pair(t, k, 7)
		want(t, "listen on a connection", c.Listen(5), einval)
	})
}

func TestAcceptTellsThePeerAndInheritsOptions(t *testing.T) {
	each(t, streams, func(t *testing.T, h *hosts, k kind) {
		_, b := k.addresses()
		l := h.bound(t, k, 7)
		ok(t, l.SetInt(core.SolSocket, core.SoKeepalive, 1))
		l.SetNonblock(true)
		c := open(t, h.a, k)
		ok(t, c.Connect(at(b, 7)))
		ok(t, h.a.Sleep(time.Second))
		s, peer, err := l.Accept()
		ok(t, err)
		defer s.Close()
		if peer != c.LocalAddr() || s.LocalAddr() != at(b, 7) {
			t.Errorf("accepted %v on %v; the client is %v", peer, s.LocalAddr(), c.LocalAddr())
		}
		if v, err := s.Int(core.SolSocket, core.SoKeepalive); v != 1 || err != nil {
			t.Errorf("SO_KEEPALIVE %d, %v", v, err)
		}
		start := h.Host.Now()
		ok(t, s.SetOption(core.SolSocket, core.SoRcvTimeo, timeval(1, 0)))
		_, err = receive(s, 10, 0)
		want(t, "receive", err, syscall.EAGAIN)
		if h.Host.Now().Sub(start) != time.Second {
			t.Error("the connection is non-blocking as its listener was")
		}
	})
}

func TestSendAndReceiveErrorsBeforeAConnection(t *testing.T) {
	each(t, kinds, func(t *testing.T, h *hosts, k kind) {
		s := open(t, h.a, k)
		_, err := s.Send(&core.Message{Data: []byte("x")})
		_, rerr := receive(s, 10, core.MsgDontWait)
		if k.typ == core.SockStream {
			want(t, "send", err, syscall.EPIPE)
			want(t, "receive", rerr, syscall.ENOTCONN)
			want(t, "shutdown", s.Shutdown(core.ShutBoth), syscall.ENOTCONN)
			return
		}
		want(t, "send", err, syscall.EDESTADDRREQ)
		want(t, "receive", rerr, syscall.EAGAIN)
		_, b := k.addresses()
		_, err = s.Send(&core.Message{Addr: at(b, 0), HasAddr: true})
		want(t, "send to port 0", err, einval)
		_, err = s.Send(&core.Message{Data: make([]byte, 65536), Addr: at(b, 7), HasAddr: true})
		want(t, "more than a datagram holds", err, syscall.EMSGSIZE)
		_, err = s.Send(&core.Message{Flags: core.MsgOOB, Addr: at(b, 7), HasAddr: true})
		want(t, "urgent data", err, syscall.EOPNOTSUPP)
		_, err = receive(s, 1, core.MsgOOB)
		want(t, "receiving urgent data", err, syscall.EOPNOTSUPP)
		_, err = receive(s, 1, core.MsgErrQueue)
		want(t, "an empty error queue", err, syscall.EAGAIN)
	})
}

func TestPeekLeavesTheBytes(t *testing.T) {
	each(t, kinds, func(t *testing.T, h *hosts, k kind) {
		c, s, _ := h.pair(t, k, 7)
		send(t, c, "hello")
		wantReceived(t, s, 3, core.MsgPeek, "hel")
		wantReceived(t, s, 10, core.MsgPeek, "hello")
		wantReceived(t, s, 10, 0, "hello")
		wantNone(t, s)
	})
}

func TestATruncatedDatagramSaysSo(t *testing.T) {
	each(t, datagrams, func(t *testing.T, h *hosts, k kind) {
		c, s, _ := h.pair(t, k, 7)
		for _, x := range []struct{ flags, n, out int }{{0, 3, core.MsgTrunc}, {core.MsgTrunc, 5, core.MsgTrunc}} {
			send(t, c, "hello")
			m := core.Message{Data: make([]byte, 3), Flags: x.flags}
			if n, err := s.Receive(&m); n != x.n || err != nil || m.OutFlags != x.out || string(m.Data) != "hel" {
				t.Errorf("flags %#x: %d bytes %q, flags %#x, %v", x.flags, n, m.Data, m.OutFlags, err)
			}
		}
		wantNone(t, s)
		send(t, c, "")
		wantReceived(t, s, 3, 0, "")
	})
}

func TestTruncatingAStreamDropsBytes(t *testing.T) {
	each(t, streams, func(t *testing.T, h *hosts, k kind) {
		c, s, _ := h.pair(t, k, 7)
		send(t, c, "hello world")
		ok(t, h.a.Sleep(time.Second))
		b := make([]byte, 6)
		if n, err := s.Receive(&core.Message{Data: b, Flags: core.MsgTrunc}); n != 6 || err != nil || string(b) != strings.Repeat("\x00", 6) {
			t.Errorf("%d, %v, %q", n, err, b)
		}
		wantReceived(t, s, 10, 0, "world")
	})
}

// pieces is a message with buffers of these sizes; the first is Data.
func pieces(sizes ...int) *core.Message {
	m := &core.Message{Data: make([]byte, sizes[0])}
	for _, n := range sizes[1:] {
		m.Vector = append(m.Vector, make([]byte, n))
	}
	return m
}

func text(m *core.Message) string {
	s := string(m.Data)
	for _, v := range m.Vector {
		s += string(v)
	}
	return s
}

func TestSeveralBuffers(t *testing.T) {
	each(t, kinds, func(t *testing.T, h *hosts, k kind) {
		c, s, _ := h.pair(t, k, 7)
		for _, parts := range [][]string{{"ab", "", "cde", "f"}, {"", "abc", "def"}, {"abcdef", ""}, {"", "", "abcdef"}} {
			out := &core.Message{Data: []byte(parts[0])}
			for _, p := range parts[1:] {
				out.Vector = append(out.Vector, []byte(p))
			}
			for range 2 { // the message is as good as before
				if n, err := c.Send(out); n != 6 || err != nil {
					t.Fatalf("%q: sent %d, %v", parts, n, err)
				}
				ok(t, h.a.Sleep(time.Second))
				in := pieces(1, 0, 3, 2)
				if n, err := s.Receive(in); n != 6 || err != nil || text(in) != "abcdef" {
					t.Errorf("%q: received %d, %v, %q", parts, n, err, text(in))
				}
			}
		}
	})
}

func TestALongWriteOfSeveralBuffersArrivesWhole(t *testing.T) {
	each(t, streams, func(t *testing.T, h *hosts, k kind) {
		c, s, _ := h.pair(t, k, 7)
		var all strings.Builder
		m := &core.Message{Data: []byte("head")}
		all.WriteString("head")
		for i := range 20 {
			p := strings.Repeat(string(rune('a'+i)), 1+i*7919)
			m.Vector = append(m.Vector, []byte(p))
			all.WriteString(p)
		}
		h.Go("writer", func() {
			if n, err := c.Send(m); n != all.Len() || err != nil {
				t.Errorf("sent %d of %d, %v", n, all.Len(), err)
			}
		})
		in := pieces(3, 70000, 5000, 0, all.Len()-75003)
		in.Flags = core.MsgWaitAll
		data := in.Data
		if n, err := s.Receive(in); n != all.Len() || err != nil || text(in) != all.String() {
			t.Errorf("received %d of %d, %v", n, all.Len(), err)
		}
		if &in.Data[0] != &data[0] || len(in.Vector) != 4 {
			t.Error("the message is not the caller's any more")
		}
	})
}

func TestWaitAllWaitsForTheWholeBuffer(t *testing.T) {
	each(t, streams, func(t *testing.T, h *hosts, k kind) {
		c, s, _ := h.pair(t, k, 7)
		h.Go("writer", func() {
			for range 3 {
				ok(t, h.a.Sleep(time.Second))
				send(t, c, "abc")
			}
			ok(t, c.Shutdown(core.ShutWrite))
		})
		in := pieces(2, 4)
		in.Flags = core.MsgWaitAll | core.MsgPeek
		if n, err := s.Receive(in); n != 6 || err != nil || text(in) != "abcabc" {
			t.Errorf("peeked %d, %v, %q", n, err, text(in))
		}
		in = pieces(2, 4)
		in.Flags = core.MsgWaitAll
		if n, err := s.Receive(in); n != 6 || err != nil || text(in) != "abcabc" {
			t.Errorf("received %d, %v, %q", n, err, text(in))
		}
		wantReceived(t, s, 9, core.MsgWaitAll|core.MsgPeek, "abc")
		wantReceived(t, s, 9, core.MsgWaitAll, "abc") // the end comes first
		wantReceived(t, s, 9, core.MsgWaitAll, "")
	})
}

func TestTheLowWaterMarkHoldsAReadBack(t *testing.T) {
	each(t, streams, func(t *testing.T, h *hosts, k kind) {
		c, s, _ := h.pair(t, k, 7)
		ok(t, s.SetInt(core.SolSocket, core.SoRcvLowat, 5))
		send(t, c, "abc")
		ok(t, h.a.Sleep(time.Second))
		if r := s.Ready(); r&core.ReadyIn != 0 {
			t.Errorf("readable (%#x) below the mark", r)
		}
		h.Go("writer", func() {
			ok(t, h.a.Sleep(time.Second))
			send(t, c, "def")
		})
		wantReceived(t, s, 10, 0, "abcdef")
		send(t, c, "xy")
		ok(t, h.a.Sleep(time.Second))
		wantReceived(t, s, 2, 0, "xy") // a smaller buffer is its own mark
		send(t, c, "z")
		ok(t, h.a.Sleep(time.Second))
		wantReceived(t, s, 10, core.MsgDontWait, "z") // who may not wait gets what there is
	})
}

// A call that has moved bytes returns them; what stopped it is the next call's.
func TestAnErrorAfterSomeBytesIsToldByTheNextCall(t *testing.T) {
	each(t, streams, func(t *testing.T, h *hosts, k kind) {
		c, s, _ := h.pair(t, k, 7)
		h.Go("peer", func() {
			send(t, c, "abc")
			ok(t, h.a.Sleep(time.Second))
			ok(t, c.Disconnect())
		})
		wantReceived(t, s, 10, core.MsgWaitAll, "abc")
		_, err := receive(s, 10, 0)
		want(t, "the next receive", err, syscall.ECONNRESET)
		wantReceived(t, s, 10, 0, "")

		c, s, _ = h.pair(t, k, 8)
		h.Go("peer", func() {
			ok(t, h.a.Sleep(time.Second))
			ok(t, s.Disconnect())
		})
		n, err := c.Send(&core.Message{Data: make([]byte, 32<<20)})
		if n == 0 || err != nil {
			t.Errorf("sent %d, %v; want some bytes", n, err)
		}
		_, err = c.Send(&core.Message{Data: []byte("x")})
		want(t, "the next send", err, syscall.ECONNRESET)
		_, err = c.Send(&core.Message{Data: []byte("x")})
		want(t, "the send after it", err, syscall.EPIPE)
	})
}

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

func TestARefusalReachesTheConnectedSocketOnce(t *testing.T) {
	each(t, datagrams, func(t *testing.T, h *hosts, k kind) {
		_, b := k.addresses()
		c := open(t, h.a, k)
		ok(t, c.Connect(at(b, 9)))
		send(t, c, "x")
		_, err := receive(c, 10, 0)
		want(t, "receive", err, syscall.ECONNREFUSED)
		wantNone(t, c)
		send(t, c, "x")
		ok(t, h.a.Sleep(time.Second))
		if r := c.Ready(); r != core.ReadyOut|core.ReadyErr {
			t.Errorf("ready for %#x, want POLLOUT|POLLERR", r)
		}
		if v, err := c.Int(core.SolSocket, core.SoError); v != int(syscall.ECONNREFUSED) || err != nil {
			t.Errorf("SO_ERROR %v, %v", syscall.Errno(v), err)
		}
		send(t, c, "x")
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

func TestAMemoryLimitIsENOBUFS(t *testing.T) {
	r := coretest.New(t, host.NewVirtual(1))
	in := r.Adopt(core.New(core.Options{Name: "small", Wiring: libos.Wiring(), Domain: r.Domain, MemoryLimit: 256 << 10}))
	var sockets []*core.Socket
	for {
		s, err := in.Socket(core.AFInet, core.SockStream, 0)
		if err != nil {
			want(t, "a socket beyond the limit", err, syscall.ENOBUFS)
			break
		}
		if sockets = append(sockets, s); len(sockets) > 100000 {
			t.Fatal("no limit")
		}
	}
	for _, s := range sockets {
		ok(t, s.Close())
	}
	l, err := in.Socket(core.AFInet, core.SockDgram, 0)
	ok(t, err)
	ok(t, l.Bind(at("127.0.0.1", 7)))
	ok(t, l.SetInt(core.SolSocket, core.SoRcvBuf, 1<<20))
	for range 1000 {
		if _, err = l.Send(&core.Message{Data: make([]byte, 4000), Addr: at("127.0.0.1", 7), HasAddr: true}); err != nil {
			break
		}
	}
	want(t, "a datagram beyond the limit", err, syscall.ENOBUFS)
	if n := r.Counter(in, "Udp", "SndbufErrors"); n != 1 {
		t.Errorf("SndbufErrors %d, want 1", n)
	}
	wantReceived(t, l, 1, 0, "\x00")
	ok(t, in.Close())
}

func TestANumberOfAClosedSocketIsNotGivenAtOnce(t *testing.T) {
	h := newHosts(t)
	seen := map[core.SocketID]bool{}
	for range 1000 {
		s := open(t, h.a, datagrams[0])
		if seen[s.ID()] {
			t.Fatalf("number %#x came twice", s.ID())
		}
		seen[s.ID()] = true
		ok(t, s.Close())
	}
	h.Domain.Do(func() {
		if n := len(h.a.Sockets()); n != 0 {
			t.Errorf("%d sockets are left", n)
		}
	})
}

func cmsg(level, name int, data []byte) []byte {
	ne := binary.NativeEndian
	b := ne.AppendUint64(nil, uint64(16+len(data)))
	b = ne.AppendUint32(ne.AppendUint32(b, uint32(level)), uint32(name))
	b = append(b, data...)
	return append(b, make([]byte, -len(b)&7)...)
}

func int32s(v ...int32) (b []byte) {
	for _, x := range v {
		b = binary.NativeEndian.AppendUint32(b, uint32(x))
	}
	return b
}

func cat(parts ...[]byte) (b []byte) {
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func TestControlMessagesOfAReceive(t *testing.T) {
	h := newHosts(t)
	h.Do(func() {
		four, six := at(addrB, 0).Addr.As4(), at(addrB6, 0).Addr.As16()
		mapped := at(addrB, 0).Addr.As16()
		for _, x := range []struct {
			name    string
			k       kind
			from    kind
			to      string
			level   int
			options []int
			want    []byte
		}{
			{"none", datagrams[0], datagrams[0], addrB, core.SolIP, nil, nil},
			{"IPv4", datagrams[0], datagrams[0], addrB, core.SolIP, []int{core.IPPktInfo, core.IPRecvTTL, core.IPRecvTOS},
				cat(cmsg(core.SolIP, core.IPPktInfo, cat(int32s(2), four[:], four[:])), cmsg(core.SolIP, core.IPTTL, int32s(9)), cmsg(core.SolIP, core.IPTOS, []byte{0x10}))},
			{"IPv6", datagrams[1], datagrams[1], addrB6, core.SolIPv6, []int{core.IPv6RecvPktInfo, core.IPv6RecvHopLimit, core.IPv6RecvTClass},
				cat(cmsg(core.SolIPv6, core.IPv6PktInfo, cat(six[:], int32s(2))), cmsg(core.SolIPv6, core.IPv6HopLimit, int32s(9)), cmsg(core.SolIPv6, core.IPv6TClass, int32s(0x10)))},
			{"IPv4 on IPv6", datagrams[1], datagrams[0], addrB, core.SolIPv6, []int{core.IPv6RecvPktInfo},
				cmsg(core.SolIPv6, core.IPv6PktInfo, cat(mapped[:], int32s(2)))},
		} {
			s := open(t, h.b, x.k)
			any := "0.0.0.0"
			if x.k.family == core.AFInet6 {
				any = "::"
			}
			ok(t, s.Bind(at(any, 7)))
			for _, o := range x.options {
				ok(t, s.SetInt(x.level, o, 1))
			}
			c := open(t, h.a, x.from)
			level, ttl, tos := core.SolIP, core.IPTTL, core.IPTOS
			if x.from.family == core.AFInet6 {
				level, ttl, tos = core.SolIPv6, core.IPv6HopLimit, core.IPv6TClass
			}
			m := core.Message{Data: []byte("x"), Addr: at(x.to, 7), HasAddr: true}
			ok(t, m.ParseControl(cat(cmsg(level, ttl, int32s(9)), cmsg(level, tos, int32s(0x10)))))
			_, err := c.Send(&m)
			ok(t, err)
			in := core.Message{Data: make([]byte, 9)}
			_, err = s.Receive(&in)
			ok(t, err)
			if got := s.AppendControl(nil, &in); string(got) != string(x.want) {
				t.Errorf("%s:\n% x, want\n% x", x.name, got, x.want)
			}
			ok(t, s.Close())
		}
	})
}

func TestTheTimeOfArrivalIsAControlMessage(t *testing.T) {
	for _, opt := range []int{core.SoTimestamp, core.SoTimestampNS} {
		h := newHosts(t)
		h.Do(func() {
			c, s, _ := h.pair(t, datagrams[0], 7)
			ok(t, s.SetInt(core.SolSocket, opt, 1))
			ok(t, h.a.Sleep(1234567891*time.Nanosecond))
			when := h.Host.WallNow()
			send(t, c, "x")
			ok(t, h.a.Sleep(time.Hour))
			m := core.Message{Data: make([]byte, 9)}
			_, err := s.Receive(&m)
			ok(t, err)
			part := int64(when.Nanosecond())
			if opt == core.SoTimestamp {
				part /= 1000
			}
			if got, w := s.AppendControl(nil, &m), cmsg(core.SolSocket, opt, timeval(when.Unix(), part)); string(got) != string(w) {
				t.Errorf("% x, want % x", got, w)
			}
		})
	}
}

// The address to answer a group's datagram from is the interface's.
func TestPacketInfoOfAGroup(t *testing.T) {
	h := newHosts(t)
	h.Do(func() {
		s := open(t, h.b, datagrams[0])
		ok(t, s.SetOption(core.SolIP, core.IPAddMembership, mreqn("224.1.1.1", addrB, 0)))
		ok(t, s.SetInt(core.SolIP, core.IPPktInfo, 1))
		ok(t, s.Bind(at("0.0.0.0", 7)))
		c := open(t, h.a, datagrams[0])
		_, err := c.Send(&core.Message{Addr: at("224.1.1.1", 7), HasAddr: true})
		ok(t, err)
		m := core.Message{}
		_, err = s.Receive(&m)
		ok(t, err)
		group, own := at("224.1.1.1", 0).Addr.As4(), at(addrB, 0).Addr.As4()
		if got, w := s.AppendControl(nil, &m), cmsg(core.SolIP, core.IPPktInfo, cat(int32s(2), own[:], group[:])); string(got) != string(w) {
			t.Errorf("% x, want % x", got, w)
		}
	})
}

func TestControlMessagesOfASend(t *testing.T) {
	own := at(addrA, 0).Addr.As4()
	own6 := at(addrA6, 0).Addr.As16()
	good := core.Message{}
	ok(t, good.ParseControl(cat(cmsg(core.SolIP, core.IPPktInfo, cat(int32s(3), own[:], make([]byte, 4))), cmsg(77, 1, nil), cmsg(core.SolIP, core.IPTOS, []byte{4}))))
	if i := good.PacketInfo; !good.HasPacketInfo || i.Addr != at(addrA, 0).Addr || i.Interface != 3 || !good.HasTOS || good.TOS != 4 || good.HasHopLimit {
		t.Errorf("parsed %+v", good)
	}
	good = core.Message{}
	ok(t, good.ParseControl(cat(cmsg(core.SolIPv6, core.IPv6PktInfo, cat(own6[:], int32s(4))), cmsg(core.SolIPv6, core.IPv6HopLimit, int32s(-1)))))
	if i := good.PacketInfo; i.Addr != at(addrA6, 0).Addr || i.Interface != 4 || good.HasHopLimit {
		t.Errorf("parsed %+v", good)
	}
	for name, b := range map[string][]byte{
		"longer than the buffer":  cmsg(core.SolIP, core.IPTTL, int32s(1))[:18],
		"shorter than its header": make([]byte, 16),
		"TTL of 0":                cmsg(core.SolIP, core.IPTTL, int32s(0)),
		"TTL of 256":              cmsg(core.SolIP, core.IPTTL, int32s(256)),
		"TTL of two bytes":        cmsg(core.SolIP, core.IPTTL, []byte{1, 0}),
		"hop limit of -2":         cmsg(core.SolIPv6, core.IPv6HopLimit, int32s(-2)),
		"traffic class of 256":    cmsg(core.SolIPv6, core.IPv6TClass, int32s(256)),
		"short in_pktinfo":        cmsg(core.SolIP, core.IPPktInfo, make([]byte, 11)),
		"short in6_pktinfo":       cmsg(core.SolIPv6, core.IPv6PktInfo, make([]byte, 19)),
		"unknown of IP":           cmsg(core.SolIP, 99, int32s(1)),
		"unknown of IPv6":         cmsg(core.SolIPv6, 99, int32s(1)),
		"SCM_RIGHTS":              cmsg(core.SolSocket, 1, int32s(1)),
	} {
		want(t, name, new(core.Message).ParseControl(b), einval)
	}
}

func FuzzParseControl(f *testing.F) {
	f.Add(cmsg(core.SolIP, core.IPTTL, int32s(7)))
	f.Add(cmsg(core.SolIPv6, core.IPv6PktInfo, make([]byte, 20)))
	f.Fuzz(func(t *testing.T, b []byte) {
		var m core.Message
		if err := m.ParseControl(b); err != nil && !errors.Is(err, einval) {
			t.Errorf("%v, want EINVAL or nothing", err)
		}
	})
}
