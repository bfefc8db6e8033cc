package kconfig

import "fmt"

// check reports what is wrong with a tree as a whole.
func (t *Tree) check() Messages {
	var ms Messages
	for _, s := range t.ordered {
		ms = append(ms, t.checkSymbol(s)...)
	}
	t.Root.Walk(func(m *Menu) bool {
		if m.Kind == KindChoice {
			for _, p := range m.Sym.props {
				if p.kind == propDefault && p.single().choice != m {
					ms = append(ms, warning(p.pos, "default %s is not a member of the choice: it is ignored", p.single().Name))
				}
			}
		}
		return true
	})
	if t.env.On("KCONFIG_WARN_UNKNOWN_SYMBOLS") {
		ms = append(ms, t.checkUndefined()...)
	}
	return append(ms, t.checkCycles()...)
}

func warning(pos Pos, format string, args ...any) Message {
	return Message{Severity: Warning, Pos: pos, Text: fmt.Sprintf(format, args...)}
}

func (s *Symbol) isTristate() bool { return s.Type == Bool || s.Type == TristateType }

// acceptsNumber tells whether n can stand where s wants a number.
func (s *Symbol) acceptsNumber(n *Symbol) bool {
	return n.Type == Int || n.Type == Hex || n.Type == Unknown && s.validText(n.Name)
}

func (t *Tree) checkSymbol(s *Symbol) Messages {
	var ms Messages
	warn := func(p *Property, format string, args ...any) { ms = append(ms, warning(p.pos, format, args...)) }
	if s.Type == Unknown {
		ms = append(ms, warning(s.Pos, "%s has no type and never a value: add type = \"bool\" (or tristate, int, hex, string)", s.Name))
		return ms
	}
	for _, p := range s.props {
		switch p.kind {
		case propDefault:
			if s.isTristate() {
				continue
			}
			from := p.single()
			if from == nil {
				warn(p, "default of %s, which is %s, must be one constant or symbol, not %s: it is ignored", s.Name, s.Type, p.expr)
			} else if s.Type != String && !s.acceptsNumber(from) {
				warn(p, "default %s of %s is not a valid %s", from.quoted(), s.Name, s.Type)
			}
		case propSelect, propImply:
			word := "select"
			if p.kind == propImply {
				word = "imply"
			}
			if !s.isTristate() {
				warn(p, "%s is %s: only a bool or a tristate can %s", s.Name, s.Type, word)
			} else if p.sym.Type != Unknown && !p.sym.isTristate() {
				warn(p, "%s is %s: only a bool or a tristate can be the target of %s", p.sym.Name, p.sym.Type, word)
			}
		case propRange:
			if s.Type != Int && s.Type != Hex {
				warn(p, "%s is %s: only an int or a hex has a range", s.Name, s.Type)
			} else if !s.acceptsNumber(p.lo) || !s.acceptsNumber(p.hi) {
				warn(p, "range %s %s of %s: both ends must be %s numbers or symbols", p.lo.quoted(), p.hi.quoted(), s.Name, s.Type)
			}
		}
	}
	return ms
}

// checkUndefined reports names that look like symbols but are defined nowhere.
func (t *Tree) checkUndefined() Messages {
	var ms Messages
	seen := map[*Symbol]bool{}
	look := func(s *Symbol, pos Pos) {
		if s == nil || s.constant || s.Defined() || seen[s] || !looksLikeSymbol(s.Name) {
			return
		}
		seen[s] = true
		ms = append(ms, warning(pos, "%s is not defined anywhere and counts as n", s.Name))
	}
	t.Root.Walk(func(m *Menu) bool {
		m.dep.symbols(func(s *Symbol) { look(s, t.firstUse[s]) })
		m.visibility.symbols(func(s *Symbol) { look(s, t.firstUse[s]) })
		return true
	})
	for _, s := range t.ordered {
		for _, p := range s.props {
			p.cond.symbols(func(x *Symbol) { look(x, p.pos) })
			p.expr.symbols(func(x *Symbol) { look(x, p.pos) })
			look(p.sym, p.pos)
			look(p.lo, p.pos)
			look(p.hi, p.pos)
		}
	}
	return ms
}

func looksLikeSymbol(name string) bool {
	upper := false
	for _, c := range name {
		if c >= 'a' && c <= 'z' || c == '-' {
			return false
		}
		upper = upper || c >= 'A' && c <= 'Z'
	}
	return upper
}
