package usernet

import (
	"encoding/binary"

	"github.com/libos-go/libos/core/wire"
)

// endpoint is an address and a port.
type endpoint struct {
	addr wire.Addr
	port uint16
}

// pair is who speaks with whom, as the guest sees it.
type pair struct{ guest, remote endpoint }

// header is the beginning of a packet of TCP, UDP or ICMP.
type header struct {
	ip       []byte // from the network header on
	l4       []byte // from the transport header on
	v6       bool
	protocol wire.Protocol
	src, dst endpoint // without ports where the protocol has none
}

// need is how many bytes of a packet parse wants: network header with options,
// extension headers left out, and transport header without options.
const need = 60 + wire.TCPMinSize

// parse reads the beginning of a packet; false for what is cut short, a fragment, or
// has IPv6 extension headers.
func parse(b []byte) (h header, ok bool) {
	h.ip = b
	switch wire.IPVersion(b) {
	case 4:
		if len(b) < wire.IPv4MinSize {
			return h, false
		}
		p := wire.IPv4(b)
		n := p.HeaderLen()
		if n < wire.IPv4MinSize || n > len(b) || p.IsFragment() {
			return h, false
		}
		h.l4, h.protocol, h.src.addr, h.dst.addr = b[n:], p.Protocol(), p.Src(), p.Dst()
	case 6:
		if len(b) < wire.IPv6Size {
			return h, false
		}
		p := wire.IPv6(b)
		h.v6, h.l4, h.protocol, h.src.addr, h.dst.addr = true, b[wire.IPv6Size:], p.NextHeader(), p.Src(), p.Dst()
	default:
		return h, false
	}
	switch h.protocol {
	case wire.ProtoTCP, wire.ProtoUDP:
		least := wire.UDPSize
		if h.protocol == wire.ProtoTCP {
			least = wire.TCPMinSize
		}
		if len(h.l4) < least {
			return h, false
		}
		h.src.port, h.dst.port = binary.BigEndian.Uint16(h.l4), binary.BigEndian.Uint16(h.l4[2:])
	case wire.ProtoICMP, wire.ProtoICMPv6:
		if len(h.l4) < wire.ICMPv4Size {
			return h, false
		}
	}
	return h, true
}

// rewrite gives a TCP packet other ends, in place, and keeps its checksums right
// (RFC 1624).
func (h *header) rewrite(src, dst endpoint) {
	t := wire.TCP(h.l4)
	sum := t.Checksum()
	sum = wire.UpdateAddr(sum, h.src.addr, src.addr)
	sum = wire.UpdateAddr(sum, h.dst.addr, dst.addr)
	sum = wire.Update16(sum, h.src.port, src.port)
	t.SetChecksum(wire.Update16(sum, h.dst.port, dst.port))
	t.SetSrcPort(src.port)
	t.SetDstPort(dst.port)
	if h.v6 {
		p := wire.IPv6(h.ip)
		p.SetSrc(src.addr)
		p.SetDst(dst.addr)
		return
	}
	p := wire.IPv4(h.ip)
	p.SetChecksum(wire.UpdateAddr(wire.UpdateAddr(p.Checksum(), h.src.addr, src.addr), h.dst.addr, dst.addr))
	p.SetSrc(src.addr)
	p.SetDst(dst.addr)
}
