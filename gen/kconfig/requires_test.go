package kconfig

import (
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
