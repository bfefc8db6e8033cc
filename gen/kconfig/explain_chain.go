package kconfig

import (
	"fmt"
	"strings"
)

// Cause is a symbol that decided another one's value, with the reason for its
// own: a link of the chain of selects, defaults and limits.
type Cause struct {
	Symbol  string  `json:"symbol"`
	Value   string  `json:"value"`
	Because string  `json:"because"`
	Causes  []Cause `json:"causes,omitempty"`
}

// causes follows by, the symbols that decided, down to those that nothing else
// decides. A symbol that seen holds is not told twice.
func causes(by []*Symbol, seen map[*Symbol]bool) []Cause {
	var list []Cause
	for _, s := range by {
		if s.constant || !s.Defined() || s.isChoice || seen[s] {
			continue
		}
		seen[s] = true
		s.calc()
		why, further := s.reason()
		list = append(list, Cause{Symbol: s.Name, Value: s.String(), Because: why, Causes: causes(further, seen)})
	}
	return list
}

// limiting lists the symbols that keep e from being y.
func (t *Tree) limiting(e *Expr) []*Symbol {
	if e == nil || t.eval(e) == Yes {
		return nil
	}
	var list []*Symbol
	switch e.op {
	case opAnd:
		for _, side := range []*Expr{e.l, e.r} {
			if t.eval(side) == t.eval(e) {
				list = append(list, t.limiting(side)...)
			}
		}
	case opOr:
		list = append(t.limiting(e.l), t.limiting(e.r)...)
	default:
		e.symbols(func(s *Symbol) { list = append(list, s) })
	}
	return list
}

// hiding lists the symbols that keep a person from setting s.
func (s *Symbol) hiding() []*Symbol {
	if p := s.prompt(); p != nil {
		return s.tree.limiting(p.cond)
	}
	return s.tree.limiting(s.dir)
}

// reverse lists the symbols that select or imply s now.
func (s *Symbol) reverse(kind propKind) []*Symbol {
	var list []*Symbol
	for _, other := range s.tree.ordered {
		for _, p := range other.props {
			if p.kind == kind && p.sym == s && min(other.Tristate(), s.tree.eval(p.cond)) != No {
				list = append(list, other)
				break
			}
		}
	}
	return list
}

// defaulting lists the symbols that the value of a default is made of.
func (p *Property) defaulting() []*Symbol {
	var list []*Symbol
	p.expr.symbols(func(s *Symbol) { list = append(list, s) })
	return list
}

// writeCauses renders a chain, one symbol a line, each below what it decided.
func writeCauses(b *strings.Builder, list []Cause, label string, indent int) {
	for _, c := range list {
		fmt.Fprintf(b, "  %-12s %s%s = %s, because %s\n", label, strings.Repeat("  ", indent), c.Symbol, c.Value, c.Because)
		label = ""
		writeCauses(b, c.Causes, "", indent+1)
	}
}
