package tbf_test

import (
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/qdisc/fifo"
	"github.com/libos-go/libos/core/qdisc/qdisctest"
	"github.com/libos-go/libos/core/qdisc/tbf"
	"github.com/libos-go/libos/core/qdisc/tc"
	"github.com/libos-go/libos/host"
)

func kinds() []core.QdiscKind {
	return []core.QdiscKind{tbf.Kind(), fifo.Packets(), fifo.Bytes(), fifo.Fast()}
}

func line(t testing.TB) *qdisctest.Line { return qdisctest.New(t, host.NewVirtual(1), kinds()...) }

// 1,000 bytes at 8 Mbit/s take 1 ms. The bucket lets three go at once.
func TestABurstLeavesAtOnceAndTheRestAtTheRate(t *testing.T) {
	l := line(t)
	l.TC("qdisc add dev q0 root tbf rate 8mbit burst 3000 latency 1s")
	l.Send(1, 6, 1000)
	l.Pass(time.Second)
	want := []time.Duration{0, 0, 0, time.Millisecond, 2 * time.Millisecond, 3 * time.Millisecond}
	got := l.Take()
	for i, w := range want {
		if i >= len(got) || got[i].At != w || got[i].Number != i {
			t.Fatalf("packets left as %+v, want them at %v", got, want)
		}
	}
	l.Pass(time.Second) // an idle time fills the bucket again, and no more than it
	start := time.Duration(l.Rig.Host.Now())
	l.Send(1, 4, 1000)
	l.Pass(time.Second)
	got = l.Take()
	if len(got) != 4 || got[2].At != start || got[3].At != start+time.Millisecond {
		t.Errorf("after an idle time packets left as %+v", got)
	}
}

func TestAPeakRateSpacesTheBurst(t *testing.T) {
	l := line(t)
	l.TC("qdisc add dev q0 root tbf rate 8mbit burst 3000 latency 1s peakrate 80mbit mtu 1000")
	l.Send(1, 5, 1000)
	l.Pass(time.Second)
	got := l.Take()
	// After 200 µs a fifth of a packet's tokens has come to the empty bucket.
	want := []time.Duration{0, 100 * time.Microsecond, 200 * time.Microsecond, time.Millisecond, 2 * time.Millisecond}
	for i, w := range want {
		if i >= len(got) || got[i].At != w {
			t.Fatalf("packets left as %+v, want them at %v", got, want)
		}
	}
}

// Latency 5 ms at 8 Mbit/s is 5,000 bytes behind a bucket of 3,000.
func TestLatencyBoundsTheQueue(t *testing.T) {
	l := line(t)
	l.TC("qdisc add dev q0 root tbf rate 8mbit burst 3000 latency 5ms")
	l.Send(1, 3, 1000)
	l.Send(1, 20, 1000)
	if n := l.Root(); n.Len != 8 || n.Counts.Dropped != 12 {
		t.Errorf("%d wait and %d are dropped, want 8 and 12", n.Len, n.Counts.Dropped)
	}
	l.Pass(time.Second)
	if n := l.Root(); n.Counts.Packets != 11 || n.Counts.Overlimits == 0 || n.Len != 0 || n.Backlog != 0 {
		t.Errorf("at the end %+v", n)
	}
}

func TestAPacketLargerThanTheBucketIsDropped(t *testing.T) {
	l := line(t)
	l.TC("qdisc add dev q0 root tbf rate 8mbit burst 999 limit 10000")
	l.Send(1, 1, 1000)
	l.Send(1, 1, 999)
	l.Pass(time.Second)
	if got := l.Take(); len(got) != 1 || got[0].Size != 999 || l.Root().Counts.Dropped != 1 {
		t.Errorf("left: %+v", got)
	}
}

// A super-segment takes tokens for the headers of its segments: 3 segments of
// 1,000 bytes behind 28 bytes each.
func TestASuperSegmentPaysForItsSegments(t *testing.T) {
	l := line(t)
	l.TC("qdisc add dev q0 root tbf rate 8mbit burst 10000 latency 1s")
	l.SendWith(1, 3028, func(p *core.Packet) { p.SegmentSize = 1000 })
	if n := l.Root(); n.Counts.Bytes != 3084 || n.Counts.Packets != 3 {
		t.Errorf("sent %d bytes in %d packets, want 3084 in 3", n.Counts.Bytes, n.Counts.Packets)
	}
}

func TestAChildQueuesInItsPlace(t *testing.T) {
	l := line(t)
	l.TC("qdisc add dev q0 root handle 1: tbf rate 8mbit burst 1000 latency 50ms")
	l.TC("qdisc add dev q0 parent 1: handle 10: pfifo limit 2")
	l.Send(1, 1, 1000)
	l.Send(1, 9, 1000)
	if n := l.Root(); n.Len != 2 || n.Counts.Dropped != 7 {
		t.Errorf("%d wait and %d are dropped, want 2 and 7", n.Len, n.Counts.Dropped)
	}
	want := "qdisc tbf 1: root refcnt 2 rate 8Mbit burst 1000b lat 50ms \nqdisc pfifo 10: parent 1:1 limit 2p\n"
	if got := l.TC("qdisc show dev q0"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	l.TC("qdisc del dev q0 parent 1:1")
	l.Send(1, 9, 1000)
	if n := l.Root(); n.Len != 10 || n.Counts.Dropped != 7 { // one was at the bucket
		t.Errorf("with its own queue %d wait and %d are dropped, want 10 and 7", n.Len, n.Counts.Dropped)
	}
}

func TestAChangeHoldsForWhatWaits(t *testing.T) {
	l := line(t)
	l.TC("qdisc add dev q0 root tbf rate 8kbit burst 1000 latency 100s")
	l.Send(1, 11, 1000)
	l.TC("qdisc change dev q0 root tbf rate 8mbit burst 1000 latency 100s")
	l.Pass(10 * time.Millisecond)
	if got := l.Take(); len(got) != 11 {
		t.Errorf("%d of 11 packets left", len(got))
	}
}

func TestWhatTbfRefuses(t *testing.T) {
	l := line(t)
	for options, want := range map[string]string{
		"": "rate is missing", "rate 1mbit": "burst is missing", "rate 1mbit burst 10k": "one of limit (bytes) and latency",
		"rate 1mbit burst 10k limit 10k latency 1s":              "one of limit",
		"rate 1mbit burst 10k limit 10k peakrate 1mbit mtu 1500": "not above the rate 1Mbit",
		"rate 1mbit burst 10k limit 10k peakrate 2mbit":          "needs mtu",
		"rate 1mbit burst 10k limit 10k weight 3":                `"weight" is no option: there are rate`,
		"rate fast": `rate: "fast" is no rate: write a number with bit`,
	} {
		_, err := tc.Run(l.Instance, strings.Fields("qdisc add dev q0 root tbf "+options))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("tbf %s: %v, want %q in it", options, err, want)
		}
	}
}

func TestShowIsWhatTcPrints(t *testing.T) {
	for command, want := range map[string]string{
		"rate 1mbit burst 32kbit latency 50ms":                            "rate 1Mbit burst 4Kb lat 50ms ",
		"rate 8mbit burst 2000 limit 12000":                               "rate 8Mbit burst 2000b lat 10ms ",
		"rate 1mbit burst 10kb latency 70ms peakrate 2mbit minburst 1540": "rate 1Mbit burst 10Kb peakrate 2Mbit minburst 1540b lat 70ms ",
	} {
		l := line(t)
		l.TC("qdisc add dev q0 root handle 1: tbf " + command)
		if got := l.TC("qdisc show dev q0"); got != "qdisc tbf 1: root refcnt 2 "+want+"\n" {
			t.Errorf("%s: got %s", command, got)
		}
	}
	l := line(t)
	l.TC("qdisc add dev q0 root handle 1: tbf rate 1mbit burst 32kbit latency 50ms")
	want := `[{"kind":"tbf","handle":"1:","root":true,"refcnt":2,"options":{"rate":125000,"burst":4096,"lat":50000}}]` + "\n"
	if got := l.TC("-j qdisc show dev q0"); got != want {
		t.Errorf("got %s", got)
	}
}

func TestPacketsPassWithoutAllocation(t *testing.T) {
	l := qdisctest.NewOn(coretest.New(t, host.NewVirtual(1), coretest.Release()), core.LinkRaw, kinds()...)
	l.Discard = true
	if n := qdisctest.Allocs(l, "tbf rate 100mbit burst 10000 limit 1mb"); n > 0 {
		t.Errorf("%v allocations for 64 packets", n)
	}
}

// A limit below the bucket is shown as such: it comes to no latency.
func TestALimitBelowTheBucketIsShown(t *testing.T) {
	l := qdisctest.New(t, host.NewVirtual(1), kinds()...)
	for _, x := range []struct{ words, want string }{
		{"rate 1mbit burst 10k limit 1000", "rate 1Mbit burst 10Kb limit 1000b "},
		{"rate 1mbit burst 10k limit 20k", "rate 1Mbit burst 10Kb lat 81.9ms "},
	} {
		l.TC("qdisc replace dev q0 root handle 1: tbf " + x.words)
		if got, want := l.TC("qdisc show dev q0"), "qdisc tbf 1: root refcnt 2 "+x.want+"\n"; got != want {
			t.Errorf("%s: %q, want %q", x.words, got, want)
		}
	}
}
