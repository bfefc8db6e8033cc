package netlink_test

import (
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/posix"
)

// A group of so many next hops is more than an attribute can list with their gateways: a
// route by it is told of by the group's number alone, and what follows it in the message
// is where it belongs.
func TestARouteByMoreWaysThanAnAttributeHoldsIsToldOfByItsGroup(t *testing.T) {
	run(t, func(r *rig) {
		const members = 5000 // of 16 bytes
		eth := r.in.InterfaceByName("eth0")
		r.in.Domain().Do(func() {
			g := core.NexthopObject{ID: members + 1}
			for id := uint32(1); id <= members; id++ {
				if err := r.in.AddNexthopLocked(core.NexthopObject{ID: id, Interface: eth, Gateway: wire.MustAddr("10.0.0.2")}, false); err != nil {
					t.Fatal(err)
				}
				g.Group = append(g.Group, core.NexthopMember{ID: id, Weight: 1})
			}
			if err := r.in.AddNexthopLocked(g, false); err != nil {
				t.Fatal(err)
			}
		})
		fd := r.open(0)
		if _, errno := r.ask(fd, 24, creates, rtmsg(posix.AF_INET, 16, 0, 1), attr(1, v4("10.9.0.0")), attr(30, u32(members+1))); errno != 0 {
			t.Fatal(errno)
		}
		told := false
		answers, _ := r.ask(fd, 26, 0x301, rtmsg(posix.AF_INET, 0, 0, 0))
		for _, m := range answers {
			a := m.attributes(r.T, 12)
			if b, ok := a[30]; ok && string(b) == string(u32(members+1)) {
				_, ways := a[9]
				if told = true; ways {
					t.Error("it has ways")
				}
			}
		}
		if !told {
			t.Error("no route is told of by the group")
		}
	})
}
