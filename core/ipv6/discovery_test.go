package ipv6

import (
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	wt "github.com/libos-go/libos/core/wire/wiretest"
)

const (
	ownLL    = "fe80::ff:fe00:1" // of 02:00:00:00:00:01
	routerLL = "fe80::ff:fe00:2"
)

// ethernet is a wire with everything on, as an operator gets it.
func (b *bed) ethernet(name string, addresses ...string) *coretest.Wire {
	return b.Wire(b.in, name, core.LinkEthernet, addresses...)
}

// is takes the sent frames and tells how many are as described.
func count(w *coretest.Wire, want wt.Packet) (n int) {
	for _, f := range w.Sent() {
		if wt.Match(f.Data, want) == nil {
			n++
		}
	}
	return n
}

func (b *bed) flags(ifc *core.Interface, a string) (f core.AddressFlags, ok bool) {
	b.Domain.Do(func() {
		if x := ifc.Address(wire.MustAddr(a)); x != nil {
			f, ok = x.Flags, true
		}
	})
	return f, ok
}

func TestAnInterfaceComesUpByTheBook(t *testing.T) {
	b := newBed(t)
	w := b.ethernet("eth0")
	if f, ok := b.flags(w.Interface, ownLL); !ok || f&core.AddressTentative == 0 {
		t.Fatalf("flags of %s: %x, %v", ownLL, f, ok)
	}
	b.Advance(1100 * time.Millisecond)
	sent := w.Sent()
	probes := 0
	for _, f := range sent {
		if wt.Match(f.Data, wt.Ethernet(us, "33:33:ff:00:00:01").IPv6("::", "ff02::1:ff00:1", wt.TTL(255)).NeighborSolicit(ownLL, wt.Without("source ll"))) == nil {
			probes++
		} else {
			wt.Check(t, f.Data, wt.Ethernet(us, "33:33:00:00:00:16").IPv6("::", "ff02::16", wt.TTL(1)).HopByHop(5, 2, 0, 0).ICMP("multicast listener report v2"))
		}
	}
	if probes != 1 {
		t.Errorf("%d probes", probes)
	}
	b.Advance(1100 * time.Millisecond)
	if f, _ := b.flags(w.Interface, ownLL); f&core.AddressTentative != 0 {
		t.Error("the address is still tentative")
	}
	b.Advance(20 * time.Second)
	if n := count(w, wt.IPv6(ownLL, "ff02::2", wt.TTL(255)).ICMP("router solicitation", wt.SourceLL(us))); n != 3 {
		t.Errorf("%d router solicitations", n)
	}
	b.Advance(time.Hour)
	w.ExpectNothing()
}

func TestDuplicateAddressesAreDetected(t *testing.T) {
	for _, c := range []struct {
		name string
		in   wt.Packet
		want bool
	}{
		{"another probes", wt.IPv6("::", "ff02::1:ff00:7", wt.TTL(255)).NeighborSolicit("fd00::7"), true},
		{"another advertises", wt.IPv6("fd00::7", "ff02::1", wt.TTL(255)).NeighborAdvert("O", "fd00::7", wt.TargetLL(them)), true},
		{"another asks for it", wt.IPv6("fd00::2", "ff02::1:ff00:7", wt.TTL(255)).NeighborSolicit("fd00::7", wt.SourceLL(them)), false},
		{"through a router", wt.IPv6("fd00::7", "ff02::1", wt.TTL(254)).NeighborAdvert("O", "fd00::7", wt.TargetLL(them)), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			w := b.wire("eth0", "fd00::1/64")
			if err := w.Interface.AddAddress(wire.MustPrefix("fd00::7/64")); err != nil {
				t.Fatal(err)
			}
			b.Advance(500 * time.Millisecond)
			w.Sent()
			w.Inject(wt.Ethernet(them, "33:33:ff:00:00:07").Then(c.in))
			w.ExpectNothing() // a tentative address defends nothing
			b.Advance(10 * time.Second)
			f, ok := b.flags(w.Interface, "fd00::7")
			if !ok || (f&core.AddressDADFailed != 0) != c.want {
				t.Errorf("flags %x, %v", f, ok)
			}
			w.Sent()
			w.Inject(wt.Ethernet(them, us).IPv6("fd00::2", "fd00::7").UDP(wt.Ports(1, 2)))
			if got := len(b.udp.got) == 1; got == c.want {
				t.Errorf("a datagram to it is delivered: %v", got)
			}
			if c.want {
				b.Domain.Do(func() {
					if r, err := b.in.Route(to("fd00::99")); err != nil || r.Src != wire.MustAddr("fd00::1") {
						t.Errorf("it is used as a source: %v %v", r, err)
					}
				})
			}
		})
	}
}

func TestDuplicateLinkLocalAddressDisablesIPv6IfSo(t *testing.T) {
	b := newBed(t)
	set(b.in, "net.ipv6.conf.default.accept_dad", "2")
	w := b.ethernet("eth0")
	b.Advance(1100 * time.Millisecond)
	w.Inject(wt.Ethernet(them, "33:33:00:00:00:01").IPv6(ownLL, "ff02::1", wt.TTL(255)).NeighborAdvert("O", ownLL, wt.TargetLL(them)))
	w.Sent()
	b.Advance(time.Minute)
	w.ExpectNothing()
	if _, ok := b.flags(w.Interface, ownLL); ok {
		t.Error("the address is still there")
	}
}

func TestNoDetectionWhereItMakesNoSense(t *testing.T) {
	b := newBed(t)
	quiet(b.in)
	w := b.Wire(b.in, "tun0", core.LinkRaw)
	if err := w.Interface.AddAddress(wire.MustPrefix("fd00::7/64")); err != nil {
		t.Fatal(err)
	}
	if f, _ := b.flags(w.Interface, "fd00::7"); f&core.AddressTentative != 0 {
		t.Error("tentative on a link without link layer")
	}
	e := b.wire("eth0")
	set(b.in, "net.ipv6.conf.eth0.dad_transmits", "0")
	if err := e.Interface.AddAddress(wire.MustPrefix("fd01::7/64")); err != nil {
		t.Fatal(err)
	}
	if f, _ := b.flags(e.Interface, "fd01::7"); f&core.AddressTentative != 0 {
		t.Error("tentative with dad_transmits = 0")
	}
}

// advert is a router advertisement with options.
func advert(f wire.RouterAdvertFields, options ...[]byte) wt.Packet {
	b := make(wire.ICMPv6, wire.RouterAdvertSize)
	wire.RouterAdvert(b).Encode(f)
	for _, o := range options {
		b = append(b, o...)
	}
	b.UpdateChecksum(wire.MustAddr(routerLL), wire.IPv6AllNodes())
	return wt.Ethernet(them, "33:33:00:00:00:01").IPv6(routerLL, "ff02::1", wt.TTL(255), wt.Proto(wire.ProtoICMPv6)).Payload(string(b))
}

func prefix(text string, valid, preferred uint32) []byte {
	p := wire.PrefixInfo{Prefix: wire.MustPrefix(text), OnLink: true, Autonomous: true, Valid: valid, Preferred: preferred}
	b := make([]byte, wire.NDPrefixInfoSize)
	p.Put(b)
	return b
}

func sourceLL(hw string) []byte {
	b := make([]byte, wire.NDLinkLayerSize)
	wire.PutNDLinkLayer(b, wire.NDOptSourceLL, wire.MustHWAddr(hw))
	return b
}

func mtuOption(n uint32) []byte {
	b := make([]byte, wire.NDMTUSize)
	wire.PutNDMTU(b, n)
	return b
}

const formed = "2001:db8:1:0:0:ff:fe00:1"

func TestAHostConfiguresItself(t *testing.T) {
	b := newBed(t)
	w := b.ethernet("eth0")
	b.Advance(3 * time.Second)
	w.Sent()
	w.Inject(advert(wire.RouterAdvertFields{CurHopLimit: 99, Lifetime: 1800, ReachableTime: 20000, RetransTimer: 250},
		sourceLL(them), mtuOption(1400), prefix("2001:db8:1::/64", 86400, 14400)))
	b.Advance(3 * time.Second)
	f, ok := b.flags(w.Interface, formed)
	if !ok || f&core.AddressTentative != 0 {
		t.Fatalf("%s: flags %x, %v", formed, f, ok)
	}
	if n := count(w, wt.ICMP("router solicitation")); n != 0 {
		t.Errorf("%d solicitations after the answer", n)
	}
	if err := b.send(to("2600::1"), 4, nil); err != nil {
		t.Fatal(err)
	}
	w.Expect(wt.Ethernet(us, them).IPv6(formed, "2600::1", wt.TTL(99)).UDP())
	if err := b.send(to("2001:db8:1::77"), 4, nil); err != nil { // on link
		t.Fatal(err)
	}
	w.Expect(wt.IPv6(formed, "ff02::1:ff00:77").NeighborSolicit("2001:db8:1::77"))
	b.Domain.Do(func() {
		r, err := b.in.Route(to("2600::1"))
		if err != nil || r.MTU != 1400 {
			t.Errorf("route %v, %v", r, err)
		}
		n := b.in.Networks()[0].(*network).NeighbourParams(w.Interface)
		if n.BaseReachable != 20*time.Second || n.Retransmit != 250*time.Millisecond {
			t.Errorf("parameters %+v", n)
		}
	})
}

func TestLifetimesEnd(t *testing.T) {
	b := newBed(t)
	w := b.ethernet("eth0")
	b.Advance(3 * time.Second)
	w.Inject(advert(wire.RouterAdvertFields{Lifetime: 30}, sourceLL(them), prefix("2001:db8:1::/64", 100, 50)))
	b.Advance(10 * time.Second)
	routed := func() bool { return b.send(to("2600::1"), 1, nil) == nil }
	if !routed() {
		t.Error("no default route")
	}
	b.Advance(21 * time.Second)
	if routed() {
		t.Error("the default route outlived its router")
	}
	if f, _ := b.flags(w.Interface, formed); f&core.AddressDeprecated != 0 {
		t.Error("deprecated too early")
	}
	b.Advance(20 * time.Second)
	if f, ok := b.flags(w.Interface, formed); !ok || f&core.AddressDeprecated == 0 {
		t.Errorf("not deprecated: %x, %v", f, ok)
	}
	b.Advance(50 * time.Second)
	if _, ok := b.flags(w.Interface, formed); ok {
		t.Error("the address outlived its lifetime")
	}
	if err := b.send(to("2001:db8:1::77"), 1, nil); err == nil {
		t.Error("the prefix outlived its lifetime")
	}
	b.Domain.Do(func() {
		if b.in.RoutesLocked(); len(b.in.RoutesLocked()) != 2 { // the link-local address and its prefix
			t.Errorf("routes: %v", b.in.RoutesLocked())
		}
	})
}

func TestTwoHourRule(t *testing.T) {
	for _, c := range []struct {
		name            string
		have, got, want uint32
	}{
		{"longer", 3600, 4000, 4000},
		{"above two hours", 86400, 7201, 7201},
		{"shortened to two hours", 86400, 60, 7200},
		{"short already", 3600, 60, 3600},
		{"for ever", 3600, 0xffffffff, 0xffffffff},
		{"from for ever", 0xffffffff, 60, 7200},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			w := b.ethernet("eth0")
			b.Advance(3 * time.Second)
			w.Inject(advert(wire.RouterAdvertFields{}, prefix("2001:db8:1::/64", c.have, c.have)))
			w.Inject(advert(wire.RouterAdvertFields{}, prefix("2001:db8:1::/64", c.got, c.got)))
			b.Domain.Do(func() {
				a := w.Interface.Address(wire.MustAddr(formed))
				if a == nil {
					t.Fatal("there is no address")
				}
				if want := b.in.Lifetime(c.want); a.Valid != want {
					t.Errorf("valid until %v, want %v", a.Valid, want)
				}
				if want := b.in.Lifetime(c.got); a.Preferred != want {
					t.Errorf("preferred until %v, want %v", a.Preferred, want)
				}
			})
		})
	}
}

func TestAdvertisementsThatAreNotBelieved(t *testing.T) {
	fields := wire.RouterAdvertFields{Lifetime: 1800}
	good := prefix("2001:db8:1::/64", 600, 600)
	other := func(change func(*wire.PrefixInfo)) []byte {
		p := wire.PrefixInfo{Prefix: wire.MustPrefix("2001:db8:1::/64"), OnLink: true, Autonomous: true, Valid: 600, Preferred: 600}
		change(&p)
		b := make([]byte, wire.NDPrefixInfoSize)
		p.Put(b)
		return b
	}
	for _, c := range []struct {
		name                string
		set                 map[string]string
		option              []byte
		route, address, net bool
	}{
		{"as it should be", nil, good, true, true, true},
		{"accept_ra 0", map[string]string{"accept_ra": "0"}, good, false, false, false},
		{"forwarding", map[string]string{"forwarding": "1"}, good, false, false, false},
		{"forwarding and accept_ra 2", map[string]string{"forwarding": "1", "accept_ra": "2"}, good, true, true, true},
		{"accept_ra_defrtr 0", map[string]string{"accept_ra_defrtr": "0"}, good, false, true, true},
		{"accept_ra_pinfo 0", map[string]string{"accept_ra_pinfo": "0"}, good, true, false, false},
		{"autoconf 0", map[string]string{"autoconf": "0"}, good, true, false, true},
		{"preferred beyond valid", nil, other(func(p *wire.PrefixInfo) { p.Preferred = 601 }), true, false, false},
		{"not on link", nil, other(func(p *wire.PrefixInfo) { p.OnLink = false }), true, true, false},
		{"not autonomous", nil, other(func(p *wire.PrefixInfo) { p.Autonomous = false }), true, false, true},
		{"not 64 bits", nil, other(func(p *wire.PrefixInfo) { p.Prefix.Bits = 56 }), true, false, true},
		{"no lifetime", nil, other(func(p *wire.PrefixInfo) { p.Valid, p.Preferred = 0, 0 }), true, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			w := b.ethernet("eth0")
			for name, v := range c.set {
				set(b.in, "net.ipv6.conf.eth0."+name, v)
			}
			b.Advance(3 * time.Second)
			w.Inject(advert(fields, sourceLL(them), c.option))
			b.Advance(3 * time.Second)
			_, address := b.flags(w.Interface, formed)
			route, net := false, false
			for _, e := range b.in.Routes() {
				route = route || e.Prefix.Bits == 0 && e.Gateway == wire.MustAddr(routerLL)
				net = net || e.Prefix.Contains(wire.MustAddr("2001:db8:1::")) && e.Prefix.Bits > 0
			}
			if route != c.route || address != c.address || net != c.net {
				t.Errorf("default route %v, address %v, prefix %v", route, address, net)
			}
		})
	}
}

func TestRoutersArePreferredAndReplaced(t *testing.T) {
	b := newBed(t)
	w := b.ethernet("eth0", "2001:db8:1::5/64")
	b.Advance(3 * time.Second)
	w.Sent()
	second := "fe80::3"
	advertFrom := func(src string, f wire.RouterAdvertFields, hw string) {
		m := make(wire.ICMPv6, wire.RouterAdvertSize)
		wire.RouterAdvert(m).Encode(f)
		m = append(m, sourceLL(hw)...)
		m.UpdateChecksum(wire.MustAddr(src), wire.IPv6AllNodes())
		w.Inject(wt.Ethernet(hw, "33:33:00:00:00:01").IPv6(src, "ff02::1", wt.TTL(255), wt.Proto(wire.ProtoICMPv6)).Payload(string(m)))
	}
	via := func() string {
		w.Sent()
		if err := b.send(to("2600::1"), 1, nil); err != nil {
			return err.Error()
		}
		f, _ := w.Next()
		return wire.Ethernet(f.Data).Dst().String()
	}
	const hw3 = "02:00:00:00:00:03"
	advertFrom(routerLL, wire.RouterAdvertFields{Lifetime: 1800}, them)
	advertFrom(second, wire.RouterAdvertFields{Lifetime: 1800, Preference: 1}, hw3)
	if got := via(); got != hw3 {
		t.Errorf("goes to %s, not to the preferred router", got)
	}
	b.Advance(15 * time.Second) // it does not answer the probes
	if got := via(); got != them {
		t.Errorf("goes to %s, not to the router that may answer", got)
	}
	advertFrom(second, wire.RouterAdvertFields{Lifetime: 1800, Preference: 1}, hw3)
	if got := via(); got != hw3 {
		t.Errorf("goes to %s, not back to the preferred router", got)
	}
	advertFrom(second, wire.RouterAdvertFields{Lifetime: 0}, hw3)
	if got := via(); got != them {
		t.Errorf("goes to %s after the router resigned", got)
	}
	w.Inject(wt.Ethernet(them, us).IPv6(routerLL, "2001:db8:1::5", wt.TTL(255)).NeighborAdvert("O", routerLL, wt.TargetLL(them)))
	if got := via(); got != "network is unreachable" {
		t.Errorf("goes to %s after the router became a host", got)
	}
}

func TestRedirectsAreFollowed(t *testing.T) {
	b := newBed(t)
	w := b.wire("eth0", "2001:db8:1::5/64", "fe80::5/64")
	b.route("::/0", routerLL, w.Interface)
	b.learn(w, routerLL, them)
	redirect := func(from string) wt.Packet {
		return wt.Ethernet(them, us).IPv6(from, "2001:db8:1::5", wt.TTL(255)).
			ICMP("redirect", wt.Target("fe80::9"), wt.Destination("2600::1"), wt.TargetLL("02:00:00:00:00:09"))
	}
	hop := func() string {
		w.Sent()
		if err := b.send(to("2600::1"), 1, nil); err != nil {
			t.Fatal(err)
		}
		f, _ := w.Next()
		return wire.Ethernet(f.Data).Dst().String()
	}
	w.Inject(redirect("fe80::77"))
	if got := hop(); got != them {
		t.Errorf("a stranger's redirect was followed to %s", got)
	}
	set(b.in, "net.ipv6.conf.eth0.accept_redirects", "0")
	w.Inject(redirect(routerLL))
	if got := hop(); got != them {
		t.Errorf("a redirect was followed to %s in spite of the setting", got)
	}
	set(b.in, "net.ipv6.conf.eth0.accept_redirects", "1")
	w.Inject(redirect(routerLL))
	if got := hop(); got != "02:00:00:00:00:09" {
		t.Errorf("after the redirect it goes to %s", got)
	}
}

func TestARouterRedirectsItsNeighbours(t *testing.T) {
	b := newBed(t)
	set(b.in, "net.ipv6.conf.all.forwarding", "1")
	w := b.wire("eth0", "2001:db8:1::5/64", "fe80::5/64")
	b.route("2600::/16", "fe80::9", w.Interface)
	b.learn(w, "fe80::9", "02:00:00:00:00:09")
	b.learn(w, "2001:db8:1::2", them)
	w.Inject(wt.Ethernet(them, us).IPv6("2001:db8:1::2", "2600::1").UDP(wt.Ports(1, 2)))
	w.Expect(wt.Ethernet(us, them).IPv6("fe80::5", "2001:db8:1::2", wt.TTL(255)).
		ICMP("redirect", wt.Target("fe80::9"), wt.Destination("2600::1"), wt.TargetLL("02:00:00:00:00:09")))
	w.Expect(wt.Ethernet(us, "02:00:00:00:00:09").IPv6("2001:db8:1::2", "2600::1", wt.TTL(63)).UDP())
	w.Inject(wt.Ethernet(them, us).IPv6("2001:db8:7::2", "2600::1").UDP(wt.Ports(1, 2))) // from behind a router
	w.Expect(wt.Ethernet(us, "02:00:00:00:00:09").IPv6("2001:db8:7::2", "2600::1", wt.TTL(63)).UDP())
	w.ExpectNothing()
}

func TestUnreachabilityIsDetected(t *testing.T) {
	b := newBed(t)
	w := b.wire("eth0", "fd00::1/64")
	state := func() (s core.NeighbourState) {
		b.Domain.Do(func() {
			if n := w.Interface.Neighbour(wire.MustAddr("fd00::2")); n != nil {
				s = n.State
			}
		})
		return s
	}
	answer := func(flags string) {
		w.Inject(wt.Ethernet(them, us).IPv6("fd00::2", "fd00::1", wt.TTL(255)).NeighborAdvert(flags, "fd00::2", wt.TargetLL(them)))
	}
	if b.send(to("fd00::2"), 1, nil) != nil || state() != core.NeighbourIncomplete {
		t.Fatal("the neighbour is not being resolved")
	}
	answer("SO")
	if state() != core.NeighbourReachable {
		t.Errorf("state %x after a solicited answer", state())
	}
	b.Advance(50 * time.Second)
	if state() != core.NeighbourStale {
		t.Errorf("state %x after the reachable time", state())
	}
	w.Sent()
	if b.send(to("fd00::2"), 1, nil) != nil || state() != core.NeighbourDelay {
		t.Errorf("state %x after a packet", state())
	}
	w.Expect(wt.Ethernet(us, them).IPv6("fd00::1", "fd00::2").UDP())
	w.ExpectNothing()
	b.Advance(5100 * time.Millisecond)
	if state() != core.NeighbourProbe {
		t.Errorf("state %x after the delay", state())
	}
	w.Expect(wt.Ethernet(us, them).IPv6("fd00::1", "fd00::2").NeighborSolicit("fd00::2", wt.SourceLL(us)))
	answer("S")
	if state() != core.NeighbourReachable {
		t.Errorf("state %x after the answer to the probe", state())
	}
	b.Advance(50 * time.Second)
	_ = b.send(to("fd00::2"), 1, nil)
	w.Sent()
	b.Advance(9 * time.Second)
	if n := count(w, wt.NeighborSolicit("fd00::2")); n != 3 || state() != core.NeighbourNone {
		t.Errorf("%d probes, then state %x", n, state())
	}
}

func TestAdvertisementsChangeNeighboursByTheirFlags(t *testing.T) {
	const other = "02:00:00:00:00:33"
	for _, c := range []struct {
		name, flags, hw string
		state           core.NeighbourState
		want            string
	}{
		{"override clear, other address", "", other, core.NeighbourStale, them},
		{"override clear, other address, solicited", "S", other, core.NeighbourStale, them},
		{"override clear, same address", "", them, core.NeighbourReachable, them},
		{"override, other address", "O", other, core.NeighbourStale, other},
		{"override, other address, solicited", "SO", other, core.NeighbourReachable, other},
		{"override, same address", "O", them, core.NeighbourReachable, them},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			w := b.wire("eth0", "fd00::1/64")
			_ = b.send(to("fd00::2"), 1, nil)
			w.Inject(wt.Ethernet(them, us).IPv6("fd00::2", "fd00::1", wt.TTL(255)).NeighborAdvert("SO", "fd00::2", wt.TargetLL(them)))
			w.Inject(wt.Ethernet(them, us).IPv6("fd00::2", "fd00::1", wt.TTL(255)).NeighborAdvert(c.flags, "fd00::2", wt.TargetLL(c.hw)))
			b.Domain.Do(func() {
				n := w.Interface.Neighbour(wire.MustAddr("fd00::2"))
				if n == nil || n.State != c.state || n.HWAddr != wire.MustHWAddr(c.want) {
					t.Errorf("neighbour %+v", n)
				}
			})
		})
	}
}

func TestDiscoveryThroughARouterIsIgnored(t *testing.T) {
	b := newBed(t)
	w := b.wire("eth0", "fd00::1/64")
	w.Inject(wt.Ethernet(them, "33:33:ff:00:00:01").IPv6("fd00::2", "ff02::1:ff00:1", wt.TTL(254)).NeighborSolicit("fd00::1", wt.SourceLL(them)))
	w.ExpectNothing()
	if b.icmp("InErrors") != 1 {
		t.Error("it was not counted")
	}
	b.Domain.Do(func() {
		if n := len(w.Interface.Neighbours()); n != 0 {
			t.Errorf("%d neighbours were learnt", n)
		}
	})
}
