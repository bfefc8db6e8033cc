package ipv6

import (
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Output implements core.Network. A packet is fragmented only here, at its
// source (RFC 8200 §5).
func (n *network) Output(p *core.Packet) error {
	r := p.Route
	if p.Flags&core.FlagHeader == 0 {
		if p.Src.IsUnspecified() {
			p.Src = r.Src
		}
		if err := n.putHeader(p, r); err != nil {
			n.drop(p, outDiscards)
			return err
		}
	} else if p.LinearLen() < headerSize {
		n.drop(p, outDiscards)
		return syscall.EINVAL
	}
	p.SetNetworkHeader()
	p.EtherType = wire.EtherTypeIPv6
	size := p.Len()
	n.count.inc(outRequests)
	n.count.add(outOctets, size)
	if size > r.MTU && (p.SegmentSize == 0 || segmentLen(p) > r.MTU) {
		if p.Flags&(core.FlagDontFragment|core.FlagHeader) != 0 {
			n.drop(p, fragFails)
			return syscall.EMSGSIZE
		}
		return n.sendFragments(p, r)
	}
	n.send(p, r)
	return nil
}

// putHeader puts the IPv6 header in front of p, which starts at the transport
// header.
func (n *network) putHeader(p *core.Packet, r *core.Route) error {
	size := p.Len()
	if size > 65535 {
		return syscall.EMSGSIZE
	}
	if !p.EnsureHeadroom(headerSize) {
		return syscall.ENOBUFS
	}
	p.SetTransportHeader()
	label := p.FlowLabel
	if label == 0 && n.sys().AutoFlowLabels > 0 {
		label = n.flowLabel(p)
	}
	hops := p.HopLimit
	if hops == 0 {
		if hops = uint8(r.Metric(core.MetricHopLimit)); hops == 0 {
			hops = n.hopLimit(r.Interface)
		}
	}
	wire.IPv6(p.Push(headerSize)).Encode(&wire.IPv6Fields{TrafficClass: p.TOS, FlowLabel: label, PayloadLen: size,
		NextHeader: p.Protocol, HopLimit: hops, Src: p.Src, Dst: p.Dst})
	return nil
}

// hopLimit is the default of an interface: what a router advertised or the
// setting.
func (n *network) hopLimit(ifc *core.Interface) uint8 {
	if d := n.known(ifc); d != nil && d.ra != nil && d.ra.hopLimit != 0 {
		return d.ra.hopLimit
	}
	return uint8(n.conf(ifc).HopLimit)
}

// DefaultHops is the hop limit of packets whose socket sets none and that leave
// by ifc; nil if that is not known yet.
func (n *network) DefaultHops(ifc *core.Interface) int {
	if ifc == nil {
		return n.confAll().HopLimit
	}
	return int(n.hopLimit(ifc))
}

// flowLabel is the label of p's flow: the same for all its packets, without
// telling anything of it (RFC 6437 §3). It is never 0.
func (n *network) flowLabel(p *core.Packet) uint32 {
	var ports uint64
	if p.Protocol == wire.ProtoTCP || p.Protocol == wire.ProtoUDP || p.Protocol == wire.ProtoUDPLite {
		if b := p.Linear(); len(b) >= 4 {
			ports = uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3])
		}
	}
	const m = 0x9e3779b97f4a7c15
	h := n.key()[0]
	h = (h ^ p.Src.Hi) * m
	h = (h ^ h>>29 ^ p.Src.Lo) * m
	h = (h ^ h>>29 ^ p.Dst.Hi) * m
	h = (h ^ h>>29 ^ p.Dst.Lo) * m
	h = (h ^ h>>29 ^ ports ^ uint64(p.Protocol)<<32) * m
	if label := uint32(h>>40) & 0xfffff; label != 0 {
		return label
	}
	return 1
}

// send hands a complete packet to the link; a multicast one also to the
// members on this instance.
func (n *network) send(p *core.Packet, r *core.Route) {
	if r.Type == core.RouteLocal {
		n.in.LoopLocal(p, r)
		return
	}
	if r.Type == core.RouteMulticast {
		n.count.inc(outMcastPkts)
		n.count.add(outMcastOctets, p.Len())
		interfaceLocal := p.Dst.Scope() <= wire.ScopeInterfaceLocal
		if p.Flags&core.FlagNoLoop == 0 && (interfaceLocal || p.Dst == wire.IPv6AllNodes() || r.Interface.InGroup(p.Dst)) {
			if c := p.Clone(n.in); c != nil {
				n.in.LoopTo(r.Interface, c, core.PacketMulticast)
			}
		}
		if interfaceLocal {
			p.Free()
			return
		}
	}
	n.count.inc(outTransmits)
	r.Send(p)
}

// sendFragments cuts p, complete with its IPv6 header, into fragments that
// refer to its bytes (RFC 8200 §4.5).
func (n *network) sendFragments(p *core.Packet, r *core.Route) error {
	if p.Checksum == core.ChecksumPartial {
		p.CompleteChecksum()
	}
	room := (r.MTU - headerSize - wire.IPv6FragmentSize) &^ 7
	id := n.ids.Next(n.in.Random(), p.Src, p.Dst, 0)
	var header [headerSize]byte
	copy(header[:], p.Linear())
	next := header[6]
	left := p.Len() - headerSize
	for at := 0; left > 0; at += room {
		size := min(room, left)
		left -= size
		f := n.in.NewPacket(core.Headroom, headerSize+wire.IPv6FragmentSize)
		if f == nil {
			n.drop(p, fragFails)
			return syscall.ENOBUFS
		}
		h := wire.IPv6(f.Put(headerSize + wire.IPv6FragmentSize))
		copy(h, header[:])
		h.SetNextHeader(wire.ProtoFragment)
		h.SetPayloadLen(wire.IPv6FragmentSize + size)
		wire.IPv6Fragment(h[headerSize:]).Encode(next, at, left > 0, id)
		if !refer(f, p, headerSize+at, size) {
			f.Free()
			n.drop(p, fragFails)
			return syscall.ENOBUFS
		}
		f.SetNetworkHeader()
		f.Src, f.Dst, f.EtherType, f.Interface, f.Route = p.Src, p.Dst, wire.EtherTypeIPv6, p.Interface, r
		n.count.inc(fragCreates)
		n.send(f, r)
	}
	n.count.inc(fragOKs)
	p.Free()
	return nil
}

// refer appends references to size bytes of p from offset off on to f.
func refer(f, p *core.Packet, off, size int) bool {
	add := func(g core.Frag) bool {
		if off >= int(g.Len) {
			off -= int(g.Len)
			return true
		}
		take := min(int(g.Len)-off, size)
		if take > 0 && !f.AppendFrag(g.Page, int(g.Off)+off, take) {
			return false
		}
		off, size = 0, size-take
		return true
	}
	if !add(p.LinearFrag()) {
		return false
	}
	for _, g := range p.Frags() {
		if size == 0 {
			break
		}
		if !add(g) {
			return false
		}
	}
	return size == 0
}
