package modules

import (
	"strings"

	"github.com/libos-go/libos/cmd/libos/command"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/plugin/modules"
)

// bring lets the stacks of this process have modules.
func bring(e *command.Env) {
	e.BringModules(func(o command.ModuleOptions) command.Modules {
		config := "\n" + e.Built().Config
		return &host{modules.New(modules.Options{
			Dirs:       []string{o.Dir},
			Privileges: o.Privileges,
			Have:       func(symbol string) bool { return strings.Contains(config, "\nCONFIG_"+symbol+"=y\n") },
			Blacklist:  o.Blacklist,
			Log:        o.Log,
		})}
	})
}

// host implements command.Modules.
type host struct{ *modules.Manager }

// Load starts a module, and ends it again if an instance does not take it.
func (h *host) Load(name string, parameters map[string]string, instances ...*core.Instance) (command.ModuleInfo, error) {
	before := len(h.Manager.List())
	mod, err := h.Manager.Load(name, parameters)
	if err != nil {
		return command.ModuleInfo{}, err
	}
	for _, in := range instances {
		if err := mod.Attach(in); err != nil {
			if len(h.Manager.List()) > before {
				_ = h.Unload(name) // what serves another instance by now stays
			}
			return command.ModuleInfo{}, err
		}
	}
	return info(mod.Status()), nil
}

// Replace implements command.Modules.
func (h *host) Replace(name string, parameters map[string]string, force bool) (command.ModuleInfo, int, error) {
	lost, err := h.Manager.Replace(name, modules.ReplaceOptions{Parameters: parameters, Force: force})
	if err != nil {
		return command.ModuleInfo{}, 0, err
	}
	for _, x := range h.List() {
		if x.Name == name {
			return x, lost, nil
		}
	}
	return command.ModuleInfo{Name: name}, lost, nil // unloaded by now
}

// List implements command.Modules.
func (h *host) List() []command.ModuleInfo {
	out := []command.ModuleInfo{}
	for _, st := range h.Manager.List() {
		out = append(out, info(st))
	}
	return out
}

func info(st modules.Status) command.ModuleInfo {
	t := &st.Traffic
	return command.ModuleInfo{Name: st.Name, Version: st.Version, State: string(st.State), PID: st.PID, Instances: st.Users, Sockets: st.Sockets, Devices: st.Devices,
		Restarts: st.Restarts, Replaced: st.Replaced, Packets: t.Packets, Frames: t.Frames, Dropped: t.Dropped, Sent: t.Sent, Received: t.Received, Faults: t.Faults, Reason: st.Reason}
}
