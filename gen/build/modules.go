package build

import (
	"fmt"

	"github.com/libos-go/libos/gen/emit"
)

// modulesApart holds that nothing in the binary imports the package of a symbol
// that is m, which would link it in after all: in are the packages that those
// which are y need, among deps.
func (c *configuration) modulesApart(deps []listed, in map[string]bool) error {
	linked := map[string]*emit.Symbol{}
	var modules []*emit.Symbol
	for i := range c.symbols {
		switch s := &c.symbols[i]; {
		case s.Package == "":
		case s.Linked() && linked[c.importPath(s.Package)] == nil:
			linked[c.importPath(s.Package)] = s
		case s.On():
			modules = append(modules, s)
		}
	}
	imports := map[string][]string{}
	for i := range deps {
		imports[deps[i].ImportPath] = deps[i].Imports
	}
	for _, m := range modules {
		path := c.importPath(m.Package)
		if !in[path] || linked[path] != nil {
			continue
		}
		for i := range c.symbols { // in the order of Kconfig.toml
			s := &c.symbols[i]
			if s.Package != "" && s.Linked() && reaches(imports, c.importPath(s.Package), path) {
				return fmt.Errorf("%s: CONFIG_%s is y and its package %s imports %s, but CONFIG_%s is m (%s): let %s depend on %s=y, or make both y",
					s.Where, s.Name, s.Package, m.Package, m.Name, m.Where, s.Name, m.Name)
			}
		}
		return fmt.Errorf("%s: CONFIG_%s is m, but every binary has its package %s: it can only be y", m.Where, m.Name, m.Package)
	}
	return nil
}

// reaches tells whether from imports to, if only through others.
func reaches(imports map[string][]string, from, to string) bool {
	seen := map[string]bool{}
	var visit func(string) bool
	visit = func(p string) bool {
		if p == to {
			return true
		}
		if seen[p] {
			return false
		}
		seen[p] = true
		for _, q := range imports[p] {
			if visit(q) {
				return true
			}
		}
		return false
	}
	return visit(from)
}
