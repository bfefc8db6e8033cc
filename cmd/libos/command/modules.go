package command

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/libos-go/libos/core"
)

// Modules has what runs in processes of its own for the stack of this process.
// Package cmd/libos/modules, if the configuration has it, brings the only one
// there is, by Env.BringModules: whatever it needs is linked in with it alone.
type Modules interface {
	// Autoload finds the module of a socket that nothing built in serves.
	Autoload() core.Autoload
	// DeviceKind finds the module of a device of a kind that is not built in: its
	// Open loads it. fs.ErrNotExist if there is none.
	DeviceKind(in *core.Instance, kind string) (core.DeviceKind, error)
	// Load starts a module unless it runs, and gives the instances what it serves
	// unless they have it.
	Load(name string, parameters map[string]string, instances ...*core.Instance) (ModuleInfo, error)
	// Replace has a loaded module go on as another process, of what is in the module
	// folder now, while its sockets are in use; parameters nil: as they are. With force
	// it goes on although connections are lost by it. lost is how many sockets were.
	Replace(name string, parameters map[string]string, force bool) (m ModuleInfo, lost int, err error)
	// Unload ends a module. EBUSY while a socket or a device of it is open.
	Unload(name string) error
	// List shows the loaded modules.
	List() []ModuleInfo
	// Close ends all modules, after the instances.
	Close()
}

// ModuleInfo is a loaded module.
type ModuleInfo struct {
	Name      string `json:"name"`
	Version   string `json:"version"`
	State     string `json:"state"` // live, restarting
	PID       int    `json:"pid"`   // 0 while it is restarting
	Instances int    `json:"instances"`
	Sockets   int    `json:"sockets"`
	Devices   int    `json:"devices"`
	Restarts  int    `json:"restarts"`
	Replaced  int    `json:"replaced"` // times that another process took over while it was in use
	Packets   uint64 `json:"packets"`  // to the module, received ones and sent ones
	Frames    uint64 `json:"frames"`   // from its devices
	Dropped   uint64 `json:"dropped"`  // messages with packets for which it had no room
	Sent      uint64 `json:"sent"`     // messages to the module
	Received  uint64 `json:"received"`
	Faults    uint64 `json:"faults"`           // breaches of the contract
	Reason    string `json:"reason,omitempty"` // why it was lost last
}

// ModuleOptions say where modules are found and which ones wait to be asked for.
type ModuleOptions struct {
	Dir        string
	Blacklist  []string
	Privileges []string // that modules may ask for; nil: whatever they do
	Log        *slog.Logger
}

// ModuleSpec is a module to be loaded.
type ModuleSpec struct {
	Place, Name string
	Parameters  map[string]string
}

// BringModules has stacks of this process open their modules by open.
func (e *Env) BringModules(open func(ModuleOptions) Modules) { e.open = open }

// Modules are those of the stack that this process runs.
func (e *Env) Modules() (Modules, error) {
	if e.modules == nil {
		return nil, errors.New("this stack has no modules")
	}
	return e.modules, nil
}

// NeedModules is an error, with its cure, where modules are not built in.
func (e *Env) NeedModules() error {
	if e.open == nil {
		return fmt.Errorf("this libos (configuration %s) cannot load modules: set CONFIG_MODULES and CONFIG_CMD_MODULES and build again (libosbuild set MODULES y)", e.Built().Name)
	}
	return nil
}

// DefaultModuleDir is where a build puts its modules: beside the program.
func DefaultModuleDir() string {
	self, err := os.Executable()
	if err != nil {
		return "modules"
	}
	return filepath.Join(filepath.Dir(self), "modules")
}

// ParseModule reads a module with its parameters: NAME [PARAMETER=VALUE]...
func ParseModule(words ...string) (m ModuleSpec, err error) {
	if len(words) == 0 {
		return m, errors.New("no module is named")
	}
	m = ModuleSpec{Name: words[0], Parameters: map[string]string{}}
	for _, w := range words[1:] {
		k, v, ok := strings.Cut(w, "=")
		if !ok || k == "" {
			return m, fmt.Errorf("%s: a parameter is written NAME=VALUE", w)
		}
		m.Parameters[k] = v
	}
	return m, nil
}

// modules reads the keys before the first table.
func (f *HostFile) modules(e *Env, path string, t *fileText, at func(string) string) error {
	for _, x := range []struct {
		key   string
		given bool
	}{{"modules", len(t.Modules) > 0}, {"blacklist", len(t.Blacklist) > 0}, {"module_dir", t.ModuleDir != ""}, {"module_privileges", t.ModulePrivileges != nil}} {
		if !x.given {
			continue
		}
		if err := e.NeedModules(); err != nil {
			return fmt.Errorf("%s: %s: %w", at(x.key), x.key, err)
		}
	}
	for i, line := range t.Modules {
		place := at(fmt.Sprintf("modules.%d", i))
		m, err := ParseModule(strings.Fields(line)...)
		if err != nil {
			return fmt.Errorf("%s: modules: %w", place, err)
		}
		m.Place = place
		f.Load = append(f.Load, m)
	}
	f.Blacklist = t.Blacklist
	if t.ModulePrivileges != nil {
		f.ModulePrivileges = append([]string{}, *t.ModulePrivileges...)
	}
	if f.ModuleDir = t.ModuleDir; f.ModuleDir != "" && !filepath.IsAbs(f.ModuleDir) {
		f.ModuleDir = filepath.Join(filepath.Dir(path), f.ModuleDir)
	}
	return nil
}

// open is the modules of the stack that e is about to run.
func (f *HostFile) open(e *Env) Modules {
	if e.open == nil {
		return nil
	}
	o := ModuleOptions{Dir: f.ModuleDir, Blacklist: f.Blacklist, Privileges: f.ModulePrivileges, Log: f.Log}
	if o.Dir == "" {
		o.Dir = DefaultModuleDir()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(e.Stderr, nil))
	}
	e.modules = e.open(o)
	return e.modules
}
