package tcp_test

import (
	"testing"
	"time"
)

// Loss found by duplicate acknowledgements and SACK.

// RFC 5681 §3.2.
func TestTheThirdDuplicateAckSendsTheOldestSegmentAgain(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * time.Millisecond)
	c.writes(text(5 * full))
	p.outs(1, 5)
	p.in(plain, ack(1))
	p.in(plain, ack(1))
	p.silent()
	p.in(plain, ack(1))
	p.outs(1, 1)
	p.counts("TcpExt.TCPFastRetrans", 1)
	p.counts("TcpExt.TCPRenoRecovery", 1)
	p.counts("Tcp.RetransSegs", 1)
	p.in(plain, ack(5001))
	p.counts("TcpExt.TCPTimeouts", 0)
}

func TestAnAckWithDataOrAnotherWindowIsNoDuplicate(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * time.Millisecond)
	c.writes(text(5 * full))
	p.outs(1, 5)
	for i := range 4 {
		p.in(plain, ack(1), win(60000-i))
	}
	p.silent()
	for range 4 {
		p.in(plain, ack(1), win(60000-3), data("x"))
	}
	for b, _, ok := p.read(); ok; b, _, ok = p.read() {
		if b.data != "" {
			t.Errorf("%d bytes from %d", len(b.data), b.seq)
		}
	}
	p.counts("TcpExt.TCPFastRetrans", 0)
}

// RFC 3042: the first two duplicates let new segments go.
func TestLimitedTransmitSendsNewDataOnTheFirstTwoDuplicates(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * time.Millisecond)
	c.writes(text(20 * full))
	p.outs(1, 10)
	p.in(plain, ack(1))
	p.outs(10001, 1)
	p.in(plain, ack(1))
	p.outs(11001, 1)
	p.in(plain, ack(1))
	p.outs(1, 1)
}

// RFC 6582 §3.2, steps 2 to 4: the window is half of what was in flight, each
// further duplicate tells of a segment that left.
func TestInFastRecoveryDuplicatesMakeRoomForNewData(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * time.Millisecond)
	c.writes(text(20 * full))
	p.outs(1, 10)
	for range 3 {
		p.in(plain, ack(1))
	}
	p.outs(10001, 2)
	p.outs(1, 1)
	for range 4 { // 12 segments less 7 are as many as the window of 5
		p.in(plain, ack(1))
		p.silent()
	}
	p.in(plain, ack(1))
	p.outs(12001, 1)
	p.in(plain, ack(1))
	p.outs(13001, 1)
}

// RFC 6582 §3.2, step 3: a partial acknowledgement shows the next loss, and sends
// it again at once, nothing else.
func TestAPartialAckSendsTheNextHole(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * time.Millisecond)
	c.writes(text(10 * full))
	p.outs(1, 10)
	for range 7 {
		p.in(plain, ack(1))
	}
	p.outs(1, 1)
	p.in(plain, ack(3001))
	p.outs(3001, 1)
	p.in(plain, ack(7001))
	p.outs(7001, 1)
	p.in(plain, ack(10001))
	p.counts("TcpExt.TCPFastRetrans", 1)
	p.counts("Tcp.RetransSegs", 3)
	c.writes(text(7 * full)) // the window is 2 segments: little was in flight when recovery ended
	p.outs(10001, 2)
}

// RFC 6582 §3.2, step 3: a partial acknowledgement takes what it covers out of the
// inflated window, but for one segment.
func TestAPartialAckDeflatesTheWindow(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * time.Millisecond)
	c.writes(text(25 * full))
	p.outs(1, 10)
	for range 10 {
		p.in(plain, ack(1))
	}
	p.outs(10001, 2)
	p.outs(1, 1)
	p.outs(12001, 3)
	p.in(plain, ack(4001)) // 11 in flight, of which 10 less 3 have left
	p.outs(4001, 1)
	p.outs(15001, 1)
	p.silent()
}

// RFC 6582 §3.2, step 1: duplicates that end where recovery did may be answers to
// our own retransmissions.
func TestDuplicatesAfterARecoveryDoNotStartAnother(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * time.Millisecond)
	c.writes(text(10 * full))
	p.outs(1, 10)
	for range 9 {
		p.in(plain, ack(1))
	}
	p.outs(1, 1)
	p.in(plain, ack(10001))
	c.writes(text(4 * full))
	p.outs(10001, 2)
	for range 3 {
		p.in(plain, ack(10001))
	}
	p.outs(12001, 2)
	p.counts("TcpExt.TCPFastRetrans", 1)
	p.in(plain, ack(11001)) // beyond it they count again
	for range 3 {
		p.in(plain, ack(11001))
	}
	p.outs(11001, 1)
	p.counts("TcpExt.TCPFastRetrans", 2)
}

func TestALostFINIsSentAgainByFastRecovery(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * time.Millisecond)
	c.writes(text(4 * full))
	p.outs(1, 4)
	c.shuts(1)
	p.out(fin, seq(4001))
	for range 3 {
		p.in(plain, ack(1))
	}
	p.outs(1, 1)
	p.in(plain, ack(3001)) // the last segment and the FIN are missing
	p.out(fin, seq(3001), length(full))
	p.in(plain, ack(4002))
	c.state("FIN-WAIT-2")
}

// sacker is a connection with SACK and n segments of data written.
func sacker(t *testing.T, n int) (*peer, *sock) {
	t.Helper()
	p := newReno(t)
	c := p.after(100*time.Millisecond, sackOK())
	c.writes(text(n * full))
	p.outs(1, min(n, 10))
	return p, c
}

// RFC 6675 §4, IsLost: more than two segments' bytes above.
func TestMoreThanTwoSegmentsAboveMakeALoss(t *testing.T) {
	p, _ := sacker(t, 10)
	p.in(plain, ack(1), sack(1001, 3001))
	p.silent()
	p.in(plain, ack(1), sack(1001, 3002))
	p.outs(1, 1)
	p.counts("TcpExt.TCPSackRecovery", 1)
}

// RFC 6675 §4, IsLost: three separate blocks above.
func TestThreeBlocksAboveMakeALoss(t *testing.T) {
	p, _ := sacker(t, 10)
	p.in(plain, ack(1), sack(3001, 3101, 1001, 1101))
	p.silent()
	p.in(plain, ack(1), sack(5001, 5101, 3001, 3101, 1001, 1101))
	p.outs(1, 1)
	// the other holes are not proven: with nothing new to send they follow by rule
	// 3 as far as the window of 5 segments allows, of which 9700 bytes are in flight
	p.silent()
}

// RFC 6675 §2: with SACK, only news make a duplicate.
func TestARepeatedSACKBlockIsNoDuplicate(t *testing.T) {
	p, _ := sacker(t, 10)
	for range 5 {
		p.in(plain, ack(1), sack(1001, 2001))
	}
	p.silent()
	p.in(plain, ack(1), sack(1001, 2101))
	p.silent()
	p.in(plain, ack(1), sack(1001, 2201)) // the third, by number
	p.outs(1, 1)
}

func TestASACKWithDataCounts(t *testing.T) {
	p, _ := sacker(t, 10)
	p.in(plain, ack(1), sack(1001, 4001), data("x"))
	p.outs(1, 1)
}

// RFC 6675 §5: what is in flight is what was sent and neither sacked nor lost.
func TestTheWindowHoldsBackUntilEnoughWasSacked(t *testing.T) {
	p, _ := sacker(t, 20)
	p.in(plain, ack(1), sack(1001, 2001))
	p.outs(10001, 1)
	p.in(plain, ack(1), sack(1001, 3001))
	p.outs(11001, 1)
	p.in(plain, ack(1), sack(1001, 4001))
	p.outs(1, 1)
	for i := 5001; i < 9001; i += full {
		p.in(plain, ack(1), sack(1001, i)) // 12 segments less those sacked, window 5
		p.silent()
	}
	p.in(plain, ack(1), sack(1001, 9001))
	p.outs(12001, 1)
	p.in(plain, ack(1), sack(1001, 10001))
	p.outs(13001, 1)
}

// RFC 6675 §4, NextSeg rule 1.
func TestAllProvenHolesAreFilled(t *testing.T) {
	p, _ := sacker(t, 20)
	p.in(plain, ack(1), sack(7001, 10001, 4001, 6001, 2001, 3001))
	p.outs(1, 1)    // 6 segments sacked, 4 lost: 1 in flight again
	p.outs(1001, 1) // the same hole
	p.outs(3001, 1)
	p.outs(6001, 1)
	p.outs(10001, 1) // new data in what is left of the window
	p.silent()
}

// RFC 6675 §4, NextSeg rules 1 to 3: a hole that is not proven waits behind new
// data.
func TestADoubtfulHoleWaitsForNewData(t *testing.T) {
	p, _ := sacker(t, 20)
	p.in(plain, ack(1), sack(6001, 7001, 1001, 5001))
	p.outs(1, 1)
	p.in(plain, ack(1), sack(6001, 8001, 1001, 5001))
	p.outs(10001, 1)
	p.in(plain, ack(1), sack(6001, 9001, 1001, 5001)) // now it is proven
	p.outs(5001, 1)
	p.outs(11001, 1)
	p.silent()
}

func TestADoubtfulHoleIsFilledWhenThereIsNothingNew(t *testing.T) {
	p, _ := sacker(t, 10)
	p.in(plain, ack(1), sack(6001, 7001, 1001, 5001))
	p.outs(1, 1)
	p.in(plain, ack(1), sack(6001, 8001, 1001, 5001))
	p.outs(5001, 1)
	p.silent()
}

// RFC 6675 §4, NextSeg rule 4: the end of the flight is sent again once, since
// nothing comes behind it that would show its loss.
func TestTheEndIsRescuedOnce(t *testing.T) {
	p, _ := sacker(t, 10)
	p.in(plain, ack(1), sack(1001, 8001))
	p.outs(1, 1)
	p.outs(9001, 1)
	p.in(plain, ack(8001))
	p.silent()
	p.in(plain, ack(9001))
	p.silent()
	p.in(plain, ack(10001))
	p.counts("TcpExt.TCPTimeouts", 0)
}

func TestRecoveryEndsWhenAllThatWasSentIsAcknowledged(t *testing.T) {
	p, _ := sacker(t, 20)
	p.in(plain, ack(1), sack(1001, 4001))
	p.outs(1, 1)
	p.in(plain, ack(4001))
	p.silent()
	p.in(plain, ack(10001))
	p.outs(10001, 5) // the window is the threshold, half of what was in flight
	p.counts("Tcp.RetransSegs", 1)
}

// A block that makes no sense is passed over: below what is acknowledged, beyond
// what was sent, or upside down.
func TestSACKBlocksOutsideTheFlightAreIgnored(t *testing.T) {
	p, _ := sacker(t, 10)
	p.in(plain, ack(1), sack(-4000, -1000))
	p.in(plain, ack(1), sack(10001, 20001))
	p.in(plain, ack(1), sack(9001, 10002))
	p.in(plain, ack(1), sack(9001, 5001))
	p.in(plain, ack(1), sack(0, 9001))
	p.silent()
	p.counts("TcpExt.TCPSackRecovery", 0)
}

// RFC 2018 §8: a timeout forgets what was sacked, since the peer may have dropped
// it.
func TestATimeoutForgetsWhatWasSacked(t *testing.T) {
	p, _ := sacker(t, 3)
	p.in(plain, ack(1), sack(1001, 3001))
	p.sends(300 * time.Millisecond)
	p.outs(1, 1)
	p.in(plain, ack(1001)) // and not 3001: it reneged
	p.outs(1001, 2)
	p.in(plain, ack(3001))
}

func TestRenegingIsCounted(t *testing.T) {
	p, _ := sacker(t, 3)
	p.in(plain, ack(1), sack(1001, 3001))
	p.in(plain, ack(1001))
	p.wait(400 * time.Millisecond)
	p.outs(1001, 1)
	p.counts("TcpExt.TCPSACKReneging", 1)
	p.in(plain, ack(3001))
}

// RFC 6675 §5.1: what is acknowledged meanwhile cannot start a recovery of its own.
func TestSACKAfterATimeoutStartsNoFastRecovery(t *testing.T) {
	p, _ := sacker(t, 10)
	p.sends(300 * time.Millisecond)
	p.outs(1, 1)
	for i := range 5 {
		p.in(plain, ack(1), sack(1001, 3001+i*full))
	}
	p.silent()
	p.counts("TcpExt.TCPSackRecovery", 0)
	p.in(plain, ack(1001)) // of what the peer has, nothing is sent again
	p.outs(7001, 2)
}

func TestWithoutSACKInTheHandshakeBlocksSayNothing(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * time.Millisecond)
	c.writes(text(10 * full))
	p.outs(1, 10)
	p.in(plain, ack(1), sack(1001, 9001))
	p.silent()
}

func TestTheSettingTurnsSACKOff(t *testing.T) {
	p := newReno(t)
	p.setting("tcp_sack", "0")
	p.connect()
	p.out(syn, without("sackOK"))
	p.in(synack, mss(full), sackOK())
	p.out(plain)
	p.in(plain, seq(11), data("later"))
	p.out(plain, ack(1), without("sack"))
}

// RFC 3522: the acknowledgement of the oldest segment echoes the timestamp of its
// first copy, so the timeout was for nothing. RFC 4015: window and position come
// back.
func TestATimeoutThatWasNeedlessIsTakenBack(t *testing.T) {
	p := newReno(t)
	c := p.after(100*time.Millisecond, ts(1, 0))
	c.writes(text(30 * 988))
	for i := range 10 {
		p.out(plain, seq(1+i*988), length(988), ts(100, 1))
	}
	p.sends(300 * time.Millisecond)
	p.out(plain, seq(1), length(988), ts(400, 1))
	p.in(plain, ack(1+988), ts(2, 100))
	for i := range 2 { // as if nothing had been: one left, and slow start lets one more in
		p.out(plain, seq(1+(10+i)*988), length(988))
	}
	p.silent()
	p.counts("TcpExt.TCPLossUndo", 1)
	p.counts("Tcp.RetransSegs", 1)
}

func TestATimeoutThatWasNeededStands(t *testing.T) {
	p := newReno(t)
	c := p.after(100*time.Millisecond, ts(1, 0))
	c.writes(text(10 * 988))
	p.drop()
	p.sends(300 * time.Millisecond)
	p.out(plain, seq(1), length(988), ts(400, 1))
	p.in(plain, ack(1+988), ts(2, 400))
	p.out(plain, seq(1+988), length(988))
	p.out(plain, seq(1+2*988), length(988))
	p.in(plain, ack(1+2*988), ts(3, 100)) // of what was only sent again behind it
	p.drop()
	p.counts("TcpExt.TCPLossUndo", 0)
}

func TestAFastRecoveryThatWasNeedlessIsTakenBack(t *testing.T) {
	p := newReno(t)
	c := p.after(100*time.Millisecond, ts(1, 0))
	c.writes(text(10 * 988))
	p.drop()
	p.wait(50 * time.Millisecond)
	for range 3 {
		p.in(plain, ack(1), ts(2, 100))
	}
	p.out(plain, seq(1), length(988), ts(150, 2))
	p.in(plain, ack(1+10*988), ts(3, 100)) // it was only late
	p.counts("TcpExt.TCPFullUndo", 1)
	c.writes(text(20 * 988))
	for i := range 10 {
		p.out(plain, seq(1+(10+i)*988), length(988))
	}
	p.drop()
}

// RFC 2883, RFC 3708: all that was sent again arrived twice.
func TestADSACKTakesTheReductionBack(t *testing.T) {
	p, c := sacker(t, 10)
	p.in(plain, ack(1), sack(1001, 4001))
	p.outs(1, 1)
	p.in(plain, ack(10001))
	p.in(plain, ack(10001), sack(1, 1001))
	p.counts("TcpExt.TCPDSACKRecv", 1)
	p.counts("TcpExt.TCPDSACKUndo", 1)
	c.writes(text(20 * full))
	p.outs(10001, 10)
	p.silent()
}

func TestADSACKOfAPartTakesNothingBack(t *testing.T) {
	p, _ := sacker(t, 10)
	p.in(plain, ack(1), sack(6001, 9001, 2001, 5001))
	p.outs(1, 1)
	p.outs(1001, 1)
	p.outs(5001, 1)
	p.outs(9001, 1) // the rescue
	p.in(plain, ack(10001), sack(1, 1001))
	p.counts("TcpExt.TCPDSACKRecv", 1)
	p.counts("TcpExt.TCPDSACKUndo", 0)
}

func TestADSACKWithinTheSecondBlockIsKnown(t *testing.T) {
	p, _ := sacker(t, 10)
	p.in(plain, ack(1), sack(2001, 3001, 1001, 4001))
	p.counts("TcpExt.TCPDSACKOfoRecv", 1)
	p.outs(1, 1)
}
