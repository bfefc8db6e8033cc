package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Spec describes an instance: what a host file or the flags of a command say.
type Spec struct {
	Name    string
	Memory  int64 // limit in bytes, 0 for none
	Wiring  *core.Wiring
	Devices []DeviceSpec
	Routes  []RouteSpec
	Sysctls []SysctlSpec
	// Modules of the stack, nil where there are none: for sockets that nothing
	// built in serves. Load are those that the instance has from its start.
	Modules Modules
	Load    []ModuleSpec
}

// DeviceSpec describes a device. Place is where it was written, for messages.
type DeviceSpec struct {
	Place      string
	Name       string // of the interface, "" lets the instance choose
	Kind       string
	Parameters map[string]string
	MTU        int         // 0 leaves the device's own
	Device     core.Device // the end of a link, made already; nil to open Kind
	Addresses  []AddressSpec
	// Usable addresses skip duplicate address detection: nobody else is on the
	// link.
	Usable bool
}

// AddressSpec is an address with its prefix length as text.
type AddressSpec struct{ Place, Text string }

// RouteSpec is a route in the words of ip route:
// PREFIX|default [via GATEWAY] [dev NAME] [src ADDRESS] [metric N] [mtu N].
type RouteSpec struct{ Place, Text string }

// SysctlSpec is a setting.
type SysctlSpec struct{ Place, Name, Value string }

// placed puts the place before a message.
func placed(place, format string, args ...any) error {
	if place != "" {
		format, args = "%s: "+format, append([]any{place}, args...)
	}
	return fmt.Errorf(format, args...)
}

// Kind finds a device kind that was built in.
func Kind(w *core.Wiring, kind string) (*core.DeviceKind, error) {
	for i := range w.Devices {
		if w.Devices[i].Kind == kind {
			return &w.Devices[i], nil
		}
	}
	return nil, fmt.Errorf("no device kind %q in this configuration (kinds: %s)", kind, strings.Join(kinds(w), " "))
}

// kinds names the device kinds of a wiring.
func kinds(w *core.Wiring) (names []string) {
	for i := range w.Devices {
		names = append(names, w.Devices[i].Kind)
	}
	return names
}

// CheckParameters refuses parameters that a kind does not have.
func CheckParameters(k *core.DeviceKind, parameters map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		if _, ok := k.Parameters[name]; !ok {
			return fmt.Errorf("%s has no parameter %q (parameters: %s)", k.Kind, name, strings.Join(slices.Sorted(maps.Keys(k.Parameters)), " "))
		}
	}
	return nil
}

// Make makes the instance in a Domain. Nothing is left of it when that fails.
func (s *Spec) Make(d *core.Domain) (*core.Instance, error) {
	o := core.Options{Name: s.Name, Wiring: s.Wiring, Domain: d, MemoryLimit: s.Memory}
	if s.Modules != nil {
		o.Autoload = s.Modules.Autoload()
	}
	in, err := core.New(o)
	if err != nil {
		return nil, err
	}
	if err := s.configure(in); err != nil {
		_ = in.Close()
		return nil, err
	}
	return in, nil
}

func (s *Spec) configure(in *core.Instance) error {
	for _, m := range s.Load { // before their settings are written
		if _, err := s.Modules.Load(m.Name, m.Parameters, in); err != nil {
			return placed(m.Place, "module %s: %w", m.Name, err)
		}
	}
	early := func(name string) bool { // settings of interfaces made later
		return !strings.Contains(name, ".conf.") || strings.Contains(name, ".conf.all.") || strings.Contains(name, ".conf.default.")
	}
	set := func(want bool) error {
		for _, x := range s.Sysctls {
			if early(x.Name) != want {
				continue
			}
			if err := in.SetSysctl(x.Name, x.Value); err != nil {
				return placed(x.Place, "%w", err)
			}
		}
		return nil
	}
	if err := set(true); err != nil {
		return err
	}
	for i := range s.Devices {
		if err := s.Devices[i].add(in, s.Modules); err != nil {
			return err
		}
	}
	for _, r := range s.Routes {
		if err := addRoute(in, r); err != nil {
			return err
		}
	}
	return set(false)
}

func (x *DeviceSpec) add(in *core.Instance, modules Modules) error {
	label := x.Kind
	if x.Name != "" {
		label = x.Name
	}
	dev := x.Device
	if dev == nil {
		k, err := Kind(in.Wiring(), x.Kind)
		if err != nil && modules != nil {
			var module core.DeviceKind
			if module, err = modules.DeviceKind(in, x.Kind); errors.Is(err, fs.ErrNotExist) {
				err = fmt.Errorf("no device kind %q in this configuration (kinds: %s), and %w", x.Kind, strings.Join(kinds(in.Wiring()), " "), err)
			}
			k = &module
		}
		if err != nil {
			return placed(x.Place, "%w", err)
		}
		if err := CheckParameters(k, x.Parameters); err != nil {
			return placed(x.Place, "%w", err)
		}
		if k.Open == nil {
			return placed(x.Place, "a %s joins two instances: describe it as a link between them", x.Kind)
		}
		if dev, err = k.Open(x.Parameters); err != nil {
			return placed(x.Place, "device %s: %w", label, err)
		}
	}
	ifc, err := in.AddDevice(dev, x.Name)
	if err != nil {
		_ = dev.Close()
		return placed(x.Place, "device %s: %w", label, err)
	}
	if x.MTU != 0 {
		if err := ifc.SetMTU(x.MTU); err != nil {
			return placed(x.Place, "device %s: MTU %d: %w", label, x.MTU, err)
		}
	}
	for _, a := range x.Addresses {
		p, err := wire.ParsePrefix(a.Text)
		if err != nil {
			return placed(a.Place, "address %s: write it with its prefix length, as in 10.0.0.2/24 or fd00::2/64", a.Text)
		}
		flags := core.AddressPermanent
		if x.Usable {
			flags |= core.AddressNoDAD
		}
		in.Domain().Do(func() { err = ifc.AddAddressLocked(&core.Address{Prefix: p, Flags: flags}) })
		switch {
		case errors.Is(err, syscall.EAFNOSUPPORT):
			return placed(a.Place, "address %s: this instance has no %s: choose it in the configuration, or remove the address", a.Text, family(p.Addr))
		case err != nil:
			return placed(a.Place, "address %s: %w", a.Text, err)
		}
	}
	if err := ifc.SetUp(true); err != nil {
		return placed(x.Place, "device %s: %w", label, err)
	}
	return nil
}

func family(a wire.Addr) string {
	if a.Is4() {
		return "IPv4"
	}
	return "IPv6"
}

// addRoute reads and adds a route.
func addRoute(in *core.Instance, r RouteSpec) error {
	e, dev, err := core.ParseRoute(r.Text)
	if err != nil {
		return placed(r.Place, "route %s: %w", r.Text, err)
	}
	if dev != "" {
		if e.Interface = in.InterfaceByName(dev); e.Interface == nil {
			return placed(r.Place, "route %s: no device %s (devices: %s)", r.Text, dev, devices(in))
		}
	}
	err = in.AddRoute(e)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENETUNREACH) && !e.Gateway.IsUnspecified():
		return placed(r.Place, "route %s: no device reaches %v (devices: %s)", r.Text, e.Gateway, devices(in))
	case errors.Is(err, syscall.ENODEV):
		return placed(r.Place, "route %s: where to? add `via GATEWAY` or `dev NAME` (devices: %s)", r.Text, devices(in))
	case errors.Is(err, syscall.EAFNOSUPPORT):
		return placed(r.Place, "route %s: this instance has no %s: choose it in the configuration, or remove the route", r.Text, family(e.Prefix.Addr))
	case errors.Is(err, syscall.EEXIST):
		return placed(r.Place, "route %s: there is one already: remove it, or give it another metric", r.Text)
	}
	return placed(r.Place, "route %s: %w", r.Text, err)
}

// devices lists the interfaces with their addresses, loopback excepted.
func devices(in *core.Instance) string {
	var list []string
	in.Domain().Do(func() {
		for _, ifc := range in.Interfaces() {
			if ifc == in.Loopback() {
				continue
			}
			text := ifc.Name()
			for _, a := range ifc.Addresses() {
				if !a.Prefix.Addr.IsLinkLocalUnicast() {
					text += " " + a.Prefix.String()
				}
			}
			list = append(list, text)
		}
	})
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

// WaitAddresses waits until no address but link-local ones is tentative any more
// (IPv6 duplicate address detection takes about a second), at most for a few
// seconds.
func WaitAddresses(ctx context.Context, instances ...*core.Instance) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		tentative, failed := false, ""
		for _, in := range instances {
			in.Domain().Do(func() {
				for _, ifc := range in.Interfaces() {
					for _, a := range ifc.Addresses() {
						if a.Flags&core.AddressDADFailed != 0 {
							failed = fmt.Sprintf("%s: address %v on %s: another host has it: choose another one", in.Name(), a.Prefix.Addr, ifc.Name())
						} else if a.Flags&core.AddressTentative != 0 && !a.Prefix.Addr.IsLinkLocalUnicast() {
							tentative = true
						}
					}
				}
			})
		}
		if failed != "" {
			return errors.New(failed)
		}
		if !tentative {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
