package modules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/libos-go/libos/core"
)

// Available are the manifests that can be found, also of modules not loaded.
func (m *Manager) Available() ([]*Manifest, error) { return all(m.o.Dirs) }

// Autoload loads the module that serves a kind of socket, unless it is on the
// blacklist: for core.Options.
func (m *Manager) Autoload() core.Autoload {
	return func(in *core.Instance, k core.SocketKind) {
		manifests, err := m.Available()
		if err != nil {
			m.o.Log.Warn("a module cannot be read", "error", err)
		}
		for _, x := range manifests {
			if slices.Contains(m.o.Blacklist, x.Name()) || !x.serves(k) || x.unwanted(in) {
				continue
			}
			if err := m.Attach(in, x.Name()); err != nil {
				m.o.Log.Warn("a module is not loaded", "for", Alias(k), "error", err)
				continue
			}
			return
		}
	}
}

// unwanted tells whether the instance's own configuration says n to the module:
// that it has the module by hand only.
func (x *Manifest) unwanted(in *core.Instance) bool {
	return x.Symbol != "" && strings.Contains("\n"+in.Wiring().Config, "\n# CONFIG_"+x.Symbol+" is not set\n")
}

// serves tells whether one of the module's protocols has sockets of a kind.
func (x *Manifest) serves(k core.SocketKind) bool {
	for _, p := range x.description.GetProtocols() {
		if d, err := protocol(p); err == nil && d.Serves(k.Family, k.Type, k.Protocol) {
			return true
		}
	}
	return false
}

// Alias is the name under which Linux would ask for a kind of socket.
func Alias(k core.SocketKind) string {
	return fmt.Sprintf("net-pf-%d-proto-%d-type-%d", k.Family, k.Protocol, k.Type)
}
