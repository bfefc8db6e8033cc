package kconfig

import (
	"fmt"
	"sort"
	"strings"
)

// find looks a symbol up; the error for an unknown one names its likes.
func (t *Tree) find(name string) (*Symbol, error) {
	if s := t.Lookup(name); s != nil {
		return s, nil
	}
	name = strings.TrimPrefix(name, prefix)
	var like []string
	for _, s := range t.ordered {
		if strings.EqualFold(s.Name, name) || len(name) > 2 && strings.Contains(s.Name, strings.ToUpper(name)) || near(s.Name, name) {
			like = append(like, s.Name)
		}
	}
	if len(like) == 0 {
		return nil, fmt.Errorf("no symbol %s%s: no Kconfig.toml defines it", prefix, name)
	}
	sort.Strings(like)
	if len(like) > 5 {
		like = append(like[:5], "…")
	}
	return nil, fmt.Errorf("no symbol %s%s; did you mean %s?", prefix, name, strings.Join(like, ", "))
}

// near tells whether two names differ by one letter: changed, added or left
// out.
func near(a, b string) bool {
	if len(a) < len(b) {
		a, b = b, a
	}
	if len(a)-len(b) > 1 {
		return false
	}
	i := 0
	for i < len(b) && a[i] == b[i] {
		i++
	}
	if len(a) == len(b) {
		return i == len(a) || a[i+1:] == b[i+1:]
	}
	return a[i+1:] == b[i:]
}

// Set sets symbols one after the other, given as SYMBOL VALUE or SYMBOL=VALUE,
// writes .config and says what else changed. If one is refused nothing is
// written.
func (s *Session) Set(args []string) error {
	var pairs [][2]string
	for i := 0; i < len(args); i++ {
		if name, val, ok := strings.Cut(args[i], "="); ok {
			pairs = append(pairs, [2]string{name, val})
		} else if i+1 < len(args) {
			pairs = append(pairs, [2]string{name, args[i+1]})
			i++
		} else {
			return fmt.Errorf("no value for %s: set SYMBOL VALUE", name)
		}
	}
	if len(pairs) == 0 {
		return fmt.Errorf("nothing to set: set SYMBOL VALUE")
	}
	t, err := s.LoadConfigured()
	if err != nil {
		return err
	}
	before := t.Snapshot()
	named := map[string]bool{}
	for _, p := range pairs {
		sym, err := t.find(p[0])
		if err != nil {
			return err
		}
		val := p[1]
		if v, ok := unquote(val); ok && sym.Type == String {
			val = v
		}
		if why := sym.Refusal(val); why != "" {
			return fmt.Errorf("%s", why)
		}
		sym.SetText(val)
		named[sym.Name] = true
	}
	for _, c := range t.Since(before) {
		if named[c.Symbol] {
			s.say("%s\n", c)
		} else {
			s.say("%s (follows)\n", c)
		}
	}
	return s.save(t)
}

// Get prints the value of symbols.
func (s *Session) Get(names []string) error {
	t, err := s.LoadConfigured()
	if err != nil {
		return err
	}
	out := map[string]string{}
	for _, n := range names {
		sym, err := t.find(n)
		if err != nil {
			return err
		}
		out[sym.Name] = sym.String()
		if !s.JSON {
			fmt.Fprintln(s.Stdout, sym.String())
		}
	}
	if s.JSON {
		return s.writeJSON(out)
	}
	return nil
}

// ExplainSymbols prints why symbols have their values.
func (s *Session) ExplainSymbols(names []string) error {
	t, err := s.LoadConfigured()
	if err != nil {
		return err
	}
	list := []Explanation{}
	for _, n := range names {
		sym, err := t.find(n)
		if err != nil {
			return err
		}
		list = append(list, sym.Explain())
	}
	if s.JSON {
		return s.writeJSON(list)
	}
	for i, e := range list {
		if i > 0 {
			fmt.Fprintln(s.Stdout)
		}
		fmt.Fprint(s.Stdout, e.String())
	}
	return nil
}

// Search finds the symbols whose name or prompt matches, in definition order.
// match is asked about each name and each prompt.
func (t *Tree) Search(match func(text string) bool) []*Symbol {
	var list []*Symbol
	for _, s := range t.ordered {
		if match(s.Name) || match(prefix+s.Name) || s.Prompt() != "" && match(s.Prompt()) {
			list = append(list, s)
		}
	}
	return list
}
