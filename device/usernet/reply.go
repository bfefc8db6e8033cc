package usernet

import (
	"github.com/libos-go/libos/core/wire"
)

// headroom is for the headers before a datagram.
const headroom = wire.IPv6Size + wire.UDPSize

// network writes a network header before b[at:], which has the transport's n bytes,
// and returns the packet; nil if it would be too long.
func network(b []byte, at, n int, protocol wire.Protocol, src, dst wire.Addr) []byte {
	if src.Is4() {
		p := b[at-wire.IPv4MinSize : at+n]
		if len(p) > room {
			return nil
		}
		wire.IPv4(p).Encode(&wire.IPv4Fields{TotalLen: len(p), TTL: 64, Protocol: protocol, Src: src, Dst: dst})
		wire.IPv4(p).UpdateChecksum()
		return p
	}
	p := b[at-wire.IPv6Size : at+n]
	if n > room {
		return nil
	}
	wire.IPv6(p).Encode(&wire.IPv6Fields{PayloadLen: n, NextHeader: protocol, HopLimit: 64, Src: src, Dst: dst})
	return p
}

// datagramTo makes a packet of the n bytes of a datagram at b[headroom:].
func datagramTo(b []byte, n int, src, dst endpoint) []byte {
	at := headroom - wire.UDPSize
	if wire.UDPSize+n > room {
		return nil
	}
	u := wire.UDP(b[at : headroom+n])
	u.Encode(src.port, dst.port, len(u))
	u.UpdateChecksum(src.addr, dst.addr)
	return network(b, at, len(u), wire.ProtoUDP, src.addr, dst.addr)
}

// reset answers a TCP packet for which there is no connection (RFC 9293 section
// 3.10.7.1).
func reset(h *header) []byte {
	b := make([]byte, wire.IPv6Size+wire.TCPMinSize)
	in, t := wire.TCP(h.l4), wire.TCP(b[wire.IPv6Size:])
	f := wire.TCPFields{SrcPort: h.dst.port, DstPort: h.src.port, Flags: wire.TCPRst}
	if in.Flags()&wire.TCPAck != 0 {
		f.Seq = in.Ack()
	} else {
		n := uint32(0)
		if hl := in.HeaderLen(); hl >= wire.TCPMinSize && hl <= len(h.l4) {
			n = in.SegLen()
		}
		f.Flags |= wire.TCPAck
		f.Ack = in.Seq().Add(n)
	}
	t.Encode(&f, wire.TCPMinSize)
	t.UpdateChecksum(h.dst.addr, h.src.addr)
	return network(b, wire.IPv6Size, wire.TCPMinSize, wire.ProtoTCP, h.dst.addr, h.src.addr)
}

// problem is an error of ICMP about a packet, from whom it was for.
func problem(h *header, type4, code4, type6, code6 uint8) []byte {
	q := h.ip[:min(len(h.ip), quoted)]
	n := wire.ICMPv4Size + len(q)
	b := make([]byte, wire.IPv6Size+n)
	m := b[wire.IPv6Size:]
	copy(m[wire.ICMPv4Size:], q)
	if h.v6 {
		wire.ICMPv6(m).Encode(type6, code6, 0)
		wire.ICMPv6(m).UpdateChecksum(h.dst.addr, h.src.addr)
		return network(b, wire.IPv6Size, n, wire.ProtoICMPv6, h.dst.addr, h.src.addr)
	}
	wire.ICMPv4(m).Encode(type4, code4, 0)
	wire.ICMPv4(m).UpdateChecksum()
	return network(b, wire.IPv6Size, n, wire.ProtoICMP, h.dst.addr, h.src.addr)
}

func prohibited(h *header) []byte {
	return problem(h, wire.ICMPv4Unreachable, wire.ICMPv4AdminProhibited, wire.ICMPv6Unreachable, wire.ICMPv6AdminProhibited)
}

func unreachable(h *header) []byte {
	return problem(h, wire.ICMPv4Unreachable, wire.ICMPv4HostUnreachable, wire.ICMPv6Unreachable, wire.ICMPv6AddressUnreachable)
}

func portUnreachable(h *header) []byte {
	return problem(h, wire.ICMPv4Unreachable, wire.ICMPv4PortUnreachable, wire.ICMPv6Unreachable, wire.ICMPv6PortUnreachable)
}
