package modules

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/plugin/control"
)

// DeviceAlias is the name under which a module is asked for that serves a kind of
// device.
func DeviceAlias(kind string) string { return "libos-device-" + kind }

// Device opens a device for an instance, of a kind that a module serves. The module
// is loaded if need be, unless it is on the blacklist. The device is the caller's, to
// be added to that instance and to no other one; its error is that of the device in
// the module, and names the parameter and the cure.
func (m *Manager) Device(in *core.Instance, kind string, parameters map[string]string) (core.Device, error) {
	k, err := m.DeviceKind(in, kind)
	if err != nil {
		return nil, err
	}
	return k.Open(parameters)
}

// DeviceKind is a kind of device that a module serves: its Open makes devices for
// one instance, and loads the module if need be. fs.ErrNotExist says that no module
// serves it.
func (m *Manager) DeviceKind(in *core.Instance, kind string) (core.DeviceKind, error) {
	manifests, unreadable := m.Available()
	var known []string
	for _, x := range manifests {
		for _, d := range x.description.GetDevices() {
			known = append(known, d.GetKind())
			if d.GetKind() != kind {
				continue
			}
			if slices.Contains(m.o.Blacklist, x.Name()) && m.has(x.Name()) == nil {
				return core.DeviceKind{}, fmt.Errorf("modules: %s has devices of kind %s, but is on the blacklist: load it by name first (libos modprobe %s)", x.Name(), kind, x.Name())
			}
			return m.deviceKind(in, x.Name(), d), nil
		}
	}
	err := fmt.Errorf("no module in %s has devices of kind %s (kinds: %s): %w", strings.Join(m.o.Dirs, ", "), kind, strings.Join(known, " "), fs.ErrNotExist)
	return core.DeviceKind{}, errors.Join(err, unreadable)
}

// deviceKind is what a module says of a kind, with the way to open devices of it.
func (m *Manager) deviceKind(in *core.Instance, module string, d *control.Device) core.DeviceKind {
	kind := d.GetKind()
	return core.DeviceKind{Kind: kind, Parameters: maps.Clone(d.GetParameters()), Open: func(parameters map[string]string) (core.Device, error) {
		mod, err := m.Load(module, nil)
		if err != nil {
			return nil, err
		}
		mod.attaching.Lock() // against Unload
		defer mod.attaching.Unlock()
		mod.mu.Lock()
		ended := mod.ended
		mod.mu.Unlock()
		if ended {
			return nil, fmt.Errorf("modules: %s was unloaded meanwhile: %w", module, syscall.ENODEV)
		}
		s, err := mod.session(in.Domain())
		if err != nil {
			return nil, err
		}
		dev, err := s.OpenDevice(kind, parameters)
		if err != nil {
			return nil, err
		}
		return dev, nil
	}}
}

// has is the loaded module of that name, nil if there is none. It waits for no module
// that is being started.
func (m *Manager) has(name string) *Module {
	m.list.Lock()
	defer m.list.Unlock()
	return m.find(name)
}

// devices are those of the module that are open, and the instances that have them.
func (mod *Module) devices() (kinds []string, instances []*core.Instance) {
	mod.mu.Lock()
	sessions := mod.all()
	mod.mu.Unlock()
	for _, s := range sessions {
		for _, d := range s.Devices() {
			kinds = append(kinds, d.Kind())
			if in := d.Instance(); in != nil && !slices.Contains(instances, in) {
				instances = append(instances, in)
			}
		}
	}
	return kinds, instances
}

// idle is EBUSY while devices of the module are open.
func (mod *Module) idle() error {
	kinds, instances := mod.devices()
	if len(kinds) == 0 {
		return nil
	}
	var of []string
	for _, in := range instances {
		of = append(of, in.Name())
	}
	return fmt.Errorf("modules: %s is in use: %d devices (%s) of %s: %w", mod.manifest.Name(), len(kinds), strings.Join(kinds, " "), strings.Join(of, " "), syscall.EBUSY)
}
