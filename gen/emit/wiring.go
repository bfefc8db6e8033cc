package emit

import (
	"github.com/dave/jennifer/jen"

	"github.com/libos-go/libos/gen/scan"
)

func (b *Build) core(name string) *jen.Statement    { return jen.Qual(b.Module+"/core", name) }
func (b *Build) feature(name string) *jen.Statement { return jen.Qual(b.Module+"/core/feature", name) }
func (b *Build) table() *jen.Statement {
	return jen.Op("*").Qual(b.Module+"/core/sysctl", "Table")
}

// wiringFile is Wiring, Narrow and what they share.
func wiringFile(f *features) *jen.File {
	b := f.build
	out := b.file("", "libos")
	out.Add(doc("Wiring is what an instance of the configuration " + b.Name + " is made of. Each call\nmakes a new value, to be shared by any number of instances."))
	out.Func().Id("Wiring").Params().Op("*").Add(b.core("Wiring")).Block(
		jen.Return(jen.Id("assemble").Call(b.feature("Built").Call(jen.Lit(b.Name), jen.Id("configText").Call(), jen.Id("symbols").Call()))),
	)
	out.Add(doc("Narrow is a wiring for an instance of another configuration in the same binary:\nwithout the protocols, devices, sockets and sysctls that config, the text of a\n.config, does not choose. name is its file, for messages. It is an error, with\nfile and line, to choose what is not built in, or to differ on a symbol that is\nmarked static in Kconfig.toml."))
	out.Func().Id("Narrow").Params(jen.List(jen.Id("name"), jen.Id("config")).String()).Params(jen.Op("*").Add(b.core("Wiring")), jen.Error()).Block(
		jen.List(jen.Id("set"), jen.Err()).Op(":=").Add(b.feature("Read")).Call(jen.Id("name"), jen.Id("config"), jen.Id("symbols").Call()),
		jen.If(jen.Err().Op("!=").Nil()).Block(jen.Return(jen.Nil(), jen.Err())),
		jen.Id("w").Op(":=").Id("assemble").Call(jen.Id("set")),
		jen.If(jen.Err().Op(":=").Id("set").Dot("Err").Call(), jen.Err().Op("!=").Nil()).Block(jen.Return(jen.Nil(), jen.Err())),
		jen.Return(b.feature("Narrow").Call(jen.Id("w"), jen.Id("set"), jen.Id("owners").Call()), jen.Nil()),
	)
	out.Add(doc("assemble makes the wiring of all that is built in, with the values of set."))
	out.Func().Id("assemble").Params(jen.Id("set").Op("*").Add(b.feature("Set"))).Op("*").Add(b.core("Wiring")).Block(
		jen.Return(jen.Op("&").Add(b.core("Wiring")).Add(lines(f.wiringFields()))),
	)
	out.Add(doc("owners are the symbols behind the entries."))
	out.Func().Id("owners").Params().Add(b.feature("Owners")).Block(jen.Return(b.feature("Owners").Add(lines(f.ownerFields()))))
	return out
}

func (f *features) wiringFields() []jen.Code {
	b := f.build
	fields := []jen.Code{
		field("Name", jen.Id("set").Dot("Name")),
		field("Config", jen.Id("set").Dot("Config")),
	}
	var networks, protocols, kinds, qdiscs, tables []jen.Code
	for _, o := range f.networks {
		networks = append(networks, jen.Values(f.with(o, "Network")...))
	}
	for _, o := range f.protocols {
		protocols = append(protocols, jen.Values(f.with(o, "Protocol")...))
	}
	for _, o := range f.kinds {
		kinds = append(kinds, f.call(o.fn))
	}
	for _, o := range f.qdiscs {
		qdiscs = append(qdiscs, f.call(o.fn))
	}
	for _, o := range f.sysctls {
		tables = append(tables, f.tableCall(o.sysctl))
	}
	for _, part := range []struct {
		name string
		typ  jen.Code
		list []jen.Code
	}{
		{"Networks", b.core("NetworkEntry"), networks},
		{"Protocols", b.core("ProtocolEntry"), protocols},
		{"Devices", b.core("DeviceKind"), kinds},
		{"Qdiscs", b.core("QdiscKind"), qdiscs},
		{"Sysctls", b.table(), tables},
	} {
		if len(part.list) > 0 {
			fields = append(fields, field(part.name, jen.Index().Add(part.typ).Add(lines(part.list))))
		}
	}
	if f.loopback != nil {
		fields = append(fields, field("Loopback", jen.Qual(f.loopback.fn.Path, f.loopback.fn.Name)))
	}
	return append(fields,
		field("EtherType", jen.Id("etherType")),
		field("IPProtocol", jen.Id("ipProtocol")),
		field("SocketKind", jen.Id("socketKind")),
		field("Caches", jen.Id("caches").Call()),
	)
}

func (f *features) with(o owned, role string) []jen.Code {
	fields := []jen.Code{field(role, f.call(o.fn))}
	if o.sysctl != nil {
		fields = append(fields, field("Sysctls", f.tableCall(o.sysctl)))
	}
	if o.device != nil {
		fields = append(fields, field("Devices", f.tableCall(o.device)))
	}
	return fields
}

func (f *features) tableCall(st *scan.Struct) jen.Code {
	return jen.Id(f.tables[structs{st}.key()]).Call(jen.Id("set"))
}

// call calls a description with what the chosen packages provide.
func (f *features) call(fn *scan.Func) jen.Code {
	var args []jen.Code
	for _, p := range fn.Params {
		if p.Index {
			list := []jen.Code{jen.Id("set"), jen.Id(f.indices[p.Type])}
			for _, o := range f.providersOf(p.Type) {
				list = append(list, jen.Lit(o.symbol))
			}
			args = append(args, f.build.feature("Index").Call(list...))
			continue
		}
		list := []jen.Code{jen.Id("set")}
		for _, o := range f.providersOf(p.Type) {
			list = append(list, jen.Add(f.build.feature("Choice")).Index(jen.Qual(p.Path, p.TypeName)).Values(jen.Dict{
				jen.Id("Symbol"): jen.Lit(o.symbol), jen.Id("Make"): jen.Qual(o.fn.Path, o.fn.Name),
			}))
		}
		arg := f.build.feature("Chosen").Index(jen.Qual(p.Path, p.TypeName)).Call(list...)
		if p.Variadic {
			arg = arg.Op("...")
		}
		args = append(args, arg)
	}
	return jen.Qual(fn.Path, fn.Name).Call(args...)
}

func (f *features) ownerFields() []jen.Code {
	var fields []jen.Code
	for _, part := range []struct {
		name string
		list []owned
	}{{"Networks", f.networks}, {"Protocols", f.protocols}, {"Devices", f.kinds}, {"Qdiscs", f.qdiscs}, {"Sysctls", f.sysctls}} {
		var names []jen.Code
		for _, o := range part.list {
			names = append(names, jen.Lit(o.symbol))
		}
		if len(names) > 0 {
			fields = append(fields, field(part.name, jen.Index().String().Values(names...)))
		}
	}
	if f.loopback != nil {
		fields = append(fields, field("Loopback", jen.Lit(f.loopback.symbol)))
	}
	return fields
}

// configFile is the .config and the symbols, for version and Narrow.
func configFile(f *features) *jen.File {
	b := f.build
	out := b.file("", "libos")
	out.Add(doc("configText is the .config of the build."))
	out.Func().Id("configText").Params().String().Block(jen.Return(raw(b.Config)))
	out.Add(doc("symbols are the options of the build."))
	var list []jen.Code
	for i := range b.Symbols {
		s := &b.Symbols[i]
		fields := []jen.Code{field("Name", jen.Lit(s.Name)), field("Value", jen.Lit(s.Value))}
		if s.logical() {
			fields = append(fields, field("Bool", jen.True()))
		}
		if s.Static {
			fields = append(fields, field("Static", jen.True()), field("Where", jen.Lit(s.Where)))
		}
		list = append(list, jen.Values(fields...))
	}
	out.Func().Id("symbols").Params().Index().Add(b.feature("Symbol")).Block(
		jen.Return(jen.Index().Add(b.feature("Symbol")).Add(lines(list))))
	return out
}

// slabFile lists the slab caches.
func slabFile(f *features) *jen.File {
	b := f.build
	out := b.file("", "libos")
	out.Add(doc("caches are the slab caches that the packages of the build make."))
	var list []jen.Code
	for _, c := range f.caches {
		list = append(list, jen.Values(field("Name", jen.Lit(c.Name)), field("Type", jen.Lit(c.Type)), field("Package", jen.Lit(c.Path))))
	}
	out.Func().Id("caches").Params().Index().Add(b.core("CacheKind")).Block(
		jen.Return(jen.Index().Add(b.core("CacheKind")).Add(lines(list))))
	return out
}

// mainFile is the main function of the libos command.
func mainFile(f *features) *jen.File {
	b := f.build
	out := b.file("cmd/libos", "main")
	out.PackageComment("Command libos runs network stacks of the configuration that it was built from.")
	out.PackageComment("What it does is in package command; this names what was chosen.")
	cmd := b.Module + "/cmd/libos/command"
	var list []jen.Code
	for _, o := range f.commands {
		list = append(list, jen.Qual(o.fn.Path, o.fn.Name))
	}
	fields := []jen.Code{field("Version", jen.Qual(b.Module, "Version")), field("Wiring", jen.Qual(b.Module, "Wiring")), field("Narrow", jen.Qual(b.Module, "Narrow"))}
	if len(list) > 0 {
		fields = append(fields, field("Commands", jen.Index().Qual(cmd, "Make").Add(lines(list))))
	}
	out.Func().Id("main").Params().Block(
		jen.Qual("os", "Exit").Call(jen.Qual(cmd, "Main").Call(jen.Qual(cmd, "Build").Add(lines(fields)))))
	return out
}
