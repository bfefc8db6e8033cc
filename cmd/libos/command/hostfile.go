package command

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/sim/tomlplace"
)

// HostFile describes instances and the links between them, as a TOML file does.
type HostFile struct {
	Name      string
	Instances []*Spec
	// Load are modules that every instance has from its start; the others come
	// when a socket wants them, but for those of the Blacklist.
	Load      []ModuleSpec
	Blacklist []string
	// ModuleDir has the modules, "" is DefaultModuleDir.
	ModuleDir string
	// ModulePrivileges are those that modules may ask for; nil: whatever they do.
	ModulePrivileges []string
	// Log is told of modules that start and end; nil is the standard error.
	Log   *slog.Logger
	links []*link
}

// link is a device with two ends.
type link struct {
	place      string
	name       string
	kind       string
	parameters map[string]string
	ends       []end
}

// end is a device, by index.
type end struct{ instance, device int }

// fileText is the file as TOML has it.
type fileText struct {
	Modules          []string         `toml:"modules"`
	Blacklist        []string         `toml:"blacklist"`
	ModuleDir        string           `toml:"module_dir"`
	ModulePrivileges *[]string        `toml:"module_privileges"`
	Instance         []instanceText   `toml:"instance"`
	Link             []map[string]any `toml:"link"`
}

type instanceText struct {
	Name   string           `toml:"name"`
	Config string           `toml:"config"`
	Memory string           `toml:"memory"`
	Device []map[string]any `toml:"device"`
	Routes []string         `toml:"routes"`
	Sysctl map[string]any   `toml:"sysctl"`
}

// ReadHostFile reads a host file.
func (e *Env) ReadHostFile(path string) (*HostFile, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return e.ParseHostFile(path, string(text))
}

// ParseHostFile reads the text of a host file; a .config that it names is
// looked for beside path.
func (e *Env) ParseHostFile(path, text string) (*HostFile, error) {
	name := filepath.Base(path)
	if line := tomlplace.TooDeep(text); line != 0 {
		return nil, fmt.Errorf("%s:%d: this nests more than %d deep: no table of a host file does", name, line, tomlplace.MaxNesting)
	}
	var t fileText
	meta, err := toml.Decode(text, &t)
	if err != nil {
		var p toml.ParseError
		if errors.As(err, &p) {
			return nil, fmt.Errorf("%s:%d: %s", name, p.Position.Line, p.Message)
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	lines := tomlplace.Locate(text)
	at := func(key string) string { return fmt.Sprintf("%s:%d", name, lines.Of(key)) }
	for _, k := range meta.Undecoded() {
		return nil, fmt.Errorf("%s: unknown key %s: the tables are [[instance]], [[instance.device]], [instance.sysctl] and [[link]], before them stand modules, blacklist, module_dir and module_privileges, an instance has name, config, memory and routes",
			name+lines.Anywhere(k[len(k)-1]), k)
	}
	if len(t.Instance) == 0 {
		return nil, fmt.Errorf("%s: there is no [[instance]]: `libos up --help` shows an example", name)
	}
	f := &HostFile{Name: name}
	if err := f.modules(e, path, &t, at); err != nil {
		return nil, err
	}
	for i, l := range t.Link {
		key := fmt.Sprintf("link.%d", i)
		x := &link{place: at(key), kind: "pipe", parameters: map[string]string{}}
		for k, v := range l {
			switch k {
			case "name":
				x.name = fmt.Sprint(v)
				x.parameters[k] = x.name
			case "kind":
				x.kind = fmt.Sprint(v)
			default:
				x.parameters[k] = fmt.Sprint(v)
			}
		}
		if x.name == "" {
			return nil, fmt.Errorf("%s: the link has no name, by which devices refer to it", x.place)
		}
		f.links = append(f.links, x)
	}
	for i := range t.Instance {
		if err := f.instance(e, path, i, &t.Instance[i], at); err != nil {
			return nil, err
		}
	}
	for _, l := range f.links {
		if len(l.ends) != 2 {
			return nil, fmt.Errorf("%s: link %s has %d ends: name it (link = %q) in exactly two devices", l.place, l.name, len(l.ends), l.name)
		}
	}
	return f, nil
}

func (f *HostFile) instance(e *Env, path string, i int, t *instanceText, at func(string) string) error {
	key := fmt.Sprintf("instance.%d", i)
	s := &Spec{Name: t.Name, Wiring: e.Built()}
	if s.Name == "" {
		s.Name = fmt.Sprintf("host%d", i+1)
	}
	for _, x := range f.Instances {
		if x.Name == s.Name {
			return fmt.Errorf("%s: there is an instance %s already: names are unique in a file", at(key), s.Name)
		}
	}
	if t.Memory != "" {
		n, err := ParseSize(t.Memory)
		if err != nil {
			return fmt.Errorf("%s: memory: %w", at(key+".memory"), err)
		}
		s.Memory = n
	}
	if t.Config != "" {
		place := at(key + ".config")
		if e.Narrow == nil {
			return fmt.Errorf("%s: instances of this binary all have its configuration", place)
		}
		p := t.Config
		if !filepath.IsAbs(p) {
			p = filepath.Join(filepath.Dir(path), p)
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return fmt.Errorf("%s: %w", place, err)
		}
		if s.Wiring, err = e.Narrow(t.Config, string(text)); err != nil {
			return fmt.Errorf("%s: %w", place, err)
		}
	}
	for j, d := range t.Device {
		if err := f.device(s, len(f.Instances), fmt.Sprintf("%s.device.%d", key, j), d, at); err != nil {
			return err
		}
	}
	for j, r := range t.Routes {
		s.Routes = append(s.Routes, RouteSpec{at(fmt.Sprintf("%s.routes.%d", key, j)), r})
	}
	for _, k := range slices.Sorted(maps.Keys(t.Sysctl)) {
		v := t.Sysctl[k]
		if b, ok := v.(bool); ok {
			v = map[bool]int{false: 0, true: 1}[b]
		}
		s.Sysctls = append(s.Sysctls, SysctlSpec{at(key + ".sysctl." + k), k, fmt.Sprint(v)})
	}
	f.Instances = append(f.Instances, s)
	return nil
}

func (f *HostFile) device(s *Spec, instance int, key string, t map[string]any, at func(string) string) error {
	x := DeviceSpec{Place: at(key), Parameters: map[string]string{}}
	via := ""
	for _, k := range slices.Sorted(maps.Keys(t)) {
		place := at(key + "." + k)
		switch v := t[k].(type) {
		case []any:
			if k != "addresses" {
				return fmt.Errorf("%s: %s is not a list", place, k)
			}
			for i, a := range v {
				x.Addresses = append(x.Addresses, AddressSpec{at(fmt.Sprintf("%s.addresses.%d", key, i)), fmt.Sprint(a)})
			}
		case map[string]any:
			return fmt.Errorf("%s: %s is not a table", place, k)
		default:
			value := fmt.Sprint(v)
			switch k {
			case "name":
				x.Name = value
			case "kernel": // the kernel's name of the other side
				x.Parameters["name"] = value
			case "kind":
				x.Kind = value
			case "link":
				via = value
			case "usable":
				x.Usable = value == "true"
			case "addresses":
				x.Addresses = append(x.Addresses, AddressSpec{place, value})
			default:
				x.Parameters[k] = value
			}
		}
	}
	s.Devices = append(s.Devices, x)
	if via == "" {
		if x.Kind == "" {
			return fmt.Errorf("%s: the device has neither a kind nor a link (kinds: %s)", x.Place, strings.Join(kinds(s.Wiring), " "))
		}
		return nil
	}
	for _, l := range f.links {
		if l.name == via {
			if x.Kind != "" || len(x.Parameters) > 0 {
				return fmt.Errorf("%s: the device is an end of link %s: its kind and parameters belong there", x.Place, via)
			}
			l.ends = append(l.ends, end{instance, len(s.Devices) - 1})
			return nil
		}
	}
	return fmt.Errorf("%s: there is no link %s: describe it as [[link]] with name = %q", at(key+".link"), via, via)
}

// Stacks are running instances.
type Stacks struct {
	Instances []*core.Instance
	Modules   Modules // nil where the binary has none
	domains   []*core.Domain
}

// Start makes the instances of the file in real time. Those joined by links
// share a Domain.
func (f *HostFile) Start(e *Env) (*Stacks, error) {
	group := make([]int, len(f.Instances))
	for i := range group {
		group[i] = i
	}
	var find func(int) int
	find = func(i int) int {
		if group[i] != i {
			group[i] = find(group[i])
		}
		return group[i]
	}
	for _, l := range f.links {
		k, err := Kind(e.Built(), l.kind)
		if err == nil {
			err = CheckParameters(k, l.parameters)
		}
		if err == nil && k.OpenPair == nil {
			err = fmt.Errorf("a %s does not join two instances: describe it as a device of one", l.kind)
		}
		if err != nil {
			return nil, placed(l.place, "link %s: %w", l.name, err)
		}
		a, b, err := k.OpenPair(l.parameters)
		if err != nil {
			return nil, placed(l.place, "link %s: %w", l.name, err)
		}
		f.end(l.ends[0]).Device, f.end(l.ends[1]).Device = a, b
		group[find(l.ends[0].instance)] = find(l.ends[1].instance)
	}
	h := host.NewRealTime()
	s := &Stacks{Modules: f.open(e)}
	domains := map[int]*core.Domain{}
	for i, x := range f.Instances {
		d := domains[find(i)]
		if d == nil {
			d = core.NewDomain(h, core.DomainOptions{})
			domains[find(i)] = d
			s.domains = append(s.domains, d)
		}
		x.Modules, x.Load = s.Modules, f.Load
		in, err := x.Make(d)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.Instances = append(s.Instances, in)
	}
	return s, nil
}

func (f *HostFile) end(e end) *DeviceSpec { return &f.Instances[e.instance].Devices[e.device] }

// Close ends the instances, then the modules that served them. The error names
// what the instances still held.
func (s *Stacks) Close() error {
	var errs []error
	for _, in := range slices.Backward(s.Instances) {
		errs = append(errs, in.Close())
	}
	if s.Modules != nil {
		s.Modules.Close()
	}
	for _, d := range s.domains {
		errs = append(errs, d.Close())
	}
	s.Instances, s.Modules, s.domains = nil, nil, nil
	return errors.Join(errs...)
}
