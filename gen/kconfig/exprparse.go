package kconfig

import (
	"fmt"
	"strings"
)

// maxExprDepth bounds the nesting of parentheses and negations, so that hostile
// input cannot exhaust the stack.
const maxExprDepth = 200

type exprToken struct {
	text  string
	quote bool // a constant in quotes
	word  bool // a word: symbol name or bare constant
}

type exprParser struct {
	tree  *Tree
	pos   Pos
	toks  []exprToken
	i     int
	depth int
}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// lexExpr splits an expression into words, quoted constants and operators.
func lexExpr(text string) ([]exprToken, error) {
	var toks []exprToken
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case isWordByte(c):
			j := i
			for j < len(text) && isWordByte(text[j]) {
				j++
			}
			toks = append(toks, exprToken{text: text[i:j], word: true})
			i = j
		case c == '"' || c == '\'':
			var b strings.Builder
			j := i + 1
			for ; j < len(text) && text[j] != c; j++ {
				if text[j] == '\\' && j+1 < len(text) {
					j++
				}
				b.WriteByte(text[j])
			}
			if j >= len(text) {
				return nil, fmt.Errorf("missing closing %c in %q", c, text)
			}
			toks = append(toks, exprToken{text: b.String(), quote: true})
			i = j + 1
		case strings.HasPrefix(text[i:], "&&"), strings.HasPrefix(text[i:], "||"),
			strings.HasPrefix(text[i:], "!="), strings.HasPrefix(text[i:], "<="), strings.HasPrefix(text[i:], ">="):
			toks = append(toks, exprToken{text: text[i : i+2]})
			i += 2
		case strings.IndexByte("!=<>()", c) >= 0:
			toks = append(toks, exprToken{text: text[i : i+1]})
			i++
		default:
			return nil, fmt.Errorf("unexpected %q in %q (operators: && || ! = != < > <= >= and parentheses; put other text in quotes)", string(rune(c)), text)
		}
	}
	return toks, nil
}

// splitIf cuts "VALUE if CONDITION" at the word "if" outside of quotes.
func splitIf(toks []exprToken) (value, cond []exprToken, hasIf bool) {
	for i, t := range toks {
		if t.word && t.text == "if" {
			return toks[:i], toks[i+1:], true
		}
	}
	return toks, nil, false
}

func (t *Tree) parseTokens(toks []exprToken, pos Pos) (*Expr, error) {
	p := &exprParser{tree: t, pos: pos, toks: toks}
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.i < len(p.toks) {
		return nil, fmt.Errorf("unexpected %q after %s", p.toks[p.i].text, e)
	}
	return e, nil
}

// parseExpr parses a condition. Symbols that are not defined (yet) come into
// being as symbols of unknown type, whose value is their own name.
func (t *Tree) parseExpr(text string, pos Pos) (*Expr, error) {
	toks, err := lexExpr(text)
	if err != nil {
		return nil, err
	}
	if len(toks) == 0 {
		return nil, fmt.Errorf("empty expression (leave the key out instead)")
	}
	return t.parseTokens(toks, pos)
}

func (p *exprParser) peek() string {
	if p.i < len(p.toks) && !p.toks[p.i].word && !p.toks[p.i].quote {
		return p.toks[p.i].text
	}
	return ""
}

func (p *exprParser) or() (*Expr, error) {
	l, err := p.and()
	for err == nil && p.peek() == "||" {
		p.i++
		var r *Expr
		if r, err = p.and(); err == nil {
			l = &Expr{op: opOr, l: l, r: r}
		}
	}
	return l, err
}

func (p *exprParser) and() (*Expr, error) {
	l, err := p.not()
	for err == nil && p.peek() == "&&" {
		p.i++
		var r *Expr
		if r, err = p.not(); err == nil {
			l = &Expr{op: opAnd, l: l, r: r}
		}
	}
	return l, err
}

func (p *exprParser) not() (*Expr, error) {
	if p.depth++; p.depth > maxExprDepth {
		return nil, fmt.Errorf("expression nested deeper than %d", maxExprDepth)
	}
	defer func() { p.depth-- }()
	switch p.peek() {
	case "!":
		p.i++
		e, err := p.not()
		if err != nil {
			return nil, err
		}
		return &Expr{op: opNot, l: e}, nil
	case "(":
		p.i++
		e, err := p.or()
		if err != nil {
			return nil, err
		}
		if p.peek() != ")" {
			return nil, fmt.Errorf("missing ) after %s", e)
		}
		p.i++
		return e, nil
	}
	s, err := p.operand()
	if err != nil {
		return nil, err
	}
	for op := opEqual; op <= opGreaterEqual; op++ {
		if p.peek() == opText[op] {
			p.i++
			t, err := p.operand()
			if err != nil {
				return nil, err
			}
			return &Expr{op: op, s: s, t: t}, nil
		}
	}
	return symExpr(s), nil
}

func (p *exprParser) operand() (*Symbol, error) {
	if p.i >= len(p.toks) {
		return nil, fmt.Errorf("expression ends where a symbol or a constant is expected")
	}
	t := p.toks[p.i]
	p.i++
	switch {
	case t.quote:
		return p.tree.constant(t.text), nil
	case t.word:
		return p.tree.reference(t.text, p.pos), nil
	}
	return nil, fmt.Errorf("%q found where a symbol or a constant is expected", t.text)
}
