package kconfig

// Members lists the symbols of a choice, in the order of the file.
func (m *Menu) Members() []*Symbol {
	var list []*Symbol
	m.Walk(func(c *Menu) bool {
		if c.Sym != nil && c.Sym.choice == m {
			list = append(list, c.Sym)
		}
		return true
	})
	return list
}

// raise gives a member the highest priority: of conflicting values the last
// one given wins.
func (m *Menu) raise(s *Symbol) {
	for i, x := range m.members {
		if x == s {
			copy(m.members[1:i+1], m.members[:i])
			m.members[0] = s
			return
		}
	}
}

// choiceDefault is the first visible default, else the first visible member.
func (m *Menu) choiceDefault() *Symbol {
	for _, p := range m.Sym.props {
		if p.kind != propDefault {
			continue
		}
		if p.state = m.tree.eval(p.cond); p.state == No {
			continue
		}
		if s := p.single(); s.choice == m {
			if s.calcVisibility(); s.visible != No {
				return s
			}
		}
	}
	for _, s := range m.Members() {
		if s.calcVisibility(); s.visible != No {
			return s
		}
	}
	return nil
}

// calcChoice decides which member is y: the visible one that was last set to
// y; the default, unless it was set to n; the first one nobody said anything
// about; and if all were set to n, the one that was set to n first.
func (m *Menu) calcChoice() *Symbol {
	members := m.Members()
	var chosen *Symbol
	for _, s := range m.members {
		s.calcVisibility()
		if chosen == nil && s.visible != No && s.hasUser && s.user.tri == Yes {
			chosen = s
		}
	}
	if chosen == nil {
		if chosen = m.choiceDefault(); chosen != nil && chosen.hasUser && chosen.user.tri == No {
			chosen = nil
		}
	}
	for i := 0; chosen == nil && i < len(members); i++ {
		if s := members[i]; s.visible != No && !s.hasUser {
			chosen = s
		}
	}
	for i := len(m.members) - 1; chosen == nil && i >= 0; i-- {
		if s := m.members[i]; s.visible != No {
			chosen = s
		}
	}
	for _, s := range members {
		if s.visible == No {
			continue
		}
		s.cur.tri = No
		if s == chosen {
			s.cur.tri = Yes
		}
		s.valid, s.write = true, true
	}
	return chosen
}

// Chosen is the member of a choice that is y, or nil if none is visible.
func (m *Menu) Chosen() *Symbol {
	for _, s := range m.Members() {
		if s.Tristate() == Yes {
			return s
		}
	}
	return nil
}

// setChosen makes a member y and the others n, as a person's choice.
func (m *Menu) setChosen(s *Symbol) {
	for _, x := range m.Members() {
		v := No
		if x == s {
			v = Yes
		}
		if !x.hasUser || x.user.tri != v {
			x.hasUser, x.user = true, value{tri: v}
			m.tree.changed = true
		}
		m.raise(x)
	}
	m.raise(s)
	m.tree.invalidate()
}
