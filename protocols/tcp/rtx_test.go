package tcp_test

import (
	"testing"
	"time"
)

// The retransmission timer (RFC 6298).

const milli = time.Millisecond

// RFC 6298 §5.5, with Linux's floor and ceiling: 200 ms and 2 minutes.
func TestTheRetransmissionTimerDoubles(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * milli)
	c.writes(text(3 * full))
	p.outs(1, 3)
	for d := 300 * milli; d < 120*time.Second; d *= 2 {
		p.sends(d)
		p.outs(1, 1)
	}
	p.sends(120 * time.Second)
	p.outs(1, 1)
	p.counts("TcpExt.TCPTimeouts", 10)
	p.counts("Tcp.RetransSegs", 10)
}

func TestTheTimerIsAtLeastTwoHundredMilliseconds(t *testing.T) {
	p := newReno(t)
	c := p.after(0)
	c.writes("x")
	p.out(plain, data("x"))
	p.quiet(200 * milli)
	p.wait(milli)
	p.out(plain, seq(1), data("x"))
}

// RFC 6298 §5.3: an acknowledgement of new data starts the timer anew.
func TestNewDataAcknowledgedRestartTheTimer(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * milli)
	c.writes(text(3 * full))
	p.outs(1, 3)
	p.wait(100 * milli)
	p.in(plain, ack(1001)) // a sample of 100 ms: RTTVAR 37.5 ms, 100+200
	p.sends(300 * milli)
	p.outs(1001, 1)
}

// RFC 6298 §5.2.
func TestNothingOutstandingStopsTheTimer(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * milli)
	c.writes("x")
	p.out(plain, data("x"))
	p.in(plain)
	p.quiet(time.Hour)
}

// A duplicate is no reason to wait longer.
func TestADuplicateAckDoesNotRestartTheTimer(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * milli)
	c.writes(text(3 * full))
	p.outs(1, 3)
	p.wait(200 * milli)
	p.in(plain, ack(1))
	p.sends(100 * milli)
	p.outs(1, 1)
}

// Karn: what was sent twice gives no sample, but its acknowledgement ends the
// backoff as Linux does.
func TestASegmentSentTwiceIsNotMeasured(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * milli)
	c.writes("x")
	p.out(plain, data("x"))
	p.sends(300 * milli)
	p.out(plain, seq(1), data("x"))
	p.wait(5 * milli)
	p.in(plain)
	c.writes("y")
	p.out(plain, seq(2), data("y"))
	p.sends(300 * milli)
	p.out(plain, seq(2), data("y"))
}

// Nor does what was sent while an older segment was missing.
func TestDataBehindALossAreNotMeasured(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * milli)
	c.writes(text(10 * full))
	p.outs(1, 10)
	for range 3 {
		p.in(plain, ack(1))
	}
	p.outs(1, 1)
	c.writes(text(1 * full))
	for range 9 {
		p.in(plain, ack(1))
	}
	p.outs(10001, 1)
	p.wait(290 * milli)
	p.in(plain, ack(11001)) // measured, it would give 123 ms and a timer above 400 ms
	c.writes("x")
	p.out(plain, seq(11001), data("x"))
	p.sends(300 * milli)
	p.out(plain, seq(11001), data("x"))
}

// RFC 7323 §4.1: with timestamps what was sent twice can be measured.
func TestTimestampsMeasureWhatWasSentTwice(t *testing.T) {
	p := newReno(t)
	c := p.after(100*milli, ts(1, 0))
	c.writes("x")
	p.out(plain, data("x"), ts(100, 1))
	p.sends(300 * milli)
	p.out(plain, seq(1), data("x"), ts(400, 1))
	p.wait(500 * milli)
	p.in(plain, ts(2, 400))
	c.writes("y")
	p.out(plain, seq(2), data("y"))
	p.sends(150*milli + 4*137500*time.Microsecond) // SRTT 7/8*100+500/8, RTTVAR 3/4*50+400/4
	p.out(plain, seq(2), data("y"))
}

// RFC 5681 §3.1: after a timeout one segment goes, then slow start resumes from the
// oldest byte that is missing.
func TestAfterATimeoutSlowStartFillsWhatIsMissing(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * milli)
	c.writes(text(10 * full))
	p.outs(1, 10)
	p.sends(300 * milli)
	p.outs(1, 1)
	p.in(plain, ack(1001))
	p.outs(1001, 2)
	p.in(plain, ack(2001))
	p.outs(3001, 2)
	p.in(plain, ack(10001)) // the rest was there
	c.writes(text(10 * full))
	p.outs(10001, 6) // slow start ended at half of ten segments, and one came by
	p.silent()
	p.counts("Tcp.RetransSegs", 5)
}

// RFC 5681 §3.1: further timeouts for the same data leave the threshold.
func TestTheThresholdIsLoweredOnceForTheSameData(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * milli)
	c.writes(text(10 * full))
	p.outs(1, 10)
	p.sends(300 * milli)
	p.outs(1, 1)
	p.sends(600 * milli)
	p.outs(1, 1)
	for i := range 3 {
		p.in(plain, ack(1001+i*full))
		p.outs(1001+2*i*full, 2)
	}
	p.in(plain, ack(5001)) // the window is 5 segments now, and would be 2 and a bit
	p.outs(7001, 3)
	p.in(plain, ack(10001))
}

// RFC 6298 §5.7.
func TestALostSYNMakesTheFirstTimerThreeSeconds(t *testing.T) {
	p := newReno(t)
	c := p.connect()
	p.out(syn)
	p.sends(time.Second)
	p.out(syn)
	p.in(synack, mss(full))
	p.out(plain)
	c.writes("x")
	p.out(plain, data("x"))
	p.sends(3 * time.Second)
	p.out(plain, seq(1), data("x"))
}

func TestALostFINIsSentAgainByTheTimer(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * milli)
	c.writes("x")
	p.out(plain, data("x"))
	c.shuts(1)
	p.out(fin, seq(2))
	p.in(plain, ack(2))
	p.wait(time.Second)
	p.out(fin, seq(2), ack(1))
	p.drop()
	p.in(plain, ack(3))
	c.state("FIN-WAIT-2")
}

func TestDataAndFINAreSentAgainTogether(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * milli)
	c.writes("x")
	p.out(plain, data("x"))
	c.shuts(1)
	p.out(fin, seq(2))
	p.sends(300 * milli)
	p.out(fin, seq(1), data("x"))
	p.in(plain, ack(3))
}

func TestMeasuringGoesOnAfterATimeout(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * milli)
	c.writes("x")
	p.out(plain, data("x"))
	p.sends(300 * milli)
	p.out(plain, seq(1), data("x"))
	p.in(plain)
	c.writes("y")
	p.out(plain, data("y"))
	p.wait(280 * milli) // RTTVAR (3*50+180)/4, SRTT (7*100+280)/8
	p.in(plain)
	c.writes("z")
	p.out(plain, data("z"))
	p.quiet(452 * milli)
	p.wait(milli)
	p.out(plain, seq(3), data("z"))
	p.in(plain)
}
