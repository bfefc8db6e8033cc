package ipv6

import (
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
