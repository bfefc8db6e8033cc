package kconfig

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
