package emit

import (
	"cmp"
	"maps"
	"slices"

	"github.com/dave/jennifer/jen"

	"github.com/libos-go/libos/core"
)

// dispatchFile holds the switches on the path of a packet and of socket(2).
func dispatchFile(f *features) *jen.File {
	b := f.build
	out := b.file("", "libos")
	var cases []jen.Code
	for i, o := range f.networks {
		var values []jen.Code
		for _, t := range o.fn.Description.EtherTypes {
			values = append(values, jen.Lit(int(t)))
		}
		if len(values) > 0 {
			cases = append(cases, jen.Case(values...).Block(jen.Return(jen.Lit(i)).Comment(o.fn.Description.Name)))
		}
	}
	out.Add(doc("etherType is the network protocol of an ethertype, -1 for none."))
	out.Func().Id("etherType").Params(jen.Id("t").Qual(b.Module+"/core/wire", "EtherType")).Int().Block(
		jen.Switch(jen.Id("t")).Block(cases...), jen.Return(jen.Lit(-1)))

	cases = nil
	for i, o := range f.protocols {
		var values []jen.Code
		for _, n := range o.fn.Description.Numbers {
			values = append(values, jen.Lit(int(n)))
		}
		if len(values) > 0 {
			cases = append(cases, jen.Case(values...).Block(jen.Return(jen.Lit(i)).Comment(o.fn.Description.Name)))
		}
	}
	out.Add(doc("ipProtocol is the transport protocol of an IP protocol number, -1 for none."))
	out.Func().Id("ipProtocol").Params(jen.Id("n").Uint8()).Int().Block(
		jen.Switch(jen.Id("n")).Block(cases...), jen.Return(jen.Lit(-1)))

	out.Add(doc("socketKind is the transport protocol that serves a triple of socket(2), -1 for none."))
	out.Func().Id("socketKind").Params(jen.List(jen.Id("family"), jen.Id("typ"), jen.Id("protocol")).Int()).Int().Block(
		jen.Switch(jen.Id("family")).Block(f.socketCases()...), jen.Return(jen.Lit(-1)))

	for _, typ := range sorted(f.indices) {
		cases = nil
		for i, o := range f.providersOf(typ) {
			cases = append(cases, jen.Case(jen.Lit(o.fn.Description.Name)).Block(jen.Return(jen.Lit(i))))
		}
		out.Add(doc(f.indices[typ] + " is the " + typ + " of a name, -1 for none."))
		out.Func().Id(f.indices[typ]).Params(jen.Id("name").String()).Int().Block(
			jen.Switch(jen.Id("name")).Block(cases...), jen.Return(jen.Lit(-1)))
	}
	return out
}

// socketCases nest family, type and protocol. Protocol 0 is the first that
// serves the type.
func (f *features) socketCases() []jen.Code {
	table := map[int]map[int]map[int]int{}
	enter := func(family, typ, protocol, index int) {
		if table[family] == nil {
			table[family] = map[int]map[int]int{}
		}
		if table[family][typ] == nil {
			table[family][typ] = map[int]int{}
		}
		if _, taken := table[family][typ][protocol]; !taken {
			table[family][typ][protocol] = index
		}
	}
	for i, o := range f.protocols {
		for _, s := range o.fn.Description.Sockets {
			enter(s[0], s[1], s[2], i)
			if (core.SocketKind{Family: s[0], Type: s[1], Protocol: s[2]}).ByDefault() {
				enter(s[0], s[1], 0, i)
			}
		}
	}
	var families []jen.Code
	for _, family := range sorted(table) {
		var types []jen.Code
		for _, typ := range sorted(table[family]) {
			byIndex := map[int][]jen.Code{}
			anyIndex, takesAny := table[family][typ][core.AnyProtocol]
			for _, protocol := range sorted(table[family][typ]) {
				i := table[family][typ][protocol]
				if protocol == core.AnyProtocol {
					continue
				}
				byIndex[i] = append(byIndex[i], jen.Lit(protocol))
			}
			var protocols []jen.Code
			for _, i := range sorted(byIndex) {
				protocols = append(protocols, jen.Case(byIndex[i]...).Block(jen.Return(jen.Lit(i)).Comment(f.protocols[i].fn.Description.Name)))
			}
			if takesAny {
				protocols = append(protocols, jen.Default().Block(jen.Return(jen.Lit(anyIndex)).Comment(f.protocols[anyIndex].fn.Description.Name)))
			}
			types = append(types, jen.Case(jen.Lit(typ)).Block(jen.Switch(jen.Id("protocol")).Block(protocols...)))
		}
		families = append(families, jen.Case(jen.Lit(family)).Block(jen.Switch(jen.Id("typ")).Block(types...)))
	}
	return families
}

func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
