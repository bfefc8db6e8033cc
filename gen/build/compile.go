package build

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"time"

	"github.com/libos-go/libos/gen/emit"
)

// target is a program that a build has: libos, or the module of a symbol.
type target struct {
	module  *emit.Module // nil for libos
	pattern string       // of its main package
	path    string       // the program
	files   []string     // all that is written, the program first
	program *program     // what was known of it, replaced by what is made
}

// targets of a build, libos first.
func (b *Builder) targets(c *configuration, s *state) []*target {
	binary := b.Binary(c.name)
	list := []*target{{pattern: "./cmd/libos", path: binary, files: []string{binary}, program: s.Libos}}
	for _, m := range emit.Modules(c.symbols) {
		path := b.modulePath(c.name, m.Name)
		list = append(list, &target{module: &m, pattern: "./" + m.Dir(), path: path, files: []string{path, filepath.Join(b.ModuleDir(c.name), m.Name+".json")}, program: s.Modules[m.Name]})
	}
	return list
}

// generated tells whether a generated file is part of the target: the options
// are part of all, a module has its main beside them, libos has what is of no
// module.
func (b *Builder) generated(c *configuration, t *target) func(path string) bool {
	gen := b.rel(b.gen(c.name))
	if t.module == nil {
		return func(path string) bool {
			return !strings.HasPrefix(path, filepath.Join(gen, emit.ModulesPath)+string(filepath.Separator))
		}
	}
	main, constants := filepath.Join(gen, filepath.FromSlash(t.module.Main())), filepath.Join(gen, filepath.FromSlash(emit.ConstantsDir))+string(filepath.Separator)
	modfile := filepath.Join(gen, "go.mod") // where there are third parties
	return func(path string) bool { return path == main || strings.HasPrefix(path, constants) || path == modfile }
}

// Build brings the programs of a build up to date and tells whether there was
// anything to do. With several names they are built from the union of their
// configurations, in build/A+B.
func (b *Builder) Build(names ...string) (bool, error) {
	c, err := b.configuration(names)
	if err != nil {
		return false, err
	}
	return b.build(c)
}

func (b *Builder) build(c *configuration) (bool, error) {
	s := b.readState(c.name)
	done, err := b.generate(c, s)
	if err != nil {
		return false, err
	}
	targets := b.targets(c, s)
	now := b.stampPrograms(s, targets)
	var libos, modules []*target
	for _, t := range targets {
		switch {
		case b.current(c, s, t, now):
		case t.module == nil:
			libos = append(libos, t)
		default:
			modules = append(modules, t)
		}
	}
	removed, err := b.removeModules(c, s)
	if err != nil {
		return false, err
	}
	if !done && !removed && len(libos)+len(modules) == 0 {
		b.say("%s is up to date\n", b.shown(b.Binary(c.name)))
		return false, nil
	}
	for _, stale := range [][]*target{libos, modules} {
		if len(stale) > 0 {
			if err := b.compile(c, s, stale); err != nil {
				return false, err
			}
		}
	}
	all := b.stampPrograms(s, targets)
	for f, st := range now { // what changed while the compiler ran is seen next time
		all[f] = st
	}
	s.Files = all
	return true, b.writeState(c.name, s)
}

// current tells whether a program is what it would be if it were made now.
func (b *Builder) current(c *configuration, s *state, t *target, now map[string]stamp) bool {
	p := t.program
	if p == nil || len(p.Files) != len(t.files) || p.Inputs != s.inputs(p, now, b.generated(c, t)) {
		return false
	}
	return b.sameOutputs(p.Files)
}

// stampPrograms stamps the sources of the scan and of the programs.
func (b *Builder) stampPrograms(s *state, targets []*target) map[string]stamp {
	dirs, extra := append([]string(nil), s.ScanDirs...), append([]string(nil), s.Extra...)
	for _, t := range targets {
		if t.program != nil {
			dirs, extra = append(dirs, t.program.Dirs...), append(extra, t.program.Extra...)
		}
	}
	return b.stampAll(dirs, extra, s.Files)
}

// compile makes programs by one command of the compiler: libos, or modules.
func (b *Builder) compile(c *configuration, s *state, list []*target) error {
	start := time.Now()
	overlay := b.overlay(c.name)
	what, out := b.shown(list[0].path), list[0].path
	if list[0].module != nil {
		if err := b.canDescribe(list[0].module); err != nil {
			return err
		}
		out = b.ModuleDir(c.name)
		what = b.shown(out)
		if err := os.MkdirAll(out, 0o755); err != nil {
			return err
		}
		out += string(filepath.Separator)
	}
	var patterns []string
	for _, t := range list {
		patterns = append(patterns, t.pattern)
	}
	deps, err := b.list(c, overlay, "ImportPath,Dir,EmbedFiles,Imports,Module,Stale", patterns...)
	if err != nil {
		return err
	}
	var stale []string
	for i := range deps {
		if deps[i].Stale {
			stale = append(stale, deps[i].ImportPath)
		}
	}
	for _, t := range list {
		t.program = b.sources(c, t, deps)
	}
	// stamped before the compiler reads them: a change meanwhile is seen later
	now := b.stampPrograms(s, list)
	args := append([]string{"build", "-v", "-overlay", overlay, "-o", out}, c.flags()...)
	if err := b.runGo(c, "compiling "+what, stale, append(args, patterns...)); err != nil {
		return fmt.Errorf("compiling %s:\n%w", what, err)
	}
	for _, t := range list {
		t.program.Inputs = s.inputs(t.program, now, b.generated(c, t))
		if err := b.finish(c, s, t, start); err != nil {
			return err
		}
	}
	return nil
}

// sources are the folders and embedded files that a program is compiled from.
func (b *Builder) sources(c *configuration, t *target, deps []listed) *program {
	p := &program{Extra: c.extra()}
	in := below(deps, Module+strings.TrimPrefix(t.pattern, "."))
	for i := range deps {
		d := &deps[i]
		if !d.own(c) || !in[d.ImportPath] {
			continue
		}
		rel := b.rel(d.Dir)
		p.Dirs = append(p.Dirs, rel)
		for _, e := range d.EmbedFiles {
			p.Extra = append(p.Extra, filepath.Join(rel, e))
		}
	}
	sort.Strings(p.Dirs)
	return p
}

// finish writes the manifest of a module that was compiled, and remembers what
// was written.
func (b *Builder) finish(c *configuration, s *state, t *target, start time.Time) error {
	if m := t.module; m != nil {
		if err := b.Manifest(filepath.Dir(t.path), m.Name, m.Symbol.Name, m.Symbol.Needs); err != nil {
			return fmt.Errorf("the manifest of %s: %w", b.shown(t.path), err)
		}
	}
	t.program.Files = map[string]stamp{}
	for _, f := range t.files {
		st, ok := take(f, stamp{})
		if !ok {
			return fmt.Errorf("%s: the compiler wrote nothing", f)
		}
		t.program.Files[b.rel(f)] = st
	}
	verb := "BUILD "
	if t.module == nil {
		s.Libos = t.program
	} else {
		verb = "MODULE"
		if s.Modules == nil {
			s.Modules = map[string]*program{}
		}
		s.Modules[t.module.Name] = t.program
	}
	b.say("  %s  %s (%.1f MB, %.1f s)\n", verb, b.shown(t.path), float64(t.program.Files[b.rel(t.path)].Size)/1e6, time.Since(start).Seconds())
	return nil
}

// canDescribe tells whether manifests can be written here.
func (b *Builder) canDescribe(m *emit.Module) error {
	if b.Manifest == nil {
		return errors.New("a builder of configurations with modules needs Builder.Manifest")
	}
	arch := runtime.GOARCH
	if v := b.Env.Value("GOARCH"); v != "" {
		arch = v
	}
	if b.goos() != runtime.GOOS || arch != runtime.GOARCH {
		return fmt.Errorf("CONFIG_%s is m, and a module is run once to learn what its manifest says, but a program for %s/%s does not run on %s/%s: set %s=y, or build there",
			m.Symbol.Name, b.goos(), arch, runtime.GOOS, runtime.GOARCH, m.Symbol.Name)
	}
	return nil
}

// removeModules removes the modules of symbols that are m no more, so that none
// is loaded beside a libos that it was not built with. What else lies in their
// folder is somebody's.
func (b *Builder) removeModules(c *configuration, s *state) (bool, error) {
	have := map[string]bool{}
	for _, m := range emit.Modules(c.symbols) {
		have[m.Name] = true
	}
	gone := map[string]bool{}
	for name := range s.Modules {
		gone[name] = !have[name]
	}
	for i := range c.symbols { // also where the state was lost
		if x := &c.symbols[i]; x.Type == "tristate" && x.Package != "" {
			gone[emit.ModuleName(x.Name)] = !have[emit.ModuleName(x.Name)]
		}
	}
	names := make([]string, 0, len(gone))
	for name, is := range gone {
		if is {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	removed := false
	for _, name := range names {
		delete(s.Modules, name)
		for _, f := range []string{filepath.Join(b.ModuleDir(c.name), name+".json"), b.modulePath(c.name, name)} {
			err := os.Remove(f)
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				return removed, err
			}
			removed = true
			b.say("  RM      %s\n", b.shown(f))
		}
		if err := os.RemoveAll(filepath.Join(b.gen(c.name), emit.ModulesPath, name)); err != nil {
			return removed, err
		}
	}
	return removed, nil
}
