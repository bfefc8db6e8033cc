package topology

import (
	"fmt"
	"strings"
	"time"
)

// MaxNodes and MaxEdges bound every graph that is generated or read.
const (
	MaxNodes = 1 << 20
	MaxEdges = 1 << 22
)

// Graph is an undirected network. Nodes and edges are named by their index;
// parallel edges are edges of their own.
type Graph struct {
	Name  string
	Nodes []Node
	Edges []Edge
}

// Node is a host, router or switch.
type Node struct {
	Name string
	// Kind is what generators and files tell of the node: Router, Host, Switch, or
	// "" for nothing.
	Kind string
	// Pos is where it is drawn, if Placed; y grows downwards, and units mean
	// nothing.
	Pos    Point
	Placed bool
	// Lat and Lon are degrees on Earth, if Located.
	Lat, Lon float64
	Located  bool
	// Attrs are whatever else a file said.
	Attrs map[string]string
}

// Kinds of nodes that generators make.
const (
	Router = "router"
	Host   = "host"
	Switch = "switch"
)

// Point is a place in the plane.
type Point struct{ X, Y float64 }

// Edge joins nodes A and B, which differ.
type Edge struct {
	A, B int
	Link
	// Attrs are whatever else a file said.
	Attrs map[string]string
}

// Link is what an edge is like.
type Link struct {
	// Delay from one end to the other.
	Delay time.Duration
	// Rate in bits per second, 0 for no limit.
	Rate int64
	// Cost of routing over it (see the metric Cost); 0 is 1.
	Cost uint64
}

// Other is the end of e that is not v.
func (e *Edge) Other(v int) int { return e.A ^ e.B ^ v }

// AddNode appends a node and returns its index.
func (g *Graph) AddNode(name, kind string) int {
	g.Nodes = append(g.Nodes, Node{Name: name, Kind: kind})
	return len(g.Nodes) - 1
}

// Connect appends an edge and returns its index.
func (g *Graph) Connect(a, b int, l Link) int {
	g.Edges = append(g.Edges, Edge{A: a, B: b, Link: l})
	return len(g.Edges) - 1
}

func (g *Graph) place(v int, x, y float64) {
	g.Nodes[v].Pos, g.Nodes[v].Placed = Point{x, y}, true
}

// Check finds names that are empty or used twice, edges to nodes that are not
// there or from a node to itself, and negative delays and rates.
func (g *Graph) Check() error {
	if len(g.Nodes) > MaxNodes || len(g.Edges) > MaxEdges {
		return fmt.Errorf("topology %q has %d nodes and %d edges; %d and %d are the most", g.Name, len(g.Nodes), len(g.Edges), MaxNodes, MaxEdges)
	}
	names := make(map[string]int, len(g.Nodes))
	for i := range g.Nodes {
		n := g.Nodes[i].Name
		if strings.TrimSpace(n) == "" {
			return fmt.Errorf("topology %q: node %d has no name", g.Name, i)
		}
		if j, twice := names[n]; twice {
			return fmt.Errorf("topology %q: nodes %d and %d have the name %q: call UniqueNames or rename one", g.Name, j, i, n)
		}
		names[n] = i
	}
	for i := range g.Edges {
		e := &g.Edges[i]
		switch {
		case e.A < 0 || e.A >= len(g.Nodes) || e.B < 0 || e.B >= len(g.Nodes):
			return fmt.Errorf("topology %q: edge %d joins nodes %d and %d of %d", g.Name, i, e.A, e.B, len(g.Nodes))
		case e.A == e.B:
			return fmt.Errorf("topology %q: edge %d joins node %q with itself", g.Name, i, g.Nodes[e.A].Name)
		case e.Delay < 0:
			return fmt.Errorf("topology %q: edge %d (%s to %s) has the negative delay %v", g.Name, i, g.Nodes[e.A].Name, g.Nodes[e.B].Name, e.Delay)
		case e.Rate < 0:
			return fmt.Errorf("topology %q: edge %d (%s to %s) has the negative rate %d", g.Name, i, g.Nodes[e.A].Name, g.Nodes[e.B].Name, e.Rate)
		}
	}
	return nil
}

// UniqueNames gives nodes without a name the name "node" and adds #2, #3 … to
// names that were met before, in the order of the nodes.
func (g *Graph) UniqueNames() {
	taken := make(map[string]bool, len(g.Nodes))
	count := make(map[string]int)
	for i := range g.Nodes { // a name that a file gives as it is stays with its first node
		taken[g.Nodes[i].Name] = true
	}
	used := make(map[string]bool, len(g.Nodes))
	for i := range g.Nodes {
		n := strings.TrimSpace(g.Nodes[i].Name)
		if n == "" {
			n = "node"
		}
		name := n
		for used[name] || name != g.Nodes[i].Name && taken[name] {
			if count[n] == 0 {
				count[n] = 1
			}
			count[n]++
			name = fmt.Sprintf("%s#%d", n, count[n])
		}
		used[name] = true
		g.Nodes[i].Name = name
	}
}

// Index finds nodes by name.
func (g *Graph) Index() map[string]int {
	m := make(map[string]int, len(g.Nodes))
	for i := range g.Nodes {
		if _, twice := m[g.Nodes[i].Name]; !twice {
			m[g.Nodes[i].Name] = i
		}
	}
	return m
}

// Adjacency lists the edges at each node, in the order of the edges.
type Adjacency struct {
	start []int32
	edge  []int32
	to    []int32
}

// Adjacency of the graph as it is now.
func (g *Graph) Adjacency() *Adjacency {
	a := &Adjacency{start: make([]int32, len(g.Nodes)+1), edge: make([]int32, 2*len(g.Edges)), to: make([]int32, 2*len(g.Edges))}
	for i := range g.Edges {
		a.start[g.Edges[i].A+1]++
		a.start[g.Edges[i].B+1]++
	}
	for v := range g.Nodes {
		a.start[v+1] += a.start[v]
	}
	fill := append([]int32(nil), a.start...)
	for i := range g.Edges {
		e := &g.Edges[i]
		for _, v := range [2]int{e.A, e.B} {
			a.edge[fill[v]], a.to[fill[v]] = int32(i), int32(e.Other(v))
			fill[v]++
		}
	}
	return a
}

// Degree is how many edges are at v.
func (a *Adjacency) Degree(v int) int { return int(a.start[v+1] - a.start[v]) }

// At is the i-th edge at v and the node at its other end.
func (a *Adjacency) At(v, i int) (edge, to int) {
	x := a.start[v] + int32(i)
	return int(a.edge[x]), int(a.to[x])
}

// Components numbers the connected parts of the graph, in the order of their
// first nodes, and tells how many there are.
func (g *Graph) Components() (part []int, n int) {
	s := newSets(len(g.Nodes))
	for i := range g.Edges {
		s.join(g.Edges[i].A, g.Edges[i].B)
	}
	return s.number()
}

// sets is a union of disjoint sets.
type sets []int32

func newSets(n int) sets {
	s := make(sets, n)
	for i := range s {
		s[i] = int32(i)
	}
	return s
}

func (s sets) find(v int) int {
	for int(s[v]) != v {
		s[v] = s[s[v]]
		v = int(s[v])
	}
	return v
}

// join keeps the smaller root; false if both were in one set.
func (s sets) join(a, b int) bool {
	a, b = s.find(a), s.find(b)
	if a == b {
		return false
	}
	s[max(a, b)] = int32(min(a, b))
	return true
}

func (s sets) number() (part []int, n int) {
	part = make([]int, len(s))
	for v := range s {
		if r := s.find(v); r == v {
			part[v] = n
			n++
		} else {
			part[v] = part[r]
		}
	}
	return part, n
}
