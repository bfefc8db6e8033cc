package ipv4_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	. "github.com/libos-go/libos/core/wire/wiretest"
)

func addr(s string) wire.Addr { return wire.MustAddr(s) }

// toUDP sends a datagram to the sink, which refuses it.
func toUDP(src, dst string, fs ...Field) Packet {
	return IPv4(src, dst, fs...).UDP(Ports(5, 6)).Payload("hello")
}

func TestErrorsAreNotSentWhereForbidden(t *testing.T) {
	// RFC 1122 §3.2.2, RFC 1812 §4.3.2.7
	for _, x := range []struct {
		name  string
		frame Packet
	}{
		{"about a broadcast", Ethernet("02:00:00:00:00:02", "ff:ff:ff:ff:ff:ff").Then(toUDP(peer, "10.0.0.255"))},
		{"about a limited broadcast", Ethernet("02:00:00:00:00:02", "ff:ff:ff:ff:ff:ff").Then(toUDP(peer, "255.255.255.255"))},
		{"about a multicast", Ethernet("02:00:00:00:00:02", "01:00:5e:00:00:01").Then(toUDP(peer, "224.0.0.1"))},
		{"about a link-layer broadcast", Ethernet("02:00:00:00:00:02", "ff:ff:ff:ff:ff:ff").Then(toUDP(peer, us))},
		{"to the address of nobody", Ethernet("02:00:00:00:00:02", "ff:ff:ff:ff:ff:ff").Then(toUDP("0.0.0.0", "255.255.255.255"))},
		{"about an error", Ethernet("02:00:00:00:00:02", "02:00:00:00:00:01").IPv4(peer, us, IPOptions(7, 3, 2, 0)).ICMP("unreachable", Code(3), Quote(toUDP(us, peer)))},
	} {
		t.Run(x.name, func(t *testing.T) {
			b := newBench(t)
			b.sink.refuse = true
			w := b.Wire(b.in, "eth0", core.LinkEthernet, us+"/24")
			b.Domain.Do(func() { w.Interface.SetNeighbour(addr(peer), wire.MustHWAddr("02:00:00:00:00:02")) })
			w.Sent()
			w.Inject(x.frame)
			w.ExpectNothing()
			w.Inject(Ethernet("02:00:00:00:00:02", "02:00:00:00:00:01").Then(toUDP(peer, us)))
			w.Expect(ICMP("unreachable", Code(3)))
		})
	}
}

func TestErrorsQuoteWhatFitsIn576(t *testing.T) {
	b := newBench(t)
	b.sink.refuse = true
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	p := IPv4(peer, us, TOS(0x12)).UDP(Ports(5, 6)).PayloadLen(1000)
	w.Inject(p)
	f := w.Expect(IPv4(us, peer, TOS(0xd2), DF(false)).ICMP("unreachable", Code(3), Quote(IPv4(peer, us, TOS(0x12)).UDP(Ports(5, 6)))))
	if len(f) != 576 {
		t.Errorf("the error has %d bytes, want 576", len(f))
	}
	small := toUDP(peer, us)
	w.Inject(small)
	if f := w.Expect(ICMP("unreachable", Code(3), Quote(small))); len(f) != 20+8+33 {
		t.Errorf("the error has %d bytes, want all of the packet quoted", len(f))
	}
}

func TestErrorsToOneHostAreLimited(t *testing.T) {
	b := newBench(t)
	b.sink.refuse = true
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	many := func(n int, src string) int {
		for range n {
			w.Inject(toUDP(src, us))
		}
		return len(w.Sent())
	}
	if got := many(20, peer); got != 6 {
		t.Errorf("a burst of %d, want 6", got)
	}
	b.Advance(time.Second)
	if got := many(20, peer); got != 1 {
		t.Errorf("%d after a second, want 1", got)
	}
	if got := many(20, "10.0.0.3"); got != 6 {
		t.Errorf("%d to another host, want 6", got)
	}
	if b.Counter(b.in, "Icmp", "OutRateLimitHost") == 0 {
		t.Error("nothing was counted")
	}
	b.set(t, "net.ipv4.icmp_ratelimit", "0")
	b.Advance(time.Minute)
	if got := many(70, peer); got != 50 {
		t.Errorf("%d by the global limit, want its burst of 50", got)
	}
	b.count(t, "Icmp", "OutRateLimitGlobal", 20)
	b.set(t, "net.ipv4.icmp_ratemask", "0")
	if got := many(70, peer); got != 70 {
		t.Errorf("%d without limits", got)
	}
}

func TestEchoToBroadcastsIsIgnoredByDefault(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "eth0", core.LinkEthernet, us+"/24")
	b.Domain.Do(func() { w.Interface.SetNeighbour(addr(peer), wire.MustHWAddr("02:00:00:00:00:02")) })
	w.Sent()
	p := Ethernet("02:00:00:00:00:02", "ff:ff:ff:ff:ff:ff").IPv4(peer, "10.0.0.255").Echo(1, 1)
	w.Inject(p)
	w.ExpectNothing()
	b.set(t, "net.ipv4.icmp_echo_ignore_broadcasts", "0")
	w.Inject(p)
	w.Expect(IPv4(us, peer).EchoReply(1, 1))
	b.set(t, "net.ipv4.icmp_echo_ignore_all", "1")
	w.Inject(p)
	w.ExpectNothing()
}

func TestEchoOfAnySizeComesBackWhole(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	for _, n := range []int{0, 1, 7, 1471, 1472} {
		w.Inject(IPv4(peer, us).Echo(2, n).PayloadLen(n))
		w.Expect(IPv4(us, peer).EchoReply(2, n).PayloadLen(n))
	}
}

func TestDamagedMessagesAreCounted(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	w.Inject(IPv4(peer, us).Echo(1, 1, BadChecksum()))
	b.count(t, "Icmp", "InCsumErrors", 1)
	b.count(t, "Icmp", "InErrors", 1)
	w.InjectBytes(IPv4(peer, us, Proto(1)).Payload("1234567").Bytes())
	b.count(t, "Icmp", "InErrors", 2)
	w.ExpectNothing()
}

func TestTimestampRequest(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	m := make([]byte, 20)
	m[0], m[4], m[7], m[11] = 13, 9, 5, 77
	wire.ICMPv4(m).UpdateChecksum()
	b.Advance(3 * time.Second)
	w.Inject(IPv4(peer, us, Proto(1)).Payload(string(m)))
	f := w.Expect(IPv4(us, peer).ICMP("timestamp reply"))
	if f == nil {
		return
	}
	now := b.Host.WallNow().UTC()
	want := uint32(now.Sub(now.Truncate(24*time.Hour)) / time.Millisecond)
	r := f[20:]
	if r[4] != 9 || r[7] != 5 || r[11] != 77 {
		t.Errorf("identifier, sequence or origin time are not ours: % x", r)
	}
	for _, at := range []int{12, 16} {
		if got := uint32(r[at])<<24 | uint32(r[at+1])<<16 | uint32(r[at+2])<<8 | uint32(r[at+3]); got != want {
			t.Errorf("time at %d is %d, want %d", at, got, want)
		}
	}
}

func TestErrorsReachTheTransport(t *testing.T) {
	// Linux: icmp_err_convert
	for _, x := range []struct {
		message string
		code    int
		errno   syscall.Errno
		hard    bool
	}{
		{"unreachable", 0, syscall.ENETUNREACH, false},
		{"unreachable", 1, syscall.EHOSTUNREACH, false},
		{"unreachable", 2, syscall.ENOPROTOOPT, true},
		{"unreachable", 3, syscall.ECONNREFUSED, true},
		{"unreachable", 4, syscall.EMSGSIZE, false},
		{"unreachable", 5, syscall.EOPNOTSUPP, false},
		{"unreachable", 6, syscall.ENETUNREACH, true},
		{"unreachable", 7, syscall.EHOSTDOWN, true},
		{"unreachable", 8, syscall.Errno(64), true},
		{"unreachable", 9, syscall.ENETUNREACH, true},
		{"unreachable", 10, syscall.EHOSTUNREACH, true},
		{"unreachable", 11, syscall.ENETUNREACH, false},
		{"unreachable", 12, syscall.EHOSTUNREACH, false},
		{"unreachable", 13, syscall.EHOSTUNREACH, true},
		{"unreachable", 14, syscall.EHOSTUNREACH, true},
		{"unreachable", 15, syscall.EHOSTUNREACH, true},
		{"time exceeded", 0, syscall.EHOSTUNREACH, false},
		{"parameter problem", 0, syscall.EPROTO, true},
	} {
		b := newBench(t)
		w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
		w.Inject(IPv4("10.0.0.9", us).ICMP(x.message, Code(x.code), Quote(toUDP(us, peer))))
		if len(b.sink.errors) != 1 {
			t.Errorf("%s code %d: %d errors", x.message, x.code, len(b.sink.errors))
			continue
		}
		e := b.sink.errors[0]
		if e.Errno != x.errno || e.Hard != x.hard || e.Src != addr(us) || e.Dst != addr(peer) || e.Offender != addr("10.0.0.9") ||
			e.Protocol != wire.ProtoUDP || len(e.Quoted) < 8 || e.Quoted[1] != 5 {
			t.Errorf("%s code %d: got %+v", x.message, x.code, e)
		}
	}
}

func TestErrorsAboutOthersPacketsAreIgnored(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	w.Inject(
		IPv4(peer, us).ICMP("unreachable", Code(3), Quote(toUDP("10.0.0.77", peer))),
		IPv4(peer, us).ICMP("unreachable", Code(3), Quote(IPv4(us, peer, Offset(8)).Payload("12345678"))),
		IPv4(peer, us).ICMP("source quench", Quote(toUDP(us, peer))))
	if len(b.sink.errors) != 0 {
		t.Errorf("got %+v", b.sink.errors)
	}
}

// pathMTU is the MTU of the route to a.
func (b *bench) pathMTU(t *testing.T, a string) (mtu int) {
	t.Helper()
	b.Domain.Do(func() {
		r, err := b.in.Route(core.RouteQuery{Dst: addr(a)})
		if err != nil {
			t.Fatal(err)
		}
		mtu = r.MTU
	})
	return mtu
}

func TestPathMTU(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	big := IPv4(us, peer, DF(true)).UDP(Ports(5, 6)).PayloadLen(1472)
	tell := func(mtu int) {
		w.Inject(IPv4("10.0.0.9", us).ICMP("unreachable", Code(4), MTU(mtu), Quote(big)))
	}
	tell(1300)
	if got := b.pathMTU(t, peer); got != 1300 {
		t.Errorf("path MTU %d, want 1300", got)
	}
	if n := len(b.sink.errors); n != 1 || b.sink.errors[0].MTU != 1300 {
		t.Errorf("the transport heard %+v", b.sink.errors)
	}
	if got := b.pathMTU(t, "10.0.0.3"); got != 1500 {
		t.Errorf("another destination has path MTU %d", got)
	}
	tell(1400) // never up by a message
	if got := b.pathMTU(t, peer); got != 1300 {
		t.Errorf("path MTU %d after a larger one was told, want 1300", got)
	}
	b.Advance(601 * time.Second) // RFC 1191 §6.3
	b.Domain.Do(func() { w.Interface.JoinGroup(addr("239.0.0.1")) })
	b.Domain.Do(func() { _ = w.Interface.RemoveAddressLocked(addr(us)) })
	if err := w.Interface.AddAddress(wire.MustPrefix(us + "/24")); err != nil {
		t.Fatal(err)
	}
	if got := b.pathMTU(t, peer); got != 1500 {
		t.Errorf("path MTU %d after ten minutes, want 1500", got)
	}
	tell(0) // an old router: the next plateau below the packet (RFC 1191 §7.1)
	if got := b.pathMTU(t, peer); got != 1492 {
		t.Errorf("path MTU %d by the plateau table, want 1492", got)
	}
	tell(100) // smaller than min_pmtu is an attack or a fault
	if got := b.pathMTU(t, peer); got != 552 {
		t.Errorf("path MTU %d, want min_pmtu", got)
	}
}

func TestPathMTUExpiresInCachedRoutes(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	w.Inject(IPv4("10.0.0.9", us).ICMP("unreachable", Code(4), MTU(1300), Quote(IPv4(us, peer).UDP(Ports(5, 6)).PayloadLen(1472))))
	if got := b.pathMTU(t, peer); got != 1300 {
		t.Errorf("path MTU %d, want 1300", got)
	}
	b.Advance(601 * time.Second)
	if got := b.pathMTU(t, peer); got != 1500 {
		t.Errorf("path MTU %d after ten minutes, want 1500", got)
	}
}

func TestPathMTUWithoutARoute(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	w.Inject(IPv4("10.0.0.9", us).ICMP("unreachable", Code(4), MTU(1300), Quote(toUDP(us, "192.0.2.1"))))
	if len(b.sink.errors) != 1 || b.sink.errors[0].MTU != 0 {
		t.Errorf("the transport heard %+v", b.sink.errors)
	}
}

func TestErrorsFromTheInterfaceOfArrival(t *testing.T) {
	r := newRouter(t)
	r.route(t, core.RouteEntry{Prefix: wire.MustPrefix("192.0.2.0/24"), Gateway: addr(far)})
	p := IPv4("192.0.2.9", "198.51.100.1").UDP(Ports(5, 6)) // comes by w0, but the way back is w1
	r.w0.Inject(p)
	r.w1.Expect(IPv4("10.1.0.1", "192.0.2.9").ICMP("unreachable", Code(0)))
	r.set(t, "net.ipv4.icmp_errors_use_inbound_ifaddr", "1")
	r.w0.Inject(p)
	r.w1.Expect(IPv4(us, "192.0.2.9").ICMP("unreachable", Code(0)))
}
