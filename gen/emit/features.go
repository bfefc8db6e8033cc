package emit

import (
	"fmt"
	"sort"
	"strings"

	"github.com/libos-go/libos/gen/scan"
)

// owned is a description with the symbol that brings it in.
type owned struct {
	symbol string
	fn     *scan.Func
	sysctl *scan.Struct // of the instance; nil if none
	device *scan.Struct // of each interface (networks)
}

// features is what a build offers, sorted into the wiring's entries. Order:
// symbols as in Kconfig.toml, then functions by name.
type features struct {
	build     *Build
	networks  []owned
	protocols []owned
	kinds     []owned
	qdiscs    []owned
	commands  []owned
	loopback  *owned
	providers []owned
	sysctls   []owned           // tables of no protocol; fn is nil
	tables    map[string]string // import path, dot and struct to the name of its function
	indices   map[string]string // type of values that are looked up by name, to the name of its switch
	caches    []scan.Cache
}

func place(f *scan.Func) string { return fmt.Sprintf("%s:%d", f.Pos.Filename, f.Pos.Line) }

func (b *Build) features() (*features, error) {
	f := &features{build: b, tables: map[string]string{}, indices: map[string]string{}}
	byRel := map[string]*scan.Package{}
	for _, p := range b.Packages {
		byRel[p.Rel] = p
	}
	seen := map[string]string{} // package to symbol
	for i := range b.Symbols {
		s := &b.Symbols[i]
		if s.Package == "" || !s.Linked() {
			continue
		}
		p := byRel[s.Package]
		if p == nil {
			return nil, fmt.Errorf("%s: %s brings in package %q, which was not loaded", s.Where, s.Name, s.Package)
		}
		if seen[s.Package] == "" {
			seen[s.Package] = s.Name
			if err := f.add(s.Name, p); err != nil {
				return nil, err
			}
		}
	}
	for _, p := range b.Packages {
		if seen[p.Rel] == "" {
			if err := f.addTables("", p, nil, nil); err != nil {
				return nil, err
			}
		}
		f.caches = append(f.caches, p.Caches...)
	}
	sort.SliceStable(f.caches, func(i, j int) bool { return f.caches[i].Name < f.caches[j].Name })
	f.nameTables()
	if err := f.nameIndices(); err != nil {
		return nil, err
	}
	if err := f.checkUses(); err != nil {
		return nil, err
	}
	return f, f.checkDispatch()
}

func (f *features) add(symbol string, p *scan.Package) error {
	var networks, protocols []*owned
	for i := range p.Funcs {
		fn := &p.Funcs[i]
		o := owned{symbol: symbol, fn: fn}
		switch fn.Role {
		case scan.Network:
			networks = append(networks, &o)
		case scan.Protocol:
			protocols = append(protocols, &o)
		case scan.Kind:
			f.kinds = append(f.kinds, o)
		case scan.Qdisc:
			f.qdiscs = append(f.qdiscs, o)
		case scan.Command:
			f.commands = append(f.commands, o)
		case scan.Provider:
			f.providers = append(f.providers, o)
		case scan.Loopback:
			if f.loopback != nil {
				return fmt.Errorf("%s: %s makes a device without parameters, and so does %s: there is one loopback", place(fn), fn.Name, place(f.loopback.fn))
			}
			f.loopback = &o
		}
	}
	if err := f.addTables(symbol, p, networks, protocols); err != nil {
		return err
	}
	for _, o := range networks {
		f.networks = append(f.networks, *o)
	}
	for _, o := range protocols {
		f.protocols = append(f.protocols, *o)
	}
	return nil
}

// addTables gives each struct of sysctls its entry: the package's first
// network, else its first protocol, else the wiring itself.
func (f *features) addTables(symbol string, p *scan.Package, networks, protocols []*owned) error {
	for i := range p.Structs {
		st := &p.Structs[i]
		var at **scan.Struct
		switch {
		case st.Device && len(networks) > 0:
			at = &networks[0].device
		case st.Device:
			return fmt.Errorf("%s: %s holds sysctls of devices ({dev}), which only a package with a network protocol may declare", st.Pos, st.Name)
		case len(networks) > 0:
			at = &networks[0].sysctl
		case len(protocols) > 0:
			at = &protocols[0].sysctl
		default:
			f.sysctls = append(f.sysctls, owned{symbol: symbol, sysctl: st})
			continue
		}
		if *at != nil {
			return fmt.Errorf("%s: %s holds sysctls, and so does %s (%s): a protocol has one struct of them", st.Pos, st.Name, (*at).Name, (*at).Pos)
		}
		*at = st
	}
	return nil
}

func (st structs) key() string { return st.Path + "." + st.Name }

type structs struct{ *scan.Struct }

// allStructs are the structs of the wiring, in its order.
func (f *features) allStructs() []*scan.Struct {
	var out []*scan.Struct
	for _, list := range [][]owned{f.networks, f.protocols, f.sysctls} {
		for _, o := range list {
			if o.sysctl != nil {
				out = append(out, o.sysctl)
			}
			if o.device != nil {
				out = append(out, o.device)
			}
		}
	}
	return out
}

// nameTables gives every struct a function: ipv4Sysctls.
func (f *features) nameTables() {
	used := map[string]bool{}
	for _, st := range f.allStructs() {
		pkg := st.Path[strings.LastIndexByte(st.Path, '/')+1:]
		name := pkg + st.Name
		for n := 2; used[name]; n++ {
			name = fmt.Sprintf("%s%s%d", pkg, st.Name, n)
		}
		used[name] = true
		f.tables[structs{st}.key()] = name
	}
}

// nameIndices gives every type whose values are looked up by name its switch:
// congestionAlgorithm. Each value needs a name of its own that is known now.
func (f *features) nameIndices() error {
	used := map[string]bool{}
	for _, list := range [][]owned{f.networks, f.protocols} {
		for _, o := range list {
			for _, p := range o.fn.Params {
				if !p.Index || f.indices[p.Type] != "" {
					continue
				}
				name := p.Path[strings.LastIndexByte(p.Path, '/')+1:] + p.TypeName
				for n := 2; used[name]; n++ {
					name = fmt.Sprintf("%s%d", name, n)
				}
				used[name] = true
				f.indices[p.Type] = name
				if err := f.checkNames(p.Type, o.fn); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// checkNames holds that values which user looks up by name have one each.
func (f *features) checkNames(typ string, user *scan.Func) error {
	names := map[string]*scan.Func{}
	for _, o := range f.providersOf(typ) {
		name := o.fn.Description.Name
		if name == "" {
			return fmt.Errorf("%s: %s must end in `return` of a literal with a constant Name: %s (%s) looks its values up by a generated switch",
				place(o.fn), o.fn.Name, user.Name, place(user))
		}
		if a := names[name]; a != nil {
			return fmt.Errorf("%s: %s claims the name %s, and so does %s", place(o.fn), o.fn.Name, name, place(a))
		}
		names[name] = o.fn
	}
	return nil
}

// checkUses holds that code folds only static symbols.
func (f *features) checkUses() error {
	static := map[string]*Symbol{}
	for i := range f.build.Symbols {
		static[f.build.Symbols[i].Name] = &f.build.Symbols[i]
	}
	for _, p := range append(f.build.Packages[:len(f.build.Packages):len(f.build.Packages)], f.build.Scanned...) {
		if strings.HasPrefix(p.Rel, "cmd/") {
			continue // a command belongs to the binary, not to an instance
		}
		for _, u := range p.Uses {
			switch s := static[strings.TrimSuffix(u.Symbol, moduleSuffix)]; {
			case s == nil:
			case !s.Static:
				return fmt.Errorf("%s:%d: config.%s is folded as a constant: mark the symbol `static = true` (%s), or ask the instance's own settings",
					u.Pos.Filename, u.Pos.Line, u.Symbol, s.Where)
			case s.Version == "" && p.Rel != p.Path:
				return fmt.Errorf("%s:%d: config.%s is read from %s, so that each choice of whatever symbol has the package compiled anew: import %s",
					u.Pos.Filename, u.Pos.Line, u.Symbol, ConstantsDir, staticDir(s))
			}
		}
	}
	return nil
}

// checkDispatch refuses numbers that two protocols claim.
func (f *features) checkDispatch() error {
	types, numbers, names := map[uint16]*scan.Func{}, map[uint8]*scan.Func{}, map[string]*scan.Func{}
	clash := func(what string, a, b *scan.Func) error {
		return fmt.Errorf("%s: %s claims %s, and so does %s", place(b), b.Description.Name, what, place(a))
	}
	for i := range f.networks {
		fn := f.networks[i].fn
		for _, t := range fn.Description.EtherTypes {
			if a := types[t]; a != nil {
				return clash(fmt.Sprintf("ethertype %#04x", t), a, fn)
			}
			types[t] = fn
		}
	}
	for i := range f.protocols {
		fn := f.protocols[i].fn
		for _, n := range fn.Description.Numbers {
			if a := numbers[n]; a != nil {
				return clash(fmt.Sprintf("IP protocol %d", n), a, fn)
			}
			numbers[n] = fn
		}
		if a := names[fn.Description.Name]; a != nil {
			return clash("the name "+fn.Description.Name, a, fn)
		}
		names[fn.Description.Name] = fn
	}
	return nil
}

// providersOf are the chosen values of a type.
func (f *features) providersOf(typ string) []owned {
	var out []owned
	for _, o := range f.providers {
		if o.fn.Result == typ {
			out = append(out, o)
		}
	}
	return out
}
