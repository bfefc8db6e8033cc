package contracts

import (
	"go/ast"
	"go/token"
	"go/types"
	"strconv"

	"golang.org/x/tools/go/analysis"
)

// NoSideEffects holds contract C4.
var NoSideEffects = &analysis.Analyzer{
	Name: "nosideeffects",
	Doc: `nothing registers itself by being imported

In allocator, core, protocols, netlink, device, host and the doors above them
(tests excepted) these are errors:
  - a func init;
  - a blank import (but for "embed", which //go:embed asks for);
  - a blank variable whose initialiser calls a function.
A package exports a value that describes it, and the wiring names that value.`,
	Run: runNoSideEffects,
}

func runNoSideEffects(pass *analysis.Pass) (any, error) {
	if !within(pass.Pkg.Path(), explicitTrees) {
		return nil, nil
	}
	for _, f := range sources(pass) {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" {
					pass.Reportf(d.Name.Pos(), "func init runs by mere import: export a value and let the wiring name it (contract C4)")
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					sideEffectsOfSpec(pass, d.Tok, s)
				}
			}
		}
	}
	return nil, nil
}

func sideEffectsOfSpec(pass *analysis.Pass, tok token.Token, s ast.Spec) {
	switch s := s.(type) {
	case *ast.ImportSpec:
		path, err := strconv.Unquote(s.Path.Value)
		if err == nil && s.Name != nil && s.Name.Name == "_" && path != "embed" && path != "unsafe" { // both have no initialiser; cgo writes the latter
			pass.Reportf(s.Pos(), "blank import of %s acts by side effect: import it by name where it is wired (contract C4)", path)
		}
	case *ast.ValueSpec:
		if tok != token.VAR {
			return
		}
		for i, name := range s.Names {
			if name.Name != "_" || len(s.Values) == 0 {
				continue
			}
			if call := firstCall(pass.TypesInfo, s.Values[min(i, len(s.Values)-1)]); call != nil {
				pass.Reportf(call.Pos(), "the initialiser of a blank variable calls a function only for its side effect (contract C4)")
			}
		}
	}
}

// firstCall finds a call in e that is neither a conversion nor a builtin, and
// does not stand in the body of a function literal.
func firstCall(info *types.Info, e ast.Expr) *ast.CallExpr {
	var found *ast.CallExpr
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if tv := info.Types[n.Fun]; found == nil && !tv.IsType() && !tv.IsBuiltin() {
				found = n
			}
		case *ast.FuncLit:
			return false
		}
		return found == nil
	})
	return found
}
