package red_test

import (
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/qdisc/fifo"
	"github.com/libos-go/libos/core/qdisc/qdisctest"
	"github.com/libos-go/libos/core/qdisc/red"
	"github.com/libos-go/libos/core/qdisc/tc"
	"github.com/libos-go/libos/host"
)

const ms = time.Millisecond

// line sends a packet of 1,000 bytes in 1 ms.
func line(t testing.TB, options string) *qdisctest.Line {
	l := qdisctest.New(t, host.NewVirtual(1), red.Kind(), fifo.Packets())
	l.Rate = 8e6
	l.Pace()
	l.TC("qdisc add dev q0 root handle 1: red avpkt 1000 bandwidth 8mbit " + options)
	return l
}

// hold keeps n packets of 1,000 bytes waiting while packets come, and tells which
// of them were dropped.
func hold(l *qdisctest.Line, n, packets int) (dropped []int) {
	for i := range packets {
		before := l.Root()
		l.Send(1, 1, 1000)
		after := l.Root()
		if after.Counts.Dropped > before.Counts.Dropped {
			dropped = append(dropped, i)
		}
		if after.Len > n {
			l.Pass(ms)
		}
	}
	return dropped
}

// Floyd and Jacobson §4: nothing happens below Min, everything is dropped above Max,
// and between them packets with a distance uniform between 1 and 1/p (§7).
func TestDropsFollowTheAverage(t *testing.T) {
	const options = "limit 200kb min 10kb max 30kb burst 20 probability 0.1"
	l := line(t, options)
	if n := len(hold(l, 8, 3000)); n != 0 {
		t.Errorf("%d packets of 3000 are dropped with 8 waiting", n)
	}
	l = line(t, options)
	hold(l, 20, 1000)
	got := hold(l, 20, 5000) // the average is half way: p is 0.05
	if n := len(got); n < 430 || n > 525 {
		t.Errorf("%d packets of 5000 are dropped half way between min and max, want 476", n)
	}
	for i := 1; i < len(got); i++ {
		if d := got[i] - got[i-1]; d > 25 {
			t.Errorf("%d packets lie between two drops, want at most some 20", d)
		}
	}
	l = line(t, options)
	hold(l, 60, 500)
	if n := len(hold(l, 60, 500)); n != 500 {
		t.Errorf("%d packets of 500 are dropped with an average above max", n)
	}
}

// The average lags behind the queue, so that a burst passes.
func TestABurstPasses(t *testing.T) {
	l := line(t, "limit 100kb min 10kb max 30kb burst 20")
	l.Send(1, 20, 1000)
	if n := l.Root().Counts.Dropped; n != 0 {
		t.Errorf("%d packets of a burst of 20 are dropped", n)
	}
}

// An idle time counts as packets that could have left.
func TestTheAverageFallsWhileTheQueueIsIdle(t *testing.T) {
	const options = "limit 200kb min 10kb max 30kb burst 20 probability 1"
	drops := func(rest time.Duration) uint64 {
		l := line(t, options)
		hold(l, 28, 1000)
		l.Pass(100 * ms)
		l.Pass(rest)
		before := l.Root().Counts.Dropped
		l.Send(1, 8, 1000)
		return l.Root().Counts.Dropped - before
	}
	if soon, late := drops(0), drops(10*time.Second); late != 0 || soon > 8 {
		t.Errorf("%d packets are dropped soon after the queue was long, %d after 10 s", soon, late)
	}
}

func TestEcnMarksBetweenMinAndMax(t *testing.T) {
	for _, tt := range []struct {
		options      string
		length       int // of the queue that is held
		marks, drops bool
	}{
		{"ecn", 20, true, false},
		{"ecn", 45, true, false},
		{"ecn harddrop", 20, true, false},
		{"ecn harddrop", 45, true, true},
		{"", 20, false, true},
	} {
		l := line(t, "limit 200kb min 10kb max 30kb burst 20 probability 0.1 "+tt.options)
		l.ECN = 2
		drops := len(hold(l, tt.length, 2000))
		marks := l.Detail("marked").(uint64)
		l.Pass(time.Second)
		seen := uint64(0)
		for _, p := range l.Take() {
			if p.ECN == 3 {
				seen++
			}
		}
		if (drops > 0) != tt.drops || (marks > 0) != tt.marks || marks != seen {
			t.Errorf("%q with %d waiting: %d drops, %d marks of which %d were seen", tt.options, tt.length, drops, marks, seen)
		}
	}
	l := line(t, "limit 200kb min 10kb max 30kb burst 20 probability 0.1 ecn")
	if n := len(hold(l, 20, 2000)); n == 0 {
		t.Error("nothing is dropped of what cannot be marked")
	}
	l = line(t, "limit 200kb min 10kb max 30kb burst 20 probability 0.1 ecn nodrop")
	if n := len(hold(l, 20, 2000)); n != 0 {
		t.Errorf("with nodrop %d packets are dropped that cannot be marked", n)
	}
}

// Adaptive RED §3: a load that keeps the average above the middle raises the
// probability every half second, so that more is dropped.
func TestAdaptiveMovesTheProbability(t *testing.T) {
	drops := func(options string) (n uint64) {
		l := line(t, "limit 200kb min 10kb max 60kb burst 25 probability 0.01 "+options)
		for range 4000 {
			l.Send(1, 5, 1000)
			l.Pass(4 * ms)
			if l.Root().Len > 55 {
				l.Pass(20 * ms)
			}
		}
		return l.Root().Counts.Dropped
	}
	if fixed, adaptive := drops(""), drops("adaptive"); adaptive < 2*fixed {
		t.Errorf("%d drops with a fixed probability of 0.01, %d with an adaptive one", fixed, adaptive)
	}
}

func TestAChildQueuesInItsPlace(t *testing.T) {
	l := line(t, "limit 100kb min 10kb max 30kb burst 20")
	l.TC("qdisc add dev q0 parent 1: handle 10: pfifo limit 3")
	l.Send(1, 1, 1000)
	l.Send(1, 9, 1000)
	if n := l.Root(); n.Len != 3 || n.Counts.Dropped != 6 || l.Detail("pdrop") != uint64(6) {
		t.Errorf("%+v", n)
	}
}

func TestShowIsWhatTcPrints(t *testing.T) {
	l := line(t, "limit 400kb ecn adaptive")
	want := "qdisc red 1: root refcnt 2 limit 400Kb min 34133b max 100Kb ecn adaptive \n" +
		" Sent 0 bytes 0 pkt (dropped 0, overlimits 0 requeues 0) \n backlog 0b 0p requeues 0\n  marked 0 early 0 pdrop 0 other 0\n"
	if got := l.TC("-s qdisc show dev q0"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	for options, want := range map[string]string{
		"": "limit and avpkt are needed", "limit 10kb": "limit and avpkt", "limit 10kb avpkt 1000 min 5kb max 3kb": "not in rising order",
		"limit 100kb avpkt 1000 probability 2": "between 0 and 1", "limit 100kb avpkt 1000 harddrop": "need ecn", "limit 100kb avpkt 1000 colour": "is no option",
		"limit 100kb avpkt 1000 min 20kb max 60kb burst 3": "burst 3 is too small",
	} {
		_, err := tc.Run(l.Instance, strings.Fields("qdisc replace dev q0 root handle 2: red "+options))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("red %s: %v, want %q in it", options, err, want)
		}
	}
}

func TestPacketsPassWithoutAllocation(t *testing.T) {
	l := qdisctest.NewOn(coretest.New(t, host.NewVirtual(1), coretest.Release()), core.LinkRaw, red.Kind())
	l.Discard = true
	if n := qdisctest.Allocs(l, "red limit 1mb avpkt 1000 ecn"); n > 0 {
		t.Errorf("%v allocations for 64 packets", n)
	}
}
