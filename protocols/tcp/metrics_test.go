package tcp_test

import (
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/config"
	"github.com/libos-go/libos/core/wire"
)

// says gives the way to the peer metrics.
func (p *peer) says(m core.RouteMetrics) *peer {
	p.T.Helper()
	if err := p.host.AddRoute(core.RouteEntry{Prefix: wire.HostPrefix(wire.MustAddr(p.remote)), Interface: p.host.InterfaceByName("eth0"), Metrics: &m}); err != nil {
		p.T.Fatal(err)
	}
	return p
}

func values(v map[core.RouteMetric]uint32) (m core.RouteMetrics) {
	for i, x := range v {
		m.Values[i] = x
	}
	return m
}

// What a route says of the connections by it; window is what is left of a SYN's.
func TestARouteLimitsSegmentsAndWindows(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		p.says(values(map[core.RouteMetric]uint32{core.MetricAdvMSS: 1000, core.MetricWindow: 5000}))
		p.connect()
		p.out(syn, mss(1000), win(5000), wscale(0))
		p.in(synack, mss(1200))
		if s := p.out(plain, seq(1), ack(1)); s.window > 5000 {
			t.Errorf("a window of %d", s.window)
		}
		p.in(rstack)
	})
}

func TestARouteLimitsTheFirstWindow(t *testing.T) {
	p := newPeer(t, addrA, addrB).says(values(map[core.RouteMetric]uint32{core.MetricInitRwnd: 4}))
	p.connect()
	p.out(syn, win(4*1460))
	p.in(synack)
	p.out(plain, seq(1), ack(1))
	p.in(rstack)
}

func TestARouteChoosesTheInitialWindowAndItsControl(t *testing.T) {
	p := newReno(t)
	m := values(map[core.RouteMetric]uint32{core.MetricInitCwnd: 3})
	m.Congestion = "reno"
	p.setting("tcp_congestion_control", "cubic")
	s := p.says(m).after(0)
	if got := s.control(); got != "reno" {
		t.Errorf("by %s", got)
	}
	s.writes(text(6 * full))
	p.outs(1, 3)
	p.quiet(100 * time.Millisecond)
	p.in(rstack)
}

func TestARouteAsksForECN(t *testing.T) {
	if !config.TCP_ECN {
		t.Skip("CONFIG_TCP_ECN is n in this configuration")
	}
	p := newPeer(t, addrA, addrB)
	p.setting("tcp_ecn", "0")
	p.says(values(map[core.RouteMetric]uint32{core.MetricFeatures: core.FeatureECN}))
	p.connect()
	p.out("SEW")
	p.in(rstack)

	p = newPeer(t, addrA, addrB)
	p.setting("tcp_ecn", "2")
	p.connect()
	p.out(syn)
	p.in(rstack)
}

func TestARouteHasAcknowledgementsGoAtOnce(t *testing.T) {
	for _, quick := range []uint32{0, 1} {
		p := newPeer(t, addrA, addrB)
		s := p.says(values(map[core.RouteMetric]uint32{core.MetricQuickAck: quick})).after(0)
		s.sets(6, 12, 0) // TCP_QUICKACK
		p.in(plain, data("x"))
		if quick == 0 {
			p.quiet(30 * time.Millisecond)
			p.wait(20 * time.Millisecond)
		}
		p.out(plain, ack(2))
		p.in(rstack)
	}
}
