package core_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
)

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
		_, err = receive(s, 1, core.MsgOOB|core.MsgDontWait)
		want(t, "receiving urgent data, which is nothing else here", err, syscall.EAGAIN)
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
