package ipv6

import (
	"fmt"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	wt "github.com/libos-go/libos/core/wire/wiretest"
)

func TestForwardedPacketsGoByRules(t *testing.T) {
	b := newBed(t)
	set(b.in, "net.ipv6.conf.all.forwarding", "1")
	w0, w1, w2 := b.raw("w0", "fd00::1/64"), b.raw("w1", "fd01::1/64"), b.raw("w2", "fd02::1/64")
	b.route("::/0", "fd01::2", nil)
	if err := b.in.AddRoute(core.RouteEntry{Gateway: wire.MustAddr("fd02::2"), Table: 7}); err != nil {
		t.Fatal(err)
	}
	rule := func(x core.Rule) {
		x.V6 = true
		b.Domain.Do(func() {
			if err := b.in.AddRuleLocked(x); err != nil {
				t.Fatal(err)
			}
		})
	}
	rule(core.Rule{Priority: 1, Action: core.RuleToTable, Table: 7, In: "w0", Src: wire.MustPrefix("fd00::/64"), DstPorts: core.RulePorts{First: 53, Last: 53}})
	rule(core.Rule{Priority: 2, Action: core.RuleProhibit, Dst: wire.MustPrefix("fd08::/32")})
	rule(core.Rule{Priority: 3, Action: core.RuleUnreachable, Dst: wire.MustPrefix("fd09::/32")})
	for range 2 {
		w0.Inject(wt.IPv6("fd00::2", "fd77::1", wt.TTL(9)).UDP(wt.Ports(5, 53)))
		w2.Expect(wt.IPv6("fd00::2", "fd77::1", wt.TTL(8)).UDP(wt.Ports(5, 53)))
		w0.Inject(wt.IPv6("fd00::2", "fd77::1", wt.TTL(9)).UDP(wt.Ports(5, 54)))
		w1.Expect(wt.IPv6("fd00::2", "fd77::1", wt.TTL(8)).UDP(wt.Ports(5, 54)))
		w2.Inject(wt.IPv6("fd02::9", "fd77::1", wt.TTL(9)).UDP(wt.Ports(5, 53)))
		w1.Expect(wt.IPv6("fd02::9", "fd77::1", wt.TTL(8)).UDP(wt.Ports(5, 53)))
	}
	for _, x := range []struct {
		dst  string
		code int
	}{{"fd08::1", 1}, {"fd09::1", 0}} {
		w0.Inject(wt.IPv6("fd00::2", x.dst).UDP(wt.Ports(5, 6)))
		w0.Expect(wt.ICMP("unreachable", wt.Code(x.code)))
	}
	w0.ExpectNothing()
	w1.ExpectNothing()
	w2.ExpectNothing()
}

func TestPathsHaveTheirShareOfFlows(t *testing.T) {
	const n = 400
	b := newBed(t)
	set(b.in, "net.ipv6.conf.all.forwarding", "1")
	w0, w1, w2 := b.raw("w0", "fd00::1/64"), b.raw("w1", "fd01::1/64"), b.raw("w2", "fd02::1/64")
	if err := b.in.AddRoute(core.RouteEntry{Prefix: wire.MustPrefix("fd09::/32"), Paths: []core.Nexthop{
		{Gateway: wire.MustAddr("fd01::2"), Weight: 3}, {Gateway: wire.MustAddr("fd02::2"), Interface: w2.Interface}}}); err != nil {
		t.Fatal(err)
	}
	went := func(send func(i int) wt.Packet) (by [2]int) {
		for i := range n {
			w0.Inject(send(i))
		}
		return [2]int{len(w1.Sent()), len(w2.Sent())}
	}
	fair := func(by [2]int) bool { return by[0]+by[1] == n && by[0] > n*65/100 && by[0] < n*85/100 }
	one := func(by [2]int) bool { return by[0]+by[1] == n && (by[0] == 0 || by[1] == 0) }
	ports := func(i int) wt.Packet { return wt.IPv6("fd00::2", "fd09::1", wt.TTL(9)).UDP(wt.Ports(1000+i, 6)) }
	hosts := func(i int) wt.Packet {
		return wt.IPv6("fd00::2", fmt.Sprintf("fd09::%x", 1+i), wt.TTL(9)).UDP(wt.Ports(5, 6))
	}
	tunnel := func(i int) wt.Packet {
		return wt.IPv6("fd00::2", "fd09::1", wt.TTL(9)).IPv6(fmt.Sprintf("fd44::%x", 1+i), "fd45::1").UDP(wt.Ports(5, 6))
	}
	for _, x := range []struct {
		policy, fields string
		send           func(int) wt.Packet
		is             func([2]int) bool
		what           string
	}{
		{"0", "7", hosts, fair, "addresses"},
		{"0", "7", ports, one, "ports that do not count"},
		{"0", "7", tunnel, one, "a tunnel"},
		{"1", "7", ports, fair, "ports"},
		{"2", "7", tunnel, fair, "addresses in a tunnel"},
		{"2", "7", ports, one, "ports where tunnels count"},
		{"3", "7", ports, one, "the fields of addresses"},
		{"3", "16", ports, fair, "the field of the source port"},
		{"3", "64", tunnel, fair, "the field of the source in a tunnel"},
	} {
		set(b.in, "net.ipv6.fib_multipath_hash_policy", x.policy)
		set(b.in, "net.ipv6.fib_multipath_hash_fields", x.fields)
		if by := went(x.send); !x.is(by) {
			t.Errorf("policy %s, fields %s, by %s: %v of %d", x.policy, x.fields, x.what, by, n)
		}
	}
	if err := w1.Interface.SetUp(false); err != nil {
		t.Fatal(err)
	}
	if by := went(hosts); by != [2]int{0, n} {
		t.Errorf("with one path down %v went", by)
	}
}
