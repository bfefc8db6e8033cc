package scan

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
)

// Description is what the generator needs to know of a feature before the
// program runs: the values of the literal that its function returns.
type Description struct {
	Name       string   // "" where a provider has no constant one
	Numbers    []uint8  // IP protocol numbers
	Sockets    [][3]int // family, type, protocol
	Family     int      // of a network
	EtherTypes []uint16 // of a network
	Separable  bool     // a protocol with a NewHandler, or a device kind with an Open: behind a contract that can cross to another process
}

// describe reads the composite literal that the function returns. What goes
// into a static table must be constant there.
func (s *scanner) describe(d *ast.FuncDecl, f *Func) {
	lit := s.returned(d)
	if lit == nil {
		s.errorf(d.Pos(), "%s must end in `return` of a composite literal, from which the dispatch tables are made", d.Name.Name)
		return
	}
	for _, e := range lit.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			s.errorf(e.Pos(), "%s: write the fields with their names", d.Name.Name)
			return
		}
		field := kv.Key.(*ast.Ident).Name
		switch field {
		case "Name", "Kind":
			if v := s.constant(field, kv.Value); v != nil {
				f.Description.Name = constant.StringVal(v)
			}
		case "Family":
			f.Description.Family = s.integer(field, kv.Value)
		case "Numbers":
			for _, x := range s.elements(field, kv.Value) {
				f.Description.Numbers = append(f.Description.Numbers, uint8(s.integer(field, x)))
			}
		case "EtherTypes":
			for _, x := range s.elements(field, kv.Value) {
				f.Description.EtherTypes = append(f.Description.EtherTypes, uint16(s.integer(field, x)))
			}
		case "NewHandler", "Open":
			f.Description.Separable = !s.pkg.TypesInfo.Types[kv.Value].IsNil()
		case "Sockets":
			for _, x := range s.elements(field, kv.Value) {
				f.Description.Sockets = append(f.Description.Sockets, s.socket(x))
			}
		}
	}
	if f.Description.Name == "" {
		s.errorf(d.Pos(), "%s describes a feature without a constant name", d.Name.Name)
	}
}

// name is the constant Name of the literal that a provider returns, "" if there
// is none.
func (s *scanner) name(d *ast.FuncDecl) string {
	lit := s.returned(d)
	if lit == nil {
		return ""
	}
	for _, e := range lit.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		if id, ok := kv.Key.(*ast.Ident); ok && id.Name == "Name" {
			if v := s.pkg.TypesInfo.Types[kv.Value].Value; v != nil && v.Kind() == constant.String {
				return constant.StringVal(v)
			}
		}
	}
	return ""
}

// returned is the literal of the function's only or last return, through one
// local variable.
func (s *scanner) returned(d *ast.FuncDecl) *ast.CompositeLit {
	if d.Body == nil || len(d.Body.List) == 0 {
		return nil
	}
	ret, ok := d.Body.List[len(d.Body.List)-1].(*ast.ReturnStmt)
	if !ok || len(ret.Results) != 1 {
		return nil
	}
	switch x := ast.Unparen(ret.Results[0]).(type) {
	case *ast.CompositeLit:
		return x
	case *ast.Ident:
		obj := s.pkg.TypesInfo.Uses[x]
		for _, st := range d.Body.List {
			a, ok := st.(*ast.AssignStmt)
			if !ok || a.Tok != token.DEFINE || len(a.Lhs) != 1 || len(a.Rhs) != 1 {
				continue
			}
			if id, ok := a.Lhs[0].(*ast.Ident); ok && s.pkg.TypesInfo.Defs[id] == obj {
				lit, _ := ast.Unparen(a.Rhs[0]).(*ast.CompositeLit)
				return lit
			}
		}
	}
	return nil
}

func (s *scanner) constant(field string, e ast.Expr) constant.Value {
	v := s.pkg.TypesInfo.Types[e].Value
	if v == nil {
		s.errorf(e.Pos(), "%s must be a constant here: it goes into a static table", field)
	}
	return v
}

func (s *scanner) integer(field string, e ast.Expr) int {
	v := s.constant(field, e)
	if v == nil {
		return 0
	}
	n, ok := constant.Int64Val(constant.ToInt(v))
	if !ok {
		s.errorf(e.Pos(), "%s: %s does not fit", field, v)
	}
	return int(n)
}

// elements are the elements of a slice literal.
func (s *scanner) elements(field string, e ast.Expr) []ast.Expr {
	lit, ok := ast.Unparen(e).(*ast.CompositeLit)
	if !ok {
		if id, isIdent := e.(*ast.Ident); !isIdent || id.Name != "nil" {
			s.errorf(e.Pos(), "%s must be a literal here: it goes into a static table", field)
		}
		return nil
	}
	for _, x := range lit.Elts {
		if _, ok := x.(*ast.KeyValueExpr); ok {
			s.errorf(x.Pos(), "%s: elements without indices, please", field)
			return nil
		}
	}
	return lit.Elts
}

// socket reads one core.SocketKind literal, with or without field names.
func (s *scanner) socket(e ast.Expr) [3]int {
	var out [3]int
	lit, ok := ast.Unparen(e).(*ast.CompositeLit)
	if !ok {
		s.errorf(e.Pos(), "Sockets must be literals here: they go into a static table")
		return out
	}
	st, _ := s.pkg.TypesInfo.Types[e].Type.Underlying().(*types.Struct)
	for i, x := range lit.Elts {
		at := i
		if kv, ok := x.(*ast.KeyValueExpr); ok {
			for j := 0; st != nil && j < st.NumFields(); j++ {
				if st.Field(j).Name() == kv.Key.(*ast.Ident).Name {
					at = j
				}
			}
			x = kv.Value
		}
		if at < len(out) {
			out[at] = s.integer("Sockets", x)
		}
	}
	return out
}
