package ipv6

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	wt "github.com/libos-go/libos/core/wire/wiretest"
	"github.com/libos-go/libos/host"
)

func (b *bed) get(name string) string {
	v, err := b.in.Sysctl(name)
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

func TestWritingAllReachesEveryInterface(t *testing.T) {
	b := newBed(t)
	b.raw("w0", "fd00::1/64")
	set(b.in, "net.ipv6.conf.all.forwarding", "1")
	b.raw("w1", "fd01::1/64")
	for _, dev := range []string{"all", "default", "w0", "w1"} {
		if v := b.get("net.ipv6.conf." + dev + ".forwarding"); v != "1" {
			t.Errorf("forwarding of %s is %s", dev, v)
		}
	}
	set(b.in, "net.ipv6.conf.w0.forwarding", "0")
	if b.get("net.ipv6.conf.w1.forwarding") != "1" || b.get("net.ipv6.conf.all.forwarding") != "1" {
		t.Error("writing one interface changed others")
	}
	set(b.in, "net.ipv6.conf.default.hop_limit", "33")
	if b.get("net.ipv6.conf.w0.hop_limit") != "64" {
		t.Error("writing default changed an interface that was there")
	}
	w := b.raw("w2", "fd02::1/64")
	if err := b.send(to("fd02::9"), 1, nil); err != nil {
		t.Fatal(err)
	}
	w.Expect(wt.IPv6("fd02::1", "fd02::9", wt.TTL(33)))
	for _, bad := range []string{"hop_limit 0", "accept_ra 3", "dad_transmits -1", "nothing 1"} {
		var name, value string
		fmt.Sscan(bad, &name, &value)
		want := syscall.EINVAL
		if name == "nothing" {
			want = syscall.ENOENT
		}
		if err := b.in.SetSysctl("net.ipv6.conf.w0."+name, value); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", bad, err, want)
		}
	}
}

// Whether addresses are tested for duplicates is the greater of what all and
// the interface say; all says 0, so that an interface can be told not to.
func TestDADIsTheGreaterOfAllAndTheInterface(t *testing.T) {
	b := newBed(t)
	if all, def := b.get("net.ipv6.conf.all.accept_dad"), b.get("net.ipv6.conf.default.accept_dad"); all != "0" || def != "1" {
		t.Errorf("accept_dad is %s under all and %s under default, want 0 and 1", all, def)
	}
	w := b.wire("eth0")
	tentative := func(a string) bool {
		t.Helper()
		if err := w.Interface.AddAddress(wire.MustPrefix(a + "/64")); err != nil {
			t.Fatal(err)
		}
		f, _ := b.flags(w.Interface, a)
		return f&core.AddressTentative != 0
	}
	if !tentative("fd01::1") {
		t.Error("not tested with accept_dad = 1")
	}
	set(b.in, "net.ipv6.conf.eth0.accept_dad", "0")
	if tentative("fd01::2") {
		t.Error("tested with accept_dad = 0 of the interface")
	}
	set(b.in, "net.ipv6.conf.all.accept_dad", "1")
	if !tentative("fd01::3") {
		t.Error("not tested with accept_dad = 1 under all")
	}
}

// What all forces is in place of what an interface forces, and writes it nowhere.
func TestForcedMLDVersionOfAllComesFirst(t *testing.T) {
	b := newBed(t)
	w := b.wire("eth0", "fd00::1/64")
	set(b.in, "net.ipv6.conf.eth0.force_mld_version", "2")
	set(b.in, "net.ipv6.conf.all.force_mld_version", "1")
	if v := b.get("net.ipv6.conf.eth0.force_mld_version"); v != "2" {
		t.Errorf("writing all changed the interface's own to %s", v)
	}
	b.Domain.Do(func() { w.Interface.JoinGroup(wire.MustAddr("ff05::7")) })
	b.Advance(10 * time.Second)
	if got := heard(t, w); len(got) == 0 || got[0] != "report ff05::7" {
		t.Errorf("told %q, want reports of version 1", got)
	}
}

func TestForwardingIsWhatAllSays(t *testing.T) {
	b := newBed(t)
	w0, w1 := b.raw("w0", "fd00::1/64"), b.raw("w1", "fd01::1/64")
	p := wt.IPv6("fd00::2", "fd01::2").UDP(wt.Ports(1, 2))
	set(b.in, "net.ipv6.conf.w0.forwarding", "1") // makes it a router's interface, no more (ip-sysctl)
	w0.Inject(p)
	w1.ExpectNothing()
	set(b.in, "net.ipv6.conf.all.forwarding", "1")
	b.Advance(3 * time.Second)
	w1.Sent()
	w0.Inject(p)
	w1.Expect(wt.IPv6("fd00::2", "fd01::2", wt.TTL(63)))
}

func TestIPv6CanBeTurnedOffAndOn(t *testing.T) {
	b := newBed(t)
	w := b.ethernet("eth0", "fd00::1/64")
	b.Advance(20 * time.Second)
	w.Sent()
	set(b.in, "net.ipv6.conf.eth0.disable_ipv6", "1")
	if n := len(w.Interface.Addresses()); n != 0 {
		t.Errorf("%d addresses stayed", n)
	}
	for _, e := range b.in.Routes() {
		if e.Interface == w.Interface {
			t.Errorf("%v stayed", e)
		}
	}
	if err := w.Interface.AddAddress(wire.MustPrefix("fd00::1/64")); err != syscall.EACCES {
		t.Errorf("an address where IPv6 is off: %v", err)
	}
	w.Inject(wt.Ethernet(them, us).IPv6("fd00::2", "fd00::1").Echo(1, 1))
	b.Advance(time.Minute)
	w.ExpectNothing()
	set(b.in, "net.ipv6.conf.eth0.disable_ipv6", "0")
	b.Advance(20 * time.Second)
	if f, ok := b.flags(w.Interface, ownLL); !ok || f&core.AddressTentative != 0 {
		t.Errorf("link-local address: flags %x, %v", f, ok)
	}
	if n := len(w.Interface.Addresses()); n != 1 {
		t.Errorf("%d addresses came back", n)
	}
	if err := w.Interface.AddAddress(wire.MustPrefix("fd00::1/64")); err != nil {
		t.Fatal(err)
	}
	b.Advance(3 * time.Second)
	w.Sent()
	w.Inject(wt.Ethernet(them, us).IPv6("fd00::2", "fd00::1").UDP(wt.Ports(1, 2)))
	if len(b.udp.got) != 1 {
		t.Error("nothing arrives after it was turned on again")
	}
}

func TestAnInterfaceGoesDownAndUp(t *testing.T) {
	for _, x := range []struct {
		all, own string
		keeps    bool
	}{{"0", "0", false}, {"0", "1", true}, {"1", "0", true}, {"-1", "1", false}} {
		t.Run("keep_addr_on_down "+x.all+" "+x.own, func(t *testing.T) { downAndUp(t, x.all, x.own, x.keeps) })
	}
}

func downAndUp(t *testing.T, all, own string, keeps bool) {
	b := newBed(t)
	w := b.ethernet("eth0")
	set(b.in, "net.ipv6.conf.all.keep_addr_on_down", all)
	set(b.in, "net.ipv6.conf.eth0.keep_addr_on_down", own)
	if err := w.Interface.AddAddress(wire.MustPrefix("fd00::1/64")); err != nil {
		t.Fatal(err)
	}
	b.Advance(3 * time.Second)
	w.Inject(advert(wire.RouterAdvertFields{Lifetime: 1800}, sourceLL(them), prefix("2001:db8:1::/64", 600, 600)))
	b.Advance(5 * time.Second)
	if err := w.Interface.SetUp(false); err != nil {
		t.Fatal(err)
	}
	if _, ok := b.flags(w.Interface, formed); ok {
		t.Error("the address of the prefix stayed")
	}
	for _, e := range b.in.Routes() {
		if e.Interface == w.Interface {
			t.Errorf("a route stayed: %v", e)
		}
	}
	if _, ok := b.flags(w.Interface, "fd00::1"); ok != keeps {
		t.Errorf("the address stayed: %v, want %v", ok, keeps)
	}
	if _, ok := b.flags(w.Interface, ownLL); ok {
		t.Error("the link-local address stayed")
	}
	back := []string{ownLL}
	if keeps {
		back = append(back, "fd00::1")
	}
	w.Sent()
	b.Advance(time.Hour)
	w.ExpectNothing()
	if err := w.Interface.SetUp(true); err != nil {
		t.Fatal(err)
	}
	for _, a := range back {
		if f, _ := b.flags(w.Interface, a); f&core.AddressTentative == 0 {
			t.Errorf("%s is not tested again", a)
		}
	}
	b.Advance(30 * time.Second)
	sent := w.Sent()
	for _, a := range back {
		n := 0
		for _, f := range sent {
			if wt.Match(f.Data, wt.IPv6("::", nil).NeighborSolicit(a)) == nil {
				n++
			}
		}
		if f, _ := b.flags(w.Interface, a); n != 1 || f&core.AddressTentative != 0 {
			t.Errorf("%s: %d probes, flags %x", a, n, f)
		}
	}
	connected := slices.ContainsFunc(b.in.Routes(), func(e core.RouteEntry) bool { return e.Prefix == wire.MustPrefix("fd00::/64") })
	if connected != keeps {
		t.Errorf("the route of the address's prefix is there: %v, want %v", connected, keeps)
	}
}

func TestACarrierThatComesBackIsGreeted(t *testing.T) {
	b := newBed(t)
	w := b.ethernet("eth0")
	b.Advance(30 * time.Second)
	w.Sent()
	carrier := func(on bool) { b.Domain.Do(func() { w.Interface.SetCarrier(on) }) }
	carrier(false)
	b.Advance(time.Minute)
	w.ExpectNothing()
	if _, ok := b.flags(w.Interface, ownLL); !ok {
		t.Error("the address went with the carrier")
	}
	carrier(true)
	b.Advance(30 * time.Second)
	if n := count(w, wt.IPv6(ownLL, "ff02::2").ICMP("router solicitation")); n != 3 {
		t.Errorf("%d router solicitations", n)
	}
}

func TestLinksBelow1280CarryNoIPv6(t *testing.T) {
	b := newBed(t)
	w := b.raw("w0", "fd00::1/64")
	if err := w.Interface.SetMTU(1279); err != nil {
		t.Fatal(err)
	}
	w.Inject(wt.IPv6("fd00::2", "fd00::1").Echo(1, 1))
	w.ExpectNothing()
	if err := w.Interface.SetMTU(1280); err != nil {
		t.Fatal(err)
	}
	if err := w.Interface.AddAddress(wire.MustPrefix("fd00::1/64")); err != nil { // it went with IPv6
		t.Fatal(err)
	}
	b.Advance(3 * time.Second)
	w.Sent()
	w.Inject(wt.IPv6("fd00::2", "fd00::1").Echo(1, 1))
	w.Expect(wt.EchoReply(1, 1))
}

func TestSettingLowersTheMTU(t *testing.T) {
	b := newBed(t)
	b.raw("w0", "fd00::1/64")
	for _, c := range []struct {
		set  string
		want int
	}{{"1400", 1400}, {"100", 1280}, {"9000", 1500}, {"0", 1500}} {
		set(b.in, "net.ipv6.conf.w0.mtu", c.set)
		b.Domain.Do(func() {
			if r, err := b.in.Route(to("fd00::9")); err != nil || r.MTU != c.want {
				t.Errorf("mtu %s: %+v, %v", c.set, r, err)
			}
		})
	}
}

func TestInterfaceIdentifiers(t *testing.T) {
	linkLocals := func(mode string, link core.Link) (out []wire.Addr) {
		b := newBed(t)
		set(b.in, "net.ipv6.conf.default.addr_gen_mode", mode)
		w := b.Wire(b.in, "a0", link)
		v := b.Wire(b.in, "a1", link)
		b.Domain.Do(func() {
			for _, ifc := range []*core.Interface{w.Interface, v.Interface} {
				for _, a := range ifc.Addresses() {
					if a.Prefix.Bits != 64 || !a.Prefix.Addr.IsLinkLocalUnicast() {
						t.Errorf("address %v", a.Prefix)
					}
					out = append(out, a.Prefix.Addr)
				}
			}
		})
		return out
	}
	if a := linkLocals("0", core.LinkEthernet); len(a) != 2 || a[0] != wire.MustAddr(ownLL) {
		t.Errorf("EUI-64: %v", a)
	}
	if a := linkLocals("1", core.LinkEthernet); len(a) != 0 {
		t.Errorf("none: %v", a)
	}
	a, again := linkLocals("2", core.LinkEthernet), linkLocals("2", core.LinkEthernet)
	if len(a) != 2 || a[0] == a[1] || a[0] == wire.MustAddr(ownLL) || len(again) != 2 || a[0] != again[0] {
		t.Errorf("stable-privacy: %v, again %v", a, again)
	}
	if a := linkLocals("0", core.LinkRaw); len(a) != 2 || a[0] == a[1] {
		t.Errorf("without hardware address: %v", a)
	}
}

// TestSipHash has the first two vectors of the authors' reference code that are
// whole words.
func TestSipHash(t *testing.T) {
	key := [2]uint64{0x0706050403020100, 0x0f0e0d0c0b0a0908}
	if h := sipHash(&key, nil); h != 0x726fdb47dd0e0e31 {
		t.Errorf("of nothing: %x", h)
	}
	if h := sipHash(&key, []uint64{0x0706050403020100}); h != 0x93f5f5799a932462 {
		t.Errorf("of eight bytes: %x", h)
	}
}

func TestRouteInformationIsTakenIfAllowed(t *testing.T) {
	r := wire.RouteInfo{Prefix: wire.MustPrefix("2001:db8:77::/48"), Preference: 1, Lifetime: 600}
	option := make([]byte, r.Size())
	r.Put(option)
	for _, c := range []struct {
		longest string
		want    bool
	}{{"0", false}, {"40", false}, {"48", true}} {
		b := newBed(t)
		w := b.ethernet("eth0")
		set(b.in, "net.ipv6.conf.eth0.accept_ra_rt_info_max_plen", c.longest)
		b.Advance(3 * time.Second)
		w.Inject(advert(wire.RouterAdvertFields{}, sourceLL(them), option))
		got := false
		for _, e := range b.in.Routes() {
			got = got || e.Prefix == r.Prefix && e.Gateway == wire.MustAddr(routerLL) && e.Metric == 1023
		}
		if got != c.want {
			t.Errorf("up to %s: %v", c.longest, got)
		}
	}
}

func TestWhatAdvertisementsMakeUsKeepIsBounded(t *testing.T) {
	b := newBed(t)
	w := b.ethernet("eth0")
	b.Advance(3 * time.Second)
	for i := range 300 {
		w.Inject(advert(wire.RouterAdvertFields{Lifetime: 1800}, sourceLL(them), prefix(fmt.Sprintf("2001:db8:%x::/64", i), 600, 600)))
	}
	b.Advance(5 * time.Second)
	if n := len(w.Interface.Addresses()); n != 17 { // max_addresses and the link-local one
		t.Errorf("%d addresses", n)
	}
	if n := len(b.in.Routes()); n > 2+16+maxPrefixes+1 {
		t.Errorf("%d routes", n)
	}
}

func TestNeighbourFloodIsBounded(t *testing.T) {
	b := newBed(t)
	w := b.wire("eth0", "fd00::1/64")
	for i := range 3000 {
		src := fmt.Sprintf("fd00::%x", 0x1000+i)
		w.Inject(wt.Ethernet(them, "33:33:ff:00:00:01").IPv6(src, "ff02::1:ff00:1", wt.TTL(255)).NeighborSolicit("fd00::1", wt.SourceLL(them)))
	}
	b.Domain.Do(func() {
		if n := len(w.Interface.Neighbours()); n > 1024 {
			t.Errorf("%d neighbours", n)
		}
	})
	w.Sent()
}

func TestARouterListensToRouters(t *testing.T) {
	b := newBed(t)
	set(b.in, "net.ipv6.conf.all.forwarding", "1")
	w := b.wire("eth0", "fe80::1/64")
	if !w.Interface.InGroup(wire.IPv6AllRouters()) {
		t.Error("a router is not in the all-routers group")
	}
	w.Inject(wt.Ethernet(them, "33:33:ff:00:00:01").IPv6("fe80::2", "ff02::1:ff00:1", wt.TTL(255)).NeighborSolicit("fe80::1", wt.SourceLL(them)))
	w.Expect(wt.IPv6("fe80::1", "fe80::2").NeighborAdvert("RSO", "fe80::1"))
	set(b.in, "net.ipv6.conf.all.forwarding", "0")
	if w.Interface.InGroup(wire.IPv6AllRouters()) {
		t.Error("a host is in the all-routers group")
	}
}

func TestNewSocketsFollowBindV6Only(t *testing.T) {
	b := newBed(t)
	for _, v := range []string{"0", "1"} {
		set(b.in, "net.ipv6.bindv6only", v)
		s, err := b.in.Socket(core.AFInet6, core.SockDgram, int(wire.ProtoICMPv6))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Int(core.SolIPv6, core.IPv6V6Only); err != nil || fmt.Sprint(got) != v {
			t.Errorf("IPV6_V6ONLY is %d, %v with bindv6only %s", got, err, v)
		}
	}
}

func TestANewAddressIsAnnouncedIfAsked(t *testing.T) {
	b := newBed(t)
	w := b.wire("eth0", "fd00::1/64")
	set(b.in, "net.ipv6.conf.eth0.ndisc_notify", "1")
	if err := w.Interface.AddAddress(wire.MustPrefix("fd00::7/64")); err != nil {
		t.Fatal(err)
	}
	b.Advance(3 * time.Second)
	if n := count(w, wt.Ethernet(us, "33:33:00:00:00:01").IPv6("fd00::7", "ff02::1", wt.TTL(255)).NeighborAdvert("O", "fd00::7", wt.TargetLL(us))); n != 1 {
		t.Errorf("%d advertisements", n)
	}
}

func TestAWiringWithoutTablesHasTheDefaults(t *testing.T) {
	r := coretest.New(t, host.NewVirtual(1))
	in := r.Instance("bare", &core.Wiring{Name: "bare", Networks: []core.NetworkEntry{{Network: Protocol()}}})
	w := r.Wire(in, "w0", core.LinkEthernet, "fd00::1/64")
	r.Advance(30 * time.Second)
	w.Sent()
	w.Inject(wt.Ethernet(them, "33:33:ff:00:00:01").IPv6("fd00::2", "ff02::1:ff00:1", wt.TTL(255)).NeighborSolicit("fd00::1", wt.SourceLL(them)))
	w.Inject(wt.Ethernet(them, us).IPv6("fd00::2", "fd00::1").Echo(1, 1))
	w.Expect(wt.NeighborAdvert("SO", "fd00::1"))
	w.Expect(wt.IPv6("fd00::1", "fd00::2", wt.TTL(64)).EchoReply(1, 1))
}
