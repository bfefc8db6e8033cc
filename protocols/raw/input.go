package raw

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// ReceiveRaw implements core.RawReceiver: each socket of the protocol whose addresses
// and interface fit gets the packet, with its header if it is of IPv4 (net/ipv4/raw.c,
// raw_v4_input; net/ipv6/raw.c, ipv6_raw_deliver).
func (h *handler) ReceiveRaw(p *core.Packet) (wanted bool) {
	if h.sockets == nil {
		return false
	}
	for _, x := range h.byProtocol[p.Protocol] {
		if !x.hears(p) {
			continue
		}
		wanted = true
		if x.filtered(p) {
			continue
		}
		c := p.Share()
		if c == nil {
			continue
		}
		if x.v4 {
			c.RestoreNetworkHeader()
		} else if x.checksum && c.Checksum == core.ChecksumUnknown && !sumsUp(c) {
			c.Free()
			continue
		}
		c.SrcPort, c.DstPort = 0, uint16(x.protocol)
		one := [1]*core.Packet{c}
		h.env.Deliver(x.id, one[:])
	}
	return wanted
}

// hears tells whether the socket's addresses and interface allow a packet that came.
func (x *socket) hears(p *core.Packet) bool {
	if x.v4 != p.Dst.Is4() || x.device != 0 && int(x.device) != p.Ifindex() {
		return false
	}
	if x.connected && x.peer != p.Src {
		return false
	}
	return x.local.IsUnspecified() || x.local == p.Dst || !x.v4 && p.Dst.IsMulticast()
}

// filtered tells whether ICMP_FILTER or ICMPV6_FILTER keeps the packet away.
func (x *socket) filtered(p *core.Packet) bool {
	b := p.Linear()
	if x.protocol != x.icmp() || len(b) == 0 {
		return false
	}
	return x.filter.blocks(b[0])
}

// icmp is the ICMP of the socket's family.
func (x *socket) icmp() wire.Protocol {
	if x.v4 {
		return wire.ProtoICMP
	}
	return wire.ProtoICMPv6
}

// sumsUp verifies the checksum of an IPv6 payload.
func sumsUp(p *core.Packet) bool {
	var c wire.Checksum
	c.AddPseudoHeader(p.Src, p.Dst, p.Protocol, p.Len())
	p.Sum(&c, 0)
	return c.Fold() == 0xffff
}

// ErrorRaw implements core.RawReceiver (net/ipv4/raw.c, raw_icmp_error; net/ipv6/raw.c,
// raw6_icmp_error).
func (h *handler) ErrorRaw(e *core.ErrorReport) {
	if h.sockets == nil {
		return
	}
	for _, x := range h.byProtocol[e.Protocol] {
		if x.v4 != e.Dst.Is4() || x.device != 0 && int(x.device) != e.Ifindex {
			continue
		}
		if x.connected && x.peer != e.Dst || !x.local.IsUnspecified() && x.local != e.Src {
			continue
		}
		r := *e
		if x.header { // the user's bytes begin with the IP header
			r.Quoted = e.Whole
		}
		h.env.Report(x.id, &r, 0, 0)
	}
}
