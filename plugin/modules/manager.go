package modules

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/plugin/control"
	"github.com/libos-go/libos/plugin/sandbox"
	"github.com/libos-go/libos/plugin/session"
)

// Options say where modules are and how they run.
type Options struct {
	// Dirs are searched in this order for NAME and NAME.json.
	Dirs []string
	// Have tells whether the stack has a symbol of Kconfig, as y; nil: it has all.
	Have func(symbol string) bool
	// Blacklist names modules that are not loaded by themselves, only by Load.
	Blacklist []string
	// Stream has packets travel over gRPC, as where there is no shared memory.
	Stream bool
	// Patience is how long the stack waits for an answer of a module, and how long
	// one may show no life while nobody waits, before it is killed and started
	// again; 0 is session.DefaultPatience, a second.
	Patience time.Duration
	// Contract is the versions of the contract that are served; zero: control.Oldest
	// to control.Contract.
	Contract control.Range
	// Privileges are those that modules may ask for beside none (their names are
	// in package sandbox); nil: whatever they ask for.
	Privileges []string
	// Limits of a module's process.
	Limits sandbox.Limits
	// NoSandbox has modules run with all rights of this process, as they do in a
	// build without MODULE_SANDBOX and on systems that have none.
	NoSandbox bool
	// Network is the network namespace in which modules run, for devices of its
	// kernel; nil is that of this process. It stays the caller's.
	Network *os.File
	Log     *slog.Logger
}

// Manager has the modules of one process. Its methods may be called from any
// goroutine, outside of entries.
type Manager struct {
	o      Options
	mu     sync.Mutex // what loads, replaces and unloads, one at a time: for seconds
	list   sync.Mutex // loaded, which is written with both held, and read with either
	loaded []*Module
	closed bool
	told   sync.Once // that there is no sandbox
}

// New makes a manager that has loaded nothing.
func New(o Options) *Manager {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Have == nil {
		o.Have = func(string) bool { return true }
	}
	return &Manager{o: o}
}

// Module is a loaded module.
type Module struct {
	manager    *Manager
	name       string
	manifest   *Manifest
	sum        []byte
	parameters map[string]string
	needs      []*Module  // loaded before it, and not unloaded before
	attaching  sync.Mutex // two sockets at once may want it for one instance

	mu       sync.Mutex
	process  *process // nil while it is started again
	sessions map[*core.Domain]*session.Session
	users    []user
	retired  session.Stats // of sessions that ended
	restarts int
	failures int           // in a row, of processes that lasted less than wellAfter
	missed   int           // starts that failed in a row
	well     bool          // a process lasted
	took     time.Duration // the last start
	ended    bool
	reason   error // why it was lost last

	replaced   int
	moving     *process // that is to take over, nil for none: who is lost meanwhile is seen after it
	lostMoving error    // why one was
}

// user is an instance that has the module's protocols.
type user struct {
	in        *core.Instance
	protocols []string
	controls  []string
	cancel    func() // the wait for its end
}

// wellAfter is how long a process must last to have started well; pauses between
// starts double from firstPause while it does not, to longPause at most, or to
// shortPause once one has: then the module is back within two seconds of the worst
// fault, which takes a second to be noticed.
const (
	wellAfter  = 250 * time.Millisecond
	firstPause = 10 * time.Millisecond
	shortPause = 500 * time.Millisecond
	longPause  = time.Second
)

// pause before the next start, with mu held.
func (mod *Module) pause() time.Duration {
	most := longPause
	if mod.well {
		most = shortPause
	}
	return min(firstPause<<min(mod.failures, 10), most)
}

// patience is how long the next start may take, with mu held: that of the last one
// several times, and twice as long each time that this was not enough.
func (mod *Module) patience() time.Duration {
	p := min(max(startTimes*mod.took, leastPatience), againPatience)
	return min(max(p, mod.manager.o.Patience)<<min(mod.missed, 10), startPatience)
}

// Load starts a module (modprobe). A module that is loaded is left as it is:
// EEXIST if other parameters are wanted. Modules that it needs are loaded before it.
func (m *Manager) Load(name string, parameters map[string]string) (*Module, error) {
	if mod := m.has(name); mod != nil && len(parameters) == 0 {
		return mod, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.load(name, parameters, nil)
}

// load is Load with the lock held, for modules above that need this one.
func (m *Manager) load(name string, parameters map[string]string, above []string) (*Module, error) {
	if m.closed {
		return nil, fmt.Errorf("modules: closed: %w", syscall.ESHUTDOWN)
	}
	if mod := m.find(name); mod != nil {
		if len(parameters) > 0 && !maps.Equal(parameters, mod.parameters) {
			return nil, fmt.Errorf("modules: %s is loaded with other parameters: unload it first (rmmod %s): %w", name, name, syscall.EEXIST)
		}
		return mod, nil
	}
	manifest, err := find(m.o.Dirs, name)
	if err != nil {
		return nil, err
	}
	sum, needs, err := m.check(manifest, append(above, name))
	if err != nil {
		return nil, err
	}
	m.unconfined()
	mod := &Module{manager: m, name: name, manifest: manifest, sum: sum, needs: needs, parameters: parameters, sessions: make(map[*core.Domain]*session.Session)}
	p, err := start(manifest, sum, &m.o, parameters, startPatience, mod.gone)
	if err != nil {
		return nil, err
	}
	mod.mu.Lock()
	err = mod.adopt(p)
	mod.mu.Unlock()
	if err != nil {
		return nil, err
	}
	m.write(append(m.loaded, mod))
	m.o.Log.Info("module loaded", "module", name, "pid", p.pid())
	return mod, nil
}

// write sets what is loaded, with mu held.
func (m *Manager) write(loaded []*Module) {
	m.list.Lock()
	m.loaded = loaded
	m.list.Unlock()
}

// find is the loaded module of that name, nil if there is none.
func (m *Manager) find(name string) *Module {
	for _, x := range m.loaded {
		if x.name == name {
			return x
		}
	}
	return nil
}

// Attach gives an instance what a module serves, and loads it if need be.
func (m *Manager) Attach(in *core.Instance, name string) error {
	mod, err := m.Load(name, nil)
	if err != nil {
		return err
	}
	if err = mod.Attach(in); errors.Is(err, syscall.ENOENT) && m.has(name) != mod { // it was unloaded meanwhile
		if mod, err = m.Load(name, nil); err == nil {
			err = mod.Attach(in)
		}
	}
	return err
}

// Attach gives an instance what the module serves, unless it has it. ENOENT once the
// module was unloaded.
func (mod *Module) Attach(in *core.Instance) error {
	mod.attaching.Lock()
	defer mod.attaching.Unlock()
	return mod.attach(in)
}

// attach is Attach with attaching held.
func (mod *Module) attach(in *core.Instance) error {
	mod.mu.Lock()
	ended := mod.ended
	has := slices.ContainsFunc(mod.users, func(u user) bool { return u.in == in })
	mod.mu.Unlock()
	if ended {
		return fmt.Errorf("modules: %s is not loaded any more: load it (modprobe %s): %w", mod.name, mod.name, syscall.ENOENT)
	}
	if has {
		return nil
	}
	for _, n := range mod.needs {
		if err := n.Attach(in); err != nil {
			return err
		}
	}
	s, err := mod.session(in.Domain())
	if err != nil {
		return err
	}
	u := user{in: in}
	if err := mod.give(s, &u); err != nil {
		err = errors.Join(fmt.Errorf("modules: %s: %w", mod.manifest.file, err), u.release())
		mod.retire(in.Domain())
		return err
	}
	var open bool
	u.cancel, open = in.OnClose(func() {
		mod.attaching.Lock()
		defer mod.attaching.Unlock()
		mod.forget(in)
	})
	mod.mu.Lock()
	mod.users = append(mod.users, u)
	mod.mu.Unlock()
	if !open {
		mod.forget(in)
		return fmt.Errorf("modules: %s is closed: %w", in.Name(), syscall.ENETDOWN)
	}
	return nil
}

// give adds what the module serves to an instance, but for what u has, and notes it
// in u.
func (mod *Module) give(s *session.Session, u *user) error {
	for _, p := range mod.manifest.description.GetProtocols() {
		t, err := table(p)
		if err != nil {
			return err
		}
		d, err := protocol(p)
		if err != nil {
			return err
		}
		if slices.Contains(u.protocols, d.Name) {
			continue
		}
		if err := u.in.AddProtocol(s.Protocol(d, t)); err != nil {
			return err
		}
		u.protocols = append(u.protocols, d.Name)
	}
	for _, name := range mod.manifest.description.GetControls() {
		if slices.Contains(u.controls, name) {
			continue
		}
		if err := addControl(u.in, s, name); err != nil {
			return fmt.Errorf("congestion control %s: %w", name, err)
		}
		u.controls = append(u.controls, name)
	}
	return nil
}

// idle is EBUSY while the instance uses what it was given.
func (u *user) idle(module string) error {
	for _, p := range u.protocols {
		if n := u.in.SocketsOf(p); n > 0 {
			return fmt.Errorf("modules: %s is in use: %d sockets of %s in %s: %w", module, n, p, u.in.Name(), syscall.EBUSY)
		}
	}
	for _, c := range u.controls {
		if err := idleControl(u.in, c); errors.Is(err, syscall.EBUSY) {
			return fmt.Errorf("modules: %s is in use: congestion control %s in %s, by connections or as its tcp_congestion_control: %w", module, c, u.in.Name(), err)
		}
	}
	return nil
}

// release takes from the instance what it was given, as far as that is not in use.
func (u *user) release() error {
	for len(u.protocols) > 0 {
		if err := u.in.RemoveProtocol(u.protocols[0]); err != nil && !errors.Is(err, syscall.ENOENT) {
			return err
		}
		u.protocols = u.protocols[1:]
	}
	for len(u.controls) > 0 {
		if err := removeControl(u.in, u.controls[0]); err != nil && !errors.Is(err, syscall.ENOENT) {
			return fmt.Errorf("modules: congestion control %s in %s: %w", u.controls[0], u.in.Name(), err)
		}
		u.controls = u.controls[1:]
	}
	return nil
}

// Detach takes from an instance what Attach gave. EBUSY while it has sockets of
// it or uses a congestion control of it, and it keeps all then.
func (mod *Module) Detach(in *core.Instance) error {
	mod.attaching.Lock()
	defer mod.attaching.Unlock()
	return mod.detach(in)
}

// detach is Detach with attaching held.
func (mod *Module) detach(in *core.Instance) error {
	mod.mu.Lock()
	at := slices.IndexFunc(mod.users, func(u user) bool { return u.in == in })
	if at < 0 {
		mod.mu.Unlock()
		return fmt.Errorf("modules: %s does not serve %s: %w", mod.name, in.Name(), syscall.ENOENT)
	}
	u := &mod.users[at]
	err := u.idle(mod.name)
	if err == nil {
		if err = u.release(); err != nil { // someone came meanwhile
			err = errors.Join(err, mod.give(mod.sessions[in.Domain()], u))
		}
	}
	mod.mu.Unlock()
	if err != nil {
		return err
	}
	u.cancel()
	mod.forget(in)
	return nil
}

// forget drops what is kept of an instance that has nothing of the module any more,
// with attaching held.
func (mod *Module) forget(in *core.Instance) {
	mod.mu.Lock()
	mod.users = slices.DeleteFunc(mod.users, func(u user) bool { return u.in == in })
	mod.mu.Unlock()
	mod.retire(in.Domain())
}

// retire ends the session of a Domain in which nothing is left of the module, with
// attaching held.
func (mod *Module) retire(d *core.Domain) {
	mod.mu.Lock()
	s := mod.sessions[d]
	used := s == nil || slices.ContainsFunc(mod.users, func(u user) bool { return u.in.Domain() == d }) || !s.Idle()
	if !used {
		delete(mod.sessions, d)
		mod.retired.Add(s.Stats())
	}
	mod.mu.Unlock()
	if !used {
		s.Disconnect(session.ErrUnloaded)
	}
}

// session is the module's session with a Domain, made at first use.
func (mod *Module) session(d *core.Domain) (*session.Session, error) {
	mod.mu.Lock()
	defer mod.mu.Unlock()
	if s := mod.sessions[d]; s != nil {
		return s, nil
	}
	o := &mod.manager.o
	_, virtual := d.Host().(*host.Virtual)
	s := session.New(d, session.Options{Name: mod.name, Lockstep: virtual, Patience: o.Patience, Log: o.Log,
		Lost: func(l session.Link, err error) { mod.lost(processOf(l), err) }})
	if p := mod.process; p != nil {
		l, err := p.link(o)
		if err != nil {
			return nil, err
		}
		if err := s.Connect(l); err != nil {
			return nil, plain{err}
		}
	}
	mod.sessions[d] = s
	return s, nil
}

// adopt makes p, which was started, the process of the module, with mu held. The error
// is that of a process that has ended since, and nothing has changed.
func (mod *Module) adopt(p *process) error {
	if p.why != nil {
		return fmt.Errorf("modules: %s ended when it had started: %w", mod.name, p.why)
	}
	mod.process, mod.missed, mod.took = p, 0, max(p.took, mod.took/2)
	return nil
}

// gone is told that a process has ended.
func (mod *Module) gone(p *process, why error) {
	mod.mu.Lock()
	p.why = why
	current := mod.process == p
	mod.mu.Unlock()
	if current {
		mod.lost(p, why)
	} else {
		p.kill()
	}
}

// lost ends a process, which is gone or broke the contract, and has another started.
// What is told late, of a process that another has taken the place of, is nothing new.
func (mod *Module) lost(p *process, why error) {
	mod.mu.Lock()
	if p == nil || mod.ended || mod.process == nil || p != mod.process && p != mod.moving {
		mod.mu.Unlock()
		return // whoever came first does it
	}
	if mod.moving != nil {
		mod.lostMoving = why
		mod.mu.Unlock()
		return
	}
	mod.process = nil
	mod.restarts++
	if time.Since(p.started) < wellAfter {
		mod.failures++
	} else {
		mod.failures, mod.well = 0, true
	}
	pause := mod.pause()
	sessions := mod.all()
	mod.mu.Unlock()
	if !errors.Is(why, session.ErrLost) { // only that the way to it ended is known
		why = fmt.Errorf("%w: process %d: %w", session.ErrLost, p.pid(), p.program.obituary(why))
	}
	mod.mu.Lock()
	mod.reason = why
	mod.mu.Unlock()
	p.kill()
	for _, s := range sessions {
		s.Disconnect(why)
	}
	mod.manager.o.Log.Warn("module is started again", "module", mod.name, "error", why, "pause", pause)
	time.AfterFunc(pause, mod.again)
}

func (mod *Module) all() []*session.Session {
	out := make([]*session.Session, 0, len(mod.sessions))
	for _, s := range mod.sessions {
		out = append(out, s)
	}
	return out
}

// again starts a new process and connects the sessions to it.
func (mod *Module) again() {
	mod.mu.Lock()
	ended := mod.ended
	patience := mod.patience()
	mod.mu.Unlock()
	if ended {
		return
	}
	p, err := start(mod.manifest, mod.sum, &mod.manager.o, mod.parameters, patience, mod.gone)
	mod.attaching.Lock() // no session ends while it is connected
	defer mod.attaching.Unlock()
	mod.mu.Lock()
	if mod.ended {
		mod.mu.Unlock()
		if err == nil {
			p.kill()
		}
		return
	}
	if err == nil {
		err = mod.adopt(p)
	}
	if err != nil {
		mod.failures++
		mod.missed++
		mod.reason = err
		pause := mod.pause()
		mod.mu.Unlock()
		mod.manager.o.Log.Error("module does not start", "error", err, "pause", pause)
		time.AfterFunc(pause, mod.again)
		return
	}
	sessions := mod.all()
	mod.mu.Unlock()
	for _, s := range sessions {
		l, err := p.link(&mod.manager.o)
		if err == nil {
			err = s.Connect(l)
		}
		if err != nil {
			mod.lost(p, err)
			return
		}
	}
	mod.manager.o.Log.Info("module is back", "module", mod.name, "pid", p.pid())
}

// Unload ends a module (rmmod). EBUSY, and no instance loses it, while sockets or devices
// of it are open, a congestion control of it is in use or another module needs it, ENOENT if it is not loaded.
func (m *Manager) Unload(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	mod := m.find(name)
	if mod == nil {
		return fmt.Errorf("modules: %s is not loaded: %w", name, syscall.ENOENT)
	}
	if by := m.needing(mod); len(by) > 0 {
		return fmt.Errorf("modules: %s is in use: %s needs it: unload that first (rmmod %s): %w", name, by[0], by[0], syscall.EBUSY)
	}
	mod.attaching.Lock() // no instance or device comes meanwhile
	defer mod.attaching.Unlock()
	if err := mod.idle(); err != nil {
		return err
	}
	mod.mu.Lock()
	users := slices.Clone(mod.users)
	mod.mu.Unlock()
	for _, u := range users {
		if err := u.idle(name); err != nil {
			return err
		}
	}
	for i, u := range users {
		if err := mod.detach(u.in); err != nil { // someone came meanwhile
			for _, u := range users[:i] {
				err = errors.Join(err, mod.attach(u.in))
			}
			return err
		}
	}
	mod.end()
	m.write(slices.DeleteFunc(slices.Clone(m.loaded), func(x *Module) bool { return x == mod }))
	return nil
}

// end ends the process for good, with attaching held.
func (mod *Module) end() {
	mod.mu.Lock()
	mod.ended = true
	p, sessions := mod.process, mod.all()
	mod.process = nil
	mod.mu.Unlock()
	for _, s := range sessions {
		s.Disconnect(session.ErrUnloaded)
	}
	if p != nil {
		p.kill()
	}
	mod.manager.o.Log.Info("module unloaded", "module", mod.name)
}

// Close ends all modules. Sockets of theirs that are still open fail from then
// on; close the instances first.
func (m *Manager) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	for _, mod := range m.loaded {
		mod.attaching.Lock()
		mod.end()
		mod.attaching.Unlock()
	}
	m.write(nil)
}
