package ipv4_test

import (
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	. "github.com/libos-go/libos/core/wire/wiretest"
)

// ip route … hoplimit: of packets whose socket sets none.
func TestARouteSetsTheTimeToLive(t *testing.T) {
	r := newRouter(t)
	m := core.RouteMetrics{}
	m.Values[core.MetricHopLimit] = 9
	r.route(t, core.RouteEntry{Prefix: wire.HostPrefix(wire.MustAddr(peer)), Interface: r.w0.Interface, Metrics: &m})
	r.w0.Inject(IPv4(peer, us).Echo(1, 1))
	r.w0.Expect(IPv4(us, peer, TTL(9)).EchoReply(1, 1))
}
