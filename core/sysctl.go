package core

import (
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/libos-go/libos/core/sysctl"
)

// sysctlState is an instance's view of its settings: for each table the shared
// default block until the first write, a copy of its own after. Tables are
// numbered: networks, protocols, others, then the device tables of networks.
type sysctlState struct {
	*sysctlBlocks
	own bool // they are this instance's alone: something was written
}

type sysctlBlocks struct {
	blocks  []any // by table; for a device table the "all" block
	fresh   []any // device tables: the "default" block
	device  int   // tables from here on are of devices
	ports   int   // the table of PortSysctls
	buffers int   // the table of BufferSysctls
	qdisc   int   // the table of net.core.default_qdisc + 1, 0 for none
}

// set replaces blocks[i], setFresh fresh[i]; the first of them takes the
// instance's blocks away from those that it shared.
func (s *sysctlState) set(i int, block any)      { s.write().blocks[i] = block }
func (s *sysctlState) setFresh(i int, block any) { s.write().fresh[i] = block }

func (s *sysctlState) write() *sysctlBlocks {
	if !s.own {
		b := *s.sysctlBlocks
		b.blocks, b.fresh = slices.Clone(b.blocks), slices.Clone(b.fresh)
		s.sysctlBlocks, s.own = &b, true
	}
	return s.sysctlBlocks
}

// sysctlTable is the table of a number.
func (w *Wiring) sysctlTable(i int) *sysctl.Table {
	if i < len(w.Networks) {
		return w.Networks[i].Sysctls
	}
	if i -= len(w.Networks); i < len(w.Protocols) {
		return w.Protocols[i].Sysctls
	}
	if i -= len(w.Protocols); i < len(w.Sysctls) {
		return w.Sysctls[i]
	}
	return w.Networks[i-len(w.Sysctls)].Devices
}

func (in *Instance) sysctlTables() int { return in.sysctls.device + len(in.wiring.Networks) }

// initSysctls gives the instance the defaults, which the Domain keeps for the
// next instance of the same wiring.
func (in *Instance) initSysctls() {
	d := in.domain
	if d.defaults.wiring != in.wiring {
		d.defaults.wiring, d.defaults.sysctls = in.wiring, in.wiring.sysctlDefaults()
	}
	in.sysctls = sysctlState{sysctlBlocks: d.defaults.sysctls}
}

func (w *Wiring) sysctlDefaults() *sysctlBlocks {
	s := &sysctlBlocks{device: len(w.Networks) + len(w.Protocols) + len(w.Sysctls), fresh: make([]any, len(w.Networks))}
	s.blocks = make([]any, s.device+len(w.Networks))
	for i := range s.blocks {
		t := w.sysctlTable(i)
		if t == nil {
			continue
		}
		s.blocks[i] = t.Default
		if i >= s.device {
			s.blocks[i], s.fresh[i-s.device] = t.ForAll(), t.Default
		}
		switch t.Default.(type) {
		case *PortSysctls:
			s.ports = i
		case *BufferSysctls:
			s.buffers = i
		}
		if _, ok := t.Default.(defaultQdisc); ok {
			s.qdisc = i + 1
		}
	}
	return s
}

// SysctlKeeper is implemented by a transport with settings that depend on what it
// was made of. All calls happen inside an entry.
type SysctlKeeper interface {
	// ReadSysctl is what a setting shows whose field says value.
	ReadSysctl(name, value string) string
	// CheckSysctl judges a block in which the setting of that name was written,
	// before it holds: an errno refuses it.
	CheckSysctl(name string, block any) error
}

// sysctlKeeper is the transport that looks after a table itself, nil if none does.
func (in *Instance) sysctlKeeper(table int) SysctlKeeper {
	i := table - len(in.wiring.Networks)
	if i < 0 || i >= len(in.transports) {
		return nil
	}
	k, _ := in.transports[i].(SysctlKeeper)
	return k
}

// SysctlView is a protocol's access to its own settings.
type SysctlView struct {
	in    *Instance
	table int
}

// Block is the protocol's struct of settings, to be read only. It is another
// one after EventSysctl.
func (v SysctlView) Block() any { return v.in.sysctls.blocks[v.table] }

// Device is the struct of an interface's settings (network protocols).
func (v SysctlView) Device(ifc *Interface) any {
	return v.in.deviceBlock(ifc, v.table, v.in.sysctls.fresh[v.table])
}

// Untouched tells that nobody wrote a setting that bears on an interface: what
// follows from them is the same in all instances of the wiring.
func (v SysctlView) Untouched(ifc *Interface) bool {
	return !v.in.sysctls.own && v.in.deviceBlock(ifc, v.table, nil) == nil
}

// All is the struct of the settings under the name "all".
func (v SysctlView) All() any { return v.in.sysctls.blocks[v.in.sysctls.device+v.table] }

// find resolves a name (dots or slashes) to a table, an entry and, for a
// device's name, "all", "default" or an interface.
func (in *Instance) findSysctl(name string) (table int, e *sysctl.Entry, dev string, err error) {
	name = strings.ReplaceAll(strings.TrimPrefix(name, "/proc/sys/"), "/", ".")
	for ti := range in.sysctlTables() {
		t := in.wiring.sysctlTable(ti)
		if t == nil {
			continue
		}
		for ei := range t.Entries {
			x := &t.Entries[ei]
			if x.Name == name {
				if x.Alias != "" {
					return in.findSysctl(x.Alias)
				}
				return ti, x, "", nil
			}
			if pre, post, ok := strings.Cut(x.Name, "{dev}"); ok && strings.HasPrefix(name, pre) && strings.HasSuffix(name, post) && len(name) > len(pre)+len(post) {
				return ti, x, name[len(pre) : len(name)-len(post)], nil
			}
		}
	}
	return 0, nil, "", fmt.Errorf("sysctl %s: there is no such setting in this configuration: %w", name, syscall.ENOENT)
}

func (in *Instance) sysctlBlock(table int, dev string) (any, *Interface, error) {
	s := &in.sysctls
	switch dev {
	case "", "all":
		return s.blocks[table], nil, nil
	case "default":
		return s.fresh[table-s.device], nil, nil
	}
	ifc := in.interfaceByName(dev)
	if ifc == nil {
		return nil, nil, fmt.Errorf("sysctl: no interface %s: %w", dev, syscall.ENOENT)
	}
	return SysctlView{in, table - s.device}.Device(ifc), ifc, nil
}

// Sysctl reads a setting by its dotted name.
func (in *Instance) Sysctl(name string) (string, error) {
	var out string
	var err error
	in.domain.Do(func() { out, err = in.SysctlLocked(name) })
	return out, err
}

// SysctlLocked is Sysctl inside an entry.
func (in *Instance) SysctlLocked(name string) (string, error) {
	table, e, dev, err := in.findSysctl(name)
	if err != nil {
		return "", err
	}
	block, _, err := in.sysctlBlock(table, dev)
	if err != nil {
		return "", err
	}
	out := e.Get(block)
	if k := in.sysctlKeeper(table); k != nil {
		out = k.ReadSysctl(e.Name, out)
	}
	return out, nil
}

// SetSysctl writes a setting. ENOENT for an unknown name, EINVAL for a value
// out of range. A setting of "default" holds for interfaces made later, one of
// "all" as its table says.
func (in *Instance) SetSysctl(name, value string) error {
	var err error
	in.domain.Do(func() { err = in.setSysctl(name, value) })
	return err
}

// SetSysctlLocked is SetSysctl inside an entry.
func (in *Instance) SetSysctlLocked(name, value string) error { return in.setSysctl(name, value) }

func (in *Instance) setSysctl(name, value string) error {
	table, e, dev, err := in.findSysctl(name)
	if err != nil {
		return err
	}
	s := &in.sysctls
	block, ifc, err := in.sysctlBlock(table, dev)
	if err != nil {
		return err
	}
	t := in.wiring.sysctlTable(table)
	own := t.Clone(block)
	if err := e.Set(own, value); err != nil {
		return err
	}
	if k := in.sysctlKeeper(table); k != nil {
		if err := k.CheckSysctl(e.Name, own); err != nil {
			return fmt.Errorf("sysctl %s = %q: %w", e.Name, value, err)
		}
	}
	if b, ok := own.(defaultQdisc); ok {
		if err := in.checkDefaultQdisc(b.DefaultQdisc()); err != nil {
			return fmt.Errorf("sysctl %s = %q: %w", e.Name, value, err)
		}
	}
	switch {
	case table < s.device:
		s.set(table, own)
		in.sysctlChanged(table, own, nil)
		return nil
	case dev == "all":
		s.set(table, own)
		if e.All == "set" {
			def := t.Clone(s.fresh[table-s.device])
			_ = e.Set(def, value)
			old := s.fresh[table-s.device]
			s.setFresh(table-s.device, def)
			for _, x := range in.Interfaces() {
				cur := in.deviceBlock(x, table-s.device, old)
				c := t.Clone(cur)
				_ = e.Set(c, value)
				in.setDeviceBlock(x, table-s.device, c)
			}
		}
	case dev == "default":
		// Interfaces that follow the old default by sharing it keep its values;
		// those of IPv4 only once they have an address (devinet.c,
		// devinet_copy_dflt_conf and ipv4_devconf_setall).
		old := s.fresh[table-s.device]
		v4 := in.wiring.Networks[table-s.device].Network.Family == AFInet
		for _, x := range in.Interfaces() {
			if v4 && x.FirstAddress(true) == nil {
				continue
			}
			in.setDeviceBlock(x, table-s.device, in.deviceBlock(x, table-s.device, old))
		}
		s.setFresh(table-s.device, own)
	default:
		in.setDeviceBlock(ifc, table-s.device, own)
	}
	in.invalidateRoutes()
	in.sysctlChanged(table, own, ifc)
	return nil
}

func (in *Instance) deviceBlock(ifc *Interface, network int, def any) any {
	if o := ifc.seldom; o != nil && o.sysctls != nil && o.sysctls[network] != nil {
		return o.sysctls[network]
	}
	return def
}

func (in *Instance) setDeviceBlock(ifc *Interface, network int, block any) {
	o := ifc.own()
	if o.sysctls == nil {
		o.sysctls = make([]any, len(in.wiring.Networks))
	}
	o.sysctls[network] = block
}

// sysctlChanged tells the owner of a table.
func (in *Instance) sysctlChanged(table int, block any, ifc *Interface) {
	e := &Event{Kind: EventSysctl, Sysctls: block, Interface: ifc}
	n, p := len(in.wiring.Networks), len(in.wiring.Protocols)
	switch {
	case table < n:
		in.networks[table].Event(e)
	case table < n+p:
		in.transports[table-n].Event(e)
	case table >= in.sysctls.device:
		in.networks[table-in.sysctls.device].Event(e)
	}
}

// SysctlNames are all names of the instance, sorted as the tables have them,
// with each interface's own.
func (in *Instance) SysctlNames() []string {
	var out []string
	in.domain.Do(func() {
		for ti := range in.sysctlTables() {
			t := in.wiring.sysctlTable(ti)
			if t == nil {
				continue
			}
			for i := range t.Entries {
				e := &t.Entries[i]
				if !e.PerDevice() {
					out = append(out, e.Name)
					continue
				}
				for _, dev := range []string{"all", "default"} {
					out = append(out, strings.Replace(e.Name, "{dev}", dev, 1))
				}
				for _, ifc := range in.Interfaces() {
					out = append(out, strings.Replace(e.Name, "{dev}", ifc.name, 1))
				}
			}
		}
	})
	return out
}
