package build

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/libos-go/libos/gen/emit"
	"github.com/libos-go/libos/gen/kconfig"
)

// configuration is that of one name, or the union of those of several.
func (b *Builder) configuration(names []string) (*configuration, error) {
	if len(names) == 0 {
		names = []string{DefaultName}
	}
	if len(b.With) > 0 {
		for _, n := range names {
			if err := b.remember(n); err != nil {
				return nil, err
			}
		}
	}
	asked, err := b.asked(names...)
	if err != nil {
		return nil, err
	}
	if len(names) == 1 {
		return b.configure(names[0], asked)
	}
	return b.union(names, asked)
}

// UnionName is the name of the build that holds several configurations.
func UnionName(names []string) string { return strings.Join(names, "+") }

// agree checks that a static symbol, the i-th, has one value wherever it can be set.
func (b *Builder) agree(parts []*configuration, i int) error {
	var first *configuration
	for _, c := range parts {
		s := &c.symbols[i]
		switch {
		case !s.Static || !s.Present:
		case first == nil:
			first = c
		case s.Value != first.symbols[i].Value:
			return fmt.Errorf("%s: CONFIG_%s is %s, but %s in %s: the symbol is static (%s), so one binary has one value of it",
				b.line(c.name, s.Name), s.Name, s.Value, first.symbols[i].Value, b.line(first.name, s.Name), s.Where)
		}
	}
	return nil
}

// union chooses whatever one of the configurations chooses. Numbers and texts
// are those of the first: each instance has its own from its .config. A symbol
// that is marked static must be the same in all that have it. The third parties' trees are those
// of all.
func (b *Builder) union(names []string, asked []kconfig.Asked) (*configuration, error) {
	if b.Env.Value("KCONFIG_CONFIG") != "" {
		return nil, fmt.Errorf("a union of %s has several configuration files: unset KCONFIG_CONFIG", strings.Join(names, " and "))
	}
	var parts []*configuration
	seen := map[string]bool{}
	for _, n := range names {
		if seen[n] {
			return nil, fmt.Errorf("build %s is named twice", n)
		}
		seen[n] = true
		c, err := b.configure(n, asked)
		if err != nil {
			return nil, err
		}
		parts = append(parts, c)
	}
	t, err := b.load(asked)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	first := parts[0]
	for i := range first.symbols {
		s := first.symbols[i]
		if err := b.agree(parts, i); err != nil {
			return nil, err
		}
		for _, c := range parts[1:] {
			other := &c.symbols[i]
			if other.On() && (!s.On() || other.Value == "y") && logical(&s) && t.Lookup(s.Name).Choice() == nil {
				s.Value = other.Value
			}
		}
		switch {
		case !logical(&s) && s.Type == "string":
			fmt.Fprintf(&text, "CONFIG_%s=\"%s\"\n", s.Name, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s.Value))
		case logical(&s) && s.Value == "n":
			fmt.Fprintf(&text, "# CONFIG_%s is not set\n", s.Name)
		case s.Value != "":
			fmt.Fprintf(&text, "CONFIG_%s=%s\n", s.Name, s.Value)
		}
	}
	name := UnionName(names)
	b.messages(t.ParseConfig(name, text.Bytes()))
	c, err := b.solve(name, t)
	if err != nil {
		return nil, err
	}
	c.asked = asked
	for i := range c.symbols {
		for _, p := range parts {
			if s := &p.symbols[i]; s.On() && !c.symbols[i].On() && t.Lookup(s.Name).Choice() == nil {
				return nil, fmt.Errorf("%s: CONFIG_%s=%s has no place in the union of %s: `libosbuild explain %s` tells what it contradicts",
					b.line(p.name, s.Name), s.Name, s.Value, strings.Join(names, " and "), s.Name)
			}
		}
	}
	_, err = writeIfChanged(filepath.Join(b.Folder(name), ".config"), []byte(c.text))
	return c, err
}

func logical(s *emit.Symbol) bool { return s.Type == "bool" || s.Type == "tristate" }

// line is where a build's configuration file sets a symbol: file:line, or the
// file alone.
func (b *Builder) line(name, symbol string) string {
	path := b.ConfigPath(name)
	data, err := os.ReadFile(path)
	if err != nil {
		return b.shown(path)
	}
	for n, line := range strings.Split(string(data), "\n") {
		if strings.HasPrefix(line, "CONFIG_"+symbol+"=") || line == "# CONFIG_"+symbol+" is not set" {
			return fmt.Sprintf("%s:%d", b.shown(path), n+1)
		}
	}
	return b.shown(path)
}
