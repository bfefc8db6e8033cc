package contracts

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
)

// StateFree holds contract C3. This file judges declarations, uses.go what is
// done with the variables afterwards.
var StateFree = &analysis.Analyzer{
	Name: "statefree",
	Doc: `no mutable package-level state

Many instances live in one process and meet only over links, so a package-level
variable of allocator, core, protocols, netlink or device is legal only if it is
a constant in all but name. A declaration outside tests is an error if its type
can hold state: a map, a channel, a pointer, a function variable, anything of
sync or sync/atomic, or a struct, array or slice with such a part. Legal are
  - basic values, and structs, arrays and slices of legal parts;
  - functions as fields or elements of a table, when the initialiser names a
    declared function or a literal (a closure that a call makes may hold state);
  - interfaces initialised with errors.New, fmt.Errorf or a value of legal type;
  - immutable library values: netip.Addr, netip.Prefix, netip.AddrPort,
    time.Time, *crc32.Table, *regexp.Regexp;
  - blank variables, such as var _ Device = (*Pipe)(nil).
Every use in the module, tests included, must then be a read. Errors are: an
assignment to the variable or a part of it; its address taken, by &, by slicing
an array, or by a method with a pointer receiver; and a slice that leaves the
reader's sight: returned, stored, or passed on to a function of another package,
unless that function is known to read only (slices.Contains, bytes.Equal …).
Locals, range variables and parameters of the same package's functions that
alias such a slice are followed. What is not followed: slices inside a struct
that is copied whole (a protocol's describing value, handed to the wiring).
Cures: an array instead of a slice, a switch or a function instead of a map, a
field of the Instance or Domain instead of a variable.`,
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      runStateFree,
}

func runStateFree(pass *analysis.Pass) (any, error) {
	if _, ours := relative(pass.Pkg.Path()); !ours {
		return nil, nil
	}
	if within(pass.Pkg.Path(), stateFreeTrees) {
		for _, f := range sources(pass) {
			for _, d := range f.Decls {
				if gen, ok := d.(*ast.GenDecl); ok && gen.Tok == token.VAR {
					for _, s := range gen.Specs {
						judgeSpec(pass, s.(*ast.ValueSpec))
					}
				}
			}
		}
	}
	u := &uses{pass: pass, in: pass.ResultOf[inspect.Analyzer].(*inspector.Inspector), aliases: map[*types.Var]bool{}}
	u.run()
	return nil, nil
}

func judgeSpec(pass *analysis.Pass, s *ast.ValueSpec) {
	for i, id := range s.Names {
		if id.Name == "_" {
			continue
		}
		obj := pass.TypesInfo.Defs[id]
		if obj == nil {
			continue
		}
		var value ast.Expr
		if len(s.Values) == len(s.Names) {
			value = s.Values[i]
		} else if len(s.Values) > 0 {
			value = s.Values[0]
		}
		if _, ok := obj.Type().Underlying().(*types.Signature); ok {
			pass.Reportf(id.Pos(), "package-level function variable %s can be replaced: declare a func (contract C3)", id.Name)
			continue
		}
		if why := stateOf(pass.TypesInfo, obj.Type(), value, nil); why != "" {
			pass.Reportf(id.Pos(), "package-level variable %s can hold state (%s): move it into the instance or the Domain, or make it a constant table (contract C3)", id.Name, why)
		}
	}
}

// immutableTypes are named types of other packages that nobody can write to
// although they hold pointers; a leading * is the pointer to the type.
var immutableTypes = []string{
	"net/netip.Addr", "net/netip.Prefix", "net/netip.AddrPort", "time.Time",
	"*hash/crc32.Table", "*regexp.Regexp",
}

func isImmutable(t types.Type) bool {
	return slices.Contains(immutableTypes, types.TypeString(types.Unalias(t), nil))
}

// stateOf says why a variable of type t, initialised with value (nil: unknown
// or zero), can hold mutable state, or returns "".
func stateOf(info *types.Info, t types.Type, value ast.Expr, seen []types.Type) string {
	if isImmutable(t) || slices.ContainsFunc(seen, func(s types.Type) bool { return types.Identical(s, t) }) {
		return ""
	}
	seen = append(seen, t)
	if named, ok := types.Unalias(t).(*types.Named); ok && named.Obj().Pkg() != nil {
		if path := named.Obj().Pkg().Path(); path == "sync" || path == "sync/atomic" {
			return "a " + path + "." + named.Obj().Name()
		}
	}
	switch u := t.Underlying().(type) {
	case *types.Basic:
		if u.Kind() == types.UnsafePointer {
			return "an unsafe.Pointer"
		}
		return ""
	case *types.Map:
		return "a map"
	case *types.Chan:
		return "a channel"
	case *types.Pointer:
		if value != nil && isNil(info, value) {
			return ""
		}
		return "a pointer"
	case *types.Signature:
		if value != nil && hasState(info, value) {
			return "a function made by a call"
		}
		return ""
	case *types.Interface:
		return stateOfInterface(info, value, seen)
	case *types.Array:
		return stateOfElements(info, u.Elem(), value, seen)
	case *types.Slice:
		return stateOfElements(info, u.Elem(), value, seen)
	case *types.Struct:
		return stateOfFields(info, u, value, seen)
	}
	return "a " + t.String()
}

func stateOfInterface(info *types.Info, value ast.Expr, seen []types.Type) string {
	if value == nil || isNil(info, value) {
		return "" // nil for ever, since nobody may assign it
	}
	if call, ok := ast.Unparen(value).(*ast.CallExpr); ok {
		if fn, ok := callee(info, call).(*types.Func); ok && (fn.FullName() == "errors.New" || fn.FullName() == "fmt.Errorf") {
			return ""
		}
	}
	t := info.TypeOf(value)
	if t == nil || types.IsInterface(t) {
		return "an interface of unknown content"
	}
	return stateOf(info, t, value, seen)
}

func stateOfElements(info *types.Info, elem types.Type, value ast.Expr, seen []types.Type) string {
	lit, ok := compositeLit(value)
	if !ok {
		return stateOf(info, elem, opaque(value), seen)
	}
	if len(lit.Elts) == 0 {
		return stateOf(info, elem, nil, seen)
	}
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			e = kv.Value
		}
		if why := stateOf(info, elem, e, seen); why != "" {
			return why
		}
	}
	return ""
}

func stateOfFields(info *types.Info, s *types.Struct, value ast.Expr, seen []types.Type) string {
	given := map[string]ast.Expr{}
	lit, isLit := compositeLit(value)
	if isLit {
		for i, e := range lit.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok {
				given[kv.Key.(*ast.Ident).Name] = kv.Value
			} else {
				given[s.Field(i).Name()] = e
			}
		}
	}
	for f := range s.Fields() {
		v := given[f.Name()]
		if v == nil {
			if isLit && nilable(f.Type()) {
				continue // left nil, and nobody may assign it
			}
			v = opaque(value)
		}
		if why := stateOf(info, f.Type(), v, seen); why != "" {
			return f.Name() + ": " + why
		}
	}
	return ""
}

// nilable reports whether the zero value of t reaches no memory.
func nilable(t types.Type) bool {
	switch t.Underlying().(type) {
	case *types.Pointer, *types.Signature, *types.Interface:
		return true
	}
	return false
}

// unknown stands for a part of a value of which only the whole is written down.
var unknown ast.Expr = &ast.BadExpr{}

// opaque is the value of a part of value that no literal spells out: zero in a
// literal or without an initialiser, unknown in what a call returned.
func opaque(value ast.Expr) ast.Expr {
	if _, isLit := compositeLit(value); isLit || value == nil {
		return nil
	}
	return unknown
}

func compositeLit(e ast.Expr) (*ast.CompositeLit, bool) {
	if e == nil {
		return nil, false
	}
	lit, ok := ast.Unparen(e).(*ast.CompositeLit)
	return lit, ok
}

func isNil(info *types.Info, e ast.Expr) bool { return info.Types[ast.Unparen(e)].IsNil() }

// hasState reports whether e, of function type, is something else than a
// declared function, a method expression, a literal, or nil.
func hasState(info *types.Info, e ast.Expr) bool {
	switch e := ast.Unparen(e).(type) {
	case *ast.FuncLit:
		return false
	case *ast.Ident:
		_, isFunc := info.Uses[e].(*types.Func)
		return !isFunc && !isNil(info, e)
	case *ast.SelectorExpr:
		if sel := info.Selections[e]; sel != nil {
			return sel.Kind() != types.MethodExpr
		}
		_, isFunc := info.Uses[e.Sel].(*types.Func)
		return !isFunc
	case *ast.IndexExpr: // an instantiated generic function
		return hasState(info, e.X)
	}
	return true
}

// callee returns the function or builtin that call names, or nil.
func callee(info *types.Info, call *ast.CallExpr) types.Object {
	fun := ast.Unparen(call.Fun)
	if ix, ok := fun.(*ast.IndexExpr); ok {
		fun = ast.Unparen(ix.X)
	}
	switch fun := fun.(type) {
	case *ast.Ident:
		return info.Uses[fun]
	case *ast.SelectorExpr:
		return info.Uses[fun.Sel]
	}
	return nil
}
