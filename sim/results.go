package sim

import (
	"cmp"
	"encoding/json"
	"io"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/device/segment"
)

// Results are what a simulation has found, in an order that depends on its
// description alone. Times are in seconds of virtual time. There is no figure of
// the real clock in them: equal runs have equal results.
type Results struct {
	Seed  uint64       `json:"seed"`
	Until float64      `json:"until_s"`           // what lies before it is in the results
	Every float64      `json:"every_s,omitempty"` // between samples, 0 if there are none
	Nodes []NodeResult `json:"nodes"`
	Links []LinkResult `json:"links"`
	// Segments are what joins more than the two nodes of a link.
	Segments []SegmentResult `json:"segments,omitempty"`
	Values   []Value         `json:"values"`
	Flows    []FlowResult    `json:"flows"`
	Queues   []QueueResult   `json:"queues"`
	Series   []Series        `json:"series"`
}

// NodeResult is a node as it is drawn.
type NodeResult struct {
	Name   string  `json:"name"`
	Router bool    `json:"router,omitempty"`
	X      float64 `json:"x"`
	Y      float64 `json:"y"`
}

// LinkResult is a link. Rate (bit/s, 0 is none), Delay and Loss are those of the
// two directions; A and B are nodes, counted from 0.
type LinkResult struct {
	Name       string     `json:"name"`
	A          int        `json:"a"`
	B          int        `json:"b"`
	Interfaces [2]string  `json:"interfaces"` // as queues are named
	Rate       [2]int64   `json:"rate_bps"`
	Delay      [2]float64 `json:"delay_s"`
	Loss       [2]float64 `json:"loss"`
}

// SegmentResult is a segment, with the nodes, counted from 0, and the interfaces
// that are its ports.
type SegmentResult struct {
	Name       string   `json:"name"`
	Nodes      []int    `json:"nodes"`
	Interfaces []string `json:"interfaces"`
}

// Value is what a task recorded.
type Value struct {
	Node   string  `json:"node"`
	Task   string  `json:"task"`
	Metric string  `json:"metric"`
	Unit   string  `json:"unit"`
	Time   float64 `json:"time_s"`
	Value  float64 `json:"value"`
}

// FlowResult is a flow in the end. Sent are bytes that the peer has acknowledged
// (TCP) or that were sent (datagrams), of users' data.
type FlowResult struct {
	Node            string  `json:"node"`
	Name            string  `json:"name"`   // "bulk", the second one of a node is "bulk#2"
	Number          int     `json:"number"` // among those of its name on its node, from 1 on
	Protocol        string  `json:"protocol"`
	Local           string  `json:"local"`
	Remote          string  `json:"remote"`
	Start           float64 `json:"start_s"`
	End             float64 `json:"end_s"`
	Over            bool    `json:"over"` // it ended; otherwise End is the end of the results
	Sent            uint64  `json:"sent_bytes"`
	Received        uint64  `json:"received_bytes"`
	PacketsSent     uint64  `json:"packets_sent"`
	PacketsReceived uint64  `json:"packets_received"`
	SentGoodput     float64 `json:"sent_goodput_bps"`
	ReceivedGoodput float64 `json:"received_goodput_bps"`
	Retransmissions uint64  `json:"retransmissions"`
	Drops           uint64  `json:"drops"` // of datagrams, the receive queue being full
	SRTTMin         float64 `json:"srtt_min_s"`
	SRTTMean        float64 `json:"srtt_mean_s"` // over time
	SRTTMax         float64 `json:"srtt_max_s"`
}

// QueueResult is what an interface and its wire did, and how its queue stood at
// the samples.
type QueueResult struct {
	Node       string  `json:"node"` // "" for that of a trunk
	Name       string  `json:"name"` // "r1/eth0"; "lan to r1/eth0" is a segment's way to the port, "lan to wan" a trunk of two
	Link       string  `json:"link,omitempty"`
	Rate       int64   `json:"rate_bps"` // of the wire, 0 is none
	Packets    uint64  `json:"packets"`
	Bytes      uint64  `json:"bytes"`
	Drops      uint64  `json:"drops"`          // the queue was full, or its discipline chose so
	Losses     uint64  `json:"losses"`         // on the wire
	Throughput float64 `json:"throughput_bps"` // from 0 to the end
	LengthMean float64 `json:"length_mean"`    // packets
	LengthMax  float64 `json:"length_max"`
}

// Series is one metric over time: Values[i] is that of the instant
// (First+i) * Every of the results.
type Series struct {
	Node   string `json:"node"`
	Kind   string `json:"kind"` // "flow" or "queue"
	Name   string `json:"name"` // of the flow or queue
	Metric string `json:"metric"`
	Unit   string `json:"unit"`
	First  int    `json:"first"`
	Values Values `json:"values"`
}

// Values may be NaN where nothing is known, which JSON has as null.
type Values []float64

// MarshalJSON implements json.Marshaler.
func (v Values) MarshalJSON() ([]byte, error) {
	b := []byte{'['}
	for i, x := range v {
		if i > 0 {
			b = append(b, ',')
		}
		if math.IsNaN(x) || math.IsInf(x, 0) {
			b = append(b, "null"...)
		} else {
			b = strconv.AppendFloat(b, x, 'g', -1, 64)
		}
	}
	return append(b, ']'), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *Values) UnmarshalJSON(b []byte) error {
	var all []*float64
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	*v = make(Values, len(all))
	for i, x := range all {
		(*v)[i] = math.NaN()
		if x != nil {
			(*v)[i] = *x
		}
	}
	return nil
}

// Write writes the results as JSON.
func (r *Results) Write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(r)
}

// Time is the instant of a value of a series.
func (r *Results) Time(s *Series, i int) float64 { return float64(s.First+i) * r.Every }

// Find is the first series of a name and metric, nil if there is none. Node may
// be "" for any.
func (r *Results) Find(node, name, metric string) *Series {
	for i := range r.Series {
		if s := &r.Series[i]; (node == "" || s.Node == node) && s.Name == name && s.Metric == metric {
			return s
		}
	}
	return nil
}

// Results are what has been found so far. Between runs, before Close.
func (n *Network) Results() *Results {
	r := &Results{Seed: n.options.Seed, Until: n.Now().Seconds(), Every: time.Duration(n.every).Seconds(),
		Nodes: []NodeResult{}, Links: []LinkResult{}, Values: []Value{}, Flows: []FlowResult{}, Queues: []QueueResult{}, Series: []Series{}}
	samples := math.MaxInt
	for _, p := range n.parts {
		samples = min(samples, p.taken)
	}
	of := map[*port]string{}
	for _, l := range n.links {
		of[l.ends[0]], of[l.ends[1]] = l.name, l.name
		a, b := l.wire(0), l.wire(1)
		r.Links = append(r.Links, LinkResult{Name: l.name, A: l.ends[0].node.index, B: l.ends[1].node.index,
			Interfaces: [2]string{l.ends[0].fullName(), l.ends[1].fullName()}, Rate: [2]int64{a.Rate, b.Rate},
			Delay: [2]float64{a.Delay.Seconds(), b.Delay.Seconds()}, Loss: [2]float64{a.Loss, b.Loss}})
	}
	r.Segments = n.segmentResults(of)
	for _, x := range n.nodes {
		r.Nodes = append(r.Nodes, NodeResult{x.name, x.IsRouter(), x.config.X, x.config.Y})
		values := slices.Clone(x.values)
		slices.SortStableFunc(values, func(a, b Value) int { return cmp.Compare(a.Task, b.Task) })
		r.Values = append(r.Values, values...)
		if x.in != nil {
			x.in.Domain().Do(func() { r.add(x, of, samples) })
		}
	}
	n.eachTrunk(func(p *part, s *Segment, t *trunk) {
		p.domain.Do(func() { r.addTrunk(s, t, core.Time(n.Now()), samples) })
	})
	return r
}

// segmentResults are the subnets that are no links.
func (n *Network) segmentResults(of map[*port]string) (all []SegmentResult) {
	for _, s := range n.subnets {
		r := SegmentResult{Name: s.name}
		for _, p := range s.ports {
			if _, ok := of[p]; !ok {
				of[p] = s.name
				r.Nodes, r.Interfaces = append(r.Nodes, p.node.index), append(r.Interfaces, p.fullName())
			}
		}
		if len(r.Nodes) > 0 {
			all = append(all, r)
		}
	}
	return all
}

func (p *port) fullName() string { return p.node.name + "/" + p.name }

// add adds flows and queues of a node. Inside an entry.
func (r *Results) add(x *Node, of map[*port]string, samples int) {
	now := core.Time(x.net.Now())
	flows := slices.Clone(x.flows)
	slices.SortStableFunc(flows, func(a, b *flow) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.number, b.number))
	})
	for _, f := range flows {
		f.read()
		res := f.result(now)
		r.Flows = append(r.Flows, res)
		for i := range f.columns {
			if res.Sent == 0 && i >= flowWindow && i <= flowVariation {
				continue // who sends nothing has a window and an RTT that say nothing
			}
			if c := &f.columns[i]; !c.empty() {
				v := c.all(max(0, samples-f.first))
				r.series(Series{x.name, "flow", res.Name, flowMetric[i].name, flowMetric[i].unit, f.first + 1, v})
			}
		}
	}
	for _, p := range x.ports {
		if p.ifc == nil {
			continue
		}
		stats := p.ifc.Stats()
		r.addQueue(QueueResult{Node: x.name, Name: p.fullName(), Link: of[p], Packets: stats.TxPackets, Bytes: stats.TxBytes}, p.now(now), &p.queue, samples)
		if d, ok := p.device.(*segment.Port); ok && p.toward != nil {
			q, c := p.towardNow(now), d.Counters()
			r.addQueue(QueueResult{Node: x.name, Name: p.segment.name + " to " + p.fullName(), Link: p.segment.name, Packets: c.Received, Bytes: c.Bytes}, q, p.toward, samples)
		}
	}
}

// addTrunk adds both ways of a trunk between switches. Inside an entry.
func (r *Results) addTrunk(s *Segment, t *trunk, now core.Time, samples int) {
	for i, name := range [2]string{s.name + " to " + t.to.name, t.to.name + " to " + s.name} {
		q := t.now(i, now)
		r.addQueue(QueueResult{Name: name, Link: s.subnet.name, Packets: t.made.Way(i == 1, now).Sent - uint64(q.frames), Bytes: uint64(q.sent)}, q, &t.ways[i], samples)
	}
}

// addQueue adds a queue and its series.
func (r *Results) addQueue(res QueueResult, q queueNow, over *queued, samples int) {
	res.Rate, res.Drops, res.Losses = q.limit, q.drops, q.losses
	if r.Until > 0 {
		res.Throughput = q.sent * 8 / r.Until
	}
	if frames := over.frames.all(samples); len(frames) > 0 {
		for _, v := range frames {
			res.LengthMean += v / float64(len(frames))
			res.LengthMax = max(res.LengthMax, v)
		}
	}
	r.Queues = append(r.Queues, res)
	for _, c := range []struct {
		column       *column
		metric, unit string
	}{{&over.frames, "queue", "packets"}, {&over.bytes, "backlog", "B"}, {&over.rate, "throughput", "bit/s"},
		{&over.use, "utilisation", ""}, {&over.drops, "drops", ""}, {&over.losses, "losses", ""}} {
		if !c.column.empty() {
			r.series(Series{res.Node, "queue", res.Name, c.metric, c.unit, 1, c.column.all(samples)})
		}
	}
}

// series adds one that tells something.
func (r *Results) series(s Series) {
	if slices.ContainsFunc(s.Values, func(v float64) bool { return v != 0 && !math.IsNaN(v) }) {
		r.Series = append(r.Series, s)
	}
}

// result is the flow at now, after read.
func (f *flow) result(now core.Time) FlowResult {
	if f.over {
		now = f.end
	}
	name := f.name
	if f.number > 1 {
		name += "#" + strconv.Itoa(f.number)
	}
	l := &f.last
	r := FlowResult{Node: f.node.name, Name: name, Number: f.number, Protocol: f.protocol, Local: f.local, Remote: f.remote,
		Start: time.Duration(f.start).Seconds(), End: time.Duration(now).Seconds(), Over: f.over, Sent: l.sent, Received: l.received,
		PacketsSent: l.messagesSent, PacketsReceived: l.messagesReceived, Retransmissions: l.resent, Drops: l.dropped,
		SRTTMin: f.rttLeast, SRTTMax: f.rttMost, SRTTMean: l.rtt}
	if f.rtts > 0 {
		r.SRTTMean = f.rttSum / float64(f.rtts)
	}
	if d := r.End - r.Start; d > 0 {
		r.SentGoodput, r.ReceivedGoodput = float64(l.sent)*8/d, float64(l.received)*8/d
	}
	return r
}
