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

// The tables main and local share a tree, not their routes.
func TestEqualRoutesOfMainAndLocalAreTwo(t *testing.T) {
	r := coretest.New(t, host.NewVirtual(1))
	in := r.Instance("a", libos.Wiring())
	in.Domain().Do(func() {
		route := func(table uint32, by core.RouteProtocol) *core.RouteEntry {
			return &core.RouteEntry{Prefix: wire.MustPrefix("10.9.0.0/24"), Type: core.RouteLocal, Interface: in.Loopback(), Table: table, Protocol: by}
		}
		for _, err := range []error{
			in.AddRouteLocked(route(core.TableMain, 3)),
			in.AddRouteLocked(route(core.TableLocal, 4)),
			in.AppendRouteLocked(route(core.TableLocal, 3), false),
			in.RemoveThisRouteLocked(route(core.TableLocal, 3)),
		} {
			if err != nil {
				t.Error(err)
			}
		}
		if err := in.RemoveThisRouteLocked(route(core.TableLocal, 3)); err != syscall.ESRCH {
			t.Errorf("a route of main was removed for one of local: %v", err)
		}
	})
}

// Groups lose the next hops that are removed, and go with their last.
func TestGroupsGoWithTheirLastNextHop(t *testing.T) {
	const n = 60
	r := coretest.New(t, host.NewVirtual(1))
	in := r.Instance("a", libos.Wiring())
	r.Wire(in, "eth0", core.LinkEthernet, "10.0.0.1/24", "fd00::1/64")
	in.Domain().Do(func() {
		var all []core.NexthopMember
		for i := range uint32(n) {
			must := func(err error) {
				if err != nil {
					t.Fatal(err)
				}
			}
			must(in.AddNexthopLocked(core.NexthopObject{ID: 1 + i, Interface: in.InterfaceNamed("eth0"), Gateway: wire.MustAddr("10.0.0.2")}, false))
			all = append(all, core.NexthopMember{ID: 1 + i, Weight: 1})
			must(in.AddNexthopLocked(core.NexthopObject{ID: 1000 + i, Group: all}, false))
		}
		for i := range uint32(n - 1) {
			if err := in.RemoveNexthopLocked(1 + i); err != nil {
				t.Fatal(err)
			}
			if o, ok := in.NexthopLocked(1000 + n - 1); !ok || len(o.Group) != int(n-1-i) {
				t.Fatalf("the group has %v of its members", o.Group)
			}
		}
		if err := in.RemoveNexthopLocked(n); err != nil || len(in.NexthopsLocked()) != 0 {
			t.Errorf("%v, %d are left", err, len(in.NexthopsLocked()))
		}
	})
}
