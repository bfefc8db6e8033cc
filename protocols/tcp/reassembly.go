package tcp

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// held is a run of bytes that arrived ahead of their turn.
type held struct {
	next       *held
	start, end wire.Seq
	pieces     pieceQueue
}

// rangeCost is the memory of a run beside its bytes: its blocks, and the page that
// it may fill with one byte.
const rangeCost = 320 + 2048

// maxRanges bounds the runs of one connection, whatever the buffer.
const maxRanges = 1024

// reassembly is the out-of-order queue: runs in ascending order, apart from each
// other, and the order in which they changed last, for SACK (RFC 2018 §4).
type reassembly struct {
	first  *held
	last   *held // where the last segment went: the next one usually follows it
	recent [4]*held
	ranges int
	memory int32
	finAt  wire.Seq // a FIN was seen there
	fin    bool
}

// insert takes the bytes [seq, seq+n) of p from offset skip on, as far as they
// are new. dup is the part that was here already (for D-SACK), empty if none.
// It returns false when memory is short.
func (r *reassembly) insert(t *Transport, p *core.Packet, seq wire.Seq, skip, n uint32) (dup wire.SACKBlock, ok bool) {
	m := &t.slabs
	end := seq.Add(n)
	start := seq
	at := &r.first
	if l := r.last; l != nil && l.start.LEQ(seq) {
		at = &l.next
		if seq.LEQ(l.end) {
			at = r.link(l)
		}
	}
	for *at != nil && (*at).end.LT(seq) {
		at = &(*at).next
	}
	// Now *at is the first run that ends at or after seq.
	var into *held
	for {
		h := *at
		if into != nil && h == into {
			at = &h.next
			continue
		}
		// the gap before h (or to the end of the new bytes)
		gap := end
		if h != nil {
			gap = wire.MinSeq(end, wire.MaxSeq(h.start, seq))
		}
		if seq.LT(gap) {
			if into == nil || into.end != seq {
				if into = r.add(t, at, seq); into == nil {
					return dup, false
				}
				at = &into.next
			}
			before := into.pieces.bytes
			k, pushed := pushPacket(&into.pieces, m, p, skip+uint32(seq-start), uint32(gap-seq))
			r.memory += into.pieces.bytes - before
			into.end = into.end.Add(k)
			if !pushed {
				if into.pieces.bytes == 0 {
					r.remove(t, into)
				}
				return dup, false
			}
			seq = gap
		}
		if h == nil || h.start.GT(seq) {
			break
		}
		// h begins at or before seq: what it has is a duplicate
		if cover := wire.MinSeq(end, h.end); seq.LT(cover) {
			if dup.Start == dup.End {
				dup = wire.SACKBlock{Start: seq, End: cover}
			}
			seq = cover
		}
		if into != nil && into.end == h.start {
			into.pieces.append(&h.pieces)
			into.end = h.end
			r.remove(t, h)
			t.counters.ofoMerge++
		} else {
			into = h
		}
		if seq == end && into.end.GEQ(end) {
			break
		}
		at = &into.next
	}
	if into != nil {
		r.last = into
		r.touch(into)
	}
	return dup, true
}

// link is the pointer that points to h.
func (r *reassembly) link(h *held) **held {
	at := &r.first
	for *at != h {
		at = &(*at).next
	}
	return at
}

func (r *reassembly) add(t *Transport, at **held, seq wire.Seq) *held {
	if r.ranges >= maxRanges {
		return nil
	}
	h := t.helds.Alloc(t.account)
	if h == nil {
		return nil
	}
	h.start, h.end, h.next = seq, seq, *at
	*at = h
	r.ranges++
	r.memory += rangeCost
	return h
}

// remove takes a run out and drops what it holds.
func (r *reassembly) remove(t *Transport, h *held) {
	*r.link(h) = h.next
	r.ranges--
	r.memory -= rangeCost + h.pieces.bytes
	h.pieces.clear(&t.slabs)
	if r.last == h {
		r.last = nil
	}
	k := 0
	for _, x := range r.recent {
		if x != nil && x != h {
			r.recent[k] = x
			k++
		}
	}
	clear(r.recent[k:])
	t.helds.Free(t.account, h)
}

// touch makes h the run that SACK reports first.
func (r *reassembly) touch(h *held) {
	i := 0
	for i < len(r.recent)-1 && r.recent[i] != h {
		i++
	}
	copy(r.recent[1:i+1], r.recent[:i])
	r.recent[0] = h
}

// blocks writes up to max SACK blocks to o behind those that are there: the run
// of the newest segment first (RFC 2018 §4).
func (r *reassembly) blocks(o *wire.TCPOptions, most uint8) {
	for _, h := range r.recent {
		if h == nil || o.NumSACK >= most {
			return
		}
		o.SACK[o.NumSACK] = wire.SACKBlock{Start: h.start, End: h.end}
		o.NumSACK++
	}
}

// ready moves what continues at nxt to q and returns the new next byte.
func (r *reassembly) ready(t *Transport, q *pieceQueue, nxt wire.Seq) wire.Seq {
	for h := r.first; h != nil && h.start.LEQ(nxt); h = r.first {
		if h.end.GT(nxt) {
			before := h.pieces.bytes
			h.pieces.drop(&t.slabs, int(nxt-h.start))
			r.memory -= before
			q.append(&h.pieces)
			nxt = h.end
		}
		r.remove(t, h)
	}
	return nxt
}

// prune drops the run farthest ahead: memory is short (the peer was told by
// SACK, which may be taken back, RFC 2018 §8).
func (r *reassembly) prune(t *Transport) bool {
	if r.first == nil {
		return false
	}
	h := r.first
	for h.next != nil {
		h = h.next
	}
	r.remove(t, h)
	t.counters.ofoPruned++
	return true
}

// beyond tells whether seq lies behind everything that is held.
func (r *reassembly) beyond(seq wire.Seq) bool {
	for h := r.first; h != nil; h = h.next {
		if seq.LT(h.end) {
			return false
		}
	}
	return true
}

// dropHeld releases the out-of-order queue.
func (r *receiver) dropHeld(t *Transport) {
	if r.held == nil {
		return
	}
	for r.held.first != nil {
		r.held.remove(t, r.held.first)
	}
	r.held = nil
}
