package netem

import "github.com/libos-go/libos/core"

// schedule holds packets by their time (QueueMark.At), those of one instant in the
// order in which they came: a binary heap.
type schedule struct {
	heap  []entry
	count uint64
	bytes int
}

type entry struct {
	at    core.Time
	order uint64
	p     *core.Packet
}

func (e *entry) before(o *entry) bool { return e.at < o.at || e.at == o.at && e.order < o.order }

func (s *schedule) len() int { return len(s.heap) }

// first is the time of the first packet.
func (s *schedule) first() (core.Time, bool) {
	if len(s.heap) == 0 {
		return 0, false
	}
	return s.heap[0].at, true
}

// push takes ownership of p.
func (s *schedule) push(p *core.Packet) {
	s.bytes += int(p.Queue.Bytes)
	s.count++
	s.heap = append(s.heap, entry{p.Queue.At, s.count, p})
	h := s.heap
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !h[i].before(&h[up]) {
			break
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
}

// pop takes the first packet. There is one.
func (s *schedule) pop() *core.Packet {
	h := s.heap
	p := h[0].p
	s.bytes -= int(p.Queue.Bytes)
	n := len(h) - 1
	h[0], h[n] = h[n], entry{}
	h = h[:n]
	for i := 0; ; {
		c := 2*i + 1
		if c >= n {
			break
		}
		if c+1 < n && h[c+1].before(&h[c]) {
			c++
		}
		if !h[c].before(&h[i]) {
			break
		}
		h[i], h[c] = h[c], h[i]
		i = c
	}
	if s.heap = h; n == 0 && cap(h) > keep {
		s.heap = nil
	}
	return p
}

// keep is how large an empty heap may stay.
const keep = 1024

func (s *schedule) free() {
	for i := range s.heap {
		s.heap[i].p.Free()
	}
	s.heap, s.bytes = nil, 0
}
