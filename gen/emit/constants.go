package emit

import (
	"maps"
	"math/big"
	"path"
	"slices"
	"strings"

	"github.com/dave/jennifer/jen"
)

const moduleSuffix = "_MODULE"

// ConstantsDir is the folder of the option constants: of all in its package, and of
// static ones in those below it.
const ConstantsDir = "core/config"

// Constants are the files of the option constants: they depend on the configuration
// only, and the scan reads the packages with them.
//
// The static symbols of a Kconfig.toml have a package of their own: what reads one is
// compiled anew when these change, and not when anything is chosen or not.
func Constants(b *Build) ([]File, error) {
	groups := map[string][]*Symbol{}
	all := make([]*Symbol, len(b.Symbols))
	for i := range b.Symbols {
		s := &b.Symbols[i]
		all[i] = s
		if s.Static && s.Version == "" {
			at := staticDir(s) + "/config.go"
			groups[at] = append(groups[at], s)
		}
	}
	content, err := render(constants(b, ConstantsDir, all))
	if err != nil {
		return nil, err
	}
	files := []File{{ConstantsDir + "/config.go", content}}
	for _, at := range slices.Sorted(maps.Keys(groups)) {
		if content, err = render(constants(b, path.Dir(at), groups[at])); err != nil {
			return nil, err
		}
		files = append(files, File{at, content})
	}
	return files, nil
}

// staticDir is the folder of the constants of a static symbol.
func staticDir(s *Symbol) string {
	if dir := path.Dir(s.Where); dir != "." {
		return path.Join(ConstantsDir, dir)
	}
	return path.Join(ConstantsDir, "libos")
}

// constants are options as Go constants, named as in Kconfig. As in autoconf.h X is
// what is y, and X_MODULE, which every tristate has, what is m.
func constants(b *Build, dir string, symbols []*Symbol) *jen.File {
	f := b.file(dir, "config")
	if dir == ConstantsDir {
		f.PackageComment("Package config holds the options as Go constants, named as in Kconfig.toml:")
		f.PackageComment("those of defconfig here, those of a build in its place there (go build")
		f.PackageComment("-overlay). Only symbols marked static in Kconfig.toml may be read as constants,")
		f.PackageComment("from the packages below this one, which hold them alone; the others can differ")
		f.PackageComment("from instance to instance of one binary. X is true for what is y, X_MODULE for")
		f.PackageComment("what is m.")
	} else {
		f.PackageComment("Package config holds static options of one Kconfig.toml as Go constants, as the")
		f.PackageComment("package " + ConstantsDir + " holds all.")
	}
	var defs []jen.Code
	for _, s := range symbols {
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
