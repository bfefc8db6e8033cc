package ipv6

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// forward sends p, which starts at its IPv6 header, on by r (RFC 8200 §3,
// RFC 4291 §2.5.6; Linux net/ipv6/ip6_output.c).
func (n *network) forward(p *core.Packet, r *core.Route) {
	if !n.confAll().Forwarding || p.Type != core.PacketHost || p.Src.IsUnspecified() || p.Dst.IsLinkLocalUnicast() || p.Flags&core.FlagLoopback != 0 {
		n.drop(p, inAddrErrors)
		return
	}
	if p.Src.IsLinkLocalUnicast() {
		n.count.inc(inAddrErrors)
		n.sendError(p, wire.ICMPv6Unreachable, wire.ICMPv6BeyondScope, 0)
		p.Free()
		return
	}
	if p.HopLimit <= 1 {
		n.count.inc(inHdrErrors)
		n.sendError(p, wire.ICMPv6TimeExceeded, wire.ICMPv6HopLimitExceeded, 0)
		p.Free()
		return
	}
	if r.Interface == p.Interface && discovers(r.Interface) {
		n.redirect(p, r)
	}
	if size := p.Len(); size > r.LinkMTU && (p.SegmentSize == 0 || segmentLen(p) > r.LinkMTU) {
		n.count.inc(inTooBigErrors)
		n.count.inc(fragFails)
		n.sendError(p, wire.ICMPv6PacketTooBig, 0, uint32(max(r.LinkMTU, minMTU)))
		p.Free()
		return
	}
	if !p.Unshare() {
		n.drop(p, inDiscards)
		return
	}
	wire.IPv6(p.Linear()).DecrementHopLimit()
	p.Flags |= core.FlagForwarded
	p.EtherType = wire.EtherTypeIPv6
	n.count.inc(outForwDatagrams)
	n.count.add(outOctets, p.Len())
	r.Send(p)
}

// segmentLen is the size on the wire of the segments that a super-segment,
// which starts at its IPv6 header, is cut into.
func segmentLen(p *core.Packet) int {
	b := p.Linear()
	size := headerSize + int(p.SegmentSize)
	switch u, ok := findUpper(b); {
	case !ok:
		return p.Len()
	case u.protocol == wire.ProtoTCP && len(b) >= u.offset+wire.TCPMinSize:
		return size + u.offset - headerSize + int(b[u.offset+12]>>4)*4
	default:
		return size + u.offset - headerSize + wire.UDPSize
	}
}
