package netlink

import (
	"encoding/binary"
	"slices"
	"strings"
	"syscall"

	"github.com/libos-go/libos/core"
)

// Metrics of routes: RTAX_… attributes in RTA_METRICS (ip_metrics_convert,
// net/ipv4/metrics.c; rtnetlink_put_metrics, net/core/rtnetlink.c).

const (
	mostRouteMTU  = 65535 - 15
	mostAdvMSS    = 65535 - 40
	mostHopLimit  = 255
	knownFeatures = 31 // RTAX_FEATURE_MASK
	algorithmName = 16 // TCP_CA_NAME_MAX
)

func writeMetrics(w *writer, mtu int, m *core.RouteMetrics) {
	if mtu == 0 && m == nil {
		return
	}
	at := w.nest(rtaMetrics)
	for i := core.MetricLock; i <= core.LastMetric; i++ {
		v := uint32(0)
		if m != nil {
			v = m.Values[i]
		}
		switch {
		case i == core.MetricMTU:
			v = uint32(mtu)
		case i == core.MetricCongestion && m != nil && m.Congestion != "":
			w.text(int(i), m.Congestion)
		}
		if v != 0 {
			w.attr32(int(i), v)
		}
	}
	w.endNest(at)
}

// metrics reads RTA_METRICS; nil where they say nothing but the MTU.
func (r *request) metrics() (mtu int, out *core.RouteMetrics, err error) {
	x, ok := r.attrs.find(rtaMetrics)
	if !ok {
		return 0, nil, nil
	}
	list, err := parseAttributes(x.data, x.at+4)
	if err != nil {
		return 0, nil, err
	}
	var m core.RouteMetrics
	for _, a := range list {
		i := core.RouteMetric(a.typ)
		switch {
		case i == 0:
			continue
		case i > core.LastMetric:
			return 0, nil, refuseAt(a.at, syscall.EINVAL, "routes have no such metric")
		case i == core.MetricCongestion:
			if m.Congestion, err = r.algorithm(a); err != nil {
				return 0, nil, err
			}
			continue
		case len(a.data) != 4:
			return 0, nil, refuseAt(a.at, syscall.EINVAL, "a metric has four bytes")
		}
		v := binary.NativeEndian.Uint32(a.data)
		switch i {
		case core.MetricMTU:
			mtu = int(min(v, mostRouteMTU))
			continue
		case core.MetricAdvMSS:
			v = min(v, mostAdvMSS)
		case core.MetricHopLimit:
			v = min(v, mostHopLimit)
		case core.MetricFeatures:
			if v&^knownFeatures != 0 {
				return 0, nil, refuseAt(a.at, syscall.EINVAL, "routes have no such feature")
			}
		}
		m.Values[i] = v
	}
	if m == (core.RouteMetrics{}) {
		return mtu, nil, nil
	}
	return mtu, &m, nil
}

// algorithm is the congestion control that a route names.
func (r *request) algorithm(a attribute) (string, error) {
	name, _, _ := strings.Cut(string(a.data), "\x00")
	all, err := r.in.SysctlLocked("net.ipv4.tcp_available_congestion_control")
	if err != nil || name == "" || len(name) >= algorithmName || !slices.Contains(strings.Fields(all), name) {
		return "", refuseAt(a.at, syscall.EINVAL, "there is no such congestion control")
	}
	return name, nil
}

// metricsFit tells whether a route has the metrics that a request to remove one names
// (fib_metrics_match).
func (r *request) metricsFit(named, x *core.RouteEntry) bool {
	m, has := named.Metrics, x.Metrics
	if has == nil {
		has = &core.RouteMetrics{}
	}
	if named.MTU != 0 && named.MTU != x.MTU {
		return false
	}
	if m == nil {
		return true
	}
	for i, v := range m.Values {
		if v != 0 && v != has.Values[i] {
			return false
		}
	}
	return m.Congestion == "" || m.Congestion == has.Congestion
}
