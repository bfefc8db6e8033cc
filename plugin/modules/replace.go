package modules

import (
	"errors"
	"fmt"
	"slices"
	"syscall"

	"google.golang.org/protobuf/proto"

	"github.com/libos-go/libos/plugin/control"
	"github.com/libos-go/libos/plugin/session"
)

// ReplaceOptions say what takes the place of a running module.
type ReplaceOptions struct {
	// Dir has the module and its manifest; "" searches the manager's Dirs.
	Dir string
	// Parameters of the new process; nil: those of the running one.
	Parameters map[string]string
	// Force goes on although connections are lost by it, those whose protocol cannot
	// hand them over.
	Force bool
}

// Replace has a module go on as another process, of what is in its directory now
// (modprobe --replace): sockets stay open, what they are asked meanwhile waits, what
// was received is there to be read. It starts the second process beside the first,
// moves all sessions to it or none, and ends the first. It returns how many
// sockets were lost by it: with Force, or when the new version refuses what the
// old one had granted.
//
// After an error the first process goes on, and nothing is lost. ENOENT if the
// module is not loaded, EAGAIN while it is being started again, EBUSY if connections
// would be lost.
func (m *Manager) Replace(name string, o ReplaceOptions) (lost int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	mod := m.find(name)
	if mod == nil {
		return 0, fmt.Errorf("modules: %s is not loaded: load it (modprobe %s): %w", name, name, syscall.ENOENT)
	}
	dirs := m.o.Dirs
	if o.Dir != "" {
		dirs = []string{o.Dir}
	}
	manifest, err := find(dirs, name)
	if err != nil {
		return 0, err
	}
	sum, needs, err := m.check(manifest, []string{name})
	if err != nil {
		return 0, err
	}
	if err := mod.manifest.replaceable(manifest); err != nil {
		return 0, err
	}
	for _, n := range needs {
		if n.reaches(mod) {
			return 0, fmt.Errorf("%s: modules need each other in a circle: %s, which runs, needs %s: unload it (rmmod %s), or break the circle in the depends of their symbols and build again: %w",
				manifest.file, n.name, name, n.name, syscall.ELOOP)
		}
	}
	if o.Parameters == nil {
		o.Parameters = mod.parameters
	}
	mod.attaching.Lock() // no instance comes meanwhile
	defer mod.attaching.Unlock()
	if err := mod.attachNeeds(needs); err != nil {
		return 0, fmt.Errorf("%s is not replaced: %w", name, err)
	}
	next, err := start(manifest, sum, &m.o, o.Parameters, startPatience, mod.gone)
	if err != nil {
		return 0, fmt.Errorf("%s is not replaced: %w", name, err)
	}
	if lost, err = mod.move(next, manifest, sum, o); err != nil {
		next.kill()
		return 0, fmt.Errorf("modules: %s is not replaced: process %d: %w", name, next.pid(), plain{err})
	}
	mod.needs = needs
	m.o.Log.Info("module replaced", "module", name, "version", manifest.description.GetVersion(), "pid", next.pid(), "sockets lost", lost)
	return lost, nil
}

// attachNeeds gives the instances that have the module what its next version needs.
func (mod *Module) attachNeeds(needs []*Module) error {
	mod.mu.Lock()
	users := slices.Clone(mod.users)
	mod.mu.Unlock()
	for _, u := range users {
		for _, n := range needs {
			if err := n.Attach(u.in); err != nil {
				return err
			}
		}
	}
	return nil
}

// replaceable is an error unless what instances were given of the running module is
// the same with the new one.
func (x *Manifest) replaceable(by *Manifest) error {
	was, is := x.description, by.description
	same := len(was.GetProtocols()) == len(is.GetProtocols()) && slices.Equal(was.GetControls(), is.GetControls())
	for i, p := range was.GetProtocols() {
		same = same && proto.Equal(p, is.GetProtocols()[i])
	}
	same = same && slices.EqualFunc(was.GetDevices(), is.GetDevices(), func(a, b *control.Device) bool { return a.GetKind() == b.GetKind() })
	if same {
		return nil
	}
	return fmt.Errorf("%s: module %s %s serves other protocols, sockets, settings, devices or congestion controls than %s, which runs: unload that and load this (rmmod %s, modprobe %s): %w",
		by.file, by.Name(), is.GetVersion(), was.GetVersion(), x.Name(), x.Name(), syscall.EINVAL)
}

// move has the sessions go on with another process, and ends the one before.
func (mod *Module) move(next *process, manifest *Manifest, sum []byte, o ReplaceOptions) (lost int, err error) {
	mod.mu.Lock()
	first := mod.process
	if first == nil || mod.ended {
		mod.mu.Unlock()
		return 0, fmt.Errorf("it is being started again: try again: %w", syscall.EAGAIN)
	}
	mod.moving = next
	sessions := mod.all()
	mod.mu.Unlock()
	lost, err = mod.moveAll(sessions, next, o)
	mod.mu.Lock()
	why := mod.lostMoving
	mod.moving, mod.lostMoving = nil, nil
	if err == nil {
		mod.process, mod.manifest, mod.sum, mod.parameters = next, manifest, sum, o.Parameters
		mod.replaced++
		// What the first one came to since does not matter, but the second may be gone.
		if next.why != nil {
			why = next.why
		} else if !slices.ContainsFunc(sessions, func(s *session.Session) bool { return !s.Connected() }) {
			why = nil
		} else if why == nil {
			why = errors.New("modules: it ended when it had taken over")
		}
	}
	current := mod.process
	mod.mu.Unlock()
	if err == nil {
		first.kill()
	}
	if why != nil {
		mod.lost(current, why)
	}
	return lost, err
}

func (mod *Module) moveAll(sessions []*session.Session, next *process, o ReplaceOptions) (lost int, err error) {
	var moves []session.Move
	for _, s := range sessions {
		l, err := next.link(&mod.manager.o)
		if err != nil {
			for _, m := range moves {
				_ = m.Link.Close()
			}
			return 0, err
		}
		moves = append(moves, session.Move{Session: s, Link: l})
	}
	return session.Replace(moves, session.ReplaceOptions{Force: o.Force})
}
