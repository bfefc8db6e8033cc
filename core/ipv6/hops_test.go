package ipv6

import (
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	wt "github.com/libos-go/libos/core/wire/wiretest"
)

// ip route … hoplimit: of packets whose socket sets none.
func TestARouteSetsTheHopLimit(t *testing.T) {
	b := newBed(t)
	w := b.wire("eth0", "fd00::1/64")
	b.learn(w, "fd00::2", "02:00:00:00:00:02")
	m := core.RouteMetrics{}
	m.Values[core.MetricHopLimit] = 9
	if err := b.in.AddRoute(core.RouteEntry{Prefix: wire.MustPrefix("fd09::/64"), Gateway: wire.MustAddr("fd00::2"), Metrics: &m}); err != nil {
		t.Fatal(err)
	}
	for dst, want := range map[string]int{"fd09::1": 9, "fd00::2": 64} {
		w.Sent()
		if err := b.send(to(dst), 8, nil); err != nil {
			t.Fatal(err)
		}
		w.Expect(wt.IPv6("fd00::1", dst, wt.TTL(want)).UDP())
	}
}
