package topology

import "math"

// Metric is what a path pays for an edge. It is asked once for each edge.
type Metric func(e *Edge) uint64

// Hops counts edges.
func Hops(*Edge) uint64 { return 1 }

// Delay adds up the delays in nanoseconds; of equal ones the path with fewer
// edges is shorter.
func Delay(e *Edge) uint64 { return uint64(max(0, e.Delay)) }

// Cost adds up the costs, 1 where none is set.
func Cost(e *Edge) uint64 { return max(1, e.Cost) }

// Unreachable is the distance of a node that no path leads to.
const Unreachable = math.MaxUint64

// Paths finds the shortest paths from one node at a time, and keeps its scratch
// memory between them. A shorter path has a smaller sum of the metric, then fewer
// edges; of equal ones each node takes the one over the neighbour, then the edge,
// that comes first. So the paths to one node form a tree, also over edges that
// cost nothing.
type Paths struct {
	adjacency *Adjacency
	ends      []int32 // of each edge, combined by exclusive or
	cost      []uint64
	dist      []uint64
	hops      []int32
	via       []int32 // edge towards the root, -1
	heap      []int32
	place     []int32 // in the heap, -1 not in it
}

// NewPaths prepares for the graph as it is now.
func (g *Graph) NewPaths(m Metric) *Paths {
	return g.newPaths(func(i int) uint64 { return m(&g.Edges[i]) })
}

func (g *Graph) newPaths(cost func(edge int) uint64) *Paths {
	n := len(g.Nodes)
	p := &Paths{adjacency: g.Adjacency(), cost: make([]uint64, len(g.Edges)), ends: make([]int32, len(g.Edges)),
		dist: make([]uint64, n), hops: make([]int32, n), via: make([]int32, n), place: make([]int32, n)}
	for i := range g.Edges {
		p.ends[i] = int32(g.Edges[i].Other(0))
		p.cost[i] = min(cost(i), Unreachable-1)
	}
	return p
}

// From finds the paths of every node to root.
func (p *Paths) From(root int) {
	for v := range p.dist {
		p.dist[v], p.hops[v], p.via[v], p.place[v] = Unreachable, 0, -1, -1
	}
	p.dist[root] = 0
	p.heap = p.heap[:0]
	p.push(int32(root))
	a := p.adjacency
	for len(p.heap) > 0 {
		v := p.pop()
		for x := a.start[v]; x < a.start[v+1]; x++ {
			w, e := a.to[x], a.edge[x]
			d := p.dist[v] + p.cost[e]
			if d < p.cost[e] || d == Unreachable {
				d = Unreachable - 1 // so far that it no longer matters
			}
			h := p.hops[v] + 1
			switch {
			case d < p.dist[w] || d == p.dist[w] && h < p.hops[w]:
				p.dist[w], p.hops[w], p.via[w] = d, h, e
				if p.place[w] < 0 {
					p.push(w)
				} else {
					p.up(int(p.place[w]))
				}
			case d == p.dist[w] && h == p.hops[w] && w != int32(root):
				if at := p.ends[p.via[w]] ^ w; v < at || v == at && e < p.via[w] {
					p.via[w] = e
				}
			}
		}
	}
}

// Distance of v from the root, Unreachable if there is no path.
func (p *Paths) Distance(v int) uint64 { return p.dist[v] }

// HopCount is how many edges the path of v has.
func (p *Paths) HopCount(v int) int { return int(p.hops[v]) }

// Via is the edge by which v begins its path to the root; -1 at the root, and
// where no path leads to it.
func (p *Paths) Via(v int) int { return int(p.via[v]) }

// less is the order in which nodes are settled.
func (p *Paths) less(v, w int32) bool {
	switch {
	case p.dist[v] != p.dist[w]:
		return p.dist[v] < p.dist[w]
	case p.hops[v] != p.hops[w]:
		return p.hops[v] < p.hops[w]
	}
	return v < w
}

func (p *Paths) push(v int32) {
	p.heap = append(p.heap, v)
	p.place[v] = int32(len(p.heap) - 1)
	p.up(len(p.heap) - 1)
}

func (p *Paths) up(i int) {
	h := p.heap
	for i > 0 && p.less(h[i], h[(i-1)/2]) {
		p.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
}

func (p *Paths) swap(i, j int) {
	h := p.heap
	h[i], h[j] = h[j], h[i]
	p.place[h[i]], p.place[h[j]] = int32(i), int32(j)
}

func (p *Paths) pop() int32 {
	v := p.heap[0]
	last := len(p.heap) - 1
	p.swap(0, last)
	p.heap = p.heap[:last]
	p.place[v] = -2 // settled
	for i := 0; ; {
		c := 2*i + 1
		if c >= last {
			break
		}
		if c+1 < last && p.less(p.heap[c+1], p.heap[c]) {
			c++
		}
		if !p.less(p.heap[c], p.heap[i]) {
			break
		}
		p.swap(i, c)
		i = c
	}
	return v
}
