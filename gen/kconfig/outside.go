package kconfig

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Outside is the tree of a third party: a Go module with a Kconfig.toml at its
// root, whose symbols name packages of that module by their import paths.
type Outside struct {
	Spec    string // that finds it again, from the folder of .config: MODULE=PATH or MODULE@VERSION
	Module  string // path of the module
	Version string // "" for a folder
	Dir     string // absolute
	Shown   string // what stands before its file names in messages
}

// Finder finds a third party's tree. spec is PATH, MODULE=PATH or MODULE@VERSION;
// a relative PATH counts from dir. The error names the cure.
type Finder func(dir, spec string) (*Outside, error)

// Asked is a third party's tree that somebody wants in the menus.
type Asked struct {
	Spec string
	Pos  Pos // file and line of a .config; without a file it is the user's --with
}

// NoOutside, as the first tree that is asked for, forgets those that a .config
// records.
const NoOutside = "none"

// MenuOfOutside is the menu in which the trees that were asked for appear.
const MenuOfOutside = "Third-party modules"

// recordMark begins the lines of a .config that record them.
const recordMark = "# --with "

// Recorded are the trees that a configuration file was made with; name is for
// messages.
func Recorded(name string, data []byte) []Asked {
	var out []Asked
	sc := bufio.NewScanner(bytes.NewReader(data))
	sc.Buffer(nil, len(data)+1)
	for n := 1; sc.Scan(); n++ {
		if spec, ok := strings.CutPrefix(strings.TrimSuffix(sc.Text(), "\r"), recordMark); ok {
			out = append(out, Asked{strings.TrimSpace(spec), Pos{name, n}})
		}
	}
	return out
}

// With puts what a user asks for (find gives its module) together with what is
// recorded: a module that is in both is the user's.
func With(specs []string, recorded []Asked, dir string, find Finder) ([]Asked, error) {
	if len(specs) > 0 && specs[0] == NoOutside {
		specs, recorded = specs[1:], nil
	}
	var out []Asked
	asked := map[string]bool{}
	for _, s := range specs {
		if find == nil {
			out = append(out, Asked{Spec: s}) // the loader tells that there are none
			continue
		}
		o, err := find(dir, s)
		if err != nil {
			return nil, fmt.Errorf("--with %s: %w", s, err)
		}
		if !asked[o.Module] {
			asked[o.Module] = true
			out = append(out, Asked{Spec: o.Spec})
		}
	}
	var kept []Asked
	for _, r := range recorded {
		if module := r.Spec[:max(0, strings.IndexAny(r.Spec, "=@"))]; module == "" || !asked[module] {
			asked[module] = true
			kept = append(kept, r)
		}
	}
	return append(kept, out...), nil
}

// record writes down the trees that were asked for.
func (t *Tree) record() string {
	var b strings.Builder
	for _, o := range t.asked {
		b.WriteString(recordMark + o.Spec + "\n")
	}
	return b.String()
}

// RecordedIn tells whether a configuration file records the trees that this one was
// made with.
func (t *Tree) RecordedIn(data []byte) bool {
	var b strings.Builder
	for _, a := range Recorded("", data) {
		b.WriteString(recordMark + a.Spec + "\n")
	}
	return b.String() == t.record()
}

// Outside lists the third parties' trees, those that were asked for and those that
// a source line names, in the order in which they were read.
func (t *Tree) Outside() []*Outside { return t.outside }

// Asked lists the trees that .config records.
func (t *Tree) Asked() []*Outside { return t.asked }

// base is where the files of a tree are.
type base struct {
	fsys    fs.FS
	dir     string   // of the file system, "" where it has none
	shown   string   // before file names in messages
	outside *Outside // nil for the tree itself
}

func (b *base) pos(name string, line int) Pos {
	return Pos{File: filepath.Join(b.shown, filepath.FromSlash(name)), Line: line}
}

// sourcesOutside tells whether a source line names a third party's tree and no file
// of its own.
func sourcesOutside(text string) bool {
	if strings.HasSuffix(text, ".toml") {
		return false
	}
	return strings.Contains(text, "@") || filepath.IsAbs(text) || text == ".." || strings.HasPrefix(text, "../")
}

// thirdParties reads the trees that were asked for into a menu of their own.
func (l *loader) thirdParties(dir string, asked []Asked) {
	if len(asked) == 0 {
		return
	}
	m := &Menu{Kind: KindMenu, tree: l.tree, Parent: l.tree.Root, isMenu: true, Pos: l.pos(l.name, 0)}
	m.prompt = &Property{kind: propMenu, text: MenuOfOutside, menu: m, pos: m.Pos}
	l.tree.Root.List = append(l.tree.Root.List, m)
	asked = slices.Clone(asked)
	slices.SortStableFunc(asked, func(a, b Asked) int { return strings.Compare(a.Spec, b.Spec) })
	for _, a := range asked {
		o := l.outside(dir, a.Spec, a.Pos, m)
		if o != nil && !slices.Contains(l.tree.asked, o) {
			l.tree.asked = append(l.tree.asked, o)
		}
	}
}

// outside reads a third party's tree, unless it was read already.
func (l *loader) outside(dir, spec string, from Pos, parent *Menu) *Outside {
	fail := func(format string, args ...any) *Outside {
		if from.File == "" {
			format = "--with " + strings.ReplaceAll(spec, "%", "%%") + ": " + format
		} else {
			format = strings.ReplaceAll(spec, "%", "%%") + ": " + format
		}
		l.errorf(from, format, args...)
		return nil
	}
	if l.find == nil {
		return fail("third-party modules are taken in by libosbuild only")
	}
	o, err := l.find(dir, spec)
	if err != nil && from.File != "" && parent.Parent == l.tree.Root && parent.Text() == MenuOfOutside {
		return fail("%v; or delete this line, and what it brought in goes", err)
	} else if err != nil {
		return fail("%v", err)
	}
	for _, have := range l.tree.outside {
		if have.Module == o.Module && have.Dir == o.Dir {
			return have
		}
		if have.Module == o.Module {
			return fail("module %s is taken in from %s already: name it once", o.Module, have.Shown)
		}
	}
	l.tree.outside = append(l.tree.outside, o)
	outer, name := l.base, l.name
	l.base = &base{fsys: os.DirFS(o.Dir), dir: o.Dir, shown: o.Shown, outside: o}
	l.file(FileName, from, parent)
	l.base, l.name = outer, name
	return o
}

// inModule tells whether a package belongs to a module.
func inModule(pkg, module string) bool { return pkg == module || strings.HasPrefix(pkg, module+"/") }

// ownPackage holds that a third party's symbol names a package of its own module.
func (l *loader) ownPackage(it *item, pkg string) {
	if o := l.base.outside; o != nil && !inModule(path.Clean(pkg), o.Module) {
		l.errorf(it.at("package"), "package %q is not of module %s: name one of that module by its import path, as in package = %q", pkg, o.Module, o.Module)
	}
}

// ownSymbol holds that a third party defines no symbol that somebody else has, and
// nobody one of its.
func (l *loader) ownSymbol(it *item, kind string, s *Symbol) bool {
	if len(s.Menus) == 0 {
		s.Outside = l.base.outside
		return true
	}
	if s.Outside == l.base.outside {
		return true
	}
	l.errorf(it.at(kind), "%s is a symbol of %s already: give the one of the third party another name", s.Name, s.Pos)
	return false
}
