package kconfig

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// asker puts questions on a terminal, a line each: the config and oldconfig
// targets.
type asker struct {
	t      *Tree
	in     *bufio.Reader
	out    io.Writer
	errOut io.Writer
	all    bool // ask for known symbols too
	indent int
	asked  int
	root   *Menu // the menu that is being gone through
	eof    bool
}

func (s *Session) config([]string) error    { return s.ask(true) }
func (s *Session) oldconfig([]string) error { return s.ask(false) }

func (s *Session) ask(all bool) error {
	t, err := s.Load()
	if err != nil {
		return err
	}
	if err := s.readExisting(t); err != nil {
		return err
	}
	a := &asker{t: t, in: bufio.NewReader(s.Stdin), out: s.Stdout, errOut: s.Stderr, all: all}
	if all {
		a.root = t.Root
		a.entry(t.Root)
		a.all = false
	}
	a.news()
	return s.save(t)
}

// news asks about new symbols until answers bring up no further ones.
func (a *asker) news() {
	for {
		a.asked = 0
		a.findNew(a.t.Root)
		if a.asked == 0 {
			return
		}
	}
}

// findNew goes through the menu of every symbol that has no value yet.
func (a *asker) findNew(m *Menu) {
	if !m.Visible() {
		return
	}
	if s := m.Sym; s != nil && !s.hasUser && s.Changeable() {
		if a.asked == 0 {
			fmt.Fprint(a.out, "*\n* Restart config...\n*\n")
		}
		a.asked++
		a.root = m.ParentMenu()
		if s.choice != nil {
			a.root = s.choice.ParentMenu()
		}
		a.indent = 0
		a.entry(a.root)
	}
	for _, c := range m.List {
		a.findNew(c)
	}
}

// line reads an answer. After the end of the input every answer is empty, and
// means the value that stands.
func (a *asker) line() string {
	if a.eof {
		fmt.Fprintln(a.out)
		return ""
	}
	text, err := a.in.ReadString('\n')
	if err != nil && text == "" {
		a.eof = true
		if !errors.Is(err, io.EOF) {
			fmt.Fprintf(a.errOut, "reading the answers: %v\n", err)
		}
		fmt.Fprintln(a.out)
		fmt.Fprintln(a.errOut, "end of input: the remaining questions keep the value shown")
		return ""
	}
	text = strings.TrimRight(text, "\r\n")
	fmt.Fprintln(a.out, text)
	return text
}

func (a *asker) pad() string { return strings.Repeat(" ", a.indent) }

func (a *asker) entry(m *Menu) {
	if !m.Visible() {
		return
	}
	switch m.Kind {
	case KindMenu, KindRoot:
		if m != a.root && !a.all {
			return // visited on its own if something in it is new
		}
		fallthrough
	case KindComment:
		p := a.pad()
		fmt.Fprintf(a.out, "%s*\n%s* %s\n%s*\n", p, p, m.Text(), p)
	case KindChoice:
		a.choice(m)
		return
	}
	if m.Sym != nil {
		if m.Sym.isTristate() {
			a.tristate(m)
		} else {
			a.text(m)
		}
		a.indent += 2
		defer func() { a.indent -= 2 }()
	}
	for _, c := range m.List {
		a.entry(c)
	}
}

// answer gets the answer to a question that has been printed; ok is false when
// there is nothing to ask.
func (a *asker) answer(s *Symbol, shown string) (text string, ok bool) {
	if !s.hasUser {
		fmt.Fprint(a.out, "(NEW) ")
	}
	if !s.Changeable() || s.hasUser && !a.all {
		fmt.Fprintln(a.out, shown)
		return "", false
	}
	return a.line(), true
}

func (a *asker) tristate(m *Menu) {
	s := m.Sym
	for {
		old := s.Tristate()
		fmt.Fprintf(a.out, "%s%s (%s) [%s", a.pad(), m.Text(), s.Name, strings.ToUpper(old.String()))
		for v := No; v <= Yes; v++ {
			if v != old && s.withinTristate(v) {
				fmt.Fprintf(a.out, "/%s", v)
			}
		}
		if m.Help != "" {
			fmt.Fprint(a.out, "/?")
		}
		fmt.Fprint(a.out, "] ")
		text, ok := a.answer(s, old.String())
		if !ok {
			return
		}
		v, known := old, true
		switch strings.ToLower(strings.TrimSpace(text)) {
		case "":
		case "n", "no":
			v = No
		case "m":
			v = Mod
		case "y", "yes":
			v = Yes
		case "?":
			fmt.Fprintf(a.out, "\n%s\n", m.HelpText())
			continue
		default:
			known = false
		}
		if known && s.SetTristate(v) {
			return
		}
		if a.eof {
			s.hasUser, s.user = true, s.cur
			return
		}
		if known {
			fmt.Fprintf(a.out, "%s\n", s.Refusal(v.String()))
		}
	}
}

func (a *asker) text(m *Menu) {
	s := m.Sym
	for {
		def := s.String()
		fmt.Fprintf(a.out, "%s%s (%s) [%s] ", a.pad(), m.Text(), s.Name, def)
		text, ok := a.answer(s, def)
		if !ok {
			return
		}
		switch text {
		case "":
			text = def
		case "?":
			fmt.Fprintf(a.out, "\n%s\n", m.HelpText())
			continue
		}
		if s.SetText(text) {
			return
		}
		if a.eof {
			s.hasUser, s.user = true, s.cur
			return
		}
		fmt.Fprintf(a.out, "%s\n", s.Refusal(text))
	}
}

func (a *asker) choice(m *Menu) {
	for {
		var shown []*Menu
		isNew, def := false, 0
		chosen := m.Chosen()
		fmt.Fprintf(a.out, "%s%s\n", a.pad(), m.Text())
		for _, c := range m.List {
			if !c.Visible() {
				continue
			}
			if c.Sym == nil {
				fmt.Fprintf(a.out, "%s* %s\n", a.pad(), c.Text())
				continue
			}
			shown = append(shown, c)
			mark, tail := " ", ""
			if c.Sym == chosen {
				mark, def = ">", len(shown)
			}
			if !c.Sym.hasUser {
				isNew, tail = true, " (NEW)"
			}
			fmt.Fprintf(a.out, "%s%s %d. %s (%s)%s\n", a.pad(), mark, len(shown), c.Text(), c.Sym.Name, tail)
		}
		fmt.Fprintf(a.out, "%schoice", a.pad())
		pick := def
		switch {
		case len(shown) == 0:
			fmt.Fprintln(a.out)
			return
		case len(shown) == 1:
			fmt.Fprintln(a.out, "[1]: 1")
			pick = 1
		default:
			fmt.Fprintf(a.out, "[1-%d?]: ", len(shown))
			if !isNew && !a.all {
				fmt.Fprintln(a.out, def)
				break
			}
			text := strings.TrimSpace(a.line())
			if text == "?" {
				fmt.Fprintf(a.out, "\n%s\n", m.HelpText())
				continue
			}
			if text == "" {
				break
			}
			n, err := strconv.Atoi(strings.TrimSuffix(text, "?"))
			if err != nil || n < 1 || n > len(shown) {
				continue
			}
			if strings.HasSuffix(text, "?") {
				fmt.Fprintf(a.out, "\n%s\n", shown[n-1].HelpText())
				continue
			}
			pick = n
		}
		if pick == 0 {
			pick = 1
		}
		m.setChosen(shown[pick-1].Sym)
		a.indent += 2
		for _, c := range shown[pick-1].List {
			a.entry(c)
		}
		a.indent -= 2
		return
	}
}
