package kconfig

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

const fuzzTree = `
[[item]]
config = "MODULES"
type = "bool"
prompt = "modules"
modules = true
[[item]]
config = "B"
type = "bool"
prompt = "b"
[[item]]
config = "T"
type = "tristate"
prompt = "t"
depends = "B"
[[item]]
config = "I"
type = "int"
prompt = "i"
range = [-5, 50]
[[item]]
config = "X"
type = "hex"
prompt = "x"
[[item]]
config = "S"
type = "string"
prompt = "s"
[[item]]
choice = "pick"
[[item.item]]
config = "C1"
type = "bool"
prompt = "c1"
[[item.item]]
config = "C2"
type = "bool"
prompt = "c2"
`

// Whatever a .config holds, what is written from it is a fixed point: reading
// that gives no message and the same text, and so does its minimal form.
func FuzzConfig(f *testing.F) {
	f.Add("CONFIG_B=y\n# CONFIG_T is not set\nCONFIG_I=7\nCONFIG_X=0x1F\nCONFIG_S=\"a \\\"b\\\" \\\\\"\n")
	f.Add("CONFIG_C2=y\nCONFIG_C1=y\nCONFIG_I=-99\r\nCONFIG_T=m\nCONFIG_MODULES=y\n")
	f.Add("CONFIG_S=\"open\nCONFIG_=\nCONFIG_B\n=\n#\n# CONFIG_B is not set \n")
	f.Fuzz(func(t *testing.T, text string) {
		tree, ms := loadText(fuzzTree, nil)
		if len(ms) > 0 {
			t.Fatal(ms)
		}
		tree.ParseConfig("in", []byte(text))
		first := tree.Config()
		minimal := tree.MinimalConfig()
		if ms := tree.ParseConfig("out", first); len(ms) > 0 {
			t.Fatalf("our own .config is not understood:\n%s%s", first, ms)
		}
		if again := tree.Config(); !bytes.Equal(first, again) {
			t.Fatalf("not a fixed point:\n%s\nthen\n%s", first, again)
		}
		if ms := tree.ParseConfig("minimal", minimal); len(ms) > 0 {
			t.Fatalf("our own defconfig is not understood:\n%s%s", minimal, ms)
		}
		if again := tree.Config(); !bytes.Equal(first, again) {
			t.Fatalf("the minimal form\n%s\nof\n%s\ngives\n%s", minimal, first, again)
		}
	})
}

// An expression that parses prints as one that parses to the same.
func FuzzExpr(f *testing.F) {
	for _, s := range []string{"A && B || !C", "!(A = y) && B != \"two words\"", "A < 0x10 || 'q' >= B", "((((A))))", "!!!A", "m && -5 = A"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tree := newTree(nil)
		e, err := tree.parseExpr(text, Pos{})
		if err != nil {
			return
		}
		printed := e.String()
		again, err := tree.parseExpr(printed, Pos{})
		if err != nil {
			t.Fatalf("%q prints as %q: %v", text, printed, err)
		}
		if !sameMeaning(e, again) {
			t.Fatalf("%q prints as %q, which means %q", text, printed, again.String())
		}
		tree.eval(e)
	})
}

// sameMeaning compares expressions; a && (b && c) is (a && b) && c.
func sameMeaning(a, b *Expr) bool {
	if a.op != b.op {
		return false
	}
	switch a.op {
	case opAnd, opOr:
		x, y := flat(a, a.op, nil), flat(b, b.op, nil)
		if len(x) != len(y) {
			return false
		}
		for i := range x {
			if !sameMeaning(x[i], y[i]) {
				return false
			}
		}
		return true
	case opNot:
		return sameMeaning(a.l, b.l)
	}
	return a.s == b.s && a.t == b.t
}

func flat(e *Expr, op exprOp, to []*Expr) []*Expr {
	if e.op != op {
		return append(to, e)
	}
	return flat(e.r, op, flat(e.l, op, to))
}

// Any menu file either gives errors or a tree that all targets work on.
func FuzzLoad(f *testing.F) {
	f.Add(fuzzTree, "CONFIG_B=y\n")
	cases, _ := filepath.Glob("testdata/cases/*/Kconfig.toml")
	for i, c := range cases {
		if data, err := os.ReadFile(c); err == nil && i%3 == 0 {
			f.Add(string(data), "CONFIG_A=y\n")
		}
	}
	f.Fuzz(func(t *testing.T, menu, config string) {
		tree, ms := LoadFS(fstest.MapFS{FileName: {Data: []byte(menu)}}, FileName, "", nil)
		if ms.Errors() {
			for _, m := range ms {
				if m.Pos.File == "" || strings.Contains(m.Text, "%!") {
					t.Fatalf("a message without a place: %s", m)
				}
			}
			return
		}
		tree.ParseConfig("in", []byte(config))
		tree.UnmetDependencies()
		first := tree.Config()
		tree.ParseConfig("out", first)
		tree.MinimalConfig()
		tree.Header()
		tree.NewSymbols()
		for _, s := range tree.Symbols() {
			s.Explain()
			s.Facts()
			s.Refusal("y")
		}
		for mode := AllNo; mode <= AllYes; mode++ {
			tree.Reset()
			tree.SetAll(mode, nil, Probability{})
			tree.Config()
		}
	})
}
