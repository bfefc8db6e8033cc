package tcp_test

import (
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire/wiretest"
)

// Segment sizes: the options of both sides, and what the path says.

// tooBig lets a router say that our segment at seq does not fit mtu.
func (p *peer) tooBig(seq, mtu int) {
	p.T.Helper()
	if p.local == addrA6 {
		p.icmp("packet too big", 0, seq, wiretest.MTU(mtu))
	} else {
		p.icmp("unreachable", 4, seq, wiretest.MTU(mtu))
	}
}

// RFC 1191 §6.5, RFC 8201 §5.4: what was too big is sent again in smaller
// segments, which is no sign of congestion. One report is enough.
func TestASegmentTooBigForThePathIsSentSmaller(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		mtu := 1280
		c := p.reno().after(100*milli, mss(1400))
		c.writes(text(4 * 1400))
		for i := range 4 {
			p.out(plain, seq(1+1400*i), length(1400))
		}
		p.tooBig(1, mtu)
		size, end := mtu-len40(p), 1+4*1400
		for at := 1; at < end; at += size {
			p.out(plain, seq(at), length(min(size, end-at)))
		}
		p.tooBig(1401, mtu)
		p.tooBig(2801, mtu)
		p.silent()
		p.in(plain, ack(end))
		c.writes(text(10 * size))
		for i := range 10 {
			p.out(plain, seq(end+size*i), length(size))
		}
		p.in(plain)
		p.counts("TcpExt.TCPTimeouts", 0)
	})
}

// RFC 5927 §4.1, §7.2: what is quoted must be in flight, or the path MTU stays.
func TestAReportOfASegmentNotInFlightIsIgnored(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		c := p.reno().after(100*milli, mss(1400))
		c.writes(text(1400))
		p.out(plain, length(1400))
		p.in(plain)
		c.writes(text(2 * 1400))
		p.out(plain, seq(1401), length(1400))
		p.out(plain, seq(2801), length(1400))
		p.tooBig(1, 1280)
		p.tooBig(4201, 1280)
		p.tooBig(100000, 1280)
		p.silent()
		p.in(plain)
		c.writes(text(1400))
		p.out(plain, seq(4201), length(1400))
		p.in(plain)
	})
}

func TestSegmentsAreNoLargerThanThePeerAllows(t *testing.T) {
	p := newReno(t)
	c := p.after(0, mss(300))
	c.writes(text(600))
	p.out(plain, length(300))
	p.out(plain, length(300))
	p.in(plain)
}

// RFC 9293 §3.7.1: without the option 536 over IPv4, 1220 over IPv6.
func TestWithoutTheOptionThePeerTakesTheDefault(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		size := 536
		if p.local == addrA6 {
			size = 1220
		}
		c := p.connect()
		p.out(syn)
		p.in(synack)
		p.out(plain)
		c.writes(text(2 * size))
		p.out(plain, length(size))
		p.out(plain, length(size))
		p.in(plain)
	})
}

// net.ipv4.tcp_min_snd_mss: a peer that asks for tiny segments does not get them.
func TestThePeerCannotAskForTinySegments(t *testing.T) {
	p := newReno(t)
	c := p.after(0, mss(8))
	c.writes(text(96))
	p.out(plain, length(48))
	p.out(plain, length(48))
	p.in(plain)
}

func TestTimestampsTakeRoomFromSegments(t *testing.T) {
	p := newReno(t)
	c := p.after(0, ts(1, 0))
	c.writes(text(2 * 988))
	p.out(plain, length(988))
	p.out(plain, length(988))
	p.in(plain, ts(2, 0))
}

// tcp(7), TCP_MAXSEG: announced, and a limit to our own segments.
func TestMaxSegLimitsBothDirections(t *testing.T) {
	p := newReno(t)
	s := p.socket()
	s.sets(core.SolTCP, tcpMaxSeg, 500)
	s.connects()
	p.out(syn, mss(500))
	p.in(synack, mss(full))
	p.out(plain)
	s.writes(text(1000))
	p.out(plain, length(500))
	p.out(plain, length(500))
	p.in(plain)
	s.sets(core.SolTCP, tcpMaxSeg, 200)
	s.writes(text(400))
	p.out(plain, length(200))
	p.out(plain, length(200))
	p.in(plain)
	if v, err := s.Int(core.SolTCP, tcpMaxSeg); v != 200 || err != nil {
		t.Errorf("TCP_MAXSEG is %d: %v", v, err)
	}
}

func TestMaxSegOfAListenerHoldsForItsConnections(t *testing.T) {
	p := newReno(t)
	l := p.socket()
	l.sets(core.SolTCP, tcpMaxSeg, 500)
	p.want(l.Bind(p.here(80)), nil)
	p.want(l.Listen(1), nil)
	p.in(syn, mss(full))
	p.out(synack, mss(500))
	p.in(plain)
	c := l.accept()
	c.writes(text(1000))
	p.out(plain, length(500))
	p.out(plain, length(500))
	p.in(plain)
}

func TestMaxSegOutOfRangeIsRefused(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	s := p.socket()
	for _, v := range []int{-1, 87, 32768} {
		p.want(s.SetInt(core.SolTCP, tcpMaxSeg, v), invalid)
	}
}
