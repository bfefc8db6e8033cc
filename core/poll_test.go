package core_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
)

const (
	in, out, hup, rdhup, pollErr, pri = core.ReadyIn, core.ReadyOut, core.ReadyHup, core.ReadyRdHup, core.ReadyErr, core.ReadyPri
)

func wantReady(t testing.TB, when string, s *core.Socket, want core.Ready) {
	t.Helper()
	if r := s.Ready(); r != want {
		t.Errorf("%s: ready for %#x, want %#x", when, r, want)
	}
}

// Readiness in each state of TCP is that of tcp_poll (net/ipv4/tcp.c).
func TestReadinessOfAStream(t *testing.T) {
	each(t, streams, func(t *testing.T, h *hosts, k kind) {
		soon := func() { ok(t, h.a.Sleep(100*time.Millisecond)) }
		_, b := k.addresses()
		fresh := open(t, h.a, k)
		wantReady(t, "CLOSED", fresh, out|hup)
		l := h.bound(t, k, 7)
		wantReady(t, "LISTEN", l, 0)
		far := at("10.0.0.77", 7)
		if k.family == core.AFInet6 {
			far = at("fd00::77", 7)
		}
		opening := open(t, h.a, k)
		opening.SetNonblock(true)
		want(t, "connect", opening.Connect(far), syscall.EINPROGRESS)
		wantReady(t, "SYN-SENT", opening, 0)

		c := open(t, h.a, k)
		ok(t, c.Connect(at(b, 7)))
		wantReady(t, "LISTEN with a connection", l, in)
		s, _, err := l.Accept()
		ok(t, err)
		t.Cleanup(func() { _ = s.Close() })
		wantReady(t, "LISTEN after accept", l, 0)
		wantReady(t, "ESTABLISHED", c, out)
		send(t, c, "x")
		soon()
		wantReady(t, "with bytes", s, in|out)
		if _, err := c.Send(&core.Message{Data: []byte("!"), Flags: core.MsgOOB}); err != nil {
			t.Fatal(err)
		}
		soon()
		wantReady(t, "with an urgent byte", s, in|out|pri)
		_, err = receive(s, 1, core.MsgOOB)
		ok(t, err)
		wantReceived(t, s, 10, 0, "x")
		s.SetNonblock(true)
		_, _ = receive(s, 10, 0)
		wantReady(t, "read empty", s, out)
		ok(t, c.Shutdown(core.ShutWrite))
		soon()
		wantReady(t, "FIN-WAIT-2", c, out)
		wantReady(t, "CLOSE-WAIT", s, in|out|rdhup)
		ok(t, s.Shutdown(core.ShutWrite))
		soon()
		wantReady(t, "after both FINs, at the first to end", c, in|out|rdhup|hup)
		wantReady(t, "after both FINs", s, in|out|rdhup|hup)

		c, s, _ = h.pair(t, k, 8)
		ok(t, c.Shutdown(core.ShutRead))
		wantReady(t, "shut for reading", c, in|out|rdhup)
		ok(t, c.Disconnect())
		soon()
		wantReady(t, "reset by the peer", s, in|out|rdhup|hup|pollErr)

		c, s, _ = h.pair(t, k, 9)
		c.SetNonblock(true)
		for {
			if _, err := c.Send(&core.Message{Data: make([]byte, 100000)}); err != nil {
				want(t, "a full connection", err, syscall.EAGAIN)
				break
			}
		}
		soon()
		if r := c.Ready(); r&out == 0 { // the peer's buffer may have taken some
			wantReady(t, "full", c, 0)
		}
		for {
			if _, err := c.Send(&core.Message{Data: make([]byte, 100000)}); err != nil {
				soon()
				if c.Ready()&out == 0 {
					break
				}
			}
		}
		s.SetNonblock(true)
		for {
			if _, err := receive(s, 100000, 0); err != nil {
				soon()
				if s.Ready()&in == 0 {
					break
				}
			}
		}
		wantReady(t, "with room again", c, out)
		wantReady(t, "SYN-SENT still", opening, 0)
		ok(t, h.a.Sleep(5*time.Second))
		wantReady(t, "after the connect failed", opening, in|out|rdhup|hup|pollErr)
	})
}

// Readiness of a datagram socket is that of datagram_poll (net/core/datagram.c).
func TestReadinessOfADatagramSocket(t *testing.T) {
	each(t, datagrams, func(t *testing.T, h *hosts, k kind) {
		_, b := k.addresses()
		wantReady(t, "unbound", open(t, h.a, k), out)
		c, s, _ := h.pair(t, k, 7)
		wantReady(t, "without datagrams", s, out)
		send(t, c, "")
		wantReady(t, "with an empty datagram", s, in|out)
		wantReceived(t, s, 10, 0, "")
		wantReady(t, "read empty", s, out)
		ok(t, s.Shutdown(core.ShutRead))
		wantReady(t, "shut for reading", s, in|out|rdhup)
		ok(t, s.Shutdown(core.ShutWrite))
		wantReady(t, "shut both ways", s, in|rdhup|hup)
		lost := open(t, h.a, k)
		ok(t, lost.Connect(at(b, 99)))
		send(t, lost, "x")
		ok(t, h.a.Sleep(100*time.Millisecond))
		wantReady(t, "refused", lost, out|pollErr)
	})
}

// One waiter on many sockets is poll(2).
func TestPollOfManySockets(t *testing.T) {
	h := newHosts(t)
	h.Do(func() {
		const n = 50
		w := &core.Waiter{Token: make(chan struct{}, 1)}
		var pending []int
		sockets := make([]*core.Socket, n)
		stops := make([]func(), n)
		for i := range sockets {
			s := open(t, h.b, datagrams[0])
			ok(t, s.Bind(at(addrB, uint16(100+i))))
			sockets[i] = s
			stops[i] = s.OnReady(core.ReadyIn, func(r core.Ready) {
				if r&core.ReadyIn != 0 {
					pending = append(pending, i)
				}
				h.Host.Wake(w)
			})
		}
		order := []int{30, 7, 49, 0}
		h.Go("sender", func() {
			c := open(t, h.a, datagrams[0])
			for _, i := range order {
				ok(t, h.a.Sleep(time.Second))
				_, err := c.Send(&core.Message{Data: []byte("x"), Addr: at(addrB, uint16(100+i)), HasAddr: true})
				ok(t, err)
			}
		})
		for _, i := range order {
			for len(pending) == 0 {
				ok(t, h.Host.Park(w))
			}
			if pending[0] != i {
				t.Fatalf("socket %d is ready, want %d", pending[0], i)
			}
			pending = pending[1:]
			wantReceived(t, sockets[i], 10, core.MsgDontWait, "x")
		}
		for _, stop := range stops {
			stop()
		}
		c := open(t, h.a, datagrams[0])
		_, err := c.Send(&core.Message{Addr: at(addrB, 100), HasAddr: true})
		ok(t, err)
		if len(pending) != 0 {
			t.Error("a stopped watch was told")
		}
	})
}

func TestAWatchSeesItsEventsAndEveryHangUp(t *testing.T) {
	h := newHosts(t)
	h.Do(func() {
		c, s, _ := h.pair(t, streams[0], 7)
		var reads, hangs int
		defer s.OnReady(core.ReadyPri, func(r core.Ready) {
			if r&core.ReadyHup != 0 {
				hangs++
			} else {
				reads++
			}
		})()
		send(t, c, "x")
		ok(t, h.a.Sleep(time.Second))
		if reads != 0 {
			t.Error("a watch for urgent data was told of bytes")
		}
		ok(t, c.Disconnect())
		ok(t, h.a.Sleep(time.Second))
		if hangs == 0 {
			t.Error("nobody told of the hang-up")
		}
		before := hangs
		ok(t, s.Close())
		if hangs == before {
			t.Error("nobody told of the close")
		}
	})
}

func TestEveryReaderOfASocketIsServed(t *testing.T) {
	each(t, datagrams, func(t *testing.T, h *hosts, k kind) {
		c, s, _ := h.pair(t, k, 7)
		served := 0
		for range 10 {
			h.Go("reader", func() {
				wantReceived(t, s, 10, 0, "x")
				served++
			})
		}
		ok(t, h.a.Sleep(time.Second))
		for range 10 {
			send(t, c, "x")
		}
		ok(t, h.a.Sleep(time.Second))
		if served != 10 {
			t.Errorf("%d of 10 readers were served", served)
		}
	})
}
