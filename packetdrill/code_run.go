package packetdrill

import (
	"fmt"
	"math"
	"strings"
)

// scope is what code knows: the names that it set, and those of the socket under
// test.
type scope struct {
	vars  map[string]value
	look  func(name string) (value, bool)
	print func(string)
	steps int
}

// codeError is a failure of a statement.
type codeError struct {
	line int
	text string
}

// exec runs statements; nil when all went well.
func (s *scope) exec(list []*statement) *codeError {
	for _, st := range list {
		if s.steps++; s.steps > 1e6 {
			return &codeError{st.line, "the code does not end"}
		}
		switch st.kind {
		case "pass":
		case "if":
			v, err := s.eval(st.exprs[0])
			if err != nil {
				return &codeError{st.line, err.Error()}
			}
			body := st.body
			if !v.true() {
				body = st.orelse
			}
			if err := s.exec(body); err != nil {
				return err
			}
		case "assert":
			v, err := s.eval(st.exprs[0])
			if err != nil {
				return &codeError{st.line, err.Error()}
			}
			if !v.true() {
				return &codeError{st.line, s.broken(st)}
			}
		default:
			var out []string
			for _, x := range st.exprs {
				v, err := s.eval(x)
				if err != nil {
					return &codeError{st.line, err.Error()}
				}
				if st.kind == "set" {
					if err := s.set(st, v); err != nil {
						return &codeError{st.line, err.Error()}
					}
				}
				out = append(out, v.String())
			}
			if st.kind == "print" {
				s.print(strings.Join(out, " "))
			}
		}
	}
	return nil
}

func (s *scope) set(st *statement, v value) error {
	if st.op != "" {
		old, err := s.eval(&node{op: "name", str: st.name})
		if err != nil {
			return err
		}
		if v, err = apply(st.op, old, v); err != nil {
			return err
		}
	}
	if _, ok := s.vars[st.name]; !ok && len(s.vars) >= 1000 {
		return fmt.Errorf("more than 1000 names")
	}
	s.vars[st.name] = v
	return nil
}

// broken tells of an assertion that does not hold, with both sides of a comparison.
func (s *scope) broken(st *statement) string {
	t := st.text
	x := st.exprs[0]
	if len(x.kids) == 2 && strings.Contains("== != <= >= < >", x.op) {
		a, err1 := s.eval(x.kids[0])
		b, err2 := s.eval(x.kids[1])
		if err1 == nil && err2 == nil {
			t += fmt.Sprintf(": %s %s %s does not hold", a, x.op, b)
		}
	}
	for _, y := range st.exprs[1:] {
		if v, err := s.eval(y); err == nil {
			t += fmt.Sprintf(" (%s)", v)
		}
	}
	return t
}

func (s *scope) eval(n *node) (value, error) {
	if s.steps++; s.steps > 1e6 {
		return value{}, fmt.Errorf("the code does not end")
	}
	switch n.op {
	case "num":
		return value{num: n.num, whole: n.whole}, nil
	case "str":
		return textual(n.str), nil
	case "name":
		switch n.str {
		case "True":
			return truth(true), nil
		case "False", "None":
			return truth(false), nil
		}
		if v, ok := s.vars[n.str]; ok {
			return v, nil
		}
		if v, ok := s.look(n.str); ok {
			return v, nil
		}
		if v, ok := constants[n.str]; ok {
			return whole(v), nil
		}
		return value{}, fmt.Errorf("no value is called %s: known are the fields of tcp_info of the last TCP socket, and what the code sets", n.str)
	case "and", "or":
		v, err := s.eval(n.kids[0])
		if err != nil || v.true() == (n.op == "or") {
			return v, err
		}
		return s.eval(n.kids[1])
	case "choose":
		v, err := s.eval(n.kids[0])
		if err != nil {
			return v, err
		}
		if v.true() {
			return s.eval(n.kids[1])
		}
		return s.eval(n.kids[2])
	}
	args := make([]value, len(n.kids))
	for i, k := range n.kids {
		if k.op == "tuple" && n.op == "%" {
			continue // format looks into it
		}
		v, err := s.eval(k)
		if err != nil {
			return value{}, err
		}
		args[i] = v
	}
	switch {
	case n.op == "call":
		return function(n.str, args)
	case n.op == "tuple":
		var list []string
		for _, v := range args {
			list = append(list, v.String())
		}
		return textual(strings.Join(list, " ")), nil
	case n.op == "%" && args[0].text:
		return s.format(args[0].str, n.kids[1], args[1])
	case len(args) == 1:
		return unary(n.op, args[0])
	}
	return apply(n.op, args[0], args[1])
}

// format is Python's text % values.
func (s *scope) format(f string, n *node, one value) (value, error) {
	list := []value{one}
	if n.op == "tuple" {
		list = list[:0]
		for _, k := range n.kids {
			v, err := s.eval(k)
			if err != nil {
				return v, err
			}
			list = append(list, v)
		}
	}
	var b strings.Builder
	for i := 0; i < len(f); i++ {
		if f[i] != '%' || i+1 == len(f) {
			b.WriteByte(f[i])
			continue
		}
		for i++; i+1 < len(f) && (digit(f[i]) || f[i] == '.' || f[i] == '-' || f[i] == 'l'); i++ {
		}
		switch {
		case f[i] == '%':
			b.WriteByte('%')
		case len(list) == 0:
			return value{}, fmt.Errorf("the format %q wants more values", f)
		default:
			b.WriteString(list[0].String())
			list = list[1:]
		}
		if b.Len() > 1<<16 {
			return value{}, fmt.Errorf("a text of more than 64 KB")
		}
	}
	return textual(b.String()), nil
}

func unary(op string, v value) (value, error) {
	if v.text && op != "not" {
		return v, fmt.Errorf("%s of a text", op)
	}
	switch op {
	case "not":
		return truth(!v.true()), nil
	case "unary-":
		v.num = -v.num
	case "unary~":
		v.num = -v.num - 1
	}
	return v, nil
}

func apply(op string, a, b value) (value, error) {
	if a.text != b.text || a.text && strings.Contains("- * / // & | ^ << >> %", op) {
		switch {
		case op == "==":
			return truth(false), nil
		case op == "!=":
			return truth(true), nil
		}
		return value{}, fmt.Errorf("%s of a text and a number", op)
	}
	if a.text {
		switch op {
		case "+":
			if len(a.str)+len(b.str) > 1<<16 {
				return value{}, fmt.Errorf("a text of more than 64 KB")
			}
			return textual(a.str + b.str), nil
		case "==":
			return truth(a.str == b.str), nil
		case "!=":
			return truth(a.str != b.str), nil
		case "<":
			return truth(a.str < b.str), nil
		case ">":
			return truth(a.str > b.str), nil
		case "<=":
			return truth(a.str <= b.str), nil
		default:
			return truth(a.str >= b.str), nil
		}
	}
	v := value{whole: a.whole && b.whole}
	switch op {
	case "==":
		return truth(a.num == b.num), nil
	case "!=":
		return truth(a.num != b.num), nil
	case "<":
		return truth(a.num < b.num), nil
	case ">":
		return truth(a.num > b.num), nil
	case "<=":
		return truth(a.num <= b.num), nil
	case ">=":
		return truth(a.num >= b.num), nil
	case "+":
		v.num = a.num + b.num
	case "-":
		v.num = a.num - b.num
	case "*":
		v.num = a.num * b.num
	case "/", "//", "%":
		if b.num == 0 {
			return v, fmt.Errorf("division by zero")
		}
		switch op {
		case "/":
			v.num, v.whole = a.num/b.num, false
		case "//":
			v.num = math.Floor(a.num / b.num)
		default:
			v.num = a.num - b.num*math.Floor(a.num/b.num)
		}
	default:
		x, y := int64(a.num), int64(b.num)
		switch op {
		case "&":
			x &= y
		case "|":
			x |= y
		case "^":
			x ^= y
		case "<<", ">>":
			if y < 0 || y > 62 {
				return v, fmt.Errorf("a shift by %d", y)
			}
			if op == "<<" {
				x <<= y
			} else {
				x >>= y
			}
		}
		v.num, v.whole = float64(x), true
	}
	return v, nil
}

func function(name string, args []value) (value, error) {
	one := len(args) == 1
	switch {
	case name == "abs" && one && !args[0].text:
		args[0].num = math.Abs(args[0].num)
		return args[0], nil
	case name == "int" && one && !args[0].text:
		return value{num: math.Trunc(args[0].num), whole: true}, nil
	case name == "float" && one && !args[0].text:
		args[0].whole = false
		return args[0], nil
	case name == "round" && one && !args[0].text:
		return value{num: math.RoundToEven(args[0].num), whole: true}, nil
	case name == "str" && one:
		return textual(args[0].String()), nil
	case name == "len" && one && args[0].text:
		return whole(int64(len(args[0].str))), nil
	case (name == "min" || name == "max") && len(args) > 0:
		best := args[0]
		for _, v := range args[1:] {
			less, err := apply("<", v, best)
			if err != nil {
				return v, err
			}
			more, _ := apply(">", v, best)
			if name == "min" && less.true() || name == "max" && more.true() {
				best = v
			}
		}
		return best, nil
	}
	return value{}, fmt.Errorf("no function %s with %d values is known: abs, int, float, round, str, len, min, max", name, len(args))
}
