package outside

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/modfile"
)

// Tree is the source tree of libos for whoever works in dir: dir itself, or, in the
// folder of a third party's module, the tree that its go.mod names: the folder of a
// replace, or a copy in dir/build of the version that it requires (where the go
// command keeps modules nothing can be replaced for a build). elsewhere tells that
// the tree is not dir.
func Tree(dir, goCommand string) (tree string, elsewhere bool, err error) {
	name := filepath.Join(dir, "go.mod")
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return dir, false, nil
	}
	if err != nil {
		return "", false, err
	}
	m, err := modfile.Parse(name, data, nil)
	if err != nil {
		return "", false, err
	}
	if m.Module == nil || m.Module.Mod.Path == Library {
		return dir, false, nil
	}
	for _, r := range m.Replace {
		if r.Old.Path == Library && r.New.Version == "" {
			at := join(dir, filepath.FromSlash(r.New.Path))
			if _, err := os.Stat(filepath.Join(at, "go.mod")); err != nil {
				return "", false, fmt.Errorf("%s:%d: there is no source tree of libos in %s: name the folder of one (go mod edit -replace %s=DIR)", name, r.Syntax.Start.Line, r.New.Path, Library)
			}
			return at, true, nil
		}
	}
	for _, r := range m.Require {
		if r.Mod.Path == Library {
			tree, err := copied(dir, goCommand, r.Mod.Version)
			return tree, true, err
		}
	}
	return dir, false, nil
}

// copied is a copy of a published libos, made once.
func copied(dir, goCommand, version string) (string, error) {
	to := filepath.Join(dir, "build", ".libos-"+version)
	if _, err := os.Stat(filepath.Join(to, "go.mod")); err == nil {
		return to, nil
	}
	f := &finder{goCommand: cmp.Or(goCommand, "go")}
	got, err := f.download(Library + "@" + version)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return "", err
	}
	part, err := os.MkdirTemp(filepath.Dir(to), ".libos-")
	if err != nil {
		return "", err
	}
	if err = copyTree(part, got.Dir); err == nil {
		err = os.Rename(part, to)
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(part))
	}
	return to, nil
}

// copyTree copies files to where they can be written, as those of the module cache
// cannot.
func copyTree(to, from string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o644)
	})
}
