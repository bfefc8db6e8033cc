package modules_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/cmd/libos/command"
	"github.com/libos-go/libos/cmd/libos/control"
	"github.com/libos-go/libos/cmd/libos/demo"
	modulecmd "github.com/libos-go/libos/cmd/libos/modules"
	"github.com/libos-go/libos/cmd/libos/nc"
	"github.com/libos-go/libos/cmd/libos/sysctl"
	"github.com/libos-go/libos/cmd/libos/up"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/config"
	tables "github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/device/replay"
	"github.com/libos-go/libos/plugin"
	"github.com/libos-go/libos/plugin/modules"
	"github.com/libos-go/libos/protocols/udp"
)

// asModules are the symbols that are m in the libos of the scripts, whatever they
// are in the configuration that is tested.
var asModules = []string{"UDP", "PCAP_REPLAY"}

// The test binary is the module, too, and a libos of a configuration with
// UDP=m: without UDP in it, and with these commands.
func TestMain(m *testing.M) {
	if os.Getenv("LIBOS_MODULE_SOCKET") != "" || len(os.Args) == 2 && os.Args[1] == "--describe" {
		if filepath.Base(os.Args[0]) == "pcap_replay" {
			plugin.Main(plugin.Module{Name: "pcap_replay", Devices: []core.DeviceKind{replay.Kind()}})
		}
		plugin.Main(plugin.Module{Name: "udp", Version: "1.0.0", Description: "The User Datagram Protocol", License: "Apache-2.0",
			Parameters: []plugin.Parameter{{Name: "greeting", Help: "something to say", Default: "hello"}},
			Needs:      plugin.Privileges{Network: filepath.Base(filepath.Dir(os.Args[0])) == "greedy"},
			Protocols:  []plugin.Protocol{{Protocol: udp.Protocol(), Sysctls: tables.Of[udp.Sysctls]()}}})
	}
	testscript.Main(m, map[string]func(){"libos": libosMain})
}

func libosMain() {
	os.Exit(command.Main(command.Build{
		Version: libos.Version,
		Wiring: func() *core.Wiring {
			text := libos.Wiring().Config
			for _, m := range asModules {
				text = strings.Replace(text, "CONFIG_"+m+"=y\n", "# CONFIG_"+m+" is not set\n", 1)
			}
			w, err := libos.Narrow("test", text)
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			for _, m := range asModules {
				w.Config = strings.Replace(w.Config, "# CONFIG_"+m+" is not set\n", "CONFIG_"+m+"=m\n", 1)
			}
			return w
		},
		Narrow: libos.Narrow,
		Commands: []command.Make{up.Command, up.List, nc.Command, sysctl.Command, demo.Command,
			modulecmd.Modprobe, modulecmd.Rmmod, modulecmd.Lsmod, modulecmd.Modinfo},
	}))
}

// modulesBeside puts the module and its manifest into a new folder.
func modulesBeside(t *testing.T, name string) string {
	dir := filepath.Join(t.TempDir(), name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	from, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.OpenFile(filepath.Join(dir, "udp"), os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(to, from)
	if e := to.Close(); err != nil || e != nil {
		t.Fatal(err, e)
	}
	if _, err := modules.WriteManifest(dir, "udp", "UDP", []string{"IPV4"}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// The commands, as scripts: testdata/script/*.txtar.
func TestScripts(t *testing.T) {
	if !config.IPV4 || !config.LOOPBACK || !config.PIPE {
		t.Skip("this configuration lacks IPV4, LOOPBACK or PIPE, over which the scripts talk")
	}
	dir, greedy := modulesBeside(t, "modules"), modulesBeside(t, "greedy")
	withDevice := modulesBeside(t, "devices")
	if err := os.Link(filepath.Join(withDevice, "udp"), filepath.Join(withDevice, "pcap_replay")); err != nil {
		t.Fatal(err)
	}
	if _, err := modules.WriteManifest(withDevice, "pcap_replay", "PCAP_REPLAY", nil); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			// Paths of Unix sockets are short: at most 107 bytes.
			run, err := os.MkdirTemp("", "libos")
			if err != nil {
				return err
			}
			e.Defer(func() { _ = os.RemoveAll(run) })
			self, err := exec.LookPath("libos")
			if err != nil {
				return err
			}
			e.Setenv("LIBOS", self)
			e.Setenv("MODULES", dir)
			e.Setenv("MODULES_WITH_DEVICE", withDevice)
			e.Setenv("GREEDY", greedy) // its module asks for more
			e.Setenv("XDG_RUNTIME_DIR", run)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"answers": answers,
			"crash":   crash,
			"sockets": sockets,
		},
	})
}

// answers waits until a stack answers on the control socket.
func answers(ts *testscript.TestScript, _ bool, _ []string) {
	c := control.Client{Path: control.Path(ts.Getenv, "default")}
	patiently(ts, "a stack", func(ctx context.Context) bool {
		_, err := c.List(ctx)
		return err == nil
	})
}

// crash kills the process of a module and waits until there is a new one.
func crash(ts *testscript.TestScript, _ bool, args []string) {
	list := func() []string {
		ts.Check(ts.Exec("libos", "lsmod"))
		return strings.Fields(row(ts.ReadFile("stdout"), args[0]))
	}
	pid, err := strconv.Atoi(list()[3])
	ts.Check(err)
	ts.Check(syscall.Kill(pid, syscall.SIGKILL))
	patiently(ts, "a new process", func(context.Context) bool {
		f := list()
		return f[2] == "live" && f[3] != strconv.Itoa(pid)
	})
}

// sockets waits until a module has so many.
func sockets(ts *testscript.TestScript, _ bool, args []string) {
	patiently(ts, "sockets", func(context.Context) bool {
		ts.Check(ts.Exec("libos", "lsmod"))
		return strings.Fields(row(ts.ReadFile("stdout"), args[0]))[4] == args[1]
	})
}

// row is the row of a module in the table of lsmod.
func row(table, name string) string {
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, name+" ") {
			return line
		}
	}
	return ""
}

// patiently tries until it is true, for half a minute at most.
func patiently(ts *testscript.TestScript, what string, try func(context.Context) bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !try(ctx) {
		select {
		case <-ctx.Done():
			ts.Fatalf("%s: waited for half a minute", what)
		case <-tick.C:
		}
	}
}
