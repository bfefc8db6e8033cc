package topology

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// JSON is the graph in the node-link form that d3 and networkx read: nodes with id,
// kind, x, y, lat and lon, links with source, target, delay (seconds), rate (bits per
// second) and cost, each beside its attributes under "attrs".
func (g *Graph) JSON() ([]byte, error) {
	type node struct {
		ID    string            `json:"id"`
		Kind  string            `json:"kind,omitempty"`
		X     *float64          `json:"x,omitempty"`
		Y     *float64          `json:"y,omitempty"`
		Lat   *float64          `json:"lat,omitempty"`
		Lon   *float64          `json:"lon,omitempty"`
		Attrs map[string]string `json:"attrs,omitempty"`
	}
	type link struct {
		Source string            `json:"source"`
		Target string            `json:"target"`
		Key    int               `json:"key"`
		Delay  float64           `json:"delay,omitempty"`
		Rate   int64             `json:"rate,omitempty"`
		Cost   uint64            `json:"cost,omitempty"`
		Attrs  map[string]string `json:"attrs,omitempty"`
	}
	out := struct {
		Directed   bool `json:"directed"`
		Multigraph bool `json:"multigraph"`
		Graph      struct {
			Name string `json:"name,omitempty"`
		} `json:"graph"`
		Nodes []node `json:"nodes"`
		Links []link `json:"links"`
	}{Multigraph: true, Nodes: make([]node, len(g.Nodes)), Links: make([]link, len(g.Edges))}
	out.Graph.Name = g.Name
	for i := range g.Nodes {
		n := &g.Nodes[i]
		x := node{ID: n.Name, Kind: n.Kind, Attrs: n.Attrs}
		if n.Placed {
			x.X, x.Y = &n.Pos.X, &n.Pos.Y
		}
		if n.Located {
			x.Lat, x.Lon = &n.Lat, &n.Lon
		}
		out.Nodes[i] = x
	}
	keys := map[[2]int]int{}
	for i := range g.Edges {
		e := &g.Edges[i]
		p := pair(e.A, e.B)
		out.Links[i] = link{g.Nodes[e.A].Name, g.Nodes[e.B].Name, keys[p], e.Delay.Seconds(), e.Rate, e.Cost, e.Attrs}
		keys[p]++
	}
	return json.MarshalIndent(&out, "", " ")
}

// DOT is the graph for Graphviz: neato -n draws it at the nodes' places where they
// are placed, dot and others lay it out. Edges are labelled with delay and rate.
func (g *Graph) DOT() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "graph %s {\n\tnode [fontsize=10];\n\tedge [fontsize=8];\n", quote(g.Name))
	for i := range g.Nodes {
		n := &g.Nodes[i]
		fmt.Fprintf(&b, "\t%s", quote(n.Name))
		var attrs []string
		switch n.Kind {
		case Host:
			attrs = append(attrs, "shape=box")
		case Switch:
			attrs = append(attrs, "shape=diamond")
		}
		if n.Placed {
			attrs = append(attrs, fmt.Sprintf("pos=\"%s,%s!\"", number(72*n.Pos.X), number(-72*n.Pos.Y)))
		}
		if len(attrs) > 0 {
			fmt.Fprintf(&b, " [%s]", strings.Join(attrs, ", "))
		}
		b.WriteString(";\n")
	}
	for i := range g.Edges {
		e := &g.Edges[i]
		fmt.Fprintf(&b, "\t%s -- %s", quote(g.Nodes[e.A].Name), quote(g.Nodes[e.B].Name))
		var label []string
		if e.Delay > 0 {
			label = append(label, e.Delay.String())
		}
		if e.Rate > 0 {
			label = append(label, bitRate(e.Rate))
		}
		if len(label) > 0 {
			fmt.Fprintf(&b, " [label=%s]", quote(strings.Join(label, ", ")))
		}
		b.WriteString(";\n")
	}
	b.WriteString("}\n")
	return []byte(b.String())
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }

// quote is a quoted ID of the DOT language, in which only the quote is escaped; a
// backslash would begin an escape of a label.
func quote(s string) string {
	s = strings.ReplaceAll(s, `\`, `\\`)
	return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"`
}

// bitRate is a rate for people.
func bitRate(rate int64) string {
	for _, u := range []struct {
		unit int64
		name string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "K"}} {
		if rate >= u.unit {
			return strconv.FormatFloat(float64(rate)/float64(u.unit), 'g', 4, 64) + u.name + "bit/s"
		}
	}
	return strconv.FormatInt(rate, 10) + "bit/s"
}
