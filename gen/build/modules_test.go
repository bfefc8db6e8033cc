package build

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/libos-go/libos/gen/kconfig"
)

// withModules builds a copy of the tree in which modules can be turned on.
func withModules(t *testing.T) *Builder {
	t.Helper()
	dir := copyModule(t)
	root := filepath.Join(dir, kconfig.FileName)
	menu, err := os.ReadFile(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(root, []byte(strings.Replace(string(menu), "modules = true\n", "modules = true\nprompt = \"modules\"\n", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	var said lockedBuffer
	b, err := New(dir, nil, &said, &said)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// With modules on, what is m is no part of the binary: not wired, not linked,
// told apart from y in the constants and in autoconf.h.
func TestAModuleIsNotLinkedIn(t *testing.T) {
	t.Parallel()
	b := withModules(t)
	dir := b.Dir
	b.target(t, "mod", "allmodconfig", "SLAB_DEBUG=n", "MODULES=y", "UDP=m", "TUN=m")
	b.mustBuild(t, "mod")
	table, err := b.symbolsOf(b.Binary("mod"))
	if err != nil {
		t.Fatal(err)
	}
	tcp := false
	for _, s := range table {
		p := packageOf(s.Name)
		tcp = tcp || p == Module+"/protocols/tcp"
		if p == Module+"/protocols/udp" || p == Module+"/device/tun" {
			t.Errorf("%s is in the binary, though its package is a module", s.Name)
		}
	}
	if !tcp {
		t.Error("TCP, which is y, is not in the binary")
	}
	for file, want := range map[string][]string{
		".config":                    {"CONFIG_UDP=m\n", "CONFIG_TUN=m\n", "CONFIG_TCP=y\n"},
		"autoconf.h":                 {"#define CONFIG_UDP_MODULE 1\n", "#define CONFIG_TCP 1\n"},
		".gen/core/config/config.go": {"UDP               = false\n", "UDP_MODULE        = true\n", "TCP               = true\n"},
		".gen/wiring_config.go":      {`{Name: "UDP", Value: "m", Bool: true}`},
	} {
		text, err := os.ReadFile(filepath.Join(b.Folder("mod"), file))
		if err != nil {
			t.Error(err)
		}
		for _, w := range want {
			if !strings.Contains(string(text), w) {
				t.Errorf("%s lacks %q:\n%s", file, w, text)
			}
		}
	}
	z, err := b.Size(true, "mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range z.Symbols {
		if s.Symbol == "UDP" || s.Symbol == "TUN" {
			t.Errorf("size counts %s, which is a module", s.Symbol)
		}
	}

	// what is y and imports a module would link it in after all
	extra := filepath.Join(dir, "cmd", "libos", "nc", "extra.go")
	if err := os.WriteFile(extra, []byte("package nc\n\nimport _ \"github.com/libos-go/libos/protocols/udp\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Build("mod"); err == nil {
		t.Error("a package that is y imports a module")
	} else {
		for _, want := range []string{"cmd/libos/Kconfig.toml:", "CONFIG_CMD_NC is y", "imports protocols/udp", "CONFIG_UDP is m (protocols/udp/Kconfig.toml:", "UDP=y"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %q lacks %q", err, want)
			}
		}
	}
}

// In a union, what one configuration links in is linked in.
func TestAUnionOfAModuleAndALinkedInProtocolLinksItIn(t *testing.T) {
	b := withModules(t)
	b.target(t, "m", "tinyconfig", "MODULES=y", "UDP=m", "TUN=m")
	b.target(t, "y", "tinyconfig")
	for _, names := range [][]string{{"m", "y"}, {"y", "m"}} {
		c, err := b.configuration(names)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range c.symbols {
			if want := map[string]string{"UDP": "y", "TUN": "m", "MODULES": "y"}[s.Name]; want != "" && s.Value != want {
				t.Errorf("%v: %s=%s in the union, want %s", names, s.Name, s.Value, want)
			}
		}
	}
}
