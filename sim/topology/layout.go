package topology

import "math"

// Layout places every node for a drawing: by longitude and latitude where all are
// located; otherwise what hangs off by one edge, as hosts do, around its router, and
// the rest by forces (Fruchterman, Reingold: Graph Drawing by Force-directed
// Placement, 1991), with distant nodes taken together. An edge is about 1 long. The
// same graph and source give the same places.
func (g *Graph) Layout(s Source) {
	located := len(g.Nodes) > 0
	for i := range g.Nodes {
		located = located && g.Nodes[i].Located
	}
	if located {
		for v := range g.Nodes {
			g.place(v, g.Nodes[v].Lon, -g.Nodes[v].Lat)
		}
		return
	}
	r := g.NewRouting(Hops)
	core := r.Core()
	f := forces{n: len(core), at: make([]Point, len(core)), push: make([]Point, len(core)), size: make([]float64, len(core))}
	for i, v := range core {
		// What hangs off a node needs room, too.
		f.size[i] = 1 + math.Sqrt(float64(len(r.Hanging(v))-1))/4
	}
	for _, e := range r.edges {
		f.edges = append(f.edges, [2]int32{r.index[g.Edges[e].A], r.index[g.Edges[e].B]})
	}
	if f.n == 0 {
		return
	}
	f.begin(r, s)
	f.run()
	for i, v := range core {
		g.place(v, f.at[i].X, f.at[i].Y)
		g.fan(r, v)
	}
}

// fan places what hangs off v in rings around it, each node in a sector as wide as
// what hangs off it needs.
func (g *Graph) fan(r *Routing, v int) {
	type sector struct {
		v        int32
		from, to float64
		ring     int
	}
	center := g.Nodes[v].Pos
	below := func(v int32) float64 { return float64(r.leave[v] - r.enter[v]) }
	step := 0.4 + math.Sqrt(below(int32(v)))/20
	stack := []sector{{v: int32(v), to: 2 * math.Pi}}
	for len(stack) > 0 {
		x := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if x.ring > 0 {
			sin, cos := math.Sincos((x.from + x.to) / 2)
			radius := step * float64(x.ring)
			g.place(int(x.v), center.X+radius*cos, center.Y+radius*sin)
		}
		from, all := x.from, below(x.v)-1
		for _, c := range r.children[r.first[x.v]:r.first[x.v+1]] {
			to := from + (x.to-x.from)*below(c)/all
			stack = append(stack, sector{v: c, from: from, to: to, ring: x.ring + 1})
			from = to
		}
	}
}

// forces are nodes that push each other away and edges that draw them together.
type forces struct {
	n     int
	at    []Point
	push  []Point
	size  []float64
	edges [][2]int32
	cells [][]int32 // grid of side×side
	mid   []Point   // centre of gravity of each cell
	mass  []float64
	side  int
}

// begin spreads nodes by how far they are from two distant ones, so that forces
// only have to straighten them.
func (f *forces) begin(r *Routing, s Source) {
	far := func(from int) (hops []int32, last int) {
		hops = make([]int32, f.n)
		r.paths.From(from)
		for i := range hops {
			if hops[i] = r.paths.hops[i]; hops[i] > hops[last] {
				last = i
			}
		}
		return hops, last
	}
	_, a := far(0)
	x, b := far(a)
	y, _ := far(b)
	// The third place is one that is far from both.
	c := 0
	for i := range x {
		if min(x[i], y[i]) > min(x[c], y[c]) {
			c = i
		}
	}
	z, _ := far(c)
	for i := range f.at {
		f.at[i] = Point{float64(x[i]-y[i])/2 + unit(s), float64(z[i]) + unit(s)}
	}
}

func (f *forces) run() {
	f.side = min(16, max(1, int(math.Sqrt(float64(f.n))/4)))
	f.cells = make([][]int32, f.side*f.side)
	f.mid, f.mass = make([]Point, len(f.cells)), make([]float64, len(f.cells))
	heat := math.Sqrt(float64(f.n)) / 4
	rounds := min(60, max(20, 200_000/f.n))
	cool := math.Pow(0.013, 1/float64(rounds)) // to some hundredth of what it was
	for range rounds {
		f.repel()
		for _, e := range f.edges {
			a, b := e[0], e[1]
			dx, dy := f.at[a].X-f.at[b].X, f.at[a].Y-f.at[b].Y
			d := math.Hypot(dx, dy) / (f.size[a] + f.size[b]) * 2
			f.push[a].X -= dx * d
			f.push[a].Y -= dy * d
			f.push[b].X += dx * d
			f.push[b].Y += dy * d
		}
		for i := range f.at {
			p := f.push[i]
			if d := math.Hypot(p.X, p.Y); d > 0 {
				m := min(d, heat) / d
				f.at[i].X += p.X * m
				f.at[i].Y += p.Y * m
			}
		}
		heat = heat*cool + 0.002
	}
}

// repel sums up what pushes each node: nodes nearby one by one, the others by cell.
func (f *forces) repel() {
	lo, hi := f.at[0], f.at[0]
	for _, p := range f.at {
		lo.X, lo.Y = min(lo.X, p.X), min(lo.Y, p.Y)
		hi.X, hi.Y = max(hi.X, p.X), max(hi.Y, p.Y)
	}
	sx, sy := float64(f.side)/(hi.X-lo.X+1e-9), float64(f.side)/(hi.Y-lo.Y+1e-9)
	cell := func(p Point) (x, y int) {
		return min(f.side-1, int((p.X-lo.X)*sx)), min(f.side-1, int((p.Y-lo.Y)*sy))
	}
	for c := range f.cells {
		f.cells[c], f.mid[c], f.mass[c] = f.cells[c][:0], Point{}, 0
	}
	for i, p := range f.at {
		x, y := cell(p)
		c := y*f.side + x
		f.cells[c] = append(f.cells[c], int32(i))
		f.mid[c].X += p.X * f.size[i]
		f.mid[c].Y += p.Y * f.size[i]
		f.mass[c] += f.size[i]
	}
	for c, m := range f.mass {
		if m > 0 {
			f.mid[c].X /= m
			f.mid[c].Y /= m
		}
	}
	for i, p := range f.at {
		x, y := cell(p)
		var sum Point
		away := func(q Point, mass float64, j int) {
			dx, dy := p.X-q.X, p.Y-q.Y
			d := dx*dx + dy*dy
			if d < 1e-6 { // at one place: apart by their numbers
				dx, dy, d = 1e-3*float64(i-j+1), 1e-3, 1e-3
			}
			m := mass * f.size[i] / d
			sum.X += dx * m
			sum.Y += dy * m
		}
		for c, mass := range f.mass {
			if mass == 0 {
				continue
			}
			cx, cy := c%f.side, c/f.side
			near := cx >= x-1 && cx <= x+1 && cy >= y-1 && cy <= y+1
			if !near || len(f.cells[c]) > 64 {
				away(f.mid[c], mass, 0)
				continue
			}
			for _, j := range f.cells[c] {
				if int(j) != i {
					away(f.at[j], f.size[j], int(j))
				}
			}
		}
		// A little towards the middle, so that pieces do not fly apart.
		sum.X -= 0.02 * (p.X - (lo.X+hi.X)/2)
		sum.Y -= 0.02 * (p.Y - (lo.Y+hi.Y)/2)
		f.push[i] = sum
	}
}
