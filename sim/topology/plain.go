package topology

import (
	"fmt"
	"math"
	"strconv"
)

// start makes a graph of n nodes called prefix0, prefix1, …
func start(name, prefix, kind string, n int) *Graph {
	g := &Graph{Name: name, Nodes: make([]Node, n)}
	for i := range g.Nodes {
		g.Nodes[i].Name, g.Nodes[i].Kind = prefix+strconv.Itoa(i), kind
	}
	return g
}

// limit refuses sizes that make no such network, or too large a one.
func limit(name, what string, n, least int) error {
	if n < least || n > MaxNodes {
		return fmt.Errorf("topology %s: %d %s; it takes %d to %d", name, n, what, least, MaxNodes)
	}
	return nil
}

func tooMany(name string, nodes, edges int) error {
	if nodes > MaxNodes || edges > MaxEdges || nodes < 0 || edges < 0 {
		return fmt.Errorf("topology %s: it would have %d nodes and %d edges; %d and %d are the most", name, nodes, edges, MaxNodes, MaxEdges)
	}
	return nil
}

// Chain is n routers in a row.
func Chain(n int, l Link) (*Graph, error) {
	if err := limit("chain", "nodes", n, 1); err != nil {
		return nil, err
	}
	g := start("chain", "n", Router, n)
	for i := range n {
		g.place(i, float64(i), 0)
		if i > 0 {
			g.Connect(i-1, i, l)
		}
	}
	return g, nil
}

// Ring is n routers in a circle.
func Ring(n int, l Link) (*Graph, error) {
	if err := limit("ring", "nodes", n, 3); err != nil {
		return nil, err
	}
	g := start("ring", "n", Router, n)
	for i := range n {
		g.onCircle(i, i, n, 1)
		g.Connect(i, (i+1)%n, l)
	}
	return g, nil
}

func (g *Graph) onCircle(v, i, n int, radius float64) {
	sin, cos := math.Sincos(2 * math.Pi * float64(i) / float64(n))
	g.place(v, radius*cos, radius*sin)
}

// Star is a router with n hosts.
func Star(n int, l Link) (*Graph, error) {
	if err := limit("star", "hosts", n, 1); err != nil {
		return nil, err
	}
	g := &Graph{Name: "star"}
	g.place(g.AddNode("r0", Router), 0, 0)
	for i := range n {
		v := g.AddNode("h"+strconv.Itoa(i), Host)
		g.onCircle(v, i, n, 1)
		g.Connect(0, v, l)
	}
	return g, nil
}

// Dumbbell is two routers, r0 and r1, joined by the bottleneck, with the hosts
// a0, a1, … at the one and b0, b1, … at the other.
func Dumbbell(left, right int, access, bottleneck Link) (*Graph, error) {
	if err := limit("dumbbell", "hosts on the left", left, 0); err != nil {
		return nil, err
	}
	if err := limit("dumbbell", "hosts on the right", right, 0); err != nil {
		return nil, err
	}
	g := start("dumbbell", "r", Router, 2)
	g.Connect(0, 1, bottleneck)
	most := float64(max(left, right, 1))
	for side, n := range [2]int{left, right} {
		x := float64(side)
		g.place(side, 1+x, most/2)
		for i := range n {
			v := g.AddNode([2]string{"a", "b"}[side]+strconv.Itoa(i), Host)
			g.place(v, 3*x, (float64(i)+0.5)*most/float64(n))
			g.Connect(v, side, access)
		}
	}
	return g, nil
}

// Grid is w by h routers, each joined to its neighbours.
func Grid(w, h int, l Link) (*Graph, error) { return grid("grid", w, h, l, false) }

// Torus is a Grid whose opposite borders are joined; w and h are at least 3.
func Torus(w, h int, l Link) (*Graph, error) { return grid("torus", w, h, l, true) }

func grid(name string, w, h int, l Link, round bool) (*Graph, error) {
	least := 1
	if round {
		least = 3
	}
	if err := limit(name, "columns", w, least); err != nil {
		return nil, err
	}
	if err := limit(name, "rows", h, least); err != nil {
		return nil, err
	}
	if err := tooMany(name, w*h, 2*w*h); err != nil {
		return nil, err
	}
	g := &Graph{Name: name}
	for y := range h {
		for x := range w {
			g.place(g.AddNode(fmt.Sprintf("n%d-%d", x, y), Router), float64(x), float64(y))
		}
	}
	for y := range h {
		for x := range w {
			if x+1 < w || round {
				g.Connect(y*w+x, y*w+(x+1)%w, l)
			}
			if y+1 < h || round {
				g.Connect(y*w+x, (y+1)%h*w+x, l)
			}
		}
	}
	return g, nil
}

// Mesh is n routers, each joined to every other.
func Mesh(n int, l Link) (*Graph, error) {
	if err := limit("mesh", "nodes", n, 1); err != nil {
		return nil, err
	}
	if err := tooMany("mesh", n, n*(n-1)/2); err != nil {
		return nil, err
	}
	g := start("mesh", "n", Router, n)
	for i := range n {
		g.onCircle(i, i, n, 1)
		for j := i + 1; j < n; j++ {
			g.Connect(i, j, l)
		}
	}
	return g, nil
}
