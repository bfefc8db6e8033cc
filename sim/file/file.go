package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/sim"
	"github.com/libos-go/libos/sim/tomlplace"
)

// Options are what a file does not say.
type Options struct {
	// Wiring of nodes without a config.
	Wiring *core.Wiring
	// Narrow gives the wiring of a node with a .config of its own: name for
	// messages, text of the file. Nil refuses such nodes.
	Narrow func(name, text string) (*core.Wiring, error)
	// Set are changes to the file, in order: "link.core.loss=0.01".
	Set []string
	// Seed, Partitions and Until replace the file's, if they are not nil.
	Seed       *uint64
	Partitions *int
	Until      *time.Duration
	// ReadFile reads files that the file names; nil is os.ReadFile.
	ReadFile func(name string) ([]byte, error)
}

// Description is a file that has been read: a network that is not built yet.
type Description struct {
	Name    string
	Network *sim.Network
	// Until is when it ends, 0 if the file does not say.
	Until time.Duration
	// Sample is the time between two samples, 0 for none.
	Sample time.Duration
}

// Read reads the file at path.
func Read(path string, o Options) (*Description, error) {
	if o.ReadFile == nil {
		o.ReadFile = os.ReadFile
	}
	text, err := o.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, string(text), o)
}

// Parse reads the text of a file; those that it names are looked for beside path.
func Parse(path, text string, o Options) (*Description, error) {
	if o.ReadFile == nil {
		o.ReadFile = os.ReadFile
	}
	name := filepath.Base(path)
	if line := tomlplace.TooDeep(text); line != 0 {
		return nil, fmt.Errorf("%s:%d: this nests more than %d deep: no table of a network does", name, line, tomlplace.MaxNesting)
	}
	var m map[string]any
	if _, err := toml.Decode(text, &m); err != nil {
		var p toml.ParseError
		if errors.As(err, &p) {
			return nil, fmt.Errorf("%s:%d: %s", name, p.Position.Line, p.Message)
		}
		return nil, fmt.Errorf("%s:1: %w", name, err)
	}
	r := &reader{options: o, dir: filepath.Dir(path), src: &source{name: name, lines: tomlplace.Locate(text), set: map[string]string{}}}
	for _, s := range o.Set {
		if err := r.set(m, s); err != nil {
			return nil, err
		}
	}
	d := r.read(m)
	if err := errors.Join(r.src.errs...); err != nil {
		return nil, err
	}
	if err := d.Network.Check(); err != nil {
		return nil, err
	}
	d.Name = strings.TrimSuffix(name, ".toml")
	return d, nil
}

type reader struct {
	options Options
	dir     string
	src     *source
	net     *sim.Network
	trunks  []func() // that wait for all segments
}

// set carries out "link.core.loss=0.01": on the tables of that name or kind, or on all.
func (r *reader) set(m map[string]any, change string) error {
	path, value, ok := strings.Cut(change, "=")
	parts := strings.Split(path, ".")
	if !ok || len(parts) < 2 {
		return fmt.Errorf("--set %s: write TABLE.KEY=VALUE or TABLE.NAME.KEY=VALUE, such as link.core.loss=0.01", change)
	}
	if parts[0] == "network" {
		t, _ := m["network"].(map[string]any)
		if t == nil {
			t = map[string]any{}
			m["network"] = t
		}
		return r.put(t, "network", parts[1:], value, change)
	}
	list, _ := m[parts[0]].([]map[string]any)
	if len(list) == 0 {
		return fmt.Errorf("--set %s: %s has no [[%s]]", change, r.src.name, parts[0])
	}
	// By name, or else by kind; without either, in all tables.
	by := ""
	for _, key := range []string{"kind", "name"} {
		for _, t := range list {
			if len(parts) > 2 && fmt.Sprint(t[key]) == parts[1] {
				by = key
			}
		}
	}
	for i, t := range list {
		keys := parts[1:]
		if by != "" {
			if fmt.Sprint(t[by]) != parts[1] {
				continue
			}
			keys = parts[2:]
		}
		if err := r.put(t, fmt.Sprintf("%s.%d", parts[0], i), keys, value, change); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) put(t map[string]any, path string, keys []string, value, change string) error {
	for i, k := range keys {
		if k == "sysctl" && i < len(keys)-1 { // names with dots
			keys = append(keys[:i+1:i+1], strings.Join(keys[i+1:], "."))
			break
		}
	}
	for _, k := range keys[:len(keys)-1] {
		path += "." + k
		next, ok := t[k].(map[string]any)
		if !ok {
			if _, there := t[k]; there {
				return fmt.Errorf("--set %s: %s is no table", change, k)
			}
			next = map[string]any{}
			t[k] = next
			r.src.set[path] = change
		}
		t = next
	}
	last := keys[len(keys)-1]
	t[last] = value
	r.src.set[path+"."+last] = change
	return nil
}

// tables of a file, for messages.
const tableNames = "[network], [[topology]], [[node]], [[link]], [[segment]], [[app]] and [[at]]"

func (r *reader) read(m map[string]any) *Description {
	d := &Description{}
	for k := range m {
		switch k {
		case "network", "topology", "node", "link", "segment", "app", "at":
		default:
			r.src.wrong(k, "there is no table %s: the tables are %s", k, tableNames)
		}
	}
	r.network(d, m)
	for _, t := range r.src.tables(m, "topology") {
		r.topology(t)
	}
	for _, t := range r.src.tables(m, "node") {
		r.node(t)
	}
	for _, t := range r.src.tables(m, "link") {
		r.link(t)
	}
	for _, t := range r.src.tables(m, "segment") {
		r.segment(t)
	}
	for _, f := range r.trunks {
		f()
	}
	for _, t := range r.src.tables(m, "app") {
		r.app(t)
	}
	for _, t := range r.src.tables(m, "at") {
		r.action(t)
	}
	return d
}

// network reads [network] and makes the network.
func (r *reader) network(d *Description, m map[string]any) {
	o := sim.Options{Wiring: r.options.Wiring, Seed: 1}
	top, _ := m["network"].(map[string]any)
	t := r.src.table("network", "network", top)
	if t.has("seed") {
		o.Seed = uint64(t.int("seed", 0, 1<<62))
	}
	d.Until, d.Sample = t.duration("until"), t.duration("sample")
	o.Partitions = int(t.int("partitions", 0, 1024))
	for _, f := range t.strings("families") {
		switch f.Text {
		case "ipv4":
			o.Families |= sim.IPv4
		case "ipv6":
			o.Families |= sim.IPv6
		default:
			t.wrong("families", "%q is not ipv4 or ipv6", f.Text)
		}
	}
	switch v := t.text("routes"); v {
	case "", "automatic":
	case "none":
		o.ByHand = true
	default:
		t.wrong("routes", "%q is not automatic or none", v)
	}
	if t.has("last_packets") {
		if o.LastPackets = int(t.int("last_packets", 0, 10_000)); o.LastPackets == 0 {
			o.LastPackets = -1
		}
	}
	if t.has("start") {
		var err error
		if at, ok := t.m["start"].(time.Time); ok {
			o.Start = at
		} else if o.Start, err = time.Parse(time.RFC3339, t.text("start")); err != nil {
			t.wrong("start", "it is a date and time such as 2030-01-02T15:04:05Z")
		}
	}
	t.done()
	if s := r.options.Seed; s != nil {
		o.Seed = *s
	}
	if p := r.options.Partitions; p != nil {
		o.Partitions = *p
	}
	if u := r.options.Until; u != nil {
		d.Until = *u
	}
	r.net = sim.New(o)
	d.Network = r.net
}
