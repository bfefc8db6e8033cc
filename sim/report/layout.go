package report

import (
	"math"
	"math/rand/v2"

	"github.com/libos-go/libos/sim"
	"github.com/libos-go/libos/sim/topology"
)

type place struct{ x, y float64 }

// layout places the nodes between 0 and 1: where they are if any has a place, by
// their distances in hops otherwise. Nodes from real on are segments, which are in
// the middle of their ports where places are given.
func layout(nodes []sim.NodeResult, links []sim.LinkResult, real int) []place {
	n := len(nodes)
	at := make([]place, n)
	given := false
	for i, x := range nodes {
		at[i] = place{x.X, x.Y}
		given = given || x.X != 0 || x.Y != 0
	}
	if given {
		ports := make([]float64, n)
		for _, l := range links {
			if l.B >= real {
				ports[l.B]++
				k := ports[l.B]
				at[l.B].x += (at[l.A].x - at[l.B].x) / k
				at[l.B].y += (at[l.A].y - at[l.B].y) / k
			}
		}
	} else if n > layoutMost {
		g := new(topology.Graph)
		for _, x := range nodes {
			g.AddNode(x.Name, topology.Router)
		}
		for _, l := range links {
			g.Connect(l.A, l.B, topology.Link{})
		}
		g.Layout(rand.NewPCG(1, 1)) // the same drawing every time
		for i := range at {
			at[i] = place{g.Nodes[i].Pos.X, g.Nodes[i].Pos.Y}
		}
		level(at)
	} else {
		for i := range at {
			a := 2 * math.Pi * float64(i) / float64(n)
			at[i] = place{math.Cos(a), math.Sin(a)}
		}
		springs(at, links)
		level(at)
	}
	fit(at)
	return at
}

// springs moves nodes until their distances are near those in the graph: stress
// majorisation (Gansner, Koren and North, "Graph Drawing by Stress Majorization",
// 2004), from the distances to nodes that are far from each other.
func springs(at []place, links []sim.LinkResult) {
	n := len(at)
	if n < 2 {
		return
	}
	next := make([][]int, n)
	for _, l := range links {
		next[l.A], next[l.B] = append(next[l.A], l.B), append(next[l.B], l.A)
	}
	far := make([][]float64, n)
	for i := range far {
		far[i] = distances(next, i)
	}
	pivots := [4]int{}
	for k := 1; k < len(pivots); k++ { // each as far from those before it as can be
		most := -1.0
		for i := range n {
			least := math.Inf(1)
			for _, p := range pivots[:k] {
				least = min(least, far[p][i])
			}
			if least > most {
				most, pivots[k] = least, i
			}
		}
		if k == 1 { // the second one is at an end: let the first be at the other
			for i := range n {
				if far[pivots[1]][i] > far[pivots[1]][pivots[0]] {
					pivots[0] = i
				}
			}
		}
	}
	for i := range at {
		// what is in one place is moved apart a little
		at[i].x = far[pivots[0]][i] - far[pivots[1]][i] + 0.01*at[i].x
		at[i].y = far[pivots[2]][i] - far[pivots[3]][i] + 0.1*at[i].y
	}
	rounds := min(200, max(20, 60_000_000/(n*n)))
	moved := make([]place, n)
	for range rounds {
		for i := range at {
			var sum place
			weights := 0.0
			for j := range at {
				if i == j {
					continue
				}
				d := far[i][j]
				dx, dy := at[i].x-at[j].x, at[i].y-at[j].y
				now := math.Sqrt(dx*dx+dy*dy) + 1e-9
				w := 1 / (d * d)
				sum.x += w * (at[j].x + d*dx/now)
				sum.y += w * (at[j].y + d*dy/now)
				weights += w
			}
			moved[i] = place{sum.x / weights, sum.y / weights}
		}
		copy(at, moved)
	}
}

// layoutMost is how many nodes springs place; those of larger networks are placed
// as sim/topology does.
const layoutMost = 300

// distances are the hops from a node; what it does not reach is as far as the
// graph could be wide.
func distances(next [][]int, from int) []float64 {
	d := make([]float64, len(next))
	for i := range d {
		d[i] = math.Sqrt(float64(len(next))) + 1
	}
	d[from] = 0
	seen := make([]bool, len(next))
	seen[from] = true
	for queue := []int{from}; len(queue) > 0; queue = queue[1:] {
		for _, j := range next[queue[0]] {
			if !seen[j] {
				seen[j] = true
				d[j] = d[queue[0]] + 1
				queue = append(queue, j)
			}
		}
	}
	return d
}

// level turns the drawing so that it is widest from left to right.
func level(at []place) {
	var mx, my, xx, xy, yy float64
	for _, p := range at {
		mx, my = mx+p.x/float64(len(at)), my+p.y/float64(len(at))
	}
	for _, p := range at {
		dx, dy := p.x-mx, p.y-my
		xx, xy, yy = xx+dx*dx, xy+dx*dy, yy+dy*dy
	}
	a := math.Atan2(2*xy, xx-yy) / 2
	s, c := math.Sincos(a)
	for i, p := range at {
		at[i] = place{p.x*c + p.y*s, p.y*c - p.x*s}
	}
	if len(at) > 1 && at[0].x > at[len(at)-1].x { // the first one on the left
		for i := range at {
			at[i].x = -at[i].x
		}
	}
}

// fit scales places into 0…1 by 0…1, in steps of a thousandth. A drawing that is
// far wider than high, or higher than wide, keeps its shape.
func fit(at []place) {
	if len(at) == 0 {
		return
	}
	low, high := at[0], at[0]
	for _, p := range at {
		low = place{min(low.x, p.x), min(low.y, p.y)}
		high = place{max(high.x, p.x), max(high.y, p.y)}
	}
	wide, tall := high.x-low.x, high.y-low.y
	scale := func(v, from, size, other float64) float64 {
		if size < other/20 || size == 0 { // a line
			return 0.5
		}
		return math.Round((v-from)/size*1000) / 1000
	}
	for i, p := range at {
		at[i] = place{scale(p.x, low.x, wide, tall), scale(p.y, low.y, tall, wide)}
	}
}
