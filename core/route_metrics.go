package core

import (
	"slices"

	"github.com/libos-go/libos/core/wire"
)

// RouteMetric is what a route says of its way beside the MTU, with Linux's RTAX_ numbers.
type RouteMetric int

const (
	MetricLock             RouteMetric = 1 // bits of metrics that nothing learnt replaces
	MetricMTU              RouteMetric = 2 // RouteEntry.MTU is in its place
	MetricWindow           RouteMetric = 3 // bytes
	MetricRTT              RouteMetric = 4 // in eighths of a millisecond
	MetricRTTVar           RouteMetric = 5 // in quarters of a millisecond
	MetricSSThresh         RouteMetric = 6 // segments
	MetricCwnd             RouteMetric = 7 // segments
	MetricAdvMSS           RouteMetric = 8 // bytes
	MetricReordering       RouteMetric = 9
	MetricHopLimit         RouteMetric = 10
	MetricInitCwnd         RouteMetric = 11 // segments
	MetricFeatures         RouteMetric = 12 // bits: FeatureECN
	MetricRTOMin           RouteMetric = 13 // milliseconds
	MetricInitRwnd         RouteMetric = 14 // segments
	MetricQuickAck         RouteMetric = 15
	MetricCongestion       RouteMetric = 16 // RouteMetrics.Congestion is in its place
	MetricFastOpenNoCookie RouteMetric = 17
	LastMetric                         = MetricFastOpenNoCookie

	FeatureECN = 1 // RTAX_FEATURE_ECN
)

// RouteMetrics are metrics of a route by their numbers, 0 for those that it leaves open.
type RouteMetrics struct {
	Values     [LastMetric + 1]uint32
	Congestion string // name of the congestion control of connections
}

// Metric is what the route says, 0 for nothing.
func (r *Route) Metric(m RouteMetric) uint32 {
	if r == nil || r.Metrics == nil {
		return 0
	}
	return r.Metrics.Values[m]
}

// place is where a route goes among those of its prefix and metric.
type place uint8

const (
	placeAlone  place = iota // it is the only one
	placeBehind              // ip route append
	placeBefore              // ip route prepend
)

// AppendRouteLocked adds a route of IPv4 behind those of its prefix and metric, or before
// them if first is set. EEXIST if the very same is there. Inside an entry.
func (in *Instance) AppendRouteLocked(e *RouteEntry, first bool) error {
	p := placeBehind
	if first {
		p = placeBefore
	}
	err := in.addRoute(e, p)
	if err == nil {
		in.routesChanged(e, false)
	}
	return err
}

// sameRoute tells whether two routes differ in nothing.
func sameRoute(a, b *RouteEntry) bool {
	return a.Prefix == b.Prefix && sameAddr(a.Gateway, b.Gateway) && a.Interface == b.Interface && sameAddr(a.Source, b.Source) &&
		a.Metric == b.Metric && a.table() == b.table() && a.MTU == b.MTU && a.Type == b.Type && a.Protocol == b.Protocol &&
		a.Scope == b.Scope && a.Expires == b.Expires && a.NexthopID == b.NexthopID && slices.Equal(a.Paths, b.Paths) &&
		(a.Metrics == b.Metrics || a.Metrics != nil && b.Metrics != nil && *a.Metrics == *b.Metrics)
}

func sameAddr(a, b wire.Addr) bool { return a == b || a.IsUnspecified() && b.IsUnspecified() }

// RemoveThisRouteLocked removes the route that differs in nothing from one that was told
// of. ESRCH if there is none. Inside an entry.
func (in *Instance) RemoveThisRouteLocked(e *RouteEntry) error { return in.removeNode(e, false, true) }
