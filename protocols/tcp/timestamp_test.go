package tcp_test

import (
	"testing"
	"time"
)

// Timestamps (RFC 7323).

func TestTimestampsAreNegotiatedByTheSYNs(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	l := p.listen(1)
	p.in(syn, mss(full), ts(7, 0))
	p.out(synack, ts(0, 7))
	p.in(plain, ts(8, 0))
	c := l.accept()
	p.wait(30 * milli)
	c.writes("x")
	p.out(plain, ts(30, 8), data("x"))
	p.in(plain, ts(9, 30))

	q := p.at(40001)
	q.in(syn, mss(full))
	q.out(synack, without("timestamps"))
	q.in(plain)
	c = l.accept()
	c.writes("x")
	q.out(plain, without("timestamps"), data("x"))
	q.in(plain)
}

func TestTheSettingTurnsTimestampsOff(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	p.setting("tcp_timestamps", "0")
	p.connect()
	p.out(syn, without("timestamps"))
	p.in(synack, mss(full), ts(1, 0))
	p.out(plain, without("timestamps"))
}

// tcp_timestamps: 1 adds an offset of the connection's own, 2 does not.
func TestTheSettingChoosesTheOffsetOfTimestamps(t *testing.T) {
	for value, secret := range map[string]bool{"1": true, "2": false} {
		p := newPeer(t, addrA, addrB)
		p.setting("tcp_timestamps", value)
		p.connect()
		s := p.out(syn)
		if uptime := s.opts.TSVal == 20000; uptime == secret {
			t.Errorf("tcp_timestamps=%s: the first is %d after 20 s", value, s.opts.TSVal)
		}
		p.in(rstack)
	}
}

// RFC 7323 §4.3: with a delayed acknowledgement the timestamp of the first segment
// that it covers is echoed.
func TestADelayedAckEchoesTheOldestTimestamp(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.after(0, ts(1, 0))
	c.sets(6, tcpQuickAck, 0)
	p.in(plain, ts(10, 0), length(500))
	p.in(plain, ts(11, 0), length(400))
	p.sends(40 * milli)
	p.out(plain, ack(901), ts(40, 10))
}

// RFC 7323 §4.3: a segment behind a hole is not echoed; the one that fills it is.
func TestTheTimestampOfASegmentBehindAHoleIsNotEchoed(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	p.after(0, ts(1, 0))
	p.in(plain, ts(20, 0), length(100))
	p.out(plain, ack(101), ts(0, 20))
	p.in(plain, ts(22, 0), seq(201), length(100))
	p.out(plain, ack(101), ts(0, 20))
	p.in(plain, ts(25, 0), seq(101), length(100))
	p.out(plain, ack(301), ts(0, 25))
}

// RFC 7323 §5.3: PAWS. An old duplicate is answered and counted, its data are not
// taken.
func TestASegmentWithAnOldTimestampIsAnswered(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.after(0, ts(1000, 0))
	p.in(plain, ts(1001, 0), data("new"))
	p.out(plain, ack(4))
	p.in(plain, ts(999, 0), data("old"))
	p.out(plain, ack(4), ts(0, 1001))
	p.counts("TcpExt.PAWSEstab", 1)
	c.reads("new")
	c.failsToRead(again)
}

func TestTimestampsWrapAround(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.after(0, ts(0xfffffff0, 0))
	p.in(plain, ts(5, 0), data("x"))
	p.out(plain, ts(0, 5))
	p.in(plain, ts(0xfffffff5, 0), data("y"))
	p.out(plain, ack(2), ts(0, 5))
	c.reads("x")
}

// RFC 7323 §5.5: after 24 days the last timestamp says nothing any more.
func TestAfterTwentyFourDaysAnyTimestampIsTaken(t *testing.T) {
	for _, days := range []int{23, 25, 45, 60, 80} {
		p := newPeer(t, addrA, addrB)
		c := p.after(0, ts(1000, 0))
		p.wait(time.Duration(days) * 24 * time.Hour)
		p.in(plain, ts(900, 0), data("x"))
		p.drop()
		if days < 24 {
			c.failsToRead(again)
			p.counts("TcpExt.PAWSEstab", 1)
		} else {
			c.reads("x")
			p.counts("TcpExt.PAWSEstab", 0)
		}
	}
}

// RFC 7323 §5.2: a reset needs no timestamp, and an old one is no obstacle.
func TestAResetIsExemptFromPAWS(t *testing.T) {
	for _, old := range []bool{true, false} {
		p := newPeer(t, addrA, addrB)
		c := p.after(0, ts(1000, 0))
		if old {
			p.in(rst, ts(1, 0))
		} else {
			p.in(rst)
		}
		c.state("CLOSED")
		c.pending(reset)
	}
}

// RFC 7323 §3.2: once negotiated, a segment without one is dropped in silence, and
// the connection lives on.
func TestASegmentWithoutTheTimestampIsDropped(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.after(0, ts(1000, 0))
	p.in(plain, data("x"))
	p.silent()
	c.failsToRead(again)
	p.in(plain, ts(1001, 0), seq(1), data("y"))
	p.out(plain, ack(2))
	c.reads("y")
}
