package libos_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
)

// twoHosts are joined by a pipe in real time.
func twoHosts(t *testing.T, addresses [2]string) (a, b *core.Instance) {
	t.Helper()
	r := coretest.New(t, host.NewRealTime())
	w := libos.Wiring()
	a, b = r.Instance("a", w), r.Instance("b", w)
	da, db := pipe.New(pipe.Config{})
	r.Attach(a, da, "eth0", addresses[0])
	r.Attach(b, db, "eth0", addresses[1])
	return a, b
}

// TestConnectionsAreNetConns runs the tests that every net.Conn has to pass.
func TestConnectionsAreNetConns(t *testing.T) {
	for _, x := range []struct {
		name      string
		addresses [2]string
		listen    string
	}{
		{"tcp4", [2]string{"10.0.0.1/24", "10.0.0.2/24"}, "10.0.0.2:80"},
		{"tcp6", [2]string{"fd00::1/64", "fd00::2/64"}, "[fd00::2]:80"},
	} {
		t.Run(x.name, func(t *testing.T) {
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				a, b := twoHosts(t, x.addresses)
				l, err := b.Listen(x.name, x.listen)
				if err != nil {
					return nil, nil, nil, err
				}
				accepted := make(chan error, 1)
				go func() {
					var err error
					c2, err = l.Accept()
					accepted <- err
				}()
				if c1, err = a.Dial(x.name, x.listen); err != nil {
					return nil, nil, nil, err
				}
				if err := <-accepted; err != nil {
					return nil, nil, nil, fmt.Errorf("accepting: %w", err)
				}
				return c1, c2, func() {
					c1.Close()
					c2.Close()
					l.Close()
				}, nil
			})
		})
	}
}

// TestConnectedDatagramSocketsAreNetConns runs the tests of net.Conn that do not
// take the connection for a stream: deadlines, close and races.
func TestConnectedDatagramSocketsAreNetConns(t *testing.T) {
	for _, x := range []struct {
		name      string
		addresses [2]string
		a, b      string
	}{
		{"udp4", [2]string{"10.0.0.1/24", "10.0.0.2/24"}, "10.0.0.1:70", "10.0.0.2:70"},
		{"udp6", [2]string{"fd00::1/64", "fd00::2/64"}, "[fd00::1]:70", "[fd00::2]:70"},
	} {
		t.Run(x.name, func(t *testing.T) {
			pair := func(t *testing.T) (a, b net.Conn) {
				t.Helper()
				ia, ib := twoHosts(t, x.addresses)
				join := func(in *core.Instance, local, remote string) net.Conn {
					c, err := in.ListenPacket(x.name, local)
					if err != nil {
						t.Fatal(err)
					}
					u, err := net.ResolveUDPAddr(x.name, remote)
					if err != nil {
						t.Fatal(err)
					}
					peer := u.AddrPort()
					if err := c.Socket().Connect(core.SockAddr{Addr: wire.FromNetIP(peer.Addr()), Port: peer.Port()}); err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { _ = c.Close() })
					return c
				}
				return join(ia, x.a, x.b), join(ib, x.b, x.a)
			}
			datagramConns(t, pair)
		})
	}
}

func datagramConns(t *testing.T, pair func(*testing.T) (a, b net.Conn)) {
	t.Run("datagrams keep their bounds", func(t *testing.T) {
		a, b := pair(t)
		for n := range 10 {
			if m, err := a.Write(make([]byte, n*100)); m != n*100 || err != nil {
				t.Fatalf("wrote %d of %d, %v", m, n*100, err)
			}
		}
		buf := make([]byte, 2000)
		for n := range 10 {
			if m, err := b.Read(buf); m != n*100 || err != nil {
				t.Fatalf("read %d, %v; want %d", m, err, n*100)
			}
		}
	})
	t.Run("a past deadline ends reads and writes", func(t *testing.T) {
		a, _ := pair(t)
		if err := a.SetDeadline(time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		_, readErr := a.Read(make([]byte, 10))
		_, writeErr := a.Write([]byte("x"))
		for _, err := range []error{readErr, writeErr} {
			var e net.Error
			if !errors.As(err, &e) || !e.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%v, want a timeout", err)
			}
		}
		if err := a.SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Write([]byte("x")); err != nil {
			t.Error(err)
		}
	})
	t.Run("a deadline ends a read that waits", func(t *testing.T) {
		a, _ := pair(t)
		failed := make(chan error)
		go func() {
			_, err := a.Read(make([]byte, 10))
			failed <- err
		}()
		if err := a.SetReadDeadline(time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
	})
	t.Run("close ends a read that waits", func(t *testing.T) {
		a, _ := pair(t)
		failed := make(chan error)
		go func() {
			_, err := a.Read(make([]byte, 10))
			failed <- err
		}()
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-failed; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	t.Run("any method beside any other", func(t *testing.T) {
		a, b := pair(t)
		var all sync.WaitGroup
		for range 50 {
			for _, f := range []func(){
				func() { _, _ = a.Write([]byte("x")) },
				func() { _ = a.SetReadDeadline(time.Now().Add(time.Millisecond)); _, _ = a.Read(make([]byte, 10)) },
				func() { _ = a.SetWriteDeadline(time.Now().Add(time.Millisecond)) },
				func() { _, _ = b.Write([]byte("y")) },
				func() { _, _ = a.LocalAddr(), a.RemoteAddr() },
			} {
				all.Go(f)
			}
		}
		all.Wait()
	})
}

// TestManyGoroutinesOnTwoDomains has connections and datagrams come, go and be
// cut off in all ways between two Domains on one pipe, for a moment.
func TestManyGoroutinesOnTwoDomains(t *testing.T) {
	w := libos.Wiring()
	h := host.NewRealTime()
	r, r2 := coretest.New(t, h), coretest.New(t, h)
	a, b := r.Instance("a", w), r2.Instance("b", w)
	da, db := pipe.New(pipe.Config{})
	r.Attach(a, da, "eth0", "10.0.0.1/24")
	r2.Attach(b, db, "eth0", "10.0.0.2/24")
	l, err := b.Listen("tcp4", "10.0.0.2:80")
	if err != nil {
		t.Fatal(err)
	}
	echo, err := b.ListenPacket("udp4", "10.0.0.2:7")
	if err != nil {
		t.Fatal(err)
	}
	var servers, clients sync.WaitGroup
	servers.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				if !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
				return
			}
			servers.Go(func() {
				_, _ = io.Copy(c, c)
				_ = c.Close()
			})
		}
	})
	servers.Go(func() {
		buf := make([]byte, 2000)
		for {
			n, from, err := echo.ReadFromAddrPort(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				_, _ = echo.WriteToAddrPort(buf[:n], from)
			}
		}
	})
	var whole, cut, answers atomic.Int64
	end := time.Now().Add(500 * time.Millisecond)
	for i := range 16 {
		clients.Go(func() {
			data := bytes.Repeat([]byte{byte(i)}, 1000+i*3000)
			got := make([]byte, len(data))
			for n := 0; time.Now().Before(end); n++ {
				c, err := a.Dial("tcp4", "10.0.0.2:80")
				if err != nil {
					t.Error(err)
					return
				}
				switch (i + n) % 4 {
				case 0: // closed by another goroutine while it is read
					clients.Go(func() { _ = c.Close() })
					_, err = c.Read(got)
					if err == nil {
						t.Error("bytes came that nobody sent")
					}
					cut.Add(1)
				case 1: // a deadline in the middle
					_ = c.SetDeadline(time.Now().Add(time.Millisecond))
					for err == nil {
						_, err = c.Write(data)
					}
					if !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Errorf("a deadline gave %v", err)
					}
					cut.Add(1)
				default:
					clients.Go(func() {
						if _, err := c.Write(data); err != nil {
							t.Error(err)
						}
					})
					if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, data) {
						t.Errorf("an echo of %d bytes came back wrong, %v", len(data), err)
					}
					whole.Add(1)
				}
				_ = c.Close()
			}
		})
		clients.Go(func() {
			for time.Now().Before(end) {
				c, err := a.Dial("udp4", "10.0.0.2:7")
				if err != nil {
					t.Error(err)
					return
				}
				_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
				if _, err := c.Write([]byte{byte(i)}); err != nil {
					t.Error(err)
				}
				buf := make([]byte, 10)
				if n, err := c.Read(buf); err == nil {
					if n != 1 || buf[0] != byte(i) {
						t.Errorf("another socket's datagram % x came", buf[:n])
					}
					answers.Add(1)
				}
				_ = c.Close()
			}
		})
	}
	clients.Wait()
	_ = l.Close()
	_ = echo.Close()
	for _, in := range []*core.Instance{a, b} { // what servers still hold
		in.Domain().Do(func() {
			for _, s := range in.Sockets() {
				s.CloseLocked()
			}
		})
	}
	servers.Wait()
	if whole.Load() == 0 || cut.Load() == 0 || answers.Load() == 0 {
		t.Errorf("%d echoes, %d cut off, %d answers", whole.Load(), cut.Load(), answers.Load())
	}
}
