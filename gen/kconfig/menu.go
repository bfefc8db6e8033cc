package kconfig

// MenuKind tells menu entries apart.
type MenuKind uint8

const (
	KindRoot MenuKind = iota
	KindMenu
	KindConfig
	KindMenuConfig
	KindChoice
	KindComment
	KindIf
)

// Menu is one entry of the menu tree. The tree has been finished: `if` blocks
// are dissolved into their parents, and entries that depend on the symbol just
// before them have become its children, as Linux's menus show them.
type Menu struct {
	Kind   MenuKind
	Parent *Menu
	List   []*Menu // children, in order
	Sym    *Symbol // config, menuconfig and choice; else nil
	Pos    Pos
	Help   string

	tree       *Tree
	prompt     *Property
	visibility *Expr // visible if
	dep        *Expr // depends, then with everything inherited
	members    []*Symbol
	isMenu     bool // menu or menuconfig
}

// Text is the entry's prompt, or "" for an entry without one.
func (m *Menu) Text() string {
	if m.prompt == nil {
		return ""
	}
	return m.prompt.text
}

// Deps is the entry's complete dependency.
func (m *Menu) Deps() *Expr { return m.dep }

// IsSubmenu tells whether the entry opens a screen of its own (menu and
// menuconfig, and choices in most programs).
func (m *Menu) IsSubmenu() bool { return m.isMenu }

// Visible tells whether the entry can be seen: its prompt's condition and the
// `visible if` of it hold, or one of its children is visible.
func (m *Menu) Visible() bool {
	if m.prompt == nil {
		return false
	}
	if m.visibility != nil && m.tree.eval(m.visibility) == No {
		return false
	}
	if m.Sym != nil {
		m.Sym.calc()
	} else {
		m.prompt.state = m.tree.eval(m.prompt.cond)
	}
	if m.prompt.state != No {
		return true
	}
	if m.Sym == nil || m.Sym.Tristate() == No {
		return false
	}
	for _, c := range m.List {
		if c.Visible() {
			return true
		}
	}
	return false
}

// Walk calls f for m and everything below it, in the order of the file. f
// returns false to leave out what is below an entry.
func (m *Menu) Walk(f func(*Menu) bool) {
	if !f(m) {
		return
	}
	for _, c := range m.List {
		c.Walk(f)
	}
}

// ParentMenu is the nearest entry above m that opens a screen of its own.
func (m *Menu) ParentMenu() *Menu {
	for p := m.Parent; p != nil; p = p.Parent {
		if p.isMenu || p.Kind == KindRoot {
			return p
		}
	}
	return m
}
