package core

// runQueue holds the interfaces of a Domain for which frames wait, the one that
// waits longest first. The frames are the interface's own (Interface.rxq), so
// that what happens to one instance does not depend on what others do meanwhile:
// a part of a Domain that has no link to the rest runs as it would alone.
type runQueue struct {
	ring       []*Interface
	head, tail uint // tail - head are used; len(ring) is a power of two
}

func (q *runQueue) empty() bool { return q.head == q.tail }

// push appends p for ifc and takes ownership.
func (q *runQueue) push(ifc *Interface, p *Packet) {
	ifc.rxq.Push(p)
	if ifc.isQueued {
		return
	}
	ifc.isQueued = true
	if q.tail-q.head == uint(len(q.ring)) {
		q.grow()
	}
	q.ring[q.tail&(uint(len(q.ring))-1)] = ifc
	q.tail++
}

func (q *runQueue) grow() {
	ring := make([]*Interface, max(8, 2*len(q.ring)))
	n := uint(0)
	for q.head != q.tail {
		ring[n] = q.ring[q.head&(uint(len(q.ring))-1)]
		q.head++
		n++
	}
	q.ring, q.head, q.tail = ring, 0, n
}

// pop takes up to most frames of the first interface.
func (q *runQueue) pop(most int) (*Interface, PacketList, int) {
	i := q.head & (uint(len(q.ring)) - 1)
	ifc := q.ring[i]
	if ifc.rxq.Len() > most {
		return ifc, ifc.rxq.Split(most), most
	}
	list := ifc.rxq
	ifc.rxq, ifc.isQueued = PacketList{}, false
	q.ring[i] = nil
	q.head++
	return ifc, list, list.Len()
}

// purge drops everything that waits.
func (q *runQueue) purge() {
	for !q.empty() {
		_, list, _ := q.pop(1 << 30)
		list.Free()
	}
}

// forget drops what waits for ifc.
func (q *runQueue) forget(ifc *Interface) { ifc.rxq.Free() }
