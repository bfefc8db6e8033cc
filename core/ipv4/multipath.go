package ipv4

import (
	"encoding/binary"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// MultipathPorts implements core.MultipathPolicy.
func (s *stack) MultipathPorts() bool { return s.conf.MultipathPolicy == 1 }

// flowOf is what chooses among several paths for a packet of somebody else
// (fib_multipath_hash, net/ipv4/route.c). All fragments of a packet have none of its
// ports, so that they go one way.
func (s *stack) flowOf(p *core.Packet) uint32 {
	if !s.in.Multipath() {
		return 0
	}
	h := wire.IPv4(p.Linear())
	var sport, dport uint16
	switch h.Protocol() {
	case wire.ProtoTCP, wire.ProtoUDP, wire.ProtoUDPLite, wire.ProtoSCTP, wire.ProtoDCCP:
		if at := h.HeaderLen(); !h.IsFragment() && len(h) >= at+4 {
			sport, dport = binary.BigEndian.Uint16(h[at:]), binary.BigEndian.Uint16(h[at+2:])
		}
	}
	return s.in.Flow(p.Src, p.Dst, h.Protocol(), sport, dport)
}
