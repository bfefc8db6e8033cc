package scan

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/libos-go/libos/core/sysctl"
)

// Struct is a struct whose fields are sysctls.
type Struct struct {
	Path   string // import path
	Name   string
	Pos    string // file:line
	Device bool   // its names have a {dev} segment
	Fields []Field
}

// Field is one sysctl.
type Field struct {
	Entry  sysctl.Entry // without Pointer
	GoType string       // as core/sysctl names it
	Config string       // symbol whose value is the default, "" for the tag's
	Pos    string       // file:line
}

// structType reads the tags of a struct declaration.
func (s *scanner) structType(spec *ast.TypeSpec) {
	decl, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	out := Struct{Path: s.pkg.PkgPath, Name: spec.Name.Name, Pos: s.place(spec.Pos())}
	plain := false
	for _, f := range decl.Fields.List {
		if f.Tag == nil {
			continue
		}
		text, err := strconv.Unquote(f.Tag.Value)
		if err != nil {
			continue
		}
		tag := reflect.StructTag(text)
		name, ok := tag.Lookup("sysctl")
		if !ok {
			continue
		}
		if len(f.Names) != 1 || !f.Names[0].IsExported() {
			s.errorf(f.Pos(), "sysctl %s: a sysctl is one exported field, or the generated registry cannot name it", name)
			continue
		}
		obj := s.pkg.TypesInfo.Defs[f.Names[0]]
		x := Field{Config: tag.Get("config"), Pos: s.place(f.Pos()), GoType: types.TypeString(obj.Type(), func(p *types.Package) string { return p.Name() })}
		x.Entry = sysctl.Entry{Name: name, Field: f.Names[0].Name, Default: tag.Get("default"), Help: tag.Get("help"), Unit: tag.Get("unit"), All: tag.Get("all"), AllDefault: tag.Get("all_default"), Alias: tag.Get("alias")}
		if err := x.Entry.Describe(x.GoType, tag.Get("range")); err != nil {
			s.errorf(f.Pos(), "sysctl %s: %v", name, err)
			continue
		}
		if err := x.CheckDefault(); err != nil {
			s.errorf(f.Pos(), "default: %v", err)
			continue
		}
		if x.Entry.PerDevice() {
			out.Device = true
		} else {
			plain = true
		}
		out.Fields = append(out.Fields, x)
	}
	if len(out.Fields) == 0 {
		return
	}
	switch {
	case !spec.Name.IsExported():
		s.errorf(spec.Pos(), "%s holds sysctls and must be exported, or the generated registry cannot name it", spec.Name.Name)
		return
	case spec.TypeParams != nil:
		s.errorf(spec.Pos(), "%s holds sysctls and must not be generic", spec.Name.Name)
		return
	case out.Device && plain:
		s.errorf(spec.Pos(), "%s mixes sysctls of the instance with those of a device ({dev}): make two structs", spec.Name.Name)
		return
	}
	s.out.Structs = append(s.out.Structs, out)
}

func (s *scanner) place(p token.Pos) string {
	pos := s.position(p)
	return pos.Filename + ":" + strconv.Itoa(pos.Line)
}

// inspect finds slab caches and uses of option constants.
func (s *scanner) inspect(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.CallExpr:
		s.cache(n)
	case *ast.SelectorExpr:
		if obj, ok := s.pkg.TypesInfo.Uses[n.Sel].(*types.Const); ok && obj.Pkg() != nil && obj.Pkg().Path() == s.config.Module+"/core/config" {
			s.out.Uses = append(s.out.Uses, Use{Symbol: obj.Name(), Pos: s.position(n.Pos())})
		}
	}
	return true
}

// cache finds core.CacheOf[T](d, "name"), allocator.NewCache[T](p, "name", …)
// and the Init method of an allocator.Cache[T].
func (s *scanner) cache(call *ast.CallExpr) {
	if len(call.Args) < 2 {
		return
	}
	fun := ast.Unparen(call.Fun)
	switch x := fun.(type) {
	case *ast.IndexExpr:
		fun = x.X
	}
	var id *ast.Ident
	switch x := fun.(type) {
	case *ast.SelectorExpr:
		id = x.Sel
	case *ast.Ident:
		id = x
	default:
		return
	}
	obj, ok := s.pkg.TypesInfo.Uses[id].(*types.Func)
	if !ok || obj.Pkg() == nil {
		return
	}
	var elem types.Type
	switch where := strings.TrimPrefix(obj.Pkg().Path(), s.config.Module+"/") + "." + obj.Name(); where {
	case "core.CacheOf", "allocator.NewCache":
		if inst, ok := s.pkg.TypesInfo.Instances[id]; ok && inst.TypeArgs.Len() == 1 {
			elem = inst.TypeArgs.At(0)
		}
	case "allocator.Init":
		recv := obj.Type().(*types.Signature).Recv()
		if recv == nil {
			return
		}
		t := recv.Type()
		if p, ok := t.(*types.Pointer); ok {
			t = p.Elem()
		}
		if n, ok := types.Unalias(t).(*types.Named); ok && n.Obj().Name() == "Cache" && n.TypeArgs().Len() == 1 {
			elem = n.TypeArgs().At(0)
		}
	default:
		return
	}
	if elem == nil {
		return
	}
	if _, ok := elem.(*types.TypeParam); ok {
		return // the cache's own plumbing
	}
	v := s.pkg.TypesInfo.Types[call.Args[1]].Value
	if v == nil {
		return // named at run time; slabinfo shows it
	}
	c := Cache{Name: constant.StringVal(v), Path: s.pkg.PkgPath, Type: types.TypeString(elem, func(p *types.Package) string { return p.Name() })}
	for _, have := range s.out.Caches {
		if have == c {
			return
		}
	}
	s.out.Caches = append(s.out.Caches, c)
}

// CheckDefault sets a field of the right type to the default.
func (x *Field) CheckDefault() error {
	var p any
	switch x.GoType {
	case "bool":
		p = new(bool)
	case "string":
		p = new(string)
	case "time.Duration":
		p = new(time.Duration)
	case "[2]int32":
		p = new([2]int32)
	case "[3]int32":
		p = new([3]int32)
	default:
		p = new(int64)
	}
	e := x.Entry
	e.Pointer = func(any) any { return p }
	if e.AllDefault != "" {
		if err := e.Set(nil, e.AllDefault); err != nil {
			return err
		}
	}
	return e.Set(nil, e.Default)
}
