package tomlplace_test

import (
	"testing"

	"github.com/libos-go/libos/sim/tomlplace"
)

func TestTheLineOfEachKeyIsFound(t *testing.T) {
	lines := tomlplace.Locate(`# a comment = 1
[[instance]]
name = "a" # = x
"quoted.key" = 1
routes = ["one", "two",
  # "none"
  'three', # ]
]
[instance.sysctl]
a."b.c" = 2
[[instance.device]]
[[instance.device]]
mtu = 3
[[instance]]
[[instance.device]]
mtu = 4`)
	for _, x := range []struct {
		key  string
		line int
	}{
		{"instance.0", 2}, {"instance.0.name", 3}, {"instance.0.quoted.key", 4}, {"instance.0.routes.0", 5}, {"instance.0.routes.1", 5},
		{"instance.0.routes.2", 7}, {"instance.0.routes.9", 5}, {"instance.0.sysctl.a.b.c", 10}, {"instance.0.device.0", 11},
		{"instance.0.device.1.mtu", 13}, {"instance.1", 14}, {"instance.1.device.0.mtu", 16}, {"instance.1.memory", 14}, {"nothing", 1},
	} {
		if n := lines.Of(x.key); n != x.line {
			t.Errorf("%s: line %d, want %d", x.key, n, x.line)
		}
	}
}
