package core

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/libos-go/libos/core/wire"
)

// ipHeader is the linear part of a frame from its network header on, empty if
// it is no IP packet.
func (p *Packet) ipHeader(link Link) []byte {
	b := p.Linear()
	if link == LinkEthernet {
		if len(b) < wire.EthernetSize {
			return nil
		}
		switch wire.Ethernet(b).Type() {
		case wire.EtherTypeIPv4, wire.EtherTypeIPv6:
			b = b[wire.EthernetSize:]
		default:
			return nil
		}
	}
	switch {
	case len(b) >= wire.IPv4MinSize && b[0]>>4 == 4, len(b) >= wire.IPv6Size && b[0]>>4 == 6:
		return b
	}
	return nil
}

// transportOf finds the transport header behind an IP header: its protocol and
// where it starts, 0 for a fragment other than the first or a header that is not
// there. Extension headers of IPv6 are not followed.
func transportOf(ip []byte) (protocol uint8, offset int) {
	if ip[0]>>4 == 4 {
		h := wire.IPv4(ip)
		if h.IsFragment() || h.HeaderLen() < wire.IPv4MinSize {
			return h.Protocol(), 0
		}
		return h.Protocol(), h.HeaderLen()
	}
	return wire.IPv6(ip).NextHeader(), wire.IPv6Size
}

// headersLen is the size of a frame's network and transport headers, 0 if they
// are not known.
func (p *Packet) headersLen(link Link) int {
	ip := p.ipHeader(link)
	if ip == nil {
		return 0
	}
	protocol, at := transportOf(ip)
	switch {
	case at == 0:
		return 0
	case protocol == wire.ProtoTCP && len(ip) >= at+wire.TCPMinSize:
		return at + int(ip[at+12]>>4)*4
	}
	return at + wire.UDPSize
}

// FlowHash is a hash of what tells the flow of a frame from others, which begins
// with the header of link: addresses, protocol and, where they are at hand, ports
// or flow label; of the first bytes of what is no IP packet. Frames of a flow have
// the same hash for the same key.
func (p *Packet) FlowHash(link Link, key uint64) uint64 {
	ip := p.ipHeader(link)
	if ip == nil {
		b := p.Linear()
		var head [16]byte
		copy(head[:], b)
		return mix(mix(key, binary.LittleEndian.Uint64(head[:])), binary.LittleEndian.Uint64(head[8:]))
	}
	protocol, at := transportOf(ip)
	h := mix(key, uint64(protocol))
	if ip[0]>>4 == 4 {
		h = mix(h, binary.LittleEndian.Uint64(ip[12:20]))
	} else {
		for i := 8; i < 40; i += 8 {
			h = mix(h, binary.LittleEndian.Uint64(ip[i:]))
		}
	}
	if wire.HasPorts(protocol) && at != 0 && len(ip) >= at+4 {
		h = mix(h, uint64(binary.LittleEndian.Uint32(ip[at:])))
	}
	return h
}

// FlowHashBothWays is FlowHash of both directions of a flow: they have the same hash for
// the same key. Of what is no IP packet only the ethertype counts.
func (p *Packet) FlowHashBothWays(link Link, key uint64) uint64 {
	ip := p.ipHeader(link)
	if ip == nil {
		b := p.Linear()
		if link != LinkEthernet || len(b) < wire.EthernetSize {
			return mix(key, 0)
		}
		return mix(key, uint64(wire.Ethernet(b).Type()))
	}
	protocol, at := transportOf(ip)
	h := mix(key, uint64(protocol))
	if ip[0]>>4 == 4 {
		a, b := binary.LittleEndian.Uint32(ip[12:]), binary.LittleEndian.Uint32(ip[16:])
		h = mix(h, uint64(min(a, b))<<32|uint64(max(a, b)))
	} else {
		a, b := ip[8:24], ip[24:40]
		if bytes.Compare(a, b) > 0 {
			a, b = b, a
		}
		h = mix(mix(h, binary.LittleEndian.Uint64(a)), binary.LittleEndian.Uint64(a[8:]))
		h = mix(mix(h, binary.LittleEndian.Uint64(b)), binary.LittleEndian.Uint64(b[8:]))
	}
	if wire.HasPorts(protocol) && at != 0 && len(ip) >= at+4 {
		a, b := binary.LittleEndian.Uint16(ip[at:]), binary.LittleEndian.Uint16(ip[at+2:])
		h = mix(h, uint64(min(a, b))<<16|uint64(max(a, b)))
	}
	return h
}

// mix is one round of a multiplicative hash.
func mix(h, v uint64) uint64 {
	hi, lo := bits.Mul64(h^0x9e3779b97f4a7c15, v^0xbf58476d1ce4e5b9)
	return hi ^ lo
}

// ECN codepoints (RFC 3168 §5).
const (
	ecnNot = 0
	ecnCE  = 3
)

// ECNCapable tells whether the frame, which begins with the header of link, is an
// IP packet of a transport that understands marks (ECT(0), ECT(1) or CE).
func (p *Packet) ECNCapable(link Link) bool {
	ip := p.ipHeader(link)
	switch {
	case ip == nil:
		return false
	case ip[0]>>4 == 4:
		return wire.IPv4(ip).ECN() != ecnNot
	}
	return wire.IPv6(ip).ECN() != ecnNot
}

// MarkCE sets the codepoint CE in an IP packet that is ECN-capable, with the
// checksum of IPv4 adapted, and tells whether the packet carries it now. p begins
// with the header of link. It fails for what is not ECN-capable, and when memory
// for a private header is short.
func (p *Packet) MarkCE(link Link) bool {
	if !p.ECNCapable(link) || !p.Unshare() {
		return false
	}
	ip := p.ipHeader(link)
	if ip[0]>>4 == 4 {
		if h := wire.IPv4(ip); h.ECN() != ecnCE {
			h.SetECN(ecnCE)
		}
		return true
	}
	wire.IPv6(ip).SetECN(ecnCE)
	return true
}

// ServiceType is the TOS octet of IPv4 or the traffic class of IPv6 of a frame that
// begins with the header of link, 0 of what is no IP packet.
func (p *Packet) ServiceType(link Link) uint8 {
	ip := p.ipHeader(link)
	switch {
	case ip == nil:
		return 0
	case ip[0]>>4 == 4:
		return wire.IPv4(ip).TOS()
	}
	return wire.IPv6(ip).TrafficClass()
}
