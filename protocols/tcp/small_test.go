package tcp_test

import (
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/device/pipe"
)

// A lost segment that is not full is sent again, though nothing follows it and
// Nagle's rule would hold a new one back.
func TestASmallSegmentThatWasLostIsSentAgain(t *testing.T) {
	p := newPair(t, pipe.Config{Wire: pipe.Wire{Loss: 0.2, Delay: time.Millisecond}})
	l, err := p.b.Listen("tcp", addrB+":80")
	if err != nil {
		t.Fatal(err)
	}
	const rounds = 50
	finished := 0
	p.Go("server", func() {
		c, err := l.Accept()
		if err != nil {
			p.check(err)
			return
		}
		b := make([]byte, 100)
		for {
			if _, err := io.ReadFull(c, b); err != nil {
				break
			}
			_, err = c.Write(b)
			p.check(err)
		}
		p.check(c.Close())
		p.check(l.Close())
	})
	p.Go("client", func() {
		c, err := p.a.Dial("tcp", addrB+":80")
		if err != nil {
			p.check(err)
			return
		}
		b := make([]byte, 100)
		for range rounds {
			_, err := c.Write(b)
			p.check(err)
			_, err = io.ReadFull(c, b)
			p.check(err)
			finished++
		}
		p.check(c.Close())
	})
	p.Advance(20 * time.Minute)
	if finished != rounds {
		t.Errorf("%d of %d answers came", finished, rounds)
	}
}

// A closed connection has the addresses that it had, as in package net, and its
// socket none: not what the memory holds now.
func TestTheAddressesOfAClosedConnection(t *testing.T) {
	p := newPair(t, pipe.Config{})
	l, err := p.b.Listen("tcp", addrB+":80")
	if err != nil {
		t.Fatal(err)
	}
	asked := false
	p.Go("client", func() {
		c, err := p.a.Dial("tcp", addrB+":80")
		if err != nil {
			p.check(err)
			return
		}
		from := c.LocalAddr().String()
		p.check(c.Close())
		p.check(p.a.Sleep(10 * time.Minute)) // beyond TIME-WAIT
		if l, r := c.LocalAddr().String(), c.RemoteAddr().String(); l != from || r != addrB+":80" {
			t.Errorf("from %s to %s", l, r)
		}
		if a := c.(*core.Conn).Socket().LocalAddr(); a != (core.SockAddr{}) {
			t.Errorf("getsockname: %v", a)
		}
		if _, err := c.(*core.Conn).Socket().PeerAddr(); err != syscall.EBADF {
			t.Errorf("getpeername: %v", err)
		}
		asked = true
	})
	p.Advance(20 * time.Minute)
	p.check(l.Close())
	if !asked {
		t.Error("the client did not end")
	}
}

// Data that go out while blocks of the other direction wait to be acknowledged
// are shorter by the SACK option, so that the segments fit the path.
func TestSegmentsBesideSACKBlocksFitThePath(t *testing.T) {
	for _, address := range []string{addrB, addrB6} {
		p := newPair(t, pipe.Config{Wire: pipe.Wire{Rate: 50_000_000, Loss: 0.02, Delay: 5 * time.Millisecond}})
		l, err := p.b.Listen("tcp", net.JoinHostPort(address, "80"))
		if err != nil {
			t.Fatal(err)
		}
		const size = 500_000
		finished := 0
		both := func(name string, c net.Conn, err error) {
			if err != nil {
				p.check(err)
				return
			}
			p.Go(name+" writes", func() {
				_, err := c.Write(make([]byte, size))
				p.check(err)
				p.check(c.(*core.Conn).CloseWrite())
				finished++
			})
			n, err := io.Copy(io.Discard, c)
			p.check(err)
			if n != size {
				t.Errorf("%s got %d bytes of %d", name, n, size)
			}
			finished++
		}
		p.Go("server", func() {
			c, err := l.Accept()
			both("server", c, err)
			p.check(l.Close())
		})
		p.Go("client", func() {
			c, err := p.a.Dial("tcp", net.JoinHostPort(address, "80"))
			both("client", c, err)
		})
		p.Advance(20 * time.Minute)
		if finished != 4 {
			t.Errorf("%s: %d of 4 tasks ended", address, finished)
		}
		group, name := "Ip", "FragFails"
		if address == addrB6 {
			group = "Ip6"
		}
		for _, in := range []*core.Instance{p.a, p.b} {
			if n := p.Counter(in, group, name); n != 0 {
				t.Errorf("%s: %d segments of %s were too long", address, n, in.Name())
			}
		}
	}
}
