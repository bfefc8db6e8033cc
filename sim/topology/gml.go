package topology

import (
	"fmt"
	"html"
	"strconv"
	"strings"
)

// ReadGML reads a graph in GML (Himsolt: GML, a portable Graph File Format, 1997)
// as the Internet Topology Zoo has them. file names it in errors. Of a node, label
// is its name (made unique by UniqueNames), Latitude and Longitude its place; of
// an edge, LinkSpeedRaw, or LinkSpeed and LinkSpeedUnits, are its rate. Other
// attributes are kept in Attrs. Edges from a node to itself are left out, and of a
// directed graph the second of two opposite edges.
func ReadGML(file string, data []byte) (*Graph, error) {
	p := gml{file: file, text: string(data), line: 1}
	items, err := p.list(0)
	if err != nil {
		return nil, err
	}
	for i := range items {
		if items[i].key == "graph" && items[i].list != nil {
			return items[i].graph(file)
		}
	}
	return nil, fmt.Errorf("%s:1: there is no graph [ … ]: is it GML?", file)
}

// gml is a scanner of a file.
type gml struct {
	file, text string
	at, line   int
	items      int
}

// gmlItem is a key with its value: text, or a list.
type gmlItem struct {
	key, value string
	list       []gmlItem // not nil for a list
	line       int
}

const (
	gmlDepth = 16
	gmlItems = 1 << 24
)

func (p *gml) fail(line int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: "+format, append([]any{p.file, line}, args...)...)
}

// space passes over white space and comments.
func (p *gml) space() {
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == '\n':
			p.line++
			p.at++
		case c == ' ' || c == '\t' || c == '\r':
			p.at++
		case c == '#':
			for p.at < len(p.text) && p.text[p.at] != '\n' {
				p.at++
			}
		default:
			return
		}
	}
}

// word is what stands before the next white space or bracket.
func (p *gml) word() string {
	begin := p.at
	for p.at < len(p.text) && !strings.ContainsRune(" \t\r\n[]\"#", rune(p.text[p.at])) {
		p.at++
	}
	return p.text[begin:p.at]
}

// list reads items until the list or, at depth 0, the file ends.
func (p *gml) list(depth int) ([]gmlItem, error) {
	items := []gmlItem{}
	begin := p.line
	for {
		p.space()
		if p.at == len(p.text) {
			if depth > 0 {
				return nil, p.fail(begin, "the [ here is not closed by a ]")
			}
			return items, nil
		}
		if p.text[p.at] == ']' {
			if depth == 0 {
				return nil, p.fail(p.line, "a ] without its [")
			}
			p.at++
			return items, nil
		}
		it := gmlItem{line: p.line}
		if it.key = p.word(); it.key == "" {
			return nil, p.fail(p.line, "%q where a key is expected", p.text[p.at])
		}
		if p.items++; p.items > gmlItems {
			return nil, p.fail(p.line, "more than %d items", gmlItems)
		}
		p.space()
		if p.at == len(p.text) {
			return nil, p.fail(it.line, "key %q has no value", it.key)
		}
		switch p.text[p.at] {
		case '[':
			if depth == gmlDepth {
				return nil, p.fail(p.line, "lists are nested more than %d deep", gmlDepth)
			}
			p.at++
			var err error
			if it.list, err = p.list(depth + 1); err != nil {
				return nil, err
			}
		case '"':
			end := strings.IndexByte(p.text[p.at+1:], '"')
			if end < 0 {
				return nil, p.fail(p.line, "the text of %s does not end by a \"", it.key)
			}
			it.value = html.UnescapeString(p.text[p.at+1 : p.at+1+end])
			p.line += strings.Count(p.text[p.at:p.at+2+end], "\n")
			p.at += end + 2
		default:
			if it.value = p.word(); it.value == "" {
				return nil, p.fail(p.line, "key %q has no value", it.key)
			}
		}
		items = append(items, it)
	}
}

func (top *gmlItem) graph(file string) (*Graph, error) {
	b := newBuilder(file)
	for i := range top.list {
		switch it := &top.list[i]; {
		case it.list == nil && it.key == "directed":
			b.directed = it.value == "1"
		case it.list == nil && (it.key == "label" || it.key == "Network"):
			b.g.Name = it.value
		}
	}
	for i := range top.list {
		it := &top.list[i]
		if it.key != "node" {
			continue
		}
		if it.list == nil {
			return nil, b.fail(it.line, "a node is a list: node [ id … ]")
		}
		id, attrs := "", map[string]string{}
		for j := range it.list {
			if x := &it.list[j]; x.list == nil && x.key == "id" {
				id = x.value
			} else if x.list == nil {
				attrs[x.key] = x.value
			}
		}
		if err := b.node(it.line, id, attrs); err != nil {
			return nil, err
		}
	}
	for i := range top.list {
		it := &top.list[i]
		if it.key != "edge" {
			continue
		}
		if it.list == nil {
			return nil, b.fail(it.line, "an edge is a list: edge [ source … target … ]")
		}
		source, target, attrs := "", "", map[string]string{}
		for j := range it.list {
			switch x := &it.list[j]; {
			case x.list != nil:
			case x.key == "source":
				source = x.value
			case x.key == "target":
				target = x.value
			default:
				attrs[x.key] = x.value
			}
		}
		if err := b.edge(it.line, source, target, attrs); err != nil {
			return nil, err
		}
	}
	return b.end()
}

// builder makes a graph of what files say of nodes and edges.
type builder struct {
	file     string
	g        *Graph
	ids      map[string]int
	directed bool
	opposite map[[2]int]int // edges of a directed graph whose opposite was not met yet
}

func newBuilder(file string) *builder {
	return &builder{file: file, g: &Graph{}, ids: map[string]int{}, opposite: map[[2]int]int{}}
}

func (b *builder) fail(line int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: "+format, append([]any{b.file, line}, args...)...)
}

func (b *builder) node(line int, id string, attrs map[string]string) error {
	if id == "" {
		return b.fail(line, "a node without an id")
	}
	if _, twice := b.ids[id]; twice {
		return b.fail(line, "a second node with the id %s", id)
	}
	if len(b.g.Nodes) == MaxNodes {
		return b.fail(line, "more than %d nodes", MaxNodes)
	}
	n := Node{Name: take(attrs, "label")}
	if n.Name == "" {
		n.Name = id
	}
	lat, hasLat := attrs["Latitude"]
	lon, hasLon := attrs["Longitude"]
	if hasLat && hasLon {
		var err error
		if n.Lat, err = parseDegrees(lat, 90); err != nil {
			return b.fail(line, "node %s: Latitude %q: %v", id, lat, err)
		}
		if n.Lon, err = parseDegrees(lon, 180); err != nil {
			return b.fail(line, "node %s: Longitude %q: %v", id, lon, err)
		}
		n.Located = true
		delete(attrs, "Latitude")
		delete(attrs, "Longitude")
	}
	if len(attrs) > 0 {
		n.Attrs = attrs
	}
	b.ids[id] = len(b.g.Nodes)
	b.g.Nodes = append(b.g.Nodes, n)
	return nil
}

func take(attrs map[string]string, key string) string {
	v := attrs[key]
	delete(attrs, key)
	return v
}

func parseDegrees(s string, most float64) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v >= -most && v <= most) {
		return 0, fmt.Errorf("it is not in -%v..%v degrees", most, most)
	}
	return v, nil
}

func (b *builder) edge(line int, source, target string, attrs map[string]string) error {
	var ends [2]int
	for i, id := range [2]string{source, target} {
		name := [2]string{"source", "target"}[i]
		if id == "" {
			return b.fail(line, "an edge without a %s", name)
		}
		v, ok := b.ids[id]
		if !ok {
			return b.fail(line, "an edge whose %s is %s: there is no node with that id", name, id)
		}
		ends[i] = v
	}
	if ends[0] == ends[1] {
		return nil
	}
	if back := [2]int{ends[1], ends[0]}; b.directed {
		if b.opposite[back] > 0 {
			b.opposite[back]--
			return nil
		}
		b.opposite[ends]++
	}
	if len(b.g.Edges) == MaxEdges {
		return b.fail(line, "more than %d edges", MaxEdges)
	}
	e := Edge{A: ends[0], B: ends[1]}
	var err error
	if e.Rate, err = linkSpeed(attrs); err != nil {
		return b.fail(line, "edge %s to %s: %v", source, target, err)
	}
	if len(attrs) > 0 {
		e.Attrs = attrs
	}
	b.g.Edges = append(b.g.Edges, e)
	return nil
}

// linkSpeed takes a rate out of the attributes of the Topology Zoo.
func linkSpeed(attrs map[string]string) (int64, error) {
	raw, unit := attrs["LinkSpeedRaw"], 1.0
	key := "LinkSpeedRaw"
	if raw == "" {
		key = "LinkSpeed"
		if raw = attrs[key]; raw == "" {
			return 0, nil
		}
		switch u := strings.TrimSpace(attrs["LinkSpeedUnits"]); u {
		case "":
		case "K", "k":
			unit = 1e3
		case "M":
			unit = 1e6
		case "G":
			unit = 1e9
		case "T":
			unit = 1e12
		default:
			return 0, fmt.Errorf("LinkSpeedUnits %q is none of K, M, G and T", u)
		}
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(raw), 64)
	if err != nil || !(v >= 0 && v*unit < 1e15) {
		return 0, fmt.Errorf("%s %q is not a rate", key, raw)
	}
	delete(attrs, "LinkSpeed")
	delete(attrs, "LinkSpeedRaw")
	delete(attrs, "LinkSpeedUnits")
	return int64(v * unit), nil
}

func (b *builder) end() (*Graph, error) {
	b.g.UniqueNames()
	if len(b.g.Nodes) == 0 {
		return nil, b.fail(1, "the graph has no nodes")
	}
	return b.g, b.g.Check()
}
