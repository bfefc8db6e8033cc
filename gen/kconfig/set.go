package kconfig

import (
	"fmt"
	"strings"
)

// SetTristate sets a bool or tristate symbol as a person does. It tells
// whether the value is possible now; an impossible one changes nothing.
// Setting a member of a choice to y sets the others to n.
func (s *Symbol) SetTristate(v Tristate) bool {
	if !s.withinTristate(v) {
		return false
	}
	if s.choice != nil {
		s.choice.setChosen(s)
		return true
	}
	if !s.hasUser || s.user.tri != v {
		s.hasUser, s.user = true, value{tri: v}
		s.tree.changed = true
	}
	s.tree.invalidate()
	return true
}

// SetText sets a symbol of any type from text as a person types it: y, m, n,
// a number, or a string without quotes. It tells whether the value is possible
// now; an impossible one changes nothing.
func (s *Symbol) SetText(text string) bool {
	if s.isTristate() {
		v, ok := parseTristate(strings.ToLower(text))
		return ok && s.SetTristate(v)
	}
	s.calc()
	if s.visible == No || !s.withinRange(text) {
		return false
	}
	if s.Type == Hex && trimHex(text) == text {
		text = "0x" + text
	}
	if !s.hasUser || s.user.str != text {
		s.hasUser, s.user = true, value{str: text}
		s.tree.changed = true
	}
	s.tree.invalidate()
	return true
}

// Toggle moves a bool or tristate symbol to its next possible value, as the
// space bar does: n, m, y and round again. It tells whether it moved.
func (s *Symbol) Toggle() bool {
	v := s.Tristate()
	for range 2 {
		v = (v + 1) % 3
		if s.SetTristate(v) {
			return true
		}
	}
	return false
}

// Refusal says why the symbol cannot be set to text now, or "" if it can.
func (s *Symbol) Refusal(text string) string {
	s.calc()
	name := prefix + s.Name
	if !s.isTristate() {
		if !s.validText(text) {
			return fmt.Sprintf("%q is not valid for %s, which is %s: give %s", text, name, s.Type, s.valueHint())
		}
		if s.visible == No {
			return s.hiddenReason()
		}
		if !s.withinRange(text) {
			lo, hi, _ := s.Range()
			return fmt.Sprintf("%s is outside the range of %s: %s to %s (%s)", text, name, lo, hi, s.activeRange().pos)
		}
		return ""
	}
	v, ok := parseTristate(strings.ToLower(text))
	if !ok {
		return fmt.Sprintf("%q is not valid for %s, which is %s: give %s", text, name, s.Type, s.valueHint())
	}
	if s.withinTristate(v) {
		return ""
	}
	switch {
	case s.visible == No:
		return s.hiddenReason()
	case v == Mod && s.Type == Bool:
		return fmt.Sprintf("%s is a bool: it can be y or n, not m", name)
	case v == Mod && s.typ() == Bool:
		return fmt.Sprintf("%s can be y or n only while modules are off", name)
	case s.choice != nil:
		return fmt.Sprintf("%s is a member of the choice %q: set another member to y instead", name, s.choice.Text())
	case v < s.revVal || s.visible <= s.revVal:
		return fmt.Sprintf("%s must be at least %s, it is selected by %s", name, s.revVal, strings.Join(s.selectors(), ", "))
	}
	return fmt.Sprintf("%s can be at most %s: its prompt depends on %s", name, s.visible, s.showCond())
}

func (s *Symbol) showCond() string {
	if p := s.prompt(); p != nil {
		return s.tree.show(p.cond)
	}
	return "nothing"
}

func (s *Symbol) hiddenReason() string {
	name := prefix + s.Name
	p := s.prompt()
	if p == nil {
		return fmt.Sprintf("%s has no prompt: only defaults and selects give it a value (%s)", name, s.Pos)
	}
	return fmt.Sprintf("%s cannot be set: it depends on %s (%s)", name, s.tree.show(p.cond), p.pos)
}

// selectors names the symbols that select s now.
func (s *Symbol) selectors() []string {
	var names []string
	for _, l := range s.incoming(propSelect) {
		if l.Value != "n" {
			names = append(names, l.Symbol)
		}
	}
	return names
}

// show renders a condition with the value of every symbol in it.
func (t *Tree) show(e *Expr) string {
	if e == nil {
		return "y"
	}
	var b strings.Builder
	e.format(&b, func(x *Symbol) string {
		if x.constant {
			return ""
		}
		return " [=" + x.String() + "]"
	})
	return b.String()
}

// Change is one symbol whose value moved.
type Change struct {
	Symbol string `json:"symbol"`
	Old    string `json:"old"` // "" where the symbol has no line
	New    string `json:"new"`
}

func (c Change) String() string {
	side := func(v string) string {
		if v == "" {
			return "absent"
		}
		return v
	}
	return fmt.Sprintf("%s%s: %s -> %s", prefix, c.Symbol, side(c.Old), side(c.New))
}

// Snapshot remembers all values, to tell later what changed.
func (t *Tree) Snapshot() map[string]string {
	m := make(map[string]string, len(t.ordered))
	for _, s := range t.ordered {
		if s.Written() {
			m[s.Name] = s.String()
		}
	}
	return m
}

// Since lists what changed since a snapshot, in definition order.
func (t *Tree) Since(old map[string]string) []Change {
	var list []Change
	now := t.Snapshot()
	for _, s := range t.ordered {
		a, had := old[s.Name]
		b, has := now[s.Name]
		if had != has || a != b {
			list = append(list, Change{s.Name, a, b})
		}
	}
	return list
}
