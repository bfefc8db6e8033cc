package core_test

import (
	"strings"
	"testing"

	"github.com/libos-go/libos/core"
)

func TestRoutesInTheWordsOfIPRoute(t *testing.T) {
	for _, x := range []struct{ text, want, dev string }{
		{"default via 10.0.0.1", "default via 10.0.0.1", ""},
		{"default via fd00::1 dev eth0", "default via fd00::1", "eth0"},
		{"10.1.0.0/16 via 10.0.0.1 metric 7", "10.1.0.0/16 via 10.0.0.1 metric 7", ""},
		{"10.1.0.1 dev eth0 src 10.0.0.2", "10.1.0.1/32 src 10.0.0.2", "eth0"},
		{"fd01::1 dev eth0", "fd01::1/128", "eth0"},
		{"blackhole 10.9.0.0/16", "blackhole 10.9.0.0/16", ""},
	} {
		e, dev, err := core.ParseRoute(x.text)
		if err != nil || dev != x.dev || e.String() != x.want {
			t.Errorf("%s: %q dev %q, %v; want %q dev %q", x.text, e.String(), dev, err, x.want, x.dev)
		}
	}
}

func TestABadRouteIsToldWithTheCure(t *testing.T) {
	for _, x := range [][2]string{
		{"", "write `default via 10.0.0.1`"},
		{"blackhole", "destination is missing"},
		{"default via", "via has no value"},
		{"default via here", "via here: not an address"},
		{"default through 10.0.0.1", `unknown word "through": use via, dev, src, metric, table, mtu`},
		{"10.1.0.0/16 metric many", "metric many: not an address or number"},
		{"10.1.0.1/16 dev eth0", "write 10.1.0.0/16"},
		{"somewhere dev eth0", "somewhere is no prefix"},
	} {
		if _, _, err := core.ParseRoute(x[0]); err == nil || !strings.Contains(err.Error(), x[1]) {
			t.Errorf("%q: %v, want …%s…", x[0], err, x[1])
		}
	}
}
