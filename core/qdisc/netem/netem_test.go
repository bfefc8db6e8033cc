package netem_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/impair"
	"github.com/libos-go/libos/core/qdisc/fifo"
	"github.com/libos-go/libos/core/qdisc/netem"
	"github.com/libos-go/libos/core/qdisc/qdisctest"
	"github.com/libos-go/libos/core/qdisc/tc"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/host"
)

const ms = time.Millisecond

func kinds() []core.QdiscKind { return []core.QdiscKind{netem.Kind(), fifo.Packets()} }

func line(t testing.TB, options string) *qdisctest.Line {
	return seededLine(t, 1, options)
}

func seededLine(t testing.TB, seed uint64, options string) *qdisctest.Line {
	l := qdisctest.New(t, host.NewVirtual(seed), kinds()...)
	l.TC("qdisc add dev q0 root handle 1: netem " + options)
	return l
}

// stream sends n packets, one every step, and waits for them.
func stream(l *qdisctest.Line, n int, step time.Duration) []qdisctest.Packet {
	for range n {
		l.Send(1, 1, 100)
		l.Pass(step)
	}
	l.Pass(time.Minute)
	return l.Take()
}

func near(t *testing.T, what string, got, want, off float64) {
	t.Helper()
	if math.Abs(got-want) > off {
		t.Errorf("%s is %v, want %v ± %v", what, got, want, off)
	}
}

func TestADelayShiftsPackets(t *testing.T) {
	l := line(t, "delay 100ms")
	for i, p := range stream(l, 10, 7*ms) {
		if want := time.Duration(i)*7*ms + 100*ms; p.At != want || p.Number != i {
			t.Errorf("packet %d left at %v, want %v", p.Number, p.At, want)
		}
	}
}

func TestJitterReordersAndKeepsItsBounds(t *testing.T) {
	l := line(t, "delay 100ms 10ms limit 10000")
	got := stream(l, 2000, ms)
	mean, sorted := 0.0, true
	for i, p := range got {
		d := p.At - time.Duration(p.Number)*ms
		if d < 90*ms || d > 110*ms {
			t.Fatalf("packet %d was delayed by %v", p.Number, d)
		}
		mean += d.Seconds() * 1000 / float64(len(got))
		sorted = sorted && p.Number == i
	}
	near(t, "the mean delay in ms", mean, 100, 0.5)
	if len(got) != 2000 || sorted {
		t.Errorf("%d packets of 2000 left, in order: %v", len(got), sorted)
	}
}

func TestDistributionsShapeTheDelay(t *testing.T) {
	for d, sigma := range map[string]float64{"normal": 10, "pareto": 8.2, "paretonormal": 8.5, "uniform": 10 / math.Sqrt(3)} {
		l := line(t, "limit 10000 delay 100ms 10ms distribution "+d)
		var v, mean float64
		got := stream(l, 3000, ms)
		for _, p := range got {
			mean += (p.At - time.Duration(p.Number)*ms).Seconds() * 1000 / float64(len(got))
		}
		for _, p := range got {
			x := (p.At-time.Duration(p.Number)*ms).Seconds()*1000 - mean
			v += x * x / float64(len(got))
		}
		near(t, d+": the mean", mean, 100, 0.6)
		near(t, d+": the deviation", math.Sqrt(v), sigma, 0.5)
	}
}

// Each option does to its share of 4,000 packets what it says.
func TestOptionsMeetTheirShare(t *testing.T) {
	for _, tt := range []struct {
		options string
		sent    float64 // share that leaves
		dropped bool
	}{
		{"loss 10%", 0.9, true},
		{"loss random 10%", 0.9, true},
		{"loss gemodel 2% 25%", 1 - 0.02/0.27, true},
		{"loss state 2% 25%", 1 - 0.02/0.27, true},
		{"duplicate 10%", 1.1, false},
		{"duplicate 100%", 2, false},
		{"loss 100%", 0, true},
		{"loss 100% duplicate 100%", 1, false},
	} {
		l := line(t, tt.options)
		got := stream(l, 4000, ms/10)
		near(t, tt.options+": the share that leaves", float64(len(got))/4000, tt.sent, 0.02)
		if n := l.Root().Counts; (n.Dropped > 0) != tt.dropped || n.Packets != uint64(len(got)) || tt.dropped && n.Dropped+n.Packets != 4000 {
			t.Errorf("%s: counters %+v for %d packets", tt.options, n, len(got))
		}
	}
}

func TestEcnMarksInPlaceOfLoss(t *testing.T) {
	l := line(t, "loss 50% ecn")
	l.ECN = 2
	got := stream(l, 1000, ms/10)
	marked := 0
	for _, p := range got {
		if p.ECN == 3 {
			marked++
			if !wire.IPv4(p.Data).ChecksumOK() {
				t.Fatal("a marked packet has a wrong checksum")
			}
		}
	}
	near(t, "the share that is marked", float64(marked)/1000, 0.5, 0.05)
	if len(got) != 1000 {
		t.Errorf("%d packets of 1000 left", len(got))
	}
	l.ECN = 0
	near(t, "the share of others that leaves", float64(len(stream(l, 1000, ms/10)))/1000, 0.5, 0.05)
}

func TestCorruptFlipsOneBit(t *testing.T) {
	l := line(t, "corrupt 50%")
	bad := 0
	for i, p := range stream(l, 500, ms) {
		good := make([]byte, 100)
		h := wire.IPv4(good)
		h.Encode(&wire.IPv4Fields{TotalLen: 100, ID: uint16(i), TTL: 64, Protocol: wire.ProtoUDP, Src: wire.FromV4(0x0a000001), Dst: wire.FromV4(0x0a000002)})
		good[21] = 1
		flips := 0
		for j := range good {
			for x := good[j] ^ p.Data[j]; x != 0; x &= x - 1 {
				flips++
			}
		}
		if flips > 1 {
			t.Fatalf("packet %d has %d wrong bits", i, flips)
		}
		bad += flips
	}
	near(t, "the share that is damaged", float64(bad)/500, 0.5, 0.07)
}

// tc-netem(8): with gap 5 every 5th packet goes at once, the others are delayed.
func TestReorderSendsEveryGapthAtOnce(t *testing.T) {
	l := line(t, "delay 10ms reorder 100% gap 5")
	for _, p := range stream(l, 20, ms) {
		want := time.Duration(p.Number)*ms + 10*ms
		if p.Number%5 == 4 {
			want -= 10 * ms
		}
		if p.At != want {
			t.Errorf("packet %d left at %v, want %v", p.Number, p.At, want)
		}
	}
	l = line(t, "delay 10ms reorder 25% 0%")
	n := 0
	for _, p := range stream(l, 2000, ms) {
		if p.At == time.Duration(p.Number)*ms {
			n++
		}
	}
	near(t, "the share that goes at once", float64(n)/2000, 0.25, 0.04)
}

// 1,000 bytes at 8 Mbit/s take 1 ms; the delay of a packet that waits for the line
// passes meanwhile.
func TestARateSpacesPackets(t *testing.T) {
	for _, tt := range []struct {
		options string
		want    []time.Duration
	}{
		{"rate 8mbit", []time.Duration{ms, 2 * ms, 3 * ms}},
		{"rate 8mbit delay 10ms", []time.Duration{11 * ms, 12 * ms, 13 * ms}},
		{"rate 8mbit 24", []time.Duration{1024 * time.Microsecond, 2048 * time.Microsecond, 3072 * time.Microsecond}},
		{"rate 8mbit 0 100 25", []time.Duration{1250 * time.Microsecond, 2500 * time.Microsecond, 3750 * time.Microsecond}},
	} {
		l := line(t, tt.options)
		l.Send(1, 3, 1000)
		l.Pass(time.Second)
		var got []time.Duration
		for _, p := range l.Take() {
			got = append(got, p.At)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: packets left at %v, want %v", tt.options, got, tt.want)
		}
	}
}

func TestSlotsLetGroupsGo(t *testing.T) {
	l := line(t, "slot 10ms 10ms packets 3")
	l.Send(1, 7, 100)
	l.Pass(time.Second)
	got := l.Take()
	if len(got) != 7 {
		t.Fatalf("%d packets of 7 left", len(got))
	}
	for i, p := range got {
		if want := 10*ms + time.Duration(i/3)*10*ms; p.At != want {
			t.Errorf("packet %d left at %v, want %v", i, p.At, want)
		}
	}
}

func TestTheLimitDropsWhatComes(t *testing.T) {
	l := line(t, "limit 5 delay 1s")
	l.Send(1, 8, 100)
	if n := l.Root(); n.Len != 5 || n.Backlog != 500 || n.Counts.Dropped != 3 {
		t.Errorf("%d wait, %d bytes, %d dropped", n.Len, n.Backlog, n.Counts.Dropped)
	}
}

func TestAChildTakesWhatWasDelayed(t *testing.T) {
	l := line(t, "delay 10ms")
	l.TC("qdisc add dev q0 parent 1: handle 10: pfifo limit 2")
	l.Rate = 8e6
	l.Send(1, 10, 1000)
	l.Pass(9 * ms)
	if n := l.Root(); n.Len != 10 {
		t.Errorf("%d packets wait", n.Len)
	}
	l.Pass(time.Second)
	// All ten come to the child at one instant, which holds two.
	if got := l.Take(); len(got) != 2 || got[0].At != 10*ms || l.Root().Counts.Dropped != 8 {
		t.Errorf("%d packets left, %d are dropped", len(got), l.Root().Counts.Dropped)
	}
}

func TestTheSameSeedGivesTheSamePackets(t *testing.T) {
	run := func(host uint64, options string) []qdisctest.Packet {
		return stream(seededLine(t, host, "delay 10ms 5ms 25% distribution pareto loss 5% 10% duplicate 5% corrupt 5% reorder 5% "+options), 300, ms)
	}
	same := func(a, b []qdisctest.Packet) bool {
		return slices.EqualFunc(a, b, func(x, y qdisctest.Packet) bool { return x.At == y.At && slices.Equal(x.Data, y.Data) })
	}
	if !same(run(1, ""), run(1, "")) {
		t.Error("the same seed gave other packets")
	}
	if same(run(1, ""), run(2, "")) {
		t.Error("another seed gave the same packets")
	}
	if !same(run(1, "seed 7"), run(2, "seed 7")) {
		t.Error("a seed of its own depends on the host's")
	}
}

func TestShowIsWhatTcPrints(t *testing.T) {
	for command, want := range map[string]string{
		"delay 10ms":           "limit 1000 delay 10ms",
		"delay 100ms 10ms 25%": "limit 1000 delay 100ms  10ms 25%",
		"limit 50 delay 1s 1ms distribution normal": "limit 50 delay 1s  1ms",
		"loss 1%":                      "limit 1000 loss 1%",
		"loss random 0.3% 25%":         "limit 1000 loss 0.3% 25%",
		"loss state 1%":                "limit 1000 loss state p13 1% p31 99% p32 0% p23 100% p14 0%",
		"loss gemodel 1% 10% 70% 0.1%": "limit 1000 loss gemodel p 1% r 10% 1-h 70% 1-k 0.1%",
		"duplicate 1% corrupt 0.1%":    "limit 1000 duplicate 1% corrupt 0.1%",
		"delay 10ms reorder 25% 50%":   "limit 1000 delay 10ms reorder 25% 50% gap 1",
		"delay 10ms reorder 25% gap 5": "limit 1000 delay 10ms reorder 25% gap 5",
		"rate 5kbit 20 100 5":          "limit 1000 rate 5Kbit packetoverhead 20 cellsize 100 celloverhead 5",
		"slot 800us 1ms packets 32":    "limit 1000 slot 800us 1ms packets 32",
		"loss 1% ecn":                  "limit 1000 loss 1% ecn ",
	} {
		l := line(t, command)
		if got := l.TC("qdisc show dev q0"); got != "qdisc netem 1: root refcnt 2 "+want+"\n" {
			t.Errorf("%s: got %s", command, got)
		}
	}
	l := line(t, "delay 100ms 10ms 25% loss 1%")
	want := `[{"kind":"netem","handle":"1:","root":true,"refcnt":2,"options":{"limit":1000,"delay":{"delay":0.1,"jitter":0.01,"correlation":0.25},"loss-random":{"loss":0.01,"correlation":0}}}]` + "\n"
	if got := l.TC("-j qdisc show dev q0"); got != want {
		t.Errorf("got %s", got)
	}
}

func TestWhatNetemRefuses(t *testing.T) {
	l := qdisctest.New(t, host.NewVirtual(1), kinds()...)
	for options, want := range map[string]string{
		"reorder 10%":                     "reorder needs a delay",
		"delay 1ms gap x":                 `gap: "x" is no number`,
		"ecn":                             "ecn needs a loss",
		"distribution normal":             "distribution needs a delay and a jitter",
		"delay 1ms 1ms distribution flat": "there are uniform, normal, pareto and paretonormal",
		"loss 200%":                       "between 0% and 100%",
		"loss":                            "loss: a value is missing",
		"delay 48h":                       `"48h" is no time`,
		"delay 100000s":                   "is not in 0…24h",
		"rate 1mbit 0 10 -20":             "cell overhead",
		"slot 2ms 1ms":                    "the smaller first",
		"lag 1ms":                         `"lag" is no option: there are limit, delay`,
	} {
		_, err := tc.Run(l.Instance, strings.Fields("qdisc add dev q0 root netem "+options))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("netem %s: %v, want %q in it", options, err, want)
		}
	}
}

func TestGoUsersWriteAConfig(t *testing.T) {
	l := qdisctest.New(t, host.NewVirtual(1), kinds()...)
	err := l.Interface.SetQdisc(netem.Config{Delay: 10 * ms, Loss: impair.TwoState(0.01, 0.3)}, fifo.Config{Limit: 7})
	if err != nil {
		t.Fatal(err)
	}
	want := "qdisc netem 8001: root refcnt 2 limit 1000 delay 10ms loss state p13 1% p31 30% p32 0% p23 100% p14 0%\nqdisc pfifo 8002: parent 8001:1 limit 7p\n"
	if got := l.TC("qdisc show dev q0"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if err := l.Interface.SetQdisc(netem.Config{Delay: -1}); err == nil || !strings.Contains(err.Error(), "delay -1ns is not in") {
		t.Errorf("a negative delay: %v", err)
	}
}

func TestPacketsPassWithoutAllocation(t *testing.T) {
	l := qdisctest.NewOn(coretest.New(t, host.NewVirtual(1), coretest.Release()), core.LinkRaw, kinds()...)
	l.Discard = true
	for _, o := range []string{"delay 10ms 5ms distribution normal", "delay 10ms loss gemodel 1% corrupt 5% duplicate 5% reorder 5% rate 100mbit"} {
		if n := qdisctest.Allocs(l, "netem "+o); n > 0 {
			t.Errorf("%s: %v allocations for 64 packets", o, n)
		}
	}
}
