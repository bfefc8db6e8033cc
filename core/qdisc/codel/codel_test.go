package codel_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/qdisc/codel"
	"github.com/libos-go/libos/core/qdisc/qdisctest"
	"github.com/libos-go/libos/core/qdisc/tc"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/host"
)

const ms = time.Millisecond

// line sends a packet of 1,000 bytes in 1 ms.
func line(t testing.TB, options string) *qdisctest.Line {
	l := qdisctest.New(t, host.NewVirtual(1), codel.Kind())
	l.Rate = 8e6
	l.Pace()
	l.TC("qdisc add dev q0 root handle 1: codel " + options)
	return l
}

// overload lets 5 packets come every 4 ms, of which the line sends 4.
func overload(l *qdisctest.Line, d time.Duration) []qdisctest.Packet {
	for range d / (4 * ms) {
		l.Send(1, 5, 1000)
		l.Pass(4 * ms)
	}
	return l.Take()
}

// drops are the instants at which numbers are missing.
func drops(ps []qdisctest.Packet) (at []time.Duration) {
	want := 0
	for _, p := range ps {
		for ; want < p.Number; want++ {
			at = append(at, p.At)
		}
		want++
	}
	return at
}

// RFC 8289 §3.2: the distance of drops is interval/√count; the first comes an
// interval after the delay rose above the target.
func TestDropsComeCloserByTheControlLaw(t *testing.T) {
	l := line(t, "")
	at := drops(overload(l, 600*ms))
	// The delay passes 5 ms some 24 ms after the beginning.
	if len(at) < 8 || at[0] < 120*ms || at[0] > 140*ms {
		t.Fatalf("drops at %v, want the first 100 ms after the delay passed 5 ms", at)
	}
	for n := 1; n < 8; n++ {
		// The law counts from the time that was due, so that errors of the line's 1 ms
		// do not add up.
		due := 0.0
		for i := 1; i <= n; i++ {
			due += 100 / math.Sqrt(float64(i))
		}
		if got := (at[n] - at[0]).Seconds() * 1000; math.Abs(got-due) > 1.5 {
			t.Errorf("drop %d came %.1f ms after the first, want %.1f", n, got, due)
		}
	}
	if n := l.Root().Counts; n.Dropped != uint64(len(at)) {
		t.Errorf("%d drops are counted, want %d", n.Dropped, len(at))
	}
}

// A burst that is gone within an interval is what queues are for.
func TestABurstShorterThanAnIntervalPasses(t *testing.T) {
	l := line(t, "")
	l.Send(1, 90, 1000)
	l.Pass(time.Second)
	if got := l.Take(); len(got) != 90 {
		t.Errorf("%d packets of 90 left", len(got))
	}
}

func TestDroppingEndsWhenTheDelayIsBelowTheTarget(t *testing.T) {
	l := line(t, "")
	overload(l, 400*ms)
	if s := l.TC("-s qdisc show dev q0"); !strings.Contains(s, " dropping") {
		t.Fatalf("after an overload:\n%s", s)
	}
	l.Pass(time.Second)
	l.Send(1, 1, 1000)
	l.Pass(10 * ms)
	before := l.Root().Counts.Dropped
	if s := l.TC("-s qdisc show dev q0"); strings.Contains(s, " dropping") {
		t.Errorf("after a rest:\n%s", s)
	}
	for range 100 { // a load that the line bears
		l.Send(1, 1, 1000)
		l.Pass(2 * ms)
	}
	if n := l.Root().Counts.Dropped; n != before {
		t.Errorf("%d packets were dropped of a load that the line bears", n-before)
	}
}

// What began a short while after the last dropping goes on at its rate.
func TestASecondOverloadMeetsTheRateOfTheFirst(t *testing.T) {
	l := line(t, "")
	overload(l, 2000*ms)
	l.Pass(400 * ms)
	l.Take()
	again := l.Root().Counts.Dropped
	overload(l, 300*ms)
	if again = l.Root().Counts.Dropped - again; again < 5 {
		t.Errorf("%d packets were dropped within 300 ms of the second overload, a fresh start has 3", again)
	}
}

func TestEcnMarksInPlaceOfDrops(t *testing.T) {
	l := line(t, "ecn")
	l.ECN = 2
	got := overload(l, 600*ms)
	marked := 0
	for i, p := range got {
		if p.Number != i {
			t.Fatalf("packet %d is missing", i)
		}
		if p.ECN == 3 {
			marked++
			if !wire.IPv4(p.Data).ChecksumOK() {
				t.Fatal("a marked packet has a wrong checksum")
			}
		}
	}
	if marked < 8 || l.Detail("ecn_mark") != uint64(marked) {
		t.Errorf("%d packets are marked, %v counted", marked, l.Detail("ecn_mark"))
	}
	l = line(t, "ecn") // what cannot be marked is dropped
	if n := drops(overload(l, 600*ms)); len(n) < 8 {
		t.Errorf("%d packets without ECN were dropped", len(n))
	}
}

func TestCeThresholdMarksWhatWaitedLonger(t *testing.T) {
	l := line(t, "ce_threshold 3ms")
	l.ECN = 1
	l.Send(1, 10, 1000)
	l.Pass(time.Second)
	for _, p := range l.Take() {
		if late := p.At > 3*ms; late != (p.ECN == 3) {
			t.Errorf("a packet that waited %v has ECN %d", p.At, p.ECN)
		}
	}
}

func TestTheLimitDropsWhatComes(t *testing.T) {
	l := line(t, "limit 5")
	l.Send(1, 1, 1000)
	l.Send(1, 9, 1000)
	if n := l.Root(); n.Len != 5 || n.Counts.Dropped != 4 || l.Detail("drop_overlimit") != uint64(4) {
		t.Errorf("%+v", n)
	}
}

func TestShowIsWhatTcPrints(t *testing.T) {
	for options, want := range map[string]string{
		"":                                       "limit 1000p target 5ms interval 100ms ",
		"limit 100 target 4ms interval 30ms ecn": "limit 100p target 4ms interval 30ms ecn ",
		"ce_threshold 2ms":                       "limit 1000p target 5ms ce_threshold 2ms interval 100ms ",
	} {
		l := line(t, options)
		got := l.TC("-s qdisc show dev q0")
		want = "qdisc codel 1: root refcnt 2 " + want + "\n Sent 0 bytes 0 pkt (dropped 0, overlimits 0 requeues 0) \n backlog 0b 0p requeues 0\n" +
			"  count 0 lastcount 0 ldelay 0ns\n  maxpacket 0 ecn_mark 0 drop_overlimit 0\n"
		if got != want {
			t.Errorf("%q: got\n%swant\n%s", options, got, want)
		}
	}
	l := line(t, "limit 100")
	l.TC("qdisc change dev q0 root codel ecn") // what is not named stays
	if got := l.TC("qdisc show dev q0"); got != "qdisc codel 1: root refcnt 2 limit 100p target 5ms interval 100ms ecn \n" {
		t.Errorf("after a change: %s", got)
	}
}

func TestWhatCodelRefuses(t *testing.T) {
	l := qdisctest.New(t, host.NewVirtual(1), codel.Kind())
	for options, want := range map[string]string{
		"target 200ms": "target 200ms is not below the interval 100ms", "limit -1": "no number between", "speed 1": `"speed" is no option`, "target 2h": `"2h" is no time`,
	} {
		_, err := tc.Run(l.Instance, strings.Fields("qdisc add dev q0 root codel "+options))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("codel %s: %v, want %q in it", options, err, want)
		}
	}
}

func TestPacketsPassWithoutAllocation(t *testing.T) {
	l := qdisctest.NewOn(coretest.New(t, host.NewVirtual(1), coretest.Release()), core.LinkRaw, codel.Kind())
	l.Discard = true
	if n := qdisctest.Allocs(l, "codel ecn"); n > 0 {
		t.Errorf("%v allocations for 64 packets", n)
	}
}
