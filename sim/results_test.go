package sim_test

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"testing"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/device/segment"
	"github.com/libos-go/libos/sim"
)

// bulk sends size bytes over TCP from a to b and tracks both sides.
func bulk(a, b *sim.Node, at time.Duration, size int) {
	b.Go("sink", 0, func(t *sim.Task) {
		l, err := t.Listen("tcp4", ":8080")
		t.Assert(err == nil, "%v", err)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Track("sink", c)
			t.Go("connection", func(t *sim.Task) {
				m, _ := io.Copy(io.Discard, c)
				t.Record("received", float64(m), "B")
				_ = c.Close()
			})
		}
	})
	a.Go("bulk", at, func(t *sim.Task) {
		c, err := t.Dial("tcp4", b.Address()+":8080")
		t.Assert(err == nil, "%v", err)
		t.Track("bulk", c)
		_, err = c.Write(make([]byte, size))
		t.Assert(err == nil, "%v", err)
		_ = c.Close()
	})
}

func TestABottleneckShowsItsRateAndItsQueueItsLimit(t *testing.T) {
	n := sim.New(sim.Options{Seed: 1, Wiring: libos.Wiring(), Families: sim.IPv4})
	closed(t, n)
	a, r, b := n.Node("a", sim.NodeConfig{}), n.Node("r", sim.NodeConfig{}), n.Node("b", sim.NodeConfig{})
	n.Link("", a, r, sim.LinkConfig{Wire: pipe.Wire{Delay: time.Millisecond}})
	n.Link("", r, b, sim.LinkConfig{Wire: pipe.Wire{Rate: 10e6, Delay: 20 * time.Millisecond, QueueLen: 30}})
	bulk(a, b, 0, 8<<20)
	n.Sample(50 * time.Millisecond)
	run(t, n, 5*time.Second)
	res := n.Results()
	rate := res.Find("r", "r/eth1", "throughput")
	if rate == nil {
		t.Fatal("no series of the bottleneck's throughput")
	}
	for i, v := range rate.Values {
		if at := res.Time(rate, i); at > 2 && math.Abs(v-10e6) > 10e6/1000 {
			t.Errorf("at %g s the bottleneck carries %g bit/s, it has 10 Mbit/s", at, v)
		}
	}
	most := 0.0
	for _, v := range res.Find("r", "r/eth1", "queue").Values {
		most = max(most, v)
	}
	if most != 30 {
		t.Errorf("the longest queue seen is %g frames, its limit is 30", most)
	}
	if d := res.Find("r", "r/eth1", "drops"); d == nil || d.Values[len(d.Values)-1] == 0 {
		t.Error("a full queue dropped nothing")
	}
	if s := res.Find("a", "bulk", "srtt"); s == nil || s.Values[10] < 0.042 {
		t.Error("the smoothed RTT is less than the path's")
	}
}

func TestAFlowIsFollowedToItsEndBehindClose(t *testing.T) {
	n := sim.New(sim.Options{Seed: 1, Wiring: libos.Wiring(), Families: sim.IPv4})
	closed(t, n)
	a, b := n.Node("a", sim.NodeConfig{}), n.Node("b", sim.NodeConfig{})
	n.Link("", a, b, sim.LinkConfig{Wire: pipe.Wire{Rate: 10e6, Delay: 10 * time.Millisecond}})
	bulk(a, b, 500*time.Millisecond, 1<<20)
	n.Sample(100 * time.Millisecond)
	run(t, n, 5*time.Second)
	res := n.Results()
	if len(res.Flows) != 2 {
		t.Fatalf("%d flows", len(res.Flows))
	}
	f, g := res.Flows[0], res.Flows[1]
	if f.Sent != 1<<20 || g.Received != 1<<20 || !f.Over || !g.Over {
		t.Errorf("bytes acknowledged: %d, received: %d of %d; over: %v, %v", f.Sent, g.Received, 1<<20, f.Over, g.Over)
	}
	if f.SentGoodput < 8e6 || f.SentGoodput > 10e6 {
		t.Errorf("goodput %g bit/s of 10 Mbit/s", f.SentGoodput)
	}
	sum := 0.0
	for _, v := range res.Find("a", "bulk", "throughput").Values {
		sum += v / 8 * res.Every
	}
	if math.Abs(sum-(1<<20)) > 1 {
		t.Errorf("the throughput series adds up to %g bytes of %d", sum, 1<<20)
	}
	if len(res.Values) != 1 || res.Values[0].Metric != "received" || res.Values[0].Value != 1<<20 || res.Values[0].Unit != "B" {
		t.Errorf("recorded: %v", res.Values)
	}
}

func TestDatagramFlowsAreCounted(t *testing.T) {
	n := sim.New(sim.Options{Seed: 1, Wiring: libos.Wiring(), Families: sim.IPv4})
	closed(t, n)
	a, b := n.Node("a", sim.NodeConfig{}), n.Node("b", sim.NodeConfig{})
	n.Link("", a, b, sim.LinkConfig{})
	b.Go("sink", 0, func(t *sim.Task) {
		c, err := t.ListenPacket("udp4", ":9")
		t.Assert(err == nil, "%v", err)
		t.Track("sink", c)
		for {
			if _, _, err := c.ReadFromAddrPort(make([]byte, 2000)); err != nil {
				return
			}
		}
	})
	a.Go("source", 200*time.Millisecond, func(t *sim.Task) {
		c, err := t.Dial("udp4", b.Address()+":9")
		t.Assert(err == nil, "%v", err)
		t.Track("source", c)
		for range 100 {
			_, _ = c.Write(make([]byte, 1250))
			_ = t.Sleep(10 * time.Millisecond)
		}
		_ = c.Close()
	})
	n.Sample(100 * time.Millisecond)
	run(t, n, 2*time.Second)
	res := n.Results()
	f, g := res.Flows[0], res.Flows[1]
	if f.PacketsSent != 100 || f.Sent != 125_000 || g.PacketsReceived != 100 || g.Received != 125_000 || !f.Over || g.Over {
		t.Errorf("source %+v\nsink %+v", f, g)
	}
	if f.End != 1.2 || f.Start != 0.2 || f.SentGoodput != 1e6 {
		t.Errorf("it ended at %g s with %g bit/s", f.End, f.SentGoodput)
	}
	for i, v := range res.Find("b", "sink", "received").Values[3:10] {
		if v != 1e6 {
			t.Errorf("sample %d: %g bit/s, want 1 Mbit/s", i, v)
		}
	}
}

// written are the results of the busy network as JSON.
func written(t *testing.T, parts int) string {
	n := busy(t, parts)
	for _, x := range n.Nodes() {
		if !x.IsRouter() {
			to := n.Nodes()[(x.Index()+7)%len(n.Nodes())]
			bulk(x, to, 200*time.Millisecond, 50_000)
		}
	}
	n.Sample(20 * time.Millisecond)
	run(t, n, 3*time.Second)
	var b bytes.Buffer
	if err := n.Results().Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestResultsAreTheSameInAnyPartition(t *testing.T) {
	want := written(t, 1)
	for _, parts := range []int{1, 2, 4} {
		t.Run(fmt.Sprintf("%d parts", parts), func(t *testing.T) {
			if got := written(t, parts); got != want {
				t.Errorf("%d bytes of results are not the %d of one part", len(got), len(want))
			}
		})
	}
}

// Two stations send more than the cable of a third one takes: what waits at the
// switch, what leaves and what is dropped there is in the results as that of a link.
func TestTheQueuesOfASwitchAreInTheResults(t *testing.T) {
	n := sim.New(sim.Options{Seed: 1, Wiring: libos.Wiring(), Families: sim.IPv4})
	closed(t, n)
	lan := n.Segment("lan", sim.SegmentConfig{Cable: segment.Cable{Rate: 10e6, Delay: time.Millisecond, QueueLen: 25}})
	var nodes []*sim.Node
	for _, name := range []string{"a", "b", "c"} {
		x := n.Node(name, sim.NodeConfig{})
		lan.Attach(x, sim.PortConfig{})
		nodes = append(nodes, x)
	}
	for _, x := range nodes[:2] {
		x.Go("datagrams", 100*time.Millisecond, func(t *sim.Task) {
			c, err := t.Dial("udp4", nodes[2].Address()+":9")
			t.Assert(err == nil, "%v", err)
			for t.Now() < 2*time.Second { // 7.5 Mbit/s of frames each
				_, _ = c.Write(make([]byte, 1250-8-20-14))
				_ = t.Sleep(time.Millisecond * 4 / 3)
			}
		})
	}
	n.Sample(10 * time.Millisecond)
	run(t, n, 3*time.Second)
	res := n.Results()
	at := func(name, metric string, when float64) float64 {
		s := res.Find("", name, metric)
		if s == nil {
			t.Fatalf("%s has no %s", name, metric)
		}
		return s.Values[int(when/res.Every)-s.First]
	}
	if v := at("lan to c/eth0", "utilisation", 1); math.Abs(v-1) > 0.01 {
		t.Errorf("the cable to c is used by %g", v)
	}
	if v := at("a/eth0", "utilisation", 1); math.Abs(v-0.75) > 0.15 { // 7 or 8 frames in 10 ms
		t.Errorf("the cable of a is used by %g of its rate", v)
	}
	if v := at("lan to c/eth0", "queue", 1); v < 24 || v > 25 {
		t.Errorf("%g frames wait at the switch, its limit is 25", v)
	}
	if v := at("lan to c/eth0", "backlog", 1); v < 24*1250 || v > 26*1250 {
		t.Errorf("%g bytes wait at the switch", v)
	}
	for _, q := range res.Queues {
		if q.Name == "lan to c/eth0" {
			if sent := res.Queues[0].Packets + res.Queues[2].Packets; q.Drops == 0 || q.Packets+q.Drops > sent || q.Packets+q.Drops < sent-10 || q.Rate != 10e6 || q.Link != "lan" {
				t.Errorf("of %d frames: %+v", sent, q)
			}
			return
		}
	}
	t.Error("there is no queue to c")
}

// What waits before a trunk between two switches is in the results, for each way.
func TestTheQueueBeforeATrunkIsInTheResults(t *testing.T) {
	n := sim.New(sim.Options{Seed: 1, Wiring: libos.Wiring(), Families: sim.IPv4})
	closed(t, n)
	x, y := n.Segment("x", sim.SegmentConfig{}), n.Segment("y", sim.SegmentConfig{})
	x.Trunk(y, segment.Cable{Rate: 1e6, Delay: time.Millisecond, QueueLen: 10}, "")
	a, b := n.Node("a", sim.NodeConfig{}), n.Node("b", sim.NodeConfig{})
	x.Attach(a, sim.PortConfig{})
	y.Attach(b, sim.PortConfig{})
	a.Go("datagrams", 100*time.Millisecond, func(t *sim.Task) {
		c, err := t.Dial("udp4", b.Address()+":9")
		t.Assert(err == nil, "%v", err)
		for range 500 { // 2 Mbit/s of frames, for a second and a quarter
			_, _ = c.Write(make([]byte, 625-8-20-14))
			_ = t.Sleep(2500 * time.Microsecond)
		}
	})
	n.Sample(10 * time.Millisecond)
	run(t, n, 2*time.Second)
	res := n.Results()
	ways := map[string]sim.QueueResult{}
	for _, q := range res.Queues {
		ways[q.Name] = q
	}
	if q := ways["x to y"]; q.Rate != 1e6 || q.LengthMax != 10 || q.Drops < 200 || q.Drops > 250 || q.Packets+q.Drops < 490 || q.Packets+q.Drops > 510 {
		t.Errorf("x to y: %+v", q)
	}
	if q := ways["y to x"]; q.Rate != 1e6 || q.Drops != 0 || q.Packets == 0 {
		t.Errorf("y to x: %+v", q)
	}
	if s := res.Find("", "x to y", "utilisation"); s == nil || math.Abs(s.Values[50]-1) > 0.06 {
		t.Errorf("utilisation: %+v", s)
	}
}

// What a radio loses on the way to a station is a loss of its way there.
func TestTheLossesOfARadioAreInTheResults(t *testing.T) {
	n := sim.New(sim.Options{Seed: 1, Wiring: libos.Wiring(), Families: sim.IPv4})
	closed(t, n)
	air := n.Segment("air", sim.SegmentConfig{Kind: sim.Radio, Radio: segment.RadioConfig{Rate: 1e6, Range: 100, Loss: []segment.LossPoint{{Distance: 0, Loss: 0.5}}}})
	a, b := n.Node("a", sim.NodeConfig{}), n.Node("b", sim.NodeConfig{X: 50})
	air.Attach(a, sim.PortConfig{})
	air.Attach(b, sim.PortConfig{})
	a.Go("datagrams", 100*time.Millisecond, func(t *sim.Task) {
		c, err := t.Dial("udp4", b.Address()+":9")
		t.Assert(err == nil, "%v", err)
		for range 500 {
			_, _ = c.Write(make([]byte, 100))
			_ = t.Sleep(10 * time.Millisecond)
		}
	})
	run(t, n, 10*time.Second)
	for _, q := range n.Results().Queues {
		if q.Name == "air to b/eth0" {
			if q.Losses < 200 || q.Losses > 300 || q.Packets < 200 || q.Rate != 1e6 {
				t.Errorf("of 500 frames: %+v", q)
			}
			return
		}
	}
	t.Error("there is no way to b")
}
