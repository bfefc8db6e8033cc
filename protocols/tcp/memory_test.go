package tcp_test

import (
	"bytes"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
)

// Memory: what the hot path takes from the Go heap, and what happens when an
// instance may hold no more.

// joined is a connection between two hosts, seen from both ends, whose calls do
// not block.
func joined(t *testing.T, p *pair) (a, b *core.Socket) {
	t.Helper()
	l, err := p.b.Listen("tcp", net.JoinHostPort(addrB, "80"))
	if err != nil {
		t.Fatal(err)
	}
	p.Go("server", func() {
		c, err := l.Accept()
		p.check(err)
		b = c.(*core.Conn).Socket()
	})
	p.Go("client", func() {
		c, err := p.a.Dial("tcp", net.JoinHostPort(addrB, "80"))
		p.check(err)
		a = c.(*core.Conn).Socket()
	})
	p.Advance(time.Second)
	if a == nil || b == nil {
		t.Fatal("no connection")
	}
	a.SetNonblock(true)
	b.SetNonblock(true)
	t.Cleanup(func() { p.check(l.Close()) })
	return a, b
}

func TestSendingAndReceivingTakeNothingFromTheHeap(t *testing.T) {
	if raceEnabled() {
		t.Skip("the race detector allocates")
	}
	for _, size := range []int{1, 1000, 4000, 60_000} {
		r := coretest.New(t, host.NewVirtual(1), coretest.Release())
		p := &pair{Rig: r, a: r.Instance("a", wiring()), b: r.Instance("b", wiring())}
		da, db := pipe.New(pipe.Config{})
		r.Attach(p.a, da, "eth0", addrA+"/24")
		r.Attach(p.b, db, "eth0", addrB+"/24")
		a, b := joined(t, p)
		out, in := make([]byte, size), make([]byte, size)
		m := &core.Message{}
		turns := 0 // of the host's loop, which allocates by itself
		turn := func(d time.Duration) {
			turns++
			p.Advance(d)
		}
		loop := testing.AllocsPerRun(100, func() { p.Advance(0) })
		round := func() {
			for sent, got := 0, 0; got < size; {
				if sent < size {
					*m = core.Message{Data: out[sent:]}
					n, err := a.Send(m)
					if err != nil && err != syscall.EAGAIN {
						t.Fatal(err)
					}
					sent += n
				}
				turn(0)
				*m = core.Message{Data: in[got:]}
				n, err := b.Receive(m)
				if err != nil && err != syscall.EAGAIN {
					t.Fatal(err)
				}
				got += n
				turn(0)
				if n == 0 { // an acknowledgement is waited for
					turn(50 * time.Millisecond)
				}
			}
		}
		for range 200 { // slabs, tables and windows find their size
			round()
		}
		turns = 0
		n := testing.AllocsPerRun(200, round)
		if n -= loop * float64(turns) / 201; n > 0 {
			t.Errorf("%d bytes: %v allocations", size, n)
		}
		p.check(a.Close())
		p.check(b.Close())
		p.Advance(5 * time.Minute)
	}
}

// limited is a pair whose instances hold so many bytes at most.
func limited(t *testing.T, bytesA, bytesB int64, w pipe.Wire) *pair {
	t.Helper()
	r := coretest.New(t, host.NewVirtual(1))
	p := &pair{Rig: r, a: r.Instance("a", wiring()), b: r.Instance("b", wiring())}
	da, db := pipe.New(pipe.Config{Wire: w})
	r.Attach(p.a, da, "eth0", addrA+"/24")
	r.Attach(p.b, db, "eth0", addrB+"/24")
	r.Advance(5 * time.Second)
	p.Domain.Do(func() {
		for in, n := range map[*core.Instance]int64{p.a: bytesA, p.b: bytesB} {
			if n != 0 {
				in.Account().SetLimit(n)
			}
		}
	})
	return p
}

// An instance that may hold little slows down, and loses nothing. A write that
// finds no memory says so, and can be tried again.
func TestATransferSurvivesShortMemory(t *testing.T) {
	for _, x := range []struct {
		name string
		a, b int64
	}{
		{"of the sender", 100_000, 0}, {"of the receiver", 0, 100_000}, {"of both", 100_000, 100_000},
	} {
		t.Run(x.name, func(t *testing.T) {
			p := limited(t, x.a, x.b, pipe.Wire{Rate: 50_000_000, Delay: 5 * time.Millisecond, Loss: 0.01})
			l, err := p.b.Listen("tcp", net.JoinHostPort(addrB, "80"))
			if err != nil {
				t.Fatal(err)
			}
			data := noise(3, 1_000_000)
			finished := 0
			p.Go("server", func() {
				c, err := l.Accept()
				if err != nil {
					p.check(err)
					return
				}
				p.check(p.b.Sleep(5 * time.Second)) // all of the window is used
				got, err := io.ReadAll(c)
				p.check(err)
				if !bytes.Equal(got, data) {
					t.Errorf("%d bytes arrived, not those that were sent", len(got))
				}
				p.check(c.Close())
				p.check(l.Close())
				finished++
			})
			p.Go("client", func() {
				c, err := p.a.Dial("tcp", net.JoinHostPort(addrB, "80"))
				if err != nil {
					p.check(err)
					return
				}
				_, err = c.Write(data)
				p.check(err)
				p.check(c.Close())
				finished++
			})
			for range 60 {
				if p.Advance(time.Minute); finished == 2 {
					break
				}
			}
			if finished != 2 {
				t.Errorf("%d of 2 tasks ended", finished)
			}
			p.Domain.Do(func() {
				for in, most := range map[*core.Instance]int64{p.a: x.a, p.b: x.b} {
					if peak := in.Account().Peak(); most != 0 && peak < most*6/10 {
						t.Errorf("%s held %d bytes at most of %d: memory was not short", in.Name(), peak, most)
					}
				}
			})
		})
	}
}
