package tcp

import (
	"github.com/libos-go/libos/allocator"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// sendQueue is the user's bytes from the first unacknowledged one on. They are
// referenced by the segments that carry them and never change. The tail page
// belongs to the queue alone beyond its last byte, so later writes fill it up.
type sendQueue struct {
	pieces pieceQueue
	base   wire.Seq // of the first byte
	// cursor: the piece that begins at position at, to go on from where the
	// last segment ended
	block *pieceBlock
	index uint8
	at    wire.Seq
}

func (q *sendQueue) end() wire.Seq { return q.base.Add(uint32(q.pieces.bytes)) }
func (q *sendQueue) len() int      { return int(q.pieces.bytes) }

// tailRoom is the free part of the last page.
func (q *sendQueue) tailRoom() (*allocator.Page, uint32, int) {
	b := q.pieces.tail
	if b == nil {
		return nil, 0, 0
	}
	l := &b.pieces[b.end-1]
	if l.page.IsZeros() {
		return nil, 0, 0
	}
	end := l.off + l.n
	return l.page, end, len(l.page.Data) - int(end)
}

// write appends b and returns how many bytes found memory.
func (q *sendQueue) write(m *slabs, b []byte) (n int) {
	if page, off, room := q.tailRoom(); room > 0 {
		k := copy(page.Data[off:], b)
		page.Ref(m.account)
		q.pieces.push(m, page, off, uint32(k)) // merges, and gives the reference back
		n = k
	}
	for n < len(b) {
		want := len(b) - n
		if q.pieces.bytes > 0 && want < 2048 {
			want = 2048 // a second small write: more will follow
		}
		page := m.userPage(want)
		if page == nil {
			return n
		}
		k := copy(page.Data, b[n:])
		if !q.pieces.push(m, page, 0, uint32(k)) {
			page.Unref(m.account)
			return n
		}
		n += k
	}
	return n
}

// refer appends n bytes of the pool's page of zeros and returns how many found memory.
func (q *sendQueue) refer(m *slabs, zeros *allocator.Page, n int) (taken int) {
	for taken < n {
		k := min(len(zeros.Data), n-taken)
		if !q.pieces.push(m, zeros, 0, uint32(k)) {
			return taken
		}
		taken += k
	}
	return taken
}

// reserve fills r with room for up to n bytes: the tail's first, then new pages.
func (q *sendQueue) reserve(m *slabs, n int, r *core.Reservation) {
	if page, off, room := q.tailRoom(); room > 0 {
		k := min(room, n)
		page.Ref(m.account)
		r.Pieces[0] = core.Frag{Page: page, Off: off, Len: uint32(k)}
		r.N, r.Bytes = 1, k
		n -= k
	}
	for n > 0 && r.N < len(r.Pieces) {
		page := m.userPage(n)
		if page == nil {
			return
		}
		k := min(len(page.Data), n)
		r.Pieces[r.N] = core.Frag{Page: page, Len: uint32(k)}
		r.N++
		r.Bytes += k
		n -= k
	}
}

// commit appends the first n bytes of r and releases the rest; it returns how
// many found memory.
func (q *sendQueue) commit(m *slabs, r *core.Reservation, n int) (taken int) {
	for i := range r.Pieces[:r.N] {
		f := &r.Pieces[i]
		k := min(int(f.Len), n-taken)
		if k <= 0 || !q.pieces.push(m, f.Page, f.Off, uint32(k)) {
			f.Page.Unref(m.account)
			n = taken
			continue
		}
		taken += k
	}
	r.N = 0
	return taken
}

// ack removes what lies before seq.
func (q *sendQueue) ack(m *slabs, seq wire.Seq) {
	n := seq.Sub(q.base)
	if n <= 0 {
		return
	}
	n = min(n, q.pieces.bytes)
	if q.block != nil && q.at.LT(q.base.Add(uint32(n))) {
		q.block = nil // it may be among what goes
	}
	q.pieces.drop(m, int(n))
	q.base = q.base.Add(uint32(n))
}

// clear drops everything.
func (q *sendQueue) clear(m *slabs) {
	q.block = nil
	q.base = q.end()
	q.pieces.clear(m)
}

// seek sets the cursor to the piece that holds seq, which lies in the queue.
func (q *sendQueue) seek(seq wire.Seq) {
	if q.block == nil || seq.LT(q.at) {
		q.block = q.pieces.head
		q.index = q.block.first
		q.at = q.base
	}
	for {
		n := q.block.pieces[q.index].n
		if seq.LT(q.at.Add(n)) {
			return
		}
		q.at = q.at.Add(n)
		q.index++
		if q.index == q.block.end {
			if q.block.next == nil {
				q.index-- // seq is the end of the queue: stay on the last piece
				q.at = q.at.Add(-n)
				return
			}
			q.block = q.block.next
			q.index = q.block.first
		}
	}
}

// carry appends references to the n bytes from seq on, which lie in the queue, to a
// segment; false when it has no place for them all.
func (q *sendQueue) carry(p *core.Packet, seq wire.Seq, n uint32) bool {
	q.seek(seq)
	b, i := q.block, q.index
	skip := uint32(seq - q.at)
	for {
		l := &b.pieces[i]
		k := min(l.n-skip, n)
		if !p.AppendFrag(l.page, int(l.off+skip), int(k)) {
			return false
		}
		if n -= k; n == 0 {
			return true
		}
		skip = 0
		if i++; i == b.end {
			b = b.next
			i = b.first
		}
	}
}
