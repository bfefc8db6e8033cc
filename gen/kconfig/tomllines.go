package kconfig

import "strings"

// tomlLines is where things stand in a Kconfig.toml: the TOML decoder gives
// values without places, so a light scan of the same text finds the lines of
// the [[item]] headers and of the keys below each.
type tomlLines struct {
	line  int
	keys  map[string]int
	elems map[string][]int // lines of the elements of arrays
	items []*tomlLines
}

// key is the line of a key, or of its table where the key is not found.
func (t *tomlLines) key(name string) int {
	if l, ok := t.keys[name]; ok {
		return l
	}
	return t.line
}

// element is the line of the i-th element of a key's array.
func (t *tomlLines) element(name string, i int) int {
	if list := t.elems[name]; i < len(list) {
		return list[i]
	}
	return t.key(name)
}

func newLines(line int) *tomlLines {
	return &tomlLines{line: line, keys: map[string]int{}, elems: map[string][]int{}}
}

// item is the i-th [[item]] below t. Items that were written inline have no
// header, and get the place of what holds them.
func (t *tomlLines) item(i int) *tomlLines {
	if i < len(t.items) {
		return t.items[i]
	}
	return &tomlLines{line: t.key("item")}
}

// scanTOML expects text that the TOML decoder accepted; on anything else it
// gives some answer and never fails.
func scanTOML(text string) *tomlLines {
	root := newLines(1)
	stack := []*tomlLines{root} // stack[d] is the open table of depth d
	cur := root
	s := lineScanner{text: text, line: 1}
	for s.i < len(text) {
		s.blanks()
		if s.i >= len(text) {
			break
		}
		line, start := s.line, s.i
		switch {
		case text[s.i] == '\n':
			s.next()
		case text[s.i] == '#':
			s.toEOL()
		case strings.HasPrefix(text[s.i:], "[["):
			s.toEOL()
			head := text[start:s.i]
			if end := strings.Index(head, "]]"); end >= 0 {
				head = head[2:end]
			}
			depth := strings.Count(head, ".") + 1
			if depth > len(stack) {
				depth = len(stack)
			}
			t := newLines(line)
			parent := stack[depth-1]
			parent.items = append(parent.items, t)
			stack = append(stack[:depth], t)
			cur = t
		case text[s.i] == '[':
			s.toEOL()
			root.keys[strings.Trim(strings.TrimSpace(text[start:s.i]), "[] ")] = line
			cur = newLines(line)
		default:
			for s.i < len(text) && text[s.i] != '=' && text[s.i] != '\n' {
				if !s.skipString() {
					s.next()
				}
			}
			key := strings.Trim(strings.TrimSpace(text[start:s.i]), `"'`)
			if _, ok := cur.keys[key]; !ok {
				cur.keys[key] = line
			}
			cur.elems[key] = s.value()
		}
	}
	return root
}

type lineScanner struct {
	text string
	i    int
	line int
}

func (s *lineScanner) next() {
	if s.text[s.i] == '\n' {
		s.line++
	}
	s.i++
}

func (s *lineScanner) blanks() {
	for s.i < len(s.text) && (s.text[s.i] == ' ' || s.text[s.i] == '\t' || s.text[s.i] == '\r') {
		s.i++
	}
}

func (s *lineScanner) toEOL() {
	for s.i < len(s.text) && s.text[s.i] != '\n' {
		s.i++
	}
}

// skipString passes over a string of any of TOML's four kinds.
func (s *lineScanner) skipString() bool {
	rest := s.text[s.i:]
	for _, q := range []string{`"""`, `'''`, `"`, `'`} {
		if !strings.HasPrefix(rest, q) {
			continue
		}
		s.i += len(q)
		for s.i < len(s.text) && !strings.HasPrefix(s.text[s.i:], q) {
			if q[0] == '"' && s.text[s.i] == '\\' && s.i+1 < len(s.text) {
				s.next()
			}
			if len(q) == 1 && s.text[s.i] == '\n' {
				return true
			}
			s.next()
		}
		if s.i < len(s.text) {
			s.i += len(q)
			// A multi-line string may end in up to five quotes.
			for len(q) == 3 && s.i < len(s.text) && s.text[s.i] == q[0] {
				s.i++
			}
		}
		return true
	}
	return false
}

// value passes over a value: to the end of the line that closes its brackets.
// It returns the lines of the elements if the value is an array.
func (s *lineScanner) value() []int {
	var lines []int
	depth := 0
	fresh := false // an element may begin here
	for s.i < len(s.text) {
		c, line := s.text[s.i], s.line
		element := fresh && depth == 1 && strings.IndexByte(" \t\r\n#,]", c) < 0
		switch {
		case s.skipString():
		case c == '#':
			s.toEOL()
		case c == '\n' && depth == 0:
			return lines
		default:
			if c == '[' || c == '{' {
				depth++
			} else if c == ']' || c == '}' {
				depth--
			}
			s.next()
		}
		if element {
			lines = append(lines, line)
			fresh = false
		}
		if c == '[' || c == ',' {
			fresh = true
		}
	}
	return lines
}
