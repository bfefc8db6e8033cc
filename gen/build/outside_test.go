package build

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/libos-go/libos/gen/scaffold"
	"github.com/libos-go/libos/plugin/modules"
)

// third writes a third party's module, hail, that is built against this checkout.
func third(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "hail")
	if _, err := scaffold.New(scaffold.Options{Kind: "protocol", Name: "hail", Dir: dir, Checkout: "../..", Version: "v0.1.0"}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, dir, file, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// edit replaces text in a file.
func edit(t *testing.T, dir, file, from, to string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(data), from, to, 1)
	if text == string(data) {
		t.Fatalf("%s has no %q", file, from)
	}
	write(t, dir, file, text)
}

// generatedCode is the Go code of a build, with the names of its files.
func (b *Builder) generatedCode(t *testing.T, name string) map[string]string {
	t.Helper()
	code := tree(t, b.gen(name))
	maps.DeleteFunc(code, func(file, _ string) bool { return filepath.Ext(file) != ".go" })
	return code
}

// A third party's module is part of the binary or a program of its own, from the
// same sources; .config records it, and neither tree is written to.
func TestAThirdPartysModuleIsBuiltIn(t *testing.T) {
	t.Parallel()
	b, dir := repository(t), third(t)
	before := tree(t, dir)
	mods := func() string {
		return tree(t, b.Dir+"/core/config")["config.go"] + read(t, b.Dir, "go.mod") + read(t, b.Dir, "go.sum")
	}
	own := mods()
	b.With = []string{dir}
	b.target(t, "x", "tinyconfig", "HAIL=y")
	b.mustBuild(t, "x")
	table, err := b.symbolsOf(b.Binary("x"))
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, s := range table {
		found = found || packageOf(s.Name) == "example.org/hail"
	}
	if !found {
		t.Error("HAIL is y, but its package is not in the binary")
	}
	code := b.generatedCode(t, "x")
	if w := code["wiring.go"]; !strings.Contains(w, "hail.Protocol()") {
		t.Errorf("the wiring lacks hail:\n%s", w)
	}
	if s := code["wiring_sysctl.go"]; !strings.Contains(s, "net.hail.max_size") {
		t.Error("the settings of hail are not in the registry")
	}

	b.With = nil
	if b.mustBuild(t, "x") {
		t.Error("the build after that, without --with, did something")
	}
	z, err := b.Size(true, "x")
	if err != nil {
		t.Fatal(err)
	}
	counted := false
	for _, s := range z.Symbols {
		counted = counted || s.Symbol == "HAIL" && s.Package == "example.org/hail" && s.Other > 0
	}
	if !counted {
		t.Errorf("size does not count HAIL: %+v", z.Symbols)
	}

	again := repository(t)
	write(t, mkdir(t, again.Folder("x")), ".config", read(t, b.Folder("x"), ".config"))
	if _, err := again.Generate("x"); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(again.generatedCode(t, "x"), code) {
		t.Error("the same configuration gave other code")
	}

	export := t.TempDir()
	if err := b.Export(export, "x"); err != nil {
		t.Fatal(err)
	}
	if w := read(t, export, "wiring.go"); !strings.Contains(w, "hail.Protocol()") {
		t.Error("the export lacks hail")
	}
	if m := read(t, export, "go.mod"); !strings.Contains(m, "example.org/hail") {
		t.Errorf("the go.mod of the export lacks hail:\n%s", m)
	}

	b.target(t, "x", "olddefconfig", "MODULES=y", "HAIL=m")
	b.mustBuild(t, "x")
	if got := b.moduleFiles(t, "x"); got != "hail hail.json" {
		t.Errorf("the modules: %s", got)
	}
	m, err := modules.ReadManifest(b.ModuleDir("x"), "hail")
	if err != nil {
		t.Fatal(err)
	}
	if m.Symbol != "HAIL" || strings.Join(m.Needs, " ") != "IPV4" || m.Described().GetProtocols()[0].GetName() != "hail" ||
		m.Described().GetVersion() != "devel" || m.Described().GetLicense() != "" {
		t.Errorf("the manifest: %s, needs %v, %v", m.Symbol, m.Needs, m.Described())
	}
	table, err = b.symbolsOf(b.Binary("x"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range table {
		if packageOf(s.Name) == "example.org/hail" {
			t.Errorf("HAIL is m, but %s is in the binary", s.Name)
		}
	}
	edit(t, dir, "hail.go", `"InErrors"`, `"InErrs"`)
	if !b.mustBuild(t, "x") {
		t.Error("a changed source of the third party was not built")
	}
	edit(t, dir, "hail.go", `"InErrs"`, `"InErrors"`)
	if after := tree(t, dir); !maps.Equal(before, after) {
		t.Error("the third party's tree was written to")
	}
	if mods() != own {
		t.Error("the source tree was written to")
	}
}

func read(t *testing.T, dir, file string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func mkdir(t *testing.T, dir string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A device is a module, too, and with y a kind of the wiring.
func TestAThirdPartysDeviceIsAModule(t *testing.T) {
	t.Parallel()
	b, dir := repository(t), filepath.Join(t.TempDir(), "mirror")
	if _, err := scaffold.New(scaffold.Options{Kind: "device", Name: "mirror", Dir: dir, Checkout: "../..", Version: "v0.1.0"}); err != nil {
		t.Fatal(err)
	}
	b.With = []string{dir}
	b.target(t, "x", "tinyconfig", "MIRROR=y")
	if _, err := b.Generate("x"); err != nil {
		t.Fatal(err)
	}
	if w := b.generatedCode(t, "x")["wiring.go"]; !strings.Contains(w, "mirror.Kind()") {
		t.Errorf("the wiring lacks the device:\n%s", w)
	}
	b.target(t, "x", "tinyconfig", "MODULES=y", "MIRROR=m")
	b.mustBuild(t, "x")
	m, err := modules.ReadManifest(b.ModuleDir("x"), "mirror")
	if err != nil {
		t.Fatal(err)
	}
	if d := m.Described().GetDevices(); len(d) != 1 || d[0].GetKind() != "mirror" || d[0].GetParameters()["delay"] == "" ||
		len(m.Described().GetPrivileges()) != 0 || len(m.Described().GetProtocols()) != 0 {
		t.Errorf("the manifest: %v", m.Described())
	}
}

// A congestion control is a module, too.
func TestAThirdPartysCongestionControlIsAModule(t *testing.T) {
	t.Parallel()
	b, dir := repository(t), filepath.Join(t.TempDir(), "calm")
	if _, err := scaffold.New(scaffold.Options{Kind: "cc", Name: "calm", Dir: dir, Checkout: "../..", Version: "v0.1.0"}); err != nil {
		t.Fatal(err)
	}
	b.With = []string{dir}
	b.target(t, "x", "tinyconfig", "TCP=y", "MODULES=y", "TCP_CONG_CALM=m")
	b.mustBuild(t, "x")
	m, err := modules.ReadManifest(b.ModuleDir("x"), "tcp_cong_calm")
	if err != nil {
		t.Fatal(err)
	}
	if d := m.Described(); len(d.GetControls()) != 1 || d.GetControls()[0] != "calm" || len(d.GetProtocols()) != 0 || strings.Join(m.Needs, " ") != "TCP" {
		t.Errorf("the manifest: needs %v, %v", m.Needs, d)
	}
}

// What is built with --with is recorded by the build, too, and in a union in each of
// its configurations.
func TestTheBuildRecordsThirdParties(t *testing.T) {
	t.Parallel()
	b, dir := repository(t), third(t)
	b.Home = t.TempDir()
	b.target(t, "other", "tinyconfig")
	b.With = []string{dir}
	if _, err := b.configuration([]string{DefaultName, "other"}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{DefaultName, "other"} {
		if text := read(t, filepath.Dir(b.ConfigPath(name)), ".config"); !strings.Contains(text, "# --with example.org/hail="+dir+"\n") || !strings.Contains(text, "CONFIG_HAIL=y\n") {
			t.Errorf("the configuration %s does not record hail:\n%s", name, text)
		}
	}
	b.With = nil
	c, err := b.configuration(nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.outside) != 1 || c.outside[0].Dir != dir {
		t.Errorf("the next build has %v", c.outside)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	said := &lockedBuffer{}
	b.Stderr = said
	if _, err := b.Build(); err == nil {
		t.Error("built without the third party's folder")
	}
	if s := said.String(); !strings.Contains(s, ".config:5: error: example.org/hail="+dir+": there is no folder") || !strings.Contains(s, "--with PATH") || !strings.Contains(s, "delete this line") {
		t.Errorf("it says %q", s)
	}
}

// What is wrong with a third party's tree is told with its file and the cure.
func TestWhatThirdPartiesCannotDo(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		spoil func(t *testing.T, dir string)
		want  []string
	}{
		"does not compile": {func(t *testing.T, dir string) {
			edit(t, dir, "hail.go", "const Number = 253", "const Number = nothing")
		},
			[]string{"hail/hail.go:", "undefined: nothing"}},
		"does not find a package": {func(t *testing.T, dir string) {
			edit(t, dir, "hail.go", `"syscall"`, "\"syscall\"\n\n_ \"github.com/libos-go/libos/nothing\"")
		}, []string{"hail/hail.go:", "github.com/libos-go/libos/nothing"}},
		"names a folder that is not there": {func(t *testing.T, dir string) {
			edit(t, dir, "Kconfig.toml", `package = "example.org/hail"`, `package = "example.org/hail/deep"`)
		}, []string{"hail/Kconfig.toml:", "example.org/hail/deep", "no such folder"}},
		"takes a number": {func(t *testing.T, dir string) { edit(t, dir, "hail.go", "const Number = 253", "const Number = 17") },
			[]string{"hail/hail.go:", "IP protocol 17", "protocols/udp/"}},
	} {
		t.Run(name, func(t *testing.T) {
			b, dir := repository(t), third(t)
			x.spoil(t, dir)
			b.With = []string{dir}
			b.target(t, "x", "tinyconfig", "HAIL=y")
			_, err := b.Generate("x")
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range x.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q lacks %q", err, w)
				}
			}
		})
	}
}
