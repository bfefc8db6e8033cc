package contracts

import (
	"go/ast"
	"go/types"
	"strconv"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
)

// EmptySlabs has every test see to it that its instances leave nothing behind.
var EmptySlabs = &analysis.Analyzer{
	Name: "emptyslabs",
	Doc: `what a test makes leaves its slabs empty, and the test fails if it does not

In tests, and in the packages for them (files that import "testing"), these are
errors:
  - core.NewDomain: coretest.New makes a Domain that is closed at the end of the
    test, which fails by what is left in its slabs, and by packets that went past
    them;
  - core.New and the root package's New, but as the argument of Rig.Adopt:
    Rig.Instance makes an instance in the Rig's Domain;
  - a call of Close of an instance or a Domain whose error nobody looks at: it is
    where leaks are told.`,
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      runEmptySlabs,
}

const (
	corePath     = ModulePath + "/core"
	coretestPath = ModulePath + "/core/coretest"
)

func runEmptySlabs(pass *analysis.Pass) (any, error) {
	if _, ours := relative(pass.Pkg.Path()); !ours {
		return nil, nil
	}
	in := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector)
	for file := range in.Root().Children() {
		f := file.Node().(*ast.File)
		if !isForTests(pass, f) || excepted(pass, f.Package) {
			continue
		}
		for c := range file.Preorder((*ast.Ident)(nil)) {
			fn, ok := pass.TypesInfo.Uses[c.Node().(*ast.Ident)].(*types.Func)
			if !ok {
				continue
			}
			if c.ParentEdgeKind() == edge.SelectorExpr_Sel {
				c = c.Parent()
			}
			judgeMaker(pass, c, fn)
		}
	}
	return nil, nil
}

// isForTests reports whether f is a test or test support.
func isForTests(pass *analysis.Pass, f *ast.File) bool {
	if isTest(pass, f.Package) {
		return true
	}
	for _, spec := range f.Imports {
		if path, err := strconv.Unquote(spec.Path.Value); err == nil && path == "testing" {
			return true
		}
	}
	return false
}

// judgeMaker judges the use at c of a function that makes or closes.
func judgeMaker(pass *analysis.Pass, c inspector.Cursor, fn *types.Func) {
	switch fn.FullName() {
	case corePath + ".NewDomain":
		pass.Reportf(c.Node().Pos(), "a test's own Domain: take coretest.New(t, host).Domain, which fails the test by what is left in its slabs")
	case corePath + ".New", ModulePath + ".New":
		if !isAdopted(pass, c) {
			pass.Reportf(c.Node().Pos(), "a test's own instance: make it by Instance or Adopt of a coretest.Rig, which fails the test by what is left in its slabs")
		}
	case "(*" + corePath + ".Instance).Close", "(*" + corePath + ".Domain).Close":
		if isDropped(c) {
			pass.Reportf(c.Node().Pos(), "the error of %s is where leaks are told: look at it, or let the coretest.Rig close", fn.FullName())
		}
	}
}

// isAdopted reports whether the function at c is called as the argument of
// coretest.Rig.Adopt.
func isAdopted(pass *analysis.Pass, c inspector.Cursor) bool {
	if c.ParentEdgeKind() != edge.CallExpr_Fun {
		return false
	}
	c = c.Parent()
	if c.ParentEdgeKind() != edge.CallExpr_Args {
		return false
	}
	sel, ok := c.Parent().Node().(*ast.CallExpr).Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	fn, ok := pass.TypesInfo.Uses[sel.Sel].(*types.Func)
	return ok && fn.FullName() == "(*"+coretestPath+".Rig).Adopt"
}

// isDropped reports whether the function at c is called and what it returns is
// thrown away.
func isDropped(c inspector.Cursor) bool {
	if c.ParentEdgeKind() != edge.CallExpr_Fun {
		return false
	}
	c = c.Parent()
	switch s := c.Parent().Node().(type) {
	case *ast.ExprStmt, *ast.DeferStmt, *ast.GoStmt:
		return true
	case *ast.AssignStmt:
		for _, left := range s.Lhs {
			if id, ok := left.(*ast.Ident); !ok || id.Name != "_" {
				return false
			}
		}
		return true
	}
	return false
}
