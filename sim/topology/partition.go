package topology

import (
	"cmp"
	"slices"
	"time"
)

// Partition divides the nodes of g into at most k parts, numbered from 0 in the
// order of their first nodes, to run on k cores. Only edges with a delay are cut:
// nodes that are joined without any stay together, so there are fewer parts than k,
// or one that is heavier, where that leaves no choice. Of what can be balanced
// within a fifth of the mean, it wants the smallest delay that is cut to be large (it
// is how far the parts may run ahead of each other), then few cuts. weights tell what each
// node costs, nil that all cost the same. It is a heuristic, and gives the same for
// the same graph.
func Partition(g *Graph, k int, weights []int) []int {
	n := len(g.Nodes)
	if k <= 1 || n == 0 {
		return make([]int, n)
	}
	weight := make([]int64, n)
	var total int64
	for v := range weight {
		weight[v] = 1
		if v < len(weights) {
			weight[v] = min(max(0, int64(weights[v])), 1<<32)
		}
		total += weight[v]
	}
	delays := distinctDelays(g)
	mean := (total + int64(k) - 1) / int64(k)
	// Edges that are quicker than a threshold are not cut, as long as what they
	// hold together is no heavier than a limit. The lower the limit, the easier the
	// balance and the smaller the delays that are cut.
	var best []int
	var least int64
	for _, limit := range []int64{mean + mean/20, mean / 2, mean / 4, mean / 8, 0} {
		i, _ := slices.BinarySearchFunc(delays, limit, func(d time.Duration, limit int64) int {
			if heaviest(contract(g, d), weight) > limit {
				return 1
			}
			return -1
		})
		c := coarsen(g, delays[max(0, i-1)], weight)
		c.divide(k, mean)
		part, most := c.result(k)
		if best == nil || most < least {
			best, least = part, most
		}
		if least <= mean+mean/5 || i <= 1 {
			break
		}
	}
	return best
}

// Cut tells how many edges of g the parts cut, and the smallest delay among them.
func Cut(g *Graph, part []int) (edges int, least time.Duration) {
	for i := range g.Edges {
		if e := &g.Edges[i]; part[e.A] != part[e.B] {
			if edges == 0 || e.Delay < least {
				least = e.Delay
			}
			edges++
		}
	}
	return edges, least
}

// distinctDelays lists the thresholds worth trying, smallest first, 1 ns in any
// case.
func distinctDelays(g *Graph) []time.Duration {
	d := []time.Duration{1}
	for i := range g.Edges {
		if x := g.Edges[i].Delay; x > 1 {
			d = append(d, x)
		}
	}
	slices.Sort(d)
	return slices.Compact(d)
}

// contract joins what edges with less delay than d hold together.
func contract(g *Graph, d time.Duration) sets {
	s := newSets(len(g.Nodes))
	for i := range g.Edges {
		if e := &g.Edges[i]; e.Delay < d {
			s.join(e.A, e.B)
		}
	}
	return s
}

func heaviest(s sets, weight []int64) int64 {
	sum := make([]int64, len(s))
	var most int64
	for v := range s {
		r := s.find(v)
		sum[r] += weight[v]
		most = max(most, sum[r])
	}
	return most
}

// coarse is a graph of clusters: what may not be cut is one of them.
type coarse struct {
	cluster []int // of each node
	weight  []int64
	start   []int32 // neighbours of cluster c are to[start[c]:start[c+1]]
	to      []int32
	edges   []int32 // how many edges lead there
	part    []int   // of each cluster, -1 none yet
	load    []int64 // of each part
	away    []int32 // scratch: distance from where a half begins to grow
}

func coarsen(g *Graph, d time.Duration, weight []int64) *coarse {
	c := &coarse{}
	var n int
	c.cluster, n = contract(g, d).number()
	c.weight = make([]int64, n)
	for v, w := range weight {
		c.weight[c.cluster[v]] += w
	}
	type arc struct{ from, to int32 }
	var arcs []arc
	for i := range g.Edges {
		a, b := int32(c.cluster[g.Edges[i].A]), int32(c.cluster[g.Edges[i].B])
		if a != b {
			arcs = append(arcs, arc{a, b}, arc{b, a})
		}
	}
	slices.SortFunc(arcs, func(x, y arc) int { return cmp.Or(cmp.Compare(x.from, y.from), cmp.Compare(x.to, y.to)) })
	c.start = make([]int32, n+1)
	for i, x := range arcs {
		if i > 0 && x == arcs[i-1] {
			c.edges[len(c.edges)-1]++
			continue
		}
		c.to, c.edges = append(c.to, x.to), append(c.edges, 1)
		c.start[x.from+1]++
	}
	for i := range n {
		c.start[i+1] += c.start[i]
	}
	return c
}

// divide halves again and again, then moves clusters at the borders of the parts
// while that cuts less or balances better.
func (c *coarse) divide(k int, mean int64) {
	c.part = make([]int, len(c.weight))
	c.load = make([]int64, k)
	c.away = make([]int32, len(c.weight))
	all := make([]int32, len(c.weight))
	for i := range all {
		all[i] = int32(i)
	}
	c.halve(all, 0, k)
	for i, p := range c.part {
		c.load[p] += c.weight[i]
	}
	limit := max(mean+mean/10, slices.Max(c.weight))
	for range 16 {
		if !c.refine(k, limit) {
			return
		}
	}
}

// refine moves clusters, and tells whether any was.
func (c *coarse) refine(k int, limit int64) bool {
	links := make([]int64, k)
	moved := false
	for v := range c.part {
		from := c.part[v]
		if c.load[from] == c.weight[v] { // a part does not vanish
			continue
		}
		border := false
		for x := c.start[v]; x < c.start[v+1]; x++ {
			q := c.part[c.to[x]]
			links[q] += int64(c.edges[x])
			border = border || q != from
		}
		if border {
			to, gain := from, int64(0)
			for q := range k {
				if q == from || links[q] == 0 || c.load[q]+c.weight[v] > limit {
					continue
				}
				g := links[q] - links[from]
				lighter := c.load[q]+c.weight[v] < c.load[from]
				heavy := c.load[from] > limit && lighter
				if (g > gain || heavy && (to == from || g > gain)) || g == gain && to == from && lighter && g >= 0 {
					to, gain = q, g
				}
			}
			if to != from {
				c.part[v] = to
				c.load[from] -= c.weight[v]
				c.load[to] += c.weight[v]
				moved = true
			}
		}
		for x := c.start[v]; x < c.start[v+1]; x++ {
			links[c.part[c.to[x]]] = 0
		}
		links[from] = 0
	}
	return moved
}

// result numbers the parts by their first nodes, and tells the heaviest load.
func (c *coarse) result(k int) (part []int, most int64) {
	number := make([]int, k)
	for i := range number {
		number[i] = -1
	}
	used := 0
	part = make([]int, len(c.cluster))
	for v, x := range c.cluster {
		p := c.part[x]
		if number[p] < 0 {
			number[p] = used
			used++
		}
		part[v] = number[p]
	}
	return part, slices.Max(c.load)
}
