package libos_test

import (
	"strings"
	"testing"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/config"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
)

// one is an instance in virtual time.
func one(t *testing.T, config string) *core.Instance {
	t.Helper()
	r := coretest.New(t, host.NewVirtual(1))
	o := core.Options{Name: "one", Domain: r.Domain}
	if config != "" {
		w, err := libos.Narrow("one.config", config)
		if err != nil {
			t.Fatal(err)
		}
		o.Wiring = w
	}
	return r.Adopt(libos.New(o))
}

func TestAnInstanceHasTheWiringOfTheBuildOrItsOwn(t *testing.T) {
	if got, want := one(t, "").Wiring().Name, libos.Wiring().Name; got != want {
		t.Errorf("configuration %s, want %s", got, want)
	}
	if got := one(t, "# nothing\n").Wiring().Name; got != "one.config" {
		t.Errorf("configuration %s, want one.config", got)
	}
}

func needIPv4(t *testing.T) {
	if !config.IPV4 {
		t.Skip("this configuration has no IPv4")
	}
}

func TestAnAttachedDeviceIsUpAndItsAddressesAreUsable(t *testing.T) {
	needIPv4(t)
	in := one(t, "")
	dev, _ := pipe.New(pipe.Config{})
	addresses := []string{"10.0.0.1/24"}
	if config.IPV6 {
		addresses = append(addresses, "fd00::1/64")
	}
	eth, err := in.Attach(dev, "eth0", addresses...)
	if err != nil {
		t.Fatal(err)
	}
	if !eth.Up() || eth.Name() != "eth0" {
		t.Errorf("%s is up: %v", eth.Name(), eth.Up())
	}
	for _, text := range addresses {
		p := wire.MustPrefix(text)
		in.Domain().Do(func() {
			if a := eth.Address(p.Addr); a == nil || a.Flags&core.AddressTentative != 0 {
				t.Errorf("%s: %+v", text, a)
			}
		})
	}
	if err := in.AddRoutes("default via 10.0.0.254", "10.7.0.0/16 dev eth0"); err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, r := range in.Routes() {
		if r.Protocol == core.RouteByStatic {
			found = append(found, r.String())
		}
	}
	got := strings.Join(found, "; ")
	if !strings.Contains(got, "default via 10.0.0.254 dev eth0") || !strings.Contains(got, "10.7.0.0/16 dev eth0") {
		t.Errorf("routes: %s", got)
	}
}

func TestWhatCannotBeAttachedIsNamedAndLeavesNothing(t *testing.T) {
	needIPv4(t)
	in := one(t, "")
	before := len(in.Interfaces())
	for _, x := range []struct{ address, want string }{
		{"10.0.0.1", "device eth0 of one: address 10.0.0.1: "},
		{"10.0.0.1/40", "device eth0 of one: address 10.0.0.1/40: "},
	} {
		dev, _ := pipe.New(pipe.Config{})
		_, err := in.Attach(dev, "eth0", x.address)
		if err == nil || !strings.HasPrefix(err.Error(), x.want) {
			t.Errorf("%v, want %s…", err, x.want)
		}
		if in.InterfaceByName("eth0") != nil {
			t.Error("the device is there")
		}
	}
	dev, _ := pipe.New(pipe.Config{})
	if _, err := in.Attach(dev, "eth0"); err != nil {
		t.Fatal(err)
	}
	dev, _ = pipe.New(pipe.Config{})
	if _, err := in.Attach(dev, "eth0"); err == nil || !strings.Contains(err.Error(), "one has a device eth0: file exists") {
		t.Errorf("a second eth0: %v", err)
	}
	if n := len(in.Interfaces()); n != before+1 {
		t.Errorf("%d interfaces, want %d", n, before+1)
	}
	for _, x := range [][2]string{
		{"10.1.0.0/16 dev eth9", `route "10.1.0.0/16 dev eth9" of one: there is no device eth9`},
		{"10.1.0.0/16 via 10.9.9.9", `route "10.1.0.0/16 via 10.9.9.9" of one: network is unreachable`},
	} {
		if err := in.AddRoutes(x[0]); err == nil || err.Error() != x[1] {
			t.Errorf("%v, want %s", err, x[1])
		}
	}
}
