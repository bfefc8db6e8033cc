package udp

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/protocols/internal/datagram"
)

// Options of level SOL_UDP with Linux's numbers.
const (
	NoCheck6Tx = datagram.NoCheck6Tx // UDP_NO_CHECK6_TX
	NoCheck6Rx = datagram.NoCheck6Rx // UDP_NO_CHECK6_RX
)

// Sysctls are the settings of UDP.
type Sysctls struct {
	RmemMin int32 `sysctl:"net.ipv4.udp_rmem_min" default:"4096" range:"4096.." unit:"bytes" help:"Receive memory that each socket can use even when memory is short."`
	WmemMin int32 `sysctl:"net.ipv4.udp_wmem_min" default:"4096" range:"4096.." unit:"bytes" help:"Send memory that each socket can use even when memory is short."`
}

// Protocol describes UDP to a wiring.
func Protocol() core.Protocol {
	return core.Protocol{
		Name:    "udp",
		Numbers: []uint8{wire.ProtoUDP},
		Sockets: []core.SocketKind{
			{Family: core.AFInet, Type: core.SockDgram, Protocol: 0},
			{Family: core.AFInet, Type: core.SockDgram, Protocol: int(wire.ProtoUDP)},
			{Family: core.AFInet6, Type: core.SockDgram, Protocol: 0},
			{Family: core.AFInet6, Type: core.SockDgram, Protocol: int(wire.ProtoUDP)},
		},
		NewHandler: newHandler,
	}
}

func newHandler(env core.Env) core.Handler {
	return datagram.New(env, datagram.Flavour{Groups: [2]string{"Udp", "Udp6"}})
}
