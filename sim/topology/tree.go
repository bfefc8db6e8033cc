package topology

import (
	"fmt"
	"math"
)

// Tree is a tree in which each inner node has k children: depth 0 is its root
// alone. The leaves are hosts.
func Tree(k, depth int, l Link) (*Graph, error) {
	if err := limit("tree", "children of a node", k, 1); err != nil {
		return nil, err
	}
	if err := limit("tree", "levels below the root", depth, 0); err != nil {
		return nil, err
	}
	n, level := 1, 1
	for range depth {
		if level *= k; level > MaxNodes {
			return nil, tooMany("tree", level, level)
		}
		n += level
		if err := tooMany("tree", n, n-1); err != nil {
			return nil, err
		}
	}
	g := start("tree", "n", Router, n)
	for v, first, width, d := 0, 0, 1, 0; v < n; v++ {
		if v == first+width {
			first, width, d = v, width*k, d+1
		}
		g.place(v, (float64(v-first)+0.5)/float64(width)*float64(level), float64(d)*math.Max(1, float64(level)/float64(4*depth+1)))
		if d == depth {
			g.Nodes[v].Kind = Host
		}
		if v > 0 {
			g.Connect((v-1)/k, v, l)
		}
	}
	return g, nil
}

// FatTree is the three-level folded Clos network of k-port switches: k pods, each
// with k/2 edge and k/2 aggregation switches, (k/2)² core switches and k³/4 hosts.
// k is even. (Al-Fares, Loukissas, Vahdat: A Scalable, Commodity Data Center Network
// Architecture, SIGCOMM 2008.)
func FatTree(k int, l Link) (*Graph, error) {
	if k < 2 || k > 128 || k%2 != 0 {
		return nil, fmt.Errorf("topology fat tree: switches with %d ports; it takes an even number from 2 to 128", k)
	}
	half := k / 2
	if err := tooMany("fat tree", k*k*k/4+5*k*k/4, 3*k*k*k/4); err != nil {
		return nil, err
	}
	g := &Graph{Name: "fat tree"}
	width, rise := float64(k*half*half), float64(k*half*half)/6+1
	for i := range half * half {
		g.place(g.AddNode(fmt.Sprintf("core%d", i), Router), (float64(i)+0.5)*width/float64(half*half), 0)
	}
	for pod := range k {
		aggregation := len(g.Nodes)
		for i := range half {
			v := g.AddNode(fmt.Sprintf("agg%d-%d", pod, i), Router)
			g.place(v, (float64(pod*half+i)+0.5)*float64(half), rise)
			for j := range half {
				g.Connect(i*half+j, v, l)
			}
		}
		for i := range half {
			v := g.AddNode(fmt.Sprintf("edge%d-%d", pod, i), Router)
			g.place(v, (float64(pod*half+i)+0.5)*float64(half), 2*rise)
			for j := range half {
				g.Connect(aggregation+j, v, l)
			}
			for j := range half {
				h := g.AddNode(fmt.Sprintf("h%d-%d-%d", pod, i, j), Host)
				g.place(h, float64((pod*half+i)*half+j)+0.5, 3*rise)
				g.Connect(v, h, l)
			}
		}
	}
	return g, nil
}
