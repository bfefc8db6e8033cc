package contracts

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
)

// uses follows every use of a covered variable in one package and reports
// those that are not reads. Locals and parameters that share a variable's
// memory (aliases) are followed in turn.
type uses struct {
	pass    *analysis.Pass
	in      *inspector.Inspector
	aliases map[*types.Var]bool // value: its own uses have been followed
	callees map[*types.Func]bool
}

func (u *uses) run() {
	u.callees = map[*types.Func]bool{}
	for c := range u.in.Root().Preorder((*ast.FuncDecl)(nil)) {
		if fn, ok := u.pass.TypesInfo.Defs[c.Node().(*ast.FuncDecl).Name].(*types.Func); ok {
			u.callees[fn] = true
		}
	}
	u.follow(u.isCovered, true)
	for more := true; more; {
		more = false
		for v, done := range u.aliases {
			if !done {
				u.aliases[v], more = true, true
				u.follow(func(o *types.Var) bool { return o == v }, false)
			}
		}
	}
}

// isCovered reports whether v is a package-level variable of a covered tree,
// declared outside tests.
func (u *uses) isCovered(v *types.Var) bool {
	return v.Pkg() != nil && v.Parent() == v.Pkg().Scope() && within(v.Pkg().Path(), stateFreeTrees) &&
		!(v.Pkg() == u.pass.Pkg && (isTest(u.pass, v.Pos()) || excepted(u.pass, v.Pos())))
}

// follow judges every use of the variables that match. shared: the variable's
// own storage is the package's, not a copy.
func (u *uses) follow(match func(*types.Var) bool, shared bool) {
	for c := range u.in.Root().Preorder((*ast.Ident)(nil)) {
		id := c.Node().(*ast.Ident)
		v, ok := u.pass.TypesInfo.Uses[id].(*types.Var)
		if !ok || v.IsField() || !match(v) {
			continue
		}
		if c.ParentEdgeKind() == edge.SelectorExpr_Sel { // package.Variable
			c = c.Parent()
		}
		u.judge(c, v.Name(), shared)
	}
}

// judge climbs from a use to the largest expression that still denotes the
// variable's memory, and reports it unless that expression is read.
func (u *uses) judge(c inspector.Cursor, name string, shared bool) {
	report := func(format string) {
		u.pass.Reportf(c.Node().Pos(), "package-level variable "+format+" (contract C3)", name)
	}
	info := u.pass.TypesInfo
	for {
		e := c.Node().(ast.Expr)
		t := info.TypeOf(e)
		p := c.Parent()
		switch c.ParentEdgeKind() {
		case edge.ParenExpr_X:
			c = p
			continue
		case edge.StarExpr_X:
			shared, c = true, p
			continue
		case edge.SelectorExpr_X:
			sel := info.Selections[p.Node().(*ast.SelectorExpr)]
			if sel == nil {
				return
			}
			if sel.Kind() == types.FieldVal {
				shared, c = shared || sel.Indirect(), p
				continue
			}
			if fn, ok := sel.Obj().(*types.Func); ok && !isImmutable(t) {
				recv := fn.Signature().Recv().Type()
				if _, ptr := recv.Underlying().(*types.Pointer); ptr && shared && !types.IsInterface(t) {
					report("%s has its address taken by method " + fn.Name())
				} else if isSlice(recv) {
					report("%s is handed to method " + fn.Name() + ", which can write to it")
				}
			}
			return
		case edge.IndexExpr_X:
			switch t.Underlying().(type) {
			case *types.Slice, *types.Pointer:
				shared = true
			case *types.Basic, *types.Signature:
				return
			}
			c = p
			continue
		case edge.SliceExpr_X:
			if b, ok := t.Underlying().(*types.Basic); ok && b.Info()&types.IsString != 0 {
				return
			}
			if _, array := t.Underlying().(*types.Array); array && !shared {
				return // a slice of a copy
			}
			c = p
			continue
		case edge.UnaryExpr_X:
			if p.Node().(*ast.UnaryExpr).Op == token.AND && shared {
				report("%s has its address taken")
			}
			return
		case edge.AssignStmt_Lhs, edge.IncDecStmt_X, edge.RangeStmt_Key, edge.RangeStmt_Value:
			if a, ok := p.Node().(*ast.AssignStmt); ok && a.Tok == token.DEFINE {
				return
			}
			if shared {
				report("%s is written to")
			}
			return
		case edge.RangeStmt_X:
			if r := p.Node().(*ast.RangeStmt); r.Value != nil {
				u.alias(r.Value)
			}
			return
		}
		if why := u.escape(c, e, t); why != "" {
			report("%s " + why)
		}
		return
	}
}

// alias follows the local variable that dst declares, if it can share memory.
func (u *uses) alias(dst ast.Expr) {
	id, ok := dst.(*ast.Ident)
	if !ok {
		return
	}
	obj := u.pass.TypesInfo.Defs[id]
	if obj == nil {
		obj = u.pass.TypesInfo.Uses[id]
	}
	if v, ok := obj.(*types.Var); ok && sharesMemory(v.Type(), nil) {
		if _, known := u.aliases[v]; !known {
			u.aliases[v] = false
		}
	}
}

// escape says how the value e, which c stands for, can be written to by others
// where it is used; "" if it cannot.
func (u *uses) escape(c inspector.Cursor, e ast.Expr, t types.Type) string {
	if t == nil || isImmutable(t) || !sharesMemory(t, nil) {
		return ""
	}
	bare := isSlice(t)
	p := c.Parent()
	switch c.ParentEdgeKind() {
	case edge.AssignStmt_Rhs:
		a := p.Node().(*ast.AssignStmt)
		if len(a.Lhs) == len(a.Rhs) {
			dst := a.Lhs[slices.Index(a.Rhs, e)]
			if u.isLocal(dst) {
				u.alias(dst)
				return ""
			}
		}
	case edge.ValueSpec_Values:
		s := p.Node().(*ast.ValueSpec)
		if len(s.Names) == len(s.Values) {
			if dst := s.Names[slices.Index(s.Values, e)]; u.isLocal(dst) {
				u.alias(dst)
				return ""
			}
		}
	case edge.BinaryExpr_X, edge.BinaryExpr_Y, edge.SwitchStmt_Tag, edge.ExprStmt_X:
		return ""
	case edge.CallExpr_Args:
		if bare {
			return u.argument(p.Node().(*ast.CallExpr), e)
		}
	}
	if bare {
		return "is a slice that leaves the reader's sight: use an array, or hand out a copy"
	}
	return ""
}

// isLocal reports whether dst is a variable of the surrounding function.
func (u *uses) isLocal(dst ast.Expr) bool {
	id, ok := dst.(*ast.Ident)
	if !ok {
		return false
	}
	obj := u.pass.TypesInfo.ObjectOf(id)
	v, ok := obj.(*types.Var)
	return id.Name == "_" || ok && !v.IsField() && v.Parent() != u.pass.Pkg.Scope()
}

// argument judges a slice that is passed to a call.
func (u *uses) argument(call *ast.CallExpr, arg ast.Expr) string {
	i := slices.Index(call.Args, arg)
	if u.pass.TypesInfo.Types[call.Fun].IsType() {
		if b, ok := u.pass.TypesInfo.TypeOf(call.Fun).Underlying().(*types.Basic); ok && b.Info()&types.IsString != 0 {
			return ""
		}
		return "is converted to another slice type, which can be written to"
	}
	switch fn := callee(u.pass.TypesInfo, call).(type) {
	case *types.Builtin:
		switch fn.Name() {
		case "len", "cap", "print", "println":
			return ""
		case "copy", "append":
			if i == 1 && (fn.Name() == "copy" || call.Ellipsis.IsValid()) {
				return ""
			}
		}
		return "is written to by " + fn.Name()
	case *types.Func:
		if readsOnly(fn) {
			return ""
		}
		origin := fn.Origin()
		if u.callees[origin] {
			params := origin.Signature().Params()
			if i >= params.Len()-1 && fn.Signature().Variadic() && !call.Ellipsis.IsValid() {
				return "is a slice that leaves the reader's sight in a variadic call"
			}
			if v := params.At(i); sharesMemory(v.Type(), nil) {
				if _, known := u.aliases[v]; !known {
					u.aliases[v] = false
				}
			}
			return ""
		}
		return "is a slice passed to " + fn.FullName() + ", which can write to it: use an array, or pass a copy"
	}
	return "is a slice passed to a function value, which can write to it"
}

// readsOnly knows functions of the standard library that neither write to nor
// keep their slices.
func readsOnly(fn *types.Func) bool {
	if fn.Pkg() == nil {
		return false
	}
	switch fn.Pkg().Path() {
	case "bytes":
		return slices.Contains([]string{"Equal", "EqualFold", "Compare", "Contains", "HasPrefix", "HasSuffix", "Index", "IndexByte", "Count", "Clone", "LastIndex"}, fn.Name())
	case "slices":
		for _, p := range []string{"Contains", "Index", "BinarySearch", "Equal", "Compare", "Max", "Min", "IsSorted", "Clone", "Sorted"} {
			if strings.HasPrefix(fn.Name(), p) {
				return true
			}
		}
	case "strings":
		return fn.Name() == "Join"
	case "encoding/binary":
		return strings.HasPrefix(fn.Name(), "Uint")
	case "hash/crc32":
		return fn.Name() == "Checksum" || fn.Name() == "Update" || fn.Name() == "ChecksumIEEE"
	}
	return false
}

func isSlice(t types.Type) bool {
	_, ok := t.Underlying().(*types.Slice)
	return ok
}

// sharesMemory reports whether a copy of a value of type t still reaches
// memory of the original that can be written to.
func sharesMemory(t types.Type, seen []types.Type) bool {
	if isImmutable(t) || slices.Contains(seen, t) {
		return false
	}
	seen = append(seen, t)
	switch t := t.Underlying().(type) {
	case *types.Slice:
		return true
	case *types.Array:
		return sharesMemory(t.Elem(), seen)
	case *types.Struct:
		for f := range t.Fields() {
			if sharesMemory(f.Type(), seen) {
				return true
			}
		}
	}
	return false
}
