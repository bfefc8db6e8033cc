package kconfig

import (
	"strconv"
	"strings"
)

// invalidate forgets all calculated values.
func (t *Tree) invalidate() {
	for _, s := range t.symbols {
		s.valid, s.write = false, false
	}
	t.Root.Walk(func(m *Menu) bool {
		if m.Kind == KindChoice {
			m.Sym.valid = false
		}
		return true
	})
	t.modules.calc()
	t.modulesVal = t.modules.cur.tri
}

// eval is the value of a condition.
func (t *Tree) eval(e *Expr) Tristate {
	if e == nil {
		return Yes
	}
	switch e.op {
	case opSymbol:
		e.s.calc()
		return e.s.cur.tri
	case opNot:
		return Yes - t.eval(e.l)
	case opAnd:
		return min(t.eval(e.l), t.eval(e.r))
	case opOr:
		return max(t.eval(e.l), t.eval(e.r))
	}
	c := compare(e.s, e.t)
	var ok bool
	switch e.op {
	case opEqual:
		ok = c == 0
	case opUnequal:
		ok = c != 0
	case opLess:
		ok = c < 0
	case opLessEqual:
		ok = c <= 0
	case opGreater:
		ok = c > 0
	case opGreaterEqual:
		ok = c >= 0
	}
	if ok {
		return Yes
	}
	return No
}

type numberKind uint8

const (
	notNumber numberKind = iota
	signedNumber
	unsignedNumber
)

// compare orders the values of two symbols: as numbers when both are numbers,
// else as text. n, m and y of a bool or tristate count as 0, 1 and 2.
func compare(a, b *Symbol) int {
	x, y := a.String(), b.String()
	if a.Type != String || b.Type != String {
		nx, kx := number(x, a.Type)
		ny, ky := number(y, b.Type)
		if kx != notNumber && ky != notNumber {
			if kx == unsignedNumber || ky == unsignedNumber {
				return order(uint64(nx), uint64(ny))
			}
			return order(nx, ny)
		}
	}
	return strings.Compare(x, y)
}

func order[T int64 | uint64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// number reads s as C's strtoll and strtoull do for a symbol of the type:
// decimal for int, hex for hex, by prefix for the rest.
func number(s string, typ Type) (int64, numberKind) {
	switch typ {
	case Bool, TristateType:
		if v, ok := parseTristate(s); ok {
			return int64(v), signedNumber
		}
		return -1, signedNumber
	case Int:
		n, err := strconv.ParseInt(strings.TrimPrefix(s, "+"), 10, 64)
		return n, kindIf(err == nil, signedNumber)
	case Hex:
		n, err := strconv.ParseUint(trimHex(s), 16, 64)
		return int64(n), kindIf(err == nil, unsignedNumber)
	}
	digits := strings.TrimLeft(s, "+-")
	if digits == "" || len(s)-len(digits) > 1 || strings.ContainsAny(digits, "_") {
		return 0, notNumber
	}
	base := 10
	if len(digits) > 1 && digits[0] == '0' {
		base = 8
		if h := trimHex(digits); h != digits {
			base, digits = 16, h
		}
	}
	if digits[0] == '-' || digits[0] == '+' {
		return 0, notNumber
	}
	if s[0] == '-' {
		digits = "-" + digits
	}
	n, err := strconv.ParseInt(digits, base, 64)
	return n, kindIf(err == nil, signedNumber)
}

func kindIf(ok bool, k numberKind) numberKind {
	if ok {
		return k
	}
	return notNumber
}

func trimHex(s string) string {
	if len(s) > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') {
		return s[2:]
	}
	return s
}

// leading reads the number at the start of s, as strtoll does: 0 without one.
func leading(s string, base int) int64 {
	neg := strings.HasPrefix(s, "-")
	s = strings.TrimLeft(s, "+-")
	if base == 16 {
		s = trimHex(s)
	}
	end := 0
	for end < len(s) {
		if _, err := strconv.ParseUint(s[end:end+1], base, 64); err != nil {
			break
		}
		end++
	}
	n, err := strconv.ParseInt(s[:end], base, 64)
	if err != nil && end == 0 {
		return 0
	}
	if neg {
		return -n
	}
	return n
}

// Tristate is the value of a bool or tristate symbol; n for the other types.
func (s *Symbol) Tristate() Tristate {
	s.calc()
	return s.cur.tri
}

// String is the symbol's value in .config's spelling, without quotes.
func (s *Symbol) String() string {
	s.calc()
	if s.constant || s.Type == Unknown {
		return s.Name
	}
	if s.Type == Bool || s.Type == TristateType {
		if s.cur.tri == Mod && s.tree.modulesVal == No {
			return "n"
		}
		return s.cur.tri.String()
	}
	return s.cur.str
}

// Written tells whether the symbol has a line in .config.
func (s *Symbol) Written() bool {
	s.calc()
	return s.write && s.Defined()
}

// Visibility is how far the prompt's condition lets the user go: n means that
// there is nothing to set.
func (s *Symbol) Visibility() Tristate {
	s.calc()
	return s.visible
}

// Limits gives the tristate values a person can choose between: from what
// selects demand to what dependencies allow. ok is false when there is nothing
// to choose.
func (s *Symbol) Limits() (lo, hi Tristate, ok bool) {
	s.calc()
	if s.typ() != Bool && s.typ() != TristateType || s.visible <= s.revVal {
		return s.cur.tri, s.cur.tri, false
	}
	return s.revVal, s.visible, true
}

// Changeable tells whether a person can change the symbol.
func (s *Symbol) Changeable() bool {
	if s.constant || s.isChoice {
		return false
	}
	s.calc()
	return s.visible > s.revVal
}

// withinTristate tells whether a person may set the value.
func (s *Symbol) withinTristate(v Tristate) bool {
	s.calc()
	typ := s.typ()
	if s.visible == No || typ != Bool && typ != TristateType || typ == Bool && v == Mod || s.visible <= s.revVal {
		return false
	}
	if s.choice != nil {
		return v == Yes
	}
	return v >= s.revVal && v <= s.visible
}

// bool raises m to y for what cannot be m.
func (s *Symbol) boolean(v Tristate) Tristate {
	if v == Mod && s.typ() == Bool {
		return Yes
	}
	return v
}

// calcVisibility works out the conditions that limit the symbol.
func (s *Symbol) calcVisibility() {
	t := s.tree
	v := No
	for _, p := range s.props {
		if p.kind == propPrompt {
			p.state = t.eval(p.cond)
			v = max(v, p.state)
		}
	}
	s.visible = s.boolean(v)
	if s.choice != nil {
		return
	}
	s.dirVal = s.boolean(t.eval(s.dir))
	s.revVal, s.implVal = No, No
	if s.rev != nil {
		s.revVal = s.boolean(t.eval(s.rev))
	}
	if s.imp != nil {
		s.implVal = s.boolean(t.eval(s.imp))
	}
}

// activeDefault is the first default whose condition holds, or nil.
func (s *Symbol) activeDefault() *Property {
	for _, p := range s.props {
		if p.kind == propDefault {
			if p.state = s.tree.eval(p.cond); p.state != No {
				return p
			}
		}
	}
	return nil
}

func (s *Symbol) activeRange() *Property {
	for _, p := range s.props {
		if p.kind == propRange && s.tree.eval(p.cond) != No {
			return p
		}
	}
	return nil
}

// single is the symbol a default names, or nil for any other expression.
func (p *Property) single() *Symbol {
	if p.expr != nil && p.expr.op == opSymbol {
		return p.expr.s
	}
	return nil
}

func (t Type) zero() string {
	switch t {
	case Int:
		return "0"
	case Hex:
		return "0x0"
	case Bool, TristateType:
		return "n"
	}
	return ""
}

// calc works out the symbol's value, unless it is known. While it does, the
// symbol reads as n, so that a cycle ends.
func (s *Symbol) calc() {
	if s.valid {
		return
	}
	s.valid = true
	if s.Type == Unknown {
		s.cur = value{str: s.Name}
		return
	}
	next := value{str: s.Type.zero()}
	s.write = false
	s.calcVisibility()
	s.write = s.visible != No
	s.cur = next
	switch s.Type {
	case Bool, TristateType:
		if s.isChoice {
			s.cur.tri = s.visible
			return
		}
		if s.choice != nil {
			s.choice.calcChoice()
			return
		}
		next.tri = s.calcTristate()
	default:
		if s.visible != No && s.hasUser {
			next.str = s.user.str
		} else if p := s.activeDefault(); p != nil {
			if from := p.single(); from != nil {
				s.write = true
				from.calc()
				next.str = from.cur.str
			}
		}
	}
	s.cur = next
	s.clamp()
}

func (s *Symbol) calcTristate() Tristate {
	v := No
	if s.visible != No && s.hasUser {
		v = min(s.user.tri, s.visible)
	} else {
		if s.revVal != No {
			s.write = true
		}
		if p := s.activeDefault(); p != nil {
			if v = min(s.tree.eval(p.expr), p.state); v != No {
				s.write = true
			}
		}
		if s.implVal != No {
			s.write = true
			v = min(max(v, s.implVal), s.dirVal)
		}
	}
	if s.dirVal < s.revVal {
		s.warnUnmet()
	}
	return s.boolean(max(v, s.revVal))
}

// bound is the number a range's end stands for.
func (s *Symbol) bound(end *Symbol, base int) int64 {
	end.calc()
	switch end.Type {
	case Int:
		base = 10
	case Hex:
		base = 16
	}
	return leading(end.cur.str, base)
}

func (s *Symbol) base() int {
	if s.Type == Hex {
		return 16
	}
	return 10
}

// clamp moves an int or hex value into its active range: to the number of the
// nearest end, however the menu file spells it (symbol.c, sym_validate_range).
func (s *Symbol) clamp() {
	if s.Type != Int && s.Type != Hex {
		return
	}
	p := s.activeRange()
	if p == nil {
		return
	}
	n := leading(s.cur.str, s.base())
	switch lo, hi := s.bound(p.lo, s.base()), s.bound(p.hi, s.base()); {
	case n < lo:
		n = lo
	case n > hi:
		n = hi
	default:
		return
	}
	if s.Type == Hex {
		s.cur.str = "0x" + strconv.FormatUint(uint64(n), 16)
	} else {
		s.cur.str = strconv.FormatInt(n, 10)
	}
}

// Range gives the ends of the range that is active now, for int and hex
// symbols.
func (s *Symbol) Range() (lo, hi string, ok bool) {
	if s.Type != Int && s.Type != Hex {
		return "", "", false
	}
	p := s.activeRange()
	if p == nil {
		return "", "", false
	}
	return p.lo.String(), p.hi.String(), true
}

// validText tells whether text is a well-formed value for the symbol's type.
func (s *Symbol) validText(text string) bool {
	switch s.Type {
	case String:
		return true
	case Int:
		digits := strings.TrimPrefix(text, "-")
		if digits == "" || digits[0] == '0' && len(digits) > 1 {
			return false
		}
		return strings.Trim(digits, "0123456789") == ""
	case Hex:
		digits := trimHex(text)
		return digits != "" && strings.Trim(digits, "0123456789abcdefABCDEF") == ""
	case Bool:
		return text == "y" || text == "n"
	case TristateType:
		_, ok := parseTristate(text)
		return ok
	}
	return false
}

// withinRange tells whether text is well formed and inside the active range.
func (s *Symbol) withinRange(text string) bool {
	if !s.validText(text) {
		return false
	}
	if s.Type == Bool || s.Type == TristateType {
		v, _ := parseTristate(text)
		return s.withinTristate(v)
	}
	if s.Type == String {
		return true
	}
	p := s.activeRange()
	if p == nil {
		return true
	}
	n := leading(text, s.base())
	return n >= s.bound(p.lo, s.base()) && n <= s.bound(p.hi, s.base())
}

// defaultText is the value the symbol would have without a user's: what
// savedefconfig leaves out.
func (s *Symbol) defaultText() string {
	s.calcVisibility()
	v, text := No, s.Type.zero()
	if s.Type != Bool && s.Type != TristateType {
		if p := s.activeDefault(); p != nil {
			if from := p.single(); from != nil {
				from.calc()
				text = from.cur.str
			}
		}
		return text
	}
	if p := s.activeDefault(); p != nil {
		v = min(s.tree.eval(p.expr), p.state)
	}
	v = max(v, s.revVal)
	if s.choice == nil {
		v = s.boolean(v)
	} else if v == Mod {
		v = Yes
	}
	return max(v, s.implVal).String()
}
