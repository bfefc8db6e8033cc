package kconfig

import (
	"encoding/json"
	"fmt"
	"strings"
)

// NewSymbols lists the menu entries of symbols that can be changed and that
// nobody gave a value yet, in menu order.
func (t *Tree) NewSymbols() []*Menu {
	var list []*Menu
	seen := map[*Symbol]bool{}
	t.Root.Walk(func(m *Menu) bool {
		if m != t.Root && !m.Visible() {
			return false
		}
		if s := m.Sym; s != nil && !seen[s] && !s.hasUser && s.Changeable() {
			seen[s] = true
			list = append(list, m)
		}
		return true
	})
	return list
}

func (s *Session) newSymbols() ([]*Menu, error) {
	t, err := s.Load()
	if err != nil {
		return nil, err
	}
	if err := s.readExisting(t); err != nil {
		return nil, err
	}
	list := t.NewSymbols()
	return list, s.settle(t)
}

func (s *Session) listnew([]string) error {
	list, err := s.newSymbols()
	if err != nil {
		return err
	}
	if s.JSON {
		out := []map[string]string{}
		for _, m := range list {
			out = append(out, map[string]string{"symbol": m.Sym.Name, "value": m.Sym.String(), "prompt": m.Text(), "pos": m.Pos.String()})
		}
		return s.writeJSON(out)
	}
	for _, m := range list {
		v := m.Sym.String()
		if m.Sym.Type == String {
			v = quote(v)
		}
		fmt.Fprintf(s.Stdout, "%s%s=%s\n", prefix, m.Sym.Name, v)
	}
	return nil
}

func (s *Session) helpnew([]string) error {
	list, err := s.newSymbols()
	if err != nil {
		return err
	}
	for _, m := range list {
		fmt.Fprintf(s.Stdout, "-----\n\n%s\n-----\n", m.HelpText())
	}
	return nil
}

func (s *Session) writeJSON(v any) error {
	enc := json.NewEncoder(s.Stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// HelpText is what a configuration program shows for an entry: the help, the
// value, and where and on what terms the symbol is defined.
func (m *Menu) HelpText() string {
	var b strings.Builder
	s := m.Sym
	if s == nil || s.isChoice {
		help := m.Help
		if help == "" {
			help = "There is no help available for this option."
		}
		return fmt.Sprintf("%s\n\n%s\n", m.Text(), help)
	}
	help := m.Help
	if help == "" {
		help = s.Help
	}
	if help == "" {
		help = "There is no help available for this option."
	}
	fmt.Fprintf(&b, "%s%s:\n\n%s\n\n", prefix, s.Name, help)
	b.WriteString(s.Facts())
	return b.String()
}

// Facts describes a symbol as Linux's menus do: value, type, definitions with
// prompt, dependencies and location, and who selects or implies it.
func (s *Symbol) Facts() string {
	var b strings.Builder
	t := s.tree
	fmt.Fprintf(&b, "Symbol: %s [=%s]\nType  : %s\n", s.Name, s.String(), s.Type)
	if lo, hi, ok := s.Range(); ok {
		fmt.Fprintf(&b, "Range : [%s %s]\n", lo, hi)
	}
	for _, m := range s.Menus {
		fmt.Fprintf(&b, "Defined at %s\n", m.Pos)
		if m.prompt != nil {
			fmt.Fprintf(&b, "  Prompt: %s\n", m.Text())
			if m.prompt.cond != nil && !m.prompt.cond.same(m.dep) {
				fmt.Fprintf(&b, "  Visible if: %s\n", t.show(m.prompt.cond))
			}
		}
		if m.dep != nil {
			fmt.Fprintf(&b, "  Depends on: %s\n", t.show(m.dep))
		}
		if m.prompt != nil {
			b.WriteString(m.location())
		}
	}
	names := func(label string, kind propKind) {
		var list []string
		for _, p := range s.props {
			if p.kind == kind {
				list = append(list, p.sym.Name+" [="+p.sym.String()+"]")
			}
		}
		if len(list) > 0 {
			fmt.Fprintf(&b, "%s: %s\n", label, strings.Join(list, " && "))
		}
	}
	names("Selects", propSelect)
	s.incomingFacts(&b, "Selected by", propSelect)
	names("Implies", propImply)
	s.incomingFacts(&b, "Implied by", propImply)
	return b.String()
}

func (s *Symbol) incomingFacts(b *strings.Builder, label string, kind propKind) {
	links := s.incoming(kind)
	for _, v := range []string{"y", "m", "n"} {
		first := true
		for _, l := range links {
			if l.Value != v {
				continue
			}
			if first {
				fmt.Fprintf(b, "%s [%s]:\n", label, v)
				first = false
			}
			fmt.Fprintf(b, "  - %s [=%s]", l.Symbol, s.tree.symbols[l.Symbol].String())
			if l.If != "" {
				fmt.Fprintf(b, " && %s", l.If)
			}
			b.WriteByte('\n')
		}
	}
}

// location is the path of menus that leads to the entry.
func (m *Menu) location() string {
	var path []*Menu
	for up := m; up != nil && up.Kind != KindRoot; up = up.Parent {
		if up.prompt != nil {
			path = append([]*Menu{up}, path...)
		}
	}
	var b strings.Builder
	b.WriteString("  Location:\n")
	for i, p := range path {
		fmt.Fprintf(&b, "%*s-> %s", 4+2*i, "", p.Text())
		if p.Sym != nil && !p.Sym.isChoice {
			fmt.Fprintf(&b, " (%s [=%s])", p.Sym.Name, p.Sym.String())
		}
		b.WriteByte('\n')
	}
	return b.String()
}
