package contracts

import (
	"errors"
	"go/ast"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/libos-go/libos/gen/kconfig"
)

// Layers holds the import directions of the house.
var Layers = &analysis.Analyzer{
	Name: "layers",
	Doc: `imports point downwards only

  - allocator imports nothing of ours; core imports allocator and core;
  - protocols/NAME imports core and allocator, what lies below all protocols
    (protocols/internal/…), and protocols/OTHER only if the Kconfig entry of NAME
    depends on OTHER;
  - device, host and netlink import core and allocator;
  - sim, posix, capi, packetdrill and plugin import anything but the generator, but
    plugin/ring, which moves bytes, and sim/tomlplace, which knows places in TOML text:
    both import nothing of ours;
  - gen imports core (the generator reads tags as sysctl.Of does) and sim/tomlplace;
    cmd imports anything;
  - nobody imports cmd or examples; bench is a module of its own.
Tests may import sideways and upwards, but not cmd.`,
	Run: runLayers,
}

// floors lists the trees that a tree may import besides itself. A tree that is
// not listed (the root package, the wiring, examples) may import everything
// but privateTrees.
var floors = map[string][]string{
	"allocator": {},
	"core":      {"allocator"},
	"protocols": {"allocator", "core"},
	"device":    {"allocator", "core"},
	"host":      {"allocator", "core"},
	"netlink":   {"allocator", "core"},
	"gen":       {"core"},
}

// rooms lists the packages that may import less than their tree may: nothing of
// ours but what is named.
var rooms = map[string][]string{
	"plugin/ring":   {},
	"sim/tomlplace": {},
}

// shared lists rooms that import nothing of ours and are open to everybody.
var shared = []string{"sim/tomlplace"}

// privateTrees are closed to whoever is not named: the generator's rooms serve
// the commands, the commands serve people.
var privateTrees = map[string][]string{
	"gen":      {"gen", "cmd"},
	"cmd":      {"cmd"},
	"examples": {"examples"},
	"bench":    {"bench"},
}

func runLayers(pass *analysis.Pass) (any, error) {
	self, ok := relative(pass.Pkg.Path())
	if !ok {
		return nil, nil
	}
	for _, f := range pass.Files {
		if excepted(pass, f.Package) {
			continue
		}
		if strings.HasPrefix(self, "bench/") || self == "bench" {
			pass.Reportf(f.Package, "bench must be a module of its own, or its peers become dependencies of ours: add bench/go.mod")
			continue
		}
		for _, spec := range f.Imports {
			layerOfImport(pass, self, spec)
		}
	}
	return nil, nil
}

func layerOfImport(pass *analysis.Pass, self string, spec *ast.ImportSpec) {
	importPath, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		return
	}
	target, ok := relative(importPath)
	if !ok {
		return
	}
	from, _ := tree(pass.Pkg.Path())
	to, _ := tree(importPath)
	test := isTest(pass, spec.Pos())
	if users, private := privateTrees[to]; private && !slices.Contains(users, from) && (!test || to == "cmd") {
		pass.Reportf(spec.Pos(), "%s imports %s: only %s may", name(self), target, strings.Join(users, " and "))
		return
	}
	if test {
		return
	}
	if from == "protocols" && to == "protocols" {
		a, b := protocolOf(self), protocolOf(target)
		if a == b || b == "internal" {
			return
		}
		root := strings.TrimSuffix(path.Dir(fileAt(pass, spec.Pos())), "/"+self)
		if depends, err := protocolDepends(root, a, b); err != nil {
			pass.Reportf(spec.Pos(), "protocol %s imports protocol %s, and whether it depends on it is not to be read: %v", a, b, err)
		} else if !depends {
			pass.Reportf(spec.Pos(), "protocol %s imports protocol %s, but its Kconfig entry does not depend on it", a, b)
		}
		return
	}
	if below, listed := rooms[strings.TrimSuffix(self, "_test")]; listed && target != self && !slices.Contains(below, target) {
		pass.Reportf(spec.Pos(), "%s imports %s: it may import %s", name(self), name(target), nothingOr(below))
		return
	}
	if below, listed := floors[from]; listed && from != to && !slices.Contains(shared, target) && !slices.Contains(below, to) {
		pass.Reportf(spec.Pos(), "%s imports %s: %s may import %s", name(self), name(target), from, nothingOr(below))
	}
}

func nothingOr(below []string) string {
	if len(below) == 0 {
		return "nothing of ours"
	}
	return strings.Join(below, " and ")
}

func name(rel string) string {
	if rel == "" {
		return "the root package"
	}
	return rel
}

// protocolOf returns NAME of protocols/NAME/….
func protocolOf(rel string) string {
	rel = strings.TrimPrefix(rel, "protocols/")
	rel, _, _ = strings.Cut(rel, "/")
	return strings.TrimSuffix(rel, "_test")
}

// protocolDepends asks the Kconfig.toml at the module's root whether a symbol
// that brings in protocol a depends on one that brings in protocol b.
func protocolDepends(root, a, b string) (bool, error) {
	t, messages := kconfig.Load(root, nil)
	if messages.Errors() {
		return false, errors.New(messages.String())
	}
	for _, s := range t.Symbols() {
		if !bringsIn(s, a) {
			continue
		}
		for _, needed := range s.Requires() {
			if bringsIn(needed, b) {
				return true, nil
			}
		}
	}
	return false, nil
}

// bringsIn reports whether s names a package of a protocol.
func bringsIn(s *kconfig.Symbol, protocol string) bool {
	return strings.HasPrefix(s.Package+"/", "protocols/"+protocol+"/")
}
