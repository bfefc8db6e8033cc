package kconfig

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/libos-go/libos/sim/tomlplace"
)

// FileName is the name of a menu file.
const FileName = "Kconfig.toml"

// maxSources bounds how many files a tree may be made of.
const maxSources = 10000

// Load reads a menu file and all it sources. root is the file, or a directory
// that holds a Kconfig.toml; `source` paths count from that directory. env
// gives the KCONFIG_ variables (nil: none are set). If the messages hold an
// error the tree is unusable and may be nil.
func Load(root string, env Env) (*Tree, Messages) {
	dir, name := filepath.Dir(root), filepath.Base(root)
	if st, err := os.Stat(root); err == nil && st.IsDir() {
		dir, name = root, FileName
	}
	return LoadFS(os.DirFS(dir), name, dir, env)
}

// LoadFS is Load from a file system. dir is put before file names in messages.
func LoadFS(fsys fs.FS, name, dir string, env Env) (*Tree, Messages) {
	return Menus{FS: fsys, File: name, Shown: dir, Env: env}.Load()
}

// Menus say what a tree is read from.
type Menus struct {
	FS    fs.FS
	File  string // the root
	Shown string // put before file names in messages
	Env   Env
	// Dir is where FS is, for source lines that name a third party's tree by its
	// path; Find finds these, and nil has none. With are those that are asked for,
	// relative to Home.
	Dir, Home string
	Find      Finder
	With      []Asked
}

// Load reads the menu file, all it sources, and the third parties' trees.
func (m Menus) Load() (*Tree, Messages) {
	t := newTree(m.Env)
	l := &loader{tree: t, base: &base{fsys: m.FS, dir: m.Dir, shown: m.Shown}, find: m.Find}
	name := m.File
	t.Root = &Menu{Kind: KindRoot, tree: t, isMenu: true, Pos: l.pos(name, 0)}
	t.Root.prompt = &Property{kind: propMenu, text: "Main menu", menu: t.Root}
	l.file(name, Pos{}, t.Root)
	l.name = name
	l.thirdParties(m.Home, m.With)
	if !l.msgs.Errors() {
		t.finish()
		l.msgs = append(l.msgs, t.check()...)
	}
	if !l.msgs.Errors() {
		t.invalidate()
	}
	return t, l.msgs
}

type loader struct {
	tree   *Tree
	base   *base    // of the file being read
	find   Finder   // of third parties' trees; nil: none
	open   []string // files being read, outermost first, as they are shown
	places []Pos    // where each of them is sourced
	msgs   Messages
	name   string
	choice *Menu
}

func (l *loader) pos(name string, line int) Pos {
	return l.base.pos(name, line)
}

func (l *loader) errorf(pos Pos, format string, args ...any) {
	l.msgs = append(l.msgs, Message{Severity: Error, Pos: pos, Text: fmt.Sprintf(format, args...)})
}

func (l *loader) warnf(pos Pos, format string, args ...any) {
	l.msgs = append(l.msgs, Message{Severity: Warning, Pos: pos, Text: fmt.Sprintf(format, args...)})
}

func (l *loader) file(name string, from Pos, parent *Menu) {
	shown := l.pos(name, 0).File
	for i, o := range l.open {
		if o == shown {
			m := Message{Severity: Error, Pos: from, Text: fmt.Sprintf("%s sources itself: remove one source of the loop", shown)}
			for j := i + 1; j < len(l.open); j++ {
				m.Notes = append(m.Notes, Note{l.places[j], l.open[j] + " is sourced here"})
			}
			l.msgs = append(l.msgs, m)
			return
		}
	}
	if len(l.tree.sources) >= maxSources {
		l.errorf(from, "more than %d files sourced", maxSources)
		return
	}
	data, err := fs.ReadFile(l.base.fsys, name)
	if err != nil {
		if from.File == "" {
			from = l.pos(name, 0)
		}
		if pe, ok := err.(*fs.PathError); ok {
			err = pe.Err
		}
		l.errorf(from, "cannot read %s: %v", l.pos(name, 0), err)
		return
	}
	l.tree.addSource(l.pos(name, 0).File, data)
	if line := tomlplace.TooDeep(string(data)); line != 0 {
		l.errorf(l.pos(name, line), "lists, tables or keys are nested more than %d deep: is it a Kconfig.toml?", tomlplace.MaxNesting)
		return
	}
	var doc map[string]any
	if _, err := toml.Decode(string(data), &doc); err != nil {
		if pe, ok := err.(toml.ParseError); ok {
			l.errorf(l.pos(name, pe.Position.Line), "not valid TOML: %s", pe.Message)
		} else {
			l.errorf(l.pos(name, 0), "not valid TOML: %v", err)
		}
		return
	}
	l.open, l.places = append(l.open, shown), append(l.places, from)
	outer := l.name
	l.name = name
	it := &item{l: l, vals: doc, lines: scanTOML(string(data))}
	if root := len(l.open) == 1 && l.base.outside == nil; root {
		if text, ok := it.str("mainmenu"); ok {
			l.tree.Root.prompt.text = text
			l.tree.Root.prompt.pos = it.at("mainmenu")
		}
	} else if _, ok := it.vals["mainmenu"]; ok {
		l.errorf(it.at("mainmenu"), "mainmenu belongs into the root file only")
	}
	it.allow("the top of a file", "mainmenu", "item")
	l.items(it, parent)
	l.name = outer
	l.open, l.places = l.open[:len(l.open)-1], l.places[:len(l.places)-1]
}

// item is one TOML table with the lines of its keys.
type item struct {
	l     *loader
	vals  map[string]any
	lines *tomlLines
}

func (it *item) at(key string) Pos { return it.l.pos(it.l.name, it.lines.key(key)) }

// str is the value of a key that must be a string.
func (it *item) str(key string) (string, bool) {
	v, ok := it.vals[key]
	if !ok {
		return "", false
	}
	s, ok := v.(string)
	if !ok {
		it.l.errorf(it.at(key), "%s must be a string, as in %s = \"…\"", key, key)
	}
	return s, ok
}

func (it *item) flag(key string) bool {
	v, ok := it.vals[key]
	if !ok {
		return false
	}
	b, ok := v.(bool)
	if !ok {
		it.l.errorf(it.at(key), "%s must be true or false", key)
	}
	return b
}

// entry is one value of a key that may have several.
type entry struct {
	text  string
	pos   Pos
	isInt bool // an integer of TOML, not a string
}

// list is the value of a key that may be given once or as an array; integers
// are taken as their text.
func (it *item) list(key string) []entry {
	v, ok := it.vals[key]
	if !ok {
		return nil
	}
	arr, ok := v.([]any)
	if !ok {
		arr = []any{v}
	}
	var out []entry
	for i, e := range arr {
		pos := it.l.pos(it.l.name, it.lines.element(key, i))
		switch e := e.(type) {
		case string:
			out = append(out, entry{text: e, pos: pos})
		case int64:
			out = append(out, entry{fmt.Sprint(e), pos, true})
		default:
			it.l.errorf(it.at(key), "%s must be a string or an array of strings (y, n and m are strings too: %s = \"y\")", key, key)
			return nil
		}
	}
	return out
}

// allow reports keys that the entry does not have.
func (it *item) allow(what string, keys ...string) {
	var bad []string
	for k := range it.vals {
		known := false
		for _, a := range keys {
			known = known || a == k
		}
		if !known {
			bad = append(bad, k)
		}
	}
	sort.Slice(bad, func(i, j int) bool { return it.lines.key(bad[i]) < it.lines.key(bad[j]) || bad[i] < bad[j] })
	for _, k := range bad {
		cure := "it may have " + strings.Join(keys, ", ")
		switch {
		case k == "optional":
			cure = "add a member that stands for none of the others"
		case k == "item":
			cure = "put what depends on it behind it, in an item with if = \"…\""
		}
		it.l.errorf(it.at(k), "unknown key %q in %s: %s", k, what, cure)
	}
}

var itemKinds = []string{"config", "menuconfig", "menu", "choice", "comment", "if", "source"}

func (l *loader) items(it *item, parent *Menu) {
	v, ok := it.vals["item"]
	if !ok {
		return
	}
	var tables []map[string]any
	switch v := v.(type) {
	case []map[string]any:
		tables = v
	case []any:
		for _, e := range v {
			m, ok := e.(map[string]any)
			if !ok {
				l.errorf(it.at("item"), "item must be an array of tables: write [[item]]")
				return
			}
			tables = append(tables, m)
		}
	default:
		l.errorf(it.at("item"), "item must be an array of tables: write [[item]], not [item]")
		return
	}
	for i, vals := range tables {
		l.item(&item{l: l, vals: vals, lines: it.lines.item(i)}, parent)
	}
}

func (l *loader) item(it *item, parent *Menu) {
	here := l.pos(l.name, it.lines.line)
	kind := ""
	for _, k := range itemKinds {
		if _, ok := it.vals[k]; !ok {
			continue
		}
		if kind != "" {
			l.errorf(it.at(k), "an item is either a %s or a %s: split it in two", kind, k)
			return
		}
		kind = k
	}
	if kind == "" {
		l.errorf(here, "an item needs one of %s", strings.Join(itemKinds, ", "))
		return
	}
	text, ok := it.str(kind)
	if !ok {
		return
	}
	if l.choice != nil && kind != "config" && kind != "if" && kind != "comment" && kind != "source" {
		l.errorf(here, "a choice holds config, comment, if and source items only, not a %s", kind)
		return
	}
	m := &Menu{tree: l.tree, Parent: parent, Pos: here}
	switch kind {
	case "config", "menuconfig":
		m.Kind = KindConfig
		if kind == "menuconfig" {
			m.Kind, m.isMenu = KindMenuConfig, true
		}
		l.config(it, m, kind, text)
		return
	case "source":
		it.allow("a source", "source")
		if l.find != nil && sourcesOutside(text) {
			l.outside(l.base.dir, text, it.at("source"), parent)
		} else if clean := path.Clean(text); !fs.ValidPath(clean) {
			l.errorf(it.at("source"), "source %q must be a path below %s, with forward slashes", text, l.base.shown)
		} else {
			l.file(clean, it.at("source"), parent)
		}
		return
	case "menu":
		m.Kind, m.isMenu = KindMenu, true
		it.allow("a menu", "menu", "depends", "visible_if", "item")
		m.prompt = &Property{kind: propMenu, text: l.text(it, kind, text), menu: m, pos: here}
		m.visibility = l.condition(it, "visible_if")
	case "comment":
		m.Kind = KindComment
		it.allow("a comment", "comment", "depends")
		m.prompt = &Property{kind: propComment, text: l.text(it, kind, text), menu: m, pos: here}
	case "if":
		m.Kind = KindIf
		it.allow("an if", "if", "item")
		m.dep = l.condition(it, "if")
	case "choice":
		l.choiceItem(it, m, text)
		return
	}
	if kind != "if" {
		m.dep = l.condition(it, "depends")
	}
	parent.List = append(parent.List, m)
	l.items(it, m)
}

// text trims a prompt, as Linux does with a warning.
func (l *loader) text(it *item, key, text string) string {
	trimmed := strings.TrimSpace(text)
	if trimmed != text {
		l.warnf(it.at(key), "blanks around the text of %s are ignored: remove them", key)
	}
	if strings.ContainsAny(trimmed, "\n\r") {
		l.errorf(it.at(key), "%s must fit on one line; put more in help", key)
	}
	return trimmed
}

// condition and-s the expressions given for a key.
func (l *loader) condition(it *item, key string) *Expr {
	var all *Expr
	for _, v := range it.list(key) {
		e, err := l.tree.parseExpr(v.text, v.pos)
		if err != nil {
			l.errorf(v.pos, "%s: %v", key, err)
			continue
		}
		all = andExpr(all, e)
	}
	return all
}

// addPrompt gives an entry its prompt, limited by the visible_if of all menus
// around it.
func (l *loader) addPrompt(it *item, m *Menu, key, text string) {
	p := &Property{kind: propPrompt, text: l.text(it, key, text), menu: m, pos: it.at(key)}
	p.given = l.condition(it, "prompt_if")
	p.cond = p.given
	for up := m.Parent; up != nil; up = up.Parent {
		p.cond = andExpr(p.cond, up.visibility)
	}
	m.prompt = p
	m.Sym.props = append(m.Sym.props, p)
}

func (l *loader) choiceItem(it *item, m *Menu, text string) {
	m.Kind, m.isMenu = KindChoice, true
	m.Sym = &Symbol{tree: l.tree, Type: Bool, isChoice: true, Pos: m.Pos, Menus: []*Menu{m}}
	it.allow("a choice", "choice", "prompt_if", "default", "depends", "help", "item")
	if strings.TrimSpace(text) == "" {
		l.errorf(it.at("choice"), "a choice needs a prompt: choice = \"…\"")
	}
	l.addPrompt(it, m, "choice", text)
	m.dep = l.condition(it, "depends")
	if help, ok := it.str("help"); ok {
		m.Help = dedent(help)
	}
	m.Sym.Help = m.Help
	for _, v := range it.list("default") {
		if p := l.valued(m, "default", v); p != nil {
			p.kind = propDefault
			if p.expr.op != opSymbol {
				l.errorf(p.pos, "default of a choice must be one of its members, not %s", p.expr)
				continue
			}
			m.Sym.props = append(m.Sym.props, p)
		}
	}
	m.Parent.List = append(m.Parent.List, m)
	l.choice = m
	l.items(it, m)
	l.choice = nil
}

// valued parses "VALUE [if CONDITION]" into a property whose expr is VALUE.
func (l *loader) valued(m *Menu, key string, v entry) *Property {
	text := v.text
	p := &Property{menu: m, pos: v.pos}
	toks, err := lexExpr(text)
	if err == nil {
		val, cond, hasIf := splitIf(toks)
		switch {
		case len(val) == 0:
			err = fmt.Errorf("the value is missing in %q (an empty string is '\"\"')", text)
		case hasIf && len(cond) == 0:
			err = fmt.Errorf("the condition is missing after if in %q", text)
		default:
			p.expr, err = l.tree.parseTokens(val, p.pos)
			if err == nil && hasIf {
				p.given, err = l.tree.parseTokens(cond, p.pos)
				p.cond = p.given
			}
		}
	}
	if err != nil {
		l.errorf(p.pos, "%s: %v", key, err)
		return nil
	}
	return p
}

func validName(name string) bool {
	if name == "" {
		return false
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; !isWordByte(c) || c == '-' {
			return false
		}
	}
	_, reserved := parseTristate(name)
	return !reserved && name != "if"
}
