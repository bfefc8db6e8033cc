package file

import (
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/sim"
)

// node reads [[node]].
func (r *reader) node(t *table) {
	name := t.text("name")
	t.what = "node " + name
	c := sim.NodeConfig{Place: t.place(), X: t.float("x"), Y: t.float("y"), Memory: t.size("memory"), Routes: t.strings("routes")}
	switch v := t.text("role"); v {
	case "", "auto":
	case "host":
		c.Role = sim.Host
	case "router":
		c.Role = sim.Router
	default:
		t.wrong("role", "%q is not host, router or auto", v)
	}
	c.Wiring = r.config(t)
	c.Sysctls = t.sysctls()
	t.done()
	r.net.Node(name, c)
}

// sysctls reads a table of settings.
func (t *table) sysctls() (out []sim.Sysctl) {
	s := t.sub("sysctl", t.what)
	if s == nil {
		return nil
	}
	var walk func(prefix string, m map[string]any)
	walk = func(prefix string, m map[string]any) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			switch v := m[k].(type) {
			case map[string]any: // net.ipv4.tcp_sack without quotes
				walk(prefix+k+".", v)
			case bool:
				out = append(out, sim.Sysctl{Name: prefix + k, Value: map[bool]string{false: "0", true: "1"}[v], Place: s.placeOf(prefix + k)})
			default:
				out = append(out, sim.Sysctl{Name: prefix + k, Value: fmt.Sprint(v), Place: s.placeOf(prefix + k)})
			}
		}
	}
	walk("", s.m)
	return out
}

// config reads the .config of a node.
func (r *reader) config(t *table) *core.Wiring {
	name := t.text("config")
	if name == "" {
		return nil
	}
	if r.options.Narrow == nil {
		t.wrong("config", "nodes of this program all have its configuration")
		return nil
	}
	p := name
	if !filepath.IsAbs(p) {
		p = filepath.Join(r.dir, p)
	}
	text, err := r.options.ReadFile(p)
	if err != nil {
		t.wrong("config", "%w", err)
		return nil
	}
	w, err := r.options.Narrow(name, string(text))
	if err != nil {
		t.wrong("config", "%w", err)
	}
	return w
}

// link reads [[link]].
func (r *reader) link(t *table) {
	name := t.text("name")
	if t.what = "link " + name; name == "" {
		t.what = "link"
	}
	c := r.linkConfig(t)
	ends := t.strings("nodes")
	var nodes [2]*sim.Node
	if len(ends) != 2 {
		t.wrong("nodes", "a link joins two nodes: write nodes = [\"a\", \"b\"]")
	} else {
		for i, e := range ends {
			if nodes[i] = r.net.Lookup(e.Text); nodes[i] == nil {
				t.wrong("nodes", "there is no node %s%s", e.Text, r.similar(e.Text))
			}
		}
	}
	c.Addresses = t.ends("addresses")
	for i, x := range t.ends("interfaces") {
		if len(x) > 0 {
			c.Interfaces[i] = x[0].Text
		}
	}
	t.done()
	if nodes[0] != nil && nodes[1] != nil {
		r.net.Link(name, nodes[0], nodes[1], c)
	}
}

// ends reads a list with one string, or one list of strings, for each end.
func (t *table) ends(name string) (out [2][]sim.Text) {
	list, ok := get[[]any](t, name, "a list with a value for each end")
	if !ok {
		return out
	}
	if len(list) != 2 {
		t.wrong(name, "it has %d values: one for each end is wanted", len(list))
		return out
	}
	for i, v := range list {
		for _, x := range t.texts(name, fmt.Sprintf("%s.%d", t.key(name), i), v) {
			if x.Text != "" {
				out[i] = append(out[i], x)
			}
		}
	}
	return out
}

// linkConfig reads what a link is like.
func (r *reader) linkConfig(t *table) sim.LinkConfig {
	c := sim.LinkConfig{Place: t.place(), Ethernet: t.bool("ethernet"), MTU: int(t.int("mtu", 68, 65535)), Offload: t.bool("offload"),
		Cost: int(t.int("cost", 1, 1<<30)), Down: t.bool("down")}
	c.Wire = r.wire(t, pipe.Wire{})
	for _, d := range []struct {
		name string
		to   **pipe.Wire
	}{{"a_to_b", &c.AToB}, {"b_to_a", &c.BToA}} {
		if s := t.sub(d.name, t.what+", "+d.name); s != nil {
			w := r.wire(s, c.Wire)
			*d.to = &w
			s.done()
		}
	}
	if q := t.strings("qdisc"); len(q) == 1 {
		c.Qdisc = [2]sim.Text{q[0], q[0]}
	} else if len(q) == 2 {
		c.Qdisc = [2]sim.Text{q[0], q[1]}
	} else if len(q) > 2 {
		t.wrong("qdisc", "it is one for both ends, or one for each")
	}
	return c
}

// wire reads what a direction does to frames, beginning with base.
func (r *reader) wire(t *table, base pipe.Wire) pipe.Wire {
	w := base
	for _, k := range sim.WireKeys() {
		if !t.has(k) {
			continue
		}
		if err := sim.SetWire(&w, k, t.text(k)); err != nil {
			t.src.wrong(t.key(k), "%s: %w", t.what, err)
		}
	}
	if name := t.text("trace"); name != "" {
		if !filepath.IsAbs(name) {
			name = filepath.Join(r.dir, name)
		}
		data, err := r.options.ReadFile(name)
		if err == nil {
			w.Trace, err = pipe.ParseTrace(t.text("trace"), data)
		}
		if err != nil {
			t.wrong("trace", "%w", err)
		}
	}
	return w
}

// nodes are those that names or patterns mean, in their order.
func (r *reader) nodes(t *table, name string, required bool) (out []*sim.Node) {
	for _, p := range t.strings(name) {
		found := false
		for _, x := range r.net.Nodes() {
			if ok, err := path.Match(p.Text, x.Name()); err != nil {
				t.wrong(name, "%q is not a pattern: %w", p.Text, err)
				return nil
			} else if ok {
				out = append(out, x)
				found = true
			}
		}
		if !found && required {
			t.wrong(name, "there is no node %s%s", p.Text, r.similar(p.Text))
		}
	}
	return out
}

// similar names some nodes that exist.
func (r *reader) similar(name string) string {
	var names []string
	for _, x := range r.net.Nodes() {
		if len(names) < 8 {
			names = append(names, x.Name())
		}
	}
	if len(names) == 0 {
		return ": describe it as [[node]], before what uses it in this order: topology, node, link"
	}
	more := ""
	if len(r.net.Nodes()) > len(names) {
		more = ", …"
	}
	return " (nodes: " + strings.Join(names, ", ") + more + ")"
}
