package tcp

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// receiver is the receive sequence space (RFC 9293 §3.3.1) with what arrived.
type receiver struct {
	irs   wire.Seq
	nxt   wire.Seq // next expected
	adv   wire.Seq // right edge of the window as we told it
	acked wire.Seq // last acknowledgement number sent

	queue pieceQueue  // in order, for the user
	held  *reassembly // out of order; nil when nothing is
	limit int32       // memory the user allows (SO_RCVBUF)
	clamp int32       // largest window (TCP_WINDOW_CLAMP), 0: as the memory allows
	scale uint8       // shift of our windows
	quick uint8       // ACKs not to delay (start of a connection, after loss)

	mss      uint16 // size of the peer's full segments, as far as seen
	recent   uint32 // TS.Recent (RFC 7323 §4.3)
	recentAt uint32 // when it was taken, in seconds: it holds for 24 days

	dsack wire.SACKBlock // a duplicate to report in the next acknowledgement
	tune  tuner
}

// space is how much window m bytes of memory make: half, as Linux's
// tcp_adv_win_scale=1 has it, the rest is for what carries the bytes.
func space(m int32) int32 { return m / 2 }

// memory is what arrived bytes take: their number, and what runs out of order cost
// beside them. It does not look at the pages they lie in, which a packet that was
// copied on its way has others of than one that was not: windows are the same.
// Small payloads are copied together, so that no page is pinned for less than
// half of what it holds.
func (r *receiver) memory() int32 {
	n := r.queue.bytes
	if r.held != nil {
		n += r.held.memory
	}
	return n
}

// used is how much of the window's room is taken: the bytes, or half of the memory
// if that is more. So what arrives does not move the window's edge, unless it comes
// in many runs; only the user's reading does.
func (r *receiver) used() int32 {
	return max(r.queue.bytes, space(r.memory()))
}

// window is the window to offer now. It never takes back what was offered, and
// grows in steps that are worth a segment (RFC 9293 §3.8.6.2.2).
func (r *receiver) window() uint32 {
	offered := uint32(max(r.adv.Sub(r.nxt), 0))
	free := uint32(max(space(r.limit)-r.used(), 0))
	if most := uint32(65535) << r.scale; free > most {
		free = most
	}
	if r.clamp != 0 {
		free = min(free, uint32(r.clamp))
	}
	if free <= offered || free-offered < min(uint32(r.mss), uint32(space(r.limit)/2)) {
		return offered
	}
	return free
}

// advertise is the window field of a segment that goes out, and what it promises.
func (r *receiver) advertise(scale uint8) uint16 {
	offered := uint32(max(r.adv.Sub(r.nxt), 0))
	field := max(r.window()>>scale, (offered+1<<scale-1)>>scale) // rounding must not take back
	field = min(field, 65535)
	r.adv = r.nxt.Add(field << scale)
	r.acked = r.nxt
	return uint16(field)
}

// acceptable is the test of RFC 9293 §3.10.7.4, first check, table 6.
func (r *receiver) acceptable(seq wire.Seq, n uint32) bool {
	window := uint32(max(r.adv.Sub(r.nxt), 0))
	switch {
	case seq == r.nxt: // with the window shut ACK, URG and RST still count (RFC 9293 §3.10.7.4)
		return true
	case n == 0 && seq == r.adv: // from a peer that used up the window: as Linux has it, its ACKs count
		return true
	case window == 0:
		return false
	}
	if seq.InWindow(r.nxt, window) {
		return true
	}
	return n > 0 && seq.Add(n-1).InWindow(r.nxt, window)
}

// pushPacket appends n bytes of p from offset skip on, by reference. Small
// payloads are copied together, so that they do not pin a page each. It returns
// false when memory is short, with some of it perhaps appended.
func pushPacket(q *pieceQueue, m *slabs, p *core.Packet, skip, n uint32) (pushed uint32, ok bool) {
	if n <= smallPayload && q.bytes > 0 {
		var b [smallPayload]byte
		p.CopyOut(int(skip), b[:n])
		if q.compact(m, b[:n], 2048) {
			return n, true
		}
		return 0, false
	}
	if lin := p.LinearFrag(); skip < lin.Len {
		k := min(lin.Len-skip, n)
		if !q.share(m, lin.Page, lin.Off+skip, k) {
			return 0, false
		}
		pushed, skip = k, 0
	} else {
		skip -= lin.Len
	}
	frags := p.Frags()
	for i := range frags {
		f := &frags[i]
		if skip >= f.Len {
			skip -= f.Len
			continue
		}
		k := min(f.Len-skip, n-pushed)
		if k == 0 {
			break
		}
		if !q.share(m, f.Page, f.Off+skip, k) {
			return pushed, false
		}
		pushed += k
		skip = 0
	}
	return pushed, true
}

// smallPayload is up to where received bytes are copied together.
const smallPayload = 1024

// pawsIdle is how long TS.Recent holds (RFC 7323 §5.5), in seconds.
const pawsIdle = 24 * 24 * 3600

// stale is the test of RFC 7323 §5.3: a timestamp older than what was seen.
func (r *receiver) stale(ts uint32, now core.Time) bool {
	return int32(ts-r.recent) < 0 && uint32(now/1e9)-r.recentAt < pawsIdle
}

func (r *receiver) remember(ts uint32, now core.Time) {
	r.recent, r.recentAt = ts, uint32(now/1e9)
}
