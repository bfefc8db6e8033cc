package topology

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func file(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// text is a graph in few lines.
func text(g *Graph) string {
	var b strings.Builder
	fmt.Fprintln(&b, g.Name)
	for i := range g.Nodes {
		n := &g.Nodes[i]
		fmt.Fprint(&b, n.Name)
		if n.Located {
			fmt.Fprint(&b, " at ", n.Lat, " ", n.Lon)
		}
		if n.Attrs != nil {
			fmt.Fprintf(&b, " %q", n.Attrs)
		}
		fmt.Fprintln(&b)
	}
	for i := range g.Edges {
		e := &g.Edges[i]
		fmt.Fprint(&b, e.A, "-", e.B, " ", e.Rate, " ", e.Delay, " ", e.Cost)
		if e.Attrs != nil {
			fmt.Fprintf(&b, " %q", e.Attrs)
		}
		fmt.Fprintln(&b)
	}
	return b.String()
}

func wantText(t *testing.T, g *Graph, err error, want string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(text(g)); got != strings.TrimSpace(want) {
		t.Errorf("got\n%s\nwant\n%s", got, strings.TrimSpace(want))
	}
}

func TestGML(t *testing.T) {
	g, err := ReadGML("small.gml", file(t, "small.gml"))
	wantText(t, g, err, `
Tiny & Co
Oslo at 59.91 10.75 map["Country":"Norway"]
Rome at 41.89 12.48
Oslo#2
0-1 10000000000 0s 0 map["LinkLabel":"OC-192\n and more"]
1-0 155000000 0s 0
2-1 0 0s 0`)
	if left := g.SetGeoDelays(0); left != 1 {
		t.Errorf("%d edges have no delay, want the one to a node that is nowhere", left)
	}
	// 2,008 km of great circle: 10.05 ms at 200,000 km/s.
	if d := g.Edges[0].Delay; d < 9900*time.Microsecond || d > 10200*time.Microsecond || g.Edges[1].Delay != d {
		t.Errorf("Oslo to Rome takes %v", d)
	}
}

func TestOppositeEdgesOfADirectedGraphAreOne(t *testing.T) {
	g, err := ReadGML("d", []byte("graph [ directed 1 node [ id 0 ] node [ id 1 ] edge [ source 0 target 1 ] edge [ source 1 target 0 ] edge [ source 0 target 1 ] ]"))
	wantText(t, g, err, "0\n1\n0-1 0 0s 0\n0-1 0 0s 0")
}

func TestGraphML(t *testing.T) {
	g, err := ReadGraphML("small.graphml", file(t, "small.graphml"))
	wantText(t, g, err, `
Tiny & Co
Oslo at 59.91 10.75 map["Country":"Nowhere"]
Rome map["Country":"Italy"]
2 map["Country":"Nowhere"]
1-0 155000000 0s 0
0-2 0 0s 0`)
}

func TestRocketfuel(t *testing.T) {
	g, err := ReadRocketfuel("weights.intra", file(t, "weights.intra"), "latencies.intra", file(t, "latencies.intra"))
	wantText(t, g, err, `
weights.intra
New York, NY1
Chicago, IL2
Denver, CO3
0-1 0 9ms 25
1-2 0 11.5ms 70`)
	g, err = ReadCCH("small.cch", file(t, "small.cch"))
	wantText(t, g, err, `
r1.oslo.example map["backbone":"bb" "place":"Oslo, Norway" "radius":"0"]
r2.rome.example map["backbone":"bb" "place":"Rome" "radius":"0"]
r2.rome.example#2 map["place":"Rome" "radius":"1"]
0-1 0 0s 0
0-2 0 0s 0
1-2 0 0s 0`)
}

func TestFilesNameTheMistakeAndItsLine(t *testing.T) {
	gml := func(s string) error { _, err := ReadGML("f", []byte(s)); return err }
	xml := func(s string) error { _, err := ReadGraphML("f", []byte(s)); return err }
	rf := func(w, l string) error {
		_, err := ReadRocketfuel("w", []byte(w), "l", []byte(l))
		return err
	}
	cch := func(s string) error { _, err := ReadCCH("f", []byte(s)); return err }
	for _, tt := range []struct {
		err  error
		want string
	}{
		{gml(""), "f:1: there is no graph [ … ]: is it GML?"},
		{gml("graph [\nnode [ id 1"), "f:2: the [ here is not closed by a ]"},
		{gml("graph [ ]\n]"), "f:2: a ] without its ["},
		{gml("graph [\n\"x\" ]"), "f:2: '\"' where a key is expected"},
		{gml("graph [\nlabel \"x"), `f:2: the text of label does not end by a "`},
		{gml("graph [\nlabel ]"), "f:2: key \"label\" has no value"},
		{gml(strings.Repeat("a [ ", 40)), "f:1: lists are nested more than 16 deep"},
		{gml("graph [ ]"), "f:1: the graph has no nodes"},
		{gml("graph [\nnode [ label \"x\" ] ]"), "f:2: a node without an id"},
		{gml("graph [ node [ id 1 ]\nnode [ id 1 ] ]"), "f:2: a second node with the id 1"},
		{gml("graph [ node [ id 1 ]\nedge [ source 1 target 2 ] ]"), "f:2: an edge whose target is 2: there is no node with that id"},
		{gml("graph [ node [ id 1 ]\nedge [ target 2 ] ]"), "f:2: an edge without a source"},
		{gml("graph [\nnode [ id 1 Latitude 95 Longitude 1 ] ]"), `f:2: node 1: Latitude "95": it is not in -90..90 degrees`},
		{gml("graph [ node [ id 1 ] node [ id 2 ]\nedge [ source 1 target 2 LinkSpeed \"fast\" ] ]"), `f:2: edge 1 to 2: LinkSpeed "fast" is not a rate`},
		{gml("graph [ node [ id 1 ] node [ id 2 ]\nedge [ source 1 target 2 LinkSpeed 1 LinkSpeedUnits Z ] ]"), `f:2: edge 1 to 2: LinkSpeedUnits "Z" is none of`},
		{xml("<graphml/>"), "f:1: there is no <graph>: is it GraphML?"},
		{xml("<html/>"), "f:1: <html> where <graphml> is expected"},
		{gml("graph [\nnode 3 ]"), "f:2: a node is a list"},
		{gml("graph [\nedge 3 ]"), "f:2: an edge is a list"},
		{xml("<graphml>\n<graph>"), "f:2: the file ends in the middle of an element"},
		{xml("<graphml>\n<graph>\n<nod"), "f:3: the file ends in the middle of an element"},
		{xml("<graphml><graph>\n<node id=\"1\"><data key=\"k\">x</data></node></graph></graphml>"), "f:2: data of the key k, which no <key> declares"},
		{xml("<graphml><graph>\n<hyperedge/></graph></graphml>"), "f:2: a hyperedge joins"},
		{xml("<graphml><graph>\n<node id=\"1\"/>\n<edge source=\"1\" target=\"7\"/></graph></graphml>"), "f:3: an edge whose target is 7"},
		{rf("a b\n", ""), "w:1: 2 words; a line is two places and a number"},
		{rf("a b 1\nb c x\n", ""), `w:2: "x" is not a number`},
		{rf("a b 1\n", "a c 1\n"), "l:1: w has no link between a and c"},
		{rf("", ""), "w:1: there are no links in it"},
		{cch("x @y -> =n r0\n"), `f:1: "x" where a router's number is expected`},
		{cch("1 @y =n r0\n"), "f:1: router 1 has no ->"},
		{cch("1 @y -> <2> =n r0\n"), "f:1: neighbour <2>: there is no router with that number"},
		{cch("1 @y <2> -> =n r0\n"), `f:1: "<2>" is no neighbour after the ->`},
		{cch("1 @y -> what =n r0\n"), `f:1: "what" is nothing that a line of a .cch file has`},
	} {
		if tt.err == nil || !strings.HasPrefix(tt.err.Error(), tt.want) {
			t.Errorf("%v\nwant %s", tt.err, tt.want)
		}
	}
}

// fuzzed holds a reader to its word: a graph that passes Check and can be written,
// or an error with a line.
func fuzzed(t *testing.T, g *Graph, err error) {
	if err != nil {
		if !strings.HasPrefix(err.Error(), "f:") && !strings.HasPrefix(err.Error(), "l:") {
			t.Errorf("an error without its line: %v", err)
		}
		return
	}
	if err := g.Check(); err != nil {
		t.Error(err)
	}
	if _, err := g.JSON(); err != nil {
		t.Error(err)
	}
	g.SetGeoDelays(1)
	g.DOT()
}

func FuzzGML(f *testing.F) {
	f.Add(file(f, "small.gml"))
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := ReadGML("f", data)
		fuzzed(t, g, err)
	})
}

func FuzzGraphML(f *testing.F) {
	f.Add(file(f, "small.graphml"))
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := ReadGraphML("f", data)
		fuzzed(t, g, err)
	})
}

func FuzzRocketfuel(f *testing.F) {
	f.Add(file(f, "weights.intra"), file(f, "latencies.intra"))
	f.Fuzz(func(t *testing.T, weights, latencies []byte) {
		g, err := ReadRocketfuel("f", weights, "l", latencies)
		fuzzed(t, g, err)
	})
}

func FuzzCCH(f *testing.F) {
	f.Add(file(f, "small.cch"))
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := ReadCCH("f", data)
		fuzzed(t, g, err)
	})
}
