package file

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/device/segment"
	"github.com/libos-go/libos/sim"
)

// segment reads [[segment]]: an Ethernet with any number of nodes. Those of nodes
// have a port each, unless a [[segment.port]] describes it.
func (r *reader) segment(t *table) {
	name := t.text("name")
	t.what = "segment " + name
	c := sim.SegmentConfig{Place: t.place(), Cost: int(t.int("cost", 1, 1<<30)), MTU: int(t.int("mtu", 68, 65535)), Cable: t.cable(segment.Cable{})}
	switch kind := t.text("kind"); kind {
	case "", "switch":
	case "hub", "bus":
		c.Kind = sim.Hub
	case "radio":
		c.Kind = sim.Radio
		c.Radio = segment.RadioConfig{Rate: c.Rate, Delay: c.Delay, Speed: t.float("speed"), Range: t.float("range"), Slot: t.duration("slot"),
			Collision: t.probability("collision"), Retries: int(t.int("retries", 0, 1000)), Loss: t.losses("loss")}
	default:
		t.wrong("kind", "%q is not switch, hub or radio", kind)
	}
	s := r.net.Segment(name, c)
	qdisc := t.strings("qdisc")
	port := sim.PortConfig{Place: t.place()}
	if len(qdisc) == 1 {
		port.Qdisc = qdisc[0]
	} else if len(qdisc) > 1 {
		t.wrong("qdisc", "it is one for all ports; [[segment.port]] may have another")
	}
	ports := t.list("port")
	if t.has("nodes") {
		for _, x := range r.nodes(t, "nodes", true) {
			if !slices.ContainsFunc(ports, func(p *table) bool { return p.m["node"] == x.Name() }) {
				s.Attach(x, port)
			}
		}
	}
	for _, p := range ports {
		r.port(s, port, c, p)
	}
	for _, x := range t.list("trunk") {
		x.what = t.what + ", trunk"
		to := x.text("to")
		cable := x.cable(segment.Cable{})
		x.done()
		r.trunks = append(r.trunks, func() {
			other := r.net.LookupSegment(to)
			if other == nil {
				x.wrong("to", "there is no segment %s", to)
				return
			}
			s.Trunk(other, cable, x.place())
		})
	}
	t.done()
}

// port reads [[segment.port]].
func (r *reader) port(s *sim.Segment, base sim.PortConfig, c sim.SegmentConfig, t *table) {
	t.what = "port of segment " + s.Name()
	base.Place, base.Interface, base.Addresses, base.Detached = t.place(), t.text("interface"), t.strings("addresses"), t.bool("detached")
	if q := t.strings("qdisc"); len(q) > 0 {
		base.Qdisc = q[0]
	}
	cable := t.cable(c.Cable)
	if cable != c.Cable {
		base.Cable = &cable
	}
	if t.has("path") {
		if c.Kind != sim.Radio {
			t.wrong("path", "a station moves on a segment of kind radio only")
		}
		base.Position = t.route("path")
	}
	node := t.text("node")
	t.done()
	x := r.net.Lookup(node)
	if x == nil {
		t.wrong("node", "there is no node %s%s", node, r.similar(node))
		return
	}
	s.Attach(x, base)
}

// cable reads rate, delay and queue.
func (t *table) cable(base segment.Cable) segment.Cable {
	set(t, "rate", &base.Rate, t.rate)
	set(t, "delay", &base.Delay, t.duration)
	set(t, "queue", &base.QueueLen, func(name string) int { return int(t.int(name, 1, 1<<30)) })
	return base
}

// list are the tables of a list inside the table.
func (t *table) list(name string) (out []*table) {
	list, _ := get[[]map[string]any](t, name, "a list of tables: write [["+strings.Split(t.path, ".")[0]+"."+name+"]]")
	for i, m := range list {
		out = append(out, t.src.table(fmt.Sprintf("%s.%d", t.key(name), i), t.what, m))
	}
	return out
}

// losses read "100:0.01 200:0.5": the loss at distances in metres.
func (t *table) losses(name string) (out []segment.LossPoint) {
	for _, w := range strings.Fields(t.text(name)) {
		d, l, ok := strings.Cut(w, ":")
		distance, err := strconv.ParseFloat(d, 64)
		loss, err2 := strconv.ParseFloat(l, 64)
		if !ok || err != nil || err2 != nil {
			t.wrong(name, "%q is not DISTANCE:LOSS, such as 100:0.01", w)
			return nil
		}
		out = append(out, segment.LossPoint{Distance: distance, Loss: loss})
	}
	return out
}

func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// route reads where a station is: "0s 0,0" "10s 100,0", with straight ways between.
func (t *table) route(name string) segment.Path {
	type stop struct {
		at core.Time
		p  segment.Point
	}
	var stops []stop
	for _, s := range t.strings(name) {
		at, place, ok := strings.Cut(strings.TrimSpace(s.Text), " ")
		when, err := parseDuration(at)
		x, y, ok2 := strings.Cut(place, ",")
		px, err2 := strconv.ParseFloat(strings.TrimSpace(x), 64)
		py, err3 := strconv.ParseFloat(strings.TrimSpace(y), 64)
		if !ok || !ok2 || !isFinite(px) || !isFinite(py) || err != nil || err2 != nil || err3 != nil || len(stops) > 0 && core.Time(when) <= stops[len(stops)-1].at {
			t.wrong(name, "%q is no stop: write a time and a place in metres, such as \"10s 100,0\", in the order of time", s.Text)
			return nil
		}
		stops = append(stops, stop{core.Time(when), segment.Point{X: px, Y: py}})
	}
	if len(stops) == 0 {
		return nil
	}
	return func(at core.Time) segment.Point {
		for i := len(stops) - 1; i >= 0; i-- {
			if at < stops[i].at {
				continue
			}
			if i == len(stops)-1 {
				return stops[i].p
			}
			return segment.Move(stops[i].p, stops[i].at, stops[i+1].p, stops[i+1].at)(at)
		}
		return stops[0].p
	}
}
