package ipv6_test

import (
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/devicetest/kernel"
	"github.com/libos-go/libos/device/tun"
	"github.com/libos-go/libos/device/tunio"
	"github.com/libos-go/libos/host"
)

// TestTheKernelIsOurNeighbour lets Linux judge neighbour discovery: duplicate
// addresses in both directions, link-local addresses, neighbour states.
func TestTheKernelIsOurNeighbour(t *testing.T) {
	kernel.InNamespace(t, func(t *testing.T) {
		dev, err := tun.Open(tunio.Options{TAP: true, MTU: 1500})
		if err != nil {
			t.Skip(err)
		}
		d := core.NewDomain(host.NewRealTime(), core.DomainOptions{Debug: true})
		defer func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}()
		in, err := core.New(core.Options{Name: "stack", Domain: d, Wiring: kernel.Wiring()})
		if err != nil {
			t.Fatal(err)
		}
		ifc, err := in.AddDevice(dev, "")
		if err != nil {
			t.Fatal(err)
		}
		name := dev.KernelName()
		kernel.Configure(t, name, "fd77::1/64", "fd77::3/64")
		if err := ifc.SetUp(true); err != nil {
			t.Fatal(err)
		}
		for _, a := range []string{"fd77::2/64", "fd77::3/64"} {
			if err := ifc.AddAddress(wire.MustPrefix(a)); err != nil {
				t.Fatal(err)
			}
		}
		if out, ok := kernel.Command(t, "ping", "-n", "-c", "12", "-i", "0.2", "-W", "1", "fd77::2"); !ok {
			t.Errorf("the kernel does not reach us: %s", out)
		}
		var own wire.Addr
		d.Do(func() {
			if a := ifc.Address(wire.MustAddr("fd77::3")); a.Flags&core.AddressDADFailed == 0 {
				t.Errorf("the kernel's address is no duplicate: flags %x", a.Flags)
			}
			if a := ifc.Address(wire.MustAddr("fd77::2")); a.Flags&core.AddressTentative != 0 {
				t.Errorf("our address is tentative: flags %x", a.Flags)
			}
			for _, a := range ifc.Addresses() {
				if a.Prefix.Addr.IsLinkLocalUnicast() {
					own = a.Prefix.Addr
				}
			}
		})
		if out, ok := kernel.Command(t, "ping", "-n", "-c", "3", "-i", "0.2", "-W", "2", own.String()+"%"+name); !ok {
			t.Errorf("the kernel does not reach %v: %s", own, out)
		}
		if out := kernel.MustCommand(t, "ip", "-6", "neigh", "show", "dev", name); !strings.Contains(out, "fd77::2 lladdr "+ifc.HWAddr().String()) || strings.Contains(out, "FAILED") {
			t.Errorf("the kernel's neighbours: %s", out)
		}
		kernel.MustCommand(t, "ip", "addr", "add", "fd77::2/64", "dev", name)
		failed := func() bool {
			return strings.Contains(kernel.MustCommand(t, "ip", "-6", "addr", "show", "dev", name), "dadfailed")
		}
		for end := time.Now().Add(10 * time.Second); !failed() && time.Now().Before(end); {
			kernel.Command(t, "ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", own.String()+"%"+name)
		}
		if !failed() {
			t.Error("the kernel did not notice that its new address is ours")
		}
	})
}
