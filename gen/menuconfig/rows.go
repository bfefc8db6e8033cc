package menuconfig

import (
	"strings"

	"github.com/libos-go/libos/gen/kconfig"
)

// row is one line of a menu.
type row struct {
	menu   *kconfig.Menu
	mark   string // "[*]", "<M>", "(42)", …
	text   string
	arrow  string // "--->", "----"
	indent int
	hidden bool // shown only because hidden symbols are
}

// selectable tells whether the cursor may act on the row.
func (r row) selectable() bool { return r.menu.Kind != kconfig.KindComment }

// line is the row as it is drawn.
func (r row) line() string {
	s := r.mark + strings.Repeat(" ", r.indent+1) + r.text
	if r.mark == "" {
		s = strings.Repeat(" ", r.indent+4) + r.text
	}
	if r.arrow != "" {
		s += "  " + r.arrow
	}
	return s
}

// rows lists what a menu's screen shows.
func rows(m *kconfig.Menu, all bool) []row {
	if m.Kind == kconfig.KindChoice {
		return choiceRows(m, all)
	}
	var out []row
	for _, c := range m.List {
		out = appendRows(out, c, 0, all)
	}
	return out
}

func appendRows(out []row, m *kconfig.Menu, indent int, all bool) []row {
	visible := m.Visible()
	if m.Text() == "" {
		for _, c := range m.List {
			out = appendRows(out, c, indent, all)
		}
		return out
	}
	if !visible && !all {
		return out
	}
	r := row{menu: m, text: m.Text(), indent: indent, hidden: !visible}
	nested := true
	switch m.Kind {
	case kconfig.KindComment:
		r.text = "*** " + r.text + " ***"
	case kconfig.KindMenu:
		r.arrow, nested = arrow(m, all), false
	case kconfig.KindChoice:
		nested = false
		r.arrow = "--->"
		if s := m.Chosen(); s != nil {
			r.text += " (" + s.Prompt() + ")"
		}
	default:
		s := m.Sym
		r.mark = mark(s)
		if s.Changeable() && !s.HasUserValue() && visible {
			r.text += " (NEW)"
		}
		if m.IsSubmenu() {
			r.arrow, nested = arrow(m, all), false
		}
	}
	out = append(out, r)
	if nested {
		for _, c := range m.List {
			out = appendRows(out, c, indent+2, all)
		}
	}
	return out
}

// arrow tells whether the submenu has anything to show.
func arrow(m *kconfig.Menu, all bool) string {
	if len(rows(m, all)) == 0 {
		return "----"
	}
	return "--->"
}

// mark is the value of a symbol in the brackets that tell what it can become.
func mark(s *kconfig.Symbol) string {
	switch s.EffectiveType() {
	case kconfig.Bool:
		c := " "
		if s.Tristate() == kconfig.Yes {
			c = "*"
		}
		if !s.Changeable() {
			if c == " " {
				return "- -"
			}
			return "-" + c + "-"
		}
		return "[" + c + "]"
	case kconfig.TristateType:
		c := [...]string{" ", "M", "*"}[s.Tristate()]
		if !s.Changeable() {
			return "-" + c + "-"
		}
		if lo, _, _ := s.Limits(); lo == kconfig.Mod {
			return "{" + c + "}"
		}
		return "<" + c + ">"
	}
	return "(" + s.String() + ")"
}

// choiceRows lists the members of a choice.
func choiceRows(m *kconfig.Menu, all bool) []row {
	var out []row
	chosen := m.Chosen()
	for _, c := range m.List {
		if c.Sym == nil || c.Text() == "" {
			continue
		}
		visible := c.Visible()
		if !visible && !all {
			continue
		}
		r := row{menu: c, text: c.Text(), mark: "( )", hidden: !visible}
		if c.Sym == chosen {
			r.mark = "(X)"
		}
		out = append(out, r)
	}
	return out
}
