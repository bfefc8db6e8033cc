package topology

import (
	"math"
	"slices"
	"testing"
	"time"
)

// tangle is a random graph with parallel edges, equal sums, edges without delay,
// trees that hang off it and parts that are apart.
func tangle(seed uint64) *Graph {
	s := seeded(seed)
	g := &Graph{Name: "tangle"}
	n := 8 + below(s, 40)
	for range n {
		g.AddNode("", "")
	}
	for range n + below(s, n) {
		if a, b := below(s, n*3/4), below(s, n*3/4); a != b {
			g.Connect(a, b, Link{Delay: time.Duration(below(s, 4)) * time.Millisecond, Cost: uint64(below(s, 3))})
		}
	}
	for v := n * 3 / 4; v < n; v++ {
		if below(s, 6) > 0 {
			g.Connect(v, below(s, v), Link{Delay: time.Duration(below(s, 4)) * time.Millisecond})
		}
	}
	g.UniqueNames()
	return g
}

// relax is the shortest distance to root of every node, by trying all edges until
// nothing changes.
func relax(g *Graph, root int, m Metric) (dist []uint64, hops []int) {
	dist, hops = make([]uint64, len(g.Nodes)), make([]int, len(g.Nodes))
	for v := range dist {
		dist[v] = math.MaxUint64
	}
	dist[root] = 0
	for again := true; again; {
		again = false
		for i := range g.Edges {
			e := &g.Edges[i]
			for _, v := range [2]int{e.A, e.B} {
				w := e.Other(v)
				if dist[v] == math.MaxUint64 {
					continue
				}
				if d, h := dist[v]+m(e), hops[v]+1; d < dist[w] || d == dist[w] && h < hops[w] {
					dist[w], hops[w], again = d, h, true
				}
			}
		}
	}
	return dist, hops
}

func TestShortestPathsAreShortest(t *testing.T) {
	for seed := range uint64(200) {
		g := tangle(seed)
		for name, m := range map[string]Metric{"hops": Hops, "delay": Delay, "cost": Cost} {
			p := g.NewPaths(m)
			for root := range g.Nodes {
				dist, hops := relax(g, root, m)
				p.From(root)
				for v := range g.Nodes {
					if p.Distance(v) != dist[v] || dist[v] != Unreachable && p.HopCount(v) != hops[v] {
						t.Fatalf("seed %d, %s: from %d to %d %d over %d edges, want %d over %d", seed, name, v, root, p.Distance(v), p.HopCount(v), dist[v], hops[v])
					}
					if want := first(g, m, dist, hops, v, root); p.Via(v) != want {
						t.Fatalf("seed %d, %s: node %d goes to %d by edge %d, want %d", seed, name, v, root, p.Via(v), want)
					}
				}
			}
		}
	}
}

// first is the edge that v is to take: of those on a shortest path the one over
// the first neighbour.
func first(g *Graph, m Metric, dist []uint64, hops []int, v, root int) int {
	best := -1
	for i := range g.Edges {
		e := &g.Edges[i]
		if v == root || dist[v] == Unreachable || e.A != v && e.B != v {
			continue
		}
		w := e.Other(v)
		if dist[w] != Unreachable && dist[w]+m(e) == dist[v] && hops[w]+1 == hops[v] && (best < 0 || w < g.Edges[best].Other(v)) {
			best = i
		}
	}
	return best
}

func TestRoutingTakesShortestPaths(t *testing.T) {
	for seed := range uint64(100) {
		g := tangle(seed)
		p, r := g.NewPaths(Delay), g.NewRouting(Delay)
		for to := range g.Nodes {
			p.From(to)
			for from := range g.Nodes {
				path := r.Path(from, to)
				if from == to || p.Distance(from) == Unreachable {
					if path != nil || r.Next(from, to) != -1 {
						t.Fatalf("seed %d: a path from %d to %d: %v", seed, from, to, path)
					}
					continue
				}
				var sum uint64
				v := from
				for _, e := range path {
					sum += Delay(&g.Edges[e])
					v = g.Edges[e].Other(v)
				}
				if v != to || sum != p.Distance(from) || len(path) != p.HopCount(from) || path[0] != p.Via(from) {
					t.Fatalf("seed %d: from %d to %d by %v, which costs %d and ends at %d; want %d by edge %d first",
						seed, from, to, path, sum, v, p.Distance(from), p.Via(from))
				}
			}
		}
	}
}

func TestHostsHangOffTheirRouters(t *testing.T) {
	g := must2(Ring(4, ms))
	h := g.AddNode("h", Host)
	up := g.Connect(h, 2, ms)
	far := g.AddNode("behind", Host)
	g.Connect(far, h, ms)
	r := g.NewRouting(Hops)
	if got := r.Core(); !slices.Equal(got, []int{0, 1, 2, 3}) {
		t.Errorf("the core is %v", got)
	}
	if r.Anchor(far) != 2 || r.Anchor(2) != 2 || r.Parent(h) != up || r.Parent(2) != -1 {
		t.Errorf("anchors %d and %d, parents %d and %d", r.Anchor(far), r.Anchor(2), r.Parent(h), r.Parent(2))
	}
	if got := r.Hanging(2); !slices.Equal(got, []int32{2, int32(h), int32(far)}) {
		t.Errorf("off the router hang %v", got)
	}
}

func TestATreeHasACoreOfOneNode(t *testing.T) {
	g := must2(Tree(3, 5, ms))
	r := g.NewRouting(Hops)
	if len(r.Core()) != 1 {
		t.Errorf("the core is %v", r.Core())
	}
	if path := r.Path(len(g.Nodes)-1, 1+3+9+27+81); len(path) != 10 {
		t.Errorf("from the last leaf to the first: %v", path)
	}
}

func TestALongChainNeedsNoStack(t *testing.T) {
	g := must2(Chain(100_000, ms))
	if path := g.NewRouting(Delay).Path(0, 99_999); len(path) != 99_999 {
		t.Errorf("%d edges", len(path))
	}
}

func benchmarkGraph(b *testing.B) *Graph {
	g := must2(BarabasiAlbert(100, 3, Link{Delay: 5 * time.Millisecond}, seeded(1)))
	for i := range 9900 {
		g.Connect(g.AddNode("", Host), i%100, ms)
	}
	g.UniqueNames()
	return g
}

// A table for every destination of 10,000 hosts behind 100 routers.
func BenchmarkRouting(b *testing.B) {
	g := benchmarkGraph(b)
	b.ReportAllocs()
	for b.Loop() {
		r := g.NewRouting(Delay)
		for _, c := range r.Core() {
			r.Next(r.Core()[0], c)
		}
	}
}

func BenchmarkPaths(b *testing.B) {
	g := must2(ErdosRenyi(10_000, 0.0006, true, ms, seeded(1)))
	p := g.NewPaths(Delay)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p.From(i % len(g.Nodes))
	}
}
