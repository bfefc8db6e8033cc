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

// own tells whether the package is of our module or of a third party's that takes
// part: those whose descriptions, sysctls and caches the generator reads.
func (l *listed) own(c *configuration) bool {
	return l.Module != nil && (l.Module.Path == Module || c.party(l.Module.Path) != nil)
}

// list runs go list -deps.
func (b *Builder) list(c *configuration, overlay string, fields string, patterns ...string) ([]listed, error) {
	args := append([]string{"list", "-deps", "-json=" + fields}, c.flags()...)
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	out, err := output(c.command(b, append(args, patterns...)...))
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

// scan loads the packages that are linked in, and every one: with those of
// modules, and of all symbols where all is set. Each time with what of the
// module is below them.
func (b *Builder) scan(c *configuration, all bool) (linked, every []*scan.Package, err error) {
	chosen, err := b.chosen(c, false)
	if err != nil {
		return nil, nil, err
	}
	others, err := b.separate(c)
	if all && err == nil {
		others, err = b.chosen(c, true)
	}
	if err != nil {
		return nil, nil, err
	}
	constants, err := emit.Constants(b.input(c, nil, nil))
	if err != nil {
		return nil, nil, err
	}
	overlay := map[string][]byte{}
	for _, f := range constants {
		overlay[filepath.Join(b.Dir, filepath.FromSlash(f.Path))] = f.Content
	}
	var patterns []string
	chosen = append(base(), chosen...)
	for _, p := range append(chosen[:len(chosen):len(chosen)], others...) {
		patterns = append(patterns, c.importPath(p))
	}
	deps, err := b.list(c, "", "ImportPath,Dir,Imports,Module", patterns...)
	if err != nil {
		return nil, nil, err
	}
	for i, p := range chosen {
		chosen[i] = c.importPath(p)
	}
	in := below(deps, chosen...)
	if err := c.modulesApart(deps, in); err != nil {
		return nil, nil, err
	}
	var paths []string
	for i := range deps {
		if deps[i].own(c) {
			paths = append(paths, deps[i].ImportPath)
		}
	}
	sort.Strings(paths)
	every, err = scan.Load(scan.Config{Dir: b.Dir, Module: Module, Overlay: overlay, Env: c.environment(b), Flags: c.flags(), Shown: c.shownDirs()}, paths)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range every {
		if in[p.Path] {
			linked = append(linked, p)
		}
	}
	return linked, every, nil
}

// below are the packages that those named by import path need, themselves among
// them.
func below(deps []listed, paths ...string) map[string]bool {
	imports := make(map[string][]string, len(deps))
	for i := range deps {
		imports[deps[i].ImportPath] = deps[i].Imports
	}
	seen := map[string]bool{}
	var visit func(string)
	visit = func(p string) {
		if !seen[p] {
			seen[p] = true
			for _, q := range imports[p] {
				visit(q)
			}
		}
	}
	for _, p := range paths {
		visit(p)
	}
	return seen
}

func (b *Builder) input(c *configuration, linked, every []*scan.Package) *emit.Build {
	return &emit.Build{Name: c.name, Module: Module, Config: c.text, Symbols: c.symbols, Packages: linked, Scanned: every}
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
		b.say("%s is up to date\n", b.shown(b.gen(name)))
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
	var linked, every []*scan.Package
	if err := b.writeModfile(c); err != nil {
		return false, err
	}
	err = b.during("scanning the chosen packages", func() (err error) {
		linked, every, err = b.scan(c, false)
		return err
	})
	if err != nil {
		return false, err
	}
	files, err := emit.Files(b.input(c, linked, every))
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
			b.say("  GEN     %s\n", b.shown(path))
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
	if c.modfile != "" {
		for _, f := range []string{c.modfile, sumFile(c.modfile)} { // the go command has completed them
			if st, ok := take(f, stamp{}); ok {
				s.Outputs[b.rel(f)] = st
			}
		}
	}
	s.Key, s.ScanDirs, s.Extra = key, nil, c.extra()
	for _, p := range every {
		s.ScanDirs = append(s.ScanDirs, b.rel(p.Dir))
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
	t, err := b.load(nil)
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
	// what only other configurations choose is for the page alone
	linked, every, err := b.scan(c, true)
	if err != nil {
		return nil, err
	}
	files, err := emit.Files(b.input(c, linked, every))
	if err != nil {
		return nil, err
	}
	tiny, err := b.tinyDefconfig()
	if err != nil {
		return nil, err
	}
	return append(files, emit.SysctlPage(b.input(c, every, every)), tiny), nil
}

// tinyDefconfig is tinyconfig as what differs from the defaults, so that
// tiny_defconfig can be edited like any other.
func (b *Builder) tinyDefconfig() (emit.File, error) {
	t, err := b.load(nil)
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
