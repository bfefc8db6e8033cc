package topology

import (
	"slices"
	"testing"
	"time"
)

func loads(part []int) []int {
	l := make([]int, slices.Max(part)+1)
	for _, p := range part {
		l[p]++
	}
	return l
}

func TestADumbbellIsCutAtItsBottleneck(t *testing.T) {
	g := must2(Dumbbell(20, 20, ms, Link{Delay: 20 * time.Millisecond}))
	part := Partition(g, 2, nil)
	if edges, least := Cut(g, part); edges != 1 || least != 20*time.Millisecond {
		t.Errorf("%d edges are cut, the quickest has %v: %v", edges, least, part)
	}
	if l := loads(part); !slices.Equal(l, []int{21, 21}) {
		t.Errorf("loads %v", l)
	}
}

func TestLargeDelaysAreCutFirst(t *testing.T) {
	// Four rings of ten routers, 1 ms each, joined in a ring by 50 ms.
	g := &Graph{}
	for ring := range 4 {
		for i := range 10 {
			g.AddNode("", Router)
			g.Connect(ring*10+i, ring*10+(i+1)%10, ms)
		}
	}
	for ring := range 4 {
		g.Connect(ring*10, (ring*10+13)%40, Link{Delay: 50 * time.Millisecond})
	}
	g.UniqueNames()
	for k, want := range map[int]int{2: 2, 4: 4} {
		if edges, least := Cut(g, Partition(g, k, nil)); edges != want || least != 50*time.Millisecond {
			t.Errorf("%d parts: %d edges are cut, the quickest has %v; want %d with 50ms", k, edges, least, want)
		}
	}
	// Eight parts are only balanced if rings are cut, too.
	part := Partition(g, 8, nil)
	if l := loads(part); len(l) != 8 || slices.Max(l) > 6 {
		t.Errorf("loads of eight parts: %v", l)
	}
}

func TestNodesWithoutDelayBetweenThemStayTogether(t *testing.T) {
	for seed := range uint64(200) {
		g := tangle(seed)
		for k := range 6 {
			part := Partition(g, k, nil)
			for v, p := range part {
				if p < 0 || p >= max(1, k) {
					t.Fatalf("seed %d: node %d is in part %d of %d", seed, v, p, k)
				}
			}
			for _, e := range g.Edges {
				if e.Delay == 0 && part[e.A] != part[e.B] {
					t.Fatalf("seed %d, %d parts: an edge without delay is cut", seed, k)
				}
			}
			if !slices.Equal(part, Partition(g, k, nil)) {
				t.Fatalf("seed %d: the same graph was cut in two ways", seed)
			}
		}
	}
}

func TestOneClusterIsOnePart(t *testing.T) {
	g := must2(Star(9, Link{}))
	if part := Partition(g, 4, nil); slices.Max(part) != 0 {
		t.Errorf("%v", part)
	}
	if part := Partition(&Graph{}, 4, nil); len(part) != 0 {
		t.Errorf("%v", part)
	}
	two := must2(Chain(2, ms))
	if part := Partition(two, 16, nil); !slices.Equal(part, []int{0, 1}) {
		t.Errorf("%v", part)
	}
}

func TestWeightsAreBalanced(t *testing.T) {
	g := must2(Chain(100, ms))
	weights := make([]int, 100)
	for i := range weights {
		weights[i] = 1
	}
	weights[0] = 100
	part := Partition(g, 2, weights)
	if l := loads(part); !slices.Equal(l, []int{1, 99}) && !slices.Equal(l, []int{2, 98}) {
		t.Errorf("a node that weighs as much as all others is with %v nodes", l)
	}
}

func TestPartsAreBalancedAndCutLittle(t *testing.T) {
	for _, tt := range []struct {
		name string
		g    *Graph
		k    int
		most int // edges cut
	}{
		{"chain", must2(Chain(1000, ms)), 8, 7},
		{"ring", must2(Ring(1000, ms)), 4, 4},
		{"grid", must2(Grid(40, 40, ms)), 4, 140},
		{"tree", must2(Tree(2, 10, ms)), 4, 40},
		{"fat tree", must2(FatTree(8, ms)), 4, 160},
	} {
		part := Partition(tt.g, tt.k, nil)
		l := loads(part)
		mean := len(part) / tt.k
		edges, _ := Cut(tt.g, part)
		if len(l) != tt.k || slices.Max(l) > mean+mean/5+1 || edges > tt.most {
			t.Errorf("%s: loads %v, %d of %d edges are cut, want %d", tt.name, l, edges, len(tt.g.Edges), tt.most)
		}
	}
}

func TestPiecesAreSpread(t *testing.T) {
	g := &Graph{}
	for range 64 {
		a := g.AddNode("", "")
		g.Connect(a, g.AddNode("", ""), Link{})
	}
	g.UniqueNames()
	if l := loads(Partition(g, 4, nil)); !slices.Equal(l, []int{32, 32, 32, 32}) {
		t.Errorf("loads %v", l)
	}
}

func BenchmarkPartition(b *testing.B) {
	g := benchmarkGraph(b)
	s := seeded(4)
	for i := range g.Edges {
		g.Edges[i].Delay += time.Duration(below(s, 1_000_000))
	}
	for b.Loop() {
		Partition(g, 8, nil)
	}
}
