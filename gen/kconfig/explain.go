package kconfig

import (
	"fmt"
	"strings"
)

// Link is one attribute that bears on a symbol's value.
type Link struct {
	Symbol string `json:"symbol,omitempty"` // the other symbol: who selects, who implies
	Text   string `json:"text,omitempty"`   // prompt text or default value
	If     string `json:"if,omitempty"`     // condition, with current values
	Value  string `json:"value"`            // what it amounts to now
	Pos    Pos    `json:"pos"`
}

// Explanation is why a symbol has its value.
type Explanation struct {
	Symbol     string   `json:"symbol"`
	Type       string   `json:"type"`
	ActsAs     string   `json:"acts_as,omitempty"` // bool, for a tristate while modules are off
	Value      string   `json:"value"`
	Written    bool     `json:"written"` // has a line in .config
	Because    string   `json:"because"`
	Causes     []Cause  `json:"causes,omitempty"` // the symbols that decided, and theirs
	User       string   `json:"user,omitempty"`
	UserPos    *Pos     `json:"user_pos,omitempty"`
	Visibility string   `json:"visibility"`
	DependsOn  string   `json:"depends_on,omitempty"`
	Lowest     string   `json:"lowest,omitempty"` // what a person can choose between
	Highest    string   `json:"highest,omitempty"`
	Prompts    []Link   `json:"prompts,omitempty"`
	Defaults   []Link   `json:"defaults,omitempty"`
	SelectedBy []Link   `json:"selected_by,omitempty"`
	ImpliedBy  []Link   `json:"implied_by,omitempty"`
	Selects    []string `json:"selects,omitempty"`
	Implies    []string `json:"implies,omitempty"`
	Ranges     []Link   `json:"ranges,omitempty"`
	Choice     string   `json:"choice,omitempty"`
	Package    string   `json:"package,omitempty"`
	Static     bool     `json:"static,omitempty"`
	DefinedAt  []Pos    `json:"defined_at"`
}

// incoming lists who selects or implies s, with what that amounts to.
func (s *Symbol) incoming(kind propKind) []Link {
	var list []Link
	for _, other := range s.tree.ordered {
		for _, p := range other.props {
			if p.kind == kind && p.sym == s {
				v := min(other.Tristate(), s.tree.eval(p.cond))
				list = append(list, Link{Symbol: other.Name, If: s.tree.ifShown(p.cond), Value: v.String(), Pos: p.pos})
			}
		}
	}
	return list
}

func (t *Tree) ifShown(e *Expr) string {
	if e == nil {
		return ""
	}
	return t.show(e)
}

// Explain works out why the symbol has its value.
func (s *Symbol) Explain() Explanation {
	t := s.tree
	e := Explanation{Symbol: s.Name, Type: s.Type.String(), Value: s.String(), Written: s.Written(),
		Visibility: s.visible.String(), Package: s.Package, Static: s.Static}
	if s.typ() != s.Type {
		e.ActsAs = s.typ().String()
	}
	if u, ok := s.UserValue(); ok {
		e.User = u
		if s.userPos.File != "" {
			pos := s.userPos
			e.UserPos = &pos
		}
	}
	if s.dir != nil {
		e.DependsOn = fmt.Sprintf("%s [=%s]", t.show(s.dir), t.eval(s.dir))
	}
	for _, p := range s.props {
		l := Link{Text: p.text, If: t.ifShown(p.cond), Value: t.eval(p.cond).String(), Pos: p.pos}
		switch p.kind {
		case propPrompt:
			e.Prompts = append(e.Prompts, l)
		case propDefault:
			l.Text = p.expr.String()
			if s.isTristate() {
				l.Value = min(t.eval(p.expr), t.eval(p.cond)).String()
			}
			e.Defaults = append(e.Defaults, l)
		case propRange:
			l.Text = p.lo.String() + " to " + p.hi.String()
			e.Ranges = append(e.Ranges, l)
		case propSelect:
			e.Selects = append(e.Selects, p.sym.Name)
		case propImply:
			e.Implies = append(e.Implies, p.sym.Name)
		}
	}
	e.SelectedBy, e.ImpliedBy = s.incoming(propSelect), s.incoming(propImply)
	if lo, hi, ok := s.Limits(); ok && s.choice == nil {
		e.Lowest, e.Highest = lo.String(), hi.String()
	} else if lo, hi, ok := s.Range(); ok {
		e.Lowest, e.Highest = lo, hi
	}
	if s.choice != nil {
		e.Choice = s.choice.Text()
	}
	for _, m := range s.Menus {
		e.DefinedAt = append(e.DefinedAt, m.Pos)
	}
	var by []*Symbol
	e.Because, by = s.reason()
	e.Causes = causes(by, map[*Symbol]bool{s: true})
	return e
}

// reason is because, and where a user's value is the one the symbol would have
// anyway (as in every .config that was written whole), why that is so.
func (s *Symbol) reason() (string, []*Symbol) {
	why, by := s.because()
	if !s.hasUser || s.visible == No || s.choice != nil {
		return why, by
	}
	val, user := s.cur, s.user
	s.hasUser, s.valid = false, false
	same, wouldBe := s.calcValue() == val, s.String()
	without, deciding := s.because()
	s.hasUser, s.user = true, user
	s.tree.invalidate()
	s.calc()
	switch {
	case same && s.userPos.File != "":
		return fmt.Sprintf("%s; %s says the same", without, s.userPos), deciding
	case same:
		return without + "; the user says the same", deciding
	case s.Type == String:
		wouldBe = quote(wouldBe)
	}
	return fmt.Sprintf("%s; else it would be %s, because %s", why, wouldBe, without), by
}

func (s *Symbol) calcValue() value {
	s.calc()
	return s.cur
}

// because names the deciding fact in one sentence, and the other symbols that
// it rests on.
func (s *Symbol) because() (why string, by []*Symbol) {
	t := s.tree
	user, hasUser := s.UserValue()
	switch {
	case s.Type == Unknown:
		return "it has no type", nil
	case s.choice != nil && s.visible == No:
		return "its choice or its own condition hides it", s.hiding()
	case s.choice != nil && s.Tristate() == Yes:
		if hasUser && s.user.tri == Yes {
			return "it was chosen", nil
		}
		return "it is the default of its choice", nil
	case s.choice != nil:
		if c := s.choice.Chosen(); c != nil {
			return c.Name + " is chosen instead", nil
		}
		return "nothing of its choice is visible", nil
	case !s.isTristate():
		return s.becauseText(user, hasUser)
	}
	v := s.Tristate()
	base, why := No, "nothing sets it"
	p := s.activeDefault()
	switch {
	case hasUser && s.visible != No:
		base, why = min(s.user.tri, s.visible), "the user set it to "+user
		if s.user.tri > s.visible {
			why += ", and its dependencies allow " + s.visible.String() + " at most"
			by = s.hiding()
		}
	case p != nil:
		base, why = min(t.eval(p.expr), t.eval(p.cond)), fmt.Sprintf("default %s (%s)", p.expr, p.pos)
		by = p.defaulting()
	}
	if (!hasUser || s.visible == No) && s.implVal > base {
		base, why = min(s.implVal, s.dirVal), "it is implied by "+activeNames(s.incoming(propImply))
		by = s.reverse(propImply)
	}
	if s.revVal > base {
		why = "it is selected by " + activeNames(s.incoming(propSelect))
		by = s.reverse(propSelect)
	}
	switch {
	case hasUser && s.visible == No && s.prompt() != nil:
		why += "; the user's " + user + " does not count while its prompt is hidden"
		by = append(by, s.hiding()...)
	case v == No && s.visible == No && why == "nothing sets it" && s.prompt() != nil:
		why, by = "its dependencies do not hold", s.hiding()
	}
	return why, by
}

func (s *Symbol) becauseText(user string, hasUser bool) (why string, by []*Symbol) {
	why, raw := "nothing sets it", s.Type.zero()
	if hasUser && s.visible != No {
		why, raw = "the user set it to "+user, user
	} else if p := s.activeDefault(); p != nil && p.single() != nil {
		why, raw = fmt.Sprintf("default %s (%s)", p.expr, p.pos), p.single().cur.str
		by = p.defaulting()
	}
	if r := s.activeRange(); r != nil && raw != s.String() {
		why += fmt.Sprintf(", moved into the range %s to %s (%s)", r.lo.String(), r.hi.String(), r.pos)
		by = append(by, r.lo, r.hi)
	}
	if hasUser && s.visible == No && s.prompt() != nil {
		why += "; the user's " + user + " does not count while its prompt is hidden"
		by = append(by, s.hiding()...)
	}
	return why, by
}

func activeNames(list []Link) string {
	var names []string
	for _, l := range list {
		if l.Value != "n" {
			names = append(names, fmt.Sprintf("%s (%s)", l.Symbol, l.Pos))
		}
	}
	return strings.Join(names, ", ")
}

// String renders the explanation for a person.
func (e Explanation) String() string {
	var b strings.Builder
	row := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "  %-12s %s\n", label, fmt.Sprintf(format, args...))
	}
	val := e.Value
	if e.Type == "string" {
		val = quote(val)
	}
	fmt.Fprintf(&b, "%s%s = %s, because %s\n", prefix, e.Symbol, val, e.Because)
	writeCauses(&b, e.Causes, "decided by", 0)
	typ := e.Type
	if e.ActsAs != "" {
		typ += ", acts as " + e.ActsAs + " while modules are off"
	}
	row("type", "%s", typ)
	if !e.Written {
		row("in .config", "no line")
	}
	if e.User != "" {
		at := ""
		if e.UserPos != nil {
			at = " (" + e.UserPos.String() + ")"
		}
		row("user value", "%s%s", e.User, at)
	}
	links := func(label string, list []Link) {
		for _, l := range list {
			text := l.Text
			if l.Symbol != "" {
				text = l.Symbol
			}
			if l.If != "" {
				text += " if " + l.If
			}
			row(label, "%s [=%s] (%s)", text, l.Value, l.Pos)
			label = ""
		}
	}
	links("prompt", e.Prompts)
	if e.DependsOn != "" {
		row("depends on", "%s", e.DependsOn)
	}
	links("defaults", e.Defaults)
	links("selected by", e.SelectedBy)
	links("implied by", e.ImpliedBy)
	links("range", e.Ranges)
	if e.Lowest != "" {
		row("possible", "%s to %s", e.Lowest, e.Highest)
	}
	if e.Choice != "" {
		row("choice", "%s", e.Choice)
	}
	if len(e.Selects) > 0 {
		row("selects", "%s", strings.Join(e.Selects, " "))
	}
	if len(e.Implies) > 0 {
		row("implies", "%s", strings.Join(e.Implies, " "))
	}
	if e.Package != "" {
		row("package", "%s", e.Package)
	}
	if e.Static {
		row("static", "folds as a constant")
	}
	for i, p := range e.DefinedAt {
		label := "defined at"
		if i > 0 {
			label = ""
		}
		row(label, "%s", p)
	}
	return b.String()
}
