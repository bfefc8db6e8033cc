package contracts

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"
	"golang.org/x/tools/go/analysis/checker"
	"golang.org/x/tools/go/packages"
)

const moduleRoot = "../.."

func TestRulesFireWhereTheyShould(t *testing.T) {
	all := func(names ...string) []string {
		for i, n := range names {
			names[i] = ModulePath + "/" + n
		}
		return append(names, "other/effects")
	}
	t.Run("statefree", func(t *testing.T) {
		analysistest.Run(t, analysistest.TestData(), StateFree, all("core/state", "core/tables", "wiring", "host")...)
	})
	t.Run("nosideeffects", func(t *testing.T) {
		analysistest.Run(t, analysistest.TestData(), NoSideEffects, all("core/effects", "gen/effects")...)
	})
	t.Run("corebans", func(t *testing.T) {
		analysistest.Run(t, analysistest.TestData(), CoreBans, all("core/bans", "allocator/mem", "host", "device/reader")...)
	})
	t.Run("emptyslabs", func(t *testing.T) {
		analysistest.Run(t, analysistest.TestData(), EmptySlabs, all("core", "core/coretest", "device/rigs")...)
	})
	t.Run("layers", func(t *testing.T) {
		analysistest.Run(t, analysistest.TestData(), Layers, all("allocator/layer", "core/layer", "device/layer", "netlink/layer", "protocols/...",
			"gen/layer", "cmd/tool", "sim", "sim/tomlplace", "plugin/...", "bench/peer")...)
	})
}

// TestModuleKeepsItsContracts runs every rule over every package and test of
// the module, as `make lint` does.
func TestModuleKeepsItsContracts(t *testing.T) {
	noteFolders(t, moduleRoot)
	cfg := &packages.Config{
		Mode:  packages.LoadSyntax | packages.NeedModule,
		Dir:   moduleRoot,
		Tests: true,
		Env:   append(os.Environ(), "CGO_ENABLED=0"),
	}
	pkgs, err := packages.Load(cfg, "./...")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pkgs {
		for _, e := range p.Errors {
			t.Error(e)
		}
	}
	graph, err := checker.Analyze(Analyzers(), pkgs, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, root := range graph.Roots {
		if root.Err != nil {
			t.Errorf("%s of %s: %v", root.Analyzer.Name, root.Package.PkgPath, root.Err)
		}
	}
	var out bytes.Buffer
	if err := graph.PrintText(&out, -1); err != nil { // a finding of a package and its test variant once
		t.Fatal(err)
	}
	if out.Len() > 0 {
		t.Errorf("contracts broken:\n%s", &out)
	}
}

// noteFolders lists every source folder, for the test cache: go test sees which
// files this process opens, and must not answer from the cache after a file or
// package was added.
func noteFolders(t *testing.T, root string) {
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || path == root {
			return err
		}
		if name := d.Name(); strings.HasPrefix(name, ".") || name == "testdata" || name == "build" {
			return filepath.SkipDir
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestExceptionsNameRealFilesAndReasons(t *testing.T) {
	for _, e := range exceptions {
		if _, err := os.Stat(filepath.Join(moduleRoot, filepath.FromSlash(e.file))); err != nil {
			t.Errorf("exception of %s: %v", e.analyzer, err)
		}
		if len(strings.Fields(e.reason)) < 5 {
			t.Errorf("exception of %s for %s: the reason %q explains nothing", e.analyzer, e.file, e.reason)
		}
	}
}
