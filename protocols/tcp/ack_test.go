package tcp_test

import (
	"testing"

	"github.com/libos-go/libos/core"
)

// When and how what arrived is acknowledged.

// late is a connection whose acknowledgements may wait: its quick start is over.
func late(t *testing.T, parts ...part) (*peer, *sock) {
	t.Helper()
	p := newPeer(t, addrA, addrB)
	c := p.after(0, parts...)
	c.sets(core.SolTCP, tcpQuickAck, 0)
	return p, c
}

func TestASmallSegmentIsAcknowledgedAfterFortyMilliseconds(t *testing.T) {
	p, _ := late(t)
	p.in(plain, data("x"))
	p.sends(40 * milli)
	p.out(plain, ack(2))
	p.counts("TcpExt.DelayedACKs", 1)
}

// Who answers at once is interactive: what comes next may wait for an answer to go
// with (net/ipv4/tcp_output.c, tcp_event_data_sent).
func TestAnAnswerEndsTheQuickStart(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.after(0)
	p.in(plain, data("x"))
	p.out(plain, ack(2))
	c.writes("y")
	p.out(plain, ack(2), data("y"))
	p.in(plain, ack(2), data("z"))
	p.sends(40 * milli)
	p.out(plain, ack(3))
}

func TestTheDelayCountsFromTheFirstSegment(t *testing.T) {
	p, _ := late(t)
	p.in(plain, data("x"))
	p.quiet(30 * milli)
	p.in(plain, data("y"))
	p.sends(10 * milli)
	p.out(plain, ack(3))
}

// RFC 5681 §4.2, RFC 1122 §4.2.3.2.
func TestEverySecondFullSegmentIsAcknowledgedAtOnce(t *testing.T) {
	p, _ := late(t)
	p.in(plain, length(full))
	p.sends(40 * milli)
	p.out(plain, ack(1001)) // shows the size of full segments
	p.in(plain, length(full))
	p.silent()
	p.in(plain, length(full))
	p.out(plain, ack(3001))
	p.in(plain, length(full))
	p.in(plain, length(full))
	p.out(plain, ack(5001))
}

func TestDataCarryTheAcknowledgement(t *testing.T) {
	p, c := late(t)
	p.in(plain, data("x"))
	p.quiet(10 * milli)
	c.writes("y")
	p.out(plain, ack(2), data("y"))
	p.in(plain)
	p.quiet(100 * milli)
}

func TestTheFirstSegmentsAreAcknowledgedAtOnce(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	p.after(0)
	for i := range 7 { // the handshake's took one of eight
		p.in(plain, data("x"))
		p.out(plain, ack(2+i))
	}
	p.in(plain, data("x"))
	p.sends(40 * milli)
	p.out(plain)
}

func TestQuickAckSendsWhatWaits(t *testing.T) {
	p, c := late(t)
	p.in(plain, data("x"))
	p.silent()
	c.sets(core.SolTCP, tcpQuickAck, 1)
	p.Advance(0)
	p.out(plain, ack(2))
	p.in(plain, data("x"))
	p.out(plain, ack(3))
	if v, err := c.Int(core.SolTCP, tcpQuickAck); v != 1 || err != nil {
		t.Errorf("TCP_QUICKACK is %d: %v", v, err)
	}
}

// RFC 5681 §4.2: what is out of order, and what fills a gap, is answered at once.
func TestAGapIsReportedAtOnceAndSoIsItsEnd(t *testing.T) {
	p, c := late(t)
	p.in(plain, seq(11), length(10))
	p.out(plain, ack(1), without("sack"))
	p.in(plain, seq(21), length(10))
	p.out(plain, ack(1))
	p.in(plain, seq(1), length(5))
	p.out(plain, ack(6))
	p.in(plain, seq(6), length(5))
	p.out(plain, ack(31))
	c.reads(string(make31()))
	p.counts("TcpExt.TCPOFOQueue", 2)
}

// make31 is what payloads of lengths 5, 5, 10 and 10 say.
func make31() []byte {
	var b []byte
	for _, n := range []int{5, 5, 10, 10} {
		for i := range n {
			b = append(b, byte(i))
		}
	}
	return b
}

func TestADuplicateSegmentIsAnsweredAndDropped(t *testing.T) {
	p, c := late(t)
	p.in(plain, data("hello"))
	p.in(plain, seq(1), data("HELLO"))
	p.out(plain, ack(6))
	c.reads("hello")
	c.failsToRead(again)
}

func TestOverlappingSegmentsAreDeliveredOnce(t *testing.T) {
	p, c := late(t)
	p.in(plain, seq(5), data("efgh"))
	p.in(plain, seq(3), data("cdefghij"))
	p.in(plain, seq(1), data("abcd"))
	p.in(plain, seq(8), data("hijkl"))
	p.drop()
	c.reads("abcdefghijkl")
}

func TestAFINAheadOfItsDataWaits(t *testing.T) {
	p, c := late(t)
	p.in(fin, seq(4), data("def"))
	p.out(plain, ack(1))
	c.failsToRead(again)
	p.in(plain, seq(1), data("abc"))
	p.out(plain, ack(8))
	c.reads("abcdef")
	c.failsToRead(nil)
}

// RFC 1122 §4.2.2.7.
func TestASegmentWithAWrongChecksumIsCountedAndDropped(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		c := p.after(0)
		p.in(plain, data("x"), badSum())
		p.silent()
		c.failsToRead(again)
		p.counts("Tcp.InCsumErrors", 1)
		p.counts("Tcp.InErrs", 1)
		p.in(plain, seq(1), data("y"))
		p.out(plain, ack(2))
		c.reads("y")
	})
}

// RFC 2018 §4: the block that changed last comes first, and blocks are repeated
// behind it: four, or three beside timestamps.
func TestTheNewestBlockIsReportedFirst(t *testing.T) {
	p, _ := late(t, sackOK())
	p.in(plain, seq(101), length(10))
	p.out(plain, ack(1), sack(101, 111))
	p.in(plain, seq(301), length(10))
	p.out(plain, sack(301, 311, 101, 111))
	p.in(plain, seq(201), length(10))
	p.out(plain, sack(201, 211, 301, 311, 101, 111))
	p.in(plain, seq(401), length(10))
	p.out(plain, sack(401, 411, 201, 211, 301, 311, 101, 111))
	p.in(plain, seq(501), length(10))
	p.out(plain, sack(501, 511, 401, 411, 201, 211, 301, 311))
	p.in(plain, seq(311), length(10))
	p.out(plain, sack(301, 321, 501, 511, 401, 411, 201, 211))
	p.in(plain, seq(211), length(90)) // joins two
	p.out(plain, sack(201, 321, 501, 511, 401, 411))
}

func TestBesideTimestampsThreeBlocksFit(t *testing.T) {
	p, _ := late(t, sackOK(), ts(1, 0))
	for i := range 4 {
		p.in(plain, ts(2+i, 0), seq(101+i*100), length(10))
	}
	for range 3 {
		p.read()
	}
	p.out(plain, ack(1), sack(401, 411, 301, 311, 201, 211), ts(0, 1))
}

func TestBlocksVanishAsGapsAreFilled(t *testing.T) {
	p, _ := late(t, sackOK())
	p.in(plain, seq(101), length(10))
	p.out(plain, sack(101, 111))
	p.in(plain, seq(201), length(10))
	p.out(plain, sack(201, 211, 101, 111))
	p.in(plain, seq(1), length(100))
	p.out(plain, ack(111), sack(201, 211))
	p.in(plain, seq(111), length(90))
	p.out(plain, ack(211), without("sack"))
}

// RFC 2883 §4: what arrived twice is the first block, once.
func TestADuplicateIsReportedByDSACK(t *testing.T) {
	p, _ := late(t, sackOK())
	p.in(plain, length(10))
	p.in(plain, length(10))
	p.in(plain, seq(6), length(10))
	p.out(plain, ack(21), sack(6, 16))
	p.counts("TcpExt.TCPDSACKOldSent", 1)
	p.in(plain, seq(31), length(10))
	p.out(plain, ack(21), sack(31, 41))
	p.in(plain, seq(33), length(5)) // RFC 2883 §4.1.2: with the block around it behind
	p.out(plain, ack(21), sack(33, 38, 31, 41))
	p.counts("TcpExt.TCPDSACKOfoSent", 1)
	p.in(plain, seq(1), length(30)) // old and new
	p.out(plain, ack(41), sack(1, 21))
}

func TestTheSettingTurnsDSACKOff(t *testing.T) {
	p, _ := late(t, sackOK())
	p.setting("tcp_dsack", "0")
	p.in(plain, length(10))
	p.in(plain, seq(1), length(10))
	p.out(plain, ack(11), without("sack"))
}

// Blocks take room from the data that go with them: the segment stays as large.
func TestDataWithSACKBlocksFitTheSegment(t *testing.T) {
	p, c := late(t, sackOK())
	p.in(plain, seq(101), length(10))
	p.out(plain, sack(101, 111))
	c.writes(text(2 * full))
	p.out(plain, sack(101, 111), length(full-12))
	p.out(plain, seq(1+full-12), sack(101, 111), length(full-12))
	p.out(plain, sack(101, 111), length(24))
	p.in(plain, seq(1), length(100)) // no blocks, no need
	p.out(plain, ack(111))
	c.writes(text(full))
	p.out(plain, without("sack"), length(full))
	p.in(plain, seq(111))
}

// What is held out of order is bounded by SO_RCVBUF: the farthest goes first, and
// what comes first is kept.
func TestOutOfOrderDataAreBoundedByTheBuffer(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.after(0, sackOK())
	c.sets(core.SolSocket, core.SoRcvBuf, 8192) // doubled, as Linux does
	for i := 60; i > 0; i-- {
		p.in(plain, seq(1+i*500), length(400))
		p.drop()
	}
	if n := p.Counter(p.host, "TcpExt", "OfoPruned"); n == 0 {
		t.Error("nothing was pruned")
	}
	p.in(plain, seq(30001), length(100))
	p.drop()
	if n := p.Counter(p.host, "TcpExt", "TCPOFODrop"); n == 0 {
		t.Error("what came last and lies farthest was not dropped")
	}
	p.in(plain, seq(1), length(500))
	s := p.out(plain)
	if s.ack != 901 {
		t.Errorf("acknowledged %d: the nearest run was dropped", s.ack)
	}
	p.drop()
}
