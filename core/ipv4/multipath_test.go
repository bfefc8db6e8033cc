package ipv4_test

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	. "github.com/libos-go/libos/core/wire/wiretest"
)

// forked is a router with two ways to 10.9.0.0/16: three parts of four by w1, one by w2.
type forked struct {
	*router
	w2 *coretest.Wire
}

func newForked(t *testing.T) *forked {
	t.Helper()
	r := &forked{router: newRouter(t)}
	r.w2 = r.Wire(r.in, "w2", core.LinkRaw, "10.2.0.1/24")
	r.route(t, core.RouteEntry{Prefix: wire.MustPrefix("10.9.0.0/16"), Paths: []core.Nexthop{
		{Gateway: wire.MustAddr("10.1.0.2"), Weight: 3}, {Gateway: wire.MustAddr("10.2.0.2"), Interface: r.w2.Interface}}})
	return r
}

// sent counts what went out since the last call.
func (r *forked) sent(before *[2]uint64) (by [2]uint64) {
	for i, w := range []*coretest.Wire{r.w1, r.w2} {
		n := w.Interface.StatsNow().TxPackets
		by[i], before[i] = n-before[i], n
	}
	return by
}

func TestPathsHaveTheirShareOfFlows(t *testing.T) {
	const n = 400
	fair := func(by [2]uint64) bool { return by[0]+by[1] == n && by[0] > n*65/100 && by[0] < n*85/100 }
	r := newForked(t)
	var before [2]uint64
	r.sent(&before)
	for i := range n {
		r.w0.Inject(IPv4(peer, fmt.Sprintf("10.9.%d.%d", i/250, 1+i%250)).UDP(Ports(5, 6)))
	}
	if by := r.sent(&before); !fair(by) {
		t.Errorf("of %d destinations %v went by the two paths, want 3 to 1", n, by)
	}
	ports := func() [2]uint64 {
		for i := range n {
			r.w0.Inject(IPv4(peer, "10.9.0.1").UDP(Ports(1000+i, 6)))
		}
		return r.sent(&before)
	}
	if by := ports(); by[0] != 0 && by[1] != 0 {
		t.Errorf("packets between two addresses went by both paths: %v", by)
	}
	r.set(t, "net.ipv4.fib_multipath_hash_policy", "1")
	if by := ports(); !fair(by) {
		t.Errorf("of %d ports %v went by the two paths, want 3 to 1", n, by)
	}
	for range n {
		r.w0.Inject(IPv4(peer, "10.9.0.1").UDP(Ports(1000, 6)))
	}
	if by := r.sent(&before); by[0] != 0 && by[1] != 0 {
		t.Errorf("packets of one flow went by both paths: %v", by)
	}
	r.set(t, "net.ipv4.fib_multipath_hash_policy", "2")
	if by := ports(); by[0] != 0 && by[1] != 0 {
		t.Errorf("packets between two addresses that are no tunnel's went by both paths: %v", by)
	}
	within := func(from string) [2]uint64 {
		for i := range n {
			r.w0.Inject(IPv4(peer, "10.9.0.1").IPv4(fmt.Sprintf("172.16.%d.%d", i/250, 1+i%250), from).UDP(Ports(5, 6)))
		}
		return r.sent(&before)
	}
	if by := within("172.17.0.1"); !fair(by) {
		t.Errorf("of %d flows in a tunnel %v went by the two paths, want 3 to 1", n, by)
	}
	r.set(t, "net.ipv4.fib_multipath_hash_policy", "3")
	if by := ports(); by[0] != 0 && by[1] != 0 {
		t.Errorf("packets between two addresses went by both paths: %v", by)
	}
	r.set(t, "net.ipv4.fib_multipath_hash_fields", "16")
	if by := ports(); !fair(by) {
		t.Errorf("of %d source ports %v went by the two paths, want 3 to 1", n, by)
	}
	r.set(t, "net.ipv4.fib_multipath_hash_fields", "32")
	if by := ports(); by[0] != 0 && by[1] != 0 {
		t.Errorf("packets to one port went by both paths: %v", by)
	}
	r.set(t, "net.ipv4.fib_multipath_hash_fields", "64")
	if by := within("172.17.0.1"); !fair(by) {
		t.Errorf("of %d sources in a tunnel %v went by the two paths, want 3 to 1", n, by)
	}
	for _, x := range [][2]string{{"policy", "4"}, {"fields", "0"}, {"fields", "4096"}} {
		if err := r.in.SetSysctl("net.ipv4.fib_multipath_hash_"+x[0], x[1]); err == nil {
			t.Errorf("%s %s was taken", x[0], x[1])
		}
	}
}

// lookUp is the interface by which a packet goes.
func (r *forked) lookUp(q core.RouteQuery) (name string, err error) {
	r.in.Domain().Do(func() {
		var x *core.Route
		if x, err = r.in.Route(q); err == nil {
			name = x.Interface.Name() + " " + x.Gateway.String()
		}
	})
	return name, err
}

func TestAPathIsChosenBySourceInterfaceAndState(t *testing.T) {
	r := newForked(t)
	all := func(what string, q core.RouteQuery, want string) {
		t.Helper()
		for i := range 50 {
			q.Dst = wire.MustAddr(fmt.Sprintf("10.9.1.%d", i))
			if got, err := r.lookUp(q); err != nil || got != want {
				t.Fatalf("%s: %s, %v, want %s", what, got, err, want)
			}
		}
	}
	all("by the address of a path's interface", core.RouteQuery{Src: wire.MustAddr("10.2.0.1")}, "w2 10.2.0.2")
	all("by an interface", core.RouteQuery{Interface: r.w1.Interface.Index()}, "w1 10.1.0.2")
	if err := r.w1.Interface.SetUp(false); err != nil {
		t.Fatal(err)
	}
	all("when one is down", core.RouteQuery{}, "w2 10.2.0.2")
	if err := r.w2.Interface.SetUp(false); err != nil {
		t.Fatal(err)
	}
	if _, err := r.lookUp(core.RouteQuery{Dst: wire.MustAddr("10.9.1.1")}); err != syscall.ENETUNREACH {
		t.Errorf("when both are down: %v", err)
	}
	for _, w := range []*coretest.Wire{r.w1, r.w2} {
		if err := w.Interface.SetUp(true); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.lookUp(core.RouteQuery{Dst: wire.MustAddr("10.9.1.1")}); err != syscall.ENETUNREACH {
		t.Errorf("a route whose paths were all down came back: %v", err)
	}
}

func TestAPathComesBackWithItsInterface(t *testing.T) {
	r := newForked(t)
	for _, up := range []bool{false, true} {
		if err := r.w1.Interface.SetUp(up); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := r.lookUp(core.RouteQuery{Dst: wire.MustAddr("10.9.1.1"), Interface: r.w1.Interface.Index()}); err != nil || got != "w1 10.1.0.2" {
		t.Errorf("%s, %v", got, err)
	}
}

func TestSeveralPathsArePathsBack(t *testing.T) {
	r := newForked(t)
	r.set(t, "net.ipv4.conf.all.rp_filter", "1")
	for i := range 20 {
		from := fmt.Sprintf("10.9.2.%d", 1+i)
		r.w1.Inject(IPv4(from, us).UDP(Ports(5, 6)))
		r.w2.Inject(IPv4(from, us).UDP(Ports(5, 6)))
	}
	if n := len(r.sink.packets); n != 40 {
		t.Errorf("%d of 40 packets by either path were taken", n)
	}
	r.w0.Inject(IPv4("10.9.2.1", us).UDP(Ports(5, 6)))
	if n := len(r.sink.packets); n != 40 {
		t.Error("a packet by no path was taken")
	}
}

func TestARouteGoesWithAnyOfItsInterfaces(t *testing.T) {
	r := newForked(t)
	text := ""
	for _, e := range r.in.Routes() {
		if len(e.Paths) > 0 {
			text = e.String()
		}
	}
	if want := "10.9.0.0/16 nexthop via 10.1.0.2 dev w1 weight 3 nexthop via 10.2.0.2 dev w2 weight 1"; text != want {
		t.Errorf("the route is %q, want %q", text, want)
	}
	if err := r.in.RemoveDevice(r.w2.Interface); err != nil {
		t.Fatal(err)
	}
	if got, err := r.lookUp(core.RouteQuery{Dst: wire.MustAddr("10.9.1.1")}); err != syscall.ENETUNREACH {
		t.Errorf("%s, %v", got, err)
	}
}

func TestPathsThatCannotBe(t *testing.T) {
	r := newForked(t)
	good := core.Nexthop{Gateway: wire.MustAddr("10.1.0.2")}
	for _, x := range []struct {
		what string
		e    core.RouteEntry
		want error
	}{
		{"a gateway on no link", core.RouteEntry{Paths: []core.Nexthop{good, {Gateway: wire.MustAddr("10.77.0.1")}}}, syscall.ENETUNREACH},
		{"neither gateway nor interface", core.RouteEntry{Paths: []core.Nexthop{good, {}}}, syscall.ENODEV},
		{"a weight of 257", core.RouteEntry{Paths: []core.Nexthop{good, {Gateway: good.Gateway, Weight: 257}}}, syscall.EINVAL},
		{"a gateway of IPv6 where there is none", core.RouteEntry{Paths: []core.Nexthop{good, {Gateway: wire.MustAddr("fd00::1"), Interface: r.w1.Interface}}}, syscall.EAFNOSUPPORT},
		{"too many", core.RouteEntry{Paths: make([]core.Nexthop, 257)}, syscall.EINVAL},
	} {
		x.e.Prefix = wire.MustPrefix("10.10.0.0/16")
		if err := r.in.AddRoute(x.e); err != x.want {
			t.Errorf("%s: %v, want %v", x.what, err, x.want)
		}
	}
}

func TestForwardedPacketsGoByRules(t *testing.T) {
	r := &forked{router: newRouter(t)}
	r.w2 = r.Wire(r.in, "w2", core.LinkRaw, "10.2.0.1/24")
	r.route(t, core.RouteEntry{Prefix: wire.MustPrefix("0.0.0.0/0"), Gateway: wire.MustAddr("10.1.0.2")})
	r.route(t, core.RouteEntry{Prefix: wire.MustPrefix("0.0.0.0/0"), Gateway: wire.MustAddr("10.2.0.2"), Table: 7})
	rule := func(x core.Rule) {
		r.Domain.Do(func() {
			if err := r.in.AddRuleLocked(x); err != nil {
				t.Fatal(err)
			}
		})
	}
	rule(core.Rule{Priority: 1, Action: core.RuleToTable, Table: 7, In: "w0", Src: wire.MustPrefix("10.0.0.0/24"), DstPorts: core.RulePorts{First: 53, Last: 53}})
	rule(core.Rule{Priority: 2, Action: core.RuleProhibit, Dst: wire.MustPrefix("10.8.0.0/16")})
	rule(core.Rule{Priority: 3, Action: core.RuleUnreachable, Dst: wire.MustPrefix("10.9.0.0/16")})
	rule(core.Rule{Priority: 4, Action: core.RuleBlackhole, Dst: wire.MustPrefix("10.10.0.0/16")})
	for range 2 { // what was remembered for one packet is not for another
		p := IPv4(peer, "192.0.2.1", TTL(9)).UDP(Ports(5, 53))
		r.w0.Inject(p)
		r.w2.Expect(IPv4(peer, "192.0.2.1", TTL(8)).UDP(Ports(5, 53)))
		r.w0.Inject(IPv4(peer, "192.0.2.1", TTL(9)).UDP(Ports(5, 54)))
		r.w1.Expect(IPv4(peer, "192.0.2.1", TTL(8)).UDP(Ports(5, 54)))
		r.w2.Inject(IPv4("10.2.0.9", "192.0.2.1", TTL(9)).UDP(Ports(5, 53)))
		r.w1.Expect(IPv4("10.2.0.9", "192.0.2.1", TTL(8)).UDP(Ports(5, 53)))
	}
	for _, x := range []struct {
		dst  string
		code int
	}{{"10.8.0.1", 13}, {"10.9.0.1", 0}} {
		p := IPv4(peer, x.dst).UDP(Ports(5, 6))
		r.w0.Inject(p)
		r.w0.Expect(IPv4(us, peer).ICMP("unreachable", Code(x.code), Quote(p)))
	}
	r.w0.Inject(IPv4(peer, "10.10.0.1").UDP(Ports(5, 6)))
	r.w0.ExpectNothing()
	r.w1.ExpectNothing()
	r.w2.ExpectNothing()
}
