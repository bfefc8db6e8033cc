package ipv6_test

import (
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/ipv6"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/devicetest/kernel"
	"github.com/libos-go/libos/device/tun"
	"github.com/libos-go/libos/device/tunio"
	"github.com/libos-go/libos/host"
)

// TestTheKernelIsOurNeighbour lets Linux judge neighbour discovery: duplicate
// addresses in both directions, link-local addresses, neighbour states.
func TestTheKernelIsOurNeighbour(t *testing.T) {
	withKernel(t, func(t *testing.T, d *core.Domain, in *core.Instance, ifc *core.Interface, name string) {
		kernel.Configure(t, name, "fd77::1/64", "fd77::3/64")
		kernel.Ready(t, name)
		if err := ifc.SetUp(true); err != nil {
			t.Fatal(err)
		}
		for _, a := range []string{"fd77::2/64", "fd77::3/64"} {
			if err := ifc.AddAddress(wire.MustPrefix(a)); err != nil {
				t.Fatal(err)
			}
		}
		if out, ok := kernel.Command(t, "ping", "-n", "-c", "3", "-i", "0.2", "-w", "30", "fd77::2"); !ok {
			t.Errorf("the kernel does not reach us: %s", out)
		}
		var own wire.Addr
		tentative := func() (yes bool) { // detection takes up to 2 s, more on a busy machine
			d.Do(func() {
				yes = ifc.Address(wire.MustAddr("fd77::3")).Flags&(core.AddressTentative|core.AddressDADFailed) == core.AddressTentative
			})
			return yes
		}
		for end := time.Now().Add(30 * time.Second); tentative() && time.Now().Before(end); {
			kernel.Command(t, "ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", "fd77::2")
		}
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

// withKernel makes an instance with a TAP in a namespace of its own; name is
// the kernel's side.
func withKernel(t *testing.T, f func(t *testing.T, d *core.Domain, in *core.Instance, ifc *core.Interface, name string)) {
	kernel.InNamespace(t, func(t *testing.T) {
		dev, err := tun.Open(tunio.Options{TAP: true, MTU: 1500})
		if err != nil {
			t.Skip(err)
		}
		r := coretest.New(t, host.NewRealTime())
		in := r.Instance("stack", kernel.Wiring())
		ifc, err := in.AddDevice(dev, "")
		if err != nil {
			t.Fatal(err)
		}
		f(t, r.Domain, in, ifc, dev.KernelName())
	})
}

// narrow is a link behind the router that carries 1280 bytes and nobody lives on.
type narrow struct{}

func (narrow) Properties() core.Properties {
	return core.Properties{Kind: "narrow", Link: core.LinkRaw, MTU: 1280, Flags: core.FlagPointToPoint | core.FlagNoARP}
}
func (narrow) Attach(*core.Interface) {}
func (narrow) Close() error           { return nil }
func (narrow) Send(batch []*core.Packet) int {
	for _, p := range batch {
		p.Free()
	}
	return len(batch)
}

// TestTheKernelTakesUsForARouter lets Linux configure itself from our
// advertisements and understand our errors.
func TestTheKernelTakesUsForARouter(t *testing.T) {
	withKernel(t, func(t *testing.T, d *core.Domain, in *core.Instance, ifc *core.Interface, name string) {
		if err := in.SetSysctl("net.ipv6.conf.all.forwarding", "1"); err != nil {
			t.Fatal(err)
		}
		far, err := in.AddDevice(narrow{}, "far")
		if err == nil {
			err = far.SetUp(true)
		}
		if err == nil {
			err = far.AddAddress(wire.MustPrefix("fd78::1/64"))
		}
		if err == nil {
			err = ifc.SetUp(true)
		}
		if err != nil {
			t.Fatal(err)
		}
		d.Do(func() {
			err = ifc.AddAddressLocked(&core.Address{Prefix: wire.MustPrefix("fd77::1/64"), Flags: core.AddressPermanent | core.AddressNoDAD})
			if err == nil {
				err = ipv6.Advertise(ifc, &ipv6.Advertisement{Fields: wire.RouterAdvertFields{Lifetime: 1800, CurHopLimit: 64}, Interval: 4 * time.Second,
					Prefixes: []wire.PrefixInfo{{Prefix: wire.MustPrefix("fd77::/64"), OnLink: true, Autonomous: true, Valid: 600, Preferred: 300}}})
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		kernel.Configure(t, name)
		ready := func() bool {
			out := kernel.MustCommand(t, "ip", "-6", "addr", "show", "dev", name, "scope", "global")
			return strings.Contains(out, "fd77:") && !strings.Contains(out, "tentative")
		}
		for end := time.Now().Add(15 * time.Second); !ready() && time.Now().Before(end); {
			kernel.Command(t, "ping", "-n", "-c", "1", "-W", "1", "ff02::1%"+name)
		}
		if !ready() {
			t.Fatalf("no address: %s", kernel.MustCommand(t, "ip", "-6", "addr"))
		}
		if out, ok := kernel.Command(t, "ping", "-n", "-c", "2", "-i", "0.2", "-W", "2", "fd77::1"); !ok {
			t.Errorf("ping: %s", out)
		}
		for _, c := range []struct{ args, want string }{
			{"-t 1 fd78::2", "Time exceeded: Hop limit"},
			{"fd99::2", "Destination unreachable: No route"},
			{"-M do -s 1400 fd78::2", "Packet too big: mtu=1280"},
		} {
			out, _ := kernel.Command(t, append([]string{"ping", "-n", "-c", "1", "-W", "1"}, strings.Fields(c.args)...)...)
			if !strings.Contains(out, c.want) {
				t.Errorf("ping %s: %s", c.args, out)
			}
		}
	})
}
