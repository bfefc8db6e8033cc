package kconfig

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const repository = "../.."

func loadRepository(t *testing.T) *Tree {
	t.Helper()
	tree, ms := Load(repository, func(name string) (string, bool) {
		return "", name == "KCONFIG_WARN_UNKNOWN_SYMBOLS"
	})
	if len(ms) > 0 {
		t.Fatalf("the project's own Kconfig.toml:\n%s", ms)
	}
	return tree
}

// The project's own menu files load without a single message.
func TestRepositoryTree(t *testing.T) {
	tree := loadRepository(t)
	for _, name := range []string{"MODULES", "IPV4", "TCP", "UDP", "LOOPBACK", "PIPE"} {
		if tree.Lookup(name) == nil {
			t.Errorf("no symbol %s", name)
		}
	}
	if tree.Modules() == nil || tree.Modules().Name != "MODULES" {
		t.Errorf("modules symbol: %v", tree.Modules())
	}
}

// A package that a symbol brings in exists, and so does help for whatever can
// be asked.
func TestRepositorySymbols(t *testing.T) {
	for _, s := range loadRepository(t).Symbols() {
		if s.Package != "" {
			found, _ := filepath.Glob(filepath.Join(repository, s.Package, "*.go"))
			if len(found) == 0 {
				t.Errorf("%s: %s brings in package %q, which has no Go files", s.Pos, s.Name, s.Package)
			}
		}
		if s.Prompt() != "" && s.Help == "" && s.Choice() == nil {
			t.Errorf("%s: %s has a prompt but no help", s.Pos, s.Name)
		}
	}
}

// Fragments and defconfigs in configs name existing symbols only and come true.
func TestRepositoryConfigs(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(repository, "configs", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in configs: %v", err)
	}
	for _, f := range files {
		tree := loadRepository(t)
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if ms := tree.ParseConfig(f, data); len(ms) > 0 {
			t.Errorf("%s", ms)
		}
		tree.SetAll(AllNo, nil, Probability{})
		for _, c := range tree.Overruled() {
			if strings.Contains(string(data), prefix+c.Symbol) { // the others were answered n by AllNo
				t.Errorf("%s: %s", f, c)
			}
		}
	}
}
