package kconfig

import "fmt"

// A dependency cycle is found by following, from each symbol, everything its
// value depends on. Members of a choice decide about each other, so a choice
// and its members are one node.

const (
	unseen uint8 = iota
	open
	done
)

type link struct {
	from, to *Symbol
	pos      Pos
	text     string // "%s %s %s" between from and to
}

type cycleFinder struct {
	path []link
	told map[*Symbol]bool // nodes that are in some message
	ms   Messages
}

func (t *Tree) checkCycles() Messages {
	f := cycleFinder{told: map[*Symbol]bool{}}
	for _, s := range t.ordered {
		f.visit(s.node())
	}
	return f.ms
}

// node is the symbol itself, or for the member of a choice the choice's.
func (s *Symbol) node() *Symbol {
	if s.choice != nil {
		return s.choice.Sym
	}
	return s
}

func (f *cycleFinder) visit(s *Symbol) {
	if s.checkState != unseen {
		return
	}
	s.checkState = open
	seen := map[[2]*Symbol]bool{}
	s.links(func(l link) {
		// One way from a symbol to another is enough to show.
		if pair := [2]*Symbol{l.from, l.to}; seen[pair] {
			return
		} else {
			seen[pair] = true
		}
		f.path = append(f.path, l)
		if to := l.to.node(); to.checkState == open {
			f.report(to)
		} else {
			f.visit(to)
		}
		f.path = f.path[:len(f.path)-1]
	})
	s.checkState = done
}

func (f *cycleFinder) report(at *Symbol) {
	start := len(f.path) - 1
	for start > 0 && f.path[start].from.node() != at {
		start--
	}
	known := true
	for _, l := range f.path[start:] {
		known = known && f.told[l.from.node()]
		f.told[l.from.node()] = true
	}
	if known {
		return // another way around among the same symbols
	}
	first := f.path[start]
	m := Message{Severity: Error, Pos: first.pos,
		Text: fmt.Sprintf("recursive dependency: the value of %s depends on itself; break the chain at one of these places", first.from.quoted())}
	for _, l := range f.path[start:] {
		m.Notes = append(m.Notes, Note{l.pos, fmt.Sprintf("symbol %s %s %s", l.from.quoted(), l.text, l.to.quoted())})
	}
	if at.isChoice {
		m.Notes = append(m.Notes, Note{at.Pos, fmt.Sprintf("the members of the choice %q decide about each other", at.Prompt())})
	}
	f.ms = append(f.ms, m)
}

// links calls f for everything the value of s depends on.
func (s *Symbol) links(f func(link)) {
	if s.isChoice {
		s.ownLinks(f)
		for _, x := range s.Menus[0].Members() {
			x.ownLinks(f)
		}
		return
	}
	s.ownLinks(f)
}

func (s *Symbol) ownLinks(f func(link)) {
	each := func(e *Expr, pos Pos, text string) {
		e.symbols(func(to *Symbol) {
			if !to.constant && to.Defined() {
				f(link{s, to, pos, text})
			}
		})
	}
	each(s.rev, s.Pos, "is selected by")
	each(s.imp, s.Pos, "is implied by")
	for _, m := range s.Menus {
		each(m.dep, m.Pos, "depends on")
	}
	for _, p := range s.props {
		switch p.kind {
		case propPrompt:
			each(p.cond, p.pos, "has a prompt that is visible depending on")
		case propDefault:
			each(p.cond, p.pos, "has a default that is visible depending on")
			if !s.isChoice {
				each(p.expr, p.pos, "has a default that contains")
			}
		case propRange:
			each(p.cond, p.pos, "has a range that is visible depending on")
			each(symExpr(p.lo), p.pos, "has a range that contains")
			each(symExpr(p.hi), p.pos, "has a range that contains")
		}
	}
}
