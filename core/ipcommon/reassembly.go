package ipcommon

import (
	"time"

	"github.com/libos-go/libos/allocator"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/timer"
	"github.com/libos-go/libos/core/wire"
)

// FragmentKey names the packet that a fragment belongs to (RFC 791 §3.2, RFC
// 8200 §4.5). IPv6 leaves Protocol 0.
type FragmentKey struct {
	Src, Dst  wire.Addr
	ID        uint32
	Protocol  uint8
	Interface int // index of the receiving interface where that matters (link-local addresses), else 0
}

// Outcome tells what became of a fragment.
type Outcome uint8

const (
	FragmentHeld      Outcome = iota // waits for the rest
	FragmentDone                     // completed its packet
	FragmentDuplicate                // is there already: dropped alone
	FragmentOverlap                  // overlaps another: dropped with its whole packet (RFC 5722)
	FragmentBad                      // contradicts the known length, or too long: dropped
	FragmentNoMemory                 // found no room: dropped
	FragmentBadECN                   // marks that may not come together: dropped with its packet (RFC 3168 §5.3)
)

// maxPayload is the largest reassembled payload.
const maxPayload = 65535

// Expired is told of a packet whose fragments did not all come in time, or
// which gave way to newer ones (evicted). first is the fragment at offset 0,
// which starts at its payload and remembers its network header, or nil; it is
// borrowed.
type Expired func(first *core.Packet, evicted bool)

// Reassembler puts fragments together for one network protocol of an instance.
// Memory is bounded: past the limit the oldest incomplete packet gives way.
type Reassembler struct {
	in      *core.Instance
	expired Expired
	queues  map[FragmentKey]*fragmentQueue
	oldest  *fragmentQueue // by creation, linked
	newest  *fragmentQueue
	memory  int
	limit   int
	wait    time.Duration
}

// fragmentQueue is one packet under reassembly.
type fragmentQueue struct {
	key        FragmentKey
	owner      *Reassembler
	prev, next *fragmentQueue
	pieces     []piece // by offset, without overlaps
	have       int     // bytes
	total      int     // of the whole payload, -1 until the last fragment came
	memory     int
	ecn        uint8 // bit set of the ECN fields seen
	timer      timer.Timer
}

type piece struct {
	p        *core.Packet
	off, end int32
}

// NewReassembler makes a reassembler that holds up to limit bytes of packet
// memory, each packet for at most wait. expired may be nil.
func NewReassembler(in *core.Instance, limit int, wait time.Duration, expired Expired) *Reassembler {
	return &Reassembler{in: in, limit: limit, wait: wait, expired: expired, queues: make(map[FragmentKey]*fragmentQueue)}
}

// SetLimits changes the memory and the time for packets that begin from now on.
func (r *Reassembler) SetLimits(limit int, wait time.Duration) { r.limit, r.wait = limit, wait }

// Memory is what is held, in bytes.
func (r *Reassembler) Memory() int { return r.memory }

// Len is the number of incomplete packets.
func (r *Reassembler) Len() int { return len(r.queues) }

// Add takes a fragment, which starts at its payload and remembers its network
// header, with its offset in bytes, whether more follow, and its ECN bits. It
// owns p. With FragmentDone it returns the whole packet: the first fragment
// with the payload of all; its network header is as it was, but for the caller
// to correct, and ecn is the field it must have. The whole payload starts at the
// packet's start and its Flags have FlagReassembled.
func (r *Reassembler) Add(key FragmentKey, p *core.Packet, off int, more bool, ecn uint8) (whole *core.Packet, outECN uint8, o Outcome) {
	n := p.Len()
	end := off + n
	if end > maxPayload || n == 0 {
		if q := r.queues[key]; q != nil && end > maxPayload {
			r.drop(q)
		}
		p.Free()
		return nil, 0, FragmentBad
	}
	q := r.queues[key]
	if q == nil {
		q = &fragmentQueue{key: key, owner: r, total: -1}
		r.queues[key] = q
		if q.prev = r.newest; q.prev != nil {
			q.prev.next = q
		} else {
			r.oldest = q
		}
		r.newest = q
		r.in.SetTimer(&q.timer, r.in.Now().Add(r.wait), q)
	}
	if !more {
		if q.total >= 0 && q.total != end || q.last() > end {
			p.Free()
			return nil, 0, FragmentBad
		}
	} else if q.total >= 0 && end > q.total {
		p.Free()
		return nil, 0, FragmentBad
	}
	at := len(q.pieces)
	for at > 0 && int(q.pieces[at-1].off) >= off {
		at--
	}
	// pieces[at-1] begins before off, pieces[at] at or after it.
	if at < len(q.pieces) && int(q.pieces[at].off) == off && int(q.pieces[at].end) == end {
		p.Free()
		return nil, 0, FragmentDuplicate
	}
	if at > 0 && int(q.pieces[at-1].end) > off || at < len(q.pieces) && int(q.pieces[at].off) < end {
		p.Free()
		r.drop(q)
		return nil, 0, FragmentOverlap
	}
	size := p.TrueSize()
	for r.memory+size > r.limit && r.oldest != q {
		r.evict(r.oldest)
	}
	if r.memory+size > r.limit {
		p.Free()
		r.drop(q)
		return nil, 0, FragmentNoMemory
	}
	q.pieces = append(q.pieces, piece{})
	copy(q.pieces[at+1:], q.pieces[at:])
	q.pieces[at] = piece{p, int32(off), int32(end)}
	q.have += n
	q.ecn |= 1 << (ecn & 3)
	q.memory += size
	r.memory += size
	if !more {
		q.total = end
	}
	if q.total < 0 || q.have < q.total {
		return nil, 0, FragmentHeld
	}
	outECN, ok := mergeECN(q.ecn)
	if !ok {
		r.drop(q)
		return nil, 0, FragmentBadECN
	}
	whole = q.assemble(r.in)
	r.drop(q)
	if whole == nil {
		return nil, 0, FragmentNoMemory
	}
	whole.Flags |= core.FlagReassembled
	whole.Checksum = core.ChecksumUnknown
	return whole, outECN, FragmentDone
}

// last is the end of what came so far.
func (q *fragmentQueue) last() int {
	if len(q.pieces) == 0 {
		return 0
	}
	return int(q.pieces[len(q.pieces)-1].end)
}

// mergeECN is the field of a packet from those of its fragments, given as a bit
// set: CE wins over ECT, but Not-ECT and CE must not meet (RFC 3168 §5.3, Linux:
// ip_frag_ecn_table).
func mergeECN(seen uint8) (uint8, bool) {
	const notECT, ect1, ect0, ce = 1, 2, 4, 8
	switch {
	case seen&ce != 0:
		return 3, seen&notECT == 0
	case seen&notECT != 0 && seen&(ect0|ect1) != 0:
		return 0, false
	case seen == ect1:
		return 1, true
	case seen&ect0 != 0:
		return 2, true
	}
	return 0, true
}

// assemble joins the pieces. The first packet keeps its headers and gets
// references to the payload of the others, or when these are too many all goes
// into new pages.
func (q *fragmentQueue) assemble(in *core.Instance) *core.Packet {
	refs := 0
	for i := range q.pieces {
		refs += 1 + len(q.pieces[i].p.Frags())
	}
	first := q.pieces[0].p
	if refs-1 <= core.MaxFrags {
		for _, x := range q.pieces[1:] {
			if f := x.p.LinearFrag(); f.Len > 0 {
				first.AppendFrag(f.Page, int(f.Off), int(f.Len))
			}
			for _, f := range x.p.Frags() {
				first.AppendFrag(f.Page, int(f.Off), int(f.Len))
			}
		}
		q.pieces[0].p = nil
		return first
	}
	header := first.NetworkHeader()
	header = header[:len(header)-first.LinearLen()]
	size := min(len(header)+q.total, max(wholeLinear, len(header)))
	whole := in.NewPacket(core.Headroom, size)
	if whole == nil {
		return nil
	}
	whole.SetNetworkHeader()
	room := whole.Put(size)
	room = room[copy(room, header):]
	whole.Pull(len(header))
	left := q.total - len(room)
	for i := range q.pieces {
		p := q.pieces[i].p
		for off := 0; off < p.Len(); {
			if len(room) == 0 {
				n := min(left, allocator.Page16K.Size())
				page := in.Domain().Pool().Page(allocator.ClassFor(n), in.Account())
				if page == nil {
					whole.Free()
					return nil
				}
				n = min(n, len(page.Data))
				ok := whole.AppendFrag(page, 0, n)
				page.Unref(in.Account())
				if !ok {
					whole.Free()
					return nil
				}
				room, left = page.Data[:n], left-n
			}
			n := p.CopyOut(off, room)
			room, off = room[n:], off+n
		}
	}
	whole.Interface, whole.Arrival, whole.Type, whole.EtherType = first.Interface, first.Arrival, first.Type, first.EtherType
	whole.Src, whole.Dst, whole.Protocol = first.Src, first.Dst, first.Protocol
	whole.TOS, whole.HopLimit, whole.FlowLabel, whole.Flags = first.TOS, first.HopLimit, first.FlowLabel, first.Flags
	return whole
}

// wholeLinear is the linear part of a packet joined by copying: all headers and
// the beginning of the payload. The rest goes into pages of 16 KiB, since none
// holds the largest packet with room for headers before it.
const wholeLinear = 4096 - core.Headroom

// drop ends a queue and frees what it still holds.
func (r *Reassembler) drop(q *fragmentQueue) {
	r.in.CancelTimer(&q.timer)
	delete(r.queues, q.key)
	if q.prev != nil {
		q.prev.next = q.next
	} else {
		r.oldest = q.next
	}
	if q.next != nil {
		q.next.prev = q.prev
	} else {
		r.newest = q.prev
	}
	r.memory -= q.memory
	for i := range q.pieces {
		if p := q.pieces[i].p; p != nil {
			p.Free()
		}
	}
	q.pieces, q.prev, q.next = nil, nil, nil
}

func (r *Reassembler) evict(q *fragmentQueue) {
	if r.expired != nil {
		r.expired(nil, true)
	}
	r.drop(q)
}

// Expire implements timer.Expirer.
func (q *fragmentQueue) Expire(*timer.Timer, core.Time) {
	r := q.owner
	if r.expired != nil {
		var first *core.Packet
		if len(q.pieces) > 0 && q.pieces[0].off == 0 {
			first = q.pieces[0].p
		}
		r.expired(first, false)
	}
	r.drop(q)
}

// Forget drops what came by an interface that goes away.
func (r *Reassembler) Forget(ifc *core.Interface) {
	for q := r.oldest; q != nil; {
		next := q.next
		for i := range q.pieces {
			if q.pieces[i].p.Interface == ifc {
				r.drop(q)
				break
			}
		}
		q = next
	}
}

// Close frees everything.
func (r *Reassembler) Close() {
	for r.oldest != nil {
		r.drop(r.oldest)
	}
}
