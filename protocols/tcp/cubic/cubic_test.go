package cubic

import (
	"math"
	"testing"

	"github.com/libos-go/libos/core/congestion"
)

const mss = 1000

// flow feeds a Control with the events of one connection.
type flow struct {
	Control
	t        *testing.T
	now      int64 // nanoseconds
	rtt      int64
	cwnd     uint32
	ssthresh uint32
	sent     uint64
	acked    uint64
}

func start(t *testing.T, rttMillis int64) *flow {
	f := &flow{t: t, now: 1e9, rtt: rttMillis * 1e6}
	f.tell(congestion.Event{Kind: congestion.Init})
	return f
}

func (f *flow) tell(e congestion.Event) {
	e.Now, e.MSS, e.Cwnd, e.Ssthresh, e.SRTT, e.MinRTT = f.now, mss, f.cwnd, f.ssthresh, f.rtt, f.rtt
	e.Sent, e.Delivered = f.sent, f.acked
	d := congestion.Decision{Cwnd: e.Cwnd, Ssthresh: e.Ssthresh}
	f.Event(&e, &d)
	f.cwnd, f.ssthresh = d.Cwnd, d.Ssthresh
}

// ack acknowledges one segment.
func (f *flow) ack() {
	f.acked += mss
	f.tell(congestion.Event{Kind: congestion.Ack, Acked: mss, InFlight: f.cwnd})
}

// round lets one round-trip time pass in which a full window is acknowledged.
func (f *flow) round() {
	n := int64(f.cwnd / mss)
	begin := f.now
	f.sent = f.acked + uint64(f.cwnd)
	for i := range n {
		f.now = begin + f.rtt*(i+1)/n
		f.ack()
	}
}

func (f *flow) lose() {
	f.tell(congestion.Event{Kind: congestion.EnterRecovery, InFlight: f.cwnd, Lost: mss})
}

// at is congestion avoidance with a window of n segments.
func (f *flow) at(n uint32) *flow { f.cwnd, f.ssthresh = n*mss, n*mss; return f }

func (f *flow) segments() float64 { return float64(f.cwnd) / mss }

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if math.Abs(got-want) > within {
		t.Errorf("%s: %.3f, want %.3f ± %.3f", what, got, want, within)
	}
}

func TestAConnectionBeginsWithTheInitialWindow(t *testing.T) {
	f := start(t, 100)
	if f.cwnd != 10*mss || f.ssthresh != congestion.Infinite {
		t.Errorf("window %d, threshold %d", f.cwnd, f.ssthresh)
	}
}

// RFC 9438 §4.6: beta is 0.7.
func TestALossLeavesSevenTenthsOfTheWindow(t *testing.T) {
	f := start(t, 100).at(100)
	f.lose()
	if f.cwnd != 70*mss || f.ssthresh != 70*mss {
		t.Errorf("window %d, threshold %d", f.cwnd, f.ssthresh)
	}
}

func TestAReductionCountsWhatIsInFlight(t *testing.T) {
	f := start(t, 100).at(100)
	f.tell(congestion.Event{Kind: congestion.EnterRecovery, InFlight: 50 * mss})
	if f.cwnd != 35*mss {
		t.Errorf("window %d", f.cwnd)
	}
}

func TestTheThresholdIsTwoSegmentsAtLeast(t *testing.T) {
	for _, kind := range []congestion.Kind{congestion.EnterRecovery, congestion.Timeout, congestion.ECN} {
		f := start(t, 100).at(2)
		f.tell(congestion.Event{Kind: kind, InFlight: f.cwnd})
		if f.ssthresh != 2*mss {
			t.Errorf("%v: threshold %d", kind, f.ssthresh)
		}
	}
}

func TestATimeoutLeavesOneSegment(t *testing.T) {
	f := start(t, 100).at(100)
	f.tell(congestion.Event{Kind: congestion.Timeout, InFlight: f.cwnd})
	if f.cwnd != mss || f.ssthresh != 70*mss {
		t.Errorf("window %d, threshold %d", f.cwnd, f.ssthresh)
	}
}

// The curve of RFC 9438 equation 1 for a loss at 400 segments: concave up to W_max
// at K, then convex. The RTT is long, so that Reno's window is below the curve.
func TestTheWindowFollowsTheCubicCurve(t *testing.T) {
	f := start(t, 400).at(400)
	f.lose()
	k := math.Cbrt(400 * (1 - 0.7) / 0.4)
	begin := float64(f.now)
	var last, slope float64
	for f.now < int64(begin)+int64(2*k*1e9) {
		f.round()
		// A window reaches W(t+RTT) one round after t.
		age := (float64(f.now) - begin) / 1e9
		want := 0.4*math.Pow(age-k, 3) + 400
		near(t, "window", f.segments(), want, 0.02*want)
		grown := f.segments() - last
		if last != 0 && slope != 0 {
			if age < k-1 && grown > slope+1 {
				t.Errorf("at %.1f s of K=%.1f s the curve is convex: %.2f after %.2f", age, k, grown, slope)
			}
			if age > k+1 && grown < slope-1 {
				t.Errorf("at %.1f s of K=%.1f s the curve is concave: %.2f after %.2f", age, k, grown, slope)
			}
		}
		if last != 0 {
			slope = grown
		}
		last = f.segments()
	}
}

// RFC 9438 §4.3: on a short path Reno's window is the larger one: it grows by
// alpha = 3(1-beta)/(1+beta) segments in a round-trip time until it is where the
// loss was, by one from then on.
func TestOnAShortPathTheWindowGrowsAsRenosWould(t *testing.T) {
	f := start(t, 5).at(20)
	f.lose()
	model := 14.0
	for i := range 20 {
		f.round()
		if model += 3 * 0.3 / 1.7; model > 20 {
			model = 20 + (model-20)*1.7/0.9
			break
		}
		near(t, "window", f.segments(), model, 0.5)
		if t.Failed() {
			t.Fatalf("in round %d", i)
		}
	}
	before := f.segments()
	for range 10 {
		f.round()
	}
	near(t, "growth beyond the old window in ten rounds", f.segments()-before, 10, 0.6)
}

// RFC 9438 §4.7: a flow that loses before it reached its old window leaves room to
// newer ones.
func TestFastConvergenceLowersThePlateau(t *testing.T) {
	f := start(t, 400).at(400)
	f.lose() // W_max 400, window 280
	f.lose() // below W_max: 280 * (1+0.7)/2 = 238
	near(t, "W_max", f.wMax, 238, 1e-9)
	f.at(300).lose()
	near(t, "W_max of a window above it", f.wMax, 300, 1e-9)
}

// RFC 9438 §4.8: after a timeout K is 0 and W_max the window at which congestion
// avoidance begins: the window grows slowly from there, it does not race back.
func TestAfterATimeoutTheCurveStartsFlat(t *testing.T) {
	f := start(t, 400).at(400)
	f.tell(congestion.Event{Kind: congestion.Timeout, InFlight: f.cwnd})
	for f.cwnd < f.ssthresh {
		f.round()
	}
	base, begin := f.segments(), f.now
	for f.now < begin+5e9 {
		f.round()
		age := float64(f.now-begin) / 1e9
		if reno := base + 0.53*age/0.4 + 1.5; f.segments() > max(base+0.4*math.Pow(age+0.4, 3)+2, reno) {
			t.Fatalf("%.1f segments %.1f s after %.1f", f.segments(), age, base)
		}
	}
	near(t, "K", f.k, 0, 0)
}

func TestTheWindowGrowsByHalfInARoundAtMost(t *testing.T) {
	f := start(t, 1000).at(10)
	for range 30 {
		before := f.segments()
		f.round()
		if f.segments() > 1.5*before+1 {
			t.Fatalf("from %.1f to %.1f segments", before, f.segments())
		}
	}
	if f.segments() < 1000 {
		t.Errorf("only %.0f segments", f.segments())
	}
}

// RFC 9438 §4.2: time in which the application sends too little is no reason to
// grow, neither then nor afterwards.
func TestAnApplicationThatSendsLittleDoesNotMakeTheWindowGrow(t *testing.T) {
	busy, lazy := start(t, 400).at(400), start(t, 400).at(400)
	busy.lose()
	lazy.lose()
	busy.round()
	lazy.round()
	before := lazy.cwnd
	for range 1000 {
		lazy.now += 400e6
		lazy.tell(congestion.Event{Kind: congestion.Ack, Acked: mss, InFlight: mss, AppLimited: true})
	}
	if lazy.cwnd != before {
		t.Errorf("window %d after %d", lazy.cwnd, before)
	}
	busy.round()
	lazy.round()
	near(t, "window after the pause", lazy.segments(), busy.segments(), 1)
}

func TestASilentTimeDoesNotAgeTheCurve(t *testing.T) {
	busy, idle := start(t, 100).at(400), start(t, 100).at(400)
	busy.lose()
	idle.lose()
	busy.round()
	idle.round()
	idle.now += 3600e9
	busy.round()
	idle.round()
	near(t, "window after an hour", idle.segments(), busy.segments(), 6)
}

func TestAnIdleRestartFallsBackToTheInitialWindow(t *testing.T) {
	f := start(t, 100).at(400)
	f.tell(congestion.Event{Kind: congestion.IdleRestart})
	if f.cwnd != 10*mss || f.ssthresh != 400*mss {
		t.Errorf("window %d, threshold %d", f.cwnd, f.ssthresh)
	}
	f.at(4).tell(congestion.Event{Kind: congestion.IdleRestart})
	if f.cwnd != 4*mss {
		t.Errorf("a small window became %d", f.cwnd)
	}
}

// RFC 9438 §4.9: a reduction that was for nothing is taken back.
func TestASpuriousReductionIsTakenBack(t *testing.T) {
	for _, kind := range []congestion.Kind{congestion.EnterRecovery, congestion.Timeout} {
		f := start(t, 100).at(100)
		f.lose()
		f.at(90)
		plateau := f.wMax
		f.tell(congestion.Event{Kind: kind, InFlight: f.cwnd})
		f.tell(congestion.Event{Kind: congestion.Undo})
		if f.cwnd != 90*mss || f.ssthresh != 90*mss || f.wMax != plateau {
			t.Errorf("%v: window %d, threshold %d, plateau %.0f", kind, f.cwnd, f.ssthresh, f.wMax)
		}
		f.at(50)
		f.tell(congestion.Event{Kind: congestion.Undo})
		if f.cwnd != 50*mss {
			t.Errorf("%v: taken back twice, window %d", kind, f.cwnd)
		}
	}
}

func TestARecoveryThatEndsWithLittleInFlightSendsNoBurst(t *testing.T) {
	f := start(t, 100).at(100)
	f.tell(congestion.Event{Kind: congestion.ExitRecovery, InFlight: 3 * mss})
	if f.cwnd != 4*mss {
		t.Errorf("window %d", f.cwnd)
	}
	f.at(10)
	f.tell(congestion.Event{Kind: congestion.ExitRecovery, InFlight: 30 * mss})
	if f.cwnd != 10*mss {
		t.Errorf("window %d above the threshold", f.cwnd)
	}
}
