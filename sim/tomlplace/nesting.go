package tomlplace

import "strings"

// MaxNesting is how deep lists and inline tables may stand in each other, and how
// many parts a key may have. A parser that keeps the way to each place needs the
// square of it.
const MaxNesting = 64

// TooDeep is the first line where text nests deeper than MaxNesting, 0 if none
// does. It is asked before the text is parsed, so that text may be anything: what
// is no TOML is for the parser to refuse.
func TooDeep(text string) (line int) {
	line = 1
	depth, dots := 0, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '\n':
			line++
			dots = 0
		case '[', '{':
			depth++
			dots = 0
		case ']', '}':
			depth = max(0, depth-1)
			dots = 0
		case ',', '=':
			dots = 0
		case '.':
			dots++
		case '#':
			if n := strings.IndexByte(text[i:], '\n'); n >= 0 {
				i += n - 1
			} else {
				return 0
			}
		case '"', '\'':
			n := quotedLength(text[i:])
			line += strings.Count(text[i:i+n], "\n")
			i += n - 1
		}
		if depth > MaxNesting || dots >= MaxNesting {
			return line
		}
	}
	return 0
}

// quotedLength is the length of the string that text begins with, quotes and all;
// one that has no end goes to the end of its line, or of text if it may have several.
func quotedLength(text string) int {
	mark, many := text[:1], false
	if strings.HasPrefix(text, strings.Repeat(mark, 3)) {
		mark, many = text[:3], true
	}
	for i := len(mark); i < len(text); i++ {
		switch {
		case text[i] == '\\' && mark[0] == '"':
			i++
		case text[i] == '\n' && !many:
			return i
		case strings.HasPrefix(text[i:], mark):
			for i += len(mark); many && i < len(text) && text[i] == mark[0]; i++ { // """a""""" ends in quotes of its own
			}
			return i
		}
	}
	return len(text)
}
