package kconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// MergeOptions are those of Linux's merge_config.sh.
type MergeOptions struct {
	AllNo     bool // -n: symbols no fragment names become n, not their default
	Redundant bool // -r: tell of values that are given again unchanged
	KeepYes   bool // -y: m does not replace y
	Strict    bool // -s: a redefined value is an error
	NoSolve   bool // -m: write the merged lines without working out the rest
}

// merged is the outcome of laying fragments over each other.
type merged struct {
	order  []string
	lines  map[string]configLine
	from   map[string]Pos
	clash  bool
	notes  strings.Builder
	option MergeOptions
}

// fragment lays one more file over the others.
func (m *merged) fragment(name string, data []byte, base bool) {
	for n, text := range strings.Split(string(data), "\n") {
		c, ok, _ := parseConfigLine(text)
		if !ok {
			continue
		}
		pos := Pos{name, n + 1}
		prev, had := m.lines[c.name]
		switch {
		case !had:
			m.order = append(m.order, c.name)
		case prev.value == c.value:
			if m.option.Redundant && !base {
				fmt.Fprintf(&m.notes, "%s: %s%s is %s already (%s)\n", pos, prefix, c.name, c.value, m.from[c.name])
			}
			continue
		case m.option.KeepYes && prev.value == "y" && c.value == "m":
			fmt.Fprintf(&m.notes, "%s: %s%s stays y (%s), m does not replace it\n", pos, prefix, c.name, m.from[c.name])
			continue
		default:
			fmt.Fprintf(&m.notes, "%s: %s%s is redefined: %s (%s) becomes %s\n", pos, prefix, c.name, prev.value, m.from[c.name], c.value)
			m.clash = true
		}
		m.lines[c.name], m.from[c.name] = c, pos
	}
}

func (m *merged) text() []byte {
	var b strings.Builder
	for _, name := range m.order {
		if c := m.lines[name]; c.isSet {
			fmt.Fprintf(&b, "%s%s=%s\n", prefix, name, c.value)
		} else {
			fmt.Fprintf(&b, "# %s%s is not set\n", prefix, name)
		}
	}
	return []byte(b.String())
}

// Merge lays configuration fragments over each other, the later ones winning,
// works out the configuration that follows, writes .config, and reports what
// was requested and did not come true.
func (s *Session) Merge(files []string, opt MergeOptions) error {
	m := &merged{lines: map[string]configLine{}, from: map[string]Pos{}, option: opt}
	var paths []string
	for i, f := range files {
		path := s.fragmentPath(f)
		paths = append(paths, path)
		data, err := os.ReadFile(s.path(path))
		if err != nil {
			return fmt.Errorf("cannot read the fragment %s: %w", f, err)
		}
		if i == 0 {
			s.say("Using %s as base\n", path)
		} else {
			s.say("Merging %s\n", path)
		}
		m.fragment(path, data, i == 0)
	}
	if m.notes.Len() > 0 {
		fmt.Fprint(s.Stderr, m.notes.String())
	}
	if opt.Strict && m.clash {
		return fmt.Errorf("fragments disagree and -s is given: nothing written")
	}
	t, err := s.Load(paths...)
	if err != nil {
		return err
	}
	if opt.NoSolve {
		name := t.ConfigPath()
		s.say("#\n# merged configuration written to %s (needs olddefconfig)\n#\n", name)
		return replaceFile(s.path(name), append([]byte(t.record()), m.text()...))
	}
	ms := t.ParseConfig("merged fragments", m.text())
	// Point at the fragment instead of the merged text.
	at := func(p *Pos) {
		if p.Line > 0 && p.Line <= len(m.order) {
			*p = m.from[m.order[p.Line-1]]
		}
	}
	for i := range ms {
		at(&ms[i].Pos)
	}
	for _, s := range t.ordered {
		if s.hasUser {
			at(&s.userPos)
		}
	}
	s.print(ms)
	if s.Env.On("KCONFIG_WERROR") && ms.Strict() {
		return ErrFailed
	}
	if opt.AllNo {
		t.SetAll(AllNo, nil, Probability{})
	}
	if err := s.save(t); err != nil {
		return err
	}
	missing := s.unfulfilled(t, m)
	if opt.Strict && missing {
		return fmt.Errorf("requested values are not in the result and -s is given")
	}
	return nil
}

// unfulfilled reports the requests that the final configuration does not meet.
func (s *Session) unfulfilled(t *Tree, m *merged) bool {
	missing := false
	for _, name := range m.order {
		want, got := m.lines[name].value, ""
		sym := t.Lookup(name)
		why := "no Kconfig.toml defines it"
		if sym != nil {
			got = sym.String()
			if sym.Type == String {
				got = quote(got)
			}
			if !sym.Written() {
				got = "n"
			}
			if why = sym.Refusal(strings.Trim(want, `"`)); why == "" {
				why, _ = sym.because()
			}
		}
		if want == got || want == "n" && got == "" {
			continue
		}
		missing = true
		if got == "" {
			got = "absent"
		}
		fmt.Fprintf(s.Stderr, "%s: warning: %s%s=%s was requested but is not in the result, where it is %s: %s\n",
			m.from[name], prefix, name, want, got, why)
	}
	return missing
}

// fragmentPath finds a fragment: as given, or in configs.
func (s *Session) fragmentPath(name string) string {
	if _, err := os.Stat(s.path(name)); errors.Is(err, fs.ErrNotExist) {
		in := filepath.Join("configs", name)
		if _, err := os.Stat(s.path(in)); err == nil {
			return in
		}
	}
	return name
}

// fragments lays fragments over .config (the NAME.config targets).
func (s *Session) fragments(names []string) error {
	base := ".config"
	if p := s.Env.Value("KCONFIG_CONFIG"); p != "" {
		base = p
	}
	files := names
	if _, err := os.Stat(s.path(base)); err == nil {
		files = append([]string{base}, names...)
	}
	return s.Merge(files, MergeOptions{})
}
