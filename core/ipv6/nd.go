package ipv6

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Solicit implements core.Network (RFC 4861 §7.2.2).
func (n *network) Solicit(nb *core.Neighbour, unicast bool) {
	ifc := nb.Interface
	var src wire.Addr
	if w := nb.Waiting(); w != nil && w.Flags&core.FlagForwarded == 0 && w.Src.Is6() && ifc.Address(w.Src) != nil && n.usable(ifc, w.Src) {
		src = w.Src
	} else {
		a, ok := n.sourceOn(ifc, nb.Addr)
		if !ok {
			return // without an address there is nothing to ask with
		}
		src = a
	}
	dst := nb.Addr
	if !unicast {
		dst = wire.SolicitedNode(nb.Addr)
	}
	p := n.newMessage(wire.NeighborSolicitSize + wire.NDLinkLayerSize)
	if p == nil {
		return
	}
	b := p.Linear()
	wire.NeighborSolicit(b).Encode(nb.Addr)
	wire.PutNDLinkLayer(b[wire.NeighborSolicitSize:], wire.NDOptSourceLL, ifc.HWAddr())
	if unicast {
		n.transmit(p, ifc, src, dst, nb.HWAddr)
		return
	}
	n.sendDiscovery(p, ifc, src, dst)
}

// usable tells whether an own address is neither tentative nor a duplicate.
func (n *network) usable(ifc *core.Interface, a wire.Addr) bool {
	x := ifc.Address(a)
	return x == nil || x.Flags&(core.AddressTentative|core.AddressDADFailed) == 0
}

// newMessage is a packet for an ICMPv6 message of size bytes, all zero; nil
// when memory is short.
func (n *network) newMessage(size int) *core.Packet {
	p := n.in.NewPacket(core.Headroom, size)
	if p == nil {
		n.count.inc(icmpOutErrors)
		return nil
	}
	clear(p.Put(size))
	return p
}

// sendDiscovery sends a neighbour discovery message, complete but for its
// checksum, on a link: past the routing table, since the source may be "::".
func (n *network) sendDiscovery(p *core.Packet, ifc *core.Interface, src, dst wire.Addr) {
	if dst.IsMulticast() {
		n.transmit(p, ifc, src, dst, wire.MulticastHWAddr(dst))
		return
	}
	n.finishDiscovery(p, src, dst)
	r := core.Route{Interface: ifc, Gateway: dst, Src: src, Dst: dst, MTU: ifc.MTU(), Type: core.RouteUnicast}
	r.Send(p)
}

// transmit is sendDiscovery to a known link-layer address.
func (n *network) transmit(p *core.Packet, ifc *core.Interface, src, dst wire.Addr, hw wire.HWAddr) {
	n.finishDiscovery(p, src, dst)
	ifc.TransmitTo(p, hw)
}

func (n *network) finishDiscovery(p *core.Packet, src, dst wire.Addr) {
	p.Src, p.Dst = src, dst
	checksumICMP(p)
	n.count.sentICMP(p.Linear()[0])
	p.SetTransportHeader()
	size := p.Len()
	wire.IPv6(p.Push(headerSize)).Encode(&wire.IPv6Fields{PayloadLen: size, NextHeader: wire.ProtoICMPv6, HopLimit: wire.NDHopLimit, Src: src, Dst: dst})
	p.SetNetworkHeader()
	p.EtherType = wire.EtherTypeIPv6
	p.Protocol = wire.ProtoICMPv6
	n.countSent(p)
}

func (n *network) countSent(p *core.Packet) {
	n.count.inc(outRequests)
	n.count.add(outOctets, p.Len())
	if p.Dst.IsMulticast() {
		n.count.inc(outMcastPkts)
		n.count.add(outMcastOctets, p.Len())
	}
	n.count.inc(outTransmits)
}

// neighborSolicit takes a Neighbor Solicitation (RFC 4861 §7.2.3). False means
// that it is not valid.
func (n *network) neighborSolicit(p *core.Packet, m wire.ICMPv6) bool {
	var o wire.NDOptions
	s, err := wire.ParseNeighborSolicit(m, p.Src, p.Dst, p.HopLimit, &o)
	if err != nil {
		return false
	}
	ifc := p.Interface
	if !discovers(ifc) {
		return true
	}
	a := ifc.Address(s.Target())
	if a == nil {
		return true
	}
	if a.Flags&core.AddressTentative != 0 {
		// RFC 4862 §5.4.3: somebody else is about to take the address.
		if p.Src.IsUnspecified() && a.Flags&core.AddressDADFailed == 0 {
			n.duplicate(ifc, a)
		}
		return true
	}
	flags := wire.NDAOverride | n.routerFlag(ifc)
	if p.Src.IsUnspecified() {
		n.advertise(ifc, a.Prefix.Addr, wire.IPv6AllNodes(), flags)
		return true
	}
	if o.Has&wire.NDHasSourceLL != 0 {
		ifc.LearnNeighbour(p.Src, core.NeighbourUpdate{HWAddr: o.SourceLL, HasHWAddr: true, Override: true, Create: true})
	}
	n.advertise(ifc, a.Prefix.Addr, p.Src, flags|wire.NDASolicited)
	return true
}

// routerFlag is the router flag of our advertisements.
func (n *network) routerFlag(ifc *core.Interface) wire.NDAFlags {
	if n.conf(ifc).Forwarding {
		return wire.NDARouter
	}
	return 0
}

// advertise sends a Neighbor Advertisement for an own address (RFC 4861
// §7.2.4, §7.2.6).
func (n *network) advertise(ifc *core.Interface, target, dst wire.Addr, flags wire.NDAFlags) {
	p := n.newMessage(wire.NeighborAdvertSize + wire.NDLinkLayerSize)
	if p == nil {
		return
	}
	b := p.Linear()
	wire.NeighborAdvert(b).Encode(flags, target)
	wire.PutNDLinkLayer(b[wire.NeighborAdvertSize:], wire.NDOptTargetLL, ifc.HWAddr())
	n.sendDiscovery(p, ifc, target, dst)
}

// neighborAdvert takes a Neighbor Advertisement (RFC 4861 §7.2.5).
func (n *network) neighborAdvert(p *core.Packet, m wire.ICMPv6) bool {
	var o wire.NDOptions
	v, err := wire.ParseNeighborAdvert(m, p.Dst, p.HopLimit, &o)
	if err != nil {
		return false
	}
	ifc, target := p.Interface, v.Target()
	if !discovers(ifc) {
		return true
	}
	if a := ifc.Address(target); a != nil {
		// RFC 4862 §5.4.4. For an address that is in use it is an error of the
		// other side, which nothing here can cure.
		if a.Flags&core.AddressTentative != 0 && a.Flags&core.AddressDADFailed == 0 {
			n.duplicate(ifc, a)
		} else {
			n.in.Domain().Host().Log().Warn("ipv6: another node advertises an address of ours", "instance", n.in.Name(), "interface", ifc.Name(), "address", target)
		}
		return true
	}
	f := v.Flags()
	nb := ifc.Neighbour(target)
	wasRouter := nb != nil && nb.Router
	nb = ifc.LearnNeighbour(target, core.NeighbourUpdate{HWAddr: o.TargetLL, HasHWAddr: o.Has&wire.NDHasTargetLL != 0,
		Solicited: f&wire.NDASolicited != 0, Override: f&wire.NDAOverride != 0, IsRouter: f&wire.NDARouter != 0, NotRouter: f&wire.NDARouter == 0})
	switch {
	case nb == nil:
	case wasRouter && !nb.Router:
		n.removeRouter(ifc, target) // RFC 4861 §7.3.3: it is a host now
	case nb.State == core.NeighbourReachable:
		n.neighbourChanged(ifc, target)
	}
	return true
}
