package topology

import "slices"

// Routing knows the shortest path between any two nodes of a graph, as Paths
// finds them, hop by hop. Nodes that hang off the rest by one edge (a router's
// hosts, and trees of them) need no tables: they are reached through the node of
// the core that they hang off. For the core there is one table of 4 bytes a node for
// each of its nodes that was asked for as a destination.
type Routing struct {
	g      *Graph
	paths  *Paths  // in the core alone
	edges  []int32 // the core's edges in g
	parent []int32 // edge towards the core, -1 in the core
	anchor []int32 // the core's node
	// The nodes that hang off one another, in preorder: those below v are the
	// positions enter[v] … leave[v]-1.
	enter, leave []int32
	order        []int32 // nodes by position
	children     []int32 // of all nodes, in the order of their positions
	first        []int32 // children[first[v]:first[v+1]] are v's
	core         []bool
	rows         [][]int32 // by destination: the edge that each node of the core takes
	index        []int32   // of a node in rows and in a row, -1
	nodes        []int     // of the core
}

// NewRouting prepares for the graph as it is now.
func (g *Graph) NewRouting(m Metric) *Routing {
	n := len(g.Nodes)
	r := &Routing{g: g, parent: make([]int32, n), anchor: make([]int32, n), core: make([]bool, n), index: make([]int32, n)}
	r.peel()
	r.number()
	for v := range n {
		r.index[v] = -1
		if r.core[v] {
			r.index[v] = int32(len(r.nodes))
			r.nodes = append(r.nodes, v)
		}
	}
	r.rows = make([][]int32, len(r.nodes))
	core := &Graph{Nodes: make([]Node, len(r.nodes))}
	for i := range g.Edges {
		if e := &g.Edges[i]; r.core[e.A] && r.core[e.B] {
			core.Connect(int(r.index[e.A]), int(r.index[e.B]), e.Link)
			r.edges = append(r.edges, int32(i))
		}
	}
	r.paths = core.newPaths(func(i int) uint64 { return m(&g.Edges[r.edges[i]]) })
	return r
}

// peel takes nodes with one edge off, again and again.
func (r *Routing) peel() {
	a := r.g.Adjacency()
	n := len(r.parent)
	degree := make([]int32, n)
	var queue []int32
	for v := range n {
		r.parent[v], r.core[v] = -1, true
		if degree[v] = int32(a.Degree(v)); degree[v] == 1 {
			queue = append(queue, int32(v))
		}
	}
	for i := 0; i < len(queue); i++ {
		v := queue[i]
		if degree[v] != 1 {
			continue // the last of a tree
		}
		for x := a.start[v]; x < a.start[v+1]; x++ {
			if w := a.to[x]; r.core[w] {
				r.parent[v], r.core[v] = a.edge[x], false
				if degree[w]--; degree[w] == 1 {
					queue = append(queue, w)
				}
				break
			}
		}
	}
}

// number puts the trees that hang off the core in preorder.
func (r *Routing) number() {
	n := len(r.parent)
	r.enter, r.leave = make([]int32, n), make([]int32, n)
	r.first = make([]int32, n+1)
	up := func(v int) int { return r.g.Edges[r.parent[v]].Other(v) }
	for v := range n {
		if r.parent[v] >= 0 {
			r.first[up(v)+1]++
		}
	}
	for v := range n {
		r.first[v+1] += r.first[v]
	}
	r.children = make([]int32, r.first[n])
	fill := slices.Clone(r.first)
	for v := range n {
		if r.parent[v] >= 0 {
			u := up(v)
			r.children[fill[u]] = int32(v)
			fill[u]++
		}
	}
	r.order = make([]int32, 0, n)
	next := slices.Clone(r.first[:n])
	var stack []int32
	for root := range n {
		if !r.core[root] {
			continue
		}
		stack = append(stack[:0], int32(root))
		for len(stack) > 0 {
			v := stack[len(stack)-1]
			if next[v] == r.first[v] { // not met before
				r.enter[v], r.anchor[v] = int32(len(r.order)), int32(root)
				r.order = append(r.order, v)
			}
			if next[v] < r.first[v+1] {
				stack = append(stack, r.children[next[v]])
				next[v]++
				continue
			}
			r.leave[v] = int32(len(r.order))
			stack = stack[:len(stack)-1]
		}
	}
}

// Core lists the nodes that do not hang off another one, in their order.
func (r *Routing) Core() []int { return r.nodes }

// Anchor is the node of the core that v hangs off, v itself in the core.
func (r *Routing) Anchor(v int) int { return int(r.anchor[v]) }

// Parent is the edge that leads from v towards the core, -1 in the core.
func (r *Routing) Parent(v int) int { return int(r.parent[v]) }

// Hanging lists the nodes that are reached through v, which is a node of the core
// or hangs off it, v first, then in the order of a walk along the tree. The slice
// is shared: it must not be written.
func (r *Routing) Hanging(v int) []int32 { return r.order[r.enter[v]:r.leave[v]] }

// Next is the edge by which from sends what is for to; -1 if they are the same or
// no path leads there.
func (r *Routing) Next(from, to int) int {
	switch {
	case from == to:
		return -1
	case r.enter[from] <= r.enter[to] && r.enter[to] < r.leave[from]: // it hangs off from
		c := r.children[r.first[from]:r.first[from+1]]
		i, found := slices.BinarySearchFunc(c, r.enter[to], func(v, at int32) int { return int(r.enter[v] - at) })
		if !found {
			i--
		}
		return int(r.parent[c[i]])
	case r.parent[from] >= 0:
		if !r.joined(from, to) {
			return -1
		}
		return int(r.parent[from])
	}
	return int(r.row(int(r.anchor[to]))[r.index[from]])
}

// joined tells whether there is a path.
func (r *Routing) joined(a, b int) bool {
	x, y := int(r.anchor[a]), int(r.anchor[b])
	return x == y || r.row(y)[r.index[x]] >= 0
}

// row is the table of the destination to, a node of the core.
func (r *Routing) row(to int) []int32 {
	i := r.index[to]
	if r.rows[i] == nil {
		r.paths.From(int(i))
		row := make([]int32, len(r.nodes))
		for j, e := range r.paths.via {
			row[j] = -1
			if e >= 0 {
				row[j] = r.edges[e]
			}
		}
		r.rows[i] = row
	}
	return r.rows[i]
}

// Path lists the edges from one node to another; nil if they are the same or no
// path leads there.
func (r *Routing) Path(from, to int) []int {
	var path []int
	for v := from; v != to; {
		e := r.Next(v, to)
		if e < 0 {
			return nil
		}
		path = append(path, e)
		v = r.g.Edges[e].Other(v)
	}
	return path
}
