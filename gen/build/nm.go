package build

import (
	"bufio"
	"bytes"
	"debug/elf"
	"fmt"
	"strconv"
	"strings"
)

// binarySymbol is one symbol of a binary.
type binarySymbol struct {
	Name string
	Size int64
	Zero bool // memory that starts as zero: no bytes of the file
}

// symbolsOf reads the symbol table: of an ELF file itself, of others by
// `go tool nm`. Both tell the same, but for Zero, which nm knows of some formats
// only.
func (b *Builder) symbolsOf(path string) ([]binarySymbol, error) {
	f, err := elf.Open(path)
	if err != nil {
		return b.nm(path)
	}
	defer f.Close()
	table, err := f.Symbols()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b.rel(path), err)
	}
	var out []binarySymbol
	for _, s := range table {
		if s.Section != elf.SHN_UNDEF && s.Size > 0 {
			in := int(s.Section)
			zero := in < len(f.Sections) && f.Sections[in].Type == elf.SHT_NOBITS
			out = append(out, binarySymbol{s.Name, int64(s.Size), zero})
		}
	}
	return out, nil
}

// nm is symbolsOf by the tool.
func (b *Builder) nm(path string) ([]binarySymbol, error) {
	out, err := output(b.goCommand("tool", "nm", "-size", path))
	if err != nil {
		return nil, err
	}
	var list []binarySymbol
	for in := bufio.NewScanner(bytes.NewReader(out)); in.Scan(); {
		// address, size, kind and name, which may hold blanks; an undefined
		// symbol has no address
		f := strings.Fields(in.Text())
		if len(f) < 4 {
			continue
		}
		size, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil || size <= 0 || f[2] == "U" {
			continue
		}
		at := strings.Index(in.Text(), " "+f[2]+" ")
		list = append(list, binarySymbol{in.Text()[at+3:], size, f[2] == "B" || f[2] == "b"})
	}
	return list, nil
}

// packageOf is the import path of the package that a symbol of the linker
// belongs to, "" for the linker's own tables. What is instantiated belongs to
// the package of the generic code, an equality function or itab to that of the
// type.
func packageOf(symbol string) string {
	for _, prefix := range []string{"type:.eq.", "type:.hash.", "go:itab.", "type:"} {
		symbol = strings.TrimPrefix(symbol, prefix)
	}
	symbol = strings.TrimLeft(symbol, "*[]0123456789")
	if strings.HasPrefix(symbol, "go:") {
		return ""
	}
	end := strings.IndexAny(symbol, "[({,")
	if end < 0 {
		end = len(symbol)
	}
	head := symbol[:end]
	slash := strings.LastIndexByte(head, '/')
	dot := strings.IndexByte(head[slash+1:], '.')
	if dot < 0 {
		return ""
	}
	return strings.ReplaceAll(head[:slash+1+dot], "%2e", ".")
}
