package topology

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestDOT(t *testing.T) {
	g := must2(Star(1, Link{Delay: 1500 * time.Microsecond, Rate: 2_500_000}))
	g.Name, g.Nodes[1].Name = `a "star"`, `h\0`
	want := `graph "a \"star\"" {
	node [fontsize=10];
	edge [fontsize=8];
	"r0" [pos="0.00,-0.00!"];
	"h\\0" [shape=box, pos="72.00,-0.00!"];
	"r0" -- "h\\0" [label="1.5ms, 2.5Mbit/s"];
}
`
	if got := string(g.DOT()); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestJSONTellsParallelEdgesApart(t *testing.T) {
	g := must2(Chain(2, Link{Delay: time.Second, Rate: 8}))
	g.Connect(1, 0, Link{Cost: 3})
	data, err := g.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Multigraph bool
		Nodes      []map[string]any
		Links      []map[string]any
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if !got.Multigraph || len(got.Nodes) != 2 || got.Nodes[1]["id"] != "n1" || got.Nodes[1]["x"] != 1.0 || got.Nodes[0]["lat"] != nil {
		t.Errorf("nodes %v", got.Nodes)
	}
	want := []map[string]any{
		{"source": "n0", "target": "n1", "key": 0.0, "delay": 1.0, "rate": 8.0},
		{"source": "n1", "target": "n0", "key": 1.0, "cost": 3.0},
	}
	if !reflect.DeepEqual(got.Links, want) {
		t.Errorf("links %v, want %v", got.Links, want)
	}
}

// away is the mean length of edges, and the mean distance of all pairs.
func away(g *Graph) (edges, pairs float64) {
	d := func(a, b int) float64 {
		p, q := g.Nodes[a].Pos, g.Nodes[b].Pos
		return math.Hypot(p.X-q.X, p.Y-q.Y)
	}
	for _, e := range g.Edges {
		edges += d(e.A, e.B) / float64(len(g.Edges))
	}
	n := len(g.Nodes)
	for a := range n {
		for b := range a {
			pairs += d(a, b) * 2 / float64(n*(n-1))
		}
	}
	return edges, pairs
}

func TestALayoutHasNeighboursNear(t *testing.T) {
	for name, make := range map[string]func() *Graph{
		"grid":       func() *Graph { return must2(Grid(20, 20, ms)) },
		"tree":       func() *Graph { return must2(Tree(3, 5, ms)) },
		"ring":       func() *Graph { return must2(Ring(60, ms)) },
		"dumbbell":   func() *Graph { return must2(Dumbbell(30, 30, ms, ms)) },
		"in pieces":  func() *Graph { return must2(ErdosRenyi(100, 0.015, false, ms, seeded(2))) },
		"scale-free": func() *Graph { return must2(BarabasiAlbert(200, 1, ms, seeded(2))) },
	} {
		a, b := make(), make()
		a.Layout(seeded(1))
		b.Layout(seeded(1))
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s: the same seed gave two layouts", name)
		}
		places := map[Point]bool{}
		for i := range a.Nodes {
			p := a.Nodes[i].Pos
			if math.IsNaN(p.X+p.Y) || math.IsInf(p.X+p.Y, 0) || !a.Nodes[i].Placed {
				t.Fatalf("%s: node %d is at %v", name, i, p)
			}
			if places[p] {
				t.Errorf("%s: two nodes are at %v", name, p)
			}
			places[p] = true
		}
		if edges, pairs := away(a); edges*3 > pairs*2 {
			t.Errorf("%s: neighbours are %.2f apart, all nodes %.2f", name, edges, pairs)
		}
	}
}

func TestALayoutOfPlacesIsAMap(t *testing.T) {
	g := &Graph{Nodes: []Node{{Name: "a", Lat: 60, Lon: 10, Located: true}}}
	g.Layout(seeded(1))
	if p := g.Nodes[0].Pos; p != (Point{10, -60}) {
		t.Errorf("%v", p)
	}
	(&Graph{}).Layout(seeded(1))
}

func BenchmarkLayout(b *testing.B) {
	g := must2(ErdosRenyi(10_000, 0.0006, true, ms, seeded(1)))
	for b.Loop() {
		g.Layout(seeded(1))
	}
}

func TestLabelsOfRates(t *testing.T) {
	var got []string
	for _, r := range []int64{1, 1500, 100e6, 40e9, 1e12} {
		got = append(got, bitRate(r))
	}
	if s := strings.Join(got, " "); s != "1bit/s 1.5Kbit/s 100Mbit/s 40Gbit/s 1Tbit/s" {
		t.Error(s)
	}
}
