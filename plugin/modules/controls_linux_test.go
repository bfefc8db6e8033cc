package modules_test

import (
	"errors"
	"syscall"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/congestion"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/plugin"
	"github.com/libos-go/libos/plugin/modules"
	"github.com/libos-go/libos/protocols/tcp"
	"github.com/libos-go/libos/protocols/tcp/reno"
	"github.com/libos-go/libos/protocols/udp"
)

// pacedModule has UDP and a congestion control.
func pacedModule() {
	plugin.Main(plugin.Module{Name: "paced", Version: "1.0.0", Description: "UDP and a congestion control", License: "Apache-2.0",
		Protocols: []plugin.Protocol{{Protocol: udp.Protocol(), Sysctls: sysctl.Of[udp.Sysctls]()}},
		Controls:  []congestion.Algorithm{{Name: "paced", New: reno.Algorithm().New}}})
}

func TestACongestionControlInUseKeepsItsModuleInEveryInstance(t *testing.T) {
	m := manager(t, modules.Options{Dirs: []string{buildAs(t, "paced")}})
	mod, err := m.Load("paced", nil)
	if err != nil {
		t.Fatal(err)
	}
	rig := coretest.New(t, host.NewRealTime())
	w := networks()
	w.Protocols = []core.ProtocolEntry{{Protocol: tcp.Protocol(nil, reno.Algorithm()), Sysctls: sysctl.Of[tcp.Sysctls]()}}
	a, b := rig.Instance("a", w), rig.Instance("b", w)
	for _, in := range []*core.Instance{a, b} {
		if err := mod.Attach(in); err != nil {
			t.Fatal(err)
		}
	}
	use := func(in *core.Instance, name string) {
		t.Helper()
		if err := in.SetSysctl("net.ipv4.tcp_congestion_control", name); err != nil {
			t.Error(err)
		}
	}
	use(b, "paced")
	if err := m.Unload("paced"); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("it is unloaded: %v", err)
	}
	if err := mod.Detach(b); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("it is taken away: %v", err)
	}
	use(a, "paced")
	for _, in := range []*core.Instance{a, b} {
		echo(t, in)
		use(in, "reno")
	}
	if err := m.Unload("paced"); err != nil {
		t.Error(err)
	}
}
