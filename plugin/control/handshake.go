package control

import (
	"context"
	"fmt"
	"strconv"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// Contract is the version of the messages that this tree speaks (core/remote). Since
// version 2 a handler can be asked to save its sockets for another process, and to
// restore them.
const Contract = 2

// Oldest is the oldest version that a host still serves: a module of it can be
// used while its author moves on.
const Oldest = 1

// Handshake makes sure that a program was started as a module and not by hand.
func Handshake() plugin.HandshakeConfig {
	return plugin.HandshakeConfig{ProtocolVersion: Contract, MagicCookieKey: "LIBOS_MODULE", MagicCookieValue: "9d1c3a76-libos-module"}
}

// SocketVariable names the descriptor of the socket over which sessions come.
const SocketVariable = "LIBOS_MODULE_SOCKET"

// SandboxVariable tells a module whether to build its sandbox: SandboxOn, or anything
// else where the administrator chose to go without.
const (
	SandboxVariable = "LIBOS_MODULE_SANDBOX"
	SandboxOn       = "on"
)

// Name is what go-plugin dispenses.
const Name = "module"

// Plugin is the go-plugin side of the service. Service is nil in a host.
type Plugin struct {
	plugin.NetRPCUnsupportedPlugin
	Service ModuleServer
	Version int // of the contract
}

// GRPCServer implements plugin.GRPCPlugin. It is called for the version that was
// agreed on, and tells the service.
func (p *Plugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	if a, ok := p.Service.(interface{ Agreed(version int) }); ok {
		a.Agreed(p.Version)
	}
	RegisterModuleServer(s, p.Service)
	return nil
}

// GRPCClient implements plugin.GRPCPlugin.
func (p *Plugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, c *grpc.ClientConn) (any, error) {
	return NewModuleClient(c), nil
}

// Range is the versions of the contract that one side speaks. The zero value is
// those of this tree; others are for what must go on with an older host or module,
// and for tests of that.
type Range struct{ Oldest, Newest int }

// Known is the range with its default.
func (r Range) Known() Range {
	if r == (Range{}) {
		return Range{Oldest, Contract}
	}
	return r
}

// Agree is the newest version that both sides speak; false if there is none.
func (r Range) Agree(o Range) (version int, ok bool) {
	version = min(r.Newest, o.Newest)
	return version, version >= max(r.Oldest, o.Oldest)
}

// String is "2", or "1 to 2".
func (r Range) String() string {
	if r.Oldest == r.Newest {
		return strconv.Itoa(r.Newest)
	}
	return fmt.Sprintf("%d to %d", r.Oldest, r.Newest)
}

// Spoken is the range that a module describes. One that names no oldest version
// speaks a single one.
func (x *Description) Spoken() Range {
	r := Range{int(x.GetOldestContract()), int(x.GetContract())}
	if r.Oldest == 0 {
		r.Oldest = r.Newest
	}
	return r
}

// Versions are the plugin sets by contract version, as go-plugin negotiates them:
// the newest that both sides have.
func Versions(server ModuleServer, r Range) map[int]plugin.PluginSet {
	r = r.Known()
	out := make(map[int]plugin.PluginSet)
	for v := r.Oldest; v <= r.Newest; v++ {
		out[v] = plugin.PluginSet{Name: &Plugin{Service: server, Version: v}}
	}
	return out
}
