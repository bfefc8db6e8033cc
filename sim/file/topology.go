package file

import (
	"cmp"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/libos-go/libos/sim"
	"github.com/libos-go/libos/sim/topology"
)

// generators make graphs of the numbers in a table.
var generators = []struct {
	name string
	help string
	make func(t *table, l topology.Link, r *reader) (*topology.Graph, error)
}{
	{"chain", "n routers in a line", func(t *table, l topology.Link, _ *reader) (*topology.Graph, error) {
		return topology.Chain(t.count("n"), l)
	}},
	{"ring", "n routers in a ring", func(t *table, l topology.Link, _ *reader) (*topology.Graph, error) {
		return topology.Ring(t.count("n"), l)
	}},
	{"star", "n nodes around one", func(t *table, l topology.Link, _ *reader) (*topology.Graph, error) {
		return topology.Star(t.count("n"), l)
	}},
	{"mesh", "n routers, each with a link to each", func(t *table, l topology.Link, _ *reader) (*topology.Graph, error) {
		return topology.Mesh(t.count("n"), l)
	}},
	{"grid", "w times h routers", func(t *table, l topology.Link, _ *reader) (*topology.Graph, error) {
		return topology.Grid(t.count("w"), t.count("h"), l)
	}},
	{"torus", "a grid whose sides are joined", func(t *table, l topology.Link, _ *reader) (*topology.Graph, error) {
		return topology.Torus(t.count("w"), t.count("h"), l)
	}},
	{"tree", "each node has k below it, depth times", func(t *table, l topology.Link, _ *reader) (*topology.Graph, error) {
		return topology.Tree(t.count("k"), t.count("depth"), l)
	}},
	{"fat-tree", "of switches with k ports", func(t *table, l topology.Link, _ *reader) (*topology.Graph, error) {
		return topology.FatTree(t.count("k"), l)
	}},
	{"dumbbell", "left and right hosts, two routers; [topology.bottleneck] is the link between these", func(t *table, l topology.Link, r *reader) (*topology.Graph, error) {
		return topology.Dumbbell(t.count("left"), t.count("right"), l, l)
	}},
	{"erdos-renyi", "n routers, each pair with a link by probability p", func(t *table, l topology.Link, r *reader) (*topology.Graph, error) {
		return topology.ErdosRenyi(t.count("n"), t.probability("p"), !t.bool("unconnected"), l, r.net.Random("topology"))
	}},
	{"barabasi-albert", "n routers, each new one with m links, to those with many rather", func(t *table, l topology.Link, r *reader) (*topology.Graph, error) {
		return topology.BarabasiAlbert(t.count("n"), t.count("m"), l, r.net.Random("topology"))
	}},
	{"waxman", "n routers in a plane, near ones with a link rather: alpha and beta", func(t *table, l topology.Link, r *reader) (*topology.Graph, error) {
		return topology.Waxman(t.count("n"), t.float("alpha"), t.float("beta"), !t.bool("unconnected"), l, r.net.Random("topology"))
	}},
	{"random-regular", "n routers with degree links each", func(t *table, l topology.Link, r *reader) (*topology.Graph, error) {
		return topology.RandomRegular(t.count("n"), t.count("degree"), !t.bool("unconnected"), l, r.net.Random("topology"))
	}},
}

func (t *table) count(name string) int {
	if !t.has(name) {
		t.wrong(name, "it is missing: a whole number")
		return 0
	}
	return int(t.int(name, 1, topology.MaxNodes))
}

// topology reads [[topology]]: a generated or imported graph, and hosts at its
// routers if hosts says how many each has.
func (r *reader) topology(t *table) {
	kind := t.text("kind")
	t.what = "topology " + cmp.Or(kind, t.text("file"))
	prefix := t.text("prefix")
	t.text("name") // for --set
	config := func(name string) (c sim.LinkConfig) {
		if s := t.sub(name, t.what+", "+name); s != nil {
			c = r.linkConfig(s)
			s.done()
		}
		c.Place = t.place()
		return c
	}
	links, bottleneck, access := config("link"), config("bottleneck"), config("access")
	before := len(r.src.errs)
	g := r.graph(t, kind)
	if t.has("file") {
		g = r.imported(t)
	}
	hosts := int(t.int("hosts", 0, topology.MaxNodes))
	sysctls := t.sysctls()
	t.done()
	if g == nil || len(r.src.errs) > before {
		return
	}
	nodes := make([]*sim.Node, len(g.Nodes))
	leaf := degrees(g)
	for i := range g.Nodes {
		x := &g.Nodes[i]
		c := sim.NodeConfig{Place: t.place(), Sysctls: sysctls, X: x.Pos.X, Y: x.Pos.Y}
		switch {
		case x.Kind == topology.Host:
			c.Role = sim.Host
		case x.Kind == topology.Router, x.Kind == topology.Switch, hosts > 0, leaf[i] > 1:
			c.Role = sim.Router
		}
		nodes[i] = r.net.Node(prefix+x.Name, c)
	}
	for i := range g.Edges {
		e := &g.Edges[i]
		c := links
		if kind == "dumbbell" && t.has("bottleneck") && g.Nodes[e.A].Kind != topology.Host && g.Nodes[e.B].Kind != topology.Host {
			c = bottleneck
		}
		if e.Delay > 0 && c.Delay == 0 {
			c.Delay = e.Delay
		}
		if e.Rate > 0 && c.Rate == 0 {
			c.Rate = e.Rate
		}
		if e.Cost > 0 && c.Cost == 0 {
			c.Cost = int(min(e.Cost, 1<<30))
		}
		name := nodes[e.A].Name() + "-" + nodes[e.B].Name()
		for k := 2; r.net.LookupLink(name) != nil; k++ {
			name = fmt.Sprintf("%s-%s#%d", nodes[e.A].Name(), nodes[e.B].Name(), k)
		}
		r.net.Link(name, nodes[e.A], nodes[e.B], c)
	}
	if hosts == 0 {
		return
	}
	if !t.has("access") {
		access = links
	}
	for i, x := range nodes {
		if g.Nodes[i].Kind == topology.Host {
			continue
		}
		for k := range hosts {
			angle := 2 * math.Pi * float64(k) / float64(hosts)
			h := r.net.Node(x.Name()+".h"+strconv.Itoa(k+1), sim.NodeConfig{Place: t.place(), Role: sim.Host, Sysctls: sysctls,
				X: x.Config().X + 0.3*math.Cos(angle), Y: x.Config().Y + 0.3*math.Sin(angle)})
			r.net.Link("", x, h, access)
		}
	}
}

func degrees(g *topology.Graph) []int {
	n := make([]int, len(g.Nodes))
	for i := range g.Edges {
		n[g.Edges[i].A]++
		n[g.Edges[i].B]++
	}
	return n
}

// imported reads a published topology: GML, GraphML, or Rocketfuel's .cch or weights
// (with latencies beside them).
func (r *reader) imported(t *table) *topology.Graph {
	read := func(key string) (string, []byte, bool) {
		name := t.text(key)
		if !filepath.IsAbs(name) {
			name = filepath.Join(r.dir, name)
		}
		data, err := r.options.ReadFile(name)
		if err != nil {
			t.wrong(key, "%w", err)
		}
		return t.text(key), data, err == nil
	}
	name, data, ok := read("file")
	if !ok {
		return nil
	}
	var g *topology.Graph
	var err error
	switch strings.ToLower(filepath.Ext(name)) {
	case ".gml":
		g, err = topology.ReadGML(name, data)
	case ".graphml", ".xml":
		g, err = topology.ReadGraphML(name, data)
	case ".cch":
		g, err = topology.ReadCCH(name, data)
	default:
		var latencyName string
		var latencies []byte
		if t.has("latencies") {
			if latencyName, latencies, ok = read("latencies"); !ok {
				return nil
			}
		}
		g, err = topology.ReadRocketfuel(name, data, latencyName, latencies)
	}
	if err != nil {
		t.wrong("file", "%w", err)
		return nil
	}
	g.UniqueNames()
	least := t.duration("least_delay")
	g.SetGeoDelays(least)
	g.Layout(r.net.Random("layout"))
	return g
}

// graph generates the graph of a kind.
func (r *reader) graph(t *table, kind string) *topology.Graph {
	if t.has("file") {
		return nil
	}
	var names []string
	for _, x := range generators {
		names = append(names, x.name)
		if x.name != kind {
			continue
		}
		before := len(r.src.errs)
		g, err := x.make(t, topology.Link{}, r)
		if len(r.src.errs) > before {
			return nil
		}
		if err != nil {
			r.src.wrong(t.path, "%w", err)
			return nil
		}
		return g
	}
	t.wrong("kind", "there is no topology %q (%s; or give a file)", kind, strings.Join(names, ", "))
	return nil
}
