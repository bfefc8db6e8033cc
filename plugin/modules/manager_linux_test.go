package modules_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/ipv4"
	"github.com/libos-go/libos/core/ipv6"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/device/loopback"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/plugin"
	"github.com/libos-go/libos/plugin/modules"
	"github.com/libos-go/libos/protocols/udp"
)

// The test binary is the module, too: with the socket of a host in its
// environment, or asked to describe itself.
func TestMain(m *testing.M) {
	if _, err := os.Stat(os.Args[0] + ".rogue"); err == nil && os.Getenv("LIBOS_MODULE_SOCKET") != "" {
		rogueModule()
	}
	if os.Getenv("LIBOS_MODULE_SOCKET") != "" || len(os.Args) == 2 && os.Args[1] == "--describe" {
		if name := filepath.Base(os.Args[0]); name != "udp" {
			otherModule(name)
		}
		served := udp.Protocol()
		served.NewHandler = udpHandler()
		plugin.Main(plugin.Module{Name: "udp", Version: "1.0.0", Description: "The User Datagram Protocol", License: "Apache-2.0",
			Parameters: []plugin.Parameter{{Name: "greeting", Help: "something to log", Default: ""}},
			Configure: func(v map[string]string) error {
				if v["greeting"] == "refuse" {
					return errors.New("this greeting is refused\x1b[2J")
				}
				return nil
			},
			Needs:     needs(),
			Devices:   kinds(),
			Protocols: []plugin.Protocol{{Protocol: attempting(served), Sysctls: sysctl.Of[udp.Sysctls]()}}})
	}
	os.Exit(m.Run())
}

func networks() *core.Wiring {
	return &core.Wiring{Name: "networks", Loopback: loopback.Device, Networks: []core.NetworkEntry{
		{Network: ipv4.Protocol(), Sysctls: sysctl.Of[ipv4.Sysctls](), Devices: sysctl.Of[ipv4.DeviceSysctls]()},
		{Network: ipv6.Protocol(), Sysctls: sysctl.Of[ipv6.Sysctls](), Devices: sysctl.Of[ipv6.DeviceSysctls]()},
	}}
}

// build puts the module into a directory of its own.
func build(t testing.TB) string { return buildAs(t, "udp") }

// buildAs does so under the name of another module that the binary can be.
func buildAs(t testing.TB, name string) string {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	from, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := modules.WriteManifest(dir, name, strings.ToUpper(name), []string{"IPV4"}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// logged keeps what a test logged, to be shown when it fails.
func logged(t testing.TB) *slog.Logger {
	var b bytes.Buffer
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(b.String())
		}
	})
	return slog.New(slog.NewTextHandler(&b, nil))
}

func manager(t testing.TB, o modules.Options) *modules.Manager {
	t.Helper()
	o.Patience, o.Log = 20*time.Second, logged(t)
	m := modules.New(o)
	t.Cleanup(m.Close)
	return m
}

func echo(t *testing.T, in *core.Instance) {
	t.Helper()
	c, err := in.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.WriteTo([]byte("hello"), c.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	var b [16]byte
	if n, _, err := c.ReadFrom(b[:]); err != nil || string(b[:n]) != "hello" {
		t.Errorf("read %q, %v", b[:n], err)
	}
}

func TestAModuleServesInstancesFromItsOwnProcess(t *testing.T) {
	m := manager(t, modules.Options{Dirs: []string{build(t)}})
	rig := coretest.New(t, host.NewVirtual(1))
	w := networks()
	a, b := rig.Instance("a", w), rig.Instance("b", w)
	da, db := pipe.New(pipe.Config{Wire: pipe.Wire{Delay: time.Millisecond}})
	rig.Attach(a, da, "eth0", "10.0.0.1/24")
	rig.Attach(b, db, "eth0", "10.0.0.2/24")
	rig.Do(func() {
		for _, in := range []*core.Instance{a, b} {
			if err := m.Attach(in, "udp"); err != nil {
				t.Fatal(err)
			}
		}
		echo(t, a)
		if v, err := b.Sysctl("net.ipv4.udp_rmem_min"); err != nil || v != "4096" {
			t.Errorf("its setting is %q, %v", v, err)
		}
		server, err := b.ListenPacket("udp4", "10.0.0.2:7")
		if err != nil {
			t.Fatal(err)
		}
		client, err := a.Dial("udp4", "10.0.0.2:7")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Write([]byte("over the link")); err != nil {
			t.Fatal(err)
		}
		var buf [64]byte
		if n, _, err := server.ReadFrom(buf[:]); err != nil || string(buf[:n]) != "over the link" {
			t.Errorf("read %q, %v", buf[:n], err)
		}
		if err := m.Unload("udp"); !errors.Is(err, syscall.EBUSY) {
			t.Errorf("unloaded in use: %v", err)
		}
		client.Close()
		server.Close()
		st := m.List()
		if len(st) != 1 || st[0].State != modules.Live || st[0].PID == os.Getpid() || st[0].Users != 2 || st[0].Traffic.Packets < 4 || st[0].Restarts != 0 {
			t.Fatalf("%+v", st)
		}
		if p, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(st[0].PID), "exe")); err != nil || filepath.Base(p) != "udp" {
			t.Errorf("process %d is %q, %v", st[0].PID, p, err)
		}
		if err := m.Unload("udp"); err != nil {
			t.Error(err)
		}
		if _, err := a.ListenPacket("udp4", "127.0.0.1:0"); !errors.Is(err, syscall.ESOCKTNOSUPPORT) {
			t.Errorf("after it was unloaded: %v", err)
		}
	})
}

func TestAMissingProtocolIsLoadedByItself(t *testing.T) {
	m := manager(t, modules.Options{Dirs: []string{build(t)}})
	rig := coretest.New(t, host.NewVirtual(1))
	in := rig.Adopt(core.New(core.Options{Name: "a", Domain: rig.Domain, Wiring: networks(), Autoload: m.Autoload()}))
	rig.Do(func() { echo(t, in) })
	if st := m.List(); len(st) != 1 {
		t.Errorf("loaded: %+v", st)
	}
}

func TestTheBlacklistHoldsAgainstLoadingByItself(t *testing.T) {
	m := manager(t, modules.Options{Dirs: []string{build(t)}, Blacklist: []string{"udp"}})
	rig := coretest.New(t, host.NewVirtual(1))
	in := rig.Adopt(core.New(core.Options{Name: "a", Domain: rig.Domain, Wiring: networks(), Autoload: m.Autoload()}))
	rig.Do(func() {
		if _, err := in.ListenPacket("udp4", "127.0.0.1:0"); !errors.Is(err, syscall.ESOCKTNOSUPPORT) {
			t.Errorf("%v", err)
		}
		if err := m.Attach(in, "udp"); err != nil {
			t.Fatal(err)
		}
		echo(t, in)
	})
}

// An instance whose own .config says n to what the module is the m of does without;
// by hand it gets it.
func TestAnInstanceThatSaysNoToASymbolLoadsNoModuleOfItByItself(t *testing.T) {
	m := manager(t, modules.Options{Dirs: []string{build(t)}})
	rig := coretest.New(t, host.NewVirtual(1))
	narrow := networks()
	narrow.Config = "CONFIG_IPV4=y\n# CONFIG_UDP is not set\n"
	a := rig.Adopt(core.New(core.Options{Name: "a", Domain: rig.Domain, Wiring: narrow, Autoload: m.Autoload()}))
	wide := networks()
	wide.Config = "CONFIG_IPV4=y\nCONFIG_UDP=m\n"
	b := rig.Adopt(core.New(core.Options{Name: "b", Domain: rig.Domain, Wiring: wide, Autoload: m.Autoload()}))
	rig.Do(func() {
		for range 2 {
			if _, err := a.ListenPacket("udp4", "127.0.0.1:0"); !errors.Is(err, syscall.ESOCKTNOSUPPORT) {
				t.Errorf("%v", err)
			}
			echo(t, b)
		}
		if err := m.Attach(a, "udp"); err != nil {
			t.Fatal(err)
		}
		echo(t, a)
	})
}

func TestAKilledModuleCostsItsSocketsAndIsBackWithinTwoSeconds(t *testing.T) {
	for _, stream := range []bool{false, true} {
		m := manager(t, modules.Options{Dirs: []string{build(t)}, Stream: stream})
		rig := coretest.New(t, host.NewRealTime())
		in := rig.Instance("a", networks())
		if err := m.Attach(in, "udp"); err != nil {
			t.Fatal(err)
		}
		echo(t, in)
		c, err := in.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		pid := m.List()[0].PID
		killed := time.Now()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		var b [8]byte
		if _, _, err := c.ReadFrom(b[:]); !errors.Is(err, syscall.ENETDOWN) {
			t.Errorf("stream %v: the waiting call: %v", stream, err)
		}
		c.Close()
		for {
			if st := m.List()[0]; st.State == modules.Live && st.PID != pid {
				break
			}
			if time.Since(killed) > time.Minute {
				t.Fatalf("%+v", m.List())
			}
			time.Sleep(time.Millisecond)
		}
		t.Logf("stream %v: back after %v", stream, time.Since(killed))
		deadline := time.Now().Add(time.Minute)
		for { // its sessions are connected a moment later
			if _, err = in.Dial("udp4", "127.0.0.1:9"); err == nil || time.Now().After(deadline) {
				break
			}
			time.Sleep(time.Millisecond)
		}
		echo(t, in)
	}
}

func TestRefusals(t *testing.T) {
	for _, x := range []struct {
		name string
		harm func(t *testing.T, dir string)
		o    modules.Options
		par  map[string]string
		want []string
	}{
		{name: "a changed program", harm: func(t *testing.T, dir string) {
			f, err := os.OpenFile(filepath.Join(dir, "udp"), os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteString("x"); err != nil {
				t.Fatal(err)
			}
			f.Close()
		}, want: []string{"udp.json", "sha256", "build the module again"}},
		{name: "another contract", harm: edit(`"oldestContract": 1`, `"oldestContract": 99`), want: []string{"udp.json", "version 99", "of the contract, this libos 1 to 2", "against this version"}},
		{name: "a manifest that lies", harm: edit(`"version": "1.0.0"`, `"version": "6.6.6"`), want: []string{"udp.json", "something else than its manifest", "build the module again"}},
		{name: "a missing symbol", o: modules.Options{Have: func(s string) bool { return false }}, want: []string{"udp.json", "CONFIG_IPV4", "libosbuild set IPV4 y"}},
		{name: "no JSON", harm: edit(`{`, `[`), want: []string{"udp.json", "not a manifest"}},
		{name: "another name", harm: edit(`"name": "udp"`, `"name": "other"`), want: []string{"udp.json", `manifest of "other"`}},
		{name: "a need that is no symbol", harm: edit(`"needs": [`, `"needs": ["\u001b[2J", `), want: []string{"udp.json", "no symbol"}},
		{name: "no such parameter", par: map[string]string{"nonsense": "1"}, want: []string{"no parameter", "nonsense"}},
		{name: "a refused parameter", par: map[string]string{"greeting": "refuse"}, want: []string{"this greeting is refused"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			dir := build(t)
			if x.harm != nil {
				x.harm(t, dir)
			}
			x.o.Dirs = []string{dir}
			m := manager(t, x.o)
			_, err := m.Load("udp", x.par)
			if err == nil {
				t.Fatal("it was loaded")
			}
			for _, w := range x.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not name %q", err, w)
				}
			}
			if strings.ContainsAny(err.Error(), "\x1b\a") {
				t.Errorf("%q does something to a terminal", err)
			}
			if st := m.List(); len(st) != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
	m := manager(t, modules.Options{Dirs: []string{t.TempDir()}})
	for _, name := range []string{"none", "../udp", "", "."} {
		if _, err := m.Load(name, nil); err == nil {
			t.Errorf("%q was loaded", name)
		}
	}
}

// edit replaces a text of the manifest, whatever the spaces in it.
func edit(old, with string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		file := filepath.Join(dir, "udp.json")
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s := strings.ReplaceAll(strings.ReplaceAll(string(b), ":  ", ": "), `":"`, `": "`)
		if !strings.Contains(s, old) {
			t.Fatalf("no %s in %s", old, s)
		}
		if err := os.WriteFile(file, []byte(strings.Replace(s, old, with, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnUnloadedModuleIsGivenToNoInstance(t *testing.T) {
	m := manager(t, modules.Options{Dirs: []string{build(t)}})
	rig := coretest.New(t, host.NewRealTime())
	in := rig.Instance("a", networks())
	mod, err := m.Load("udp", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Unload("udp"); err != nil {
		t.Fatal(err)
	}
	if err := mod.Attach(in); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("%v, want %v", err, syscall.ENOENT)
	}
	if err := m.Attach(in, "udp"); err != nil { // nothing of the first is in the way
		t.Fatal(err)
	}
	echo(t, in)
}
