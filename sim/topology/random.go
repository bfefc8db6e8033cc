package topology

import (
	"fmt"
	"math"
	"math/bits"
	"time"
)

// Source is a stream of random numbers; a core.Source is one. Equal streams give
// equal graphs.
type Source interface{ Uint64() uint64 }

// unit draws from 0 (inclusive) to 1 (exclusive).
func unit(s Source) float64 { return float64(s.Uint64()>>11) / (1 << 53) }

// below draws a number below n.
func below(s Source, n int) int {
	hi, _ := bits.Mul64(s.Uint64(), uint64(n))
	return int(hi)
}

func chance(name, what string, p float64) error {
	if !(p >= 0 && p <= 1) {
		return fmt.Errorf("topology %s: %s is between 0 and 1, not %v", name, what, p)
	}
	return nil
}

// ErdosRenyi is the random graph G(n, p): each pair of n routers is joined with
// probability p. connected adds an edge between random nodes for each part that
// would be apart.
func ErdosRenyi(n int, p float64, connected bool, l Link, s Source) (*Graph, error) {
	const name = "random graph"
	if err := limit(name, "nodes", n, 1); err != nil {
		return nil, err
	}
	if err := chance(name, "the probability of an edge", p); err != nil {
		return nil, err
	}
	if expected := p * float64(n) * float64(n-1) / 2; expected > MaxEdges*0.9 {
		return nil, fmt.Errorf("topology %s: %d nodes joined with probability %v would have some %.0f edges; %d are the most", name, n, p, expected, MaxEdges)
	}
	g := start(name, "n", Router, n)
	// The pairs that are not joined are skipped at once: their number has a
	// geometric distribution (Batagelj and Brandes, 2005).
	if p == 1 {
		for i := range n {
			for j := i + 1; j < n; j++ {
				g.Connect(i, j, l)
			}
		}
	} else if p > 0 {
		miss := math.Log1p(-p)
		for v, w := 1, -1; v < n; {
			skip := math.Log1p(-unit(s)) / miss
			if skip > float64(n)*float64(n) {
				break
			}
			w += 1 + int(skip)
			for v < n && w >= v {
				w -= v
				v++
			}
			if v < n {
				if len(g.Edges) == MaxEdges {
					return nil, tooMany(name, n, MaxEdges+1)
				}
				g.Connect(w, v, l)
			}
		}
	}
	if connected {
		g.join(s, func(int, int) Link { return l })
	}
	return g, nil
}

// join adds an edge for each connected part but the first, from a random node of
// it to a random node of those before.
func (g *Graph) join(s Source, link func(a, b int) Link) {
	part, n := g.Components()
	if n == 1 {
		return
	}
	members := make([][]int, n)
	for v, p := range part {
		members[p] = append(members[p], v)
	}
	joined := members[0]
	for _, m := range members[1:] {
		a, b := joined[below(s, len(joined))], m[below(s, len(m))]
		g.Connect(a, b, link(a, b))
		joined = append(joined, m...)
	}
}

// BarabasiAlbert grows a scale-free graph: m+1 routers that are all joined, then
// n-m-1 more, each joined to m different ones that are chosen with a probability
// proportional to how many edges they have. (Barabási, Albert: Emergence of Scaling
// in Random Networks, Science 286, 1999.)
func BarabasiAlbert(n, m int, l Link, s Source) (*Graph, error) {
	const name = "scale-free graph"
	if err := limit(name, "nodes", n, 2); err != nil {
		return nil, err
	}
	if m < 1 || m >= n {
		return nil, fmt.Errorf("topology %s: %d edges for each new node of %d; it takes 1 to %d", name, m, n, n-1)
	}
	if m > MaxEdges/n {
		return nil, tooMany(name, n, n*m)
	}
	g := start(name, "n", Router, n)
	ends := make([]int32, 0, 2*n*m) // every node once for each of its edges
	connect := func(a, b int) {
		g.Connect(a, b, l)
		ends = append(ends, int32(a), int32(b))
	}
	for i := range m + 1 {
		for j := range i {
			connect(j, i)
		}
	}
	chosen := make([]int, 0, m)
	taken := make([]int, n) // by which new node
	for v := m + 1; v < n; v++ {
		chosen = chosen[:0]
		for len(chosen) < m {
			if w := int(ends[below(s, len(ends))]); taken[w] != v {
				taken[w] = v
				chosen = append(chosen, w)
			}
		}
		for _, w := range chosen {
			connect(w, v)
		}
	}
	return g, nil
}

// MaxWaxman is the largest Waxman graph: every pair is looked at.
const MaxWaxman = 20_000

// Waxman puts n routers at random places of a unit square and joins each pair with
// probability alpha·exp(-d/(beta·L)), where d is their distance and L the square's
// diagonal; alpha and beta are between 0 and 1. l.Delay is that of the diagonal, and
// each edge has its share of it, 1 ns at least where l.Delay is not 0. (Waxman:
// Routing of Multipoint Connections, IEEE JSAC 6(9), 1988.)
func Waxman(n int, alpha, beta float64, connected bool, l Link, s Source) (*Graph, error) {
	const name = "Waxman graph"
	if err := limit(name, "nodes", n, 1); err != nil {
		return nil, err
	}
	if n > MaxWaxman {
		return nil, fmt.Errorf("topology %s: %d nodes; %d are the most", name, n, MaxWaxman)
	}
	if err := chance(name, "alpha", alpha); err != nil {
		return nil, err
	}
	if err := chance(name, "beta", beta); err != nil {
		return nil, err
	}
	g := start(name, "n", Router, n)
	for v := range n {
		g.place(v, unit(s), unit(s))
	}
	distance := func(a, b int) float64 {
		p, q := g.Nodes[a].Pos, g.Nodes[b].Pos
		return math.Hypot(p.X-q.X, p.Y-q.Y) / math.Sqrt2 // 1 is the diagonal
	}
	link := func(a, b int) Link {
		x := l
		if l.Delay > 0 {
			x.Delay = max(1, time.Duration(float64(l.Delay)*distance(a, b)))
		}
		return x
	}
	for a := range n {
		for b := a + 1; b < n; b++ {
			p := 0.0
			if beta > 0 {
				p = alpha * math.Exp(-distance(a, b)/beta)
			}
			if unit(s) < p {
				if len(g.Edges) == MaxEdges {
					return nil, tooMany(name, n, MaxEdges+1)
				}
				g.Connect(a, b, link(a, b))
			}
		}
	}
	if connected {
		g.join(s, link)
	}
	return g, nil
}

// RandomRegular joins n routers at random such that each has d edges, none of them
// parallel; n·d is even and d below n. connected exchanges ends of edges until the
// graph is in one piece, for which d is at least 2 (or n at most 2).
func RandomRegular(n, d int, connected bool, l Link, s Source) (*Graph, error) {
	const name = "regular graph"
	if err := limit(name, "nodes", n, 1); err != nil {
		return nil, err
	}
	if d < 0 || d >= n || n*d%2 != 0 {
		return nil, fmt.Errorf("topology %s: %d nodes with %d edges each: the edges must be fewer than the nodes, and the product even", name, n, d)
	}
	if connected && (d < 2 && n > 2 || d < 1 && n > 1) {
		return nil, fmt.Errorf("topology %s: %d nodes with %d edges each are never in one piece; it takes 2", name, n, d)
	}
	if d > 0 && n > 2*MaxEdges/d {
		return nil, tooMany(name, n, n*d/2)
	}
	sought := min(d, n-1-d) // of a dense graph, what is not joined
	r := regular{s: s, ends: make([]int, n*sought), joined: make(map[[2]int]int, n*sought/2)}
	for i := range r.ends {
		r.ends[i] = i / sought
	}
	for i := len(r.ends) - 1; i > 0; i-- {
		j := below(s, i+1)
		r.ends[i], r.ends[j] = r.ends[j], r.ends[i]
	}
	if !r.simple() {
		return nil, fmt.Errorf("topology %s: no graph of %d nodes with %d edges each was found: take another seed or fewer edges", name, n, d)
	}
	g := start(name, "n", Router, n)
	for i := 0; sought == d && i < len(r.ends); i += 2 {
		g.Connect(r.ends[i], r.ends[i+1], l)
	}
	for a := 0; sought != d && a < n; a++ {
		for b := a + 1; b < n; b++ {
			if r.joined[pair(a, b)] == 0 {
				g.Connect(a, b, l)
			}
		}
	}
	if connected {
		g.exchange()
	}
	return g, nil
}

// regular is a pairing of the ends of edges: ends[2i] with ends[2i+1].
type regular struct {
	s      Source
	ends   []int
	joined map[[2]int]int // how many edges each pair has
}

func pair(a, b int) [2]int { return [2]int{min(a, b), max(a, b)} }

func (r *regular) bad(e int) bool {
	a, b := r.ends[2*e], r.ends[2*e+1]
	return a == b || r.joined[pair(a, b)] > 1
}

func (r *regular) count(e, by int) { r.joined[pair(r.ends[2*e], r.ends[2*e+1])] += by }

// simple exchanges ends between a loop or parallel edge and a random edge where
// that makes neither, until none is left.
func (r *regular) simple() bool {
	edges := len(r.ends) / 2
	for e := range edges {
		r.count(e, 1)
	}
	for e := range edges {
		for tries := 0; r.bad(e); tries++ {
			if tries == 100*edges+1000 {
				return false
			}
			f := below(r.s, edges)
			if f == e {
				continue
			}
			a, b, c, d := r.ends[2*e], r.ends[2*e+1], r.ends[2*f], r.ends[2*f+1]
			if a == c || b == d || r.joined[pair(a, c)] > 0 || r.joined[pair(b, d)] > 0 || pair(a, c) == pair(b, d) {
				continue
			}
			r.count(e, -1)
			r.count(f, -1)
			r.ends[2*e], r.ends[2*e+1], r.ends[2*f], r.ends[2*f+1] = a, c, b, d
			r.count(e, 1)
			r.count(f, 1)
		}
	}
	return true
}

// exchange joins the parts of a graph in which every part has a cycle, and keeps
// all degrees: an edge of a cycle in each of two parts swap ends.
func (g *Graph) exchange() {
	s := newSets(len(g.Nodes))
	var spare []int // edges whose removal parts nothing
	for i := range g.Edges {
		if !s.join(g.Edges[i].A, g.Edges[i].B) {
			spare = append(spare, i)
		}
	}
	first := -1 // a spare edge of the part that grows
	for _, i := range spare {
		e := &g.Edges[i]
		if first < 0 {
			first = i
			continue
		}
		f := &g.Edges[first]
		if s.join(e.A, f.A) {
			e.B, f.B = f.B, e.B
		}
		first = i
	}
}
