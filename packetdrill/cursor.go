package packetdrill

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// cursor walks over the text of a script. Its first error is kept, and puts it at
// the end of the text, so that every loop of the parser ends.
type cursor struct {
	file  string
	src   string
	at    int
	lines []int // where each line begins
	err   *Error
	depth int
}

func newCursor(file, src string) *cursor {
	c := &cursor{file: file, src: src, lines: []int{0}}
	for i := range len(src) {
		if src[i] == '\n' {
			c.lines = append(c.lines, i+1)
		}
	}
	return c
}

func (c *cursor) lineAt(at int) int {
	return sort.Search(len(c.lines), func(i int) bool { return c.lines[i] > at })
}

func (c *cursor) line() int { return c.lineAt(min(c.at, len(c.src))) }

func (c *cursor) fail(format string, args ...any) { c.failAt(c.line(), format, args...) }

func (c *cursor) failAt(line int, format string, args ...any) {
	if c.err == nil {
		c.err = &Error{c.file, line, fmt.Sprintf(format, args...)}
	}
	c.at = len(c.src)
}

// space passes over blanks and comments.
func (c *cursor) space() {
	for c.at < len(c.src) {
		rest := c.src[c.at:]
		switch {
		case rest[0] == ' ' || rest[0] == '\t' || rest[0] == '\n' || rest[0] == '\r':
			c.at++
		case strings.HasPrefix(rest, "//"):
			c.toLineEnd()
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				c.fail("the comment that begins here has no end: write */")
				return
			}
			c.at += end + 4
		default:
			return
		}
	}
}

func (c *cursor) toLineEnd() {
	if n := strings.IndexByte(c.src[c.at:], '\n'); n >= 0 {
		c.at += n
	} else {
		c.at = len(c.src)
	}
}

// end tells that only blanks and comments are left.
func (c *cursor) end() bool {
	c.space()
	return c.at >= len(c.src)
}

// sees tells whether text comes next, behind blanks.
func (c *cursor) sees(text string) bool {
	c.space()
	return strings.HasPrefix(c.src[c.at:], text)
}

// take passes over text if it comes next.
func (c *cursor) take(text string) bool {
	if !c.sees(text) {
		return false
	}
	c.at += len(text)
	return true
}

// need is take for text that has to come.
func (c *cursor) need(text string) {
	if !c.take(text) {
		c.fail("%q is expected before %s", text, c.next())
	}
}

// next describes what stands at the cursor, for messages.
func (c *cursor) next() string {
	if c.end() {
		return "the end of the script"
	}
	rest := c.src[c.at:]
	if n := strings.IndexByte(rest, '\n'); n >= 0 {
		rest = rest[:n]
	}
	if len(rest) > 24 {
		rest = rest[:24] + "…"
	}
	return strconv.Quote(rest)
}

func letter(b byte) bool {
	return b == '_' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

func digit(b byte) bool { return b >= '0' && b <= '9' }

// peekWord is the identifier at the cursor, "" if there is none.
func (c *cursor) peekWord() string {
	c.space()
	i := c.at
	for i < len(c.src) && (letter(c.src[i]) || i > c.at && digit(c.src[i])) {
		i++
	}
	return c.src[c.at:i]
}

// word takes an identifier, "" if there is none.
func (c *cursor) word() string {
	w := c.peekWord()
	c.at += len(w)
	return w
}

// takeWord passes over w if it comes next as a whole word.
func (c *cursor) takeWord(w string) bool {
	if c.peekWord() != w {
		return false
	}
	c.at += len(w)
	return true
}

// peekDigit tells whether a number comes next.
func (c *cursor) peekDigit() bool {
	c.space()
	return c.at < len(c.src) && digit(c.src[c.at])
}

// number takes an unsigned number, decimal or hexadecimal, of at most limit.
func (c *cursor) number(limit uint64) uint64 {
	c.space()
	i := c.at
	for i < len(c.src) && (digit(c.src[i]) || letter(c.src[i])) {
		i++
	}
	text := c.src[c.at:i]
	v, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		// A leading zero is no octal number.
		if v, err = strconv.ParseUint(text, 10, 64); err != nil {
			c.fail("a number is expected before %s", c.next())
			return 0
		}
	}
	if v > limit {
		c.fail("%s is more than %d", text, limit)
		return 0
	}
	c.at = i
	return v
}

// sequence is a number of 32 bits that may be written as a negative one.
func (c *cursor) sequence() uint32 {
	if c.take("-") {
		return -uint32(c.number(1<<32 - 1))
	}
	return uint32(c.number(1<<32 - 1))
}

// deeper guards recursion: false when the text nests too deeply.
func (c *cursor) deeper() bool {
	c.depth++
	if c.depth > 64 {
		c.fail("this nests more than 64 deep")
		return false
	}
	return true
}

// quoted takes a string in double quotes with C's escapes.
func (c *cursor) quoted() string {
	start := c.line()
	c.need(`"`)
	var b strings.Builder
	for c.at < len(c.src) {
		switch ch := c.src[c.at]; ch {
		case '"':
			c.at++
			return b.String()
		case '\\':
			r, _, tail, err := strconv.UnquoteChar(c.src[c.at:], '"')
			if err != nil {
				c.fail("an unknown escape in a string: use \\n, \\t, \\\\, \\\" or \\xNN")
				return ""
			}
			if c.at++; c.src[c.at] == 'x' || digit(c.src[c.at]) {
				b.WriteByte(byte(r))
			} else {
				b.WriteRune(r)
			}
			c.at = len(c.src) - len(tail)
		default:
			b.WriteByte(ch)
			c.at++
		}
	}
	c.failAt(start, "the string that begins here has no end")
	return ""
}

// until takes the text up to a closing mark, which it passes over.
func (c *cursor) until(mark string) string {
	start := c.line()
	n := strings.Index(c.src[c.at:], mark)
	if n < 0 {
		c.failAt(start, "what begins here has no end: write %s", mark)
		return ""
	}
	text := c.src[c.at : c.at+n]
	c.at += n + len(mark)
	return text
}
