package kconfig

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestRequiresTakesConjunctionsOnly(t *testing.T) {
	tree, ms := LoadFS(fstest.MapFS{FileName: {Data: []byte(`
mainmenu = "x"
[[item]]
config = "A"
type = "bool"
[[item]]
config = "B"
type = "bool"
[[item]]
config = "C"
type = "bool"
[[item]]
config = "D"
type = "bool"
depends = "A && (B || C) && !C"
[[item]]
if = "B"
  [[item.item]]
  config = "E"
  type = "bool"
  depends = "D"
`)}}, FileName, ".", nil)
	if ms.Errors() {
		t.Fatal(ms)
	}
	for name, want := range map[string]string{"A": "", "D": "A", "E": "BD"} {
		got := ""
		for _, r := range tree.Lookup(name).Requires() {
			got += r.Name
		}
		if got != want {
			t.Errorf("%s requires %q, want %q", name, got, want)
		}
	}
}

func TestNeedsAreWhatMakesADependencyHold(t *testing.T) {
	tree, ms := LoadFS(fstest.MapFS{FileName: {Data: []byte(`
mainmenu = "x"
[[item]]
config = "MODULES"
modules = true
type = "bool"
default = "y"
[[item]]
config = "A"
type = "bool"
prompt = "A"
[[item]]
config = "B"
type = "bool"
prompt = "B"
[[item]]
config = "C"
type = "tristate"
prompt = "C"
[[item]]
config = "D"
type = "tristate"
depends = "MODULES && (A || A && B || C) && !B && (C || A)"
select = ["E", "F if C"]
prompt = "D"
default = "m"
[[item]]
config = "E"
type = "tristate"
[[item]]
config = "F"
type = "tristate"
`)}}, FileName, ".", nil)
	if ms.Errors() {
		t.Fatal(ms)
	}
	for _, x := range []struct{ config, want string }{
		{"CONFIG_A=y\n", "MODULES A E"},
		{"CONFIG_C=y\n", "MODULES C E F"},
		{"CONFIG_A=y\nCONFIG_C=y\n", "MODULES A C E F"},
		{"CONFIG_C=m\n", "MODULES C E F"}, // a module, too, may be what another needs
		{"CONFIG_A=y\nCONFIG_B=y\n", ""},
	} {
		tree.Reset()
		tree.ParseConfig("x", []byte(x.config))
		var got []string
		for _, n := range tree.Lookup("D").Needs() {
			got = append(got, n.Name)
		}
		if s := strings.Join(got, " "); s != x.want {
			t.Errorf("%q: D needs %q, want %q", x.config, s, x.want)
		}
	}
}
