package topology

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ReadGraphML reads the first graph of a GraphML file
// (http://graphml.graphdrawing.org/primer/graphml-primer.html) as the Internet
// Topology Zoo has them; attributes are taken by their attr.name as ReadGML does.
// Nested graphs, hyperedges and ports are refused.
func ReadGraphML(file string, data []byte) (*Graph, error) {
	p := graphML{d: xml.NewDecoder(bytes.NewReader(data)), b: newBuilder(file), keys: map[string]graphMLKey{}}
	p.d.Strict = true
	p.d.CharsetReader = func(charset string, r io.Reader) (io.Reader, error) {
		if c := strings.ToLower(charset); c != "us-ascii" && c != "ascii" {
			return nil, fmt.Errorf("its encoding is %s: convert it to UTF-8", charset)
		}
		return r, nil
	}
	if err := p.file(); err != nil {
		var syntax *xml.SyntaxError
		if errors.As(err, &syntax) {
			if strings.Contains(syntax.Msg, "EOF") {
				return nil, p.b.fail(syntax.Line, "the file ends in the middle of an element: is it whole?")
			}
			return nil, p.b.fail(syntax.Line, "%s", syntax.Msg)
		}
		return nil, err
	}
	return p.b.end()
}

type graphMLKey struct{ name, domain, value string }

type graphML struct {
	d    *xml.Decoder
	b    *builder
	keys map[string]graphMLKey
	ids  []string // of keys, in their order
	seen bool
	// Edges may come before their nodes.
	edges []graphMLEdge
}

type graphMLEdge struct {
	line           int
	source, target string
	attrs          map[string]string
}

func (p *graphML) line() int {
	line, _ := p.d.InputPos()
	return line
}

func attr(e *xml.StartElement, name string) string {
	for i := range e.Attr {
		if e.Attr[i].Name.Local == name {
			return e.Attr[i].Value
		}
	}
	return ""
}

// file walks over the elements below graphml.
func (p *graphML) file() error {
	root := false
	for {
		t, err := p.d.Token()
		if err == io.EOF {
			if !p.seen {
				return p.b.fail(1, "there is no <graph>: is it GraphML?")
			}
			return nil
		}
		if err != nil {
			return p.wrap(err)
		}
		e, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		switch {
		case !root && e.Name.Local == "graphml":
			root = true
		case !root:
			return p.b.fail(p.line(), "<%s> where <graphml> is expected", e.Name.Local)
		case e.Name.Local == "key":
			err = p.key(&e)
		case e.Name.Local == "graph" && !p.seen:
			p.seen = true
			err = p.graph(&e)
		default:
			err = p.d.Skip()
		}
		if err != nil {
			return p.wrap(err)
		}
	}
}

// wrap gives errors of the decoder a line.
func (p *graphML) wrap(err error) error {
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) || strings.HasPrefix(err.Error(), p.b.file+":") {
		return err
	}
	return p.b.fail(p.line(), "%v", err)
}

func (p *graphML) key(e *xml.StartElement) error {
	k := graphMLKey{name: attr(e, "attr.name"), domain: attr(e, "for")}
	id := attr(e, "id")
	if id == "" {
		return p.b.fail(p.line(), "a <key> without an id")
	}
	if k.name == "" {
		k.name = id
	}
	err := p.children(func(c *xml.StartElement) error {
		if c.Name.Local != "default" {
			return p.d.Skip()
		}
		var err error
		k.value, err = p.text()
		return err
	})
	if _, twice := p.keys[id]; !twice {
		p.ids = append(p.ids, id)
	}
	p.keys[id] = k
	return err
}

// children calls f for each element up to the end of the present one.
func (p *graphML) children(f func(*xml.StartElement) error) error {
	for {
		t, err := p.d.Token()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.EndElement:
			return nil
		case xml.StartElement:
			if err := f(&t); err != nil {
				return err
			}
		}
	}
}

// text is the text of the present element.
func (p *graphML) text() (string, error) {
	var s strings.Builder
	for {
		t, err := p.d.Token()
		if err != nil {
			return "", err
		}
		switch t := t.(type) {
		case xml.CharData:
			s.Write(t)
		case xml.StartElement:
			return "", p.b.fail(p.line(), "<%s> where text is expected", t.Name.Local)
		case xml.EndElement:
			return strings.TrimSpace(s.String()), nil
		}
	}
}

func (p *graphML) graph(e *xml.StartElement) error {
	p.b.directed = attr(e, "edgedefault") == "directed"
	err := p.children(func(c *xml.StartElement) error {
		line := p.line()
		switch c.Name.Local {
		case "data":
			v, err := p.text()
			if n := p.keys[attr(c, "key")].name; n == "label" || n == "Network" {
				p.b.g.Name = v
			}
			return err
		case "node":
			attrs, err := p.data("node")
			if err != nil {
				return err
			}
			return p.b.node(line, attr(c, "id"), attrs)
		case "edge":
			attrs, err := p.data("edge")
			if len(p.edges) == MaxEdges {
				return p.b.fail(line, "more than %d edges", MaxEdges)
			}
			p.edges = append(p.edges, graphMLEdge{line, attr(c, "source"), attr(c, "target"), attrs})
			return err
		case "hyperedge":
			return p.b.fail(line, "a hyperedge joins more than two nodes: replace it by a node")
		}
		return p.d.Skip()
	})
	if err != nil {
		return err
	}
	for i := range p.edges {
		e := &p.edges[i]
		if err := p.b.edge(e.line, e.source, e.target, e.attrs); err != nil {
			return err
		}
	}
	return nil
}

// data reads the attributes of a node or an edge.
func (p *graphML) data(domain string) (map[string]string, error) {
	attrs := map[string]string{}
	for _, id := range p.ids {
		if k := p.keys[id]; k.value != "" && (k.domain == domain || k.domain == "all") {
			attrs[k.name] = k.value
		}
	}
	err := p.children(func(c *xml.StartElement) error {
		switch c.Name.Local {
		case "data":
			id := attr(c, "key")
			k, ok := p.keys[id]
			if !ok {
				return p.b.fail(p.line(), "data of the key %s, which no <key> declares", id)
			}
			v, err := p.text()
			attrs[k.name] = v
			return err
		case "graph", "port":
			return p.b.fail(p.line(), "a <%s> in a %s is not supported", c.Name.Local, domain)
		}
		return p.d.Skip()
	})
	return attrs, err
}
