package build

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// exportMark is the file that tells an export from somebody's folder.
const exportMark = ".libos-export"

// Export writes a copy of the library, tailored to the build name, to dir: for
// a `replace` in the go.mod of a program that has libos from the module cache,
// where an overlay does not reach. dir must be empty, not there, or an earlier
// export, of which nothing stays.
func (b *Builder) Export(dir string, names ...string) error {
	c, err := b.configuration(names)
	if err != nil {
		return err
	}
	if err := clearExport(dir); err != nil {
		return err
	}
	s := b.readState(c.name)
	if _, err := b.generate(c, s); err != nil {
		return err
	}
	if err := b.writeState(c.name, s); err != nil {
		return err
	}
	chosen, err := b.chosen(c, false)
	if err != nil {
		return err
	}
	patterns := []string{"."}
	for _, p := range append(base(), append(chosen, library(b.Dir)...)...) {
		if !strings.HasPrefix(p, "cmd/") {
			patterns = append(patterns, c.importPath(p))
		}
	}
	deps, err := b.list(c, b.overlay(c.name), "ImportPath,Dir,EmbedFiles,Module", patterns...)
	if err != nil {
		return err
	}
	replaced := map[string]string{} // relative path to the file that stands for it
	for f := range s.Outputs {
		if rel, err := filepath.Rel(b.rel(b.gen(c.name)), f); err == nil && filepath.Ext(rel) == ".go" {
			replaced[rel] = b.abs(f)
		}
	}
	files := map[string]string{}
	for i := range deps {
		if !deps[i].own(c) || c.party(deps[i].ImportPath) != nil { // third parties' stay where they are
			continue
		}
		rel := b.rel(deps[i].Dir)
		entries, err := os.ReadDir(deps[i].Dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if goFile(e.Name()) {
				files[filepath.Join(rel, e.Name())] = filepath.Join(deps[i].Dir, e.Name())
			}
		}
		for _, e := range deps[i].EmbedFiles {
			files[filepath.Join(rel, e)] = filepath.Join(deps[i].Dir, e)
		}
		for to, from := range replaced {
			if filepath.Dir(to) == filepath.Clean(rel) {
				files[to] = from
			}
		}
	}
	for _, f := range []string{"go.mod", "go.sum", "LICENSE"} {
		files[f] = filepath.Join(b.Dir, f)
	}
	if c.modfile != "" {
		files["go.mod"], files["go.sum"] = c.modfile, sumFile(c.modfile)
	}
	paths := make([]string, 0, len(files))
	for to := range files {
		paths = append(paths, to)
	}
	sort.Strings(paths)
	for _, to := range paths {
		data, err := os.ReadFile(files[to])
		if err != nil {
			return err
		}
		if _, err := writeIfChanged(filepath.Join(dir, to), data); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{".config": c.text, exportMark: "An export of libos by libosbuild; the next one to this folder replaces it.\n"} {
		if _, err := writeIfChanged(filepath.Join(dir, name), []byte(text)); err != nil {
			return err
		}
	}
	b.say("  EXPORT  %s (%d files of the configuration %s)\nIn the go.mod of a program: replace %s => %s\n", dir, len(paths), c.name, Module, dir)
	for _, o := range c.outside {
		if o.Version == "" { // a replace counts in the program's own go.mod only
			b.say("replace %s => %s\n", o.Module, o.Dir)
		}
	}
	return nil
}

// library are the packages of the module that a program uses beside the root,
// as far as they are there.
func library(dir string) []string {
	var out []string
	for _, p := range []string{"host"} {
		if _, err := os.Stat(filepath.Join(dir, p)); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// clearExport makes room for an export.
func clearExport(dir string) error {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, exportMark)); err != nil {
		return fmt.Errorf("%s holds files that are no export: choose an empty folder", dir)
	}
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Remove(path)
	})
}
