package segment

import "github.com/libos-go/libos/core"

// maxFlight bounds the frames that are on their way to one place.
const maxFlight = 1 << 16

// arrival is a frame and the instant at which it arrives.
type arrival struct {
	at core.Time
	p  *core.Packet
}

// queue holds frames on their way, in the order of their arrival and, at one
// instant, of their sending.
type queue struct {
	ring    []arrival // length is a power of two
	head, n int
}

func (q *queue) at(i int) *arrival { return &q.ring[(q.head+i)&(len(q.ring)-1)] }

// push tells whether the frame is the first now. Frames nearly always come in the
// order of their arrival.
func (q *queue) push(a arrival) bool {
	if q.n == len(q.ring) {
		ring := make([]arrival, max(8, 2*len(q.ring)))
		for i := range q.n {
			ring[i] = *q.at(i)
		}
		q.ring, q.head = ring, 0
	}
	i := q.n
	q.n++
	for i > 0 && q.at(i-1).at > a.at {
		*q.at(i) = *q.at(i - 1)
		i--
	}
	*q.at(i) = a
	return i == 0
}

// first is the next arrival, nil if there is none.
func (q *queue) first() *arrival {
	if q.n == 0 {
		return nil
	}
	return &q.ring[q.head]
}

func (q *queue) pop() arrival {
	a := q.ring[q.head]
	q.ring[q.head] = arrival{}
	q.head = (q.head + 1) & (len(q.ring) - 1)
	q.n--
	return a
}

// drop frees all, and tells how many they were.
func (q *queue) drop() (n int) {
	for ; q.n > 0; n++ {
		q.pop().p.Free()
	}
	return n
}
