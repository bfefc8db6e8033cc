package core

import (
	"encoding/binary"

	"github.com/libos-go/libos/core/wire"
)

// FlowKey is what tells one flow of packets from another.
type FlowKey struct {
	Src, Dst         wire.Addr
	Label            uint32 // IPv6
	SrcPort, DstPort uint16 // 0 where there are none
	Protocol         uint8  // behind all extension headers
}

// mostTunnels bounds how many packets within packets are looked into.
const mostTunnels = 4

// ReadFlow reads the flow of a packet, which begins with its IP header and may be cut
// off, and that of the innermost packet where it is a tunnel's: IP in IP, or GRE without
// options. A fragment has no ports, so that all of a packet's go one way.
func ReadFlow(b []byte) (outer, inner FlowKey, tunnel bool) {
	outer, b = readFlow(b)
	for range mostTunnels {
		if len(b) == 0 {
			break
		}
		inner, b = readFlow(b)
		tunnel = true
	}
	return outer, inner, tunnel
}

// readFlow reads the flow of one packet, and gives what it carries if that is a packet.
func readFlow(b []byte) (k FlowKey, within []byte) {
	if len(b) < wire.IPv4MinSize {
		return k, nil
	}
	at, whole := 0, true
	if h := wire.IPv4(b); b[0]>>4 == 4 {
		k.Src, k.Dst, k.Protocol = h.Src(), h.Dst(), h.Protocol()
		at, whole = int(b[0]&15)*4, !h.IsFragment()
	} else {
		if len(b) < wire.IPv6Size || b[0]>>4 != 6 {
			return k, nil
		}
		h := wire.IPv6(b)
		k.Src, k.Dst, k.Label = h.Src(), h.Dst(), h.FlowLabel()
		k.Protocol, at, whole = upper(b)
	}
	if !whole || len(b) < at+4 {
		return k, nil
	}
	b = b[at:]
	switch {
	case wire.HasPorts(k.Protocol):
		k.SrcPort, k.DstPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	case k.Protocol == wire.ProtoIPIP, k.Protocol == wire.ProtoIPv6:
		return k, b
	case k.Protocol == wire.ProtoGRE:
		if t := binary.BigEndian.Uint16(b[2:]); b[0] == 0 && b[1] == 0 && (t == uint16(wire.EtherTypeIPv4) || t == uint16(wire.EtherTypeIPv6)) {
			return k, b[4:]
		}
	}
	return k, nil
}

// upper goes along the extension headers of IPv6; whole is not set for a fragment.
func upper(b []byte) (protocol uint8, at int, whole bool) {
	protocol, at = b[6], wire.IPv6Size
	for range wire.IPv6MaxExtHeaders {
		size := 8
		switch protocol {
		case wire.ProtoHopByHop, wire.ProtoRouting, wire.ProtoDestination:
			if len(b) < at+2 {
				return protocol, at, false
			}
			size += int(b[at+1]) * 8
		case wire.ProtoFragment:
			if len(b) > at {
				protocol = b[at]
			}
			return protocol, at, false
		default:
			return protocol, at, true
		}
		protocol, at = b[at], at+size
		if len(b) < at {
			return protocol, at, false
		}
	}
	return protocol, at, false
}

// FlowOfPacket is FlowOf for a packet of somebody else, which begins with its IP header.
func (in *Instance) FlowOfPacket(p *Packet) uint32 {
	if !in.Multipath() {
		return 0
	}
	outer, inner, tunnel := ReadFlow(p.Linear())
	if !tunnel {
		return in.FlowOf(&outer, nil)
	}
	return in.FlowOf(&outer, &inner)
}

// Selector is what rules see of a packet with that flow which came in by an interface.
func (k *FlowKey) Selector(in *Interface, tos uint8) Selector {
	return Selector{Src: k.Src, In: in, TOS: tos, Protocol: k.Protocol, SrcPort: k.SrcPort, DstPort: k.DstPort}
}
