package modules

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/libos-go/libos/cmd/libos/command"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/remote"
	"github.com/libos-go/libos/plugin/control"
	"github.com/libos-go/libos/plugin/modules"
)

// Info is what modinfo tells of a module.
type Info struct {
	Name        string      `json:"name"`
	Version     string      `json:"version"`
	Description string      `json:"description"`
	License     string      `json:"license"`
	File        string      `json:"file"`
	Manifest    string      `json:"manifest"`
	SHA256      string      `json:"sha256"`
	Contract    uint32      `json:"contract"`
	Symbol      string      `json:"symbol,omitempty"`
	Needs       []string    `json:"needs"`
	Privileges  []string    `json:"privileges"`
	Protocols   []Protocol  `json:"protocols"`
	Devices     []Device    `json:"devices"`
	Controls    []string    `json:"congestion_controls"`
	Parameters  []Parameter `json:"parameters"`
}

// Protocol of a module.
type Protocol struct {
	Name    string   `json:"name"`
	Numbers []int    `json:"numbers"` // of IP
	Aliases []string `json:"aliases"` // of its sockets, as Linux has them
	Sysctls []Sysctl `json:"sysctls"`
}

// Sysctl is a setting of a protocol.
type Sysctl struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Default string `json:"default"`
	Range   string `json:"range,omitempty"`
	Unit    string `json:"unit,omitempty"`
	Help    string `json:"help,omitempty"`
}

// Device is a kind of device, with the meaning of its parameters.
type Device struct {
	Kind       string            `json:"kind"`
	Alias      string            `json:"alias"`
	Parameters map[string]string `json:"parameters,omitempty"`
}

// Parameter of modprobe.
type Parameter struct {
	Name    string `json:"name"`
	Default string `json:"default"`
	Help    string `json:"help,omitempty"`
}

// Modinfo is `libos modinfo`.
func Modinfo(e *command.Env) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "modinfo NAME|FILE...",
		Short: "Show what modules serve",
		Long: `Show the manifest of modules, loaded or not: what they serve, the sockets that
load them, their settings and parameters, what they need of the stack. No stack
need run.`,
		Example: `  libos modinfo udp
  libos modinfo build/modules/modules/udp -o json`,
		Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return found(nil)
		},
		RunE: func(_ *cobra.Command, args []string) error {
			for _, name := range args {
				d := dir
				if d == "" {
					d = command.DefaultModuleDir()
				}
				if filepath.Base(name) != name {
					d, name = filepath.Dir(name), filepath.Base(name)
				}
				m, err := modules.ReadManifest(d, strings.TrimSuffix(name, ".json"))
				if err != nil {
					return fmt.Errorf("%w (folders: --modules DIR)", err)
				}
				x := describe(m)
				if e.JSON() {
					err = e.Print(x)
				} else {
					x.show(e)
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().StringVar(&dir, "modules", "", "`DIR` of the modules (modules beside this program)")
	_ = c.MarkFlagDirname("modules")
	return c
}

func describe(m *modules.Manifest) Info {
	d := m.Described()
	x := Info{Name: m.Name(), Version: d.GetVersion(), Description: d.GetDescription(), License: d.GetLicense(), File: m.Program(),
		Manifest: m.File(), SHA256: m.SHA256, Contract: d.GetContract(), Symbol: m.Symbol, Needs: append([]string{}, m.Needs...), Privileges: append([]string{}, d.GetPrivileges()...),
		Protocols: []Protocol{}, Devices: []Device{}, Controls: append([]string{}, d.GetControls()...), Parameters: []Parameter{}}
	for _, p := range d.GetProtocols() {
		x.Protocols = append(x.Protocols, describeProtocol(p))
	}
	for _, v := range d.GetDevices() {
		x.Devices = append(x.Devices, Device{v.GetKind(), modules.DeviceAlias(v.GetKind()), v.GetParameters()})
	}
	for _, p := range d.GetParameters() {
		x.Parameters = append(x.Parameters, Parameter{p.GetName(), p.GetDefaultValue(), p.GetHelp()})
	}
	return x
}

func describeProtocol(p *control.Protocol) Protocol {
	x := Protocol{Name: p.GetName(), Numbers: []int{}, Aliases: []string{}, Sysctls: []Sysctl{}}
	for _, n := range p.GetNumbers() {
		x.Numbers = append(x.Numbers, int(n))
	}
	for _, k := range p.GetSockets() {
		x.Aliases = append(x.Aliases, modules.Alias(core.SocketKind{Family: int(k.GetFamily()), Type: int(k.GetType()), Protocol: int(k.GetProtocol())}))
	}
	for _, s := range p.GetSysctls() {
		x.Sysctls = append(x.Sysctls, Sysctl{s.GetName(), s.GetType(), s.GetDefaultValue(), s.GetRange(), s.GetUnit(), s.GetHelp()})
	}
	return x
}

// show prints it as modinfo(8) does: a field, then its value, whose text is the
// module's.
func (x *Info) show(e *command.Env) {
	say := func(field, format string, args ...any) {
		e.Printf("%-15s %s\n", field+":", remote.Plain(strings.TrimSpace(fmt.Sprintf(format, args...))))
	}
	say("name", "%s", x.Name)
	say("version", "%s", x.Version)
	say("description", "%s", x.Description)
	say("license", "%s", x.License)
	say("filename", "%s", x.File)
	say("sha256", "%s", x.SHA256)
	say("contract", "%d", x.Contract)
	if x.Symbol != "" {
		say("symbol", "CONFIG_%s=m", x.Symbol)
	}
	if len(x.Needs) > 0 {
		say("depends", "CONFIG_%s", strings.Join(x.Needs, ", CONFIG_"))
	}
	if len(x.Privileges) > 0 {
		say("privileges", "%s", strings.Join(x.Privileges, ", "))
	}
	for _, p := range x.Protocols {
		say("protocol", "%s, IP protocol %s", p.Name, strings.Trim(fmt.Sprint(p.Numbers), "[]"))
		for _, a := range p.Aliases {
			say("alias", "%s", a)
		}
		for _, s := range p.Sysctls {
			say("sysctl", "%s = %s: %s", s.Name, s.Default, s.Help)
		}
	}
	for _, d := range x.Devices {
		say("device", "%s", d.Kind)
		say("alias", "%s", d.Alias)
		for _, k := range slices.Sorted(maps.Keys(d.Parameters)) {
			say("  parameter", "%s: %s", k, d.Parameters[k])
		}
	}
	for _, c := range x.Controls {
		say("congestion", "%s", c)
	}
	for _, p := range x.Parameters {
		say("parm", "%s = %q: %s", p.Name, p.Default, p.Help)
	}
}
