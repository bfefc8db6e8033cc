package core_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
)

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
			want(t, "send", err, syscall.ECONNRESET) // by itself (net/ipv4/tcp.c, tcp_disconnect)
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
