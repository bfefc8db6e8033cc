package datagram_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	. "github.com/libos-go/libos/core/wire/wiretest"
)

// asking is a socket of the family of to that wants errors, with one datagram
// sent to port 9 of to. It gives the datagram back as it left.
func (s *station) asking(to string, data string) (*core.PacketConn, []byte) {
	s.T.Helper()
	family, level, option := "4", core.SolIP, core.IPRecvErr
	if !wire.MustAddr(to).Is4() {
		family, level, option = "6", core.SolIPv6, core.IPv6RecvErr
	}
	c := s.listen(family, ":7")
	if err := c.Socket().SetInt(level, option, 1); err != nil {
		s.T.Fatal(err)
	}
	return c, s.sends(c, to, data)
}

func (s *station) sends(c *core.PacketConn, to, data string) []byte {
	s.T.Helper()
	if _, err := c.WriteTo([]byte(data), &net.UDPAddr{IP: net.ParseIP(to), Port: 9}); err != nil {
		s.T.Fatal(err)
	}
	own := us
	if !wire.MustAddr(to).Is4() {
		own = us6
	}
	return s.w.Expect(s.datagram(IP(own, to), Ports(7, 9)).Payload(data))
}

// takesError receives from the error queue of c.
func (s *station) takesError(c *core.PacketConn, room int) (m core.Message, data string) {
	s.T.Helper()
	b := make([]byte, room)
	m = core.Message{Data: b, Flags: core.MsgErrQueue}
	n, err := c.Socket().Receive(&m)
	if err != nil {
		s.T.Fatalf("the error queue: %v", err)
	}
	return m, string(b[:n])
}

func (s *station) hasNoError(c *core.PacketConn) {
	s.T.Helper()
	if _, err := c.Socket().Receive(&core.Message{Flags: core.MsgErrQueue}); err != syscall.EAGAIN {
		s.T.Errorf("the error queue: %v, want EAGAIN", err)
	}
	if r := c.Socket().Ready(); r&core.ReadyErr != 0 {
		s.T.Errorf("ready for %#x without an error", r)
	}
}

func pending(t testing.TB, c *core.PacketConn) syscall.Errno {
	t.Helper()
	v, err := c.Socket().Int(core.SolSocket, core.SoError)
	if err != nil {
		t.Fatal(err)
	}
	return syscall.Errno(v)
}

func TestAnICMPErrorComesWithTheDatagramItIsAbout(t *testing.T) {
	const router, router6 = "10.0.0.254", "fd00::fe"
	for _, x := range []struct {
		name    string
		to      string
		message func(quote Field) Packet
		want    core.ExtendedError
	}{
		{"port unreachable", peer, func(q Field) Packet { return IPv4(peer, us).ICMP("unreachable", Code(3), q) },
			core.ExtendedError{Errno: syscall.ECONNREFUSED, Origin: core.ErrorOriginICMP, Type: 3, Code: 3, Offender: core.SockAddr{Addr: wire.MustAddr(peer)}}},
		{"time exceeded", peer, func(q Field) Packet { return IPv4(router, us).ICMP("time exceeded", q) },
			core.ExtendedError{Errno: syscall.EHOSTUNREACH, Origin: core.ErrorOriginICMP, Type: 11, Offender: core.SockAddr{Addr: wire.MustAddr(router)}}},
		{"fragmentation needed", peer, func(q Field) Packet { return IPv4(router, us).ICMP("unreachable", Code(4), MTU(1400), q) },
			core.ExtendedError{Errno: syscall.EMSGSIZE, Origin: core.ErrorOriginICMP, Type: 3, Code: 4, Info: 1400, Offender: core.SockAddr{Addr: wire.MustAddr(router)}}},
		{"parameter problem", peer, func(q Field) Packet { return IPv4(router, us).ICMP("parameter problem", Pointer(8), q) },
			core.ExtendedError{Errno: syscall.EPROTO, Origin: core.ErrorOriginICMP, Type: 12, Info: 8, Offender: core.SockAddr{Addr: wire.MustAddr(router)}}},
		{"IPv6 port unreachable", peer6, func(q Field) Packet { return IPv6(peer6, us6).ICMP("unreachable", Code(4), q) },
			core.ExtendedError{Errno: syscall.ECONNREFUSED, Origin: core.ErrorOriginICMP6, Type: 1, Code: 4, Offender: core.SockAddr{Addr: wire.MustAddr(peer6)}}},
		{"IPv6 packet too big", peer6, func(q Field) Packet { return IPv6(router6, us6).ICMP("packet too big", MTU(1300), q) },
			core.ExtendedError{Errno: syscall.EMSGSIZE, Origin: core.ErrorOriginICMP6, Type: 2, Info: 1300, Offender: core.SockAddr{Addr: wire.MustAddr(router6)}}},
	} {
		t.Run(x.name, func(t *testing.T) {
			s := alone(t)
			c, sent := s.asking(x.to, "hello")
			s.hasNoError(c)
			s.w.Inject(x.message(Quote(Read(sent))))
			if r := c.Socket().Ready(); r&core.ReadyErr == 0 {
				t.Errorf("ready for %#x, want POLLERR", r)
			}
			m, data := s.takesError(c, 64)
			if m.Error != x.want || !m.HasError || m.OutFlags != core.MsgErrQueue {
				t.Errorf("%+v with flags %#x,\nwant %+v", m.Error, m.OutFlags, x.want)
			}
			if to := (core.SockAddr{Addr: wire.MustAddr(x.to), Port: 9}); data != "hello" || m.Addr != to {
				t.Errorf("%q to %v came back, want hello to %v", data, m.Addr, to)
			}
			s.hasNoError(c)
			if e := pending(t, c); e != 0 {
				t.Errorf("SO_ERROR after the last error was taken: %v", e)
			}
		})
	}
}

// Without IP_RECVERR an unconnected socket hears nothing, and a connected one
// of hard errors alone (RFC 1122 §4.1.3.3 as Linux reads it).
func TestWhoHearsOfAnICMPError(t *testing.T) {
	for _, x := range []struct {
		name             string
		asks, connects   bool
		message          string
		code             int
		pending          syscall.Errno
		queued, discover bool
	}{
		{"unconnected", false, false, "unreachable", 3, 0, false, true},
		{"connected", false, true, "unreachable", 3, syscall.ECONNREFUSED, false, true},
		{"connected, a soft error", false, true, "time exceeded", 0, 0, false, true},
		{"asking", true, false, "unreachable", 3, syscall.ECONNREFUSED, true, true},
		{"asking, a soft error", true, false, "time exceeded", 0, syscall.EHOSTUNREACH, true, true},
		{"asking, no path MTU discovery", true, true, "unreachable", 4, 0, false, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			s := alone(t)
			c, sent := s.asking(peer, "x")
			sock := c.Socket()
			if !x.asks {
				if err := sock.SetInt(core.SolIP, core.IPRecvErr, 0); err != nil {
					t.Fatal(err)
				}
			}
			if x.connects {
				if err := sock.Connect(core.SockAddr{Addr: wire.MustAddr(peer), Port: 9}); err != nil {
					t.Fatal(err)
				}
			}
			if !x.discover {
				if err := sock.SetInt(core.SolIP, core.IPMTUDiscover, core.PMTUDont); err != nil {
					t.Fatal(err)
				}
			}
			s.w.Inject(IPv4(peer, us).ICMP(x.message, Code(x.code), Quote(Read(sent))))
			if e := pending(t, c); e != x.pending {
				t.Errorf("SO_ERROR %v, want %v", e, x.pending)
			}
			if x.queued {
				s.takesError(c, 9)
			}
			s.hasNoError(c)
		})
	}
}

// Taking an error makes the next the pending one, and reading SO_ERROR leaves
// the queue alone (sock_dequeue_err_skb, net/core/skbuff.c).
func TestThePendingErrorIsThatOfTheNextInTheQueue(t *testing.T) {
	s := alone(t)
	c, sent := s.asking(peer, "x")
	s.w.Inject(IPv4(peer, us).ICMP("unreachable", Code(3), Quote(Read(sent))),
		IPv4(peer, us).ICMP("time exceeded", Quote(Read(sent))))
	if e := pending(t, c); e != syscall.EHOSTUNREACH {
		t.Errorf("SO_ERROR %v, want that of the last", e)
	}
	if m, _ := s.takesError(c, 9); m.Error.Errno != syscall.ECONNREFUSED {
		t.Errorf("first %v, want ECONNREFUSED", m.Error.Errno)
	}
	if _, err := c.WriteTo([]byte("y"), &net.UDPAddr{IP: net.ParseIP(peer), Port: 9}); err == nil {
		t.Error("the pending error of the next was not reported")
	}
	if m, _ := s.takesError(c, 9); m.Error.Errno != syscall.EHOSTUNREACH {
		t.Errorf("second %v, want EHOSTUNREACH", m.Error.Errno)
	}
	s.hasNoError(c)
}

func TestALocalErrorIsQueuedWithoutAPacket(t *testing.T) {
	for _, x := range []struct {
		to    string
		level int
		opt   int
		port  uint16 // Linux names the peer's port in IPv4, which this socket has not
	}{{peer, core.SolIP, core.IPMTUDiscover, 0}, {peer6, core.SolIPv6, core.IPv6MTUDiscover, 9}} {
		s := alone(t)
		c, _ := s.asking(x.to, "x")
		if err := c.Socket().SetInt(x.level, x.opt, core.PMTUDo); err != nil {
			t.Fatal(err)
		}
		to := &net.UDPAddr{IP: net.ParseIP(x.to), Port: 9}
		if _, err := c.WriteTo(make([]byte, 1600), to); err == nil {
			t.Fatal("1600 bytes went out whole")
		}
		if e := pending(t, c); e != 0 {
			t.Errorf("%s: SO_ERROR %v: the call has told it", x.to, e)
		}
		if r := c.Socket().Ready(); r&core.ReadyErr == 0 {
			t.Errorf("%s: ready for %#x, want POLLERR", x.to, r)
		}
		m, data := s.takesError(c, 9)
		if want := (core.ExtendedError{Errno: syscall.EMSGSIZE, Origin: core.ErrorOriginLocal, Info: 1500}); m.Error != want || data != "" {
			t.Errorf("%s: %+v with %q, want %+v", x.to, m.Error, data, want)
		}
		if to := (core.SockAddr{Addr: wire.MustAddr(x.to), Port: x.port}); m.Addr != to {
			t.Errorf("to %v, want %v", m.Addr, to)
		}
		s.hasNoError(c)
	}
}

func TestTheErrorQueueIsBoundedByTheReceiveBuffer(t *testing.T) {
	s := alone(t)
	c, sent := s.asking(peer, "x")
	if err := c.Socket().SetInt(core.SolSocket, core.SoRcvBuf, 4096); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		s.w.Inject(IPv4(peer, us).ICMP("unreachable", Code(3), Quote(Read(sent))))
	}
	n := 0
	for ; n < 100 && c.Socket().Ready()&core.ReadyErr != 0; n++ {
		s.takesError(c, 9)
	}
	if n == 0 || n > 16 {
		t.Errorf("a buffer of 8192 bytes held %d errors", n)
	}
	s.w.Inject(s.datagram(IPv4(peer, us), Ports(9, 7)).Payload("after"))
	s.receives(c, "after") // what was taken gave its room back
}

func TestWhoAsksNoMoreHasNoErrorsLeft(t *testing.T) {
	s := alone(t)
	c, sent := s.asking(peer, "x")
	s.w.Inject(IPv4(peer, us).ICMP("unreachable", Code(3), Quote(Read(sent))))
	if err := c.Socket().SetInt(core.SolIP, core.IPRecvErr, 0); err != nil {
		t.Fatal(err)
	}
	pending(t, c)
	s.hasNoError(c)
}

func TestAnErrorLongerThanTheBufferIsCut(t *testing.T) {
	s := alone(t)
	c, sent := s.asking(peer, "hello")
	s.w.Inject(IPv4(peer, us).ICMP("unreachable", Code(3), Quote(Read(sent))))
	if m, data := s.takesError(c, 2); data != "he" || m.OutFlags != core.MsgErrQueue|core.MsgTrunc {
		t.Errorf("%q with flags %#x", data, m.OutFlags)
	}
}

func TestAnErrorWakesWhoPolls(t *testing.T) {
	s := alone(t)
	c, sent := s.asking(peer, "x")
	var seen core.Ready
	stop := c.Socket().OnReady(core.ReadyIn, func(r core.Ready) { seen |= r })
	defer stop()
	s.w.Inject(IPv4(peer, us).ICMP("time exceeded", Quote(Read(sent))))
	s.Advance(time.Millisecond)
	if seen&core.ReadyErr == 0 {
		t.Errorf("woken for %#x, want POLLERR", seen)
	}
}

// The control messages are struct sock_extended_err with the offender as a
// socket address, after what else was asked for.
func TestAnErrorAsControlMessages(t *testing.T) {
	s := alone(t)
	ne := binary.NativeEndian
	c, sent := s.asking(peer, "x")
	if err := c.Socket().SetInt(core.SolIP, core.IPRecvTTL, 1); err != nil {
		t.Fatal(err)
	}
	s.w.Inject(IPv4(peer, us, TTL(61)).ICMP("unreachable", Code(4), MTU(1400), Quote(Read(sent))))
	m, _ := s.takesError(c, 9)
	want := ne.AppendUint32(ne.AppendUint64(nil, 20), core.SolIP)
	want = append(ne.AppendUint32(ne.AppendUint32(want, core.IPTTL), 61), 0, 0, 0, 0)
	want = ne.AppendUint32(ne.AppendUint32(ne.AppendUint64(want, 16+16+16), core.SolIP), core.IPRecvErr)
	want = append(ne.AppendUint32(want, uint32(syscall.EMSGSIZE)), 2, 3, 4, 0)
	want = ne.AppendUint16(ne.AppendUint32(ne.AppendUint32(want, 1400), 0), core.AFInet)
	want = append(want, 0, 0, 10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0)
	if got := c.Socket().AppendControl(nil, &m); !bytes.Equal(got, want) {
		t.Errorf("% x, want\n% x", got, want)
	}

	c6, sent := s.asking(peer6, "x")
	s.w.Inject(IPv6(peer6, us6).ICMP("unreachable", Code(4), Quote(Read(sent))))
	m, _ = s.takesError(c6, 9)
	want = ne.AppendUint32(ne.AppendUint32(ne.AppendUint64(nil, 16+16+28), core.SolIPv6), core.IPv6RecvErr)
	want = append(ne.AppendUint32(want, uint32(syscall.ECONNREFUSED)), 3, 1, 4, 0)
	want = ne.AppendUint16(append(want, make([]byte, 8)...), core.AFInet6)
	a := wire.MustAddr(peer6).As16()
	want = append(append(append(want, make([]byte, 6)...), a[:]...), make([]byte, 4+4)...)
	if got := c6.Socket().AppendControl(nil, &m); !bytes.Equal(got, want) {
		t.Errorf("% x, want\n% x", got, want)
	}
}
