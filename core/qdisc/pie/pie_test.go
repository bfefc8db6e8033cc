package pie_test

import (
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/qdisc/pie"
	"github.com/libos-go/libos/core/qdisc/qdisctest"
	"github.com/libos-go/libos/core/qdisc/tc"
	"github.com/libos-go/libos/host"
)

const ms = time.Millisecond

// line sends a packet of 1,000 bytes in 1 ms.
func line(t testing.TB, options string) *qdisctest.Line {
	l := qdisctest.New(t, host.NewVirtual(1), pie.Kind())
	l.Rate = 8e6
	l.Pace()
	l.TC("qdisc add dev q0 root handle 1: pie " + options)
	return l
}

// load lets n packets of size bytes come every 4 ms, of which the line sends 4 of
// 1,000 bytes.
func load(l *qdisctest.Line, n, size int, d time.Duration) []qdisctest.Packet {
	for range d / (4 * ms) {
		l.Send(1, n, size)
		l.Pass(4 * ms)
	}
	return l.Take()
}

// A source that does not react and sends half too much: in the end a third of it is
// dropped, and the delay is held near the target.
func TestTheDelayIsHeldAtTheTarget(t *testing.T) {
	l := line(t, "")
	load(l, 6, 1000, 20*time.Second)
	before := l.Root().Counts
	var sum time.Duration
	for range 250 {
		l.Send(1, 6, 1000)
		l.Pass(4 * ms)
		sum += time.Duration(l.Root().Len) * ms
	}
	after := l.Root().Counts
	share := float64(after.Dropped-before.Dropped) / 1500
	if share < 0.28 || share > 0.39 {
		t.Errorf("%.3f of the packets are dropped, want a third", share)
	}
	if mean := sum / 250; mean < 8*ms || mean > 25*ms {
		t.Errorf("packets wait %v, the target is 15 ms", mean)
	}
	if p := l.Detail("prob").(float64); p < 0.3 || p > 0.6 { // §5.4 spaces the drops, so that they are fewer
		t.Errorf("the probability is %v, want some more than 0.33", p)
	}
}

// RFC 8033 §4.4: after an idle time 150 ms of packets pass whatever the delay.
func TestABurstPasses(t *testing.T) {
	l := line(t, "")
	load(l, 8, 1000, 140*ms)
	if n := l.Root().Counts.Dropped; n != 0 {
		t.Errorf("%d packets are dropped within the burst allowance", n)
	}
	load(l, 8, 1000, 400*ms)
	if n := l.Root().Counts.Dropped; n == 0 {
		t.Error("no packet is dropped after the burst allowance")
	}
}

func TestALoadThatTheLineBearsPasses(t *testing.T) {
	l := line(t, "")
	got := load(l, 4, 1000, 4*time.Second)
	if n := l.Root().Counts.Dropped; n != 0 || len(got) < 3990 {
		t.Errorf("%d packets are dropped", n)
	}
}

// RFC 8033 §4.2: the probability decays while the queue is idle, and the burst
// allowance comes back.
func TestAnIdleQueueForgets(t *testing.T) {
	l := line(t, "")
	load(l, 8, 1000, 4*time.Second)
	p := l.Detail("prob").(float64)
	if p < 0.2 {
		t.Fatalf("the probability is %v after an overload of twice the rate", p)
	}
	l.Pass(2 * time.Second)
	if q := l.Detail("prob").(float64); q > p/2 {
		t.Errorf("after 2 s without packets it is %v, was %v", q, p)
	}
	l.Pass(time.Hour)
	if q := l.Detail("prob").(float64); q != 0 {
		t.Errorf("after an hour it is %v", q)
	}
}

func TestEcnMarksUnderLightCongestion(t *testing.T) {
	l := line(t, "ecn")
	l.ECN = 2
	marked := 0
	for _, p := range load(l, 5, 1000, 2*time.Second) {
		if p.ECN == 3 {
			marked++
		}
	}
	if marked == 0 || l.Detail("ecn_mark").(uint64) < uint64(marked) {
		t.Errorf("%d packets are marked, %v counted", marked, l.Detail("ecn_mark"))
	}
	load(l, 12, 1000, 10*time.Second) // above a tenth marks are not enough: RFC 8033 §5.1
	if l.Root().Counts.Dropped == 0 {
		t.Error("nothing is dropped of three times the rate")
	}
}

func TestByteModeSparesSmallPackets(t *testing.T) {
	share := func(options string) float64 {
		l := line(t, options)
		for range 2500 {
			l.Send(1, 5, 1000)
			l.Send(2, 5, 100)
			l.Pass(4 * ms)
		}
		n := map[int]int{}
		for _, p := range l.Take() {
			n[p.Flow]++
		}
		return float64(12500-n[2]) / float64(12500-n[1])
	}
	if a, b := share(""), share("bytemode"); a < 0.7 || b > 0.4 {
		t.Errorf("small packets are dropped %.2f times as often as large ones, in bytemode %.2f times", a, b)
	}
}

func TestTheLimitDropsWhatComes(t *testing.T) {
	l := line(t, "limit 5")
	l.Send(1, 1, 1000)
	l.Send(1, 9, 1000)
	if n := l.Root(); n.Len != 5 || n.Counts.Dropped != 4 || l.Detail("overlimit") != uint64(4) || l.Detail("maxq") != uint64(5) {
		t.Errorf("%+v", n)
	}
}

func TestShowIsWhatTcPrints(t *testing.T) {
	l := line(t, "")
	want := "qdisc pie 1: root refcnt 2 limit 1000p target 15ms tupdate 15ms alpha 2 beta 20 \n" +
		" Sent 0 bytes 0 pkt (dropped 0, overlimits 0 requeues 0) \n backlog 0b 0p requeues 0\n" +
		"  prob 0 delay 0ns\n  pkts_in 0 overlimit 0 dropped 0 maxq 0 ecn_mark 0\n"
	if got := l.TC("-s qdisc show dev q0"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	l.TC("qdisc change dev q0 root pie ecn target 20ms")
	if got := l.TC("qdisc show dev q0"); !strings.Contains(got, "limit 1000p target 20ms tupdate 15ms alpha 2 beta 20 ecn ") {
		t.Errorf("after a change: %s", got)
	}
	for options, want := range map[string]string{"alpha 33": "between 0 and 32", "tupdate 1us": "tupdate in 1ms…1h", "gamma 1": "is no option"} {
		_, err := tc.Run(l.Instance, strings.Fields("qdisc replace dev q0 root handle 2: pie "+options))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("pie %s: %v, want %q in it", options, err, want)
		}
	}
}

func TestPacketsPassWithoutAllocation(t *testing.T) {
	l := qdisctest.NewOn(coretest.New(t, host.NewVirtual(1), coretest.Release()), core.LinkRaw, pie.Kind())
	l.Discard = true
	if n := qdisctest.Allocs(l, "pie ecn"); n > 0 {
		t.Errorf("%v allocations for 64 packets", n)
	}
}
