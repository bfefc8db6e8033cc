package ipv6

import (
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	wt "github.com/libos-go/libos/core/wire/wiretest"
)

func TestUpperLayersAreFoundInWhatIsQuoted(t *testing.T) {
	udp := wt.UDP(wt.Ports(1, 2))
	one := wt.IPv6("fd00::2", "fd00::1")
	chain := one.HopByHop().Routing(0, 0).DestinationOptions(0x1e, 8, 1, 2, 3, 4, 5, 6, 7, 8).Then(udp).Bytes()
	later := append(one.Bytes(), fragmentHeader(1, 8, true)...)
	later[6] = wire.ProtoFragment
	for _, c := range []struct {
		name string
		b    []byte
		want upperLayer
		ok   bool
	}{
		{"none", one.Then(udp).Bytes(), upperLayer{wire.ProtoUDP, 40, 6, false}, true},
		{"three", chain, upperLayer{wire.ProtoUDP, 72, 56, false}, true},
		{"up to the last byte of the headers", chain[:72], upperLayer{wire.ProtoUDP, 72, 56, false}, true},
		{"cut in the last header", chain[:71], upperLayer{}, false},
		{"cut behind one byte of a header", chain[:57], upperLayer{}, false},
		{"cut in the fixed header", chain[:39], upperLayer{}, false},
		{"a later fragment", later, upperLayer{wire.ProtoUDP, 48, 40, true}, true},
		{"cut in the fragment header", later[:47], upperLayer{}, false},
	} {
		if u, ok := findUpper(c.b); ok != c.ok || ok && u != c.want {
			t.Errorf("%s: %+v, %v", c.name, u, ok)
		}
	}
	endless := one.Bytes()
	for range 100 {
		endless = append(endless, wire.ProtoDestination, 0, 1, 4, 0, 0, 0, 0)
	}
	endless[6] = wire.ProtoDestination
	if _, ok := findUpper(endless); ok {
		t.Error("a hundred headers have an end")
	}
}

func TestWhatMayBeAnErrorIsNotAnswered(t *testing.T) {
	piece := func(off int, data string) wt.Packet {
		f := fragmentHeader(1, off, true)
		f[0] = wire.ProtoICMPv6
		return wt.IPv6("fd00::2", "fd01::2", wt.TTL(1), wt.Proto(wire.ProtoFragment)).Payload(string(f) + data)
	}
	for _, c := range []struct {
		name   string
		in     wt.Packet
		answer bool
	}{
		{"echo request", wt.IPv6("fd00::2", "fd01::2", wt.TTL(1)).Echo(1, 1), true},
		{"first piece of an echo request", piece(0, "\x80\x00\x00\x00\x00\x00\x00\x00"), true},
		{"first piece of an error", piece(0, "\x01\x00\x00\x00\x00\x00\x00\x00"), false},
		{"later piece of an ICMPv6 message", piece(8, "\x80\x00\x00\x00\x00\x00\x00\x00"), false},
		{"no message at all", wt.IPv6("fd00::2", "fd01::2", wt.TTL(1), wt.Proto(wire.ProtoICMPv6)), false},
	} {
		b := newBed(t)
		set(b.in, "net.ipv6.conf.all.forwarding", "1")
		w := b.raw("w0", "fd00::1/64")
		b.raw("w1", "fd01::1/64")
		w.Sent()
		w.Inject(c.in)
		if _, answered := w.Next(); answered != c.answer {
			t.Errorf("%s: answered is %v", c.name, answered)
		}
	}
}

func TestAdvertisedParametersHaveBounds(t *testing.T) {
	for _, c := range []struct {
		name     string
		set      map[string]string
		hops     uint8
		mtu      uint32
		wantHops int
		wantMTU  int
	}{
		{"taken", nil, 9, 1400, 9, 1400},
		{"unspecified", nil, 0, 1500, 64, 1500},
		{"below the least hop limit", map[string]string{"accept_ra_min_hop_limit": "10"}, 9, 1400, 64, 1400},
		{"above the link's MTU", nil, 9, 1501, 9, 1500},
		{"below 1280", nil, 9, 1279, 9, 1500},
		{"MTU not wanted", map[string]string{"accept_ra_mtu": "0"}, 9, 1400, 9, 1500},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			w := b.ethernet("eth0", "fd00::1/64")
			for name, v := range c.set {
				set(b.in, "net.ipv6.conf.eth0."+name, v)
			}
			b.Advance(3 * time.Second)
			w.Inject(advert(wire.RouterAdvertFields{CurHopLimit: c.hops}, mtuOption(c.mtu)))
			w.Sent()
			b.learn(w, "fd00::2", them)
			if err := b.send(to("fd00::2"), 1, nil); err != nil {
				t.Fatal(err)
			}
			w.Expect(wt.IPv6("fd00::1", "fd00::2", wt.TTL(c.wantHops)))
			b.Domain.Do(func() {
				if r, err := b.in.Route(to("fd00::2")); err != nil || r.MTU != c.wantMTU {
					t.Errorf("MTU %d, %v", r.MTU, err)
				}
			})
		})
	}
}

func TestANodeThatIsNoDefaultRouterLeavesTheSearchGoing(t *testing.T) {
	b := newBed(t)
	w := b.ethernet("eth0")
	b.Advance(3 * time.Second)
	w.Inject(advert(wire.RouterAdvertFields{Lifetime: 0}))
	w.Sent()
	b.Advance(30 * time.Second)
	if n := count(w, wt.ICMP("router solicitation")); n == 0 {
		t.Error("an advertisement without lifetime ended the search for a router")
	}
}

func TestARefreshedAddressIsPreferredAgain(t *testing.T) {
	b := newBed(t)
	w := b.ethernet("eth0", "2001:db8:2::1/64")
	b.Advance(3 * time.Second)
	source := func() (a wire.Addr) {
		b.Domain.Do(func() {
			if r, err := b.in.Route(to("2001:db8:1::77")); err == nil {
				a = r.Src
			}
		})
		return a
	}
	tell := func(preferred uint32) {
		w.Inject(advert(wire.RouterAdvertFields{Lifetime: 1800}, sourceLL(them), prefix("2001:db8:1::/64", 600, preferred)))
		b.Advance(3 * time.Second)
	}
	for i, preferred := range []uint32{300, 0, 300, 0, 300} {
		tell(preferred)
		if want := preferred > 0; (source() == wire.MustAddr(formed)) != want {
			t.Errorf("advertisement %d, preferred for %d s: the source is %v", i, preferred, source())
		}
	}
}

func TestEthernetWithoutARPNeedsNoDiscovery(t *testing.T) {
	b := newBed(t)
	quiet(b.in)
	w := b.WireWith(b.in, "eth0", core.Properties{Kind: "wire", Link: core.LinkEthernet, MTU: 1500, Flags: core.FlagNoARP, HWAddr: wire.MustHWAddr(us)})
	if err := w.Interface.AddAddress(wire.MustPrefix("fd00::1/64")); err != nil {
		t.Fatal(err)
	}
	if f, _ := b.flags(w.Interface, "fd00::1"); f&core.AddressTentative != 0 {
		t.Error("the address is tested")
	}
	if err := b.send(to("fd00::2"), 1, nil); err != nil {
		t.Fatal(err)
	}
	w.Expect(wt.IPv6("fd00::1", "fd00::2").UDP())
}

func TestRedirectsEndWithTheirInterface(t *testing.T) {
	b := newBed(t)
	w := b.wire("eth0", "2001:db8:1::5/64", "fe80::5/64")
	x := b.wire("eth1")
	b.route("::/0", routerLL, w.Interface)
	b.learn(w, routerLL, them)
	w.Inject(wt.Ethernet(them, us).IPv6(routerLL, "2001:db8:1::5", wt.TTL(255)).
		ICMP("redirect", wt.Target("2600::1"), wt.Destination("2600::1"), wt.TargetLL("02:00:00:00:00:09")))
	learnt := func() (n int) {
		for _, e := range b.in.Routes() {
			if e.Protocol == core.RouteByRedirect {
				n++
			}
		}
		return n
	}
	if err := x.Interface.SetUp(false); err != nil || learnt() != 1 {
		t.Errorf("%d redirects after another interface went down, %v", learnt(), err)
	}
	if err := w.Interface.SetUp(false); err != nil || learnt() != 0 {
		t.Errorf("%d redirects after the interface went down, %v", learnt(), err)
	}
}

func TestFlowsHaveLabelsOfTheirOwn(t *testing.T) {
	b := newBed(t)
	w := b.raw("w0", "fd00::1/64")
	b.Damaged() // no UDP checksums
	labels := map[uint32]bool{}
	for port := range uint16(50) {
		if err := b.send(to("fd00::9"), 5, func(p *core.Packet) { wire.UDP(p.Linear()).Encode(port, 7, p.Len()) }); err != nil {
			t.Fatal(err)
		}
		f, _ := w.Next()
		labels[wire.IPv6(f.Data).FlowLabel()] = true
	}
	if len(labels) < 49 {
		t.Errorf("50 flows have %d labels", len(labels))
	}
}

func TestARouterLearnsFromSolicitations(t *testing.T) {
	for _, forwarding := range []string{"0", "1"} {
		b := newBed(t)
		set(b.in, "net.ipv6.conf.all.forwarding", forwarding)
		w := b.wire("eth0", "fe80::1/64")
		b.join(w, "ff02::2", true)
		w.Inject(wt.Ethernet(them, "33:33:00:00:00:02").IPv6("fe80::2", "ff02::2", wt.TTL(255)).ICMP("router solicitation", wt.SourceLL(them)))
		w.Inject(wt.Ethernet(them, "33:33:00:00:00:02").IPv6("fe80::3", "ff02::2", wt.TTL(64)).ICMP("router solicitation", wt.SourceLL(them)))
		b.Domain.Do(func() {
			if n := len(w.Interface.Neighbours()); (n == 1) != (forwarding == "1") || n > 1 {
				t.Errorf("forwarding %s: %d neighbours", forwarding, n)
			}
		})
		if b.icmp("InErrors") != 1 {
			t.Error("a solicitation through a router was believed")
		}
	}
}

func TestARemovedAddressIsForgotten(t *testing.T) {
	b := newBed(t)
	w := b.wire("eth0", "fd00::1/64")
	set(b.in, "net.ipv6.conf.eth0.dad_transmits", "3")
	group := wire.SolicitedNode(wire.MustAddr("fd00::7"))
	if err := w.Interface.AddAddress(wire.MustPrefix("fd00::7/64")); err != nil || !w.Interface.InGroup(group) {
		t.Fatalf("the group was not joined, %v", err)
	}
	b.Advance(0)
	w.Sent()
	if err := w.Interface.RemoveAddress(wire.MustAddr("fd00::7")); err != nil || w.Interface.InGroup(group) {
		t.Errorf("the group was not left, %v", err)
	}
	b.Advance(5 * time.Second)
	if n := count(w, wt.NeighborSolicit("fd00::7")); n != 0 {
		t.Errorf("%d probes for an address that is gone", n)
	}
}

func TestAnAddressInUseIsNotGivenUp(t *testing.T) {
	b := newBed(t)
	w := b.wire("eth0", "fd00::1/64")
	w.Inject(wt.Ethernet(them, "33:33:00:00:00:01").IPv6("fd00::1", "ff02::1", wt.TTL(255)).NeighborAdvert("O", "fd00::1", wt.TargetLL(them)))
	if f, ok := b.flags(w.Interface, "fd00::1"); !ok || f&core.AddressDADFailed != 0 {
		t.Errorf("flags %x, %v", f, ok)
	}
}

func TestLoopbackAddressesLiveOnLoopback(t *testing.T) {
	b := newBed(t)
	w := b.WireWith(b.in, "lo", core.Properties{Kind: "lo", Link: core.LinkLoopback, MTU: 65535, Flags: core.FlagIsLoopback}, "::1/128")
	w.Inject(wt.IPv6("::1", "::1").UDP(wt.Ports(1, 2)))
	if len(b.udp.got) != 1 {
		t.Error("::1 does not reach ::1")
	}
	b.Advance(time.Minute)
	w.ExpectNothing() // no discovery, no groups
}

func TestRedirectedNeighboursAreRoutersOrNot(t *testing.T) {
	for target, router := range map[string]bool{"fe80::9": true, "2600::1": false} {
		b := newBed(t)
		w := b.wire("eth0", "2001:db8:1::5/64", "fe80::5/64")
		b.route("::/0", routerLL, w.Interface)
		w.Inject(wt.Ethernet(them, us).IPv6(routerLL, "2001:db8:1::5", wt.TTL(255)).
			ICMP("redirect", wt.Target(target), wt.Destination("2600::1"), wt.TargetLL(them)))
		b.Domain.Do(func() {
			if n := w.Interface.Neighbour(wire.MustAddr(target)); n == nil || n.Router != router {
				t.Errorf("%s: %+v", target, n)
			}
		})
	}
}

func TestReportsFillTheirMessages(t *testing.T) {
	b := newBed(t)
	w := b.wire("eth0")
	for i := range uint64(100) {
		b.Domain.Do(func() { w.Interface.JoinGroup(wire.Addr{Hi: 0xff05 << 48, Lo: 1000 + i}) })
	}
	b.Advance(5 * time.Second)
	w.Sent()
	w.Inject(query(2, "", 1000))
	b.Advance(1100 * time.Millisecond)
	sent := w.Sent()
	if len(sent) != 2 {
		t.Errorf("%d messages for 100 groups", len(sent))
	}
	for _, f := range sent {
		wt.Check(t, f.Data, wt.ICMP("multicast listener report v2"))
	}
}

func TestQueriesForSourcesAreAnsweredTogether(t *testing.T) {
	b := newBed(t)
	w := b.wire("eth0", "fe80::5/64")
	b.join(w, "ff05::8", true)
	b.Advance(5 * time.Second)
	w.Sent()
	w.Inject(query(2, "ff05::8", 5000, wire.MustAddr("2001::1")), query(2, "ff05::8", 5000, wire.MustAddr("2001::2"), wire.MustAddr("2001::1")))
	b.Advance(6 * time.Second)
	expectHeard(t, w, "1 ff05::8 2001::1 2001::2")
	w.Inject(query(2, "ff05::8", 5000, wire.MustAddr("2001::1")), query(2, "ff05::8", 5000))
	b.Advance(6 * time.Second)
	expectHeard(t, w, "2 ff05::8")
}

func TestOnlyHostsOfALinkLookForRouters(t *testing.T) {
	for _, c := range []struct {
		name, forwarding, acceptRA string
		link                       core.Link
		want                       bool
	}{
		{"host", "0", "1", core.LinkEthernet, true},
		{"router", "1", "1", core.LinkEthernet, false},
		{"router that listens", "1", "2", core.LinkEthernet, true},
		{"host that does not listen", "0", "0", core.LinkEthernet, false},
		{"link without link layer", "0", "1", core.LinkRaw, false},
	} {
		b := newBed(t)
		set(b.in, "net.ipv6.conf.all.forwarding", c.forwarding)
		set(b.in, "net.ipv6.conf.default.accept_ra", c.acceptRA)
		w := b.Wire(b.in, "x0", c.link)
		b.Advance(time.Minute)
		if n := count(w, wt.ICMP("router solicitation")); (n > 0) != c.want {
			t.Errorf("%s: %d solicitations", c.name, n)
		}
	}
}

func TestARouterForgetsRoutersUnlessItListens(t *testing.T) {
	for acceptRA, want := range map[string]bool{"1": false, "2": true} {
		b := newBed(t)
		w := b.ethernet("eth0")
		set(b.in, "net.ipv6.conf.eth0.accept_ra", acceptRA)
		b.Advance(3 * time.Second)
		w.Inject(advert(wire.RouterAdvertFields{Lifetime: 1800}, sourceLL(them)))
		set(b.in, "net.ipv6.conf.all.forwarding", "1")
		got := false
		for _, e := range b.in.Routes() {
			got = got || e.Protocol == core.RouteByRA
		}
		if got != want {
			t.Errorf("accept_ra %s: the route is there: %v", acceptRA, got)
		}
	}
}
