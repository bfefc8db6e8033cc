package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/libos-go/libos/gen/emit"
	"github.com/libos-go/libos/gen/kconfig"
)

// configuration is a solved .config.
type configuration struct {
	name    string
	text    string // .config as kbuild would write it
	header  []byte // autoconf.h
	symbols []emit.Symbol
	sources []kconfig.Source
}

// load reads the menu files. Their messages go to Stderr.
func (b *Builder) load() (*kconfig.Tree, error) {
	root := b.Kconfig
	if root == "" {
		root = kconfig.FileName
	}
	t, ms := kconfig.LoadFS(os.DirFS(b.Dir), filepath.ToSlash(root), ".", b.Env)
	b.messages(ms)
	if ms.Errors() {
		return nil, ErrFailed
	}
	return t, nil
}

func (b *Builder) messages(ms kconfig.Messages) {
	if text := ms.String(); text != "" {
		fmt.Fprint(b.Stderr, text)
	}
}

// configure solves the configuration of a build. Without a file the build
// default is defconfig; any other must have been configured.
func (b *Builder) configure(name string) (*configuration, error) {
	if !validName.MatchString(name) {
		return nil, fmt.Errorf("%q is no name of a build: letters, digits, dot, dash and underscore, please", name)
	}
	t, err := b.load()
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
		return nil, fmt.Errorf("%s does not exist: configure the build first, as by `make BUILD=%s defconfig`", b.rel(path), name)
	case err != nil:
		return nil, err
	default:
		b.messages(t.ParseConfig(b.rel(path), data))
	}
	return b.solve(name, t)
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

func (b *Builder) solve(name string, t *kconfig.Tree) (*configuration, error) {
	ms := t.UnmetDependencies()
	b.messages(ms)
	if b.Env.On("KCONFIG_WERROR") && ms.Strict() {
		return nil, ErrFailed
	}
	c := &configuration{name: name, text: string(t.Config()), header: t.Header(), sources: t.Sources()}
	for _, s := range t.Symbols() {
		e := emit.Symbol{Name: s.Name, Type: s.Type.String(), Value: s.String(), Static: s.Static, Package: strings.Trim(s.Package, "/"), Where: filepath.ToSlash(s.Pos.String()), Prompt: s.Prompt()}
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
		if err := b.isThere(s); err != nil {
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
		if err := b.isThere(m.Symbol); err != nil {
			return nil, err
		}
		out = append(out, m.Symbol.Package)
	}
	return out, nil
}

// isThere tells whether the package of a symbol exists.
func (b *Builder) isThere(s *emit.Symbol) error {
	if st, err := os.Stat(filepath.Join(b.Dir, filepath.FromSlash(s.Package))); err != nil || !st.IsDir() {
		return fmt.Errorf("%s: %s brings in package %q, but there is no such folder", s.Where, s.Name, s.Package)
	}
	return nil
}
