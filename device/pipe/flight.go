package pipe

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/timer"
)

// maxFlight bounds the frames on their way in one direction.
const maxFlight = 1 << 20

// flight holds the frames on their way to one end, in the order of their
// arrival and, at one instant, of their sending. Frames that arrive in the order
// they were sent (all of them, without jitter) are in a ring, the others in a
// heap. One timer stands at the first arrival.
type flight struct {
	end   *End
	timer timer.Timer
	next  uint64 // sequence of the next frame

	ring    []arrival // length is a power of two
	head, n int
	heap    []arrival
	closed  bool
}

type arrival struct {
	at  core.Time
	seq uint64
	p   *core.Packet
}

func (a *arrival) before(b *arrival) bool { return a.at < b.at || a.at == b.at && a.seq < b.seq }

// put takes ownership of p, which arrives at the instant at. Inside an entry of
// the receiving Domain.
func (f *flight) put(p *core.Packet, at core.Time) {
	ifc := f.end.ifc
	if f.n+len(f.heap) == 0 && at <= ifc.Instance().Now() {
		ifc.Receive(p)
		return
	}
	if f.n+len(f.heap) >= maxFlight {
		ifc.Stats().RxDropped++
		p.Free()
		return
	}
	p.Move(ifc.Instance())
	next := core.Never
	if x := f.first(); x != nil {
		next = x.at
	}
	a := arrival{at, f.next, p}
	f.next++
	if f.n == 0 || at >= f.ring[(f.head+f.n-1)&(len(f.ring)-1)].at {
		f.pushRing(a)
	} else {
		f.pushHeap(a)
	}
	if at < next {
		ifc.SetArrival(&f.timer, at, f)
	}
}

// Expire implements timer.Expirer: what has arrived is received.
func (f *flight) Expire(*timer.Timer, core.Time) {
	ifc := f.end.ifc
	now := ifc.Instance().Now()
	a := f.first()
	for a != nil && a.at <= now {
		ifc.Receive(f.pop())
		a = f.first()
	}
	if a != nil {
		ifc.SetArrival(&f.timer, a.at, f)
	}
}

// first is the next arrival, nil if there is none.
func (f *flight) first() *arrival {
	switch {
	case f.n == 0 && len(f.heap) == 0:
		return nil
	case f.n == 0:
		return &f.heap[0]
	case len(f.heap) == 0 || f.ring[f.head].before(&f.heap[0]):
		return &f.ring[f.head]
	}
	return &f.heap[0]
}

// pop takes the frame of first.
func (f *flight) pop() *core.Packet {
	a := f.first()
	p := a.p
	if len(f.heap) > 0 && a == &f.heap[0] {
		f.popHeap()
		return p
	}
	a.p = nil
	f.head = (f.head + 1) & (len(f.ring) - 1)
	f.n--
	return p
}

func (f *flight) pushRing(a arrival) {
	if f.n == len(f.ring) {
		ring := make([]arrival, max(16, 2*len(f.ring)))
		for i := range f.n {
			ring[i] = f.ring[(f.head+i)&(len(f.ring)-1)]
		}
		f.ring, f.head = ring, 0
	}
	f.ring[(f.head+f.n)&(len(f.ring)-1)] = a
	f.n++
}

func (f *flight) pushHeap(a arrival) {
	h := append(f.heap, a)
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !h[i].before(&h[up]) {
			break
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
	f.heap = h
}

func (f *flight) popHeap() {
	h := f.heap
	last := len(h) - 1
	h[0] = h[last]
	h[last] = arrival{}
	h = h[:last]
	for i := 0; ; {
		c := 2*i + 1
		if c >= last {
			break
		}
		if c+1 < last && h[c+1].before(&h[c]) {
			c++
		}
		if !h[c].before(&h[i]) {
			break
		}
		h[i], h[c] = h[c], h[i]
		i = c
	}
	f.heap = h
}

// close frees what is on its way. Inside an entry of the receiving Domain.
func (f *flight) close() {
	f.closed = true
	f.end.ifc.Instance().CancelTimer(&f.timer)
	for f.first() != nil {
		f.pop().Free()
	}
}
