package sim

import (
	"context"
	"errors"
	"fmt"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/sim/topology"
)

// Automatic routes
//
// Routers know shortest ways by the links' costs (topology.Paths: of equal ones the
// way with fewer links, then that by the router that was made first): one route to each other router's block, and, in networks of up to
// manyRouters, one to each subnet between routers. Hosts have a default route by
// each router that hears them, the cheapest link first.
const manyRouters = 256

// way is a neighbour of a router by a subnet.
type way struct {
	out *port // by which one leaves
	via *port // the next router's
}

// route gives the nodes their routes.
func (n *Network) route(ctx context.Context) error {
	var errs []error
	for _, x := range n.nodes {
		for _, t := range x.config.Routes {
			if err := x.in.AddRoutes(t.Text); err != nil {
				errs = append(errs, fmt.Errorf("%s%w", prefix(t.Place), err))
			}
		}
	}
	if n.options.ByHand || len(errs) > 0 {
		return errors.Join(errs...)
	}
	var routers []*Node
	for _, x := range n.nodes {
		if x.IsRouter() {
			routers = append(routers, x)
		}
	}
	g := newWays(n, routers)
	for i, x := range n.nodes {
		if err := interruption(ctx, "nodes' routes", i, len(n.nodes)); err != nil {
			return err
		}
		if len(x.config.Routes) > 0 {
			continue
		}
		var err error
		if x.IsRouter() {
			err = g.routes(x)
		} else {
			err = x.defaults()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", x.where(), err)
		}
	}
	return nil
}

// defaults gives a host its default routes.
func (x *Node) defaults() error {
	metric := uint32(0)
	for _, p := range x.ports {
		for _, q := range p.subnet.ports {
			if q.node == x || !q.node.IsRouter() {
				continue
			}
			metric++
			for _, any := range []wire.Prefix{{Addr: wire.IPv4Any()}, {Addr: wire.IPv6Any()}} {
				if err := x.add(any, way{p, q}, metric); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// add adds a route by w, if both ends have an address of the family.
func (x *Node) add(to wire.Prefix, w way, metric uint32) error {
	for _, a := range w.via.prefixes {
		if a.Addr.Is4() == to.Addr.Is4() {
			err := x.in.AddRoute(core.RouteEntry{Prefix: to, Gateway: a.Addr, Interface: w.out.ifc, Metric: metric, Protocol: core.RouteByStatic})
			if err != nil {
				return fmt.Errorf("route to %v via %v: %w", to, a.Addr, err)
			}
			return nil
		}
	}
	return nil
}

// ways is the graph of routers.
type ways struct {
	net     *Network
	routers []*Node
	rank    map[*Node]int
	graph   topology.Graph
	by      []way // of each edge, from its end A
	paths   *topology.Paths
	// Of one source: the edge by which it sends to each router, -1 if none leads there.
	first []int
	trail []int
}

func newWays(n *Network, routers []*Node) *ways {
	g := &ways{net: n, routers: routers, rank: make(map[*Node]int, len(routers)), first: make([]int, len(routers)),
		graph: topology.Graph{Nodes: make([]topology.Node, len(routers))}}
	for i, r := range routers {
		g.rank[r] = i
	}
	for i, r := range routers {
		for _, p := range r.ports {
			for _, q := range p.subnet.ports {
				if j, ok := g.rank[q.node]; ok && j > i {
					g.graph.Connect(i, j, topology.Link{Cost: uint64(p.subnet.cost)})
					g.by = append(g.by, way{p, q})
				}
			}
		}
	}
	g.paths = g.graph.NewPaths(topology.Cost)
	return g
}

// way is how the source sends to a router.
func (g *ways) way(from, to int) way {
	w := g.by[g.first[to]]
	if g.graph.Edges[g.first[to]].A != from {
		w = way{w.via, w.out}
	}
	return w
}

// routes gives a router its routes.
func (g *ways) routes(x *Node) error {
	from := g.rank[x]
	g.shortest(from)
	for j, r := range g.routers {
		b := g.net.blocks[r]
		if b == nil || g.first[j] < 0 {
			continue
		}
		for _, to := range prefixes(g.net.families(x), b.base, b.bits) {
			if err := x.add(to, g.way(from, j), 0); err != nil {
				return err
			}
		}
	}
	for _, s := range g.net.subnets {
		if s.owner != nil || len(g.routers) > manyRouters && s.bits != 0 && g.joins(s) {
			continue
		}
		if to, ok := g.nearest(s, x); ok {
			for _, p := range s.prefixes(g.net.families(x)) {
				if err := x.add(p, to, 0); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// joins tells that all who are on s are routers: nobody's traffic goes there.
func (g *ways) joins(s *subnet) bool {
	for _, p := range s.ports {
		if _, ok := g.rank[p.node]; !ok {
			return false
		}
	}
	return true
}

// prefixes of a subnet.
func (s *subnet) prefixes(f Families) (out []wire.Prefix) {
	if s.bits != 0 {
		return prefixes(f, s.base, s.bits)
	}
	seen := map[wire.Prefix]bool{}
	for _, p := range s.ports {
		for _, a := range p.prefixes {
			if m := a.Masked(); !seen[m] {
				seen[m] = true
				out = append(out, m)
			}
		}
	}
	return out
}

// nearest is the way from x to the closest router on s; false if x is on s itself,
// or none can be reached.
func (g *ways) nearest(s *subnet, x *Node) (w way, ok bool) {
	from, best := g.rank[x], -1
	for _, p := range s.ports {
		if p.node == x {
			return way{}, false
		}
		if j, router := g.rank[p.node]; router && g.first[j] >= 0 && (best < 0 || g.paths.Distance(j) < g.paths.Distance(best)) {
			best = j
		}
	}
	if best < 0 {
		return way{}, false
	}
	return g.way(from, best), true
}

// shortest finds the ways of the source from.
func (g *ways) shortest(from int) {
	g.paths.From(from)
	for j := range g.first {
		g.first[j] = -1
	}
	for j := range g.routers {
		edge := -1
		g.trail = g.trail[:0]
		for v := j; v != from; v = g.graph.Edges[edge].Other(v) {
			if g.first[v] >= 0 {
				edge = g.first[v]
				break
			}
			if g.trail = append(g.trail, v); g.paths.Via(v) < 0 {
				break
			}
			edge = g.paths.Via(v)
		}
		for _, v := range g.trail {
			g.first[v] = edge
		}
	}
}
