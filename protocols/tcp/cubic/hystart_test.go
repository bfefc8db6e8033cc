package cubic

import (
	"testing"

	"github.com/libos-go/libos/core/congestion"
)

// slow acknowledges a full window in slow start with this round-trip time; more is
// sent as the window opens.
func (f *flow) slow(rttMillis float64) {
	n := f.cwnd / mss
	for range n {
		f.acked += mss
		f.sent = f.acked + uint64(f.cwnd)
		f.now += int64(rttMillis * 1e6 / float64(n))
		f.tell(congestion.Event{Kind: congestion.Ack, Acked: mss, InFlight: f.cwnd, LastRTT: int64(rttMillis * 1e6)})
	}
}

func TestSlowStartDoublesTheWindowWhileTheRTTStays(t *testing.T) {
	f := start(t, 100)
	for i := range 6 {
		before := f.cwnd
		f.slow(100)
		if f.cwnd != 2*before {
			t.Fatalf("round %d: window %d after %d", i, f.cwnd, before)
		}
	}
}

// RFC 9406 §4.2: L is 8 for a sender that does not pace.
func TestOneAcknowledgementAddsEightSegmentsAtMost(t *testing.T) {
	f := start(t, 100)
	f.tell(congestion.Event{Kind: congestion.Ack, Acked: 30 * mss, InFlight: f.cwnd})
	if f.cwnd != 18*mss {
		t.Errorf("window %d", f.cwnd)
	}
}

// RFC 9406 §4.2, §4.3: an RTT that grew by an eighth, 4 ms at least and 16 ms at
// most, starts conservative slow start.
func TestAGrowingRTTSlowsSlowStartDown(t *testing.T) {
	for _, c := range []struct {
		before, after float64
		css           bool
	}{
		{80, 89, false}, {80, 90, true}, // 1/8
		{8, 11.9, false}, {8, 12, true}, // 4 ms
		{400, 415, false}, {400, 416, true}, // 16 ms
	} {
		f := start(t, int64(c.before))
		f.slow(c.before)
		f.slow(c.after)
		if f.hystart.css != c.css {
			t.Errorf("from %v to %v ms: conservative %v", c.before, c.after, f.hystart.css)
		}
	}
}

func TestSevenSamplesAreTooFewToJudgeARound(t *testing.T) {
	f := start(t, 100)
	f.slow(100)
	for i := range 8 {
		f.acked += mss
		f.tell(congestion.Event{Kind: congestion.Ack, Acked: mss, InFlight: f.cwnd, LastRTT: 200e6})
		if want := i == 7; f.hystart.css != want {
			t.Fatalf("after %d samples: conservative %v", i+1, f.hystart.css)
		}
	}
}

// RFC 9406 §4.2: in conservative slow start the window grows a quarter as fast, and
// after five rounds slow start is over.
func TestConservativeSlowStartEndsInCongestionAvoidance(t *testing.T) {
	f := start(t, 100)
	f.slow(100)
	f.slow(150)
	for i := range 4 {
		if f.ssthresh != congestion.Infinite {
			t.Fatalf("slow start ended in round %d", i)
		}
		before := f.cwnd
		f.slow(150)
		if f.cwnd > before+before/4+mss || f.cwnd < before+before/4-mss {
			t.Fatalf("round %d: window %d after %d", i, f.cwnd, before)
		}
	}
	f.slow(150)
	if f.ssthresh == congestion.Infinite || f.cwnd < f.ssthresh || f.cwnd > f.ssthresh+mss {
		t.Errorf("window %d, threshold %d", f.cwnd, f.ssthresh)
	}
}

func TestSlowStartGoesOnWhenTheRTTFallsAgain(t *testing.T) {
	f := start(t, 100)
	f.slow(100)
	f.slow(150)
	f.slow(100)
	before := f.cwnd
	f.slow(100)
	if f.hystart.css || f.cwnd != 2*before {
		t.Errorf("conservative %v, window %d after %d", f.hystart.css, f.cwnd, before)
	}
}

// RFC 9406 §4.3: only the first slow start has no better limit.
func TestSlowStartAfterALossIsNotCutShort(t *testing.T) {
	f := start(t, 100).at(100)
	f.tell(congestion.Event{Kind: congestion.Timeout, InFlight: f.cwnd})
	for f.cwnd < 64*mss {
		f.slow(float64(100 + f.cwnd/mss*10))
	}
	if f.ssthresh != 70*mss {
		t.Errorf("threshold %d", f.ssthresh)
	}
}
