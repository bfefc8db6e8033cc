package feature

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/libos-go/libos/core/sysctl"
)

// Symbol is one Kconfig symbol as a build has it.
type Symbol struct {
	Name   string // without CONFIG_
	Value  string // y, n, m, a number, or a string without quotes
	Bool   bool   // y or n, and m where modules are on
	Static bool   // folded into the code: all instances of a binary share it
	Where  string // file:line that defines a static one
}

// Set is the values of all symbols in one configuration.
type Set struct {
	Name   string // of the configuration
	Config string // its text
	values map[string]string
	errs   []error
}

// Err is what [Default] could not do with the set's values.
func (s *Set) Err() error { return errors.Join(s.errs...) }

// Default gives entry i of t, and the block of defaults, the value of a symbol
// in place of that of the tag. What does not fit the entry is kept for Err.
func Default(s *Set, t *sysctl.Table, i int, symbol string) {
	e := &t.Entries[i]
	v := s.values[symbol]
	switch v {
	case "y", "m":
		v = "1"
	case "n":
		v = "0"
	}
	err := e.Set(t.Default, v)
	if err == nil && t.DefaultAll != nil && e.AllDefault == "" {
		err = e.Set(t.DefaultAll, v)
	}
	if err != nil {
		s.errs = append(s.errs, fmt.Errorf("%s: CONFIG_%s: %w", s.Name, symbol, err))
		return
	}
	e.Default = v
}

// Built is the configuration that the binary was built from. symbols is not
// retained.
func Built(name, config string, symbols []Symbol) *Set {
	s := &Set{Name: name, Config: config, values: make(map[string]string, len(symbols))}
	for i := range symbols {
		s.values[symbols[i].Name] = symbols[i].Value
	}
	return s
}

// On tells whether a symbol is y or m.
func (s *Set) On(symbol string) bool { v := s.values[symbol]; return v == "y" || v == "m" }

// Text is a symbol's value, "" where it has none.
func (s *Set) Text(symbol string) string { return s.values[symbol] }

// Read takes a .config for an instance of a binary that was built from
// symbols. What the text does not name is as in the binary; what the binary
// does not know is refused, as is a symbol chosen that is not built in, and
// one marked static that differs. Each error names file and line (name is the
// file's), and the cure.
func Read(name, text string, symbols []Symbol) (*Set, error) {
	s := Built(name, text, symbols)
	index := make(map[string]*Symbol, len(symbols))
	for i := range symbols {
		index[symbols[i].Name] = &symbols[i]
	}
	for n, line := range strings.Split(text, "\n") {
		symbol, value, ok := parseLine(line)
		if !ok {
			if t := strings.TrimSpace(line); t != "" && t[0] != '#' {
				return nil, fmt.Errorf("%s:%d: %q is no line of a .config: write CONFIG_NAME=value or # CONFIG_NAME is not set", name, n+1, t)
			}
			continue
		}
		b := index[symbol]
		if b == nil {
			if value == "n" {
				continue
			}
			return nil, fmt.Errorf("%s:%d: CONFIG_%s: this binary does not know the symbol: build it from this configuration", name, n+1, symbol)
		}
		unquoted, err := b.parse(value)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: CONFIG_%s: %w", name, n+1, symbol, err)
		}
		switch {
		case b.Static && unquoted != b.Value:
			return nil, fmt.Errorf("%s:%d: CONFIG_%s=%s, but the binary was built with %s and the symbol is static (%s): instances that differ on it need binaries of their own",
				name, n+1, symbol, value, b.Value, b.Where)
		case b.Bool && unquoted == "y" && b.Value == "m":
			return nil, fmt.Errorf("%s:%d: CONFIG_%s=y, but the binary was built with m, which does not link it in: set it to m here, or build the binary with y",
				name, n+1, symbol)
		case b.Bool && unquoted != "n" && b.Value == "n":
			return nil, fmt.Errorf("%s:%d: CONFIG_%s=%s, but it is not built in: build the binary from the union of its configurations",
				name, n+1, symbol, value)
		}
		s.values[symbol] = unquoted
	}
	return s, nil
}

// parseLine splits a line of a .config. ok is false for blank lines and
// comments.
func parseLine(line string) (symbol, value string, ok bool) {
	line = strings.TrimSpace(line)
	if rest, found := strings.CutPrefix(line, "# CONFIG_"); found {
		symbol, found = strings.CutSuffix(rest, " is not set")
		return symbol, "n", found && symbol != ""
	}
	rest, found := strings.CutPrefix(line, "CONFIG_")
	if !found {
		return "", "", false
	}
	symbol, value, ok = strings.Cut(rest, "=")
	return symbol, value, ok && symbol != ""
}

// parse checks a value's form by the symbol's kind and takes quotes off.
func (b *Symbol) parse(value string) (string, error) {
	if b.Bool {
		if value != "y" && value != "n" && value != "m" {
			return "", fmt.Errorf("%s is neither y nor n nor m", value)
		}
		return value, nil
	}
	if !strings.HasPrefix(value, `"`) {
		return value, nil
	}
	out, err := strconv.Unquote(value)
	if err != nil {
		return "", fmt.Errorf("%s is not a quoted string", value)
	}
	return out, nil
}
