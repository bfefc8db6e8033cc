package emit

import (
	"math"
	"strconv"
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/gen/scan"
)

// sysctlFile is the registry: one function a struct.
func sysctlFile(f *features) *jen.File {
	b := f.build
	out := b.file("", "libos")
	for _, st := range f.allStructs() {
		name := f.tables[structs{st}.key()]
		out.Add(doc(name + " is the table of " + strings.TrimPrefix(st.Path, b.Module+"/") + "." + st.Name + "."))
		body := []jen.Code{}
		var late []jen.Code
		for i, x := range st.Fields {
			if x.Config != "" {
				late = append(late, b.feature("Default").Call(jen.Id("set"), jen.Id("t"), jen.Lit(i), jen.Lit(x.Config)))
			}
		}
		lit := jen.Op("&").Qual(b.Module+"/core/sysctl", "Table").Add(lines(tableFields(b, st)))
		param := jen.Id("set")
		if len(late) == 0 {
			param = jen.Id("_")
			body = append(body, jen.Return(lit))
		} else {
			body = append(append(append(body, jen.Id("t").Op(":=").Add(lit)), late...), jen.Return(jen.Id("t")))
		}
		out.Func().Id(name).Params(param.Op("*").Add(b.feature("Set"))).Add(b.table()).Block(body...)
	}
	return out
}

func tableFields(b *Build, st *scan.Struct) []jen.Code {
	typ := func() *jen.Statement { return jen.Qual(st.Path, st.Name) }
	var entries, values, all []jen.Code
	differs := false
	for i := range st.Fields {
		x := &st.Fields[i]
		entries = append(entries, lines(entryFields(b, st, x)))
		if v := value(x, x.Entry.Default); v != nil {
			values = append(values, field(x.Entry.Field, v))
		}
		def := x.Entry.Default
		if x.Entry.AllDefault != "" {
			def, differs = x.Entry.AllDefault, true
		}
		if v := value(x, def); v != nil {
			all = append(all, field(x.Entry.Field, v))
		}
	}
	out := []jen.Code{
		field("Owner", jen.Lit(st.Path+"."+st.Name)),
		field("Entries", jen.Index().Qual(b.Module+"/core/sysctl", "Entry").Add(lines(entries))),
		field("Default", jen.Op("&").Add(typ()).Add(lines(values))),
	}
	if differs {
		out = append(out, field("DefaultAll", jen.Op("&").Add(typ()).Add(lines(all))))
	}
	return append(out,
		field("Clone", jen.Func().Params(jen.Id("block").Any()).Any().Block(
			jen.Id("c").Op(":=").Op("*").Id("block").Assert(jen.Op("*").Add(typ())),
			jen.Return(jen.Op("&").Id("c")))))
}

func entryFields(b *Build, st *scan.Struct, x *scan.Field) []jen.Code {
	e := &x.Entry
	fields := []jen.Code{
		field("Name", jen.Lit(e.Name)),
		field("Kind", jen.Qual(b.Module+"/core/sysctl", kindName(e.Kind))),
	}
	if e.Min != 0 {
		fields = append(fields, field("Min", bound(e.Min)))
	}
	if e.Max != 0 {
		fields = append(fields, field("Max", bound(e.Max)))
	}
	for _, s := range []struct{ name, value string }{{"Unit", e.Unit}, {"Default", e.Default}, {"Help", e.Help}, {"Field", e.Field}, {"All", e.All}, {"AllDefault", e.AllDefault}, {"Alias", e.Alias}} {
		if s.value != "" {
			fields = append(fields, field(s.name, jen.Lit(s.value)))
		}
	}
	return append(fields, field("Pointer", jen.Func().Params(jen.Id("block").Any()).Any().Block(
		jen.Return(jen.Op("&").Id("block").Assert(jen.Op("*").Qual(st.Path, st.Name)).Dot(e.Field)))))
}

func kindName(k sysctl.Kind) string {
	s := string(k)
	return strings.ToUpper(s[:1]) + s[1:]
}

// bound is a limit, by its name in package math where it has one.
func bound(v int64) jen.Code {
	switch v {
	case math.MinInt32:
		return jen.Qual("math", "MinInt32")
	case math.MaxInt32:
		return jen.Qual("math", "MaxInt32")
	case math.MaxUint32:
		return jen.Qual("math", "MaxUint32")
	case math.MinInt64:
		return jen.Qual("math", "MinInt64")
	case math.MaxInt64:
		return jen.Qual("math", "MaxInt64")
	}
	return jen.Op(strconv.FormatInt(v, 10))
}

// value is the default of a field as a literal; nil for the zero value.
func value(x *scan.Field, def string) jen.Code {
	e := &x.Entry
	switch e.Kind {
	case sysctl.String:
		if def == "" {
			return nil
		}
		return jen.Lit(def)
	case sysctl.Ints:
		var list []jen.Code
		for _, w := range strings.Fields(def) {
			list = append(list, jen.Op(w))
		}
		n, elem := x.GoType[1:2], x.GoType[3:]
		return jen.Op("[" + n + "]" + elem).Values(list...)
	}
	n, err := strconv.ParseInt(def, 0, 64)
	if err != nil || n == 0 {
		return nil
	}
	switch e.Kind {
	case sysctl.Bool:
		return jen.True()
	case sysctl.Duration:
		unit := map[string]string{"ms": "Millisecond", "us": "Microsecond", "min": "Minute"}[e.Unit]
		if unit == "" {
			unit = "Second"
		}
		return jen.Op(strconv.FormatInt(n, 10)).Op("*").Qual("time", unit)
	}
	return jen.Op(strconv.FormatInt(n, 10))
}
