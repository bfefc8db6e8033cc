package kconfig

import "slices"

// Requires returns the symbols that s cannot do without: those that stand
// alone in its direct dependencies or are and-ed there, in the order written.
// An alternative (A || B), a negation or a comparison requires none of its
// symbols.
func (s *Symbol) Requires() []*Symbol {
	var out []*Symbol
	var walk func(e *Expr)
	walk = func(e *Expr) {
		switch {
		case e == nil:
		case e.op == opAnd:
			walk(e.l)
			walk(e.r)
		case e.op == opSymbol && !e.s.constant:
			out = append(out, e.s)
		}
	}
	walk(s.dir)
	return out
}

// Needs returns the symbols that must be there for s in this configuration, y or m:
// those that make its direct dependencies hold (of A && B what makes both hold, of
// A || B what makes each side hold that does), and those that it selects. Negations
// and comparisons need none: what they ask for is not that something be there.
func (s *Symbol) Needs() []*Symbol {
	var out []*Symbol
	add := func(x *Symbol) {
		if !x.constant && x != s && x.Tristate() != No && !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	var walk func(e *Expr)
	walk = func(e *Expr) {
		switch {
		case e == nil || s.tree.eval(e) == No:
		case e.op == opAnd || e.op == opOr:
			walk(e.l)
			walk(e.r)
		case e.op == opSymbol:
			add(e.s)
		}
	}
	walk(s.dir)
	for _, p := range s.props {
		if p.kind == propSelect && (p.cond == nil || s.tree.eval(p.cond) != No) {
			add(p.sym)
		}
	}
	return out
}
