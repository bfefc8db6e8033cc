package outside

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/libos-go/libos/core/version"
	"github.com/libos-go/libos/gen/kconfig"
)

// Library is the module that third parties build on.
const Library = "github.com/libos-go/libos"

// Finder finds trees for the source tree of libos in the folder tree, whose go.mod
// may replace modules. goCommand is the go command, "" for go.
func Finder(tree, goCommand string) kconfig.Finder {
	return (&finder{tree: tree, goCommand: cmp.Or(goCommand, "go")}).find
}

type finder struct{ tree, goCommand string }

func (f *finder) find(dir, spec string) (*kconfig.Outside, error) {
	if st, err := os.Stat(join(dir, spec)); err == nil && st.IsDir() {
		return folder(dir, spec, "")
	}
	if path, at, ok := strings.Cut(spec, "="); ok && module.CheckPath(path) == nil {
		return folder(dir, at, path)
	}
	if path, v, ok := strings.Cut(spec, "@"); ok && module.CheckPath(path) == nil {
		return f.published(path, v)
	}
	return nil, errors.New("there is no such folder: name the folder of a Go module with a Kconfig.toml, or MODULE@VERSION")
}

func join(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// folder is the tree in a folder, which must be that of the module path if it is
// given.
func folder(dir, at, path string) (*kconfig.Outside, error) {
	abs, err := filepath.Abs(join(dir, at))
	if err != nil {
		return nil, err
	}
	if st, err := os.Stat(abs); err != nil || !st.IsDir() {
		return nil, fmt.Errorf("there is no folder %s: name the one where module %s is now (--with PATH)", at, path)
	}
	o := &kconfig.Outside{Dir: abs, Shown: at}
	if o.Module, err = check(abs, at); err != nil {
		return nil, err
	}
	if path != "" && o.Module != path {
		return nil, fmt.Errorf("%s is of module %s, not %s: name the folder where that is now (--with PATH)", filepath.Join(at, "go.mod"), o.Module, path)
	}
	o.Spec = o.Module + "=" + filepath.ToSlash(filepath.Clean(at))
	return o, nil
}

// check reads the go.mod of a tree and tells the module's path.
func check(dir, shown string) (string, error) {
	name := filepath.Join(shown, "go.mod")
	data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s does not exist: a third party's tree is a Go module (`go mod init` makes one, `libosbuild new` all of it)", name)
	}
	if err != nil {
		return "", err
	}
	m, err := modfile.Parse(name, data, nil)
	if err != nil {
		return "", err
	}
	if m.Module == nil {
		return "", fmt.Errorf("%s has no module line: `go mod init` writes one", name)
	}
	if m.Module.Mod.Path == Library {
		return "", fmt.Errorf("%s is of libos itself: name the folder of a third party's module", name)
	}
	if _, err := os.Stat(filepath.Join(dir, kconfig.FileName)); err != nil {
		return "", fmt.Errorf("%s does not exist: it says which symbols the module has and which packages they bring in (docs/kconfig.md; `libosbuild new` writes one)", filepath.Join(shown, kconfig.FileName))
	}
	return m.Module.Mod.Path, newEnough(m)
}

// newEnough holds that the tree is not written for a later libos. One that is
// replaced is as new as its owner says.
func newEnough(m *modfile.File) error {
	for _, r := range m.Replace {
		if r.Old.Path == Library {
			return nil
		}
	}
	have := "v" + version.Number
	for _, r := range m.Require {
		if r.Mod.Path == Library && semver.Compare(r.Mod.Version, have) > 0 {
			return fmt.Errorf("%s:%d: module %s needs libos %s, and this is %s: build with that version of libos, or have the module require %s if it works with it",
				m.Syntax.Name, r.Syntax.Start.Line, m.Module.Mod.Path, r.Mod.Version, have, have)
		}
	}
	return nil
}

// published is a module at a version, from the module cache or from where the go
// command gets it, unless the source tree replaces it.
func (f *finder) published(path, v string) (*kconfig.Outside, error) {
	data, err := os.ReadFile(filepath.Join(f.tree, "go.mod"))
	if err != nil {
		return nil, err
	}
	own, err := modfile.Parse(filepath.Join(f.tree, "go.mod"), data, nil)
	if err != nil {
		return nil, err
	}
	for _, r := range own.Replace {
		if r.Old.Path == path && (r.Old.Version == "" || r.Old.Version == v) && r.New.Version == "" {
			return folder(f.tree, r.New.Path, path)
		}
	}
	got, err := f.download(path + "@" + v)
	if err != nil {
		return nil, err
	}
	spec := path + "@" + got.Version
	o := &kconfig.Outside{Spec: spec, Module: path, Version: got.Version, Dir: got.Dir, Shown: spec}
	if _, err := check(o.Dir, o.Shown); err != nil {
		return nil, err
	}
	return o, nil
}

// downloaded is what `go mod download -json` tells of a module.
type downloaded struct{ Version, Dir, Error string }

// download runs in an empty folder, so that no go.mod takes part.
func (f *finder) download(spec string) (*downloaded, error) {
	empty, err := os.MkdirTemp("", "libosbuild-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(empty)
	c := exec.Command(f.goCommand, "mod", "download", "-json", spec)
	c.Dir = empty
	c.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=", "PWD="+empty)
	var out, complaints bytes.Buffer
	c.Stdout, c.Stderr = &out, &complaints
	runErr := c.Run()
	d := &downloaded{}
	if err := json.Unmarshal(out.Bytes(), d); err != nil && runErr == nil {
		return nil, fmt.Errorf("go mod download: %w", err)
	}
	if d.Error == "" && runErr != nil {
		d.Error = strings.TrimSpace(complaints.String())
		if d.Error == "" {
			d.Error = runErr.Error()
		}
	}
	if d.Error != "" {
		return nil, fmt.Errorf("go mod download %s: %s: name a version that is there, or the folder of the module", spec, d.Error)
	}
	return d, nil
}
