package packetdrill

import (
	"strconv"
	"strings"
	"time"
)

// Parse reads a script. file is its name, for messages; defines are the words of
// -D that are replaced.
func Parse(file, text string, defines map[string]string) (*Script, error) {
	c := newCursor(file, define(text, defines))
	s := &Script{Name: file}
	s.options(c)
	s.Init = commands(c)
	for !c.end() && !c.sees("`") {
		s.Events = append(s.Events, event(c))
	}
	s.Cleanup = commands(c)
	if !c.end() {
		c.fail("no event comes after the cleanup command: give the command a time (+0 `…`)")
	}
	if c.err == nil && len(s.Events) == 0 {
		c.fail("the script has no events: write lines as `+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3`")
	}
	if c.err != nil {
		return nil, c.err
	}
	return s, nil
}

// ParseOptions reads the option lines of a script alone.
func ParseOptions(file, text string) ([]Option, error) {
	c := newCursor(file, text)
	s := &Script{}
	s.options(c)
	if c.err != nil {
		return nil, c.err
	}
	return s.Options, nil
}

// define replaces whole words, but not in strings, commands and comments.
func define(text string, words map[string]string) string {
	if len(words) == 0 {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		n := 1
		switch {
		case text[i] == '"' || text[i] == '`':
			n = 1 + span(text[i+1:], text[i:i+1])
		case strings.HasPrefix(text[i:], "//"):
			n = span(text[i:], "\n")
		case strings.HasPrefix(text[i:], "/*"):
			n = span(text[i:], "*/")
		case letter(text[i]):
			for i+n < len(text) && (letter(text[i+n]) || digit(text[i+n])) {
				n++
			}
			if v, ok := words[text[i:i+n]]; ok {
				b.WriteString(v)
				i += n
				continue
			}
		case digit(text[i]):
			for i+n < len(text) && (letter(text[i+n]) || digit(text[i+n])) {
				n++
			}
		}
		b.WriteString(text[i : i+n])
		i += n
	}
	return b.String()
}

// span is how much of text there is up to and with mark, all without it.
func span(text, mark string) int {
	if n := strings.Index(text, mark); n >= 0 {
		return n + len(mark)
	}
	return len(text)
}

func (s *Script) options(c *cursor) {
	for {
		c.space()
		if c.sees("#") {
			c.toLineEnd()
			continue
		}
		if !c.take("--") {
			return
		}
		o := Option{Line: c.line()}
		start := c.at
		c.toLineEnd()
		text := c.src[start:c.at]
		for _, mark := range []string{"#", "//", "/*"} {
			if i := strings.Index(text, mark); i >= 0 && (i == 0 || text[i-1] == ' ' || text[i-1] == '\t') {
				if mark == "/*" {
					c.at = start + i
				}
				text = text[:i]
			}
		}
		name, value, _ := strings.Cut(strings.TrimSpace(text), "=")
		o.Name, o.Value = strings.TrimSpace(name), strings.Trim(strings.TrimSpace(value), `"`)
		s.Options = append(s.Options, o)
	}
}

// commands takes the commands in backticks that stand without a time.
func commands(c *cursor) (list []Command) {
	for c.sees("`") {
		list = append(list, command(c))
	}
	return list
}

func command(c *cursor) Command {
	x := Command{Line: c.line()}
	c.need("`")
	x.Text = c.until("`")
	return x
}

func event(c *cursor) Event {
	c.space()
	e := Event{Line: c.line()}
	start := c.at
	e.Time = eventTime(c)
	c.space()
	switch {
	case c.err != nil:
	case c.sees("`"):
		x := command(c)
		e.Command = &x
	case c.take("%{"):
		line := c.line()
		text := c.until("}%")
		if c.err == nil {
			code, err := parseCode(c.file, line, text)
			if err != nil {
				c.failAt(err.Line, "%s", err.Text)
			}
			e.Code = code
		}
	case c.sees("<"), c.sees(">"):
		e.Packet = packet(c)
	case c.peekWord() != "":
		e.Call = call(c)
	default:
		c.fail("after the time comes a packet (< or >), a system call, `a command` or %%{ code }%%, not %s", c.next())
	}
	if e.Time.Blocks && e.Call == nil {
		c.failAt(e.Line, "only a system call has a start...end time")
	}
	if e.Time.Range && (e.Packet == nil || e.Packet.Inbound) {
		c.failAt(e.Line, "only a packet that is expected (>) has a range of times")
	}
	if e.Time.Kind == Anytime && (e.Packet == nil || e.Packet.Inbound) {
		c.failAt(e.Line, "only a packet that is expected (>) comes at any time (*)")
	}
	e.Text = strings.Join(strings.Fields(c.src[start:min(c.at, len(c.src))]), " ")
	return e
}

func eventTime(c *cursor) (t Time) {
	if c.take("*") {
		t.Kind = Anytime
		return t
	}
	if c.take("+") {
		t.Kind = Relative
	}
	t.From = seconds(c)
	t.To = t.From
	switch {
	case c.take("~"):
		t.Range = true
		if t.Kind == Relative {
			c.take("+")
		}
		if t.To = seconds(c); t.To < t.From {
			c.fail("the range of times ends before it begins")
		}
	case c.take("..."):
		t.Blocks = true
		if t.Kind == Relative {
			c.take("+")
		}
		if t.End = seconds(c); t.End < t.From {
			c.fail("the call ends before it begins")
		}
	}
	return t
}

// longest is the largest time of a script: a day.
const longest = 24 * time.Hour

// seconds takes a time in seconds: "1", ".5", "0.250".
func seconds(c *cursor) time.Duration {
	c.space()
	i := c.at
	for i < len(c.src) && digit(c.src[i]) {
		i++
	}
	if i+1 < len(c.src) && c.src[i] == '.' && digit(c.src[i+1]) {
		for i++; i < len(c.src) && digit(c.src[i]); i++ {
		}
	}
	text := c.src[c.at:i]
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || text == "" {
		c.fail("a time in seconds is expected before %s: 0.1, +0.1 or *", c.next())
		return 0
	}
	if f > longest.Seconds() {
		c.fail("the time %s is more than a day", text)
		return 0
	}
	c.at = i
	return time.Duration(f*1e6+0.5) * time.Microsecond
}

// call takes name(args) = result [ERRNO (note)].
func call(c *cursor) *Call {
	x := &Call{Name: c.word()}
	if _, ok := findCall(x.Name); !ok {
		c.fail("no system call %s is known here: docs/packetdrill.md lists them", x.Name)
		return x
	}
	c.need("(")
	for !c.take(")") && c.err == nil {
		x.Args = append(x.Args, expression(c))
		if !c.sees(")") {
			c.need(",")
		}
	}
	c.need("=")
	x.Result = expression(c)
	if w := c.peekWord(); w != "" {
		x.Errno = c.word()
		if _, ok := errnoOf(x.Errno); !ok {
			c.fail("no errno is called %s", x.Errno)
		}
	}
	if c.take("(") {
		c.until(")")
	}
	return x
}

// expression takes operands joined by |, &, * and <<, from left to right.
func expression(c *cursor) *Expr {
	if !c.deeper() {
		return &Expr{}
	}
	defer func() { c.depth-- }()
	x := operand(c)
	for c.err == nil {
		op, end := "", c.at
		for _, o := range []string{"|", "<<", "&", "*"} {
			if c.sees("*") && strings.Contains(c.src[end:c.at], "\n") {
				break // the time of the next event
			}
			if c.take(o) {
				op = o
				break
			}
		}
		if op == "" {
			break
		}
		x = &Expr{Line: x.Line, Kind: ExprBinary, Text: op, Items: []*Expr{x, operand(c)}}
	}
	return x
}

func operand(c *cursor) *Expr {
	c.space()
	x := &Expr{Line: c.line()}
	switch {
	case c.take("..."):
		x.Kind = ExprEllipsis
	case c.sees(`"`):
		x.Kind, x.Text = ExprString, c.quoted()
		for c.sees(`"`) {
			x.Text += c.quoted()
		}
	case c.take("["):
		x.Kind = ExprList
		for !c.take("]") && c.err == nil {
			x.Items = append(x.Items, expression(c))
			if !c.sees("]") {
				c.need(",")
			}
		}
	case c.take("{"):
		x.Kind = ExprStruct
		for !c.take("}") && c.err == nil {
			x.Fields = append(x.Fields, field(c))
			if !c.sees("}") {
				c.need(",")
			}
		}
	case c.take("("):
		y := expression(c)
		c.need(")")
		return y
	case c.take("-"):
		x.Kind, x.Int = ExprInt, -int64(c.number(1<<63-1))
	case c.take("~"):
		x.Kind, x.Int = ExprInt, ^int64(c.number(1<<63-1))
	case c.peekDigit():
		x.Kind, x.Int = ExprInt, int64(c.number(1<<64-1))
	case c.peekWord() != "":
		x.Kind, x.Text = ExprSymbol, c.word()
		if c.take("(") {
			x.Kind = ExprApply
			for !c.take(")") && c.err == nil {
				x.Items = append(x.Items, expression(c))
				if !c.sees(")") {
					c.need(",")
				}
			}
		}
	default:
		c.fail("a value is expected before %s", c.next())
	}
	return x
}

// field takes name=value, name(len)=value or a value.
func field(c *cursor) (f Field) {
	mark := c.at
	if f.Name = c.word(); f.Name != "" {
		if c.take("(") {
			if !c.sees(")") {
				f.Len = expression(c)
			}
			c.need(")")
		}
		if c.take("=") {
			f.Value = expression(c)
			return f
		}
		if c.err != nil {
			return f
		}
		c.at = mark // a constant, not a name
	}
	return Field{Value: expression(c)}
}
