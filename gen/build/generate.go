package build

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/libos-go/libos/gen/emit"
	"github.com/libos-go/libos/gen/kconfig"
	"github.com/libos-go/libos/gen/scan"
)

// base are the packages that every instance has, chosen or not.
func base() []string { return []string{"core", "core/feature"} }

// listed is a package as `go list` tells of it.
type listed struct {
	ImportPath string
	Dir        string
	EmbedFiles []string
	Imports    []string
	Stale      bool
	Module     *struct{ Path string }
}

func (l *listed) own() bool { return l.Module != nil && l.Module.Path == Module }

// list runs go list -deps.
func (b *Builder) list(overlay string, fields string, patterns ...string) ([]listed, error) {
	args := append([]string{"list", "-deps", "-json=" + fields}, flags()...)
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	out, err := output(b.goCommand(append(args, patterns...)...))
	if err != nil {
		return nil, err
	}
	var pkgs []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var l listed
		if err := d.Decode(&l); err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		pkgs = append(pkgs, l)
	}
	return pkgs, nil
}

// scan loads the chosen packages and those of the module below them.
func (b *Builder) scan(c *configuration, all bool) ([]*scan.Package, error) {
	chosen, err := b.chosen(c, all)
	if err != nil {
		return nil, err
	}
	constants, err := emit.Constants(b.input(c, nil))
	if err != nil {
		return nil, err
	}
	overlay := map[string][]byte{filepath.Join(b.Dir, filepath.FromSlash(constants.Path)): constants.Content}
	var patterns []string
	for _, p := range append(base(), chosen...) {
		patterns = append(patterns, "./"+p)
	}
	deps, err := b.list("", "ImportPath,Dir,Imports,Module", patterns...)
	if err != nil {
		return nil, err
	}
	if !all {
		if err := c.modulesApart(deps); err != nil {
			return nil, err
		}
	}
	var rels []string
	for i := range deps {
		if deps[i].own() {
			rels = append(rels, strings.TrimPrefix(deps[i].ImportPath, Module+"/"))
		}
	}
	sort.Strings(rels)
	return scan.Load(scan.Config{Dir: b.Dir, Module: Module, Overlay: overlay, Env: b.goEnv(), Flags: flags()}, rels)
}

func (b *Builder) input(c *configuration, pkgs []*scan.Package) *emit.Build {
	return &emit.Build{Name: c.name, Module: Module, Config: c.text, Symbols: c.symbols, Packages: pkgs}
}

// Generate brings the Go code of a build up to date and tells whether there
// was anything to do. Several names make their union.
func (b *Builder) Generate(names ...string) (bool, error) {
	c, err := b.configuration(names)
	if err != nil {
		return false, err
	}
	name := c.name
	s := b.readState(name)
	done, err := b.generate(c, s)
	if err != nil {
		return done, err
	}
	if !done {
		b.say("%s is up to date\n", b.rel(b.gen(name)))
		return false, nil
	}
	return true, b.writeState(name, s)
}

// generate updates s, which the caller writes.
func (b *Builder) generate(c *configuration, s *state) (bool, error) {
	key, err := b.key(c)
	if err != nil {
		return false, err
	}
	now := b.stampAll(s.ScanDirs, s.Extra, s.Files)
	if s.Key == key && same(now, s.Files, s.ScanDirs, s.Extra) && b.sameOutputs(s.Outputs) {
		return false, nil
	}
	var pkgs []*scan.Package
	err = b.during("scanning the chosen packages", func() (err error) {
		pkgs, err = b.scan(c, false)
		return err
	})
	if err != nil {
		return false, err
	}
	files, err := emit.Files(b.input(c, pkgs))
	if err != nil {
		return false, err
	}
	s.Outputs = map[string]stamp{}
	write := func(path string, data []byte) error {
		written, err := writeIfChanged(path, data)
		if err != nil {
			return err
		}
		if written {
			b.say("  GEN     %s\n", b.rel(path))
		}
		st, ok := take(path, stamp{})
		if !ok {
			return fmt.Errorf("%s vanished while it was written", path)
		}
		s.Outputs[b.rel(path)] = st
		return nil
	}
	gen := b.gen(c.name)
	err = errors.Join(b.writeOverlay(c.name, files, write), write(filepath.Join(b.Folder(c.name), "autoconf.h"), c.header))
	if err != nil {
		return false, err
	}
	if c.name != DefaultName && b.ConfigPath(c.name) != filepath.Join(b.Folder(c.name), ".config") || c.name == DefaultName {
		if err := write(filepath.Join(gen, "config"), []byte(c.text)); err != nil {
			return false, err
		}
	}
	s.Key, s.ScanDirs, s.Extra, s.BuildDirs = key, nil, []string{"go.mod", "go.sum"}, nil
	for _, p := range pkgs {
		s.ScanDirs = append(s.ScanDirs, filepath.FromSlash(p.Rel))
	}
	s.Files = b.stampAll(s.ScanDirs, s.Extra, now)
	return true, nil
}

// writeOverlay writes the files of a build and the overlay that puts them in the
// place of the checked-in ones.
func (b *Builder) writeOverlay(name string, files []emit.File, write func(path string, data []byte) error) error {
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for _, f := range files {
		at := filepath.Join(b.gen(name), filepath.FromSlash(f.Path))
		if err := write(at, f.Content); err != nil {
			return err
		}
		overlay.Replace[filepath.Join(b.Dir, filepath.FromSlash(f.Path))] = at
	}
	text, err := json.MarshalIndent(overlay, "", "\t")
	if err != nil {
		return err
	}
	return write(b.overlay(name), append(text, '\n'))
}

func (b *Builder) overlay(name string) string { return filepath.Join(b.gen(name), "overlay.json") }

// CheckIn writes what is checked in: defconfig's constants, wiring and main,
// the page of all sysctls, and configs/tiny_defconfig. It returns the files that were not as they
// should be; with dry set it writes nothing.
func (b *Builder) CheckIn(dry bool) ([]string, error) {
	files, err := b.checkedIn()
	if err != nil {
		return nil, err
	}
	var drifted []string
	for _, f := range files {
		at := filepath.Join(b.Dir, filepath.FromSlash(f.Path))
		if old, err := os.ReadFile(at); err == nil && string(old) == string(f.Content) {
			continue
		}
		drifted = append(drifted, f.Path)
		if dry {
			continue
		}
		if _, err := writeIfChanged(at, f.Content); err != nil {
			return drifted, err
		}
		b.say("  GEN     %s\n", f.Path)
	}
	return drifted, nil
}

func (b *Builder) checkedIn() ([]emit.File, error) {
	t, err := b.load()
	if err != nil {
		return nil, err
	}
	if err := b.defconfig(t); err != nil {
		return nil, err
	}
	c, err := b.solve("default", t)
	if err != nil {
		return nil, err
	}
	all, err := b.scan(c, true)
	if err != nil {
		return nil, err
	}
	// what only other configurations choose is for the page alone
	pkgs, err := b.below(c, all)
	if err != nil {
		return nil, err
	}
	files, err := emit.Files(b.input(c, pkgs))
	if err != nil {
		return nil, err
	}
	tiny, err := b.tinyDefconfig()
	if err != nil {
		return nil, err
	}
	return append(files, emit.SysctlPage(b.input(c, all)), tiny), nil
}

// tinyDefconfig is tinyconfig as what differs from the defaults, so that
// tiny_defconfig can be edited like any other.
func (b *Builder) tinyDefconfig() (emit.File, error) {
	t, err := b.load()
	if err != nil {
		return emit.File{}, err
	}
	from := filepath.Join("configs", "tiny.config")
	data, err := os.ReadFile(filepath.Join(b.Dir, from))
	if err != nil {
		return emit.File{}, err
	}
	b.messages(t.ParseConfig(from, data))
	t.SetAll(kconfig.AllNo, nil, kconfig.Probability{})
	return emit.File{Path: "configs/tiny_defconfig", Content: t.MinimalConfig()}, nil
}

// below keeps the packages that the configuration reaches.
func (b *Builder) below(c *configuration, all []*scan.Package) ([]*scan.Package, error) {
	chosen, err := b.chosen(c, false)
	if err != nil {
		return nil, err
	}
	var patterns []string
	for _, p := range append(base(), chosen...) {
		patterns = append(patterns, "./"+p)
	}
	deps, err := b.list("", "ImportPath,Module", patterns...)
	if err != nil {
		return nil, err
	}
	reached := map[string]bool{}
	for i := range deps {
		reached[deps[i].ImportPath] = true
	}
	var out []*scan.Package
	for _, p := range all {
		if reached[p.Path] {
			out = append(out, p)
		}
	}
	return out, nil
}
