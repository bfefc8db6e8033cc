package sim

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
)

// partition spreads the nodes over parts and makes their Domains.
func (n *Network) partition() {
	of := n.cut()
	count := 0
	for _, k := range of {
		count = max(count, k+1)
	}
	for i := range count {
		h := host.NewVirtual(n.options.Seed, host.WithWallClock(n.options.Start), host.WithLog(n.options.Log), host.Alone())
		p := &part{index: i, net: n, host: h, domain: core.NewDomain(h, core.DomainOptions{Exact: true}), out: make([][]*pipe.End, count)}
		n.parts = append(n.parts, p)
	}
	for i, x := range n.nodes {
		x.part = n.parts[of[i]]
	}
	n.lookAhead(of)
}

// lookAhead finds how long news takes from part to part: the shortest way by
// links that are cut (Floyd and Warshall); to a part itself, by way of another.
func (n *Network) lookAhead(of []int) {
	count := len(n.parts)
	d := make([][]core.Time, count)
	for i := range d {
		d[i] = make([]core.Time, count)
		for j := range d[i] {
			d[i][j] = core.Never
		}
	}
	for _, l := range n.links {
		a, b := of[l.ends[0].node.index], of[l.ends[1].node.index]
		if a == b {
			continue
		}
		d[a][b] = min(d[a][b], core.Time(l.wire(0).Delay))
		d[b][a] = min(d[b][a], core.Time(l.wire(1).Delay))
	}
	for k := range d {
		for i := range d {
			for j := range d {
				if d[i][k] != core.Never && d[k][j] != core.Never {
					d[i][j] = min(d[i][j], d[i][k]+d[k][j])
				}
			}
		}
	}
	n.ahead = d
}

// cut chooses a part for every node.
func (n *Network) cut() []int {
	of := make([]int, len(n.nodes))
	if n.options.Partitions < 2 {
		return of
	}
	// Nodes that no delay keeps apart stay together.
	group := make([]int, len(n.nodes))
	for i := range group {
		group[i] = i
	}
	var find func(int) int
	find = func(i int) int {
		for group[i] != i {
			group[i] = group[group[i]]
			i = group[i]
		}
		return i
	}
	for _, s := range n.subnets {
		if s.delay <= 0 {
			for _, p := range s.ports[1:] {
				a, b := find(s.ports[0].node.index), find(p.node.index)
				group[max(a, b)] = min(a, b)
			}
		}
	}
	order := make([]int, 0, len(n.nodes)) // breadth first, so that neighbours are near
	seen := make([]bool, len(n.nodes))
	for i := range n.nodes {
		if seen[i] {
			continue
		}
		seen[i] = true
		order = append(order, i)
		for k := len(order) - 1; k < len(order); k++ {
			for _, p := range n.nodes[order[k]].ports {
				for _, q := range p.subnet.ports {
					if j := q.node.index; !seen[j] {
						seen[j] = true
						order = append(order, j)
					}
				}
			}
		}
	}
	count := min(n.options.Partitions, len(n.nodes))
	next := 0
	assigned := map[int]int{}
	for k, i := range order {
		g := find(i)
		if _, ok := assigned[g]; !ok {
			next = max(next, k*count/len(order))
			assigned[g] = next
		}
		of[i] = assigned[g]
	}
	return dense(of)
}

// dense renumbers parts so that none is empty.
func dense(of []int) []int {
	number := map[int]int{}
	for i, k := range of {
		if _, ok := number[k]; !ok {
			number[k] = len(number)
		}
		of[i] = number[k]
	}
	return of
}
