package topology

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func seeded(seed uint64) Source { return rand.NewPCG(seed, 0) }

var ms = Link{Delay: time.Millisecond, Rate: 1e9}

func must(t testing.TB, g *Graph, err error) *Graph {
	t.Helper()
	if err == nil {
		err = g.Check()
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// simple fails for parallel edges.
func simple(t testing.TB, g *Graph) {
	t.Helper()
	seen := map[[2]int]bool{}
	for _, e := range g.Edges {
		if p := pair(e.A, e.B); seen[p] {
			t.Errorf("%s: nodes %v are joined twice", g.Name, p)
		} else {
			seen[p] = true
		}
	}
}

func degrees(g *Graph) (least, most int) {
	a := g.Adjacency()
	least = a.Degree(0)
	for v := range g.Nodes {
		least, most = min(least, a.Degree(v)), max(most, a.Degree(v))
	}
	return least, most
}

func kinds(g *Graph, kind string) (n int) {
	for i := range g.Nodes {
		if g.Nodes[i].Kind == kind {
			n++
		}
	}
	return n
}

func TestGeneratorsMakeWhatTheySay(t *testing.T) {
	gen := func(g *Graph, err error) func(t *testing.T) *Graph {
		return func(t *testing.T) *Graph { t.Helper(); return must(t, g, err) }
	}
	for _, tt := range []struct {
		name                      string
		make                      func(t *testing.T) *Graph
		nodes, edges, least, most int
		hosts                     int
	}{
		{"chain of one", gen(Chain(1, ms)), 1, 0, 0, 0, 0},
		{"chain", gen(Chain(5, ms)), 5, 4, 1, 2, 0},
		{"ring", gen(Ring(6, ms)), 6, 6, 2, 2, 0},
		{"star", gen(Star(7, ms)), 8, 7, 1, 7, 7},
		{"dumbbell", gen(Dumbbell(3, 4, ms, ms)), 9, 8, 1, 5, 7},
		{"grid", gen(Grid(4, 3, ms)), 12, 17, 2, 4, 0},
		{"torus", gen(Torus(4, 3, ms)), 12, 24, 4, 4, 0},
		{"mesh", gen(Mesh(6, ms)), 6, 15, 5, 5, 0},
		{"root", gen(Tree(3, 0, ms)), 1, 0, 0, 0, 1},
		{"binary tree", gen(Tree(2, 3, ms)), 15, 14, 1, 3, 8},
		{"tree of one child each", gen(Tree(1, 4, ms)), 5, 4, 1, 2, 1},
		{"fat tree", gen(FatTree(4, ms)), 36, 48, 1, 4, 16},
		{"scale-free", gen(BarabasiAlbert(100, 2, ms, seeded(1))), 100, 3 + 97*2, 2, -1, 0},
		{"regular", gen(RandomRegular(100, 3, true, ms, seeded(1))), 100, 150, 3, 3, 0},
		{"regular and dense", gen(RandomRegular(10, 8, true, ms, seeded(1))), 10, 40, 8, 8, 0},
		{"regular and full", gen(RandomRegular(10, 9, true, ms, seeded(1))), 10, 45, 9, 9, 0},
		{"random and empty", gen(ErdosRenyi(10, 0, false, ms, seeded(1))), 10, 0, 0, 0, 0},
		{"random and full", gen(ErdosRenyi(10, 1, true, ms, seeded(1))), 10, 45, 9, 9, 0},
		{"random without an edge of its own", gen(ErdosRenyi(10, 0, true, ms, seeded(1))), 10, 9, 1, -1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := tt.make(t)
			least, most := degrees(g)
			if tt.most < 0 {
				most = -1
			}
			if len(g.Nodes) != tt.nodes || len(g.Edges) != tt.edges || least != tt.least || most != tt.most || kinds(g, Host) != tt.hosts {
				t.Errorf("%d nodes, %d edges, degrees %d to %d, %d hosts; want %d, %d, %d to %d, %d",
					len(g.Nodes), len(g.Edges), least, most, kinds(g, Host), tt.nodes, tt.edges, tt.least, tt.most, tt.hosts)
			}
			simple(t, g)
			if _, n := g.Components(); n != 1 && tt.name != "random and empty" {
				t.Errorf("it is in %d pieces", n)
			}
			for i := range g.Edges {
				if g.Edges[i].Link != ms {
					t.Errorf("edge %d is %+v", i, g.Edges[i].Link)
				}
			}
		})
	}
}

func TestPathsOfAFatTreeAreAsLongAsThePaperSays(t *testing.T) {
	g := must2(FatTree(4, ms))
	at := g.Index()
	p := g.NewPaths(Hops)
	p.From(at["h0-0-0"])
	for host, want := range map[string]uint64{"h0-0-1": 2, "h0-1-0": 4, "h3-1-1": 6} {
		if d := p.Distance(at[host]); d != want {
			t.Errorf("%s is %d hops away, want %d", host, d, want)
		}
	}
}

func must2(g *Graph, err error) *Graph {
	if err != nil {
		return &Graph{}
	}
	return g
}

func TestRandomGraphsComeFromTheirSource(t *testing.T) {
	for name, make := range map[string]func(Source) (*Graph, error){
		"random":     func(s Source) (*Graph, error) { return ErdosRenyi(300, 0.005, true, ms, s) },
		"scale-free": func(s Source) (*Graph, error) { return BarabasiAlbert(300, 2, ms, s) },
		"Waxman":     func(s Source) (*Graph, error) { return Waxman(300, 0.3, 0.1, true, ms, s) },
		"regular":    func(s Source) (*Graph, error) { return RandomRegular(300, 2, true, ms, s) },
	} {
		for seed := range uint64(20) {
			g, err := make(seeded(seed))
			must(t, g, err)
			simple(t, g)
			if _, n := g.Components(); n != 1 {
				t.Errorf("%s, seed %d: %d pieces", name, seed, n)
			}
			again, _ := make(seeded(seed))
			other, _ := make(seeded(seed + 100))
			if !reflect.DeepEqual(g, again) {
				t.Errorf("%s: the same seed gave another graph", name)
			}
			if reflect.DeepEqual(g.Edges, other.Edges) {
				t.Errorf("%s: another seed gave the same graph", name)
			}
		}
	}
}

func TestRandomGraphsHaveTheirDistributions(t *testing.T) {
	g := must2(ErdosRenyi(1000, 0.01, false, ms, seeded(3)))
	if n := len(g.Edges); n < 4700 || n > 5300 { // 4995 ± 4 standard deviations
		t.Errorf("%d edges of 499500 pairs with probability 0.01", n)
	}
	var seen [1000]int
	for _, e := range g.Edges {
		seen[e.A]++
		seen[e.B]++
	}
	if slices.Max(seen[:]) > 30 || slices.Min(seen[:]) > 6 {
		t.Errorf("degrees from %d to %d", slices.Min(seen[:]), slices.Max(seen[:]))
	}
	if _, most := degrees(must2(BarabasiAlbert(1000, 2, ms, seeded(3)))); most < 40 {
		t.Errorf("the largest hub of a scale-free graph has %d edges", most)
	}
	near := func(beta float64) (sum time.Duration) {
		g := must2(Waxman(300, 0.8, beta, false, Link{Delay: time.Second}, seeded(3)))
		for _, e := range g.Edges {
			if e.Delay <= 0 || e.Delay > time.Second {
				t.Errorf("a delay of %v where the diagonal has 1s", e.Delay)
			}
			sum += e.Delay / time.Duration(len(g.Edges))
		}
		return sum
	}
	if a, b := near(0.05), near(1); a*2 > b {
		t.Errorf("edges have %v with a small beta and %v with a large one", a, b)
	}
}

func TestExchangedEdgesKeepDegrees(t *testing.T) {
	g := &Graph{}
	for ring := range 40 { // rings of three: every edge that is exchanged was one of a cycle
		for i := range 3 {
			g.AddNode(string(rune('a'+ring))+string(rune('0'+i)), Router)
			g.Connect(3*ring+i, 3*ring+(i+1)%3, ms)
		}
	}
	g.exchange()
	if _, n := g.Components(); n != 1 {
		t.Errorf("%d pieces", n)
	}
	if least, most := degrees(g); least != 2 || most != 2 {
		t.Errorf("degrees %d to %d, want 2", least, most)
	}
	simple(t, g)
}

func TestImpossibleGraphsAreRefused(t *testing.T) {
	s := seeded(1)
	for _, tt := range []struct {
		make func() (*Graph, error)
		want string
	}{
		{func() (*Graph, error) { return Chain(0, ms) }, "topology chain: 0 nodes; it takes 1 to 1048576"},
		{func() (*Graph, error) { return Ring(2, ms) }, "topology ring: 2 nodes; it takes 3 to"},
		{func() (*Graph, error) { return Star(0, ms) }, "topology star: 0 hosts"},
		{func() (*Graph, error) { return Torus(2, 9, ms) }, "topology torus: 2 columns"},
		{func() (*Graph, error) { return Grid(1<<20, 1<<20, ms) }, "topology grid: it would have 1099511627776 nodes"},
		{func() (*Graph, error) { return Mesh(10_000, ms) }, "topology mesh: it would have 10000 nodes and 49995000 edges"},
		{func() (*Graph, error) { return Tree(10, 30, ms) }, "topology tree: it would have"},
		{func() (*Graph, error) { return FatTree(5, ms) }, "topology fat tree: switches with 5 ports"},
		{func() (*Graph, error) { return ErdosRenyi(10, 1.5, true, ms, s) }, "between 0 and 1, not 1.5"},
		{func() (*Graph, error) { return ErdosRenyi(1<<20, 0.5, true, ms, s) }, "would have some"},
		{func() (*Graph, error) { return BarabasiAlbert(5, 5, ms, s) }, "5 edges for each new node of 5"},
		{func() (*Graph, error) { return Waxman(30_000, 1, 1, true, ms, s) }, "30000 nodes; 20000 are the most"},
		{func() (*Graph, error) { return RandomRegular(5, 3, true, ms, s) }, "the product even"},
		{func() (*Graph, error) { return RandomRegular(6, 1, true, ms, s) }, "never in one piece"},
	} {
		if g, err := tt.make(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, %v; want %q", g, err, tt.want)
		}
	}
}

func TestCheckNamesTheMistake(t *testing.T) {
	for _, tt := range []struct {
		spoil func(g *Graph)
		want  string
	}{
		{func(g *Graph) { g.Nodes[1].Name = "n0" }, `nodes 0 and 1 have the name "n0"`},
		{func(g *Graph) { g.Nodes[2].Name = " " }, "node 2 has no name"},
		{func(g *Graph) { g.Edges[0].B = 3 }, "edge 0 joins nodes 0 and 3 of 3"},
		{func(g *Graph) { g.Edges[1].A = 2 }, `edge 1 joins node "n2" with itself`},
		{func(g *Graph) { g.Edges[1].Delay = -1 }, "edge 1 (n1 to n2) has the negative delay -1ns"},
		{func(g *Graph) { g.Edges[1].Rate = -1 }, "edge 1 (n1 to n2) has the negative rate -1"},
	} {
		g := must2(Chain(3, ms))
		tt.spoil(g)
		if err := g.Check(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %q", err, tt.want)
		}
	}
}

func TestDoubleNamesAreNumbered(t *testing.T) {
	g := &Graph{}
	for _, n := range []string{"a", "b", "a", "", "a#2", "a", ""} {
		g.AddNode(n, "")
	}
	g.UniqueNames()
	var got []string
	for _, n := range g.Nodes {
		got = append(got, n.Name)
	}
	if want := []string{"a", "b", "a#3", "node", "a#2", "a#4", "node#2"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
