package packetdrill

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Code is a block %{ … }% : statements of the part of Python that scripts use
// (assert, print, assignments, if, elif, else, arithmetic, comparisons, and, or,
// not, calls of abs, min, max, int, len).
type Code struct{ body []*statement }

// statement is one line, with its blocks if it is an if.
type statement struct {
	line   int
	text   string // of an assert, for its message
	kind   string // assert, print, set, if, pass, expr
	name   string // that is set
	op     string // of an augmented assignment
	exprs  []*node
	body   []*statement
	orelse []*statement
}

// node is an expression.
type node struct {
	op    string // "num", "str", "name", "call", or an operator
	num   float64
	whole bool
	str   string
	kids  []*node
}

// value is a number, a text or a truth value.
type value struct {
	num   float64
	whole bool // it is an integer
	str   string
	text  bool
}

func whole(n int64) value    { return value{num: float64(n), whole: true} }
func textual(s string) value { return value{str: s, text: true} }
func truth(b bool) value {
	if b {
		return whole(1)
	}
	return whole(0)
}

func (v value) true() bool { return v.num != 0 || v.str != "" }

func (v value) String() string {
	switch {
	case v.text:
		return v.str
	case v.whole && math.Abs(v.num) < 1<<53:
		return strconv.FormatInt(int64(v.num), 10)
	}
	return strconv.FormatFloat(v.num, 'g', -1, 64)
}

// codeLine is a logical line with its indentation.
type codeLine struct {
	number, indent int
	text           string
}

// parseCode reads a block that begins at line.
func parseCode(file string, line int, text string) (*Code, *Error) {
	var lines []codeLine
	open := 0
	for i, raw := range strings.Split(text, "\n") {
		t := stripComment(raw)
		if strings.TrimSpace(t) == "" {
			continue
		}
		indent := 0
		for _, ch := range t {
			if ch == ' ' {
				indent++
			} else if ch == '\t' {
				indent += 8 - indent%8
			} else {
				break
			}
		}
		t = strings.TrimSpace(t)
		if i == 0 {
			indent = -1 // behind %{: at the level of what follows
		}
		if open > 0 || len(lines) > 0 && strings.HasSuffix(lines[len(lines)-1].text, "\\") {
			l := &lines[len(lines)-1]
			l.text = strings.TrimSuffix(l.text, "\\") + " " + t
		} else {
			lines = append(lines, codeLine{line + i, indent, t})
		}
		open += brackets(t)
	}
	if len(lines) > 0 && lines[0].indent == -1 {
		lines[0].indent = 0
		if len(lines) > 1 && !strings.HasSuffix(lines[0].text, ":") {
			lines[0].indent = lines[1].indent
		}
	}
	p := &codeParser{file: file, lines: lines}
	code := &Code{}
	if len(lines) > 0 {
		code.body = p.block(lines[0].indent)
	}
	if p.err == nil && p.at < len(lines) {
		p.fail(lines[p.at].number, "the indentation fits no block")
	}
	return code, p.err
}

func brackets(t string) (n int) {
	quote := byte(0)
	for i := range len(t) {
		switch ch := t[i]; {
		case quote != 0:
			if ch == quote {
				quote = 0
			}
		case ch == '"' || ch == '\'':
			quote = ch
		case ch == '(' || ch == '[':
			n++
		case ch == ')' || ch == ']':
			n--
		}
	}
	return n
}

func stripComment(t string) string {
	quote := byte(0)
	for i := range len(t) {
		switch ch := t[i]; {
		case quote != 0:
			if ch == quote {
				quote = 0
			}
		case ch == '"' || ch == '\'':
			quote = ch
		case ch == '#':
			return t[:i]
		}
	}
	return t
}

type codeParser struct {
	file  string
	lines []codeLine
	at    int
	depth int
	err   *Error
}

func (p *codeParser) fail(line int, format string, args ...any) {
	if p.err == nil {
		text := fmt.Sprintf(format, args...)
		if len(text) > 300 { // it quotes the statement
			text = strings.ToValidUTF8(text[:150], "") + " … " + strings.ToValidUTF8(text[len(text)-150:], "")
		}
		p.err = &Error{p.file, line, text}
	}
	p.at = len(p.lines)
}

// block takes the lines at an indentation.
func (p *codeParser) block(indent int) (list []*statement) {
	if p.depth++; p.depth > 32 {
		p.fail(p.lines[min(p.at, len(p.lines)-1)].number, "blocks nest more than 32 deep")
		return nil
	}
	defer func() { p.depth-- }()
	for p.at < len(p.lines) && p.lines[p.at].indent == indent {
		l := p.lines[p.at]
		if word, rest, ok := compound(l.text); ok {
			if word != "if" {
				p.fail(l.number, "%s without an if before it", word)
				return nil
			}
			list = append(list, p.conditional(l, rest, indent))
			continue
		}
		p.at++
		for _, t := range splitStatements(l.text) {
			if s := p.simple(l.number, t); s != nil {
				list = append(list, s)
			}
		}
	}
	return list
}

// compound splits a line that opens a block.
func compound(t string) (word, rest string, ok bool) {
	for _, w := range []string{"if", "elif", "else"} {
		if after, found := strings.CutPrefix(t, w); found && after != "" && !letter(after[0]) && !digit(after[0]) {
			return w, after, true
		}
	}
	return "", "", false
}

// conditional takes if …: with its block and what belongs to it.
func (p *codeParser) conditional(l codeLine, rest string, indent int) *statement {
	s := &statement{line: l.number, kind: "if"}
	e := &exprParser{text: rest}
	s.exprs = []*node{e.expression()}
	e.space()
	if e.err != "" || !strings.HasPrefix(e.text[e.at:], ":") {
		p.fail(l.number, "an if ends with a colon: %s", e.why("if CONDITION:"))
		return s
	}
	s.body = p.suite(l, strings.TrimSpace(e.text[e.at+1:]), indent)
	if p.at >= len(p.lines) || p.lines[p.at].indent != indent {
		return s
	}
	l = p.lines[p.at]
	switch word, rest, ok := compound(l.text); {
	case ok && word == "elif":
		if p.depth++; p.depth > 32 {
			p.fail(l.number, "more than 32 branches")
			return s
		}
		s.orelse = []*statement{p.conditional(l, rest, indent)}
		p.depth--
	case ok && word == "else":
		rest = strings.TrimSpace(rest)
		if !strings.HasPrefix(rest, ":") {
			p.fail(l.number, "else ends with a colon")
			return s
		}
		s.orelse = p.suite(l, strings.TrimSpace(rest[1:]), indent)
	}
	return s
}

// suite is what follows the colon: the rest of the line, or a deeper block.
func (p *codeParser) suite(l codeLine, rest string, indent int) (list []*statement) {
	p.at++
	if rest != "" {
		for _, t := range splitStatements(rest) {
			if s := p.simple(l.number, t); s != nil {
				list = append(list, s)
			}
		}
		return list
	}
	if p.at >= len(p.lines) || p.lines[p.at].indent <= indent {
		p.fail(l.number, "an indented block has to follow")
		return nil
	}
	return p.block(p.lines[p.at].indent)
}

// splitStatements cuts at semicolons outside of strings.
func splitStatements(t string) (list []string) {
	quote, start := byte(0), 0
	for i := range len(t) {
		switch ch := t[i]; {
		case quote != 0:
			if ch == quote {
				quote = 0
			}
		case ch == '"' || ch == '\'':
			quote = ch
		case ch == ';':
			list = append(list, strings.TrimSpace(t[start:i]))
			start = i + 1
		}
	}
	return append(list, strings.TrimSpace(t[start:]))
}

// simple reads a statement of one line; nil for an empty one.
func (p *codeParser) simple(line int, t string) *statement {
	if t == "" {
		return nil
	}
	s := &statement{line: line, text: t, kind: "expr"}
	rest := t
	word := t[:wordLen(t)]
	switch word {
	case "pass":
		s.kind = "pass"
		return s
	case "import", "from", "def", "for", "while", "class", "return":
		p.fail(line, "%s is not of the part of Python that is known here: assert, print, assignments, if, elif, else", word)
		return nil
	case "assert", "print":
		s.kind, rest = word, t[len(word):]
	default:
		after := strings.TrimSpace(t[len(word):])
		for _, op := range []string{"=", "+=", "-=", "*=", "/="} {
			if word != "" && strings.HasPrefix(after, op) && !strings.HasPrefix(after, "==") {
				s.kind, s.name, s.op = "set", word, op[:len(op)-1]
				rest = after[len(op):]
			}
		}
	}
	e := &exprParser{text: rest}
	for {
		e.space()
		if s.kind == "print" && e.at >= len(e.text) {
			break
		}
		s.exprs = append(s.exprs, e.expression())
		e.space()
		if e.err != "" || !e.take(",") {
			break
		}
	}
	if e.space(); e.err != "" || e.at < len(e.text) {
		p.fail(line, "%s: %s", t, e.why("the end of the statement is expected before "+strconv.Quote(e.text[min(e.at, len(e.text)):])))
		return nil
	}
	if s.kind == "set" && len(s.exprs) != 1 {
		p.fail(line, "%s: one value is assigned to one name", t)
		return nil
	}
	return s
}

func wordLen(t string) (n int) {
	for n < len(t) && (letter(t[n]) || n > 0 && digit(t[n])) {
		n++
	}
	return n
}

// exprParser reads an expression by its operators' ranks.
type exprParser struct {
	text  string
	at    int
	depth int
	err   string
}

func (e *exprParser) why(otherwise string) string {
	if e.err != "" {
		return e.err
	}
	return otherwise
}

func (e *exprParser) fail(s string) *node {
	if e.err == "" {
		e.err = s
	}
	e.at = len(e.text)
	return &node{op: "num"}
}

func (e *exprParser) space() {
	for e.at < len(e.text) && (e.text[e.at] == ' ' || e.text[e.at] == '\t' || e.text[e.at] == '\r') {
		e.at++
	}
}

func (e *exprParser) take(s string) bool {
	e.space()
	if !strings.HasPrefix(e.text[e.at:], s) {
		return false
	}
	if letter(s[0]) && e.at+len(s) < len(e.text) && (letter(e.text[e.at+len(s)]) || digit(e.text[e.at+len(s)])) {
		return false
	}
	e.at += len(s)
	return true
}

// ranks are the binary operators, weakest first. Longer spellings stand first.
var ranks = [][]string{
	{"or"},
	{"and"},
	{"==", "!=", "<=", ">=", "<", ">"},
	{"|"},
	{"^"},
	{"&"},
	{"<<", ">>"},
	{"+", "-"},
	{"//", "*", "/", "%"},
}

func (e *exprParser) expression() *node {
	if e.depth++; e.depth > 64 {
		return e.fail("it nests more than 64 deep")
	}
	defer func() { e.depth-- }()
	x := e.binary(0)
	if e.take("if") { // a if c else b
		c := e.binary(0)
		if !e.take("else") {
			return e.fail("else is missing")
		}
		return &node{op: "choose", kids: []*node{c, x, e.expression()}}
	}
	return x
}

const comparisons = 2 // rank of ==

func (e *exprParser) binary(rank int) *node {
	if rank == len(ranks) {
		return e.unary()
	}
	if rank == comparisons && e.take("not") {
		if e.depth++; e.depth > 64 {
			return e.fail("it nests more than 64 deep")
		}
		defer func() { e.depth-- }()
		return &node{op: "not", kids: []*node{e.binary(comparisons)}}
	}
	x := e.binary(rank + 1)
	var chain *node
	for e.err == "" {
		op := ""
		for _, o := range ranks[rank] {
			mark := e.at
			if e.take(o) {
				// The first sign of a longer operator is none.
				if n := e.text[e.at:]; (o == "<" || o == ">") && strings.HasPrefix(n, o) {
					e.at = mark
					continue
				}
				op = o
				break
			}
		}
		if op == "" {
			break
		}
		y := e.binary(rank + 1)
		n := &node{op: op, kids: []*node{x, y}}
		if rank != comparisons {
			x = n
			continue
		}
		// a < b < c
		if chain != nil {
			chain = &node{op: "and", kids: []*node{chain, n}}
		} else {
			chain = n
		}
		x = y
	}
	if chain != nil {
		return chain
	}
	return x
}

func (e *exprParser) unary() *node {
	if e.depth++; e.depth > 64 {
		return e.fail("it nests more than 64 deep")
	}
	defer func() { e.depth-- }()
	for _, op := range []string{"-", "+", "~"} {
		if e.take(op) {
			return &node{op: "unary" + op, kids: []*node{e.unary()}}
		}
	}
	return e.primary()
}

func (e *exprParser) primary() *node {
	e.space()
	if e.at >= len(e.text) {
		return e.fail("a value is missing at the end")
	}
	switch ch := e.text[e.at]; {
	case ch == '(':
		e.at++
		x := e.expression()
		for e.take(",") { // a tuple: of print and %
			if e.take(")") {
				return x
			}
			if x.op != "tuple" {
				x = &node{op: "tuple", kids: []*node{x}}
			}
			x.kids = append(x.kids, e.expression())
			if e.err != "" {
				return x
			}
		}
		if !e.take(")") {
			return e.fail("a ) is missing")
		}
		return x
	case ch == '"' || ch == '\'':
		end := strings.IndexByte(e.text[e.at+1:], ch)
		if end < 0 {
			return e.fail("a text has no end")
		}
		s := e.text[e.at+1 : e.at+1+end]
		e.at += end + 2
		return &node{op: "str", str: strings.NewReplacer(`\n`, "\n", `\t`, "\t").Replace(s)}
	case digit(ch) || ch == '.':
		i := e.at
		for i < len(e.text) && (digit(e.text[i]) || letter(e.text[i]) || e.text[i] == '.' ||
			(e.text[i] == '-' || e.text[i] == '+') && (e.text[i-1] == 'e' || e.text[i-1] == 'E') && !strings.HasPrefix(e.text[e.at:], "0x")) {
			i++
		}
		t := e.text[e.at:i]
		e.at = i
		if v, err := strconv.ParseInt(strings.TrimRight(t, "L"), 0, 64); err == nil {
			return &node{op: "num", num: float64(v), whole: true}
		}
		v, err := strconv.ParseFloat(t, 64)
		if err != nil {
			return e.fail(t + " is no number")
		}
		return &node{op: "num", num: v}
	}
	n := wordLen(e.text[e.at:])
	if n == 0 {
		return e.fail("a value is expected before " + strconv.Quote(e.text[e.at:]))
	}
	x := &node{op: "name", str: e.text[e.at : e.at+n]}
	e.at += n
	if !e.take("(") {
		return x
	}
	x.op = "call"
	for !e.take(")") && e.err == "" {
		x.kids = append(x.kids, e.expression())
		if e.space(); !strings.HasPrefix(e.text[e.at:], ")") && !e.take(",") {
			return e.fail("a ) is missing")
		}
	}
	return x
}
