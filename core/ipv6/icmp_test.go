package ipv6

import (
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	wt "github.com/libos-go/libos/core/wire/wiretest"
)

func TestErrorsReachTheTransportAsErrno(t *testing.T) {
	ours := wt.IPv6("fd00::1", "fd05::9").UDP(wt.Ports(1000, 2000)).Payload("abc")
	for _, c := range []struct {
		message string
		code    int
		want    syscall.Errno
		hard    bool
	}{
		{"unreachable", 0, syscall.ENETUNREACH, false},
		{"unreachable", 1, syscall.EACCES, true},
		{"unreachable", 3, syscall.EHOSTUNREACH, false},
		{"unreachable", 4, syscall.ECONNREFUSED, true},
		{"time exceeded", 0, syscall.EHOSTUNREACH, false},
		{"parameter problem", 1, syscall.EPROTO, true},
	} {
		b := newBed(t)
		w := b.raw("w0", "fd00::1/64")
		b.route("::/0", "", w.Interface)
		w.Inject(wt.IPv6("fd00::7", "fd00::1").ICMP(c.message, wt.Code(c.code), wt.Quote(ours)))
		if len(b.udp.errors) != 1 {
			t.Fatalf("%s %d: %d errors were reported", c.message, c.code, len(b.udp.errors))
		}
		e := b.udp.errors[0]
		if e.Errno != c.want || e.Hard != c.hard || e.Src != wire.MustAddr("fd00::1") || e.Dst != wire.MustAddr("fd05::9") ||
			e.Offender != wire.MustAddr("fd00::7") || wire.UDP(e.Quoted).SrcPort() != 1000 {
			t.Errorf("%s %d: %+v", c.message, c.code, e)
		}
		w.Inject(wt.IPv6("fd00::7", "fd00::1").ICMP(c.message, wt.Code(c.code), wt.Quote(wt.IPv6("fd00::66", "fd05::9").UDP())))
		if len(b.udp.errors) != 1 {
			t.Error("an error about the packet of another was reported")
		}
	}
}

func TestPacketTooBigLowersThePathMTUForTenMinutes(t *testing.T) {
	b := newBed(t)
	w := b.raw("w0", "fd00::1/64")
	b.route("::/0", "", w.Interface)
	ours := wt.IPv6("fd00::1", "fd05::9").UDP(wt.Ports(1000, 2000)).Payload("abc")
	mtu := func() (n int) {
		b.Domain.Do(func() {
			r, err := b.in.Route(to("fd05::9"))
			if err != nil {
				t.Fatal(err)
			}
			n = r.MTU
		})
		return n
	}
	w.Inject(wt.IPv6("fd00::7", "fd00::1").ICMP("packet too big", wt.MTU(1279), wt.Quote(ours)))
	if mtu() != 1500 || len(b.udp.errors) != 0 {
		t.Error("an MTU below 1280 was believed (RFC 8201 §4)")
	}
	w.Inject(wt.IPv6("fd00::7", "fd00::1").ICMP("packet too big", wt.MTU(1400), wt.Quote(ours)))
	if mtu() != 1400 {
		t.Errorf("the path MTU is %d", mtu())
	}
	if len(b.udp.errors) != 1 || b.udp.errors[0].Errno != syscall.EMSGSIZE || b.udp.errors[0].MTU != 1400 {
		t.Errorf("reported: %+v", b.udp.errors)
	}
	w.Inject(wt.IPv6("fd00::7", "fd00::1").ICMP("packet too big", wt.MTU(1450), wt.Quote(ours)))
	if mtu() != 1400 {
		t.Error("a message raised the path MTU")
	}
	b.Advance(10*time.Minute + time.Second)
	if mtu() != 1500 {
		t.Errorf("after ten minutes the path MTU is %d", mtu())
	}
}

func TestErrorsAreRateLimited(t *testing.T) {
	b := newBed(t)
	w := b.raw("w0", "fd00::1/64")
	bad := wt.IPv6("fd00::2", "fd00::1", wt.Proto(200)).Payload("12345678")
	for range 40 {
		w.Inject(bad)
	}
	if n := len(w.Sent()); n < 2 || n > 7 {
		t.Errorf("%d errors at once", n)
	}
	if b.icmp("OutRateLimitHost") == 0 {
		t.Error("nothing was counted")
	}
	b.Advance(1100 * time.Millisecond)
	w.Inject(bad, bad, bad)
	if n := len(w.Sent()); n != 1 {
		t.Errorf("%d errors a second later", n)
	}
	set(b.in, "net.ipv6.icmp.ratelimit", "0")
	w.Inject(bad, bad, bad)
	if n := len(w.Sent()); n != 3 {
		t.Errorf("%d errors without a limit", n)
	}
}

func TestErrorsQuoteUpTo1280Bytes(t *testing.T) {
	b := newBed(t)
	w := b.raw("w0", "fd00::1/64")
	p := wt.IPv6("fd00::2", "fd00::1", wt.Proto(200)).PayloadLen(1400)
	w.Inject(p)
	f := w.Expect(wt.IPv6("fd00::1", "fd00::2").ICMP("parameter problem"))
	if len(f) != 1280 {
		t.Errorf("the error has %d bytes", len(f))
	}
	if want := p.Bytes()[:1232]; string(f[48:]) != string(want) {
		t.Error("the quote is not the packet")
	}
}

func TestEchoRequestsThatAreNotAnswered(t *testing.T) {
	for _, c := range []struct {
		name string
		in   wt.Packet
		set  string
	}{
		{"unspecified source", wt.IPv6("::", "fd00::1").Echo(1, 1), ""},
		{"wrong checksum", wt.IPv6("fd00::2", "fd00::1").Echo(1, 1, wt.BadChecksum()), ""},
		{"setting", wt.IPv6("fd00::2", "fd00::1").Echo(1, 1), "net.ipv6.icmp.echo_ignore_all"},
		{"setting for groups", wt.IPv6("fd00::2", "ff02::1").Echo(1, 1), "net.ipv6.icmp.echo_ignore_multicast"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			w := b.raw("w0", "fd00::1/64")
			if c.set != "" {
				set(b.in, c.set, "1")
			}
			w.Inject(c.in)
			w.ExpectNothing()
		})
	}
	b := newBed(t)
	w := b.raw("w0", "fd00::1/64", "fe80::1/64")
	w.Inject(wt.IPv6("fe80::2", "ff02::1").Echo(3, 4))
	w.Expect(wt.IPv6("fe80::1", "fe80::2").EchoReply(3, 4))
	w.Inject(wt.IPv6("fd00::2", "ff02::1").Echo(3, 4))
	w.Expect(wt.IPv6("fd00::1", "fd00::2").EchoReply(3, 4))
}

func TestNeighbourThatDoesNotAnswerFailsTheSender(t *testing.T) {
	b := newBed(t)
	w := b.wire("eth0", "fd00::1/64")
	if err := b.send(to("fd00::9"), 4, nil); err != nil {
		t.Fatal(err)
	}
	b.Advance(10 * time.Second)
	if n := len(w.Sent()); n != 3 {
		t.Errorf("%d solicitations", n)
	}
	if len(b.udp.errors) != 1 || b.udp.errors[0].Errno != syscall.EHOSTUNREACH {
		t.Errorf("reported: %+v", b.udp.errors)
	}
}

func TestNeighbourThatDoesNotAnswerARouterIsReported(t *testing.T) {
	b := newBed(t)
	set(b.in, "net.ipv6.conf.all.forwarding", "1")
	r := b.raw("w0", "fd01::1/64")
	w := b.wire("eth0", "fd00::1/64")
	r.Sent()
	r.Inject(wt.IPv6("fd01::2", "fd00::9").UDP(wt.Ports(1, 2)))
	b.Advance(10 * time.Second)
	if n := len(w.Sent()); n != 3 {
		t.Errorf("%d solicitations", n)
	}
	r.Expect(wt.IPv6("fd01::1", "fd01::2").ICMP("unreachable", wt.Code(3)))
}

func TestCountersHaveLinuxNames(t *testing.T) {
	b := newBed(t)
	for _, c := range b.in.Counters() {
		if len(c.Names) != len(c.Values) {
			t.Errorf("%s: %d names, %d values", c.Group, len(c.Names), len(c.Values))
		}
	}
	w := b.raw("w0", "fd00::1/64")
	w.Inject(wt.IPv6("fd00::2", "fd00::1", wt.TOS(3)).Echo(1, 1))
	for name, want := range map[string]uint64{"InMsgs": 1, "InEchos": 1, "OutEchoReplies": 1, "InErrors": 0} {
		if got := b.icmp(name); got != want {
			t.Errorf("Icmp6%s is %d", name, got)
		}
	}
	if b.counter("InCEPkts") != 1 || b.counter("InReceives") != 1 || b.counter("InOctets") != 48 {
		t.Error("the packet was not counted")
	}
}

func TestPingSocket(t *testing.T) {
	b := newBed(t)
	w := b.raw("w0", "fd00::1/64", "fe80::1/64")
	s, err := b.in.Socket(core.AFInet6, core.SockDgram, int(wire.ProtoICMPv6))
	if err != nil {
		t.Fatal(err)
	}
	s.SetNonblock(true)
	request := wt.Echo(0, 5).Payload("ping!").Bytes()
	if _, err := s.Send(&core.Message{Data: request, HasAddr: true, Addr: core.SockAddr{Addr: wire.MustAddr("fe80::9"), Port: 1, Scope: uint32(w.Interface.Index())}}); err != nil {
		t.Fatal(err)
	}
	id := int(s.LocalAddr().Port)
	w.Expect(wt.IPv6("fe80::1", "fe80::9", wt.TTL(64)).Echo(id, 5).Payload("ping!"))
	w.Inject(wt.IPv6("fe80::9", "fe80::1").EchoReply(id+1, 5).Payload("not ours"))
	w.Inject(wt.IPv6("fe80::9", "fe80::1").EchoReply(id, 5).Payload("ping!"))
	m := core.Message{Data: make([]byte, 100)}
	n, err := s.Receive(&m)
	if err != nil || n != 13 || m.Data[0] != wire.ICMPv6EchoReply || string(m.Data[8:13]) != "ping!" ||
		m.Addr.Addr != wire.MustAddr("fe80::9") || m.Addr.Scope != uint32(w.Interface.Index()) {
		t.Errorf("received %d bytes from %v: %x, %v", n, m.Addr, m.Data[:max(n, 0)], err)
	}
	if _, err := s.Receive(&m); err != syscall.EAGAIN {
		t.Errorf("a second reply: %v", err)
	}
}
