package outside_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"

	"github.com/libos-go/libos/gen/kconfig"
	"github.com/libos-go/libos/gen/outside"
)

// put writes files, with the folders they are in.
func put(t *testing.T, dir string, files map[string]string) string {
	t.Helper()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// publish makes a module proxy of folders, which has them in the one version that is
// named, and an empty module cache.
func publish(t *testing.T, folders map[module.Version]string) {
	t.Helper()
	proxy := t.TempDir()
	for m, dir := range folders {
		at := filepath.Join(proxy, filepath.FromSlash(m.Path), "@v")
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		put(t, at, map[string]string{"list": m.Version + "\n", m.Version + ".info": `{"Version":"` + m.Version + `"}`, m.Version + ".mod": string(mod)})
		f, err := os.Create(filepath.Join(at, m.Version+".zip"))
		if err != nil {
			t.Fatal(err)
		}
		if err := zip.CreateFromDir(f, m, dir); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	cache := t.TempDir()
	t.Setenv("GOPROXY", "file://"+filepath.ToSlash(proxy))
	t.Setenv("GONOSUMDB", "*")
	t.Setenv("GOFLAGS", "-modcacherw")
	t.Setenv("GONOPROXY", "none")
	t.Setenv("GOPRIVATE", "")
	t.Setenv("GOSUMDB", "off")
	t.Setenv("GOMODCACHE", cache)
	t.Cleanup(func() { // what the cache holds is read-only
		filepath.WalkDir(cache, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				return os.Chmod(path, 0o755)
			}
			return err
		})
	})
}

const libosMod = "module github.com/libos-go/libos\n\ngo 1.26.0\n"

func hail() map[string]string {
	return map[string]string{
		"go.mod":         "module example.org/hail\n\ngo 1.26\n\nrequire github.com/libos-go/libos v0.0.1\n",
		kconfig.FileName: "[[item]]\nconfig = \"HAIL\"\n",
	}
}

func find(t *testing.T, tree, dir, spec string) *kconfig.Outside {
	t.Helper()
	o, err := outside.Finder(tree, "")(dir, spec)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestAFolderIsFoundAgainByWhatIsRecorded(t *testing.T) {
	home := t.TempDir()
	at := put(t, filepath.Join(home, "src", "hail"), hail())
	o := find(t, t.TempDir(), home, "src/../src/hail")
	if o.Spec != "example.org/hail=src/hail" || o.Module != "example.org/hail" || o.Version != "" || o.Dir != at {
		t.Errorf("found %+v", o)
	}
	if again := find(t, t.TempDir(), home, o.Spec); again.Dir != at || again.Spec != o.Spec {
		t.Errorf("found again as %+v", again)
	}
}

func TestAVersionComesFromTheModuleCache(t *testing.T) {
	m := module.Version{Path: "example.org/hail", Version: "v1.2.0"}
	publish(t, map[module.Version]string{m: put(t, t.TempDir(), hail())})
	tree := put(t, t.TempDir(), map[string]string{"go.mod": libosMod})
	for _, spec := range []string{"example.org/hail@v1.2.0", "example.org/hail@latest"} {
		o := find(t, tree, "", spec)
		if o.Spec != "example.org/hail@v1.2.0" || o.Shown != o.Spec || o.Version != "v1.2.0" {
			t.Errorf("%s is %+v", spec, o)
		}
		if _, err := os.Stat(filepath.Join(o.Dir, kconfig.FileName)); err != nil {
			t.Error(err)
		}
	}
	if mod, err := os.ReadFile(filepath.Join(tree, "go.mod")); err != nil || string(mod) != libosMod {
		t.Errorf("the tree's go.mod became %q, %v", mod, err)
	}
	if _, err := outside.Finder(tree, "")("", "example.org/hail@v9.0.0"); err == nil || !strings.Contains(err.Error(), "name a version that is there") {
		t.Errorf("a version that is not there: %v", err)
	}
}

func TestAReplaceOfTheSourceTreeIsTheFolderOfAVersion(t *testing.T) {
	root := t.TempDir()
	at := put(t, filepath.Join(root, "hail"), hail())
	tree := put(t, filepath.Join(root, "libos"), map[string]string{"go.mod": libosMod + "\nreplace example.org/hail => ../hail\n"})
	if o := find(t, tree, "", "example.org/hail@v1.2.0"); o.Dir != at || o.Version != "" {
		t.Errorf("found %+v", o)
	}
}

func TestWhatIsNoThirdPartysTreeIsToldWithItsFileAndTheCure(t *testing.T) {
	for name, x := range map[string]struct {
		change map[string]string
		spec   string
		want   []string
	}{
		"no folder":        {nil, "snow", []string{"no such folder", "MODULE@VERSION"}},
		"no recorded one":  {nil, "example.org/hail=snow", []string{"no folder snow", "--with PATH"}},
		"another module":   {nil, "example.org/snow=hail", []string{"hail/go.mod is of module example.org/hail", "--with PATH"}},
		"no go.mod":        {map[string]string{"go.mod": ""}, "hail", []string{"hail/go.mod does not exist", "go mod init"}},
		"no module line":   {map[string]string{"go.mod": "go 1.26\n"}, "hail", []string{"hail/go.mod has no module line"}},
		"no Kconfig.toml":  {map[string]string{kconfig.FileName: ""}, "hail", []string{"hail/Kconfig.toml does not exist", "libosbuild new"}},
		"libos itself":     {map[string]string{"go.mod": libosMod}, "hail", []string{"hail/go.mod is of libos itself"}},
		"a malformed file": {map[string]string{"go.mod": "modul x\n"}, "hail", []string{"hail/go.mod:1"}},
		"a later libos": {map[string]string{"go.mod": "module example.org/hail\n\nrequire github.com/libos-go/libos v0.99.0\n"}, "hail",
			[]string{"hail/go.mod:3", "needs libos v0.99.0", "have the module require"}},
	} {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			dir := put(t, filepath.Join(home, "hail"), hail())
			for file, text := range x.change {
				if text == "" {
					os.Remove(filepath.Join(dir, file))
				} else {
					put(t, dir, map[string]string{file: text})
				}
			}
			_, err := outside.Finder(home, "")(home, x.spec)
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range x.want {
				if !strings.Contains(filepath.ToSlash(err.Error()), w) {
					t.Errorf("%q lacks %q", err, w)
				}
			}
		})
	}
}

// A replaced libos is as new as its owner says.
func TestAReplacedLibosIsNewEnough(t *testing.T) {
	files := hail()
	files["go.mod"] = "module example.org/hail\n\nrequire github.com/libos-go/libos v0.99.0\n\nreplace github.com/libos-go/libos => ../libos\n"
	find(t, t.TempDir(), "", put(t, t.TempDir(), files))
}

func TestTheSourceTreeOfAThirdPartyIsWhatItsGoModNames(t *testing.T) {
	root := t.TempDir()
	tree := put(t, filepath.Join(root, "libos"), map[string]string{"go.mod": libosMod, kconfig.FileName: ""})
	is := func(dir, want string, elsewhere bool) {
		t.Helper()
		got, other, err := outside.Tree(dir, "")
		if err != nil || got != want || other != elsewhere {
			t.Errorf("the tree of %s is %s (elsewhere: %v), %v; want %s", dir, got, other, err, want)
		}
	}
	is(tree, tree, false)
	is(root, root, false)
	other := put(t, filepath.Join(root, "other"), map[string]string{"go.mod": "module example.org/other\n"})
	is(other, other, false)
	at := put(t, filepath.Join(root, "hail"), hail())
	publish(t, map[module.Version]string{{Path: outside.Library, Version: "v0.0.1"}: tree})
	for range 2 { // the second finds the copy
		is(at, filepath.Join(at, "build", ".libos-v0.0.1"), true)
	}
	if err := os.WriteFile(filepath.Join(at, "build", ".libos-v0.0.1", kconfig.FileName), []byte("#"), 0o644); err != nil {
		t.Errorf("the copy cannot be written to: %v", err)
	}
	put(t, at, map[string]string{"go.mod": hail()["go.mod"] + "\nreplace github.com/libos-go/libos => ../libos\n"})
	is(at, tree, true)
	put(t, at, map[string]string{"go.mod": hail()["go.mod"] + "\nreplace github.com/libos-go/libos => ../gone\n"})
	if _, _, err := outside.Tree(at, ""); err == nil || !strings.Contains(err.Error(), "go.mod:7: there is no source tree of libos in ../gone") {
		t.Errorf("a replace by nothing: %v", err)
	}
}
