package emit

import (
	"fmt"
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/libos-go/libos/gen/scan"
)

// ModulesPath is the folder of the modules' programs. It is in no source tree: the
// overlay puts it there.
const ModulesPath = "modules"

// Module is the program of a symbol that is m.
type Module struct {
	Name   string // of the program and of its folder: the symbol in lower-case letters
	Symbol *Symbol
}

// Dir is the folder of the program's package.
func (m Module) Dir() string { return ModulesPath + "/" + m.Name }

// Main is the file of the program.
func (m Module) Main() string { return m.Dir() + "/main.go" }

// Modules are the programs that a configuration has beside libos, in the order of
// Kconfig.toml: one for each package that only symbols which are m bring in.
func Modules(symbols []Symbol) []Module {
	taken := map[string]bool{}
	for i := range symbols {
		if s := &symbols[i]; s.Linked() {
			taken[s.Package] = true
		}
	}
	var out []Module
	for i := range symbols {
		s := &symbols[i]
		if s.Package == "" || s.Value != "m" || taken[s.Package] {
			continue
		}
		taken[s.Package] = true
		out = append(out, Module{Name: ModuleName(s.Name), Symbol: s})
	}
	return out
}

// ModuleName is the name of a symbol's module.
func ModuleName(symbol string) string { return strings.ToLower(symbol) }

// moduleFile is the main function of a module. It depends on the module's own
// package and symbol only, so that another choice elsewhere builds it no anew.
func (b *Build) moduleFile(m Module) (*jen.File, error) {
	f, err := b.moduleFeatures(m)
	if err != nil {
		return nil, err
	}
	out := b.file(m.Dir(), "main")
	out.PackageComment("Command " + m.Name + " is the module of CONFIG_" + m.Symbol.Name + ": what " + m.Symbol.Package + " describes, in a")
	out.PackageComment("process of its own.")
	var protocols []jen.Code
	for _, o := range f.protocols {
		fields := []jen.Code{field("Protocol", f.call(o.fn))}
		if o.sysctl != nil {
			fields = append(fields, field("Sysctls", jen.Id(f.tables[structs{o.sysctl}.key()]).Call()))
		}
		protocols = append(protocols, jen.Values(fields...))
	}
	var kinds []jen.Code
	for _, o := range f.kinds {
		kinds = append(kinds, f.call(o.fn))
	}
	var controls []jen.Code
	for _, o := range f.providersOf(controlType) {
		controls = append(controls, f.call(o.fn))
	}
	sdk := b.Module + "/plugin"
	version, license := jen.Qual(b.Module+"/core/version", "Number"), jen.Qual(b.Module+"/core/version", "License")
	if v := m.Symbol.Version; v != "" { // who made it says under which licence
		version, license = jen.Lit(v), jen.Lit("")
	}
	fields := []jen.Code{
		field("Name", jen.Lit(m.Name)),
		field("Version", version),
		field("Description", jen.Lit(m.description())),
		field("License", license),
	}
	if len(protocols) > 0 {
		fields = append(fields, field("Protocols", jen.Index().Qual(sdk, "Protocol").Add(lines(protocols))))
	}
	if len(kinds) > 0 {
		fields = append(fields, field("Devices", jen.Index().Add(b.core("DeviceKind")).Add(lines(kinds))))
	}
	if len(controls) > 0 {
		fields = append(fields, field("Controls", jen.Index().Qual(b.Module+"/core/congestion", "Algorithm").Add(lines(controls))))
	}
	out.Func().Id("main").Params().Block(jen.Qual(sdk, "Main").Call(jen.Qual(sdk, "Module").Add(lines(fields))))
	for _, st := range f.allStructs() {
		own, err := b.fixed(st)
		if err != nil {
			return nil, err
		}
		name := f.tables[structs{st}.key()]
		out.Add(doc(name + " is the table of " + strings.TrimPrefix(st.Path, b.Module+"/") + "." + st.Name + "."))
		out.Func().Id(name).Params().Add(b.table()).Block(
			jen.Return(jen.Op("&").Qual(b.Module+"/core/sysctl", "Table").Add(lines(tableFields(b, own)))))
	}
	return out, nil
}

// description is what the menu calls the symbol.
func (m Module) description() string {
	if m.Symbol.Prompt != "" {
		return m.Symbol.Prompt
	}
	return m.Symbol.Name
}

// controlType is that of a congestion control.
const controlType = "core/congestion.Algorithm"

// moduleFeatures is what a module's package describes: protocols behind
// core.Handler, device kinds with an Open and congestion controls, one or more, and
// nothing that only the stack's own process can have.
func (b *Build) moduleFeatures(m Module) (*features, error) {
	s := m.Symbol
	var pkg *scan.Package
	for _, p := range b.Scanned {
		if p.Rel == s.Package {
			pkg = p
		}
	}
	if pkg == nil {
		return nil, fmt.Errorf("%s: %s brings in package %q, which was not loaded", s.Where, s.Name, s.Package)
	}
	f := &features{build: b, tables: map[string]string{}, indices: map[string]string{}}
	separable := 0
	var other *scan.Func
	for i := range pkg.Funcs {
		switch fn := &pkg.Funcs[i]; {
		case (fn.Role == scan.Protocol || fn.Role == scan.Kind) && fn.Description.Separable && len(fn.Params) == 0:
			separable++
		case fn.Role == scan.Provider && fn.Result == controlType:
			separable++
		case fn.Role != scan.Provider:
			other = fn
		}
	}
	const what = "only a func() core.Protocol whose literal sets NewHandler, a func() core.DeviceKind whose literal sets Open, or a func() congestion.Algorithm, can run in a process of its own"
	if separable == 0 {
		return nil, fmt.Errorf("%s: CONFIG_%s is m, but package %s has nothing that can be a module: %s: set %s=y, or make the symbol a bool there",
			s.Where, s.Name, s.Package, what, s.Name)
	}
	if other != nil {
		return nil, fmt.Errorf("%s: CONFIG_%s is m, but %s of its package cannot be a part of a module (%s): %s: set %s=y, or give %s a symbol and a package of its own",
			place(other), s.Name, other.Name, s.Where, what, s.Name, other.Name)
	}
	if err := f.add(s.Name, pkg); err != nil {
		return nil, err
	}
	f.nameTables()
	return f, f.checkDispatch()
}

// fixed is a struct of sysctls whose defaults are those of the configuration:
// where a stack narrows its wiring at run time, a module has one.
func (b *Build) fixed(st *scan.Struct) (*scan.Struct, error) {
	own := *st
	own.Fields = append([]scan.Field(nil), st.Fields...)
	for i := range own.Fields {
		x := &own.Fields[i]
		if x.Config == "" {
			continue
		}
		for j := range b.Symbols {
			s := &b.Symbols[j]
			if s.Name != x.Config {
				continue
			}
			x.Entry.Default = s.Value
			switch {
			case s.logical() && s.On():
				x.Entry.Default = "1"
			case s.logical():
				x.Entry.Default = "0"
			}
			if err := x.CheckDefault(); err != nil {
				return nil, fmt.Errorf("%s: CONFIG_%s: %w", x.Pos, x.Config, err)
			}
		}
	}
	return &own, nil
}
