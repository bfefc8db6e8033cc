package kconfig

import (
	"strconv"
	"strings"
)

// config reads a config or menuconfig item.
func (l *loader) config(it *item, m *Menu, kind, name string) {
	if !validName(name) {
		l.errorf(it.at(kind), "%q cannot be a symbol's name: use letters, digits and _, without CONFIG_", name)
		return
	}
	it.allow("config "+name, kind, "type", "prompt", "prompt_if", "def_bool", "def_tristate", "default", "depends",
		"select", "imply", "range", "help", "modules", "package", "static")
	s := l.tree.reference(name, m.Pos)
	if !l.ownSymbol(it, kind, s) {
		return
	}
	m.Sym = s
	if len(s.Menus) == 0 {
		s.Pos, s.order = m.Pos, len(l.tree.ordered)
		l.tree.ordered = append(l.tree.ordered, s)
	}
	s.Menus = append(s.Menus, m)
	m.Parent.List = append(m.Parent.List, m)

	if text, ok := it.str("type"); ok {
		typ, known := parseType(text)
		if !known {
			l.errorf(it.at("type"), "type %q is unknown: bool, tristate, int, hex or string", text)
		} else {
			l.setType(it, m, "type", typ)
		}
	}
	if text, ok := it.str("prompt"); ok {
		l.addPrompt(it, m, "prompt", text)
	} else if _, ok := it.vals["prompt_if"]; ok {
		l.errorf(it.at("prompt_if"), "prompt_if without a prompt: add prompt = \"…\"")
	}
	if kind == "menuconfig" && m.prompt == nil {
		l.warnf(m.Pos, "menuconfig %s has no prompt, so there is no menu to open: add one, or make it a config", name)
	}
	m.dep = l.condition(it, "depends")
	l.defaults(it, m, "def_bool", Bool)
	l.defaults(it, m, "def_tristate", TristateType)
	l.defaults(it, m, "default", Unknown)
	l.links(it, m, "select", propSelect)
	l.links(it, m, "imply", propImply)
	l.ranges(it, m)
	if help, ok := it.str("help"); ok {
		m.Help = dedent(help)
		if s.Help == "" {
			s.Help = m.Help
		}
	}
	if it.flag("modules") {
		if !l.tree.modules.constant && l.tree.modules != s {
			l.errorf(it.at("modules"), "%s already turns modules on (%s): only one symbol can", l.tree.modules.Name, l.tree.modules.Pos)
		}
		l.tree.modules = s
	}
	if pkg, ok := it.str("package"); ok {
		if s.Package != "" && s.Package != pkg {
			l.errorf(it.at("package"), "%s already names the package %q: give it one", name, s.Package)
		}
		l.ownPackage(it, pkg)
		s.Package = pkg
	}
	s.Static = s.Static || it.flag("static")
	if l.choice != nil {
		l.member(m)
	}
}

// dedent takes the indentation of the item off its help, as Linux does by that
// of the first line.
func dedent(help string) string {
	lines := strings.Split(strings.TrimRight(help, " \t\n"), "\n")
	margin := lines[0][:len(lines[0])-len(strings.TrimLeft(lines[0], " \t"))]
	for i := range lines {
		lines[i] = strings.TrimRight(strings.TrimPrefix(lines[i], margin), " \t")
	}
	return strings.Join(lines, "\n")
}

func (l *loader) setType(it *item, m *Menu, key string, typ Type) {
	s := m.Sym
	if s.Type == Unknown {
		s.Type = typ
	} else if s.Type != typ {
		l.warnf(it.at(key), "%s is %s since %s: type %s is ignored", s.Name, s.Type, s.Pos, typ)
	}
}

// member makes the symbol of m a member of the choice being read.
func (l *loader) member(m *Menu) {
	s := m.Sym
	if m.prompt == nil {
		l.errorf(m.Pos, "%s is a member of a choice and needs a prompt", s.Name)
	}
	if s.Type != Bool {
		l.errorf(m.Pos, "%s is a member of a choice and must be bool, not %s", s.Name, s.Type)
	}
	switch {
	case s.choice == nil:
		s.choice = l.choice
		l.choice.members = append(l.choice.members, s)
	case s.choice != l.choice:
		l.errorf(m.Pos, "%s is a member of the choice at %s already: a symbol can be in one choice only", s.Name, s.choice.Pos)
	}
}

// defaults reads default, def_bool and def_tristate.
func (l *loader) defaults(it *item, m *Menu, key string, typ Type) {
	if _, ok := it.vals[key]; !ok {
		return
	}
	if typ != Unknown {
		l.setType(it, m, key, typ)
	}
	for _, v := range it.list(key) {
		l.hexText(m.Sym, &v)
		if p := l.valued(m, key, v); p != nil {
			p.kind = propDefault
			m.Sym.props = append(m.Sym.props, p)
		}
	}
}

// hexText gives an integer of TOML, where 0x1f is the number 31, back its 0x
// for a hex symbol.
func (l *loader) hexText(s *Symbol, v *entry) {
	if n, err := strconv.ParseUint(v.text, 10, 63); err == nil && v.isInt && s.Type == Hex {
		v.text = "0x" + strconv.FormatUint(n, 16)
	}
}

// links reads select and imply.
func (l *loader) links(it *item, m *Menu, key string, kind propKind) {
	for _, v := range it.list(key) {
		p := l.valued(m, key, v)
		if p == nil {
			continue
		}
		if p.expr.op != opSymbol || p.expr.s.constant {
			l.errorf(p.pos, "%s wants one symbol, not %q; for more, give an array", key, v.text)
			continue
		}
		p.kind, p.sym, p.expr = kind, p.expr.s, nil
		m.Sym.props = append(m.Sym.props, p)
	}
}

// ranges reads range: [LOW, HIGH] or "LOW HIGH [if CONDITION]", or an array of
// the latter.
func (l *loader) ranges(it *item, m *Menu) {
	list := it.list("range")
	if len(list) == 2 && list[0].isInt && list[1].isInt {
		l.hexText(m.Sym, &list[0])
		l.hexText(m.Sym, &list[1])
		list = []entry{{text: list[0].text + " " + list[1].text, pos: list[0].pos}}
	}
	for _, v := range list {
		text := v.text
		p := &Property{kind: propRange, menu: m, pos: v.pos}
		toks, err := lexExpr(text)
		if err != nil {
			l.errorf(p.pos, "range: %v", err)
			continue
		}
		val, cond, hasIf := splitIf(toks)
		ps := &exprParser{tree: l.tree, pos: p.pos, toks: val}
		if len(val) == 2 {
			if p.lo, err = ps.operand(); err == nil {
				p.hi, err = ps.operand()
			}
		}
		if len(val) != 2 || err != nil || hasIf && len(cond) == 0 {
			l.errorf(p.pos, "range %q: write \"LOW HIGH\" or \"LOW HIGH if CONDITION\"", text)
			continue
		}
		if hasIf {
			if p.given, err = l.tree.parseTokens(cond, p.pos); err != nil {
				l.errorf(p.pos, "range: %v", err)
				continue
			}
			p.cond = p.given
		}
		m.Sym.props = append(m.Sym.props, p)
	}
}
