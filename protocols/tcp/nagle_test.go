package tcp_test

import (
	"testing"
	"time"

	"github.com/libos-go/libos/core"
)

// Small segments: Nagle's rule in Minshall's form (RFC 9293 §3.7.4), and what
// changes it.

func TestASecondSmallSegmentWaitsForTheFirst(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * milli)
	c.writes("a")
	p.out(push, data("a"))
	c.writes("b")
	c.writes("c")
	p.quiet(10 * milli)
	p.in(plain)
	p.out(push, data("bc"))
	p.in(plain)
}

// Minshall: full segments outstanding do not hold a small one back.
func TestASmallSegmentBehindFullOnesGoesAtOnce(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * milli)
	c.writes(text(2*full + 1))
	p.outs(1, 2)
	p.out(push, seq(2001), length(1))
	c.writes("b")
	p.silent()
	p.in(plain, ack(2001))
	p.silent()
	p.in(plain, ack(2002))
	p.out(plain, data("b"))
	p.in(plain)
}

func TestDataThatFillASegmentDoNotWait(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * milli)
	c.writes("a")
	p.out(plain, data("a"))
	c.writes(text(999))
	p.silent()
	c.writes("b")
	p.out(plain, seq(2), length(full))
	p.in(plain)
}

func TestTheEndOfTheStreamDoesNotWait(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * milli)
	c.writes("a")
	p.out(plain, data("a"))
	c.writes("b")
	p.silent()
	c.shuts(core.ShutWrite)
	p.out(fin, seq(2), data("b"))
	p.in(plain)
}

func TestNoDelayLetsSmallSegmentsGo(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * milli)
	c.writes("a")
	p.out(plain, data("a"))
	c.writes("b")
	p.silent()
	c.sets(core.SolTCP, tcpNoDelay, 1) // and sends what waits
	p.Advance(0)
	p.out(plain, data("b"))
	c.writes("c")
	p.out(plain, data("c"))
	p.in(plain)
}

// tcp(7): a corked socket sends full segments only, until it is uncorked or 200 ms
// are over.
func TestACorkHoldsTheRestBack(t *testing.T) {
	p := newReno(t)
	c := p.after(0)
	c.sets(core.SolTCP, tcpCork, 1)
	c.sets(core.SolTCP, tcpNoDelay, 1) // the cork is stronger
	c.writes(text(full + 10))
	p.outs(1, 1)
	p.in(plain)
	p.quiet(100 * milli)
	c.writes("more")
	p.silent()
	c.sets(core.SolTCP, tcpCork, 0)
	p.Advance(0)
	p.out(push, seq(1001), length(14))
	p.in(plain)
}

// A writer whose buffer is full waits for what a cork would hold back.
func TestACorkHoldsNothingOfAFullBuffer(t *testing.T) {
	p := newReno(t)
	c := p.after(0)
	c.sets(core.SolSocket, core.SoSndBuf, 2304) // which is doubled
	c.sets(core.SolTCP, tcpCork, 1)
	c.writes(text(4 * full))
	p.outs(1, 4)
	c.writes(text(608))
	p.out(push, seq(4001), length(608))
	p.in(plain)
}

func TestACorkHoldsForTwoHundredMilliseconds(t *testing.T) {
	p := newReno(t)
	c := p.after(0)
	c.sets(core.SolTCP, tcpCork, 1)
	c.writes("a")
	p.quiet(200 * milli)
	p.wait(milli)
	p.out(push, data("a"))
	p.in(plain)
	p.counts("TcpExt.TCPTimeouts", 0)
}

func TestMoreHoldsOneSendBack(t *testing.T) {
	p := newReno(t)
	c := p.after(0)
	c.writesWith(core.MsgMore, "hel")
	c.writesWith(core.MsgMore, "lo ")
	p.quiet(100 * milli)
	c.writes("world")
	p.out(push, data("hello world"))
	p.in(plain)
}

// RFC 9293 §3.9.1.2: the end of what the user wrote is pushed.
func TestPushMarksTheEndOfWhatWasWritten(t *testing.T) {
	p := newReno(t)
	c := p.after(0)
	c.writes(text(2*full + 500))
	for i := range 2 {
		if s := p.out(plain, seq(1+i*full), length(full)); s.flags&8 != 0 {
			t.Errorf("segment %d is pushed", i)
		}
	}
	p.out(push, seq(2001), length(500))
	p.in(plain)
}

// RFC 6928: ten segments at the start.
func TestTheInitialWindowIsTenSegments(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * milli)
	c.writes(text(15 * full))
	p.outs(1, 10)
	p.silent()
	p.in(plain, ack(2001)) // slow start: two more than were acknowledged
	p.outs(10001, 4)
	p.in(plain)
	p.outs(14001, 1)
	p.in(plain)
}

// RFC 5681 §4.1, tcp_slow_start_after_idle.
func TestAnIdleConnectionStartsSlowlyAgain(t *testing.T) {
	for _, value := range []string{"1", "0"} {
		p := newReno(t)
		p.setting("tcp_slow_start_after_idle", value)
		c := p.after(100 * milli)
		c.writes(text(20 * full))
		p.outs(1, 10)
		for i := range 10 {
			p.in(plain, ack(1001+i*full))
		}
		p.outs(10001, 10)
		p.in(plain)
		p.wait(10 * time.Second)
		p.in(plain, data("what the peer sends does not matter"))
		p.wait(milli)
		p.drop()
		c.writes(text(20 * full))
		if n := p.drop(); value == "1" && n != 10 || value == "0" && n != 20 {
			t.Errorf("tcp_slow_start_after_idle=%s: %d segments", value, n)
		}
		p.in(plain)
		p.drop()
		p.in(plain)
	}
}

// RFC 9293 §3.7.2, RFC 7661: a window that was not used does not grow.
func TestAWindowThatIsNotUsedDoesNotGrow(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * milli)
	for range 50 {
		c.writes("x")
		p.out(plain, data("x"))
		p.in(plain)
	}
	c.writes(text(20 * full))
	p.outs(51, 10)
	p.silent()
	p.in(plain)
	p.drop()
	p.in(plain)
}

// Acknowledgements that arrive together count each.
func TestAcknowledgementsOfOneBatchAllOpenTheWindow(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * milli)
	c.writes(text(30 * full))
	p.outs(1, 10)
	p.wire.Inject(p.segment(plain, ack(2001)), p.segment(plain, ack(4001)), p.segment(plain, ack(6001)), p.segment(plain, ack(8001)), p.segment(plain, ack(10001)))
	p.Advance(0)
	p.outs(10001, 20)
	p.in(plain)
}
