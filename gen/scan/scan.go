package scan

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"golang.org/x/tools/go/packages"
)

// The types that mark an exported function as a description of a feature.
const (
	protocolType = "core.Protocol"
	networkType  = "core.NetworkProtocol"
	kindType     = "core.DeviceKind"
	qdiscType    = "core.QdiscKind"
	deviceType   = "core.Device"
	commandType  = "github.com/spf13/cobra.Command"
)

// Role is what a function describes.
type Role uint8

const (
	Provider Role = iota // a value that another description takes as a parameter
	Network              // func() core.NetworkProtocol
	Protocol             // func(...) core.Protocol
	Kind                 // func() core.DeviceKind
	Qdisc                // func() core.QdiscKind
	Loopback             // func() core.Device
	Command              // func(...) *cobra.Command
)

// Func is an exported function that describes a feature.
type Func struct {
	Role Role
	Path string // import path
	Name string
	Pos  token.Position
	// Params are what it takes: each is a list of values that the chosen
	// packages provide, one for each provider of that type, or the index of the
	// list after it.
	Params []Param
	// Result is the type of a provider, as import path, dot and name.
	Result string
	// Description is what the returned literal says.
	Description Description
}

// Param is one parameter of a description: all provided values of a type, or a
// function from a value's name to its place in the list that follows.
type Param struct {
	Index    bool   // func(name string) int; the rest is that of the list
	Type     string // import path, dot and name
	Path     string // import path of the type
	TypeName string
	Variadic bool // ...T; else []T
}

// Cache is a slab cache that a package makes.
type Cache struct {
	Name string // as slabinfo shows it
	Type string // of the objects
	Path string // import path of the package that makes it
}

// Use is a place where code reads an option constant.
type Use struct {
	Symbol string
	Pos    token.Position
}

// Package is one scanned package.
type Package struct {
	Path    string // import path
	Rel     string // relative to the module, "" for its root; a third party's is Path
	Name    string
	Dir     string
	Funcs   []Func
	Structs []Struct // with sysctl tags
	Caches  []Cache
	Uses    []Use // of core/config
}

// Config says what to load.
type Config struct {
	Dir     string            // root of the module
	Module  string            // its path
	Overlay map[string][]byte // absolute file names to content
	Env     []string
	Flags   []string // build flags
	Shown   []Shown
}

// Shown is a folder outside of Dir with what messages show in its place.
type Shown struct{ Dir, As string }

// Load type-checks the packages (import paths) and scans them.
// Packages come back in the order of their import paths. The error lists what
// the compiler or the rules of the wiring have against them, a line each.
func Load(c Config, patterns []string) ([]*Package, error) {
	if len(patterns) == 0 {
		return nil, nil
	}
	overlay, remove, err := c.overlay()
	if err != nil {
		return nil, err
	}
	defer remove()
	pkgs, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports | packages.NeedTypes |
			packages.NeedSyntax | packages.NeedTypesInfo | packages.NeedTypesSizes,
		Dir: c.Dir, Env: c.Env, BuildFlags: append(c.Flags[:len(c.Flags):len(c.Flags)], "-overlay="+overlay), Fset: token.NewFileSet(),
		ParseFile: func(fset *token.FileSet, name string, src []byte) (*ast.File, error) {
			if replaced, ok := c.Overlay[name]; ok {
				src = replaced
			}
			return parser.ParseFile(fset, name, src, parser.AllErrors|parser.ParseComments)
		},
	}, patterns...)
	if err != nil {
		return nil, fmt.Errorf("loading packages: %w", err)
	}
	sort.Slice(pkgs, func(i, j int) bool { return pkgs[i].PkgPath < pkgs[j].PkgPath })
	var out []*Package
	var problems []string
	for _, p := range pkgs {
		for _, e := range p.Errors {
			problems = append(problems, c.relativeText(e.Error()))
		}
		if len(p.Errors) > 0 {
			continue
		}
		s := scanner{config: c, pkg: p, out: &Package{Path: p.PkgPath, Name: p.Name, Rel: strings.TrimPrefix(strings.TrimPrefix(p.PkgPath, c.Module), "/")}}
		if len(p.GoFiles) > 0 {
			s.out.Dir = filepath.Dir(p.GoFiles[0])
		}
		s.run()
		problems = append(problems, s.problems...)
		out = append(out, s.out)
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("%s", strings.Join(problems, "\n"))
	}
	return out, nil
}

// overlay writes the overlay as the go command reads it, which then compiles what is
// imported with it: one that packages.Load is told of has it type-check all of that from
// source, the standard library, too.
func (c *Config) overlay() (file string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "libosbuild-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	defer func() {
		if err != nil {
			remove()
		}
	}()
	replace := map[string]string{}
	for name, content := range c.Overlay {
		at := filepath.Join(dir, fmt.Sprintf("%d-%s", len(replace), filepath.Base(name)))
		if err := os.WriteFile(at, content, 0o600); err != nil {
			return "", nil, err
		}
		replace[name] = at
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", nil, err
	}
	file = filepath.Join(dir, "overlay.json")
	return file, remove, os.WriteFile(file, text, 0o600)
}

func (c *Config) relativeText(text string) string {
	for _, x := range c.Shown {
		text = strings.ReplaceAll(text, x.Dir+string(filepath.Separator), x.As+string(filepath.Separator))
	}
	return strings.ReplaceAll(text, c.Dir+string(filepath.Separator), "")
}

// relative is a file name for messages.
func (c *Config) relative(name string) string {
	for _, x := range c.Shown {
		if rel, err := filepath.Rel(x.Dir, name); err == nil && !strings.HasPrefix(rel, "..") {
			return filepath.ToSlash(filepath.Join(x.As, rel))
		}
	}
	if rel, err := filepath.Rel(c.Dir, name); err == nil {
		return filepath.ToSlash(rel)
	}
	return name
}

type scanner struct {
	config   Config
	pkg      *packages.Package
	out      *Package
	problems []string
}

func (s *scanner) position(p token.Pos) token.Position {
	pos := s.pkg.Fset.Position(p)
	pos.Filename = s.config.relative(pos.Filename)
	pos.Column, pos.Offset = 0, 0
	return pos
}

func (s *scanner) errorf(p token.Pos, format string, args ...any) {
	pos := s.position(p)
	s.problems = append(s.problems, fmt.Sprintf("%s:%d: ", pos.Filename, pos.Line)+fmt.Sprintf(format, args...))
}

func (s *scanner) run() {
	for _, f := range s.pkg.Syntax {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				s.function(d)
			case *ast.GenDecl:
				if d.Tok == token.TYPE {
					for _, spec := range d.Specs {
						s.structType(spec.(*ast.TypeSpec))
					}
				}
			}
		}
		ast.Inspect(f, s.inspect)
	}
	sort.SliceStable(s.out.Funcs, func(i, j int) bool { return s.out.Funcs[i].Name < s.out.Funcs[j].Name })
	sort.Slice(s.out.Caches, func(i, j int) bool { return s.out.Caches[i].Name < s.out.Caches[j].Name })
}

// typeName is the name of a named type: import path, dot and name; "" for any
// other. Types of the module's own packages lack the module's path.
func (s *scanner) typeName(t types.Type) (full, path, name string) {
	n, ok := types.Unalias(t).(*types.Named)
	if !ok || n.Obj().Pkg() == nil || n.TypeArgs().Len() > 0 {
		return "", "", ""
	}
	path, name = n.Obj().Pkg().Path(), n.Obj().Name()
	return strings.TrimPrefix(path, s.config.Module+"/") + "." + name, path, name
}

func (s *scanner) function(d *ast.FuncDecl) {
	if d.Recv != nil || !d.Name.IsExported() || d.Type.TypeParams != nil {
		return
	}
	sig := s.pkg.TypesInfo.Defs[d.Name].Type().(*types.Signature)
	if sig.Results().Len() != 1 {
		return
	}
	result := sig.Results().At(0).Type()
	f := Func{Path: s.pkg.PkgPath, Name: d.Name.Name, Pos: s.position(d.Pos())}
	if ptr, ok := result.(*types.Pointer); ok {
		if full, _, _ := s.typeName(ptr.Elem()); full == commandType {
			f.Role = Command
			s.out.Funcs = append(s.out.Funcs, f)
		}
		return
	}
	full, path, _ := s.typeName(result)
	if full == "" || !strings.HasPrefix(path, s.config.Module) {
		return
	}
	none := sig.Params().Len() == 0
	switch full {
	case protocolType:
		f.Role = Protocol
		if !s.params(d, sig, &f) {
			return
		}
	case networkType:
		f.Role = Network
		if !s.params(d, sig, &f) {
			return
		}
	case kindType, qdiscType:
		if f.Role = Kind; full == qdiscType {
			f.Role = Qdisc
		}
		if !none {
			return
		}
	case deviceType:
		// a driver's constructor takes parameters, the loopback none
		f.Role = Loopback
		if !none {
			return
		}
	default:
		f.Role, f.Result = Provider, full
		if !none {
			return
		}
		f.Description.Name = s.name(d)
		s.out.Funcs = append(s.out.Funcs, f)
		return
	}
	if f.Role != Loopback {
		s.describe(d, &f)
	}
	s.out.Funcs = append(s.out.Funcs, f)
}

// params takes the parameters of a description apart. A function with others
// than lists of provided values, and an index before a list, is no description
// but a helper.
func (s *scanner) params(d *ast.FuncDecl, sig *types.Signature, f *Func) bool {
	index := false
	for i := 0; i < sig.Params().Len(); i++ {
		t := sig.Params().At(i).Type()
		if !index && i+1 < sig.Params().Len() && isIndex(t) {
			index = true
			continue
		}
		sl, ok := t.(*types.Slice)
		if !ok {
			return false
		}
		full, path, name := s.typeName(sl.Elem())
		if full == "" {
			return false
		}
		p := Param{Type: full, Path: path, TypeName: name}
		if index {
			p.Index = true
			f.Params = append(f.Params, p)
			p.Index, index = false, false
		}
		p.Variadic = sig.Variadic() && i == sig.Params().Len()-1
		f.Params = append(f.Params, p)
	}
	return true
}

// isIndex tells whether t is func(string) int.
func isIndex(t types.Type) bool {
	f, ok := t.(*types.Signature)
	return ok && f.Params().Len() == 1 && f.Results().Len() == 1 &&
		types.Identical(f.Params().At(0).Type(), types.Typ[types.String]) && types.Identical(f.Results().At(0).Type(), types.Typ[types.Int])
}
