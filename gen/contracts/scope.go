package contracts

import (
	"go/ast"
	"go/token"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// ModulePath is the module whose packages the analyzers judge; every other
// package is passed by.
const ModulePath = "github.com/libos-go/libos"

// Analyzers returns all rules, in the order they are documented.
func Analyzers() []*analysis.Analyzer {
	return []*analysis.Analyzer{StateFree, NoSideEffects, CoreBans, Layers, EmptySlabs}
}

// The trees (top folders) that each rule covers.
var (
	// stateFreeTrees must hold all state in instances and Domains (C3).
	stateFreeTrees = []string{"allocator", "core", "protocols", "netlink", "device"}
	// freeOfBlockingTrees run inside a Domain: nothing in them may block,
	// start a goroutine, or read a clock or random source of its own (C1).
	freeOfBlockingTrees = []string{"allocator", "core", "protocols", "netlink"}
	// explicitTrees are wired by explicit values (C4).
	explicitTrees = []string{"allocator", "core", "protocols", "netlink", "device", "host", "sim", "posix", "capi", "plugin", "packetdrill"}
)

// An exception lets one file break one rule. It names the file relative to the
// module's root, and the reason, which must say why the rule's aim still holds.
type exception struct {
	analyzer string
	file     string
	reason   string
}

// exceptions is the only way around a rule: there are no comments that switch
// a rule off. The tests fail for an entry whose file is gone.
var exceptions = []exception{
	{"nosideeffects", "plugin/control/module.pb.go", "made by protoc, which registers messages with the protobuf library when the package is initialised; only programs with modules import it"},
	{"corebans", "core/coretest/pcap.go", "test support, never in a stack: it writes what tests send into a directory named by the environment"},
	{"emptyslabs", "core/coretest/rig.go", "makes the Domains and instances of tests, and closes them where the test ends"},
}

// relative strips the module path: "" for the root package, false for packages
// of other modules and for the mains that `go test` generates.
func relative(path string) (string, bool) {
	if strings.HasSuffix(path, ".test") {
		return "", false
	}
	if path == ModulePath || path == ModulePath+"_test" {
		return "", true
	}
	return strings.CutPrefix(path, ModulePath+"/")
}

// tree returns the top folder of a package of this module.
func tree(path string) (string, bool) {
	rel, ok := relative(path)
	top, _, _ := strings.Cut(rel, "/")
	return strings.TrimSuffix(top, "_test"), ok
}

// within reports whether a package lies in one of the trees.
func within(path string, trees []string) bool {
	top, ok := tree(path)
	return ok && slices.Contains(trees, top)
}

// fileAt returns the name of the file that holds pos.
func fileAt(pass *analysis.Pass, pos token.Pos) string {
	return filepath.ToSlash(pass.Fset.Position(pos).Filename)
}

// isTest reports whether pos lies in a _test.go file.
func isTest(pass *analysis.Pass, pos token.Pos) bool {
	return strings.HasSuffix(fileAt(pass, pos), "_test.go")
}

// excepted reports whether the exceptions table lets pass's analyzer skip the
// file at pos.
func excepted(pass *analysis.Pass, pos token.Pos) bool {
	name := fileAt(pass, pos)
	for _, e := range exceptions {
		if e.analyzer == pass.Analyzer.Name && strings.HasSuffix(name, "/"+e.file) {
			return true
		}
	}
	return false
}

// sources yields the files of a pass that a rule judges: tests and excepted
// files left out.
func sources(pass *analysis.Pass) []*ast.File {
	var files []*ast.File
	for _, f := range pass.Files {
		if !isTest(pass, f.Package) && !excepted(pass, f.Package) {
			files = append(files, f)
		}
	}
	return files
}
