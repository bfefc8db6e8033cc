package ipv4_test

import (
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	. "github.com/libos-go/libos/core/wire/wiretest"
)

const far = "10.1.0.9" // a host behind w1

// router is a bench with two links that forwards.
type router struct {
	*bench
	w0, w1 *coretest.Wire
}

func newRouter(t testing.TB) *router {
	t.Helper()
	b := newBench(t)
	r := &router{bench: b, w0: b.Wire(b.in, "w0", core.LinkRaw, us+"/24")}
	r.w1 = b.WireWith(b.in, "w1", core.Properties{Kind: "wire", Link: core.LinkRaw, MTU: 600, Flags: core.FlagNoARP}, "10.1.0.1/24")
	b.set(t, "net.ipv4.ip_forward", "1")
	return r
}

func (r *router) route(t *testing.T, e core.RouteEntry) {
	t.Helper()
	if err := r.in.AddRoute(e); err != nil {
		t.Fatal(err)
	}
}

func TestIPForwardIsAllForwarding(t *testing.T) {
	b := newBench(t)
	b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	read := func(name, want string) {
		t.Helper()
		if got, err := b.in.Sysctl(name); err != nil || got != want {
			t.Errorf("%s = %q, %v, want %s", name, got, err, want)
		}
	}
	b.set(t, "net.ipv4.ip_forward", "1")
	for _, name := range []string{"ip_forward", "conf.all.forwarding", "conf.default.forwarding", "conf.w0.forwarding"} {
		read("net.ipv4."+name, "1")
	}
	b.Wire(b.in, "w1", core.LinkRaw, "10.1.0.1/24")
	read("net.ipv4.conf.w1.forwarding", "1")
	b.set(t, "net.ipv4.conf.all.forwarding", "0")
	read("net.ipv4.ip_forward", "0")
	read("net.ipv4.conf.w1.forwarding", "0")
	b.set(t, "net.ipv4.conf.w0.forwarding", "1")
	read("net.ipv4.ip_forward", "0")
	b.count(t, "Ip", "Forwarding", 2)
}

func TestTTLRunsOut(t *testing.T) {
	r := newRouter(t)
	for _, ttl := range []int{0, 1} {
		p := IPv4(peer, far, TTL(ttl)).UDP(Ports(5, 6)).Payload("hello")
		r.w0.Inject(p)
		r.w0.Expect(IPv4(us, peer).ICMP("time exceeded", Code(0), Quote(p)))
	}
	r.w1.ExpectNothing()
	r.count(t, "Ip", "InHdrErrors", 2)
	r.count(t, "Ip", "ForwDatagrams", 0)
	r.w0.Inject(IPv4(peer, far, TTL(2)).UDP(Ports(5, 6)))
	r.w1.Expect(IPv4(peer, far, TTL(1)).UDP(Ports(5, 6)))
}

func TestNoRouteIsAnswered(t *testing.T) {
	r := newRouter(t)
	p := IPv4(peer, "192.0.2.1").UDP(Ports(5, 6))
	r.w0.Inject(p)
	r.w0.Expect(IPv4(us, peer).ICMP("unreachable", Code(0), Quote(p)))
	r.count(t, "IpExt", "InNoRoutes", 1)
	for _, x := range []struct {
		typ  core.RouteType
		code int
	}{{core.RouteUnreachable, 1}, {core.RouteProhibit, 13}} {
		e := core.RouteEntry{Prefix: wire.MustPrefix("192.0.2.0/24"), Type: x.typ}
		r.route(t, e)
		r.w0.Inject(p)
		r.w0.Expect(ICMP("unreachable", Code(x.code)))
		if err := r.in.RemoveRoute(e); err != nil {
			t.Fatal(err)
		}
	}
	r.route(t, core.RouteEntry{Prefix: wire.MustPrefix("192.0.2.0/24"), Type: core.RouteBlackhole})
	r.w0.Inject(p)
	r.w0.ExpectNothing()
}

func TestForwardedPacketsAreFragmented(t *testing.T) {
	r := newRouter(t)
	p := IPv4(peer, far, ID(7), DF(false), TTL(9), IPOptions(148, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0, 0)).UDP(Ports(5, 6)).PayloadLen(1200)
	r.w0.Inject(p)
	// A router alert is copied into every piece, the record route (filled in) only into the first.
	first := r.w1.Expect(IPv4(peer, far, ID(7), TTL(8), MF(true), Offset(0), IPOptions(148, 4, 0, 0, 7, 7, 8, 10, 1, 0, 1, 0)))
	if len(first) > 600 {
		t.Errorf("a piece of %d bytes on a link of 600", len(first))
	}
	r.w1.Expect(IPv4(peer, far, ID(7), TTL(8), MF(true), Offset(568), IPOptions(148, 4, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0)))
	r.w1.Expect(IPv4(peer, far, ID(7), TTL(8), MF(false), Offset(1136), Length(20+12+1208-1136)))
	r.w1.ExpectNothing()
	r.count(t, "Ip", "FragCreates", 3)
	r.count(t, "Ip", "FragOKs", 1)
	r.count(t, "Ip", "ForwDatagrams", 1)
}

func TestDontFragmentIsAnsweredWithTheMTU(t *testing.T) {
	r := newRouter(t)
	p := IPv4(peer, far, DF(true)).UDP(Ports(5, 6)).PayloadLen(1200)
	r.w0.Inject(p)
	r.w0.Expect(IPv4(us, peer).ICMP("unreachable", Code(4), MTU(600)))
	r.w1.ExpectNothing()
	r.count(t, "Ip", "FragFails", 1)
	for range 100 { // path MTU discovery is not rate limited
		r.w0.Inject(p)
	}
	if got := len(r.w0.Sent()); got != 100 {
		t.Errorf("%d messages for 100 packets", got)
	}
}

func TestPathMTUDoesNotHoldForForwardedPackets(t *testing.T) {
	r := newRouter(t)
	b := r.bench
	b.Wire(b.in, "w2", core.LinkRaw, "10.2.0.1/24")
	w2 := r.in.InterfaceByName("w2").Device().(*coretest.Wire)
	w2.Inject(IPv4("10.2.0.9", "10.2.0.1").ICMP("unreachable", Code(4), MTU(700), Quote(IPv4("10.2.0.1", "10.2.0.9").UDP(Ports(5, 6)).PayloadLen(1400))))
	if got := b.pathMTU(t, "10.2.0.9"); got != 700 {
		t.Fatalf("path MTU %d", got)
	}
	p := IPv4(peer, "10.2.0.9", DF(true)).UDP(Ports(5, 6)).PayloadLen(1400)
	r.w0.Inject(p)
	w2.Expect(IPv4(peer, "10.2.0.9").UDP(Ports(5, 6)).PayloadLen(1400))
	b.set(t, "net.ipv4.ip_forward_use_pmtu", "1")
	r.w0.Inject(p)
	w2.ExpectNothing()
	r.w0.Expect(ICMP("unreachable", Code(4), MTU(700)))
}

func TestDirectedBroadcastsAreNotForwarded(t *testing.T) {
	r := newRouter(t)
	eth := r.Wire(r.in, "eth0", core.LinkEthernet, "10.3.0.1/24")
	eth.Sent()
	r.w0.Inject(IPv4(peer, "10.3.0.255").UDP(Ports(5, 6)))
	eth.ExpectNothing()
	r.w0.Inject(IPv4(peer, "239.1.1.1", TTL(9)).UDP(Ports(5, 6)))
	eth.ExpectNothing()
	r.count(t, "Ip", "ForwDatagrams", 0)
}

func TestForwardingIsByTheInterfaceOfArrival(t *testing.T) {
	r := newRouter(t)
	r.set(t, "net.ipv4.conf.w0.forwarding", "0")
	r.w0.Inject(IPv4(peer, far).UDP(Ports(5, 6)))
	r.w1.ExpectNothing()
	r.w0.ExpectNothing()
	r.w1.Inject(IPv4(far, peer).UDP(Ports(5, 6)))
	r.w0.Expect(IPv4(far, peer).UDP(Ports(5, 6)))
}

func TestRedirectIsSentForADetour(t *testing.T) {
	r := newRouter(t)
	eth := r.Wire(r.in, "eth0", core.LinkEthernet, "10.3.0.1/24")
	r.Domain.Do(func() {
		eth.Interface.SetNeighbour(addr("10.3.0.2"), wire.MustHWAddr("02:00:00:00:00:02"))
		eth.Interface.SetNeighbour(addr("10.3.0.3"), wire.MustHWAddr("02:00:00:00:00:03"))
	})
	r.route(t, core.RouteEntry{Prefix: wire.MustPrefix("192.0.2.0/24"), Gateway: addr("10.3.0.3")})
	eth.Sent()
	p := Ethernet("02:00:00:00:00:02", "02:00:00:00:00:01").IPv4("10.3.0.2", "192.0.2.9").UDP(Ports(5, 6))
	eth.Inject(p)
	eth.Expect(IPv4("10.3.0.1", "10.3.0.2").ICMP("redirect", Code(1), Gateway("10.3.0.3")))
	eth.Expect(IPv4("10.3.0.2", "192.0.2.9", TTL(63)).UDP(Ports(5, 6)))
	for range 50 {
		eth.Inject(p)
	}
	redirects := 0
	for _, f := range eth.Sent() {
		if Match(f.Data, ICMP("redirect")) == nil {
			redirects++
		}
	}
	if redirects > 6 {
		t.Errorf("%d redirects for 50 packets", redirects)
	}
	// On a link that several networks do not share, only to a gateway of the source's network.
	r.Advance(time.Minute)
	r.set(t, "net.ipv4.conf.all.shared_media", "0")
	r.set(t, "net.ipv4.conf.eth0.shared_media", "0")
	eth.Inject(p)
	eth.Expect(ICMP("redirect"))
	eth.Expect(IPv4("10.3.0.2", "192.0.2.9"))
	// Not to a source that is not on the link, nor when switched off.
	r.Advance(time.Minute)
	r.route(t, core.RouteEntry{Prefix: wire.MustPrefix("198.51.100.0/24"), Gateway: addr("10.3.0.2")})
	eth.Inject(Ethernet("02:00:00:00:00:02", "02:00:00:00:00:01").IPv4("198.51.100.1", "192.0.2.9").UDP(Ports(5, 6)))
	eth.Expect(IPv4("198.51.100.1", "192.0.2.9").UDP(Ports(5, 6)))
	r.set(t, "net.ipv4.conf.all.send_redirects", "0")
	r.set(t, "net.ipv4.conf.eth0.send_redirects", "0")
	eth.Inject(p)
	eth.Expect(IPv4("10.3.0.2", "192.0.2.9").UDP(Ports(5, 6)))
	eth.ExpectNothing()
}

// redirected is the next hop to a after a redirect to 10.0.0.3 about it, which
// claims to come from src.
func redirected(t *testing.T, b *bench, w *coretest.Wire, src, gateway string) string {
	t.Helper()
	w.Inject(IPv4(src, us).ICMP("redirect", Code(1), Gateway(gateway), Quote(toUDP(us, "192.0.2.9"))))
	var hop string
	b.Domain.Do(func() {
		r, err := b.in.Route(core.RouteQuery{Dst: addr("192.0.2.9")})
		if err != nil {
			t.Fatal(err)
		}
		hop = r.Gateway.String()
	})
	return hop
}

func TestRedirectsAreAcceptedFromTheGatewayInUse(t *testing.T) {
	fresh := func() (*bench, *coretest.Wire) {
		b := newBench(t)
		w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
		if err := b.in.AddRoute(core.RouteEntry{Prefix: wire.MustPrefix("0.0.0.0/0"), Gateway: addr(peer)}); err != nil {
			t.Fatal(err)
		}
		return b, w
	}
	b, w := fresh()
	if hop := redirected(t, b, w, "10.0.0.9", "10.0.0.3"); hop != peer {
		t.Errorf("a stranger redirected us to %s", hop)
	}
	if hop := redirected(t, b, w, peer, us); hop != peer {
		t.Errorf("redirected to ourselves: %s", hop)
	}
	if hop := redirected(t, b, w, peer, "10.0.0.3"); hop != "10.0.0.3" {
		t.Errorf("the gateway's redirect was not followed: %s", hop)
	}
	b.Advance(301 * time.Second)
	if hop := redirected(t, b, w, "10.0.0.9", "10.0.0.4"); hop != peer {
		t.Errorf("the redirected route did not end: %s", hop)
	}
	b, w = fresh()
	b.set(t, "net.ipv4.conf.all.accept_redirects", "0")
	b.set(t, "net.ipv4.conf.w0.accept_redirects", "0")
	if hop := redirected(t, b, w, peer, "10.0.0.3"); hop != peer {
		t.Errorf("accepted though switched off: %s", hop)
	}
	b, w = fresh()
	b.set(t, "net.ipv4.ip_forward", "1")
	if hop := redirected(t, b, w, peer, "10.0.0.3"); hop != peer {
		t.Errorf("a router followed a redirect: %s", hop) // RFC 1812 §5.2.7.2
	}
	b, w = fresh()
	b.set(t, "net.ipv4.conf.all.shared_media", "0")
	b.set(t, "net.ipv4.conf.w0.shared_media", "0")
	if hop := redirected(t, b, w, peer, "10.0.0.3"); hop != peer {
		t.Errorf("secure_redirects let a gateway pass that no route names: %s", hop)
	}
}

func TestFailedNeighbourIsReportedToTheSource(t *testing.T) {
	r := newRouter(t)
	eth := r.Wire(r.in, "eth0", core.LinkEthernet, "10.3.0.1/24")
	eth.Sent()
	p := IPv4(peer, "10.3.0.9", TTL(9)).UDP(Ports(5, 6)).Payload("hello")
	r.w0.Inject(p)
	for i := range 3 {
		eth.Expect(ARPRequest("02:00:00:00:00:01", "10.3.0.1", "10.3.0.9"))
		if i < 2 {
			r.w0.ExpectNothing()
		}
		r.Advance(time.Second)
	}
	eth.ExpectNothing()
	r.w0.Expect(IPv4(us, peer).ICMP("unreachable", Code(1)))
}

func TestSourceRoutesAreFollowedWhereAccepted(t *testing.T) {
	r := newRouter(t)
	r.set(t, "net.ipv4.conf.all.accept_source_route", "1")
	r.set(t, "net.ipv4.conf.w0.accept_source_route", "1")
	for _, kind := range []byte{131, 137} {
		r.w0.Inject(IPv4(peer, us, TTL(9), IPOptions(kind, 7, 4, 10, 1, 0, 9, 0)).Payload("data"))
		r.w1.Expect(IPv4(peer, far, TTL(8), IPOptions(kind, 7, 8, 10, 1, 0, 1, 0)).Payload("data"))
	}
	r.route(t, core.RouteEntry{Prefix: wire.MustPrefix("192.0.2.0/24"), Gateway: addr(far)})
	strict := IPv4(peer, us, TTL(9), IPOptions(137, 7, 4, 192, 0, 2, 9, 0)).Payload("data")
	r.w0.Inject(strict) // a strict route may not pass a gateway
	r.w0.Expect(ICMP("unreachable", Code(5)))
	r.w0.Inject(IPv4(peer, us, TTL(9), IPOptions(131, 7, 4, 198, 51, 100, 9, 0)).Payload("data"))
	r.w0.Expect(IPv4(us, peer).ICMP("unreachable", Code(5)))
	r.w1.ExpectNothing()
}

func TestSuperSegmentsAreForwardedWhole(t *testing.T) {
	r := newRouter(t) // w1 has an MTU of 600
	r.Damaged()       // what comes has no checksums
	for _, x := range []struct {
		name    string
		packet  Packet
		segment uint16
		whole   bool
	}{
		{"TCP that fits", IPv4(peer, far, DF(true)).TCP(Ports(5, 6), Flags("."), Timestamps(1, 2)).PayloadLen(1200), 600 - 52, true},
		{"TCP one byte too long", IPv4(peer, far, DF(true)).TCP(Ports(5, 6), Flags("."), Timestamps(1, 2)).PayloadLen(1200), 600 - 51, false},
		{"UDP that fits", IPv4(peer, far, DF(true)).UDP(Ports(5, 6)).PayloadLen(1200), 600 - 28, true},
		{"UDP one byte too long", IPv4(peer, far, DF(true)).UDP(Ports(5, 6)).PayloadLen(1200), 600 - 27, false},
	} {
		r.w0.InjectFrames(core.Frame{Data: x.packet.Bytes(), Meta: core.FrameMeta{SegmentSize: x.segment}})
		if got := len(r.w1.Sent()) > 0; got != x.whole {
			t.Errorf("%s: forwarded %v", x.name, got)
		}
		if !x.whole {
			r.w0.Expect(ICMP("unreachable", Code(4), MTU(600)))
		}
	}
}

func TestAnUnnumberedInterfaceBorrowsAnAddress(t *testing.T) {
	b := newBench(t)
	b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	w := b.Wire(b.in, "w1", core.LinkRaw)
	if err := b.in.AddRoute(core.RouteEntry{Prefix: wire.MustPrefix("192.0.2.0/24"), Interface: w.Interface}); err != nil {
		t.Fatal(err)
	}
	if err := b.send("192.0.2.1", 10, 0); err != nil {
		t.Fatal(err)
	}
	w.Expect(IPv4(us, "192.0.2.1").UDP(Ports(5, 6), NoChecksum()))
}

func TestBroadcastFramesWithoutARouteAreSilent(t *testing.T) {
	r := newRouter(t)
	eth := r.Wire(r.in, "eth0", core.LinkEthernet, "10.3.0.1/24")
	r.Domain.Do(func() { eth.Interface.SetNeighbour(addr("10.3.0.2"), wire.MustHWAddr(mac2)) })
	eth.Sent()
	p := IPv4("10.3.0.2", "198.51.100.1").UDP(Ports(5, 6))
	eth.Inject(Ethernet(mac2, all).Then(p))
	eth.ExpectNothing()
	eth.Inject(Ethernet(mac2, mac).Then(p))
	eth.Expect(ICMP("unreachable", Code(0)))
}
