package ipv4

import (
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// arpInput takes an ARP packet (RFC 826, Linux: arp_process). It owns p.
func (s *stack) arpInput(p *core.Packet) {
	c := s.c()
	ifc := p.Interface
	if ifc.Link() != core.LinkEthernet || ifc.Flags()&core.FlagNoARP != 0 || !p.Pullup(wire.ARPSize) {
		s.drop(p, arpInErrors)
		return
	}
	a, err := wire.ParseARP(p.Linear())
	if err != nil {
		s.drop(p, arpInErrors)
		return
	}
	f := a.Fields()
	d := s.device(ifc)
	if f.Op != wire.ARPRequest && f.Op != wire.ARPReply || f.TargetIP.IsMulticast() || f.SenderIP.IsMulticast() ||
		f.SenderIP.IsBroadcast() || !d.routeLocalnet && (f.TargetIP.IsLoopback() || f.SenderIP.IsLoopback()) || f.SenderHW.IsMulticast() {
		s.drop(p, arpInErrors)
		return
	}
	if f.Op == wire.ARPRequest {
		*c.at(arpInRequests)++
	} else {
		*c.at(arpInReplies)++
	}
	host := p.Type == core.PacketHost
	p.Free()
	if !f.SenderIP.IsUnspecified() && ifc.Address(f.SenderIP) != nil {
		if f.SenderHW != ifc.HWAddr() {
			s.arpConflict(ifc, &f)
		}
		return
	}
	gratuitous := f.SenderIP == f.TargetIP
	if gratuitous && d.dropGratuitousArp {
		return
	}
	if f.Op == wire.ARPRequest && !gratuitous && s.answers(ifc, d, &f) {
		if !f.SenderIP.IsUnspecified() { // not for a probe (RFC 5227 §2.1.1)
			ifc.LearnNeighbour(f.SenderIP, core.NeighbourUpdate{HWAddr: f.SenderHW, HasHWAddr: true, Override: true, Create: true})
		}
		s.sendARP(ifc, wire.ARPReply, f.SenderHW, wire.ARPFields{SenderIP: f.TargetIP, TargetHW: f.SenderHW, TargetIP: f.SenderIP})
		return
	}
	if f.SenderIP.IsUnspecified() {
		return
	}
	create := gratuitous && (d.arpAccept == 1 || d.arpAccept == 2 && onNetwork(ifc, f.SenderIP))
	ifc.LearnNeighbour(f.SenderIP, core.NeighbourUpdate{HWAddr: f.SenderHW, HasHWAddr: true, Create: create,
		Solicited: f.Op == wire.ARPReply && host, Override: true})
}

// onNetwork tells whether a is in a network of the interface.
func onNetwork(ifc *core.Interface, a wire.Addr) bool {
	for _, x := range ifc.Addresses() {
		if x.Prefix.Contains(a) {
			return true
		}
	}
	return false
}

// answers tells whether a request is to be answered: its target is ours, by the
// rules of arp_ignore and arp_filter.
func (s *stack) answers(ifc *core.Interface, d *device, f *wire.ARPFields) bool {
	if !s.in.IsLocal(f.TargetIP) {
		return false
	}
	switch d.arpIgnore {
	case 1, 2:
		a := ifc.Address(f.TargetIP)
		if a == nil || d.arpIgnore == 2 && !a.Prefix.Contains(f.SenderIP) {
			return false
		}
	case 3:
		for _, x := range s.in.Interfaces() {
			if a := x.Address(f.TargetIP); a != nil && a.Scope >= core.ScopeHost {
				return false
			}
		}
	case 4, 5, 6, 7:
	case 8:
		return false
	}
	if d.arpFilter && !f.SenderIP.IsUnspecified() {
		r, err := s.in.Route(core.RouteQuery{Dst: f.SenderIP, Src: f.TargetIP})
		return err == nil && r.Interface == ifc
	}
	return true
}

// arpConflict notes that another host uses our address (RFC 5227 §2.4). The
// address is kept and defended by an announcement, at most once in ten seconds
// (rule b).
func (s *stack) arpConflict(ifc *core.Interface, f *wire.ARPFields) {
	*s.counters.at(arpConflicts)++
	a := ifc.Address(f.SenderIP)
	now := s.in.Now()
	if last, ok := a.State.(core.Time); ok && now.Sub(last) < defendInterval {
		return
	}
	a.State = now
	s.in.Domain().Host().Log().Warn("address conflict", "host", s.in.Name(), "device", ifc.Name(),
		"address", f.SenderIP.String(), "used by", f.SenderHW.String())
	s.sendAnnouncement(ifc, f.SenderIP)
}

// defendInterval is RFC 5227's DEFEND_INTERVAL.
const defendInterval = 10 * time.Second

// announce tells the link of an address by gratuitous ARP.
func (s *stack) announce(ifc *core.Interface, a wire.Addr) {
	if a.Is4() && ifc.Up() && ifc.Link() == core.LinkEthernet && ifc.Flags()&core.FlagNoARP == 0 && s.device(ifc).arpNotify {
		s.sendAnnouncement(ifc, a)
	}
}

// sendAnnouncement sends an announcement (RFC 5227 §2.3): a request from and for
// a.
func (s *stack) sendAnnouncement(ifc *core.Interface, a wire.Addr) {
	s.c()
	s.sendARP(ifc, wire.ARPRequest, wire.HWBroadcast(), wire.ARPFields{SenderIP: a, TargetIP: a})
}

// Solicit implements core.Network: it asks who has n's address.
func (s *stack) Solicit(n *core.Neighbour, unicast bool) {
	ifc := n.Interface
	s.c()
	src, ok := s.arpSource(ifc, n)
	if !ok {
		return // nobody may answer to no address (Linux: arp_solicit)
	}
	f := wire.ARPFields{SenderIP: src, TargetIP: n.Addr}
	to := wire.HWBroadcast()
	if unicast {
		to, f.TargetHW = n.HWAddr, n.HWAddr
	}
	s.sendARP(ifc, wire.ARPRequest, to, f)
}

// arpSource chooses a request's sender address by arp_announce.
func (s *stack) arpSource(ifc *core.Interface, n *core.Neighbour) (wire.Addr, bool) {
	d := s.device(ifc)
	if p := n.Waiting(); p != nil && d.arpAnnounce < 2 {
		// A forwarded packet's source is not local and falls through.
		if a := p.Src; s.in.IsLocal(a) && (d.arpAnnounce == 0 || onNetwork(ifc, a)) {
			return a, true
		}
	}
	return s.Source(ifc, n.Addr)
}

// sendARP sends a packet whose sender hardware address is the interface's.
func (s *stack) sendARP(ifc *core.Interface, op uint16, to wire.HWAddr, f wire.ARPFields) {
	p := s.in.NewPacket(linkHeadroom, wire.ARPSize)
	if p == nil {
		return
	}
	f.Op, f.SenderHW = op, ifc.HWAddr()
	wire.ARP(p.Put(wire.ARPSize)).Encode(f)
	p.EtherType, p.Interface = wire.EtherTypeARP, ifc
	if op == wire.ARPRequest {
		*s.counters.at(arpOutRequests)++
	} else {
		*s.counters.at(arpOutReplies)++
	}
	ifc.TransmitTo(p, to)
}

// Failed implements core.Network: p waited for n, which did not answer. The
// source learns that the host is unreachable (RFC 1122 §2.3.2.2, RFC 1812
// §3.3.2).
func (s *stack) Failed(n *core.Neighbour, p *core.Packet) {
	s.c()
	p.SetNetworkHeader()
	b := p.Linear()
	if p.Flags&core.FlagForwarded != 0 {
		p.Type = core.PacketHost
		s.sendError(p, wire.ICMPv4Unreachable, wire.ICMPv4HostUnreachable, 0)
		p.Free()
		return
	}
	if len(b) >= wire.IPv4MinSize {
		h := wire.IPv4(b)
		if hl := h.HeaderLen(); len(b) >= hl+8 && h.FragmentOffset() == 0 {
			errno, hard := unreachableErrno(wire.ICMPv4HostUnreachable)
			s.in.DeliverError(&core.ErrorReport{Protocol: h.Protocol(), Src: h.Src(), Dst: h.Dst(), Offender: h.Src(),
				Errno: errno, Hard: hard, Type: wire.ICMPv4Unreachable, Code: wire.ICMPv4HostUnreachable, Quoted: b[hl:], Ifindex: p.Ifindex()})
		}
	}
	p.Free()
}
