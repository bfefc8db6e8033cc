package ipv6

import (
	"encoding/binary"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// selectorOf is what rules see of p, which starts at its IPv6 header.
func selectorOf(p *core.Packet) core.Selector {
	x := core.Selector{Src: p.Src, In: p.Interface, TOS: p.TOS}
	x.Protocol, x.SrcPort, x.DstPort = flowOf(p.Linear())
	return x
}

// flowOf are protocol and ports of a packet that begins with its IPv6 header. All
// fragments of a packet have no ports, so that they go one way.
func flowOf(b []byte) (protocol uint8, sport, dport uint16) {
	u, ok := findUpper(b)
	if !ok {
		return u.protocol, 0, 0
	}
	switch u.protocol {
	case wire.ProtoTCP, wire.ProtoUDP, wire.ProtoUDPLite, wire.ProtoSCTP, wire.ProtoDCCP:
		if !u.fragment && len(b) >= u.offset+4 {
			return u.protocol, binary.BigEndian.Uint16(b[u.offset:]), binary.BigEndian.Uint16(b[u.offset+2:])
		}
	}
	return u.protocol, 0, 0
}
