package kconfig

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// comment writes text as kbuild heads a file with it.
func comment(b *bytes.Buffer, text string) {
	b.WriteString("#\n")
	for _, line := range strings.Split(text, "\n") {
		b.WriteString("# " + line + "\n")
	}
	b.WriteString("#\n")
}

const generated = "Automatically generated file; DO NOT EDIT."

// line is the symbol's line in .config.
func (s *Symbol) line() string {
	switch v := s.String(); {
	case s.isTristate() && v == "n":
		return "# " + prefix + s.Name + " is not set\n"
	case s.Type == String:
		return prefix + s.Name + "=" + quote(v) + "\n"
	default:
		return prefix + s.Name + "=" + v + "\n"
	}
}

// Config renders the configuration as a .config, byte for byte as kbuild does.
func (t *Tree) Config() []byte {
	var b bytes.Buffer
	comment(&b, generated+"\n"+t.Title())
	b.WriteString(t.record())
	w := configWriter{b: &b, done: map[*Symbol]bool{}}
	for _, c := range t.Root.List {
		w.entry(c)
	}
	return b.Bytes()
}

type configWriter struct {
	b     *bytes.Buffer
	done  map[*Symbol]bool
	blank bool // an empty line is owed before the next symbol
}

func (w *configWriter) entry(m *Menu) {
	banner := m.Sym == nil && m.Visible()
	switch {
	case banner:
		fmt.Fprintf(w.b, "\n#\n# %s\n#\n", m.Text())
		w.blank = false
	case m.Sym != nil && !m.Sym.isChoice && !w.done[m.Sym]:
		if m.Sym.Written() {
			if w.blank {
				w.b.WriteByte('\n')
				w.blank = false
			}
			w.done[m.Sym] = true
			w.b.WriteString(m.Sym.line())
		}
	}
	for _, c := range m.List {
		w.entry(c)
	}
	if banner && m.Kind == KindMenu {
		fmt.Fprintf(w.b, "# end of %s\n", m.Text())
		w.blank = true
	}
}

// MinimalConfig renders only what differs from the defaults, as savedefconfig
// writes it.
func (t *Tree) MinimalConfig() []byte {
	var b bytes.Buffer
	b.WriteString(t.record())
	t.invalidate()
	done := map[*Symbol]bool{}
	t.Root.Walk(func(m *Menu) bool {
		s := m.Sym
		if s == nil || s.isChoice || done[s] || !s.Written() {
			return true
		}
		done[s] = true
		if !s.Changeable() || s.String() == s.defaultText() {
			return true
		}
		if s.choice != nil && s.Tristate() == Yes && s.choice.choiceDefault() == s {
			return true
		}
		b.WriteString(s.line())
		return true
	})
	return b.Bytes()
}

// WriteConfig writes the .config. The file before it, if it differs, becomes
// path.old. It tells whether the content is new. With KCONFIG_OVERWRITECONFIG
// set the file is written in place (a symbolic link stays one); else it is
// replaced in one step.
func (t *Tree) WriteConfig(path string) (written bool, err error) {
	data := t.Config()
	old, readErr := os.ReadFile(path)
	if readErr == nil && bytes.Equal(old, data) {
		t.changed = false
		return false, nil
	}
	if readErr == nil {
		if err := os.WriteFile(path+".old", old, 0o644); err != nil {
			return false, err
		}
	}
	if t.env.On("KCONFIG_OVERWRITECONFIG") {
		err = os.WriteFile(path, data, 0o644)
	} else {
		err = replaceFile(path, data)
	}
	if err == nil {
		t.changed = false
	}
	return err == nil, err
}

func replaceFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".tmpconfig.")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// Header renders the configuration as a C header (autoconf.h): y as
// "#define CONFIG_X 1", m as "#define CONFIG_X_MODULE 1", what is off not at
// all.
func (t *Tree) Header() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "/*\n *\n * %s\n * %s\n *\n */\n", generated, t.Title())
	for _, s := range t.ordered {
		if !s.Written() {
			continue
		}
		v := s.String()
		switch s.Type {
		case Bool, TristateType:
			switch v {
			case "y":
				fmt.Fprintf(&b, "#define %s%s 1\n", prefix, s.Name)
			case "m":
				fmt.Fprintf(&b, "#define %s%s_MODULE 1\n", prefix, s.Name)
			}
		case Hex:
			if trimHex(v) == v {
				v = "0x" + v
			}
			fmt.Fprintf(&b, "#define %s%s %s\n", prefix, s.Name, v)
		case Int:
			fmt.Fprintf(&b, "#define %s%s %s\n", prefix, s.Name, v)
		case String:
			fmt.Fprintf(&b, "#define %s%s %s\n", prefix, s.Name, quote(v))
		}
	}
	return b.Bytes()
}
