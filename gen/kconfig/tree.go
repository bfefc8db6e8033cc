package kconfig

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// prefix stands before every symbol in .config and in headers.
const prefix = "CONFIG_"

// Env looks up an environment variable as os.LookupEnv does; nil has none.
type Env func(name string) (value string, set bool)

// Value is the value of a variable, "" where it is not set.
func (e Env) Value(name string) string {
	if e == nil {
		return ""
	}
	v, _ := e(name)
	return v
}

// On tells whether a variable that switches something is set: to anything, and
// to nothing, too, as scripts/kconfig asks getenv alone (confdata.c, conf_errors).
func (e Env) On(name string) bool {
	if e == nil {
		return false
	}
	_, set := e(name)
	return set
}

// Source is one Kconfig.toml that was read.
type Source struct {
	Path string // as it can be opened from where the program runs
	Hash string // SHA-256 of its content, in hex
}

// Tree is a loaded Kconfig.toml with everything it sources: the menus, the
// symbols and the values a .config gave them. It is not safe for concurrent
// use; load one tree for each configuration that is worked on.
type Tree struct {
	Root *Menu

	env       Env
	sources   []Source
	outside   []*Outside // third parties' trees that were read
	asked     []*Outside // those of them that .config records
	symbols   map[string]*Symbol
	constants map[string]*Symbol
	ordered   []*Symbol // defined symbols, in definition order
	firstUse  map[*Symbol]Pos
	modules   *Symbol

	modulesVal Tristate
	changed    bool
	messages   Messages // of the solver, since last taken
}

// Symbols lists the defined symbols in the order of their first definitions.
func (t *Tree) Symbols() []*Symbol { return t.ordered }

// Sources lists every Kconfig.toml that was read, the root first.
func (t *Tree) Sources() []Source { return t.sources }

// Title is the mainmenu text.
func (t *Tree) Title() string { return t.Root.Text() }

// Modules is the symbol that turns modules on, or nil.
func (t *Tree) Modules() *Symbol {
	if t.modules.constant {
		return nil
	}
	return t.modules
}

// Lookup finds a defined symbol by its name, with or without CONFIG_ before
// it. It gives nil for an unknown one.
func (t *Tree) Lookup(name string) *Symbol {
	for _, n := range []string{name, strings.TrimPrefix(name, prefix)} {
		if s := t.symbols[n]; s != nil && s.Defined() {
			return s
		}
	}
	return nil
}

// Changed tells whether values differ from those last read or written.
func (t *Tree) Changed() bool { return t.changed }

// Close returns the solver's messages since the last call (unmet dependencies
// of selects) and forgets them.
func (t *Tree) takeMessages() Messages {
	m := t.messages
	t.messages = nil
	return m
}

func (t *Tree) constant(name string) *Symbol {
	s := t.constants[name]
	if s == nil {
		s = &Symbol{Name: name, tree: t, constant: true, valid: true, cur: value{str: name}}
		if v, ok := parseTristate(name); ok {
			s.Type, s.cur.tri = TristateType, v
		}
		t.constants[name] = s
	}
	return s
}

func (t *Tree) reference(name string, pos Pos) *Symbol {
	if _, ok := parseTristate(name); ok {
		return t.constant(name)
	}
	s := t.symbols[name]
	if s == nil {
		s = &Symbol{Name: name, tree: t}
		t.symbols[name] = s
		t.firstUse[s] = pos
	}
	return s
}

func newTree(env Env) *Tree {
	t := &Tree{env: env, symbols: map[string]*Symbol{}, constants: map[string]*Symbol{},
		firstUse: map[*Symbol]Pos{}}
	t.modules = t.constant("n")
	return t
}

func (t *Tree) addSource(path string, data []byte) {
	sum := sha256.Sum256(data)
	t.sources = append(t.sources, Source{Path: path, Hash: hex.EncodeToString(sum[:])})
}
