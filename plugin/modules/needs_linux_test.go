package modules_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/plugin"
	"github.com/libos-go/libos/plugin/modules"
	"github.com/libos-go/libos/protocols/udp"
)

// neededModule is the module of another name: a protocol of that name, with a number
// for it.
func neededModule(name string) {
	p := udp.Protocol()
	number := 200 + name[0]%50
	p.Name, p.Numbers = name, []uint8{number}
	p.Sockets = []core.SocketKind{{Family: core.AFInet, Type: core.SockDgram, Protocol: int(number)}}
	plugin.Main(plugin.Module{Name: name, Version: "1.0.0", Description: "A protocol that is needed", License: "Apache-2.0", Protocols: []plugin.Protocol{{Protocol: p}}})
}

// needing puts modules into a directory: each with the symbols that it needs.
func needing(t *testing.T, needs map[string][]string) string {
	t.Helper()
	dir := build(t)
	for name, symbols := range needs {
		if err := os.Link(filepath.Join(dir, "udp"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if _, err := modules.WriteManifest(dir, name, strings.ToUpper(name), symbols); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// has is a stack with one symbol.
func has(symbol string) func(string) bool { return func(s string) bool { return s == symbol } }

func loaded(m *modules.Manager) string {
	var names []string
	for _, st := range m.List() {
		names = append(names, st.Name)
	}
	return strings.Join(names, " ")
}

func TestWhatAModuleNeedsIsLoadedBeforeItAndUnloadedAfterIt(t *testing.T) {
	m := manager(t, modules.Options{Dirs: []string{needing(t, map[string][]string{"top": {"IPV4", "MIDDLE"}, "middle": {"BASE"}, "base": nil})}, Have: has("IPV4")})
	rig := coretest.New(t, host.NewRealTime())
	in := rig.Instance("a", networks())
	if err := m.Attach(in, "top"); err != nil {
		t.Fatal(err)
	}
	if got := loaded(m); got != "base middle top" {
		t.Errorf("loaded: %s", got)
	}
	for _, name := range []string{"base", "middle", "top"} {
		s, err := in.Socket(core.AFInet, core.SockDgram, int(200+name[0]%50))
		if err != nil {
			t.Errorf("a socket of %s: %v", name, err)
			continue
		}
		s.Close()
	}
	for _, x := range [][2]string{{"base", "middle"}, {"middle", "top"}} {
		if err := m.Unload(x[0]); !errors.Is(err, syscall.EBUSY) || !strings.Contains(err.Error(), x[1]+" needs it: unload that first (rmmod "+x[1]+")") {
			t.Errorf("unloading %s: %v", x[0], err)
		}
	}
	for _, name := range []string{"top", "middle", "base"} {
		if err := m.Unload(name); err != nil {
			t.Errorf("unloading %s: %v", name, err)
		}
	}
}

// What the stack has needs no module, though one is there.
func TestWhatIsLinkedInIsNotLoaded(t *testing.T) {
	m := manager(t, modules.Options{Dirs: []string{needing(t, map[string][]string{"top": {"BASE"}, "base": nil})}, Have: has("BASE")})
	if _, err := m.Load("top", nil); err != nil {
		t.Fatal(err)
	}
	if got := loaded(m); got != "top" {
		t.Errorf("loaded: %s", got)
	}
}

func TestNeedsThatCannotBeMetAreToldWithFileAndCure(t *testing.T) {
	dir := needing(t, map[string][]string{"a": {"B"}, "b": {"C"}, "c": {"B"}, "d": {"IPV4", "BROKEN"}, "e": {"UDP"}})
	if err := os.WriteFile(filepath.Join(dir, "broken.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	m := manager(t, modules.Options{Dirs: []string{dir}, Have: has("NOTHING")})
	for name, want := range map[string][]string{
		"a": {"a.json: module a needs CONFIG_B, which is module b", "c.json: modules need each other in a circle: b, c, b", "break it"},
		"d": {"d.json: module d needs CONFIG_IPV4, CONFIG_BROKEN, which", "no module here is", "libosbuild set IPV4 y", "broken.json: not a manifest", "build the module again"},
		"e": {"e.json: module e needs CONFIG_UDP, which is module udp", "udp.json: module udp needs CONFIG_IPV4", "libosbuild set IPV4 y"},
	} {
		_, err := m.Load(name, nil)
		if err == nil {
			t.Errorf("%s is loaded", name)
			continue
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q lacks %q", name, err, w)
			}
		}
	}
	if got := loaded(m); got != "" {
		t.Errorf("loaded: %s", got)
	}
}

// rewrite has the manifest of a module name other needs, as a later build of it would.
func rewrite(t *testing.T, dir, name string, needs ...string) {
	t.Helper()
	if _, err := modules.WriteManifest(dir, name, strings.ToUpper(name), needs); err != nil {
		t.Fatal(err)
	}
}

func TestWhatTheNextVersionNeedsIsGivenToTheInstancesThatHaveTheModule(t *testing.T) {
	dir := needing(t, map[string][]string{"top": nil, "base": nil})
	m := manager(t, modules.Options{Dirs: []string{dir}, Have: has("IPV4")})
	rig := coretest.New(t, host.NewRealTime())
	in := rig.Instance("a", networks())
	if err := m.Attach(in, "top"); err != nil {
		t.Fatal(err)
	}
	rewrite(t, dir, "top", "BASE")
	if _, err := m.Replace("top", modules.ReplaceOptions{}); err != nil {
		t.Fatal(err)
	}
	s, err := in.Socket(core.AFInet, core.SockDgram, int(200+"base"[0]%50))
	if err != nil {
		t.Fatalf("a socket of base: %v", err)
	}
	s.Close()
	if err := m.Unload("base"); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("unloading base: %v", err)
	}
}

func TestAReplacementClosesNoCircleOfNeeds(t *testing.T) {
	dir := needing(t, map[string][]string{"top": {"MIDDLE"}, "middle": {"BASE"}, "base": nil})
	m := manager(t, modules.Options{Dirs: []string{dir}, Have: has("IPV4")})
	if _, err := m.Load("top", nil); err != nil {
		t.Fatal(err)
	}
	rewrite(t, dir, "base", "TOP")
	if _, err := m.Replace("base", modules.ReplaceOptions{}); !errors.Is(err, syscall.ELOOP) || !strings.Contains(err.Error(), "base.json") || !strings.Contains(err.Error(), "rmmod top") {
		t.Errorf("replacing base: %v", err)
	}
	for _, name := range []string{"top", "middle", "base"} {
		if err := m.Unload(name); err != nil {
			t.Errorf("unloading %s: %v", name, err)
		}
	}
}
