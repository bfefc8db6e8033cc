package sim

import (
	"strings"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/sim/topology"
)

// partition spreads the nodes over parts and makes their Domains.
func (n *Network) partition() {
	n.leastDelays()
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

// leastDelays finds how long frames take at least, whatever actions change.
func (n *Network) leastDelays() {
	for _, l := range n.links {
		for i := range l.least {
			l.least[i] = leastDelay(l.wire(i))
		}
	}
	n.parseLinks()
	for _, a := range n.actions {
		for _, d := range a.deeds {
			if d.wire != nil {
				d.link.least[d.end] = min(d.link.least[d.end], leastDelay(d.wire))
			}
		}
	}
	for _, l := range n.links {
		l.subnet.delay = min(l.least[0], l.least[1])
	}
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
		d[a][b] = min(d[a][b], core.Time(l.least[0]))
		d[b][a] = min(d[b][a], core.Time(l.least[1]))
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

// cut chooses a part for every node: by what the nodes have to do, and
// so that only links with a delay are cut.
func (n *Network) cut() []int {
	g := &topology.Graph{Nodes: make([]topology.Node, len(n.nodes))}
	weights := make([]int, len(n.nodes))
	for i, x := range n.nodes {
		weights[i] = 1 + len(x.ports) + 4*len(x.tasks)
	}
	for _, s := range n.subnets {
		for _, p := range s.ports[min(1, len(s.ports)):] {
			if p.node == s.ports[0].node {
				continue
			}
			g.Connect(s.ports[0].node.index, p.node.index, topology.Link{Delay: s.delay})
		}
	}
	for _, a := range n.actions { // who moves to a segment is where its ports are
		w := strings.Fields(a.text.Text)
		if len(w) < 4 || w[1] != "plug" || n.byName[w[0]] == nil || n.segments[w[3]] == nil {
			continue
		}
		if ports := n.segments[w[3]].subnet.ports; len(ports) > 0 {
			g.Connect(n.byName[w[0]].index, ports[0].node.index, topology.Link{})
		}
	}
	return topology.Partition(g, max(1, n.options.Partitions), weights)
}
