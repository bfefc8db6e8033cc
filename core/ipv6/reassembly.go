package ipv6

import (
	"slices"

	"github.com/libos-go/libos/allocator"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/timer"
	"github.com/libos-go/libos/core/wire"
)

// reassembler keeps the fragments of packets that are not complete (RFC 8200
// §4.5). A nil reassembler keeps none.
type reassembler struct {
	net         *network
	packets     map[fragmentKey]*partial
	first, last *partial // by age
	held        int64    // bytes of memory
}

type fragmentKey struct {
	src, dst wire.Addr
	id       uint32
	ifindex  int // of link-local sources
}

// partial is a packet of which fragments are missing.
type partial struct {
	key        fragmentKey
	of         *reassembler
	next, prev *partial
	timer      timer.Timer
	pieces     []piece // by offset, without overlap
	got        int     // bytes of the fragmentable part
	total      int     // 0 until the last fragment came
	held       int64
	ecn        uint8 // one bit for each value seen
}

// piece is one fragment.
type piece struct {
	p      *core.Packet // starts at its IPv6 header, linear
	header int          // offset of the fragment header
	off    int          // in the fragmentable part
	size   int
}

// fragment takes the packet p with the IPv6 header h and the fragment header at
// offset at. It returns the whole packet, without fragment header, when p was
// the last that was missing.
func (n *network) fragment(p *core.Packet, h wire.IPv6, at int) *core.Packet {
	f := wire.IPv6Fragment(h[at:])
	if f.IsAtomic() { // RFC 6946 §4: apart from all others with the same identification
		return n.unwrap(p, at)
	}
	n.count.inc(reasmReqds)
	bad := wire.CheckIPv6Fragment(h, at)
	if bad.Err == 0 {
		bad = wire.CheckIPv6FirstFragment(h, at)
	}
	if bad.Err != 0 {
		n.count.inc(reasmFails)
		n.problem(p, bad)
		return nil
	}
	if n.fragged == nil {
		n.fragged = &reassembler{net: n, packets: make(map[fragmentKey]*partial)}
	}
	return n.fragged.add(p, piece{p, at, f.Offset(), len(h) - at - wire.IPv6FragmentSize}, f)
}

// unwrap takes the fragment header at offset at out of p.
func (n *network) unwrap(p *core.Packet, at int) *core.Packet {
	if !p.Unshare() {
		n.drop(p, inDiscards)
		return nil
	}
	b := p.Linear()
	next := b[at]
	copy(b[wire.IPv6FragmentSize:], b[:at])
	p.Pull(wire.IPv6FragmentSize)
	p.SetNetworkHeader()
	b = p.Linear()
	setNextBefore(b, at, next)
	h := wire.IPv6(b)
	h.SetPayloadLen(h.PayloadLen() - wire.IPv6FragmentSize)
	return p
}

// setNextBefore names next in the header that ends at offset end.
func setNextBefore(b []byte, end int, next wire.Protocol) {
	at, field := headerSize, 6
	for at < end {
		field = at
		at += 8 + int(b[at+1])*8
	}
	b[field] = next
}

// add puts a fragment to the others of its packet.
func (r *reassembler) add(p *core.Packet, x piece, f wire.IPv6Fragment) *core.Packet {
	n := r.net
	key := fragmentKey{src: p.Src, dst: p.Dst, id: f.ID(), ifindex: scopeOf(p.Src, p.Interface)}
	q := r.packets[key]
	if q == nil {
		q = &partial{key: key, of: r}
		r.packets[key] = q
		r.link(q)
		n.in.SetTimer(&q.timer, n.in.Now().Add(n.view.Block().(*Sysctls).FragTime), q)
	}
	i, _ := slices.BinarySearchFunc(q.pieces, x.off, func(y piece, off int) int { return y.off - off })
	if i < len(q.pieces) && q.pieces[i].off == x.off && q.pieces[i].size == x.size {
		p.Free() // the network doubled it (RFC 8200 §4.5)
		return nil
	}
	end := x.off + x.size
	overlap := i > 0 && q.pieces[i-1].off+q.pieces[i-1].size > x.off || i < len(q.pieces) && q.pieces[i].off < end
	wrong := x.size == 0 && f.More() || q.total != 0 && (end > q.total || !f.More() && end != q.total) ||
		!f.More() && len(q.pieces) > 0 && q.pieces[len(q.pieces)-1].off+q.pieces[len(q.pieces)-1].size > end
	if overlap || wrong { // RFC 5722 §4: the whole packet goes
		p.Free()
		q.fail()
		return nil
	}
	if !f.More() {
		q.total = end
	}
	q.pieces = slices.Insert(q.pieces, i, x)
	q.got += x.size
	q.ecn |= 1 << (p.TOS & 3)
	q.hold(int64(p.TrueSize()))
	if q.total != 0 && q.got == q.total {
		return q.join()
	}
	for limit := n.view.Block().(*Sysctls).FragHighThresh; r.held > limit && r.first != nil; {
		r.first.fail() // the oldest; q itself if it is alone
	}
	return nil
}

// join makes one packet of all fragments and ends q.
func (q *partial) join() *core.Packet {
	n := q.of.net
	head := q.pieces[0]
	size := head.header + q.total // without the fragment header
	const notECT, ce = 1 << 0, 1 << 3
	if q.ecn&notECT != 0 && q.ecn != notECT || size-headerSize > 65535 { // RFC 3168 §5.3
		q.fail()
		return nil
	}
	const linear = 2048 - core.Headroom
	p := n.in.NewPacket(core.Headroom, min(size, max(linear, head.header)))
	if p == nil {
		q.fail()
		return nil
	}
	first := head.p.Linear()
	copy(p.Put(head.header), first[:head.header])
	setNextBefore(p.Linear(), head.header, first[head.header])
	h := wire.IPv6(p.Linear())
	h.SetPayloadLen(size - headerSize)
	if q.ecn&ce != 0 {
		h.SetECN(3)
	}
	room := p.Put(min(size, max(linear, head.header)) - head.header)
	left := size - p.LinearLen()
	for _, x := range q.pieces {
		b := x.p.Linear()[x.header+wire.IPv6FragmentSize:][:x.size]
		for len(b) > 0 {
			if len(room) == 0 {
				take := min(left, 16384)
				pg := n.in.Domain().Pool().Page(allocator.ClassFor(take), n.in.Account())
				if pg == nil {
					p.Free()
					q.fail()
					return nil
				}
				p.AppendFrag(pg, 0, take) // at most four of them
				room = pg.Data[:take]
				pg.Unref(n.in.Account())
				left -= take
			}
			c := copy(room, b)
			room, b = room[c:], b[c:]
		}
	}
	p.SetNetworkHeader()
	src := head.p
	p.Src, p.Dst, p.TOS, p.HopLimit, p.FlowLabel = src.Src, src.Dst, h.TrafficClass(), src.HopLimit, src.FlowLabel
	p.Interface, p.Type, p.EtherType, p.Arrival = src.Interface, src.Type, src.EtherType, n.in.Now()
	p.Flags = src.Flags | core.FlagReassembled
	n.count.inc(reasmOKs)
	q.end()
	return p
}

// Expire implements timer.Expirer: the time is over (RFC 8200 §4.5).
func (q *partial) Expire(*timer.Timer, core.Time) {
	n := q.of.net
	n.count.inc(reasmTimeout)
	if x := q.pieces[0]; x.off == 0 {
		n.sendError(x.p, wire.ICMPv6TimeExceeded, wire.ICMPv6ReassemblyExceeded, 0)
	}
	q.fail()
}

// fail drops all fragments of a packet.
func (q *partial) fail() {
	q.of.net.count.inc(reasmFails)
	q.end()
}

// end frees what q holds.
func (q *partial) end() {
	r := q.of
	r.net.in.CancelTimer(&q.timer)
	for _, x := range q.pieces {
		x.p.Free()
	}
	q.pieces = nil
	r.held -= q.held
	delete(r.packets, q.key)
	if q.prev != nil {
		q.prev.next = q.next
	} else {
		r.first = q.next
	}
	if q.next != nil {
		q.next.prev = q.prev
	} else {
		r.last = q.prev
	}
	if r.first == nil {
		r.net.fragged = nil // an idle instance holds nothing
	}
}

func (q *partial) hold(n int64) {
	q.held += n
	q.of.held += n
}

func (r *reassembler) link(q *partial) {
	q.prev = r.last
	if r.last != nil {
		r.last.next = q
	} else {
		r.first = q
	}
	r.last = q
}

// forget drops the fragments that came in by ifc.
func (r *reassembler) forget(ifc *core.Interface) {
	if r == nil {
		return
	}
	for q := r.first; q != nil; {
		next := q.next
		if len(q.pieces) > 0 && q.pieces[0].p.Interface == ifc {
			q.end()
		}
		q = next
	}
}

func (r *reassembler) close() {
	for r != nil && r.first != nil {
		r.first.end()
	}
}
