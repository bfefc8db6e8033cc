package tcp

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/congestion"
	"github.com/libos-go/libos/core/wire"
)

// duplicateThreshold is DupThresh of RFC 6675 §2.
const duplicateThreshold = 3

// recovery is loss recovery of one connection: RFC 6675 with SACK, RFC 6582
// without.
type recovery struct {
	board      scoreboard
	point      wire.Seq // recovery ends when this is acknowledged
	next       wire.Seq // behind what was sent again in this recovery (HighRxt + 1)
	duplicates uint32   // acknowledgements that brought nothing new
	undo       undo
	active     bool // fast recovery
	timedOut   bool // sending again after a timeout, until point is acknowledged
	guarded    bool // point is the end of an episode: see duplicate
	marked     bool // the window was reduced for marks (RFC 3168), until markedTo is acknowledged
	markedTo   wire.Seq
	rescued    bool // the rescue retransmission of this recovery was sent
}

func (r *recovery) clear() { *r = recovery{} }

// trouble tells whether what is acknowledged now may have been sent twice, so that
// no round-trip time can be taken from it (Karn).
func (r *recovery) trouble() bool { return r.active || r.timedOut }

// sacked enters the SACK blocks of a segment, and tells whether one of them is
// news: that makes a duplicate acknowledgement in the sense of RFC 6675 §2.
func (c *conn) sacked(s *segment) (news bool) {
	r := &c.rec
	before := r.board.bytes
	for i, b := range s.opts.SACKBlocks() {
		if i == 0 && c.repeated(s, b) {
			continue
		}
		if b.Start.LT(c.snd.una) || b.Start.LT(s.ack) || b.End.LEQ(b.Start) || b.End.GT(c.snd.max) {
			continue
		}
		had, highest := r.board.bytes, r.board.end(c.snd.una)
		r.board.insert(b)
		if r.board.bytes != had && b.End.LEQ(highest) && !c.sentAgain(b.Start) {
			c.tally.reordered++
		}
	}
	return r.board.bytes != before
}

// repeated tells whether the first block is a D-SACK (RFC 2883 §4): below the
// acknowledgement, or a part of the second block. Its bytes arrived twice.
func (c *conn) repeated(s *segment, b wire.SACKBlock) bool {
	switch {
	case b.End.LEQ(b.Start):
		return false
	case b.End.LEQ(s.ack):
		c.t.counters.dsackRecv++
	case s.opts.NumSACK > 1 && s.opts.SACK[1].Start.LEQ(b.Start) && b.End.LEQ(s.opts.SACK[1].End):
		c.t.counters.dsackOfo++
	default:
		return false
	}
	c.tally.dsacks += max(1, uint32(b.End-b.Start)/max(uint32(c.snd.mss), 1))
	if c.rec.undo.reported(b, c.rec.point) {
		c.t.counters.dsackUndo++
		c.takeBack()
	}
	return true
}

// duplicate counts an acknowledgement that brought nothing new, and finds loss.
func (c *conn) duplicate() {
	r := &c.rec
	r.duplicates++
	if r.active {
		return
	}
	if r.guarded {
		// Our own retransmissions may be what these answer (RFC 6582 §3.2 step 1, §4.1;
		// RFC 6675 §5.1): SACK tells them apart once point is acknowledged.
		if c.snd.una.LT(r.point) && r.timedOut || c.snd.una.LEQ(r.point) && !c.is(flagSACK) {
			return
		}
	}
	if r.duplicates < duplicateThreshold && !r.board.lost(c.snd.una, uint32(c.snd.mss)) {
		return
	}
	r.active, r.timedOut, r.guarded, r.rescued = true, false, true, false
	r.point, r.next = c.snd.max, c.snd.una
	c.snd.untime()
	c.t.counters.fastRetrans++
	if c.is(flagSACK) {
		c.t.counters.sackRecovery++
	} else {
		c.t.counters.renoRecovery++
	}
	if r.marked { // the window was reduced for what is in flight (RFC 3168 §6.1.2)
		r.marked = false
	} else {
		r.undo.begin(c.snd.una, c.timestamp())
		c.tell(congestion.Event{Kind: congestion.EnterRecovery, Lost: uint32(c.snd.mss), InFlight: c.snd.flight()})
		c.windowReduced()
	}
	c.resendFirst() // regardless of the window (RFC 6675 §5, step 4.3; RFC 6582 §3.2, step 3)
}

// progressed follows the acknowledgement of n new bytes, of which una and the
// scoreboard know already; true when recovery goes on.
func (c *conn) progressed(n uint32) {
	r := &c.rec
	if r.guarded && c.snd.una.GT(r.point) {
		r.guarded = false
	}
	if r.timedOut && c.snd.una.GEQ(r.point) {
		r.timedOut = false
	}
	if r.marked && c.snd.una.GT(r.markedTo) { // the peer has had our CWR
		r.marked = false
	}
	switch {
	case !r.active:
		r.duplicates = 0
	case c.snd.una.GEQ(r.point):
		r.active, r.duplicates = false, 0
		flight := c.snd.flight()
		if c.is(flagSACK) {
			// The pipe was kept at the threshold all along: the window stays (RFC 6675 §5, step
			// 4.2). The choice of RFC 6582 §3.2, step 3, is for who does not know what left.
			flight = max(flight, c.cong.ssthresh)
		}
		c.tell(congestion.Event{Kind: congestion.ExitRecovery, Acked: n, InFlight: flight})
	case !c.is(flagSACK): // a partial acknowledgement: the next hole begins here (RFC 6582 §3.2)
		// Deflation: what left the path is no longer counted by duplicates, but
		// for one segment, which makes room for the retransmission.
		if whole := n / uint32(c.snd.mss); whole > 1 {
			r.duplicates -= min(r.duplicates, whole-1)
		}
		r.next = c.snd.una
		c.resendFirst()
	}
}

// resendFirst sends the oldest outstanding segment again.
func (c *conn) resendFirst() {
	n := uint32(max(c.snd.queue.end().Sub(c.snd.una), 0))
	if _, room := c.rec.board.gap(c.snd.una); uint32(room) < n {
		n = uint32(room)
	}
	c.resend(c.snd.una, min(n, c.full()))
}

// resend sends n bytes from seq on again, with our FIN if it follows them and was
// sent; false when memory is short.
func (c *conn) resend(seq wire.Seq, n uint32) bool {
	flags, end := wire.TCPAck, seq.Add(n)
	if c.is(flagFinQueued) && end == c.snd.queue.end() && c.snd.max.GT(end) {
		flags |= wire.TCPFin
		end = end.Add(1)
	}
	if !c.send(seq, n, flags) {
		return false
	}
	c.resentNow(uint32(end - seq))
	c.rec.next = wire.MaxSeq(c.rec.next, end)
	if seq == c.snd.una || c.rtoAt == core.Never {
		c.rtoAt = c.now().Add(c.rtt.timeout())
	}
	return true
}

// resentNow counts a segment that was sent again.
func (c *conn) resentNow(n uint32) {
	c.t.counters.retransSegs++
	c.resent++
	c.rec.undo.resent += n
}

// fillHoles retransmits what the scoreboard shows as lost, as far as the window
// allows: rule 1 of NextSeg (RFC 6675 §4), and when there was nothing new to send
// (surely is false) the other holes and the end, by rules 3 and 4.
func (c *conn) fillHoles(surely bool) {
	r := &c.rec
	if !r.active || !c.is(flagSACK) {
		return
	}
	for c.pipe()+uint32(c.snd.mss) <= c.cong.cwnd {
		seq, n := r.board.hole(wire.MaxSeq(r.next, c.snd.una), uint32(c.snd.mss), surely)
		if n == 0 {
			break
		}
		if !c.resend(seq, min(n, c.full())) {
			return
		}
	}
	if !surely && !r.rescued && c.pipe()+uint32(c.snd.mss) <= c.cong.cwnd {
		end := wire.MinSeq(c.snd.nxt, c.snd.queue.end())
		from := wire.MaxSeq(wire.MaxSeq(r.next, r.board.end(c.snd.una)), end.Add(-c.full()))
		if n := end.Sub(from); n > 0 {
			next := r.next
			r.rescued = c.resend(from, uint32(n))
			r.next = next // RFC 6675 §4, rule 4: HighRxt stays
		}
	}
}

// pipe is how much is on the way (RFC 6675 §4, SetPipe): what was sent and neither
// acknowledged nor sacked nor taken for lost, and what was sent again.
func (c *conn) pipe() uint32 {
	r := &c.rec
	flight := c.snd.flight()
	switch {
	case !c.is(flagSACK): // RFC 6582: each duplicate tells of a segment that left
		gone := r.duplicates
		if !r.active { // limited transmit (RFC 3042)
			gone = min(gone, duplicateThreshold-1)
		}
		return flight - min(flight, gone*uint32(c.snd.mss))
	case !r.active:
		return flight - min(flight, r.board.below(c.snd.nxt))
	}
	again := uint32(max(wire.MinSeq(r.next, c.snd.nxt).Sub(c.snd.una), 0))
	again -= min(again, r.board.below(c.snd.una.Add(again)))
	return flight - min(flight, r.board.bytes+r.board.lostBytes(c.snd.una, uint32(c.snd.mss))) + again
}

// expire is the retransmission timer (RFC 6298 §5.4-5.6): everything outstanding
// is taken for lost and sent again from the oldest byte on. first tells whether
// the timer had not expired for these data before: the threshold is not lowered
// twice (RFC 5681 §3.1).
func (c *conn) expire(first bool) {
	r := &c.rec
	c.t.counters.timeouts++
	c.timedOut(first)
	if first {
		least := uint32(0)
		if r.marked { // the threshold is that of the marks (RFC 3168 §6.1.2)
			least = c.cong.ssthresh
		}
		c.tell(congestion.Event{Kind: congestion.Timeout, InFlight: c.snd.flight(), Lost: c.snd.flight()})
		c.cong.ssthresh = max(c.cong.ssthresh, least)
		if !r.marked {
			r.undo.begin(c.snd.una, c.timestamp())
		}
		r.marked = false
		c.windowReduced()
	}
	if r.board.start(c.snd.una) {
		c.t.counters.sackReneging++
	}
	c.rtt.expired()
	r.board.clear() // the peer may have dropped what it sacked (RFC 2018 §8)
	r.active, r.timedOut, r.guarded, r.duplicates = false, true, true, 0
	r.point = c.snd.max
	c.goBack()
}

// goBack has everything outstanding sent again from the oldest byte on.
func (c *conn) goBack() {
	c.snd.untime()
	c.snd.nxt = c.snd.una
}

// undo is what tells whether sending again was needless: the peer echoes a
// timestamp from before (Eifel, RFC 3522), or reports all that was sent again as
// duplicates (RFC 3708). Then the reduction of the window is taken back (RFC 4015).
type undo struct {
	from   wire.Seq // where sending again began
	stamp  uint32   // our timestamp then
	resent uint32   // bytes sent again
	twice  uint32   // bytes reported as duplicates
	open   bool     // the reduction can still be taken back
	fresh  bool     // no acknowledgement of new data came since
}

func (u *undo) begin(from wire.Seq, stamp uint32) {
	*u = undo{from: from, stamp: stamp, open: true, fresh: true}
}

// echoed takes the timestamp in an acknowledgement of new data: the first one
// tells which copy of the oldest segment it answers.
func (u *undo) echoed(ecr uint32) (needless bool) {
	needless = u.open && u.fresh && int32(ecr-u.stamp) < 0
	u.fresh = false
	return needless
}

// reported takes a D-SACK: true when it completes the proof that everything was
// sent again for nothing.
func (u *undo) reported(b wire.SACKBlock, point wire.Seq) bool {
	if !u.open || u.resent == 0 || b.Start.LT(u.from) || b.End.GT(point) {
		return false
	}
	u.twice += uint32(b.End - b.Start)
	return u.twice >= u.resent
}

// takeBack undoes the last reduction of the window; nothing is sent again any
// more that was not found lost otherwise.
func (c *conn) takeBack() {
	r := &c.rec
	r.undo = undo{}
	c.flags &^= flagReduced
	c.tell(congestion.Event{Kind: congestion.Undo, InFlight: c.snd.flight()})
	if r.timedOut { // RFC 4015 §3.2, step RESUME
		c.snd.nxt = c.snd.max
	}
	r.active, r.timedOut, r.guarded, r.duplicates = false, false, false, 0
}
