package modules

import (
	"slices"

	"github.com/libos-go/libos/plugin/session"
)

// State of a module.
type State string

// The states of a loaded module.
const (
	Live       State = "live"
	Restarting State = "restarting"
)

// Status is what lsmod shows of a module.
type Status struct {
	Name     string        `json:"name"`
	Version  string        `json:"version"`
	State    State         `json:"state"`
	PID      int           `json:"pid"`
	Contract int           `json:"contract"` // the version that it and this libos have agreed on
	Users    int           `json:"users"`    // instances
	Sockets  int           `json:"sockets"`
	Devices  int           `json:"devices"`
	Restarts int           `json:"restarts"`
	Replaced int           `json:"replaced"`         // times that another process took over while it was in use
	Reason   string        `json:"reason,omitempty"` // why it was lost last
	Traffic  session.Stats `json:"traffic"`
}

// List shows the loaded modules in the order in which they were loaded.
func (m *Manager) List() []Status {
	m.list.Lock()
	loaded := slices.Clone(m.loaded)
	m.list.Unlock()
	out := make([]Status, 0, len(loaded))
	for _, mod := range loaded {
		out = append(out, mod.Status())
	}
	return out
}

// Status of the module now.
func (mod *Module) Status() Status {
	mod.mu.Lock()
	st := Status{Name: mod.name, Version: mod.manifest.description.GetVersion(), State: Restarting, Users: len(mod.users), Restarts: mod.restarts,
		Replaced: mod.replaced}
	if mod.process != nil {
		st.State, st.PID, st.Contract = Live, mod.process.pid(), mod.process.client.NegotiatedVersion()
	}
	if mod.reason != nil {
		st.Reason = plain{mod.reason}.Error()
	}
	users, sessions := slices.Clone(mod.users), mod.all()
	st.Traffic = mod.retired
	mod.mu.Unlock()
	for _, u := range users {
		for _, p := range u.protocols {
			st.Sockets += u.in.SocketsOf(p)
		}
	}
	for _, s := range sessions {
		st.Traffic.Add(s.Stats())
	}
	kinds, instances := mod.devices()
	st.Devices = len(kinds)
	for _, in := range instances {
		if !slices.ContainsFunc(users, func(u user) bool { return u.in == in }) {
			st.Users++
		}
	}
	return st
}
