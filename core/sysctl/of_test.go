package sysctl

import (
	"strings"
	"testing"
)

// The block of "all" has defaults of its own where a tag says so.
func TestAllHasDefaultsOfItsOwn(t *testing.T) {
	type device struct {
		A bool `sysctl:"x.{dev}.a" all:"and" default:"1" all_default:"0" help:"A."`
		B int  `sysctl:"x.{dev}.b" all:"max" default:"7" help:"B."`
	}
	table := Of[device]()
	if got, want := *table.Default.(*device), (device{true, 7}); got != want {
		t.Errorf("default is %v, want %v", got, want)
	}
	if got, want := *table.ForAll().(*device), (device{false, 7}); got != want {
		t.Errorf("all is %v, want %v", got, want)
	}
	type plain struct {
		B int `sysctl:"x.{dev}.b" default:"7" help:"B."`
	}
	if table := Of[plain](); table.ForAll() != table.Default {
		t.Error("all has a block of its own without need")
	}
}

// What a tag gets wrong is told when the table is made.
func TestTagsAreChecked(t *testing.T) {
	for _, x := range []struct {
		entry  Entry
		goType string
		rng    string
		want   string
	}{
		{Entry{Name: "x.{dev}.a", All: "xor", Default: "0", Help: "A."}, "bool", "", "none of or, and, max, over, set"},
		{Entry{Name: "x.a", All: "set", Default: "0", Help: "A."}, "bool", "", "without {dev}"},
		{Entry{Name: "x.a", AllDefault: "0", Default: "0", Help: "A."}, "bool", "", "without {dev}"},
		{Entry{Name: "x.a", Help: "A."}, "int", "", "no default"},
		{Entry{Name: "x.a", Default: "0"}, "int", "", "no help"},
		{Entry{Name: "x.a", Default: "0", Help: "A."}, "int", "1-2", "LOW..HIGH"},
		{Entry{Name: "x.a", Default: "0", Help: "A."}, "float64", "", "float64"},
	} {
		if err := x.entry.Describe(x.goType, x.rng); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%+v: %v, want %q", x.entry, err, x.want)
		}
	}
}
