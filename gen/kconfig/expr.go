package kconfig

import "strings"

// Tristate is the value of a bool or tristate symbol and of every condition.
type Tristate uint8

const (
	No  Tristate = 0
	Mod Tristate = 1
	Yes Tristate = 2
)

// String gives "n", "m" or "y".
func (t Tristate) String() string { return "nmy"[t : t+1] }

func parseTristate(s string) (Tristate, bool) {
	switch s {
	case "n":
		return No, true
	case "m":
		return Mod, true
	case "y":
		return Yes, true
	}
	return No, false
}

type exprOp uint8

const (
	opSymbol exprOp = iota
	opNot
	opAnd
	opOr
	opEqual
	opUnequal
	opLess
	opLessEqual
	opGreater
	opGreaterEqual
)

var opText = [...]string{opAnd: "&&", opOr: "||", opEqual: "=", opUnequal: "!=",
	opLess: "<", opLessEqual: "<=", opGreater: ">", opGreaterEqual: ">="}

// Expr is a condition. A nil *Expr is always y.
type Expr struct {
	op   exprOp
	l, r *Expr   // opNot (l), opAnd, opOr
	s, t *Symbol // opSymbol (s) and comparisons
}

func symExpr(s *Symbol) *Expr { return &Expr{op: opSymbol, s: s} }

// andExpr and orExpr treat nil as "nothing said", as Linux does: the other
// side alone remains.
func andExpr(l, r *Expr) *Expr {
	if l == nil {
		return r
	}
	if r == nil {
		return l
	}
	return &Expr{op: opAnd, l: l, r: r}
}

func orExpr(l, r *Expr) *Expr {
	if l == nil {
		return r
	}
	if r == nil {
		return l
	}
	return &Expr{op: opOr, l: l, r: r}
}

// symbols calls f for every symbol of e, from left to right.
func (e *Expr) symbols(f func(*Symbol)) {
	if e == nil {
		return
	}
	switch e.op {
	case opSymbol:
		f(e.s)
	case opNot:
		e.l.symbols(f)
	case opAnd, opOr:
		e.l.symbols(f)
		e.r.symbols(f)
	default:
		f(e.s)
		f(e.t)
	}
}

func (e *Expr) contains(s *Symbol) bool {
	found := false
	e.symbols(func(x *Symbol) { found = found || x == s })
	return found
}

// requires tells whether e can be true only with s not n, as far as the
// and-ed terms of e show it.
func (e *Expr) requires(s *Symbol) bool {
	if e == nil {
		return false
	}
	switch e.op {
	case opAnd:
		return e.l.requires(s) || e.r.requires(s)
	case opSymbol:
		return e.s == s
	case opEqual:
		return e.s == s && (e.t.isConst("y") || e.t.isConst("m"))
	case opUnequal:
		return e.s == s && e.t.isConst("n")
	}
	return false
}

// terms appends the and-ed terms of e to list.
func (e *Expr) terms(list []*Expr) []*Expr {
	if e == nil {
		return list
	}
	if e.op == opAnd {
		return e.r.terms(e.l.terms(list))
	}
	return append(list, e)
}

func (e *Expr) same(o *Expr) bool {
	if e == nil || o == nil {
		return e == o
	}
	if e.op != o.op || e.s != o.s || e.t != o.t {
		return false
	}
	return e.l.same(o.l) && e.r.same(o.r)
}

// String renders e with the fewest parentheses; nil is "y".
func (e *Expr) String() string {
	if e == nil {
		return "y"
	}
	var b strings.Builder
	e.format(&b, nil)
	return b.String()
}

func (e *Expr) precedence() int {
	switch e.op {
	case opOr:
		return 1
	case opAnd:
		return 2
	case opNot:
		return 3
	}
	return 4
}

// format writes e; value, if not nil, gives a text to show behind a symbol.
func (e *Expr) format(b *strings.Builder, value func(*Symbol) string) {
	leaf := func(s *Symbol) {
		b.WriteString(s.quoted())
		if value != nil {
			b.WriteString(value(s))
		}
	}
	sub := func(x *Expr) {
		// A comparison under ! is bracketed for the reader's sake.
		if x.precedence() < e.precedence() || e.op == opNot && x.op > opOr {
			b.WriteByte('(')
			x.format(b, value)
			b.WriteByte(')')
			return
		}
		x.format(b, value)
	}
	switch e.op {
	case opSymbol:
		leaf(e.s)
	case opNot:
		b.WriteByte('!')
		sub(e.l)
	case opAnd, opOr:
		sub(e.l)
		b.WriteString(" " + opText[e.op] + " ")
		sub(e.r)
	default:
		leaf(e.s)
		b.WriteString(" " + opText[e.op] + " ")
		leaf(e.t)
	}
}
