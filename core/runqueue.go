package core

// runQueue holds frames that wait to enter an instance of the same Domain, in
// groups of one receiving interface, oldest first.
type runQueue struct {
	ring       []runGroup
	head, tail uint // tail - head groups are used; len(ring) is a power of two
}

type runGroup struct {
	ifc  *Interface
	list PacketList
}

func (q *runQueue) empty() bool { return q.head == q.tail }

// push appends p for ifc and takes ownership.
func (q *runQueue) push(ifc *Interface, p *Packet) {
	mask := uint(len(q.ring)) - 1
	if q.head != q.tail {
		if g := &q.ring[(q.tail-1)&mask]; g.ifc == ifc {
			g.list.Push(p)
			return
		}
	}
	if q.tail-q.head == uint(len(q.ring)) {
		q.grow()
		mask = uint(len(q.ring)) - 1
	}
	g := &q.ring[q.tail&mask]
	g.ifc = ifc
	g.list = PacketList{}
	g.list.Push(p)
	q.tail++
}

func (q *runQueue) grow() {
	ring := make([]runGroup, max(8, 2*len(q.ring)))
	n := uint(0)
	for q.head != q.tail {
		ring[n] = q.ring[q.head&(uint(len(q.ring))-1)]
		q.head++
		n++
	}
	q.ring, q.head, q.tail = ring, 0, n
}

// pop takes up to most frames of the oldest group.
func (q *runQueue) pop(most int) (*Interface, PacketList, int) {
	g := &q.ring[q.head&(uint(len(q.ring))-1)]
	ifc := g.ifc
	if g.list.Len() > most {
		return ifc, g.list.Split(most), most
	}
	list := g.list
	*g = runGroup{}
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
func (q *runQueue) forget(ifc *Interface) {
	for i := q.head; i != q.tail; i++ {
		if g := &q.ring[i&(uint(len(q.ring))-1)]; g.ifc == ifc {
			g.list.Free()
		}
	}
}
