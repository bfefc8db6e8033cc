package tcp

import (
	"github.com/libos-go/libos/allocator"
	"github.com/libos-go/libos/core"
)

// slabs is where a Transport's memory comes from and who is charged.
type slabs struct {
	pool    *allocator.Pool
	account *allocator.Account
	blocks  *allocator.Cache[pieceBlock]
}

// page allocates a page for n bytes, at most 16 KiB; nil when memory is short.
func (m *slabs) page(n int) *allocator.Page {
	return m.pool.Page(allocator.ClassFor(min(n, 16<<10)), m.account)
}

// userPage is page for bytes that a user wants to send. An eighth of what the
// instance may hold is left alone: the headers of these bytes need it, or nothing
// would ever leave and give memory back.
func (m *slabs) userPage(n int) *allocator.Page {
	if most := m.account.Limit(); most != 0 && m.account.Bytes()+int64(min(n, 16<<10)) > most-most/8 {
		return nil
	}
	return m.page(n)
}

// piece is a run of stream bytes in a page, with one reference to it.
type piece struct {
	page   *allocator.Page
	off, n uint32
}

func (p *piece) bytes() []byte { return p.page.Data[p.off : p.off+p.n] }

const blockPieces = 15

// pieceBlock is a link of a pieceQueue: pieces[first:end] are in use.
type pieceBlock struct {
	next       *pieceBlock
	first, end uint8
	pieces     [blockPieces]piece
}

// pieceQueue is a FIFO of stream bytes as page references. The zero value is
// empty and holds no memory.
type pieceQueue struct {
	head, tail *pieceBlock
	bytes      int32
}

// extend appends bytes that continue the last piece in the same page: the queue's
// reference to it serves them too. It returns false when they do not.
func (q *pieceQueue) extend(page *allocator.Page, off, n uint32) bool {
	b := q.tail
	if b == nil {
		return false
	}
	l := &b.pieces[b.end-1]
	if l.page != page || l.off+l.n != off {
		return false
	}
	l.n += n
	q.bytes += int32(n)
	return true
}

// push appends bytes of a page and takes over one reference to it; false (and
// the reference still the caller's) when memory is short.
func (q *pieceQueue) push(m *slabs, page *allocator.Page, off, n uint32) bool {
	if q.extend(page, off, n) {
		page.Unref(m.account) // one reference is enough
		return true
	}
	b := q.tail
	if b == nil || b.end == blockPieces {
		nb := m.blocks.Alloc(m.account)
		if nb == nil {
			return false
		}
		if b == nil {
			q.head = nb
		} else {
			b.next = nb
		}
		q.tail, b = nb, nb
	}
	b.pieces[b.end] = piece{page, off, n}
	b.end++
	q.bytes += int32(n)
	return true
}

// share is push with a reference of its own; false when memory is short.
func (q *pieceQueue) share(m *slabs, page *allocator.Page, off, n uint32) bool {
	if q.extend(page, off, n) {
		return true
	}
	page.Ref(m.account)
	if !q.push(m, page, off, n) {
		page.Unref(m.account)
		return false
	}
	return true
}

// drop removes n bytes from the front; n is at most q.bytes.
func (q *pieceQueue) drop(m *slabs, n int) {
	q.bytes -= int32(n)
	for n > 0 {
		b := q.head
		p := &b.pieces[b.first]
		if uint32(n) < p.n {
			p.off += uint32(n)
			p.n -= uint32(n)
			return
		}
		n -= int(p.n)
		p.page.Unref(m.account)
		p.page = nil
		b.first++
		if b.first == b.end {
			q.head = b.next
			if q.head == nil {
				q.tail = nil
			}
			m.blocks.Free(m.account, b)
		}
	}
}

// clear drops everything.
func (q *pieceQueue) clear(m *slabs) { q.drop(m, int(q.bytes)) }

// copyOut copies from byte offset off on into b and returns how many there were.
func (q *pieceQueue) copyOut(off int, b []byte) (n int) {
	for k := q.head; k != nil && n < len(b); k = k.next {
		for i := k.first; i < k.end && n < len(b); i++ {
			d := k.pieces[i].bytes()
			if off >= len(d) {
				off -= len(d)
				continue
			}
			n += copy(b[n:], d[off:])
			off = 0
		}
	}
	return n
}

// take moves pieces of up to n bytes into r, with their references, as far as r
// has room.
func (q *pieceQueue) take(m *slabs, n int, r *core.Reservation) {
	n = min(n, int(q.bytes))
	for n > 0 && r.N < len(r.Pieces) {
		b := q.head
		p := &b.pieces[b.first]
		k := min(uint32(n), p.n)
		r.Pieces[r.N] = core.Frag{Page: p.page, Off: p.off, Len: k}
		p.page.Ref(m.account) // drop gives back that of the queue
		r.N++
		r.Bytes += int(k)
		n -= int(k)
		q.drop(m, int(k))
	}
}

// append moves everything of o to the end of q.
func (q *pieceQueue) append(o *pieceQueue) {
	if o.head == nil {
		return
	}
	if q.tail == nil {
		*q = *o
	} else {
		q.tail.next = o.head
		q.tail = o.tail
		q.bytes += o.bytes
	}
	*o = pieceQueue{}
}

// compact copies b to the end of the queue, into the room of the last page if
// that is private to the queue and has some, else into a new page of n bytes or
// more; false when memory is short. Pages that came from outside have other
// readers and fail the test on references.
func (q *pieceQueue) compact(m *slabs, b []byte, n int) bool {
	if q.tail != nil {
		l := &q.tail.pieces[q.tail.end-1]
		room := l.page.Data[l.off+l.n:]
		if l.page.Refs() == 1 && len(l.page.Data) == 2048 && l.off == 0 && len(room) >= len(b) {
			copy(room, b)
			l.n += uint32(len(b))
			q.bytes += int32(len(b))
			return true
		}
	}
	page := m.page(max(n, len(b)))
	if page == nil {
		return false
	}
	copy(page.Data, b)
	if !q.push(m, page, 0, uint32(len(b))) {
		page.Unref(m.account)
		return false
	}
	return true
}
