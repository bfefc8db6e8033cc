package emit

import (
	"math/big"
	"strings"

	"github.com/dave/jennifer/jen"
)

const moduleSuffix = "_MODULE"

// constants are the options as Go constants, named as in Kconfig. As in
// autoconf.h X is what is y, and X_MODULE, which every tristate has, what is m.
func constants(b *Build) *jen.File {
	f := b.file("core/config", "config")
	f.PackageComment("Package config holds the options as Go constants, named as in Kconfig.toml:")
	f.PackageComment("those of defconfig here, those of a build in its place there (go build")
	f.PackageComment("-overlay). Only symbols marked static in Kconfig.toml may be read as constants;")
	f.PackageComment("the others can differ from instance to instance of one binary. X is true for")
	f.PackageComment("what is y, X_MODULE for what is m.")
	var defs []jen.Code
	for i := range b.Symbols {
		s := &b.Symbols[i]
		var v jen.Code
		switch s.Type {
		case "bool", "tristate":
			v = jen.Lit(s.Value == "y")
		case "int", "hex":
			text := s.Value
			if s.Type == "hex" && text != "" && !strings.HasPrefix(strings.ToLower(text), "0x") {
				text = "0x" + text
			}
			if n, ok := new(big.Int).SetString(text, 0); ok && s.Type == "int" {
				text = n.String()
			}
			if text == "" {
				text = "0" // not visible in this configuration
			}
			v = jen.Op(text)
		default:
			v = jen.Lit(s.Value)
		}
		defs = append(defs, jen.Id(s.Name).Op("=").Add(v))
		if s.Type == "tristate" {
			defs = append(defs, jen.Id(s.Name+moduleSuffix).Op("=").Lit(s.Value == "m"))
		}
	}
	f.Comment("Options in the order of Kconfig.toml.")
	f.Const().Defs(defs...)
	return f
}
