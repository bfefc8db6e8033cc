package kconfig

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"
)

// ConfigPath is the configuration file in use: $KCONFIG_CONFIG, or .config.
func (t *Tree) ConfigPath() string { return configPath(t.env) }

func configPath(env Env) string {
	if p := env.Value("KCONFIG_CONFIG"); p != "" {
		return p
	}
	return ".config"
}

// ReadConfig forgets all user values and takes those of a configuration file.
// The error is that of opening or reading the file; what the file gets wrong
// are messages, and the rest of it still counts. If KCONFIG_WERROR is set and
// Strict() holds, the caller should fail.
func (t *Tree) ReadConfig(path string) (Messages, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return t.ParseConfig(path, data), nil
}

// ParseConfig is ReadConfig for a file's content; name is for the messages.
func (t *Tree) ParseConfig(name string, data []byte) Messages {
	for _, s := range t.ordered {
		s.hasUser, s.user = false, value{}
	}
	t.changed = false
	ms := t.parseLines(name, data)
	t.invalidate()
	t.changed = t.changed || len(ms) > 0 || t.stale()
	return ms
}

// Reset forgets all user values.
func (t *Tree) Reset() {
	for _, s := range t.ordered {
		s.hasUser, s.user = false, value{}
	}
	t.changed = true
	t.invalidate()
}

// stale tells whether writing the configuration would differ from what was
// read.
func (t *Tree) stale() bool {
	for _, s := range t.ordered {
		s.calc()
		if !s.hasUser && s.write || s.hasUser && !s.asUser() {
			return true
		}
	}
	return false
}

// asUser tells whether the symbol has the value its user gave it.
func (s *Symbol) asUser() bool {
	s.calc()
	if !s.write {
		return false
	}
	if s.isTristate() {
		return s.cur.tri == s.user.tri
	}
	return s.cur.str == s.user.str
}

// configLine is one line of a .config.
type configLine struct {
	name  string
	value string // as written, strings with their quotes
	isSet bool   // false: "# CONFIG_X is not set"
}

// parseConfigLine takes a line apart. ok is false for comments and blank
// lines; bad is set for what has no place in a .config.
func parseConfigLine(line string) (c configLine, ok, bad bool) {
	line = strings.TrimSuffix(line, "\r")
	if rest, found := strings.CutPrefix(line, "# "+prefix); found {
		name, tail, _ := strings.Cut(rest, " ")
		if tail != "is not set" {
			return c, false, false
		}
		return configLine{name: name, value: "n"}, true, false
	}
	if line == "" || line[0] == '#' {
		return c, false, false
	}
	rest, found := strings.CutPrefix(line, prefix)
	if !found {
		return c, false, true
	}
	name, val, found := strings.Cut(rest, "=")
	if !found {
		return c, false, true
	}
	return configLine{name: name, value: val, isSet: true}, true, false
}

func (t *Tree) parseLines(file string, data []byte) Messages {
	var ms Messages
	add := func(n int, format string, args ...any) {
		ms = append(ms, Message{Severity: Warning, werror: true, Pos: Pos{file, n}, Text: fmt.Sprintf(format, args...)})
	}
	warnUnknown := t.env.On("KCONFIG_WARN_UNKNOWN_SYMBOLS")
	sc := bufio.NewScanner(bytes.NewReader(data))
	sc.Buffer(nil, len(data)+1)
	for n := 1; sc.Scan(); n++ {
		c, ok, bad := parseConfigLine(sc.Text())
		if bad {
			add(n, "%q is not a configuration line: write %sNAME=value or # %sNAME is not set", sc.Text(), prefix, prefix)
		}
		if !ok {
			continue
		}
		s := t.symbols[c.name]
		if s == nil || !s.Defined() {
			t.changed = true
			if warnUnknown {
				add(n, "unknown symbol %s%s: no Kconfig.toml defines it", prefix, c.name)
			}
			continue
		}
		if s.hasUser {
			add(n, "override: %s%s is set again, the value of line %d is lost", prefix, s.Name, s.userPos.Line)
		}
		if why := s.setFromConfig(c.value); why != "" {
			add(n, "%s", why)
			continue
		}
		s.userPos = Pos{file, n}
		if s.choice != nil {
			s.choice.raise(s)
		}
	}
	return ms
}

// setFromConfig takes a value as .config spells it. It returns what is wrong
// with it, or "".
func (s *Symbol) setFromConfig(val string) string {
	invalid := func() string {
		return fmt.Sprintf("value %q is not valid for %s%s, which is %s: give %s", val, prefix, s.Name, s.Type, s.valueHint())
	}
	switch s.Type {
	case Bool, TristateType:
		v, ok := No, false
		if val != "" {
			v, ok = parseTristate(val[:1])
		}
		if !ok || v == Mod && s.Type == Bool {
			return invalid()
		}
		s.user = value{tri: v}
	case String:
		text, ok := unquote(val)
		if !ok {
			return fmt.Sprintf("%s%s is a string and needs its quotes: %s%s=%s", prefix, s.Name, prefix, s.Name, quote(strings.Trim(val, `"`)))
		}
		s.user = value{str: text}
	case Int, Hex:
		if !s.validText(val) {
			return invalid()
		}
		s.user = value{str: val}
	default:
		return ""
	}
	s.hasUser = true
	return ""
}

func (s *Symbol) valueHint() string {
	switch s.Type {
	case Bool:
		return "y or n"
	case TristateType:
		return "y, m or n"
	case Int:
		return "a decimal number without leading zeros"
	case Hex:
		return "a hexadecimal number such as 0x1f"
	}
	return "text in double quotes"
}

// quote writes a string as .config does: \ and " are escaped.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// unquote reads a quoted string up to its closing quote.
func unquote(s string) (string, bool) {
	if s == "" || s[0] != '"' {
		return "", false
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), true
		case '\\':
			if i++; i == len(s) {
				return "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", false
}
