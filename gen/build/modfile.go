package build

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/libos-go/libos/gen/scan"
)

// A configuration with third parties is built by a go.mod of its own: that of the
// source tree, and what their modules require. It is in build/NAME/.gen, with its
// go.sum, so that the source tree stays as it is.
func (b *Builder) modfile(name string) string { return filepath.Join(b.gen(name), "go.mod") }

func sumFile(modfile string) string { return strings.TrimSuffix(modfile, ".mod") + ".sum" }

// flags are those of every go command that reads packages of the configuration.
func (c *configuration) flags() []string {
	if c.modfile == "" {
		return flags()
	}
	return append(flags(), "-mod=mod", "-modfile="+c.modfile)
}

// environment is that of the configuration's go commands: a workspace has no say
// where a go.mod is named.
func (c *configuration) environment(b *Builder) []string {
	if c.modfile == "" {
		return b.goEnv()
	}
	return append(b.goEnv(), "GOWORK=off")
}

func (c *configuration) command(b *Builder, args ...string) *exec.Cmd {
	cmd := b.goCommand(args...)
	cmd.Env = c.environment(b)
	return cmd
}

// extra are the files beside packages that decide what is built, as the state names
// them.
func (c *configuration) extra() []string {
	out := []string{"go.mod", "go.sum"}
	for _, o := range c.outside {
		out = append(out, filepath.Join(o.Dir, "go.mod"), filepath.Join(o.Dir, "go.sum"))
	}
	return out
}

// shownDirs are the folders of third parties with what is shown in their place, the
// inner ones first.
func (c *configuration) shownDirs() []scan.Shown {
	var out []scan.Shown
	for _, o := range c.outside {
		out = append(out, scan.Shown{Dir: o.Dir, As: o.Shown})
	}
	sort.SliceStable(out, func(i, j int) bool { return len(out[i].Dir) > len(out[j].Dir) })
	return out
}

// writeModfile writes the go.mod and the go.sum. The go command completes them with
// what it finds in the modules' own.
func (b *Builder) writeModfile(c *configuration) error {
	if c.modfile == "" {
		return nil
	}
	own, err := readMod(filepath.Join(b.Dir, "go.mod"))
	if err != nil {
		return err
	}
	m := mergeMod{file: own, base: b.Dir, requires: map[string]string{}, replaced: map[module.Version]bool{}}
	if err := m.own(); err != nil {
		return err
	}
	sums, err := os.ReadFile(filepath.Join(b.Dir, "go.sum"))
	if err != nil {
		return err
	}
	lines := map[string]bool{}
	addLines(lines, sums)
	for _, o := range c.outside {
		if err := m.add(o.Module, o.Version, o.Dir); err != nil {
			return err
		}
		sums, err := os.ReadFile(filepath.Join(o.Dir, "go.sum"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		addLines(lines, sums)
	}
	text, err := m.format()
	if err != nil {
		return err
	}
	sorted := make([]string, 0, len(lines))
	for l := range lines {
		sorted = append(sorted, l)
	}
	sort.Strings(sorted)
	_, err = writeIfChanged(c.modfile, text)
	_, sumErr := writeIfChanged(sumFile(c.modfile), []byte(strings.Join(sorted, "\n")+"\n"))
	return errors.Join(err, sumErr)
}

func addLines(to map[string]bool, data []byte) {
	for _, l := range strings.Split(string(bytes.TrimSpace(data)), "\n") {
		if l != "" {
			to[l] = true
		}
	}
}

func readMod(name string) (*modfile.File, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return modfile.Parse(name, data, nil)
}

// mergeMod makes one go.mod of several.
type mergeMod struct {
	file     *modfile.File
	base     string            // folder of file
	requires map[string]string // module to version
	replaced map[module.Version]bool
}

// own takes what the file itself has: relative folders count from its own.
func (m *mergeMod) own() error {
	for _, r := range m.file.Require {
		m.requires[r.Mod.Path] = r.Mod.Version
	}
	return m.replaces(m.file.Replace, m.base)
}

// replaces takes over replacements: those of a required module count for nobody but
// its owner, and the package is to be built as its owner builds it. The first that
// replaces a module has its way.
func (m *mergeMod) replaces(list []*modfile.Replace, dir string) error {
	for _, r := range append([]*modfile.Replace(nil), list...) {
		if r.Old.Path == Module || m.replaced[r.Old] {
			continue
		}
		to := r.New.Path
		if r.New.Version == "" && !filepath.IsAbs(to) {
			to = filepath.Join(dir, filepath.FromSlash(to))
		}
		m.replaced[r.Old] = true
		if err := m.file.AddReplace(r.Old.Path, r.Old.Version, to, r.New.Version); err != nil {
			return err
		}
	}
	return nil
}

// folderVersion is the version that a module in a folder is required at: any will
// do, since it is replaced.
const folderVersion = "v0.0.0"

// add has the go.mod require a module, with all that it requires: of two versions
// the later one, as the go command chooses.
func (m *mergeMod) add(path, version, dir string) error {
	file, err := readMod(filepath.Join(dir, "go.mod"))
	if err != nil {
		return err
	}
	for _, r := range file.Require {
		if r.Mod.Path == Module {
			continue
		}
		if have := m.requires[r.Mod.Path]; have == "" || semver.Compare(have, r.Mod.Version) < 0 {
			m.requires[r.Mod.Path] = r.Mod.Version
		}
	}
	if file.Go != nil && m.file.Go != nil && semver.Compare("v"+m.file.Go.Version, "v"+file.Go.Version) < 0 {
		if err := m.file.AddGoStmt(file.Go.Version); err != nil {
			return err
		}
	}
	if version != "" {
		m.requires[path] = version
		return nil
	}
	if err := m.replaces(file.Replace, dir); err != nil {
		return err
	}
	version = folderVersion
	if _, major, ok := module.SplitPathVersion(path); ok && major != "" {
		version = module.PathMajorPrefix(major) + ".0.0"
	}
	m.requires[path] = version
	m.replaced[module.Version{Path: path}] = true
	return m.file.AddReplace(path, "", dir, "")
}

func (m *mergeMod) format() ([]byte, error) {
	paths := make([]string, 0, len(m.requires))
	for p := range m.requires {
		paths = append(paths, p)
	}
	sort.Strings(paths)
	var list []*modfile.Require
	for _, p := range paths {
		list = append(list, &modfile.Require{Mod: module.Version{Path: p, Version: m.requires[p]}})
	}
	m.file.SetRequire(list)
	m.file.Cleanup()
	out, err := m.file.Format()
	if err != nil {
		return nil, fmt.Errorf("go.mod of the build: %w", err)
	}
	return out, nil
}
