package control

import (
	"context"

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
}

// GRPCServer implements plugin.GRPCPlugin.
func (p *Plugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	RegisterModuleServer(s, p.Service)
	return nil
}

// GRPCClient implements plugin.GRPCPlugin.
func (p *Plugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, c *grpc.ClientConn) (any, error) {
	return NewModuleClient(c), nil
}

// Versions are the plugin sets by contract version, as go-plugin negotiates them.
func Versions(server ModuleServer) map[int]plugin.PluginSet {
	out := make(map[int]plugin.PluginSet)
	for v := Oldest; v <= Contract; v++ {
		out[v] = plugin.PluginSet{Name: &Plugin{Service: server}}
	}
	return out
}
