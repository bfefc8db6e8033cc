package build

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/libos-go/libos/gen/kconfig"
	"github.com/libos-go/libos/plugin/modules"
)

// TestMain has all programs linked without what debuggers want, which takes the linker as
// long as the rest: nobody debugs them.
func TestMain(m *testing.M) {
	_ = os.Setenv("GOFLAGS", strings.TrimSpace(os.Getenv("GOFLAGS")+" -ldflags=-w"))
	os.Exit(m.Run())
}

// repository is a builder of the module's own tree that builds into a folder
// of the test's.
func repository(t *testing.T) *Builder {
	t.Helper()
	var said lockedBuffer
	b, err := New("../..", nil, &said, &said)
	if err != nil {
		t.Fatal(err)
	}
	b.Out = t.TempDir()
	b.Manifest = manifest
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("said:\n%s", said.String())
		}
	})
	return b
}

// manifest is what the command has written beside a module.
func manifest(dir, name, symbol string, needs []string) error {
	_, err := modules.WriteManifest(dir, name, symbol, needs)
	return err
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// target writes the configuration of a build by a target of libosbuild, and
// then sets symbols ("TCP=n").
func (b *Builder) target(t *testing.T, name, target string, sets ...string) {
	t.Helper()
	path := filepath.Join(b.Folder(name), ".config")
	env := func(v string) (string, bool) {
		if v != "KCONFIG_CONFIG" {
			return "", false
		}
		return path, true
	}
	var said bytes.Buffer
	s := kconfig.Session{Dir: b.Dir, Home: b.Home, Env: env, Stdout: &said, Stderr: &said, Find: b.find(), With: b.With}
	err := s.Run(target, nil)
	if err == nil && len(sets) > 0 {
		err = s.Set(sets)
	}
	if err != nil {
		t.Fatalf("%s of %s: %v\n%s", target, name, err, &said)
	}
}

func (b *Builder) mustBuild(t *testing.T, names ...string) bool {
	t.Helper()
	done, err := b.Build(names...)
	if err != nil {
		t.Fatalf("building %s: %v", names, err)
	}
	return done
}

// tree reads all files below a folder, for comparison.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		out[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// embedded tells which files a package may embed.
func embedded(name string) bool {
	switch filepath.Ext(name) {
	case ".tmpl", ".html", ".css", ".js":
		return true
	}
	return false
}

// copyModule copies the module's sources without tests to a folder of the
// test's, where it may change them.
func copyModule(t *testing.T) string {
	t.Helper()
	from, to := "../..", t.TempDir()
	err := filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, path)
		if d.IsDir() {
			if rel != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || rel == "build" || rel == "bench") {
				return filepath.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		if !goFile(d.Name()) && d.Name() != "go.mod" && d.Name() != "go.sum" && d.Name() != kconfig.FileName && rel != "Makefile" && !embedded(d.Name()) && !strings.HasPrefix(rel, "configs") {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}
