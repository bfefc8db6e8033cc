package tcp

import (
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/protocols/tcp/congestion"
)

// duplicateThreshold is DupThresh of RFC 6675 §2.
const duplicateThreshold = 3

// recovery is loss recovery of one connection: RFC 6675 with SACK, RFC 6582
// without.
type recovery struct {
	blocks        []wire.SACKBlock // sacked by the peer, ascending and apart
	bytes         uint32           // in blocks
	point         wire.Seq         // recovery ends when this is acknowledged
	next          wire.Seq         // what to retransmit from in this recovery
	retransmitted uint32           // bytes sent again in this recovery
	duplicates    uint32
	active        bool
	timedOut      bool // point was set by a timeout (RFC 6582 §3.2, step 1)
}

func (r *recovery) clear() { *r = recovery{} }

// sacked enters the blocks of a segment that lie in what is outstanding.
func (r *recovery) sacked(s *segment, una, most wire.Seq) {
	for _, b := range s.opts.SACKBlocks() {
		if b.Start.LT(una) || b.Start.LT(s.ack) || b.End.LEQ(b.Start) || b.End.GT(most) {
			continue // D-SACK, or nonsense
		}
		r.insert(b)
	}
}

// maxBlocks bounds the scoreboard.
const maxBlocks = 256

func (r *recovery) insert(b wire.SACKBlock) {
	i := 0
	for i < len(r.blocks) && r.blocks[i].End.LT(b.Start) {
		i++
	}
	j := i
	for j < len(r.blocks) && r.blocks[j].Start.LEQ(b.End) {
		b.Start = wire.MinSeq(b.Start, r.blocks[j].Start)
		b.End = wire.MaxSeq(b.End, r.blocks[j].End)
		r.bytes -= uint32(r.blocks[j].End - r.blocks[j].Start)
		j++
	}
	if i == j {
		if len(r.blocks) >= maxBlocks {
			return
		}
		r.blocks = append(r.blocks, wire.SACKBlock{})
		copy(r.blocks[i+1:], r.blocks[i:])
	} else {
		r.blocks = append(r.blocks[:i+1], r.blocks[j:]...)
	}
	r.blocks[i] = b
	r.bytes += uint32(b.End - b.Start)
}

// gap is where to go on sending from nxt: behind the blocks that were sacked, and
// how many bytes fit before the next one.
func (r *recovery) gap(nxt wire.Seq) (wire.Seq, int) {
	for _, b := range r.blocks {
		if nxt.LT(b.Start) {
			return nxt, int(b.Start - nxt)
		}
		nxt = wire.MaxSeq(nxt, b.End)
	}
	return nxt, 1 << 30
}

// sackedBelow is how many sacked bytes lie below nxt.
func (r *recovery) sackedBelow(nxt wire.Seq) (n uint32) {
	for _, b := range r.blocks {
		if b.Start.LT(nxt) {
			n += uint32(wire.MinSeq(b.End, nxt) - b.Start)
		}
	}
	return n
}

// trim forgets what lies before una.
func (r *recovery) trim(una wire.Seq) {
	k := 0
	for _, b := range r.blocks {
		if b.End.LEQ(una) {
			r.bytes -= uint32(b.End - b.Start)
			continue
		}
		if b.Start.LT(una) {
			r.bytes -= uint32(una - b.Start)
			b.Start = una
		}
		r.blocks[k] = b
		k++
	}
	r.blocks = r.blocks[:k]
	if k == 0 {
		r.blocks = nil
	}
}

// duplicate counts an acknowledgement that brought nothing new, and finds loss.
func (c *conn) duplicate() {
	r := &c.rec
	r.duplicates++
	if r.active {
		return
	}
	if r.timedOut && c.snd.una.LT(r.point) {
		return // RFC 6582 §4: these may be caused by our own retransmissions
	}
	if r.duplicates < duplicateThreshold && r.bytes < (duplicateThreshold-1)*uint32(c.snd.mss)+1 {
		return
	}
	r.active, r.timedOut = true, false
	r.point, r.next, r.retransmitted = c.snd.max, c.snd.una, 0
	c.snd.untime()
	c.t.counters.fastRetrans++
	if c.is(flagSACK) {
		c.t.counters.sackRecovery++
	} else {
		c.t.counters.renoRecovery++
	}
	c.tell(congestion.Event{Kind: congestion.EnterRecovery, Lost: uint32(c.snd.mss), InFlight: c.snd.flight()})
	c.resend() // the first one regardless of the window (RFC 6675 §5, step 4.3)
}

// partial is the acknowledgement of a part of what was outstanding: without SACK
// the next hole begins there (RFC 6582 §3.2).
func (r *recovery) partial(c *conn) {
	r.next = wire.MaxSeq(r.next, c.snd.una)
	if !c.is(flagSACK) {
		r.next = c.snd.una
		r.duplicates = 0
		c.resend()
	}
}

func (r *recovery) leave() {
	r.active, r.timedOut, r.duplicates, r.retransmitted = false, false, 0, 0
}

// hole is the next run to retransmit: from next on, below the highest sacked
// byte, and not sacked itself. Without SACK it is one segment at next.
func (r *recovery) hole(c *conn) (seq wire.Seq, n uint32) {
	seq = wire.MaxSeq(r.next, c.snd.una)
	end := c.snd.queue.end()
	if !c.is(flagSACK) || len(r.blocks) == 0 {
		if r.retransmitted > 0 && c.is(flagSACK) || seq.GEQ(r.point) {
			return 0, 0
		}
		return seq, uint32(max(min(end.Sub(seq), int32(c.full())), 0))
	}
	for _, b := range r.blocks {
		if seq.LT(b.Start) {
			return seq, min(uint32(b.Start-seq), uint32(c.full()))
		}
		seq = wire.MaxSeq(seq, b.End)
	}
	return 0, 0
}

// resend retransmits the next hole and tells whether there was one.
func (c *conn) resend() bool {
	seq, n := c.rec.hole(c)
	if n == 0 {
		if c.rec.next == c.snd.una && c.is(flagFinQueued) && c.snd.una == c.snd.queue.end() && c.snd.max.GT(c.snd.una) {
			c.send(c.snd.una, 0, wire.TCPFin|wire.TCPAck)
			c.rec.next = c.rec.next.Add(1)
			return true
		}
		return false
	}
	if !c.send(seq, n, wire.TCPAck) {
		return false
	}
	c.t.counters.retransSegs++
	c.rec.next = seq.Add(n)
	c.rec.retransmitted += n
	c.rtoAt = c.now().Add(c.rtt.timeout())
	return true
}

// pipe is how much is on the way (RFC 6675 §4): what was sent and neither
// acknowledged nor sacked nor taken for lost, and what was sent again.
func (c *conn) pipe() uint32 {
	flight := c.snd.flight()
	r := &c.rec
	if !r.active {
		gone := r.sackedBelow(c.snd.nxt)
		if !c.is(flagSACK) { // limited transmit (RFC 3042): SACK sees it by itself
			gone = min(r.duplicates, duplicateThreshold-1) * uint32(c.snd.mss)
		}
		return flight - min(flight, gone)
	}
	if !c.is(flagSACK) {
		return flight - min(flight, r.duplicates*uint32(c.snd.mss))
	}
	lost := uint32(0)
	seq := wire.MaxSeq(r.next, c.snd.una)
	for _, b := range r.blocks {
		if seq.LT(b.Start) {
			lost += uint32(b.Start - seq)
		}
		seq = wire.MaxSeq(seq, b.End)
	}
	return flight - min(flight, r.bytes+lost)
}

// expire is the retransmission timer (RFC 6298 §5.4-5.6): everything outstanding
// is taken for lost and sent again from the oldest byte on.
func (c *conn) expire() {
	c.t.counters.timeouts++
	c.tell(congestion.Event{Kind: congestion.Timeout, InFlight: c.snd.flight(), Lost: c.snd.flight()})
	c.rtt.expired()
	c.rec.clear() // the peer may have dropped what it sacked (RFC 2018 §8)
	c.rec.point, c.rec.timedOut = c.snd.max, true
	c.retransmitAll()
}

// retransmitAll goes back to the oldest unacknowledged byte.
func (c *conn) retransmitAll() {
	c.snd.untime()
	c.snd.nxt = c.snd.una
	c.rec.retransmitted = 1
}
