package kconfig

// Type is the type of a symbol.
type Type uint8

const (
	// Unknown is a name that is used but nowhere defined, or a constant.
	Unknown Type = iota
	Bool
	TristateType
	Int
	Hex
	String
)

var typeNames = [...]string{"unknown", "bool", "tristate", "int", "hex", "string"}

func (t Type) String() string { return typeNames[t] }

func parseType(s string) (Type, bool) {
	for i, n := range typeNames[1:] {
		if n == s {
			return Type(i + 1), true
		}
	}
	return Unknown, false
}

type propKind uint8

const (
	propPrompt propKind = iota
	propMenu
	propComment
	propDefault
	propSelect
	propImply
	propRange
)

// Property is one attribute of a symbol or menu entry: a prompt, a default, a
// select, an imply or a range, with the condition under which it holds.
type Property struct {
	kind  propKind
	text  string  // prompt
	expr  *Expr   // default
	sym   *Symbol // select, imply
	lo    *Symbol // range
	hi    *Symbol
	cond  *Expr // as written, then with all inherited conditions and-ed
	given *Expr // as written
	state Tristate
	menu  *Menu
	pos   Pos
}

// value is a symbol's value: tri for bool and tristate, str for the others.
type value struct {
	tri Tristate
	str string
}

// Symbol is a configuration symbol. Its fields are fixed once the tree is
// loaded; its value is asked for by methods.
type Symbol struct {
	Name    string
	Type    Type
	Pos     Pos      // of the first definition
	Help    string   // of the first definition that has one
	Package string   // Go package the symbol brings in, relative to the module, a third party's by import path; "" if none
	Outside *Outside // third party that defines it; nil for the tree itself
	Static  bool     // folds as a constant: all instances of a binary share it
	Menus   []*Menu

	tree     *Tree
	constant bool
	isChoice bool  // the nameless symbol of a choice
	choice   *Menu // the choice this symbol is a member of
	props    []*Property
	dir      *Expr // direct dependencies, or-ed over the definitions
	rev      *Expr // selects
	imp      *Expr // implies
	order    int
	defOpen  bool // some definition has no dependency

	hasUser bool
	user    value
	userPos Pos

	valid, write, warned    bool
	cur                     value
	visible                 Tristate
	dirVal, revVal, implVal Tristate
	checkState              uint8
}

func (s *Symbol) isConst(name string) bool { return s.constant && s.Name == name }

// Defined tells whether some Kconfig.toml defines the symbol.
func (s *Symbol) Defined() bool { return len(s.Menus) > 0 && !s.isChoice }

func (s *Symbol) quoted() string {
	if s.constant {
		if _, ok := parseTristate(s.Name); !ok {
			return quote(s.Name)
		}
	}
	if s.isChoice {
		return "<choice>"
	}
	return s.Name
}

// Choice is the choice the symbol is a member of, or nil.
func (s *Symbol) Choice() *Menu { return s.choice }

// DirectDeps is the condition made of the symbol's `depends`, and of the
// menus and ifs around it, or-ed over all definitions.
func (s *Symbol) DirectDeps() *Expr { return s.dir }

// SelectedBy is the condition under which other symbols select this one; nil
// if none does.
func (s *Symbol) SelectedBy() *Expr { return s.rev }

// ImpliedBy is the condition under which other symbols imply this one; nil if
// none does.
func (s *Symbol) ImpliedBy() *Expr { return s.imp }

// HasUserValue tells whether a .config or a person set the symbol.
func (s *Symbol) HasUserValue() bool { return s.hasUser }

// UserValue is the value a .config or a person asked for, in .config's
// spelling without quotes.
func (s *Symbol) UserValue() (string, bool) {
	if !s.hasUser {
		return "", false
	}
	if s.Type == Bool || s.Type == TristateType {
		return s.user.tri.String(), true
	}
	return s.user.str, true
}

// typ is the type the symbol acts as: tristates are bools while modules are
// off.
func (s *Symbol) typ() Type {
	if s.Type == TristateType && s.tree.modulesVal == No {
		return Bool
	}
	return s.Type
}

// EffectiveType is the type the symbol acts as: a tristate is a bool while
// modules are off.
func (s *Symbol) EffectiveType() Type { return s.typ() }

func (s *Symbol) prompt() *Property {
	for _, p := range s.props {
		if p.kind == propPrompt {
			return p
		}
	}
	return nil
}

// Prompt is the text of the symbol's first prompt, or "".
func (s *Symbol) Prompt() string {
	if p := s.prompt(); p != nil {
		return p.text
	}
	return ""
}
