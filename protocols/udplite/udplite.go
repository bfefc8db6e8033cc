package udplite

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/protocols/internal/datagram"
)

// Options of level SOL_UDPLITE with Linux's numbers. Both are numbers of bytes,
// header included; 0 is the whole datagram, and 1 to 7 are taken as 8.
const (
	SendCoverage    = datagram.SendCoverage    // UDPLITE_SEND_CSCOV: what the checksum of datagrams sent covers
	ReceiveCoverage = datagram.ReceiveCoverage // UDPLITE_RECV_CSCOV: the least that it must cover of those received
)

// Protocol describes UDP-Lite to a wiring. A socket of it is opened by its number
// only: SOCK_DGRAM with protocol 0 is UDP.
func Protocol() core.Protocol {
	return core.Protocol{
		Name:    "udplite",
		Numbers: []uint8{wire.ProtoUDPLite},
		Sockets: []core.SocketKind{
			{Family: core.AFInet, Type: core.SockDgram, Protocol: int(wire.ProtoUDPLite)},
			{Family: core.AFInet6, Type: core.SockDgram, Protocol: int(wire.ProtoUDPLite)},
		},
		NewHandler: newHandler,
	}
}

func newHandler(env core.Env) core.Handler {
	return datagram.New(env, datagram.Flavour{Groups: [2]string{"UdpLite", "UdpLite6"}, Coverage: true})
}
