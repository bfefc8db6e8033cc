package sim_test

import (
	"strings"
	"testing"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/sim"
)

// Of equally cheap ways that with fewer links is taken, then that by the router that
// was made first; a cheaper way is taken whatever its length.
func TestTiesBetweenAutomaticRoutes(t *testing.T) {
	for _, tt := range []struct {
		name  string
		links map[string]int // costs
		want  string         // the router after r0
	}{
		{"two of equal cost", map[string]int{"r0-r1": 1, "r0-r2": 1, "r1-r3": 1, "r2-r3": 1}, "r1"},
		{"fewer links at equal cost", map[string]int{"r0-r1": 1, "r1-r2": 1, "r0-r3": 3, "r2-r3": 1}, "r3"},
		{"cheaper by a longer way", map[string]int{"r0-r1": 1, "r1-r2": 1, "r0-r3": 4, "r2-r3": 1}, "r1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := sim.New(sim.Options{Seed: 1, Wiring: libos.Wiring(), Families: sim.IPv4})
			closed(t, n)
			nodes := map[string]*sim.Node{}
			for _, name := range []string{"r0", "r1", "r2", "r3"} {
				nodes[name] = n.Node(name, sim.NodeConfig{Role: sim.Router})
			}
			last := n.Node("b", sim.NodeConfig{})
			n.Link("", nodes["r3"], last, sim.LinkConfig{})
			for _, name := range []string{"r0-r1", "r0-r2", "r0-r3", "r1-r2", "r1-r3", "r2-r3"} {
				if cost := tt.links[name]; cost > 0 {
					a, b, _ := strings.Cut(name, "-")
					n.Link(name, nodes[a], nodes[b], sim.LinkConfig{Cost: cost})
				}
			}
			if err := n.Build(); err != nil {
				t.Fatal(err)
			}
			to, err := wire.ParseAddr(last.Address())
			if err != nil {
				t.Fatal(err)
			}
			var hop string
			for _, r := range nodes["r0"].Instance().Routes() {
				if r.Prefix.Contains(to) && r.Prefix.Bits > 8 {
					for name, x := range nodes {
						for _, ifc := range x.Instance().Interfaces() {
							for _, a := range ifc.Addresses() {
								if a.Prefix.Addr == r.Gateway {
									hop = name
								}
							}
						}
					}
				}
			}
			if hop != tt.want {
				t.Errorf("r0 sends by %q, not by %s:\n%v", hop, tt.want, nodes["r0"].Instance().Routes())
			}
		})
	}
}
