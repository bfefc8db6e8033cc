package reno

import (
	"testing"

	"github.com/libos-go/libos/core/congestion"
)

const mss = 1000

// flow feeds a Control with the events of one connection.
type flow struct {
	Control
	cwnd, ssthresh uint32
}

// at is a connection with a window and a threshold in bytes.
func at(cwnd, ssthresh uint32) *flow { return &flow{cwnd: cwnd, ssthresh: ssthresh} }

func (f *flow) tell(e congestion.Event) *flow {
	e.MSS, e.Cwnd, e.Ssthresh = mss, f.cwnd, f.ssthresh
	d := congestion.Decision{Cwnd: e.Cwnd, Ssthresh: e.Ssthresh}
	f.Event(&e, &d)
	f.cwnd, f.ssthresh = d.Cwnd, d.Ssthresh
	return f
}

func (f *flow) ack(n uint32) *flow {
	return f.tell(congestion.Event{Kind: congestion.Ack, Acked: n, InFlight: f.cwnd})
}

func (f *flow) want(t *testing.T, cwnd, ssthresh uint32) {
	t.Helper()
	if f.cwnd != cwnd || f.ssthresh != ssthresh {
		t.Errorf("window %d, threshold %d, want %d and %d", f.cwnd, f.ssthresh, cwnd, ssthresh)
	}
}

func TestAConnectionBeginsInSlowStart(t *testing.T) {
	at(0, 0).tell(congestion.Event{Kind: congestion.Init}).want(t, 10*mss, congestion.Infinite)
}

func TestSlowStartAddsWhatIsAcknowledged(t *testing.T) {
	at(4000, 100000).ack(1000).want(t, 5000, 100000)
	at(4000, 100000).ack(2000).want(t, 6000, 100000)
}

// RFC 5681 §3.1: slow start ends at the threshold, and what an acknowledgement is
// worth beyond it counts for congestion avoidance.
func TestSlowStartStopsAtTheThreshold(t *testing.T) {
	f := at(9500, 10000).ack(1000)
	f.want(t, 10000, 10000)
	f.ack(9499).want(t, 10000, 10000)
	f.ack(1).want(t, 11000, 10000)
}

// RFC 5681 §3.1, equation 3 by counting bytes: one segment for each full window.
func TestCongestionAvoidanceAddsOneSegmentARound(t *testing.T) {
	f := at(10000, 10000)
	for range 9 {
		f.ack(1000)
	}
	f.want(t, 10000, 10000)
	f.ack(1000).want(t, 11000, 10000)
	for range 10 {
		f.ack(1000)
	}
	f.want(t, 11000, 10000)
	f.ack(1000).want(t, 12000, 10000)
}

func TestAnAckSaysNothingWhenTheApplicationSentLittle(t *testing.T) {
	at(4000, 100000).tell(congestion.Event{Kind: congestion.Ack, Acked: 1000, AppLimited: true}).want(t, 4000, 100000)
}

// RFC 5681 equation 4.
func TestALossHalvesWhatIsInFlight(t *testing.T) {
	for _, kind := range []congestion.Kind{congestion.EnterRecovery, congestion.ECN} {
		at(20000, 100000).tell(congestion.Event{Kind: kind, InFlight: 20000}).want(t, 10000, 10000)
		at(20000, 100000).tell(congestion.Event{Kind: kind, InFlight: 12000}).want(t, 6000, 6000)
		at(20000, 100000).tell(congestion.Event{Kind: kind, InFlight: 24000}).want(t, 10000, 10000)
		at(3000, 100000).tell(congestion.Event{Kind: kind, InFlight: 3000}).want(t, 2*mss, 2*mss)
	}
}

func TestALossBeginsTheCountAnew(t *testing.T) {
	f := at(10000, 10000).ack(9000)
	f.tell(congestion.Event{Kind: congestion.EnterRecovery, InFlight: 10000})
	f.ack(4999).want(t, 5000, 5000)
}

func TestATimeoutLeavesOneSegment(t *testing.T) {
	at(20000, 100000).tell(congestion.Event{Kind: congestion.Timeout, InFlight: 20000}).want(t, mss, 10000)
}

// RFC 6582 §3.2, step 3, option 1.
func TestARecoveryEndsWithoutABurst(t *testing.T) {
	at(10000, 10000).tell(congestion.Event{Kind: congestion.ExitRecovery, InFlight: 3000}).want(t, 4000, 10000)
	at(10000, 10000).tell(congestion.Event{Kind: congestion.ExitRecovery, InFlight: 0}).want(t, 2000, 10000)
	at(10000, 8000).tell(congestion.Event{Kind: congestion.ExitRecovery, InFlight: 20000}).want(t, 8000, 8000)
}

func TestASpuriousReductionIsTakenBackOnce(t *testing.T) {
	f := at(20000, 100000).tell(congestion.Event{Kind: congestion.Timeout, InFlight: 20000})
	f.tell(congestion.Event{Kind: congestion.Undo}).want(t, 20000, 100000)
	at(20000, 100000).tell(congestion.Event{Kind: congestion.Undo}).want(t, 20000, 100000)
	f.cwnd = 5000
	f.tell(congestion.Event{Kind: congestion.Undo}).want(t, 5000, 100000)
}

// RFC 5681 §4.1.
func TestAnIdleRestartFallsBackToTheInitialWindow(t *testing.T) {
	at(50000, 40000).tell(congestion.Event{Kind: congestion.IdleRestart}).want(t, 10*mss, 40000)
	at(5000, 40000).tell(congestion.Event{Kind: congestion.IdleRestart}).want(t, 5000, 40000)
}
