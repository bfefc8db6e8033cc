package plugin

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/congestion"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/plugin/control"
	"github.com/libos-go/libos/plugin/sandbox"
)

// Module is what a program serves.
type Module struct {
	Name        string // as modprobe has it: lower-case letters, digits, '-' and '_'
	Version     string // "1.2.3"; "" is "0.0.0"
	Description string // one line
	License     string // an SPDX identifier

	// Contract is the versions of the contract that the program speaks; zero: all that
	// this package knows.
	Contract control.Range

	Protocols []Protocol
	Devices   []core.DeviceKind
	Controls  []congestion.Algorithm

	// Parameters that modprobe may set. Configure is told their values, those that
	// were not set with their defaults, before anything is opened; its error
	// refuses to load.
	Parameters []Parameter
	Configure  func(values map[string]string) error

	// Needs is what the module needs beside memory and the way to its stack, and
	// beside what its device kinds say that they need. It is
	// in the manifest, where an administrator may refuse it. What Configure opens
	// needs nothing: the sandbox closes after it.
	Needs Privileges
}

// Privileges are what a module needs of the host that a protocol does not.
type Privileges = sandbox.Privileges

// Protocol is a transport protocol with its settings.
type Protocol struct {
	core.Protocol               // its NewHandler is set
	Sysctls       *sysctl.Table // nil if it has none
}

// Parameter is a setting of a module, fixed when it is loaded.
type Parameter struct {
	Name    string
	Help    string
	Default string
}

// check finds what an author forgot.
func (m *Module) check() error {
	if m.Name == "" || strings.ContainsFunc(m.Name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}) {
		return fmt.Errorf("plugin: a module has a name of lower-case letters, digits, '-' and '_', not %q", m.Name)
	}
	if len(m.Protocols)+len(m.Devices)+len(m.Controls) == 0 {
		return fmt.Errorf("plugin: module %s serves nothing: name a protocol, a device or a congestion control", m.Name)
	}
	if _, err := m.needs(); err != nil {
		return fmt.Errorf("plugin: module %s: Needs: %w", m.Name, err)
	}
	for _, p := range m.Protocols {
		if p.NewHandler == nil {
			return fmt.Errorf("plugin: module %s: protocol %q has no NewHandler: only a protocol behind core.Handler can be a module", m.Name, p.Name)
		}
		if len(p.Numbers) == 0 && len(p.Sockets) == 0 {
			return fmt.Errorf("plugin: module %s: protocol %q takes no protocol number and serves no sockets", m.Name, p.Name)
		}
	}
	for _, k := range m.Devices {
		if k.Open == nil || k.Kind == "" {
			return fmt.Errorf("plugin: module %s: device kind %q has no Open: only a device with an end of its own outside of the stack can be a module", m.Name, k.Kind)
		}
	}
	return nil
}

// needs are the privileges of the module and of its devices.
func (m *Module) needs() (Privileges, error) {
	names := m.Needs.Names()
	for _, k := range m.Devices {
		names = append(names, k.Needs...)
	}
	return sandbox.Parse(names)
}

// describe is the module in the words of the contract.
func (m *Module) describe() *control.Description {
	d := &control.Description{Name: m.Name, Version: m.Version, Contract: uint32(m.Contract.Known().Newest), OldestContract: uint32(m.Contract.Known().Oldest), Description: m.Description, License: m.License}
	if d.Version == "" {
		d.Version = "0.0.0"
	}
	if needs, err := m.needs(); err == nil { // check has seen to it
		d.Privileges = needs.Names()
	}
	for _, p := range m.Protocols {
		x := &control.Protocol{Name: p.Name, Numbers: slices.Clone(p.Numbers), ControlLevel: int32(p.ControlLevel)}
		for _, k := range p.Sockets {
			x.Sockets = append(x.Sockets, &control.SocketKind{Family: int32(k.Family), Type: int32(k.Type), Protocol: int32(k.Protocol)})
		}
		if t := p.Sysctls; t != nil {
			x.SysctlOwner = t.Owner
			for i := range t.Entries {
				e := &t.Entries[i]
				x.Sysctls = append(x.Sysctls, &control.Sysctl{Name: e.Name, Type: strings.TrimPrefix(fmt.Sprintf("%T", e.Pointer(t.Default)), "*"),
					Range: fmt.Sprintf("%d..%d", e.Min, e.Max), Unit: e.Unit, DefaultValue: e.Default, Help: e.Help, Field: e.Field})
			}
		}
		d.Protocols = append(d.Protocols, x)
	}
	for _, k := range m.Devices {
		d.Devices = append(d.Devices, &control.Device{Kind: k.Kind, Parameters: k.Parameters})
	}
	for _, a := range m.Controls {
		d.Controls = append(d.Controls, a.Name)
	}
	for _, p := range m.Parameters {
		d.Parameters = append(d.Parameters, &control.Parameter{Name: p.Name, Help: p.Help, DefaultValue: p.Default})
	}
	return d
}

// Main serves m and does not return. Started by hand, the program describes
// itself: `--describe` as JSON for a manifest, otherwise for people.
func Main(m Module) {
	if err := m.check(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if os.Getenv(control.SocketVariable) != "" {
		serve(&m)
		os.Exit(0)
	}
	d := m.describe()
	if len(os.Args) == 2 && os.Args[1] == "--describe" {
		b, err := protojson.MarshalOptions{Multiline: true}.Marshal(d)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(string(b))
		os.Exit(0)
	}
	fmt.Printf("%s %s is a module of libos: %s\n", d.Name, d.Version, d.Description)
	for _, p := range d.Protocols {
		fmt.Printf("  protocol %s, numbers %v\n", p.Name, p.Numbers)
	}
	for _, x := range d.Devices {
		fmt.Printf("  device %s\n", x.Kind)
	}
	for _, c := range d.Controls {
		fmt.Printf("  congestion control %s\n", c)
	}
	fmt.Printf("Load it by\n  libos modprobe %s\nor see what it serves by\n  %s --describe\n", d.Name, os.Args[0])
	os.Exit(2)
}
