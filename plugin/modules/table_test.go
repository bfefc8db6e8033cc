package modules

import (
	"testing"

	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/plugin/control"
)

// A setting of each kind crosses from its description to a table and keeps its
// range, default and text.
func TestATableIsMadeOfItsDescription(t *testing.T) {
	d := &control.Protocol{Name: "x", SysctlOwner: "x.Sysctls", Sysctls: []*control.Sysctl{
		{Name: "net.x.word", Type: "string", Range: "0..0", DefaultValue: "a b", Help: "a word"},
		{Name: "net.x.empty", Type: "string", Range: "0..0", Help: "none"},
		{Name: "net.x.on", Type: "bool", Range: "0..1", DefaultValue: "1", Help: "a switch"},
		{Name: "net.x.wait", Type: "time.Duration", Range: "1..9", Unit: "ms", DefaultValue: "5", Help: "a time"},
	}}
	x, err := table(d)
	if err != nil {
		t.Fatal(err)
	}
	block := x.Clone(x.Default)
	for i, want := range []struct{ first, set, refused string }{{"a b", "c", ""}, {"", "c", ""}, {"1", "0", "2"}, {"5", "9", "10"}} {
		e := &x.Entries[i]
		if got := e.Get(block); got != want.first {
			t.Errorf("%s is %q, want %q", e.Name, got, want.first)
		}
		if err := e.Set(block, want.set); err != nil || e.Get(block) != want.set {
			t.Errorf("%s set to %q is %q, %v", e.Name, want.set, e.Get(block), err)
		}
		if want.refused != "" && e.Set(block, want.refused) == nil {
			t.Errorf("%s took %q", e.Name, want.refused)
		}
	}
	if x.Entries[0].Kind != sysctl.String || x.Owner != "x.Sysctls" {
		t.Errorf("kind %s, owner %s", x.Entries[0].Kind, x.Owner)
	}
}

// A setting that nobody could name is refused with its place.
func TestASettingWithoutANameIsRefused(t *testing.T) {
	d := &control.Protocol{Name: "x", Sysctls: []*control.Sysctl{{Name: "net.x.a", Type: "int"}, {Type: "int", DefaultValue: "1"}}}
	const want = "protocol x: setting 1 has no name"
	if _, err := table(d); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
