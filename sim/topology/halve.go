package topology

import "math"

// halve gives the clusters of a set, which is sorted, to parts first … first+k-1:
// one half grows from a cluster at the rim of the set until it has its share, the
// border between them is straightened, and both are halved again.
func (c *coarse) halve(set []int32, first, k int) {
	if k == 1 || len(set) <= 1 {
		for _, v := range set {
			c.part[v] = first
		}
		return
	}
	h := half{c: c, set: set, near: first, far: first + k/2}
	for _, v := range set {
		h.total += c.weight[v]
	}
	h.share = h.total * int64(k/2) / int64(k)
	best, least := make([]bool, len(set)), int64(math.MaxInt64)
	seed := h.rim(set[0])
	for range 3 {
		h.grow(seed)
		for range 8 {
			if !h.straighten() {
				break
			}
		}
		if cut := h.cut(); cut < least {
			least = cut
			for i, v := range set {
				best[i] = c.part[v] == h.near
			}
		}
		seed = h.rim(seed)
	}
	var a, b []int32
	for i, v := range set {
		if best[i] {
			a = append(a, v)
		} else {
			b = append(b, v)
		}
	}
	for _, v := range a {
		c.part[v] = h.near
	}
	for _, v := range b {
		c.part[v] = h.far
	}
	c.halve(a, h.near, k/2)
	c.halve(b, h.far, k-k/2)
}

// half is a set that is being halved: its clusters are of part near or far.
type half struct {
	c            *coarse
	set          []int32
	near, far    int
	total, share int64 // weights of all, and wanted for near
	load         int64 // of near
	frontier     []int32
}

// rim is a cluster that is as many edges as possible away from v, in a piece of
// its own if there is one.
func (h *half) rim(v int32) int32 {
	c := h.c
	for _, w := range h.set {
		c.part[w], c.away[w] = h.far, -1
	}
	c.away[v] = 0
	queue := append(h.frontier[:0], v)
	for i := 0; i < len(queue); i++ {
		w := queue[i]
		for x := c.start[w]; x < c.start[w+1]; x++ {
			if y := c.to[x]; c.part[y] == h.far && c.away[y] < 0 {
				c.away[y] = c.away[w] + 1
				queue = append(queue, y)
			}
		}
	}
	h.frontier = queue
	last := queue[len(queue)-1]
	for _, w := range queue { // the first of the farthest, whatever the order of the walk
		if c.away[w] == c.away[last] {
			return w
		}
	}
	return last
}

// grow takes clusters into near, from seed on: those that most edges lead to and
// fewest lead away from.
func (h *half) grow(seed int32) {
	c := h.c
	for _, v := range h.set {
		c.part[v] = h.far
	}
	h.load, h.frontier = 0, h.frontier[:0]
	rest := 0 // those before it in the set are taken
	for v := seed; ; {
		if over := h.load + c.weight[v] - h.share; over > 0 && over > h.share-h.load && h.load > 0 {
			return
		}
		c.part[v] = h.near
		h.load += c.weight[v]
		for x := c.start[v]; x < c.start[v+1]; x++ {
			if w := c.to[x]; c.part[w] == h.far {
				h.frontier = append(h.frontier, w)
			}
		}
		if h.load >= h.share {
			return
		}
		if v = h.next(); v >= 0 {
			continue
		}
		for rest < len(h.set) && c.part[h.set[rest]] == h.near { // the set is in several pieces
			rest++
		}
		if rest == len(h.set) {
			return
		}
		v = h.set[rest]
	}
}

// lookahead bounds how many candidates are compared.
const lookahead = 64

func (h *half) next() int32 {
	c, f := h.c, h.frontier
	best, score, at := int32(-1), int64(0), 0
	kept, seen := f[:0], 0
	for i, v := range f {
		if c.part[v] != h.far {
			continue
		}
		if seen == lookahead {
			kept = append(kept, f[i:]...)
			break
		}
		seen++
		kept = append(kept, v)
		if s := h.gain(v, h.near, h.far); best < 0 || s > score {
			best, score, at = v, s, len(kept)-1
		}
	}
	if best >= 0 {
		kept = append(kept[:at], kept[at+1:]...)
	}
	h.frontier = kept
	return best
}

// gain is how many edges less are cut when v goes from one half to the other.
func (h *half) gain(v int32, to, from int) (gain int64) {
	c := h.c
	for x := c.start[v]; x < c.start[v+1]; x++ {
		switch c.part[c.to[x]] {
		case to:
			gain += int64(c.edges[x])
		case from:
			gain -= int64(c.edges[x])
		}
	}
	return gain
}

// straighten moves clusters over the border where that cuts less, or balances
// better and cuts no more; it tells whether any was moved.
func (h *half) straighten() bool {
	c, moved := h.c, false
	slack := h.total / 50
	for _, v := range h.set {
		from, to, load := h.near, h.far, h.load-c.weight[v]
		if c.part[v] == h.far {
			from, to, load = h.far, h.near, h.load+c.weight[v]
		}
		before, after := distance(h.load, h.share), distance(load, h.share)
		if after > slack && after >= before || load == 0 || load == h.total {
			continue
		}
		if g := h.gain(v, to, from); g > 0 || g == 0 && after < before && h.gain(v, to, -1) > 0 {
			c.part[v], h.load, moved = to, load, true
		}
	}
	return moved
}

func distance(a, b int64) int64 { return max(a-b, b-a) }

// cut is how many edges lead from one half to the other, with a penalty for what
// is out of balance.
func (h *half) cut() (n int64) {
	c := h.c
	for _, v := range h.set {
		if c.part[v] == h.near {
			for x := c.start[v]; x < c.start[v+1]; x++ {
				if c.part[c.to[x]] == h.far {
					n += int64(c.edges[x])
				}
			}
		}
	}
	if off := distance(h.load, h.share); off > h.total/20 {
		n += off * 1000
	}
	return n
}
