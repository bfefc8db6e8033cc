package contracts

import (
	"go/ast"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// Layers holds the import directions of the house.
var Layers = &analysis.Analyzer{
	Name: "layers",
	Doc: `imports point downwards only

  - allocator imports nothing of ours; core imports allocator and core;
  - protocols/NAME imports core and allocator, and protocols/OTHER only if the
    Kconfig entry of NAME depends on OTHER;
  - device, host and netlink import core and allocator;
  - sim, posix, capi and plugin import anything but the generator;
  - gen imports gen only; cmd imports anything;
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
	"gen":       {},
}

// privateTrees are closed to whoever is not named: the generator's rooms serve
// the commands, the commands serve people.
var privateTrees = map[string][]string{
	"gen":      {"gen", "cmd"},
	"cmd":      {"cmd"},
	"examples": {"examples"},
	"bench":    {"bench"},
}

// protocolDependencies names, for a protocol, the protocols that its Kconfig
// entry depends on. The Kconfig entries are the authority, this follows them.
var protocolDependencies = map[string][]string{
	"mptcp": {"tcp"},
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
	path, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		return
	}
	target, ok := relative(path)
	if !ok {
		return
	}
	from, _ := tree(pass.Pkg.Path())
	to, _ := tree(path)
	test := isTest(pass, spec.Pos())
	if users, private := privateTrees[to]; private && !slices.Contains(users, from) && (!test || to == "cmd") {
		pass.Reportf(spec.Pos(), "%s imports %s: only %s may", name(self), target, strings.Join(users, " and "))
		return
	}
	if test {
		return
	}
	if from == "protocols" && to == "protocols" {
		if a, b := protocolOf(self), protocolOf(target); a != b && !slices.Contains(protocolDependencies[a], b) {
			pass.Reportf(spec.Pos(), "protocol %s imports protocol %s, but its Kconfig entry does not depend on it", a, b)
		}
		return
	}
	if below, listed := floors[from]; listed && from != to && !slices.Contains(below, to) {
		what := "nothing of ours"
		if len(below) > 0 {
			what = strings.Join(below, " and ")
		}
		pass.Reportf(spec.Pos(), "%s imports %s: %s may import %s", name(self), name(target), from, what)
	}
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
