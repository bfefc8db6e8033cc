package tcp

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/congestion"
)

// What the route of a connection says of it (ip-route(8)): the advertised MSS, the largest
// window, the initial congestion window, the congestion control, ECN, and that no
// acknowledgement is delayed.

func (c *conn) metric(m core.RouteMetric) uint32 { return c.route.Metric(m) }

// wantsECN tells whether ECN is agreed to, and asked for if asks is set.
func (c *conn) wantsECN(asks bool) bool {
	set := c.t.settings().ECN
	return set == 1 || set != 0 && !asks || c.metric(core.MetricFeatures)&core.FeatureECN != 0
}

// windowClamp is the largest window to offer, 0 for any.
func (c *conn) windowClamp() int32 {
	if c.extra != nil && c.extra.clamp != 0 {
		return c.extra.clamp
	}
	return int32(min(c.metric(core.MetricWindow), 1<<30))
}

// firstWindow is the window of a SYN (tcp_select_initial_window, net/ipv4/tcp_output.c).
func (c *conn) firstWindow() uint32 {
	w := uint32(min(space(c.rcv.limit), 65535))
	if c.rcv.clamp != 0 {
		w = min(w, uint32(c.rcv.clamp))
	}
	if n := c.metric(core.MetricInitRwnd); n != 0 {
		w = uint32(min(uint64(w), uint64(n)*uint64(c.offeredMSS())))
	}
	return w
}

// initialWindow is that of the route (tcp_init_cwnd, net/ipv4/tcp_input.c), or RFC 6928's.
func (c *conn) initialWindow() uint32 {
	if n := c.metric(core.MetricInitCwnd); n != 0 {
		return uint32(min(uint64(n)*uint64(c.snd.mss), 1<<30))
	}
	return congestion.InitialWindow(uint32(c.snd.mss))
}

// beginControl starts the congestion control of a connection that stands: that of the
// route before any other (tcp_ca_dst_init, net/ipv4/tcp_output.c).
func (c *conn) beginControl() {
	name := c.cong.name
	if r := c.route; r != nil && r.Metrics != nil && r.Metrics.Congestion != "" {
		name = r.Metrics.Congestion
	}
	c.startControl(name)
	if c.metric(core.MetricInitCwnd) != 0 {
		c.cong.cwnd = c.initialWindow()
	}
}
