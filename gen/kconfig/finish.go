package kconfig

// finish passes conditions down the menu tree, collects selects and implies at
// their targets, and gives the tree the shape menus are shown in. The rules
// are those of Linux's scripts/kconfig/menu.c.
func (t *Tree) finish() { t.finishMenu(t.Root) }

// rewriteM replaces a bare m by (m && MODULES).
func (t *Tree) rewriteM(e *Expr) *Expr {
	if e == nil {
		return nil
	}
	switch e.op {
	case opNot:
		return &Expr{op: opNot, l: t.rewriteM(e.l)}
	case opAnd, opOr:
		return &Expr{op: e.op, l: t.rewriteM(e.l), r: t.rewriteM(e.r)}
	case opSymbol:
		if e.s.isConst("m") {
			return &Expr{op: opAnd, l: e, r: symExpr(t.modules)}
		}
	}
	return e
}

func (t *Tree) finishMenu(m *Menu) {
	if len(m.List) > 0 {
		inherited := m.dep
		if m.prompt != nil {
			inherited = m.prompt.cond
		}
		for _, c := range m.List {
			t.inherit(c, inherited)
		}
		for i := 0; i < len(m.List); i++ {
			t.finishMenu(m.List[i])
		}
	} else if m.Sym != nil {
		t.adopt(m)
		m.Sym.dir = orExpr(m.Sym.dir, m.dep)
	}
	m.List = dissolve(m, m.List, nil)
}

// dissolve hands the children of what has nothing to show for itself up to m,
// and drops the `if` entries.
func dissolve(m *Menu, from, to []*Menu) []*Menu {
	for _, c := range from {
		c.Parent = m
		if c.Kind != KindIf {
			to = append(to, c)
		}
		if c.Text() == "" {
			list := c.List
			c.List = nil
			to = dissolve(m, list, to)
		}
	}
	return to
}

// inherit and-s the condition of what is around m to everything m says.
func (t *Tree) inherit(m *Menu, outer *Expr) {
	m.dep = andExpr(outer, t.rewriteM(m.dep))
	if m.Sym == nil {
		if m.prompt != nil {
			m.prompt.cond = andExpr(m.dep, t.rewriteM(m.prompt.cond))
		}
		return
	}
	for _, p := range m.Sym.props {
		if p.menu != m {
			continue
		}
		p.cond = andExpr(m.dep, t.rewriteM(p.cond))
		switch p.kind {
		case propSelect:
			p.sym.rev = orExpr(p.sym.rev, andExpr(symExpr(m.Sym), p.cond))
		case propImply:
			p.sym.imp = orExpr(p.sym.imp, andExpr(symExpr(m.Sym), p.cond))
		}
	}
}

// adopt makes the entries right behind m its children as long as they depend
// on its symbol.
func (t *Tree) adopt(m *Menu) {
	up := m.Parent
	first := 0
	for up.List[first] != m {
		first++
	}
	first++
	var base []*Expr
	if m.prompt != nil {
		base = m.prompt.cond.terms(nil)
	}
	end := first
	for ; end < len(up.List); end++ {
		c := up.List[end]
		dep := c.dep
		if c.prompt != nil {
			dep = c.prompt.cond
		}
		if !dep.contains(m.Sym) || !dep.requires(m.Sym) && !covers(dep.terms(nil), base) {
			break
		}
		t.finishMenu(c)
	}
	if end == first {
		return
	}
	m.List = append([]*Menu{}, up.List[first:end]...)
	for _, c := range m.List {
		c.Parent = m
	}
	up.List = append(up.List[:first:first], up.List[end:]...)
}

// covers tells whether every term of base is among terms.
func covers(terms, base []*Expr) bool {
	for _, b := range base {
		found := false
		for _, x := range terms {
			found = found || x.same(b)
		}
		if !found {
			return false
		}
	}
	return true
}
