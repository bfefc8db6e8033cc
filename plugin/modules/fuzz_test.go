package modules

import (
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/libos-go/libos/plugin/control"
)

// FuzzManifest reads any bytes as a manifest: what is taken has the name that was
// asked for, and what it describes is checked as well.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"sha256": "00", "description": {"name": "x", "contract": 1, "protocols": [{"name": "p", "numbers": "EQ==",
		"sockets": [{"family": 2, "type": 2, "protocol": 17}], "sysctls": [{"name": "a.b", "type": "int", "range": "0..9", "defaultValue": "3"}]}]}}`))
	f.Add([]byte(`{"description": {"name": "x", "protocols": [{"sysctls": [{"type": "string", "name": "\"", "defaultValue": "\\"}]}]}}`))
	f.Add([]byte(`{"description": {"name": "x", "protocols": [{"sysctls": [{"type": "int"}]}]}}`))
	f.Add([]byte(`[]`))
	dir := f.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o755); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := os.WriteFile(filepath.Join(dir, "x.json"), content, 0o644); err != nil {
			t.Fatal(err)
		}
		m, err := ReadManifest(dir, "x")
		if err != nil {
			return
		}
		if m.Name() != "x" {
			t.Errorf("the manifest of %q", m.Name())
		}
		_, _ = m.check(&Options{Have: func(string) bool { return true }})
		described(t, m.description)
	})
}

// FuzzDescription takes any bytes for what a module says of itself.
func FuzzDescription(f *testing.F) {
	for _, typ := range []string{"int", "bool", "string", "time.Duration", "[3]int32", "chan int"} {
		b, err := proto.Marshal(&control.Description{Name: "x", Protocols: []*control.Protocol{{Name: "p", Numbers: []byte{17},
			Sockets: []*control.SocketKind{{Family: 2, Type: 2}},
			Sysctls: []*control.Sysctl{{Name: "net.p.a", Type: typ, DefaultValue: "1", Range: "0..7", Help: "help"}, {Name: "net.p.a", Type: typ}}}}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		var d control.Description
		if proto.Unmarshal(content, &d) == nil {
			described(t, &d)
		}
	})
}

// described makes what the core wants of a description; what is refused is
// refused by an error.
func described(t *testing.T, d *control.Description) {
	for _, p := range d.GetProtocols() {
		out, err := protocol(p)
		if err == nil && (out.Name == "" || len(out.Sockets) > maxSockets || len(out.Numbers) > maxSockets) {
			t.Errorf("taken: %+v", out)
		}
		if tab, err := table(p); err == nil && tab != nil && len(tab.Entries) != len(p.GetSysctls()) {
			t.Errorf("%d settings of %d", len(tab.Entries), len(p.GetSysctls()))
		}
	}
}
