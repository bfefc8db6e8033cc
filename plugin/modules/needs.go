package modules

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
)

// check holds a manifest against the stack, its rules and the modules there are, loads those
// that the module needs, and returns the digest of its program. names are the module
// itself, last, and those that are loaded because of which it is.
func (m *Manager) check(x *Manifest, names []string) (sum []byte, needs []*Module, err error) {
	modules, unread := m.bySymbol(x)
	o := m.o
	o.Have = func(symbol string) bool { return m.o.Have(symbol) || modules[symbol] != "" }
	if sum, err = x.check(&o); err != nil {
		return nil, nil, errors.Join(err, unread)
	}
	if err = x.grant(m.o.Privileges); err != nil {
		return nil, nil, err
	}
	for _, symbol := range x.Needs {
		name := modules[symbol]
		if name == "" || m.o.Have(symbol) {
			continue
		}
		if i := slices.Index(names, name); i >= 0 {
			return nil, nil, fmt.Errorf("%s: modules need each other in a circle: %s, %s: break it in the depends of their symbols and build again: %w",
				x.file, strings.Join(names[i:], ", "), name, syscall.ELOOP)
		}
		n, err := m.load(name, nil, names)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: module %s needs CONFIG_%s, which is module %s: %w", x.file, x.Name(), symbol, name, err)
		}
		needs = append(needs, n)
	}
	return sum, needs, nil
}

// bySymbol names the modules by the symbols whose m they are, if the stack lacks
// something that x needs. The error is of manifests that cannot be read, which leaves
// open what these are, if it leaves a need open.
func (m *Manager) bySymbol(x *Manifest) (map[string]string, error) {
	lacks := func(symbol string) bool { return !m.o.Have(symbol) }
	if !slices.ContainsFunc(x.Needs, lacks) {
		return nil, nil
	}
	manifests, unread := all(m.o.Dirs)
	out := map[string]string{}
	for _, y := range manifests {
		if y.Symbol != "" && out[y.Symbol] == "" && y.Name() != x.Name() {
			out[y.Symbol] = y.Name()
		}
	}
	if !slices.ContainsFunc(x.Needs, func(symbol string) bool { return lacks(symbol) && out[symbol] == "" }) {
		unread = nil
	}
	return out, unread
}

// reaches tells whether a module is another, or needs it, be it for what it needs. The
// manager's lock is held.
func (mod *Module) reaches(other *Module) bool {
	return mod == other || slices.ContainsFunc(mod.needs, func(n *Module) bool { return n.reaches(other) })
}

// needing names the loaded modules that need one.
func (m *Manager) needing(mod *Module) []string {
	var out []string
	for _, x := range m.loaded {
		if slices.Contains(x.needs, mod) {
			out = append(out, x.name)
		}
	}
	return out
}
