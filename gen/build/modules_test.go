package build

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libos-go/libos/core/version"
	"github.com/libos-go/libos/gen/emit"
	"github.com/libos-go/libos/plugin/modules"
)

// copied is a builder of a copy of the tree, which a test may change.
func copied(t *testing.T) *Builder {
	t.Helper()
	var said lockedBuffer
	b, err := New(copyModule(t), nil, &said, &said)
	if err != nil {
		t.Fatal(err)
	}
	b.Manifest = manifest
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("said:\n%s", said.String())
		}
	})
	return b
}

// replace changes a file of a copied tree.
func (b *Builder) replace(t *testing.T, file, from, to string) {
	t.Helper()
	path := filepath.Join(b.Dir, file)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(data), from, to, 1)
	if text == string(data) {
		t.Fatalf("%s has no %q", file, from)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// moduleFiles are the names in the folder of a build's modules.
func (b *Builder) moduleFiles(t *testing.T, name string) string {
	t.Helper()
	entries, err := os.ReadDir(b.ModuleDir(name))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// absent holds that the libos of a build has nothing of packages, by nm.
func (b *Builder) absent(t *testing.T, name string, packages ...string) {
	t.Helper()
	table, err := b.nm(b.Binary(name))
	if err != nil {
		t.Fatal(err)
	}
	if len(table) < 1000 {
		t.Errorf("nm lists %d symbols only of %s", len(table), b.Binary(name))
	}
	for _, s := range table {
		for _, p := range packages {
			if strings.Contains(s.Name, Module+"/"+p+".") || strings.Contains(s.Name, Module+"/"+p+"/") {
				t.Errorf("%s is in libos, though %s is a module", s.Name, p)
			}
		}
	}
}

// describes holds a module against its manifest: what it serves, what it needs,
// and which program it is.
func (b *Builder) describes(t *testing.T, build, name, symbol, needs string, number byte) {
	t.Helper()
	m, err := modules.ReadManifest(b.ModuleDir(build), name)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(m.Program())
	if err != nil {
		t.Fatal(err)
	}
	if sum := hash(data); sum != m.SHA256 {
		t.Errorf("%s/%s has the sha256 %s, its manifest says %s", build, name, sum, m.SHA256)
	}
	if m.Symbol != symbol || strings.Join(m.Needs, " ") != needs {
		t.Errorf("the manifest of %s/%s: symbol %s, needs %v; want %s, %s", build, name, m.Symbol, m.Needs, symbol, needs)
	}
	d := m.Described()
	if d.GetVersion() != version.Number || d.GetLicense() != version.License || d.GetDescription() == "" {
		t.Errorf("%s/%s describes itself as %v", build, name, d)
	}
	if p := d.GetProtocols(); len(p) != 1 || p[0].GetName() != name || !bytes.Equal(p[0].GetNumbers(), []byte{number}) || len(p[0].GetSockets()) < 2 {
		t.Errorf("%s/%s serves %v", build, name, p)
	}
}

// What is m is a program beside libos that describes itself; two configurations
// have their own, built at the same time.
func TestWhatIsMIsAProgramOfItsOwn(t *testing.T) {
	t.Parallel()
	b := repository(t)
	b.target(t, "a", "defconfig", "MODULES=y", "UDP=m", "UDPLITE=m")
	b.target(t, "b", "tinyconfig", "MODULES=y", "UDP=m", "SLAB_KB=512")
	var wg sync.WaitGroup
	var errs [2]error
	for i, name := range []string{"a", "b"} {
		wg.Go(func() { _, errs[i] = b.Build(name) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := b.moduleFiles(t, "a"); got != "udp udp.json udplite udplite.json" {
		t.Errorf("the modules of a: %s", got)
	}
	if got := b.moduleFiles(t, "b"); got != "udp udp.json" {
		t.Errorf("the modules of b: %s", got)
	}
	b.describes(t, "a", "udp", "UDP", "IPV4 IPV6", 17)
	b.describes(t, "a", "udplite", "UDPLITE", "IPV4 IPV6", 136)
	b.describes(t, "b", "udp", "UDP", "IPV4", 17)
	udp, err := modules.ReadManifest(b.ModuleDir("a"), "udp")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(udp.Described().GetProtocols()[0].GetSysctls()); n != 2 {
		t.Errorf("the module udp has %d settings, want udp_rmem_min and udp_wmem_min", n)
	}
	for _, name := range []string{"a", "b"} {
		b.absent(t, name, "protocols/udp", "protocols/udplite", "protocols/internal/datagram")
	}
	config, err := exec.Command(b.Binary("a"), "version", "--config").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"CONFIG_UDP=m\n", "CONFIG_UDPLITE=m\n", "CONFIG_MODULES=y\n"} {
		if !strings.Contains(string(config), line) {
			t.Errorf("libos version --config lacks %q:\n%s", line, config)
		}
	}
	z, err := b.Size(true, "a")
	if err != nil {
		t.Fatal(err)
	}
	if len(z.Modules) != 2 || z.Modules[0].Symbol != "UDP" || z.Modules[1].Package != "protocols/udplite" || z.Modules[0].File < 1<<20 {
		t.Errorf("size lists the modules %+v", z.Modules)
	}
	if want := "build/a/modules/udp: "; !strings.Contains(z.Text(), want) {
		t.Errorf("no %q in\n%s", want, z.Text())
	}
}

// A second build does nothing; a changed source, a lost program and a changed
// choice make what they concern, and nothing else.
func TestOnlyTheModulesConcernedAreBuiltAgain(t *testing.T) {
	t.Parallel()
	b := copied(t)
	configure := func(sets ...string) {
		b.target(t, "x", "tinyconfig", append([]string{"MODULES=y"}, sets...)...)
	}
	stamps := func() map[string]time.Time {
		out := map[string]time.Time{}
		for _, f := range []string{"libos", "modules/udp", "modules/udplite"} {
			if st, err := os.Stat(filepath.Join(b.Folder("x"), f)); err == nil {
				out[f] = st.ModTime()
			}
		}
		return out
	}
	var before map[string]time.Time
	builds := func(what string, want ...string) {
		t.Helper()
		start := time.Now()
		done := b.mustBuild(t, "x")
		if d := time.Since(start); done != (len(want) > 0) || !done && d > time.Second {
			t.Errorf("%s: the build did something: %v, in %v", what, done, d)
		}
		after := stamps()
		var changed []string
		for _, f := range []string{"libos", "modules/udp", "modules/udplite"} {
			if !after[f].Equal(before[f]) {
				changed = append(changed, f)
			}
		}
		if !slices.Equal(changed, want) {
			t.Errorf("%s: %v changed, want %v", what, changed, want)
		}
		before = after
	}
	configure("UDP=m", "UDPLITE=m")
	builds("the first", "libos", "modules/udp", "modules/udplite")
	builds("no change")
	b.replace(t, "protocols/udplite/udplite.go", `{"UdpLite", "UdpLite6"}`, `{"UdpLite", "UdpLite7"}`)
	builds("a source of one module", "modules/udplite")
	b.describes(t, "x", "udplite", "UDPLITE", "IPV4", 136)
	builds("after that")
	if err := os.WriteFile(filepath.Join(b.ModuleDir("x"), "udp.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	if !b.mustBuild(t, "x") {
		t.Error("a damaged manifest was left")
	}
	b.describes(t, "x", "udp", "UDP", "IPV4", 17)
	before = stamps()
	if err := os.Remove(filepath.Join(b.ModuleDir("x"), "udp")); err != nil {
		t.Fatal(err)
	}
	builds("a lost program", "modules/udp")

	// a module that is chosen no more goes, what somebody put beside it stays
	other := filepath.Join(b.ModuleDir("x"), "other.json")
	if err := os.WriteFile(other, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	configure("UDP=m", "UDPLITE=n")
	if !b.mustBuild(t, "x") {
		t.Error("a changed choice was not built")
	}
	if got := b.moduleFiles(t, "x"); got != "other.json udp udp.json" {
		t.Errorf("modules after UDPLITE=n: %s", got)
	}
	before = stamps()
	builds("after that")
	if err := os.Remove(b.statePath("x")); err != nil {
		t.Fatal(err)
	}
	configure("UDP=y", "UDPLITE=n")
	b.mustBuild(t, "x")
	if got := b.moduleFiles(t, "x"); got != "other.json" {
		t.Errorf("modules after UDP=y, with the state lost: %s", got)
	}
}

// What cannot be a module is told with its place and the cure.
func TestWhatCannotBeAModuleIsRefused(t *testing.T) {
	t.Parallel()
	b := copied(t)
	fails := func(want ...string) {
		t.Helper()
		_, err := b.Build("x")
		if err == nil {
			t.Fatalf("no error with %q", want)
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("error %q lacks %q", err, w)
			}
		}
	}
	b.replace(t, "device/Kconfig.toml", "package = \"device/pipe\"\ntype = \"bool\"", "package = \"device/pipe\"\ntype = \"tristate\"")
	b.target(t, "x", "tinyconfig", "MODULES=y", "PIPE=m")
	fails("device/Kconfig.toml:", "CONFIG_PIPE is m", "device/pipe", "NewHandler", "sets Open", "set PIPE=y", "bool")
	b.target(t, "x", "tinyconfig", "MODULES=y", "UDP=m")
	extra := filepath.Join(b.Dir, "protocols", "udp", "extra.go")
	if err := os.WriteFile(extra, []byte("package udp\n\nimport \"github.com/libos-go/libos/core\"\n\nfunc Kind() core.DeviceKind { return core.DeviceKind{Kind: \"x\"} }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	fails("protocols/udp/extra.go:5", "CONFIG_UDP is m", "Kind", "protocols/udp/Kconfig.toml:", "UDP=y")
	if err := os.Remove(extra); err != nil {
		t.Fatal(err)
	}
	arch := map[string]string{"amd64": "arm64"}[runtime.GOARCH]
	if arch == "" {
		arch = "amd64"
	}
	t.Log("for another machine: " + arch)
	b.Env = func(v string) (string, bool) { return arch, v == "GOARCH" }
	list := emit.Modules([]emit.Symbol{{Name: "UDP", Type: "tristate", Value: "m", Package: "protocols/udp"}})
	if err := b.canDescribe(&list[0]); err == nil || !strings.Contains(err.Error(), "UDP=y") || !strings.Contains(err.Error(), arch) {
		t.Errorf("a module for another machine: %v", err)
	}
}

// With modules on, what is m is no part of the binary: not wired, not linked,
// told apart from y in the constants and in autoconf.h.
func TestAModuleIsNotLinkedIn(t *testing.T) {
	t.Parallel()
	b := copied(t)
	dir := b.Dir
	b.target(t, "mod", "allmodconfig", "SLAB_DEBUG=n")
	b.mustBuild(t, "mod")
	if got := b.moduleFiles(t, "mod"); got != "packet_device packet_device.json pcap_replay pcap_replay.json "+
		"tcp_cong_cubic tcp_cong_cubic.json tcp_cong_reno tcp_cong_reno.json tun tun.json udp udp.json udplite udplite.json" {
		t.Errorf("the modules of allmodconfig: %s", got)
	}
	for name, kind := range map[string]string{"tun": "tun", "packet_device": "packet", "pcap_replay": "replay"} {
		m, err := modules.ReadManifest(b.ModuleDir("mod"), name)
		if err != nil {
			t.Fatal(err)
		}
		if d := m.Described(); len(d.GetDevices()) != 1 || d.GetDevices()[0].GetKind() != kind || len(d.GetDevices()[0].GetParameters()) < 3 || len(d.GetPrivileges()) == 0 {
			t.Errorf("the module %s describes itself as %v", name, d)
		}
	}
	for name, control := range map[string]string{"tcp_cong_cubic": "cubic", "tcp_cong_reno": "reno"} {
		m, err := modules.ReadManifest(b.ModuleDir("mod"), name)
		if err != nil {
			t.Fatal(err)
		}
		if d := m.Described(); !slices.Equal(d.GetControls(), []string{control}) {
			t.Errorf("the module %s describes itself as %v", name, d)
		}
	}
	table, err := b.symbolsOf(b.Binary("mod"))
	if err != nil {
		t.Fatal(err)
	}
	tcp := false
	for _, s := range table {
		p := packageOf(s.Name)
		tcp = tcp || p == Module+"/protocols/tcp"
		if slices.Contains([]string{"protocols/udp", "protocols/udplite", "protocols/tcp/cubic", "protocols/tcp/reno", "device/tun", "device/rawnic", "device/replay"}, strings.TrimPrefix(p, Module+"/")) {
			t.Errorf("%s is in the binary, though its package is a module", s.Name)
		}
	}
	if !tcp {
		t.Error("TCP, which is y, is not in the binary")
	}
	for file, want := range map[string][]string{
		".config":                    {"CONFIG_UDP=m\n", "CONFIG_UDPLITE=m\n", "CONFIG_TCP=y\n"},
		"autoconf.h":                 {"#define CONFIG_UDP_MODULE 1\n", "#define CONFIG_TCP 1\n"},
		".gen/core/config/config.go": {"UDP = false\n", "UDP_MODULE = true\n", "TCP = true\n"},
		".gen/wiring_config.go":      {`{Name: "UDP", Value: "m", Bool: true}`},
	} {
		text, err := os.ReadFile(filepath.Join(b.Folder("mod"), file))
		if err != nil {
			t.Error(err)
		}
		aligned := regexp.MustCompile(` +`).ReplaceAllString(string(text), " ")
		for _, w := range want {
			if !strings.Contains(aligned, w) {
				t.Errorf("%s lacks %q:\n%s", file, w, text)
			}
		}
	}
	z, err := b.Size(true, "mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range z.Symbols {
		if s.Symbol == "UDP" || s.Symbol == "UDPLITE" {
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
	b := repository(t)
	b.target(t, "m", "tinyconfig", "MODULES=y", "UDP=m", "UDPLITE=m")
	b.target(t, "y", "tinyconfig")
	for _, names := range [][]string{{"m", "y"}, {"y", "m"}} {
		c, err := b.configuration(names)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range c.symbols {
			if want := map[string]string{"UDP": "y", "UDPLITE": "m", "MODULES": "y"}[s.Name]; want != "" && s.Value != want {
				t.Errorf("%v: %s=%s in the union, want %s", names, s.Name, s.Value, want)
			}
		}
	}
}
