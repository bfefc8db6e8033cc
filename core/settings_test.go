package core_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/ipv4"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/host"
)

func ipv4Wiring() *core.Wiring {
	return &core.Wiring{Networks: []core.NetworkEntry{{Network: ipv4.Protocol(),
		Sysctls: sysctl.Of[ipv4.Sysctls](), Devices: sysctl.Of[ipv4.DeviceSysctls]()}}}
}

// Instances share their settings until one is written.
func TestASettingIsWrittenInOneInstanceOnly(t *testing.T) {
	rig := coretest.New(t, host.NewVirtual(1))
	w := ipv4Wiring()
	before := rig.Instance("before", w)
	one := rig.Instance("one", w)
	for _, name := range []string{"net.ipv4.ip_default_ttl", "net.ipv4.conf.all.rp_filter", "net.ipv4.conf.default.rp_filter",
		"net.ipv4.ip_local_port_range"} {
		old, err := before.Sysctl(name)
		if err != nil {
			t.Fatal(err)
		}
		value := "2"
		if name == "net.ipv4.ip_local_port_range" {
			value = "1000 2000"
		}
		if err := one.SetSysctl(name, value); err != nil {
			t.Fatal(err)
		}
		got, _ := one.Sysctl(name)
		same, _ := before.Sysctl(name)
		fresh, _ := rig.Instance("after "+name, w).Sysctl(name)
		if got == old || same != old || fresh != old {
			t.Errorf("%s was %q: now %q, elsewhere %q, in a new instance %q", name, old, got, same, fresh)
		}
	}
}

// What AddRoute was given is what Routes tells, whatever is left out.
func TestRoutesAreToldAsTheyWereAdded(t *testing.T) {
	rig := coretest.New(t, host.NewVirtual(1))
	in := rig.Instance("host", ipv4Wiring())
	ifc := rig.Attach(in, &sink{accept: 100}, "s0", "10.0.0.1/24")
	kernel := in.Routes()
	added := []core.RouteEntry{
		{Prefix: wire.MustPrefix("10.0.0.0/30"), Source: wire.MustAddr("10.0.0.0")},
		{Prefix: wire.MustPrefix("10.1.0.0/16"), Gateway: wire.MustAddr("10.0.0.2"), Source: wire.MustAddr("10.0.0.1"), Metric: 5},
		{Prefix: wire.MustPrefix("10.1.0.0/16"), Gateway: wire.MustAddr("10.0.0.3"), Metric: 7, MTU: 1400, Expires: 12345},
		{Prefix: wire.MustPrefix("10.2.0.0/16"), Scope: core.ScopeLink},
		{Prefix: wire.MustPrefix("10.3.0.0/16"), Type: core.RouteBlackhole},
	}
	for i := range added {
		e := &added[i]
		if e.Type == 0 {
			e.Type = core.RouteUnicast
			e.Interface = ifc
		}
		e.Protocol, e.Table = core.RouteByStatic, core.TableMain
		if err := in.AddRoute(*e); err != nil {
			t.Fatalf("%v: %v", e, err)
		}
	}
	var got []core.RouteEntry
	for _, e := range in.Routes() {
		if e.Protocol == core.RouteByStatic {
			got = append(got, e)
		}
	}
	same := cmp.Comparer(func(a, b *core.Interface) bool { return a == b })
	if d := cmp.Diff(added, got, same, cmpopts.EquateComparable(wire.Addr{})); d != "" {
		t.Error(d)
	}
	for _, e := range added {
		if err := in.RemoveRoute(e); err != nil {
			t.Errorf("%v: %v", e, err)
		}
	}
	if d := cmp.Diff(kernel, in.Routes(), same, cmpopts.EquateComparable(wire.Addr{})); d != "" {
		t.Errorf("after removing them: %s", d)
	}
}
