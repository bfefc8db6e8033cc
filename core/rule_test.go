package core_test

import (
	"syscall"
	"testing"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/host"
)

// ruled is an instance with three ways out: w1 by the table main, w2 by table 100.
type ruled struct {
	*coretest.Rig
	in     *core.Instance
	v6     bool
	w1, w2 *coretest.Wire
}

func newRuled(t testing.TB, v6 bool) *ruled {
	t.Helper()
	r := &ruled{Rig: coretest.New(t, host.NewVirtual(1)), v6: v6}
	r.in = r.Instance("a", libos.Wiring())
	r.w1 = r.Wire(r.in, "w1", core.LinkRaw, "10.1.0.1/24", "fd01::1/64")
	r.w2 = r.Wire(r.in, "w2", core.LinkRaw, "10.2.0.1/24", "fd02::1/64")
	r.w1.Sent()
	r.w2.Sent()
	if v6 {
		r.Advance(3e9)
	}
	r.route(t, "default via 10.1.0.2", "default via fd01::2")
	r.route(t, "default via 10.2.0.2 table 100", "default via fd02::2 table 100")
	r.route(t, "throw 10.7.0.0/16 table 100", "throw fd07::/32 table 100")
	r.route(t, "prohibit 10.8.0.0/16 table 100", "prohibit fd08::/32 table 100")
	return r
}

func (r *ruled) pick(v4, v6 string) string {
	if r.v6 {
		return v6
	}
	return v4
}

func (r *ruled) route(t testing.TB, v4, v6 string) {
	t.Helper()
	e, _, err := core.ParseRoute(r.pick(v4, v6))
	if err == nil {
		err = r.in.AddRoute(e)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (r *ruled) prefix(v4, v6 string) wire.Prefix { return wire.MustPrefix(r.pick(v4, v6)) }

// with runs f while the instance has rules of its own.
func (r *ruled) with(t *testing.T, rules []core.Rule, f func()) {
	t.Helper()
	r.Domain.Do(func() {
		for i, x := range rules {
			if x.V6 = r.v6; x.Priority == 0 {
				x.Priority = uint32(10 + i)
			}
			if err := r.in.AddRuleLocked(x); err != nil {
				t.Fatal(err)
			}
		}
		f()
		for i := len(r.in.Rules(r.v6)) - 1; i >= 0; i-- {
			if r.in.Rules(r.v6)[i].By != core.RouteByKernel {
				r.in.RemoveRuleLocked(r.v6, i)
			}
		}
	})
}

// went counts the packets of TCP and UDP that left by a wire since the last call.
func went(w *coretest.Wire) (n int) {
	for _, f := range w.Sent() {
		protocol := f.Data[9]
		if f.Data[0]>>4 == 6 {
			protocol = f.Data[6]
		}
		if protocol == wire.ProtoTCP || protocol == wire.ProtoUDP {
			n++
		}
	}
	return n
}

func bothFamilies(t *testing.T, f func(t *testing.T, r *ruled)) {
	for _, v6 := range []bool{false, true} {
		name := "IPv4"
		if v6 {
			name = "IPv6"
		}
		t.Run(name, func(t *testing.T) { f(t, newRuled(t, v6)) })
	}
}

func TestRulesChooseTheTableByWhatTheySeeOfAPacket(t *testing.T) {
	bothFamilies(t, func(t *testing.T, r *ruled) {
		to100 := func(x core.Rule) []core.Rule {
			x.Action, x.Table = core.RuleToTable, 100
			return []core.Rule{x}
		}
		here, far := wire.MustAddr(r.pick("10.1.0.1", "fd01::1")), wire.MustAddr(r.pick("10.9.0.1", "fd09::1"))
		thrown, closed := wire.MustAddr(r.pick("10.7.0.1", "fd07::1")), wire.MustAddr(r.pick("10.8.0.1", "fd08::1"))
		sel := func(x core.Selector) *core.Selector { return &x }
		for _, x := range []struct {
			what  string
			rules []core.Rule
			q     core.RouteQuery
			out   string // "" for err
			err   error
		}{
			{"no rule", nil, core.RouteQuery{Dst: far}, "w1", nil},
			{"every packet", to100(core.Rule{}), core.RouteQuery{Dst: far}, "w2", nil},
			{"a local address before", to100(core.Rule{}), core.RouteQuery{Dst: here}, "lo", nil},
			{"a route that throws", to100(core.Rule{}), core.RouteQuery{Dst: thrown}, "w1", nil},
			{"a route that prohibits", to100(core.Rule{}), core.RouteQuery{Dst: closed}, "", syscall.EACCES},
			{"the source", to100(core.Rule{Src: r.prefix("10.1.0.0/24", "fd01::/64")}), core.RouteQuery{Dst: far, Src: here}, "w2", nil},
			{"no source yet", to100(core.Rule{Src: r.prefix("10.1.0.0/24", "fd01::/64")}), core.RouteQuery{Dst: far}, "w1", nil},
			{"another source", to100(core.Rule{Src: r.prefix("10.3.0.0/24", "fd03::/64")}), core.RouteQuery{Dst: far, Src: here}, "w1", nil},
			{"not that source", to100(core.Rule{Not: true, Src: r.prefix("10.3.0.0/24", "fd03::/64")}), core.RouteQuery{Dst: far, Src: here}, "w2", nil},
			{"the destination", to100(core.Rule{Dst: r.prefix("10.9.0.0/16", "fd09::/32")}), core.RouteQuery{Dst: far}, "w2", nil},
			{"another destination", to100(core.Rule{Dst: r.prefix("10.5.0.0/16", "fd05::/32")}), core.RouteQuery{Dst: far}, "w1", nil},
			{"the mark", to100(core.Rule{Mark: 1, MarkMask: 0xf}), core.RouteQuery{Dst: far, Selector: sel(core.Selector{Mark: 0x21})}, "w2", nil},
			{"another mark", to100(core.Rule{Mark: 1, MarkMask: 0xf}), core.RouteQuery{Dst: far, Selector: sel(core.Selector{Mark: 3})}, "w1", nil},
			{"the way in", to100(core.Rule{In: "w1"}), core.RouteQuery{Dst: far, Src: far, Selector: sel(core.Selector{In: r.w1.Interface, Src: here})}, "w2", nil},
			{"another way in", to100(core.Rule{In: "w1"}), core.RouteQuery{Dst: far, Src: far, Selector: sel(core.Selector{In: r.w2.Interface, Src: here})}, "w1", nil},
			{"made here", to100(core.Rule{In: "lo"}), core.RouteQuery{Dst: far}, "w2", nil},
			{"not made here", to100(core.Rule{In: "w1"}), core.RouteQuery{Dst: far}, "w1", nil},
			{"the way out", to100(core.Rule{Out: "w2"}), core.RouteQuery{Dst: far, Interface: r.w2.Interface.Index()}, "w2", nil},
			{"the type of service", to100(core.Rule{TOS: 8}), core.RouteQuery{Dst: far, Selector: sel(core.Selector{TOS: 9})}, "w2", nil},
			{"another type of service", to100(core.Rule{TOS: 8}), core.RouteQuery{Dst: far}, "w1", nil},
			{"protocol and ports", to100(core.Rule{Protocol: 17, SrcPorts: core.RulePorts{First: 5, Last: 7}, DstPorts: core.RulePorts{First: 53, Last: 53}}),
				core.RouteQuery{Dst: far, Selector: sel(core.Selector{Protocol: 17, SrcPort: 7, DstPort: 53})}, "w2", nil},
			{"a port beyond", to100(core.Rule{SrcPorts: core.RulePorts{First: 5, Last: 7}}), core.RouteQuery{Dst: far, Selector: sel(core.Selector{SrcPort: 8})}, "w1", nil},
			{"another protocol", to100(core.Rule{Protocol: 17}), core.RouteQuery{Dst: far, Selector: sel(core.Selector{Protocol: 6})}, "w1", nil},
			{"a default route that does not count", to100(core.Rule{HasSuppress: true}), core.RouteQuery{Dst: far}, "w1", nil},
			{"a longer prefix that counts", to100(core.Rule{HasSuppress: true}), core.RouteQuery{Dst: closed}, "", syscall.EACCES},
			{"a table that nobody made", []core.Rule{{Action: core.RuleToTable, Table: 77}}, core.RouteQuery{Dst: far}, "w1", nil},
			{"going past a rule", []core.Rule{{Action: core.RuleGoto, Goto: 20}, {Action: core.RuleToTable, Table: 100}, {Priority: 20, Action: core.RuleNop}},
				core.RouteQuery{Dst: far}, "w1", nil},
			{"going nowhere", []core.Rule{{Action: core.RuleGoto, Goto: 20}, {Action: core.RuleToTable, Table: 100}}, core.RouteQuery{Dst: far}, "w2", nil},
			{"a black hole", []core.Rule{{Action: core.RuleBlackhole}}, core.RouteQuery{Dst: far}, "", syscall.EINVAL},
			{"unreachable", []core.Rule{{Action: core.RuleUnreachable}}, core.RouteQuery{Dst: far}, "", syscall.ENETUNREACH},
			{"prohibited", []core.Rule{{Action: core.RuleProhibit}}, core.RouteQuery{Dst: far}, "", syscall.EACCES},
		} {
			r.with(t, x.rules, func() {
				for range 2 { // by the table, by the cache
					rt, err := r.in.Route(x.q)
					if err != x.err || err == nil && rt.Interface.Name() != x.out && !(x.out == "lo" && rt.Local()) {
						t.Errorf("%s: %+v, %v, want %s %v", x.what, rt, err, x.out, x.err)
					}
				}
			})
		}
	})
}

func TestWhatIsNoRuleIsRefused(t *testing.T) {
	r := newRuled(t, false)
	for _, x := range []core.Rule{
		{},
		{Action: core.RuleToTable},
		{Action: core.RuleGoto, Priority: 5, Goto: 5},
		{Action: 5},
		{Action: core.RuleNop, Src: wire.MustPrefix("fd00::/64")},
		{Action: core.RuleNop, SrcPorts: core.RulePorts{First: 2, Last: 1}},
	} {
		r.Domain.Do(func() {
			if err := r.in.AddRuleLocked(x); err != syscall.EINVAL {
				t.Errorf("%+v: %v", x, err)
			}
		})
	}
}

func TestTheMarkOfASocketChoosesItsWay(t *testing.T) {
	bothFamilies(t, func(t *testing.T, r *ruled) {
		k := kind{core.AFInet, core.SockDgram}
		if r.v6 {
			k.family = core.AFInet6
		}
		r.Domain.Do(func() {
			if err := r.in.AddRuleLocked(core.Rule{V6: r.v6, Action: core.RuleToTable, Table: 100, Priority: 5, Mark: 7, MarkMask: 0xff}); err != nil {
				t.Fatal(err)
			}
		})
		r.Do(func() {
			s := open(t, r.in, k)
			ok(t, s.Connect(at(r.pick("10.9.0.1", "fd09::1"), 9)))
			send := func(w *coretest.Wire, what string) {
				t.Helper()
				if _, err := s.Send(&core.Message{Data: []byte("x")}); err != nil {
					t.Fatal(err)
				}
				if n := went(w); n != 1 {
					t.Errorf("%s: %d packets went that way", what, n)
				}
			}
			send(r.w1, "without a mark")
			ok(t, s.SetOption(core.SolSocket, core.SoMark, []byte{7, 0, 0, 0}))
			send(r.w2, "with a mark")
			ok(t, s.SetOption(core.SolSocket, core.SoMark, []byte{8, 0, 0, 0}))
			send(r.w1, "with another mark")
		})
	})
}

func TestAConnectionGoesByItsPort(t *testing.T) {
	bothFamilies(t, func(t *testing.T, r *ruled) {
		k := kind{core.AFInet, core.SockStream}
		if r.v6 {
			k.family = core.AFInet6
		}
		r.Domain.Do(func() {
			if err := r.in.AddRuleLocked(core.Rule{V6: r.v6, Action: core.RuleToTable, Table: 100, Priority: 5, Protocol: 6, DstPorts: core.RulePorts{First: 80, Last: 80}}); err != nil {
				t.Fatal(err)
			}
		})
		for port, w := range map[uint16]*coretest.Wire{80: r.w2, 81: r.w1} {
			r.Do(func() {
				s := open(t, r.in, k)
				s.SetNonblock(true)
				if err := s.Connect(at(r.pick("10.9.0.1", "fd09::1"), port)); err != syscall.EINPROGRESS {
					t.Fatal(err)
				}
			})
			if n := went(w); n != 1 {
				t.Errorf("port %d: %d packets went that way", port, n)
			}
		}
	})
}

func TestTablesOfOnesOwnAreListedAndStay(t *testing.T) {
	r := newRuled(t, false)
	e := core.RouteEntry{Prefix: wire.MustPrefix("10.7.0.0/16"), Type: core.RouteThrow, Table: 100}
	found := func() (n int) {
		for _, x := range r.in.Routes() {
			if x.Table == 100 && x.Prefix == e.Prefix {
				n++
			}
		}
		return n
	}
	if found() != 1 {
		t.Error("the route is not listed once")
	}
	if err := r.in.RemoveRoute(core.RouteEntry{Prefix: e.Prefix}); err != syscall.ESRCH {
		t.Errorf("removed from the table main: %v", err)
	}
	if err := r.in.RemoveRoute(e); err != nil || found() != 0 {
		t.Errorf("removed from its table: %v", err)
	}
	r.Domain.Do(func() {
		if got := r.in.Tables(false); len(got) != 3 || got[0] != 100 || got[1] != core.TableMain {
			t.Errorf("tables %v", got)
		}
	})
}

func TestALookUpByRulesAllocatesNothing(t *testing.T) {
	r := newRuled(t, false)
	r.with(t, []core.Rule{{Action: core.RuleToTable, Table: 100, Mark: 1, MarkMask: 1}, {Action: core.RuleToTable, Table: 100, In: "w1"}}, func() {
		x := core.Selector{Mark: 2, In: r.w1.Interface}
		q := core.RouteQuery{Dst: wire.MustAddr("10.9.0.1"), Src: wire.MustAddr("10.9.0.1"), Selector: &x}
		look := func() {
			if _, err := r.in.Route(q); err != nil {
				t.Error(err)
			}
		}
		look()
		if n := testing.AllocsPerRun(100, look); n != 0 {
			t.Errorf("%v allocations a look-up", n)
		}
	})
}
