package build

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"
	"text/tabwriter"

	"github.com/libos-go/libos/gen/emit"
)

// Size tells where the bytes of a binary come from. All are bytes of symbols in
// the file: code and data.
type Size struct {
	Name string `json:"name"`
	File int64  `json:"file"` // bytes of the file
	// Total of all symbols: Own and Other and Tables.
	Total  int64 `json:"total"`
	Own    int64 `json:"own"`    // packages of this module
	Other  int64 `json:"other"`  // Go's library and other modules
	Tables int64 `json:"tables"` // of the linker, which belong to no package
	// Zeroed is memory that starts as zero: it is not in the file nor in any
	// other figure here, and the system gives room for what of it is used.
	Zeroed int64 `json:"zeroed"`
	// Symbols that bring in a package, in Kconfig's order.
	Symbols []SymbolSize `json:"symbols"`
	// Shared is what several of them need, Always what every build has.
	Shared SymbolSize `json:"shared"`
	Always SymbolSize `json:"always"`
	// Modules are the programs beside it, of which nothing is in any figure above.
	Modules []ModuleSize `json:"modules,omitempty"`
	// Packages by import path.
	Packages map[string]int64 `json:"packages"`
}

// SymbolSize is what belongs to one Kconfig symbol.
type SymbolSize struct {
	Symbol  string `json:"symbol,omitempty"`
	Package string `json:"package,omitempty"`
	// Adds is by how many bytes of symbols the binary is larger than one of the
	// same configuration with this symbol set to n, and with what depends on it
	// gone, too. It is measured by building that one; absent where the symbol
	// cannot be n, or was not measured.
	Adds  *int64 `json:"adds,omitempty"`
	Own   int64  `json:"own"`   // bytes in packages of this module
	Other int64  `json:"other"` // bytes in packages that nothing else needs
}

// ModuleSize is the program of a symbol that is m.
type ModuleSize struct {
	Symbol  string `json:"symbol"`
	Package string `json:"package"`
	Module  string `json:"module"`
	File    int64  `json:"file"` // bytes of the file
}

// Size builds what is stale and tells what is in the binary and, unless only
// packages are asked for, what each symbol adds.
func (b *Builder) Size(packages bool, names ...string) (*Size, error) {
	quiet := *b
	quiet.Quiet = true
	if _, err := quiet.Build(names...); err != nil {
		return nil, err
	}
	c, err := b.configuration(names)
	if err != nil {
		return nil, err
	}
	z, err := b.sizeOf(c)
	if err != nil || packages {
		return z, err
	}
	return z, b.measure(c, z)
}

// sizeOf reads the binary of a configuration that was built.
func (b *Builder) sizeOf(c *configuration) (*Size, error) {
	binary := b.Binary(c.name)
	st, err := os.Stat(binary)
	if err != nil {
		return nil, err
	}
	table, err := b.symbolsOf(binary)
	if err != nil {
		return nil, err
	}
	z := &Size{Name: c.name, File: st.Size(), Packages: map[string]int64{}}
	for _, s := range table {
		if s.Zero {
			z.Zeroed += s.Size
			continue
		}
		z.Total += s.Size
		p := packageOf(s.Name)
		if p == "main" {
			p = Module + "/cmd/libos"
		}
		switch {
		case p == "":
			z.Tables += s.Size
			continue
		case p == Module || strings.HasPrefix(p, Module+"/"):
			z.Own += s.Size
		default:
			z.Other += s.Size
		}
		z.Packages[p] += s.Size
	}
	deps, err := b.list(c, b.overlay(c.name), "ImportPath,Imports,Module", "./cmd/libos")
	if err != nil {
		return nil, err
	}
	z.attribute(c, deps)
	for _, m := range emit.Modules(c.symbols) {
		st, err := os.Stat(b.modulePath(c.name, m.Name))
		if err != nil {
			return nil, err
		}
		z.Modules = append(z.Modules, ModuleSize{m.Symbol.Name, m.Symbol.Package, m.Name, st.Size()})
	}
	return z, nil
}

// attribute gives each package to the symbol without which it would not be
// there.
func (z *Size) attribute(c *configuration, deps []listed) {
	imports := map[string][]string{}
	for i := range deps {
		imports[deps[i].ImportPath] = deps[i].Imports
	}
	chosen := map[string]bool{}
	for i := range c.symbols {
		if s := &c.symbols[i]; s.Package != "" && s.Linked() && !chosen[c.importPath(s.Package)] {
			chosen[c.importPath(s.Package)] = true
			z.Symbols = append(z.Symbols, SymbolSize{Symbol: s.Name, Package: s.Package})
		}
	}
	// The wiring and main name the chosen packages; without a symbol its line
	// there is not written.
	names := map[string]bool{Module: true, Module + "/cmd/libos": true}
	reach := func(from string, through func(from, to string) bool) map[string]bool {
		seen := map[string]bool{}
		var visit func(string)
		visit = func(p string) {
			if seen[p] {
				return
			}
			seen[p] = true
			for _, q := range imports[p] {
				if through(p, q) {
					visit(q)
				}
			}
		}
		visit(from)
		return seen
	}
	always := reach(Module+"/cmd/libos", func(from, to string) bool { return !(names[from] && chosen[to]) })
	owner := map[string]int{} // 1-based; -1 for several
	for i := range z.Symbols {
		for p := range reach(c.importPath(z.Symbols[i].Package), func(string, string) bool { return true }) {
			switch {
			case always[p]:
			case owner[p] == 0:
				owner[p] = i + 1
			default:
				owner[p] = -1
			}
		}
	}
	// a package that a symbol names is its own even where others need it
	for i := range z.Symbols {
		owner[c.importPath(z.Symbols[i].Package)] = i + 1
	}
	paths := make([]string, 0, len(z.Packages))
	for p := range z.Packages {
		paths = append(paths, p)
	}
	sort.Strings(paths)
	for _, p := range paths {
		at := &z.Always
		switch i := owner[p]; {
		case i > 0:
			at = &z.Symbols[i-1]
		case i < 0:
			at = &z.Shared
		}
		if p == Module || strings.HasPrefix(p, Module+"/") {
			at.Own += z.Packages[p]
		} else {
			at.Other += z.Packages[p]
		}
	}
}

// JSON is the size for programs.
func (z *Size) JSON() ([]byte, error) {
	data, err := json.MarshalIndent(z, "", "  ")
	return append(data, '\n'), err
}

// Text is the size for people.
func (z *Size) Text() string {
	var s strings.Builder
	w := tabwriter.NewWriter(&s, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t\n", "symbol", "package", "libos", "others", "adds")
	row := func(symbol, pkg string, own, other int64, adds *int64) {
		text := ""
		if adds != nil {
			text = bytes10(*adds)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t\n", symbol, pkg, bytes10(own), bytes10(other), text)
	}
	for _, x := range z.Symbols {
		row(x.Symbol, x.Package, x.Own, x.Other, x.Adds)
	}
	row("several of these", "", z.Shared.Own, z.Shared.Other, nil)
	row("always", "", z.Always.Own, z.Always.Other, nil)
	row("total", "", z.Own, z.Other, nil)
	w.Flush()
	fmt.Fprintf(&s, "\nbuild/%s/libos: %s of symbols (with %s of the linker's tables), %s as a file\n", z.Name, bytes10(z.Total), bytes10(z.Tables), bytes10(z.File))
	for _, m := range z.Modules {
		fmt.Fprintf(&s, "build/%s/modules/%s: %s as a file (CONFIG_%s=m, %s)\n", z.Name, m.Module, bytes10(m.File), m.Symbol, m.Package)
	}
	s.WriteString("libos: bytes of the symbol's package and of what it alone imports; others: of Go's\nlibrary and other modules that it alone imports; adds: how much smaller all would be\nwithout the symbol and what depends on it, measured by building that\n")
	return s.String()
}

// bytes10 groups a number of bytes by thousands.
func bytes10(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}
