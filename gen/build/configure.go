package build

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/libos-go/libos/gen/emit"
	"github.com/libos-go/libos/gen/kconfig"
	"github.com/libos-go/libos/gen/outside"
)

// configuration is a solved .config.
type configuration struct {
	name    string
	text    string // .config as kbuild would write it
	header  []byte // autoconf.h
	symbols []emit.Symbol
	sources []kconfig.Source
	outside []*kconfig.Outside // third parties' trees
	asked   []kconfig.Asked    // those of them that .config records
	modfile string             // go.mod that has their modules beside ours; "" for ours
}

// importPath of a symbol's package: of ours it is relative to the module, a third
// party's is named in full.
func (c *configuration) importPath(pkg string) string {
	if c.party(pkg) != nil {
		return pkg
	}
	return Module + "/" + pkg
}

// party is the third party whose module has a package, nil for ours.
func (c *configuration) party(pkg string) *kconfig.Outside {
	for _, o := range c.outside {
		if pkg == o.Module || strings.HasPrefix(pkg, o.Module+"/") {
			return o
		}
	}
	return nil
}

// load reads the menu files, with the third parties' trees that are asked for.
// Their messages go to Stderr.
func (b *Builder) load(asked []kconfig.Asked) (*kconfig.Tree, error) {
	root := b.Kconfig
	if root == "" {
		root = kconfig.FileName
	}
	t, ms := kconfig.Menus{FS: os.DirFS(b.Dir), File: filepath.ToSlash(root), Shown: ".", Env: b.Env,
		Dir: b.Dir, Home: b.home(), Find: b.find(), With: asked}.Load()
	b.messages(ms)
	if ms.Errors() {
		return nil, ErrFailed
	}
	return t, nil
}

// asked are the third parties' trees of the user and of the configuration files of
// builds.
func (b *Builder) asked(names ...string) ([]kconfig.Asked, error) {
	var recorded []kconfig.Asked
	for _, name := range names {
		path := b.ConfigPath(name)
		if data, err := os.ReadFile(path); err == nil { // whoever needs the file tells
			recorded = append(recorded, kconfig.Recorded(b.shown(path), data)...)
		}
	}
	return kconfig.With(b.With, recorded, b.home(), b.find())
}

func (b *Builder) find() kconfig.Finder { return outside.Finder(b.Dir, b.Go) }

func (b *Builder) messages(ms kconfig.Messages) {
	if text := ms.String(); text != "" {
		fmt.Fprint(b.Stderr, text)
	}
}

// configure solves the configuration of a build. Without a file the build
// default is defconfig; any other must have been configured. asked are the third
// parties' trees to read.
func (b *Builder) configure(name string, asked []kconfig.Asked) (*configuration, error) {
	if !validName.MatchString(name) {
		return nil, fmt.Errorf("%q is no name of a build: letters, digits, dot, dash and underscore, please", name)
	}
	t, err := b.load(asked)
	if err != nil {
		return nil, err
	}
	path := b.ConfigPath(name)
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && name == DefaultName:
		if err := b.defconfig(t); err != nil {
			return nil, err
		}
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s does not exist: configure the build first, as by `make BUILD=%s defconfig`", b.shown(path), name)
	case err != nil:
		return nil, err
	default:
		b.messages(t.ParseConfig(b.shown(path), data))
	}
	c, err := b.solve(name, t)
	if err != nil {
		return nil, err
	}
	c.asked = asked
	return c, nil
}

// remember has the configuration file of a build record the third parties' trees
// that the user asks for: the next build, without --with, is then the same.
func (b *Builder) remember(name string) error {
	asked, err := b.asked(name)
	if err != nil {
		return err
	}
	path := b.ConfigPath(name)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && name != DefaultName {
		return nil // configure tells
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	quiet := *b
	quiet.Stderr = io.Discard // what there is to say is said when it is configured
	t, err := quiet.load(asked)
	if err != nil {
		_, err = b.load(asked)
		return err
	}
	if t.RecordedIn(data) {
		return nil
	}
	if data != nil {
		t.ParseConfig(b.shown(path), data)
	} else if err := quiet.defconfig(t); err != nil {
		return err
	}
	if _, err := t.WriteConfig(path); err != nil {
		return fmt.Errorf("recording --with in the configuration: %w", err)
	}
	b.say("  CONFIG  %s records the third-party modules\n", b.shown(path))
	return nil
}

// defconfig gives the tree the values of configs/defconfig, or the defaults
// where there is none.
func (b *Builder) defconfig(t *kconfig.Tree) error {
	name := filepath.Join("configs", "defconfig")
	data, err := os.ReadFile(filepath.Join(b.Dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	b.messages(t.ParseConfig(name, data))
	return nil
}

func (b *Builder) rel(path string) string {
	if r, err := filepath.Rel(b.Dir, path); err == nil && !strings.HasPrefix(r, "..") {
		return r
	}
	return path
}

// shown is a path for people: from where they are.
func (b *Builder) shown(path string) string {
	if r, err := filepath.Rel(b.home(), path); err == nil && !strings.HasPrefix(r, "..") {
		return r
	}
	return b.rel(path)
}

func (b *Builder) solve(name string, t *kconfig.Tree) (*configuration, error) {
	ms := t.UnmetDependencies()
	b.messages(ms)
	if b.Env.On("KCONFIG_WERROR") && ms.Strict() {
		return nil, ErrFailed
	}
	c := &configuration{name: name, text: string(t.Config()), header: t.Header(), sources: t.Sources(), outside: t.Outside()}
	if len(c.outside) > 0 {
		c.modfile = b.modfile(name)
	}
	for _, s := range t.Symbols() {
		e := emit.Symbol{Name: s.Name, Type: s.Type.String(), Value: s.String(), Static: s.Static, Present: s.Written(), Package: strings.Trim(s.Package, "/"), Where: filepath.ToSlash(s.Pos.String()), Prompt: s.Prompt()}
		if o := s.Outside; o != nil {
			e.Version = strings.TrimPrefix(o.Version, "v")
			if e.Version == "" {
				e.Version = "devel"
			}
		}
		for _, n := range s.Needs() {
			e.Needs = append(e.Needs, n.Name)
		}
		c.symbols = append(c.symbols, e)
	}
	return c, nil
}

// chosen are the packages that the configuration links in, each once, in the
// order of the symbols. A package that is not there is an error.
func (b *Builder) chosen(c *configuration, all bool) ([]string, error) {
	var out []string
	seen := map[string]bool{}
	for i := range c.symbols {
		s := &c.symbols[i]
		if s.Package == "" || seen[s.Package] || !all && !s.Linked() {
			continue
		}
		seen[s.Package] = true
		if err := b.isThere(c, s); err != nil {
			return nil, err
		}
		out = append(out, s.Package)
	}
	return out, nil
}

// separate are the packages of the modules that the configuration has.
func (b *Builder) separate(c *configuration) ([]string, error) {
	var out []string
	for _, m := range emit.Modules(c.symbols) {
		if err := b.isThere(c, m.Symbol); err != nil {
			return nil, err
		}
		out = append(out, m.Symbol.Package)
	}
	return out, nil
}

// isThere tells whether the package of a symbol exists.
func (b *Builder) isThere(c *configuration, s *emit.Symbol) error {
	at := filepath.Join(b.Dir, filepath.FromSlash(s.Package))
	if o := c.party(s.Package); o != nil {
		at = filepath.Join(o.Dir, filepath.FromSlash(strings.TrimPrefix(s.Package, o.Module)))
	}
	if st, err := os.Stat(at); err != nil || !st.IsDir() {
		return fmt.Errorf("%s: %s brings in package %q, but there is no such folder", s.Where, s.Name, s.Package)
	}
	return nil
}
