package core_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
)

// realHosts are two instances on one link in real time.
func realHosts(t testing.TB) *hosts {
	t.Helper()
	r := coretest.New(t, host.NewRealTime())
	w := libos.Wiring()
	h := &hosts{Rig: r, a: r.Instance("a", w), b: r.Instance("b", w)}
	da, db := pipe.New(pipe.Config{})
	r.Attach(h.a, da, "eth0", addrA+"/24", addrA6+"/64")
	r.Attach(h.b, db, "eth0", addrB+"/24", addrB6+"/64")
	return h
}

// inBothTimes runs f as a task in virtual time and as a goroutine in real time.
func inBothTimes(t *testing.T, f func(t *testing.T, h *hosts)) {
	t.Run("virtual", func(t *testing.T) {
		h := newHosts(t)
		h.Do(func() { f(t, h) })
	})
	t.Run("real", func(t *testing.T) { f(t, realHosts(t)) })
}

// opError checks that err is a *net.OpError of op around target.
func opError(t testing.TB, err error, op string, target error) *net.OpError {
	t.Helper()
	var e *net.OpError
	if !errors.As(err, &e) || e.Op != op || !errors.Is(err, target) {
		t.Fatalf("%#v (%v), want an OpError of %s around %v", err, err, op, target)
	}
	return e
}

func TestDialErrors(t *testing.T) {
	h := newHosts(t)
	h.Do(func() {
		_, err := h.a.Dial("tcp", addrB+":9")
		e := opError(t, err, "dial", syscall.ECONNREFUSED)
		if e.Net != "tcp" || e.Addr.String() != addrB+":9" {
			t.Errorf("the error names %s %s", e.Net, e.Addr)
		}
		_, err = h.a.Dial("tcp", "192.0.2.1:9")
		opError(t, err, "dial", syscall.ENETUNREACH)
		_, err = h.a.Listen("tcp", addrB+":9")
		opError(t, err, "listen", syscall.EADDRNOTAVAIL)
		_, err = h.a.ListenPacket("udp", addrB+":9")
		opError(t, err, "listen", syscall.EADDRNOTAVAIL)
		for _, x := range [][2]string{{"tcp5", addrB + ":9"}, {"tcp46", addrB + ":9"}, {"unix", "x"}, {"ip", addrB}, {"", addrB + ":1"},
			{"udp:17", addrB + ":9"}, {"datagram", addrB + ":9"}, {"datagram:", addrB + ":9"}, {"datagram:0", addrB + ":9"}, {"datagram:256", addrB + ":9"}, {"datagram5:17", addrB + ":9"}} {
			var unknown net.UnknownNetworkError
			if _, err := h.a.Dial(x[0], x[1]); !errors.As(err, &unknown) {
				t.Errorf("network %q: %v", x[0], err)
			}
		}
		for _, x := range [][2]string{{"tcp", addrB}, {"tcp", addrB + ":http"}, {"tcp", addrB + ":65536"}, {"tcp", "b:9"},
			{"tcp4", "[" + addrB6 + "]:9"}, {"tcp6", addrB + ":9"}, {"tcp", "[fe80::1%eth7]:9"}} {
			_, err := h.a.Dial(x[0], x[1])
			var e *net.OpError
			if !errors.As(err, &e) || e.Op != "dial" {
				t.Errorf("%s %s: %v", x[0], x[1], err)
			}
		}
	})
}

func TestNetworksChooseTheFamily(t *testing.T) {
	h := newHosts(t)
	h.Do(func() {
		for _, x := range []struct{ network, listen, dial, remote string }{
			{"tcp", ":0", addrB, addrB}, {"tcp", ":0", addrB6, addrB6},
			{"tcp4", ":0", addrB, addrB}, {"tcp6", ":0", addrB6, addrB6},
		} {
			l, err := h.b.Listen(x.network, x.listen)
			ok(t, err)
			_, port, _ := net.SplitHostPort(l.Addr().String())
			c, err := h.a.Dial(x.network, net.JoinHostPort(x.dial, port))
			ok(t, err)
			s, err := l.Accept()
			ok(t, err)
			if c.RemoteAddr().String() != net.JoinHostPort(x.remote, port) || s.RemoteAddr().String() != c.LocalAddr().String() {
				t.Errorf("%s: from %s to %s, accepted from %s", x.network, c.LocalAddr(), c.RemoteAddr(), s.RemoteAddr())
			}
			if c.LocalAddr().Network() != "tcp" {
				t.Errorf("network %s", c.LocalAddr().Network())
			}
			ok(t, c.Close())
			ok(t, s.Close())
			ok(t, l.Close())
		}
		l, err := h.b.Listen("tcp6", ":99")
		ok(t, err)
		_, err = h.a.Dial("tcp", addrB+":99")
		opError(t, err, "dial", syscall.ECONNREFUSED)
		ok(t, l.Close())
		for _, x := range [][2]string{{"localhost:99", "127.0.0.1:99"}, {":99", "127.0.0.1:99"}} {
			l, err := h.b.Listen("tcp4", x[1])
			ok(t, err)
			c, err := h.b.Dial("tcp4", x[0])
			ok(t, err)
			if c.RemoteAddr().String() != x[1] {
				t.Errorf("%s is %s", x[0], c.RemoteAddr())
			}
			ok(t, c.Close())
			ok(t, l.Close())
		}
	})
}

func TestADatagramNetworkIsTheProtocolOfItsNumber(t *testing.T) {
	h := newHosts(t)
	h.Do(func() {
		for network, remote := range map[string]string{"datagram:17": addrB, "datagram4:17": addrB, "datagram6:17": addrB6} {
			p, err := h.b.ListenPacket(network, net.JoinHostPort(remote, "7"))
			ok(t, err)
			c, err := h.a.Dial(network, net.JoinHostPort(remote, "7"))
			ok(t, err)
			_, err = c.Write([]byte("hello"))
			ok(t, err)
			var b [9]byte
			n, from, err := p.ReadFrom(b[:])
			ok(t, err)
			if string(b[:n]) != "hello" || from.String() != c.LocalAddr().String() {
				t.Errorf("%s: %q from %s, sent from %s", network, b[:n], from, c.LocalAddr())
			}
			ok(t, c.Close())
			ok(t, p.Close())
		}
		_, err := h.a.Dial("datagram4:17", "["+addrB6+"]:7")
		if err == nil {
			t.Error("an IPv6 address on a network of IPv4")
		}
		_, err = h.a.Dial("datagram:146", addrB+":7") // ends in 6, is not of IPv6 alone
		opError(t, err, "dial", syscall.EPROTONOSUPPORT)
	})
}

func TestADialEndsWithItsContext(t *testing.T) {
	h := realHosts(t)
	far := "10.0.0.77:9"
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(10*time.Millisecond, cancel)
	_, err := h.a.DialContext(ctx, "tcp", far)
	opError(t, err, "dial", context.Canceled)
	ctx, cancel = context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err = h.a.DialContext(ctx, "tcp", far)
	if e := opError(t, err, "dial", context.DeadlineExceeded); !e.Timeout() {
		t.Error("a dial that took too long is no timeout")
	}
	_, err = h.a.DialContext(ctx, "udp", addrB+":9")
	opError(t, err, "dial", context.DeadlineExceeded)
	h.Domain.Do(func() {
		if n := len(h.a.Sockets()); n != 0 {
			t.Errorf("%d sockets are left", n)
		}
	})
	// A context that ends after the dial does not bother the connection.
	l, err := h.b.Listen("tcp", addrB+":80")
	ok(t, err)
	ctx, cancel = context.WithTimeout(context.Background(), time.Minute)
	c, err := h.a.DialContext(ctx, "tcp", addrB+":80")
	ok(t, err)
	cancel()
	_, err = c.Write([]byte("x"))
	ok(t, err)
	ok(t, c.Close())
	ok(t, l.Close())
}

// stream is both ends of a connection.
func stream(t testing.TB, h *hosts) (c, s *core.Conn) {
	t.Helper()
	l, err := h.b.Listen("tcp", addrB+":80")
	ok(t, err)
	x, err := h.a.Dial("tcp", addrB+":80")
	ok(t, err)
	y, err := l.Accept()
	ok(t, err)
	ok(t, l.Close())
	t.Cleanup(func() {
		_ = x.Close()
		_ = y.Close()
	})
	return x.(*core.Conn), y.(*core.Conn)
}

func TestDeadlines(t *testing.T) {
	inBothTimes(t, func(t *testing.T, h *hosts) {
		c, _ := stream(t, h)
		b := make([]byte, 10)
		now := h.Host.WallNow
		ok(t, c.SetReadDeadline(now().Add(-time.Second)))
		_, err := c.Read(b)
		if e := opError(t, err, "read", os.ErrDeadlineExceeded); !e.Timeout() {
			t.Error("no timeout")
		}
		_, err = c.Write([]byte("the write side is free"))
		ok(t, err)

		start := now()
		ok(t, c.SetReadDeadline(start.Add(30*time.Millisecond)))
		_, err = c.Read(b)
		opError(t, err, "read", os.ErrDeadlineExceeded)
		if d := now().Sub(start); d < 30*time.Millisecond || d > 10*time.Second {
			t.Errorf("the read took %v, want 30ms", d)
		}

		// Changed while a read waits: nearer.
		ok(t, c.SetReadDeadline(now().Add(time.Hour)))
		h.Go("changer", func() {
			_ = h.a.Sleep(10 * time.Millisecond)
			_ = c.SetReadDeadline(now())
		})
		_, err = c.Read(b)
		opError(t, err, "read", os.ErrDeadlineExceeded)

		ok(t, c.SetWriteDeadline(now().Add(-time.Second)))
		_, err = c.Write([]byte("x"))
		opError(t, err, "write", os.ErrDeadlineExceeded)

		ok(t, c.SetDeadline(time.Time{}))
		_, err = c.Write([]byte("x"))
		ok(t, err)
		for _, far := range []time.Time{now().Add(1<<63 - 1), time.Unix(1<<40, 0)} {
			ok(t, c.SetWriteDeadline(far))
			_, err = c.Write([]byte("x"))
			ok(t, err)
		}
	})
}

func TestADeadlineThatMovedAwayDoesNotEndTheCall(t *testing.T) {
	h := newHosts(t)
	h.Do(func() {
		c, _ := stream(t, h)
		start := h.Host.WallNow()
		ok(t, c.SetDeadline(start.Add(time.Second)))
		h.Go("changer", func() {
			ok(t, h.a.Sleep(500*time.Millisecond))
			ok(t, c.SetDeadline(start.Add(3*time.Second)))
		})
		_, err := c.Read(make([]byte, 10))
		opError(t, err, "read", os.ErrDeadlineExceeded)
		if d := h.Host.WallNow().Sub(start); d != 3*time.Second {
			t.Errorf("the read took %v, want 3s", d)
		}
	})
}

func TestAWriteDeadlineEndsAWriteInTheMiddle(t *testing.T) {
	h := newHosts(t)
	h.Do(func() {
		c, _ := stream(t, h)
		start := h.Host.WallNow()
		ok(t, c.SetWriteDeadline(start.Add(time.Second)))
		n, err := c.Write(make([]byte, 64<<20))
		opError(t, err, "write", os.ErrDeadlineExceeded)
		if n == 0 || n == 64<<20 {
			t.Errorf("%d bytes were written", n)
		}
		if d := h.Host.WallNow().Sub(start); d != time.Second {
			t.Errorf("the write took %v, want 1s", d)
		}
	})
}

func TestAListenerEndsItsAccepts(t *testing.T) {
	inBothTimes(t, func(t *testing.T, h *hosts) {
		l, err := h.b.Listen("tcp", addrB+":80")
		ok(t, err)
		ld := l.(*core.Listener)
		ok(t, ld.SetDeadline(h.Host.WallNow().Add(10*time.Millisecond)))
		_, err = l.Accept()
		opError(t, err, "accept", os.ErrDeadlineExceeded)
		ok(t, ld.SetDeadline(time.Time{}))
		h.Go("closer", func() {
			_ = h.b.Sleep(10 * time.Millisecond)
			_ = l.Close()
		})
		_, err = l.Accept()
		opError(t, err, "accept", net.ErrClosed)
		opError(t, l.Close(), "close", net.ErrClosed)
		opError(t, ld.SetDeadline(time.Time{}), "set", net.ErrClosed)
		if a := l.Addr().String(); a != addrB+":80" {
			t.Errorf("the listener's address became %s", a)
		}
	})
}

func TestAClosedConn(t *testing.T) {
	inBothTimes(t, func(t *testing.T, h *hosts) {
		c, s := stream(t, h)
		from, to := c.LocalAddr().String(), c.RemoteAddr().String()
		h.Go("closer", func() {
			_ = h.a.Sleep(10 * time.Millisecond)
			_ = c.Close()
		})
		_, err := c.Read(make([]byte, 10))
		opError(t, err, "read", net.ErrClosed)
		_, err = c.Write([]byte("x"))
		e := opError(t, err, "write", net.ErrClosed)
		if e.Source.String() != from || e.Addr.String() != to {
			t.Errorf("the error is about %v to %v, want %s to %s", e.Source, e.Addr, from, to)
		}
		opError(t, c.Close(), "close", net.ErrClosed)
		opError(t, c.CloseWrite(), "close", net.ErrClosed)
		opError(t, c.SetDeadline(time.Time{}), "set", net.ErrClosed)
		opError(t, c.SetNoDelay(true), "set", net.ErrClosed)
		opError(t, c.SetLinger(0), "set", net.ErrClosed)
		if n, err := s.Read(make([]byte, 10)); n != 0 || err != io.EOF {
			t.Errorf("the peer read %d, %v", n, err)
		}
	})
}

// A reset connection still says whose it was.
func TestTheAddressesOfAResetConnection(t *testing.T) {
	h := newHosts(t)
	h.Do(func() {
		c, s := stream(t, h)
		ok(t, c.SetLinger(0))
		ok(t, c.Close())
		_, err := s.Read(make([]byte, 10))
		opError(t, err, "read", syscall.ECONNRESET)
		if s.RemoteAddr() == nil || s.RemoteAddr().String() != c.LocalAddr().String() {
			t.Errorf("the peer was %v, now %v", c.LocalAddr(), s.RemoteAddr())
		}
		_, err = s.Write([]byte("x"))
		opError(t, err, "write", syscall.EPIPE)
	})
}

func TestHalfClose(t *testing.T) {
	h := newHosts(t)
	h.Do(func() {
		c, s := stream(t, h)
		ok(t, c.CloseWrite())
		if b, err := io.ReadAll(s); len(b) != 0 || err != nil {
			t.Errorf("read %q, %v", b, err)
		}
		_, err := s.Write([]byte("answer"))
		ok(t, err)
		ok(t, s.CloseRead())
		ok(t, s.CloseWrite())
		if b, err := io.ReadAll(c); string(b) != "answer" || err != nil {
			t.Errorf("read %q, %v", b, err)
		}
		_, err = c.Write([]byte("x"))
		opError(t, err, "write", syscall.EPIPE)
		opError(t, s.CloseRead(), "close", syscall.ENOTCONN) // both ends have closed
	})
}

func TestConnOptions(t *testing.T) {
	h := newHosts(t)
	h.Do(func() {
		c, s := stream(t, h)
		get := func(level, name int) int {
			v, err := c.Socket().Int(level, name)
			ok(t, err)
			return v
		}
		if v, err := s.Socket().Int(core.SolTCP, 1); v != 1 || err != nil || get(core.SolTCP, 1) != 1 {
			t.Error("connections start with Nagle's algorithm")
		}
		ok(t, c.SetNoDelay(false))
		ok(t, c.SetKeepAlive(true))
		ok(t, c.SetKeepAlivePeriod(1500*time.Millisecond))
		ok(t, c.SetReadBuffer(50000))
		ok(t, c.SetWriteBuffer(60000))
		for _, x := range [][3]int{{core.SolTCP, 1, 0}, {core.SolSocket, core.SoKeepalive, 1}, {core.SolTCP, 4, 2}, {core.SolTCP, 5, 2},
			{core.SolSocket, core.SoRcvBuf, 100000}, {core.SolSocket, core.SoSndBuf, 120000}} {
			if v := get(x[0], x[1]); v != x[2] {
				t.Errorf("level %d option %d: %d, want %d", x[0], x[1], v, x[2])
			}
		}
		b := make([]byte, 8)
		for sec, on := range map[int]string{-1: "\x00", 0: "\x01", 3: "\x01"} {
			ok(t, c.SetLinger(sec))
			if _, err := c.Socket().Option(core.SolSocket, core.SoLinger, b); err != nil || string(b[:1]) != on {
				t.Errorf("linger %d: % x, %v", sec, b, err)
			}
		}
	})
}

func TestBlockingInVirtualTimeOutsideOfATaskNamesTheCure(t *testing.T) {
	h := newHosts(t)
	c, err := h.a.ListenPacket("udp", ":0")
	ok(t, err)
	defer c.Close()
	_, _, err = c.ReadFrom(make([]byte, 10))
	opError(t, err, "read", host.ErrNotTask)
	if !strings.Contains(err.Error(), "Virtual.Go") {
		t.Errorf("%v names no cure", err)
	}
	_, err = h.a.Dial("tcp", "10.0.0.77:9")
	opError(t, err, "dial", host.ErrNotTask)
	want(t, "sleep", h.a.Sleep(time.Second), host.ErrNotTask)
}

func TestPacketConns(t *testing.T) {
	for network, to := range map[string]string{"udp4": addrB, "udp6": "[" + addrB6 + "]"} {
		h := newHosts(t)
		h.Do(func() {
			s, err := h.b.ListenPacket(network, to+":7")
			ok(t, err)
			c, err := h.a.ListenPacket(network, ":0")
			ok(t, err)
			b := make([]byte, 64)
			_, err = c.WriteTo([]byte("one"), s.LocalAddr())
			ok(t, err)
			n, from, err := s.ReadFrom(b)
			if err != nil || string(b[:n]) != "one" || from.(*net.UDPAddr).Port != c.LocalAddr().(*net.UDPAddr).Port {
				t.Errorf("%s: %q from %v, %v", network, b[:n], from, err)
			}
			_, err = s.WriteTo([]byte("two"), from)
			ok(t, err)
			n, ap, err := c.ReadFromUDPAddrPort(b)
			if err != nil || string(b[:n]) != "two" || ap.String() != to+":7" {
				t.Errorf("%s: %q from %v, %v", network, b[:n], ap, err)
			}
			_, err = c.WriteToUDPAddrPort([]byte("three"), ap)
			ok(t, err)
			if n, _, err = s.ReadFromAddrPort(b); err != nil || string(b[:n]) != "three" {
				t.Errorf("%s: %q, %v", network, b[:n], err)
			}
			if c.RemoteAddr() != nil {
				t.Errorf("an unconnected socket has the peer %v", c.RemoteAddr())
			}
			_, err = c.WriteTo(nil, &net.TCPAddr{})
			opError(t, err, "write", einval)
			_, err = c.WriteTo(nil, &net.UDPAddr{IP: net.IP{1, 2, 3}, Port: 7})
			opError(t, err, "write", einval)
			_, err = c.WriteTo(nil, &net.UDPAddr{IP: net.IPv6linklocalallnodes, Port: 7, Zone: "eth9"})
			opError(t, err, "write", syscall.ENODEV)
			_, err = c.Write([]byte("x"))
			opError(t, err, "write", syscall.EDESTADDRREQ)
			ok(t, c.SetReadDeadline(h.Host.WallNow().Add(time.Second)))
			_, _, err = c.ReadFrom(b)
			opError(t, err, "read", os.ErrDeadlineExceeded)
			ok(t, c.Close())
			_, _, err = c.ReadFromAddrPort(b)
			opError(t, err, "read", net.ErrClosed)
			ok(t, s.Close())
		})
	}
}

// The zone of a link-local address is its interface, both ways.
func TestLinkLocalAddressesHaveZones(t *testing.T) {
	h := newHosts(t)
	h.Do(func() {
		ok(t, h.a.Sleep(5*time.Second)) // duplicate address detection
		var local netip.Addr
		h.Domain.Do(func() {
			for _, a := range h.b.InterfaceByIndex(2).Addresses() {
				if a.Prefix.Addr.IsLinkLocalUnicast() {
					local = a.Prefix.Addr.NetIP()
				}
			}
		})
		if !local.IsValid() {
			t.Fatal("b has no link-local address")
		}
		s, err := h.b.ListenPacket("udp6", "[::]:7")
		ok(t, err)
		defer s.Close()
		c, err := h.a.ListenPacket("udp6", "[::]:0")
		ok(t, err)
		defer c.Close()
		b := make([]byte, 10)
		_, err = c.WriteToAddrPort([]byte("x"), netip.AddrPortFrom(local.WithZone("eth0"), 7))
		ok(t, err)
		_, from, err := s.ReadFromAddrPort(b)
		ok(t, err)
		if from.Addr().Zone() != "eth0" {
			t.Errorf("from %v, want zone eth0", from)
		}
		_, err = s.WriteToAddrPort([]byte("y"), from)
		ok(t, err)
		_, fromB, err := c.ReadFrom(b)
		ok(t, err)
		if u := fromB.(*net.UDPAddr); u.Zone != "eth0" || u.IP.String() != local.String() {
			t.Errorf("from %v, want %v%%eth0", fromB, local)
		}
		conn, err := h.a.Dial("udp6", net.JoinHostPort(local.String()+"%eth0", "7"))
		ok(t, err)
		defer conn.Close()
		if z := conn.RemoteAddr().(*net.UDPAddr).Zone; z != "eth0" {
			t.Errorf("connected to %v", conn.RemoteAddr())
		}
	})
}

// serve is an HTTP server on b and a client on a that does not leave the link.
func serve(t testing.TB, h *hosts) (client *http.Client, stop func()) {
	t.Helper()
	l, err := h.b.Listen("tcp", addrB+":80")
	ok(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	mux.HandleFunc("/who", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RemoteAddr) })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	server := &http.Server{Handler: mux}
	var done sync.WaitGroup
	done.Go(func() {
		if err := server.Serve(l); err != http.ErrServerClosed {
			t.Errorf("Serve: %v", err)
		}
	})
	transport := &http.Transport{DialContext: h.a.DialContext}
	return &http.Client{Transport: transport}, func() {
		transport.CloseIdleConnections()
		if err := server.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		done.Wait()
	}
}

func fetch(t testing.TB, client *http.Client, h *hosts) {
	t.Helper()
	body := strings.Repeat("over our own stack. ", 20000)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			r, err := client.Post("http://"+addrB+"/echo", "text/plain", strings.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Body.Close()
			if got, err := io.ReadAll(r.Body); err != nil || string(got) != body {
				t.Errorf("%d of %d bytes came back, %v", len(got), len(body), err)
			}
		})
	}
	all.Wait()
	r, err := client.Get("http://" + addrB + "/who")
	ok(t, err)
	who, _ := io.ReadAll(r.Body)
	r.Body.Close()
	if !strings.HasPrefix(string(who), addrA+":") {
		t.Errorf("the server saw %q", who)
	}
}

func TestHTTPInRealTime(t *testing.T) {
	h := realHosts(t)
	client, stop := serve(t, h)
	fetch(t, client, h)
	client.Timeout = 20 * time.Millisecond
	_, err := client.Get("http://" + addrB + "/slow")
	if e, is := err.(net.Error); !is || !e.Timeout() {
		t.Errorf("a slow answer: %v, want a timeout", err)
	}
	stop()
}

// In a bubble of testing/synctest the real-time host's clocks are the bubble's:
// an hour costs nothing.
func TestHTTPInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := realHosts(t)
		client, stop := serve(t, h)
		fetch(t, client, h)
		start := time.Now()
		client.Timeout = time.Hour
		_, err := client.Get("http://" + addrB + "/slow")
		if e, is := err.(net.Error); !is || !e.Timeout() {
			t.Errorf("a slow answer: %v, want a timeout", err)
		}
		if d := time.Since(start); d < time.Hour || d > time.Hour+time.Minute {
			t.Errorf("the timeout took %v", d)
		}
		stop()
	})
}

func TestAnIdleInstanceHasNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	h := realHosts(t)
	l, err := h.b.Listen("tcp", addrB+":80")
	ok(t, err)
	c, err := h.a.Dial("tcp", addrB+":80")
	ok(t, err)
	for i := 0; runtime.NumGoroutine() > before; i++ { // what was deferred ends by itself
		if i == 1000 {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		time.Sleep(time.Millisecond)
	}
	ok(t, c.Close())
	ok(t, l.Close())
}
