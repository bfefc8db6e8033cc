package core

import (
	"syscall"

	"github.com/libos-go/libos/allocator"
	"github.com/libos-go/libos/core/wire"
)

// maxDatagram is more than any datagram protocol can carry; each has its own
// limit below it.
const maxDatagram = 65535

// largeDatagram is the size from which the user's bytes get pages of their own
// behind a small linear part for the headers.
const largeDatagram = 8192

func (e *datagramEndpoint) Send(m *Message) (int, error) {
	if e.dead() {
		e.socket.err = 0
		return 0, syscall.Errno(e.why)
	}
	if e.shutWrite {
		return 0, syscall.EPIPE
	}
	if e.socket.err != 0 {
		return 0, e.socket.takeError()
	}
	if m.Flags&MsgOOB != 0 || m.Flags&MsgMore != 0 && !e.holds() {
		return 0, syscall.EOPNOTSUPP
	}
	if e.held != nil {
		return e.holdOn(m)
	}
	dst := e.peer
	if e.oriented() {
		switch {
		case e.connecting:
			return 0, syscall.EAGAIN
		case !e.connected:
			return 0, syscall.ENOTCONN
		}
	} else if m.HasAddr {
		if err := e.socket.checkPeer(m.Addr); err != nil {
			return 0, err
		}
		dst = SockAddr{Addr: destination(m.Addr.Addr), Port: m.Addr.Port, Scope: m.Addr.Scope}
		if dst.Port == 0 && e.socket.hasPorts() {
			return 0, syscall.EINVAL
		}
	} else if !e.connected {
		return 0, syscall.EDESTADDRREQ
	}
	n := m.Len()
	if n > maxDatagram {
		return 0, syscall.EMSGSIZE
	}
	if e.local.Port == 0 {
		if err := e.autobind(); err != nil {
			return 0, err
		}
	}
	var control []byte
	if len(m.Ancillary) != 0 {
		var err error
		if control, err = e.ancillary(m); err != nil {
			return 0, err
		}
	}
	r, err := e.routeTo(dst, m)
	if err != nil && !e.oriented() {
		return 0, err
	}
	if e.cork || m.Flags&MsgMore != 0 {
		return e.hold(m)
	}
	p := e.packet(m, control, n)
	if p == nil {
		e.sep.handler.Event(&Event{Kind: EventSendDropped, Socket: e.socket.id, Count: 1, Addr: dst.Addr})
		return 0, syscall.ENOBUFS
	}
	p.Src, p.SrcPort, p.Dst, p.DstPort = e.local.Addr, e.local.Port, dst.Addr, dst.Port
	if err == nil {
		p.Src, p.Route, p.Interface = r.Src, r, r.Interface
		e.socket.options.stamp(p, r, n)
	} // otherwise the connection may have another way: its protocol sends when it finds one
	if m.HasTOS {
		p.TOS = m.TOS
	}
	if m.HasHopLimit {
		p.HopLimit = m.HopLimit
	}
	batch := e.socket.instance.domain.one[:]
	batch[0] = p
	err = e.sep.handler.Send(e.socket.id, batch)
	batch[0] = nil
	if err != nil {
		if err == syscall.EMSGSIZE && r != nil {
			e.localError(syscall.EMSGSIZE, dst, r.MTU)
		}
		return 0, err
	}
	if e.counts != nil {
		e.counts.Sent++
		e.counts.SentBytes += uint64(n)
	}
	return n, nil
}

// packet makes a packet with control messages, if there are any, and the n bytes of
// m; nil when memory is short.
func (e *datagramEndpoint) packet(m *Message, control []byte, n int) *Packet {
	in := e.socket.instance
	linear := n
	if n > largeDatagram {
		linear = 0
	}
	p := in.NewPacket(Headroom, len(control)+linear)
	if p == nil {
		return nil
	}
	if len(control) != 0 {
		p.ancillary = uint16(copy(p.Put(len(control)), control))
	}
	if linear == n {
		m.CopyIn(p.Put(n))
		return p
	}
	page := in.domain.pool.Page(allocator.ClassFor(n), &in.account)
	if page == nil {
		p.Free()
		return nil
	}
	m.CopyIn(page.Data[:n])
	p.AppendFrag(page, 0, n)
	page.Unref(&in.account)
	return p
}

// destination is the address that a user means: the unspecified one stands for
// this host (ip_route_output_key_hash, net/ipv4/route.c).
func destination(a wire.Addr) wire.Addr {
	if !a.IsUnspecified() {
		return a
	}
	if a.Is4() {
		return wire.FromV4(0x7f000001)
	}
	return wire.IPv6Loopback()
}

// source is the address the socket is bound to, if it can be sent from.
func (e *datagramEndpoint) source() wire.Addr {
	if e.anySource {
		return wire.Addr{}
	}
	return e.local.Addr
}

// routeTo is the route to dst, remembered from the last datagram if it fits.
func (e *datagramEndpoint) routeTo(dst SockAddr, m *Message) (*Route, error) {
	src, oif := e.source(), 0
	onLink := e.socket.options.OnLink(dst.Addr) || m.Flags&MsgDontRoute != 0 && dst.Addr.Is4()
	if m.HasPacketInfo {
		if !m.PacketInfo.Addr.IsUnspecified() {
			src = m.PacketInfo.Addr
			if !e.socket.instance.IsLocal(src) && !e.socket.options.FreeBind {
				return nil, syscall.EINVAL
			}
		}
		oif = m.PacketInfo.Interface
	} else if r := e.route; r != nil && r.Dst == dst.Addr && r.Type != RouteBroadcast && r.Valid() && int(r.oif) == e.wantedInterface(dst) && r.onLink == onLink &&
		(e.connected && dst == e.peer || !e.socket.instance.HasRules(!dst.Addr.Is4())) {
		return r, nil
	}
	r, err := e.lookup(dst, src, oif, onLink)
	if err == nil && !m.HasPacketInfo {
		e.route = r
	}
	return r, err
}

// wantedInterface is the interface that a datagram to dst must leave by, 0 for
// any.
func (e *datagramEndpoint) wantedInterface(dst SockAddr) int {
	o := e.socket.options
	if o.Device != 0 {
		return int(o.Device)
	}
	if dst.Scope != 0 {
		if oif := e.socket.outInterface(dst); oif != 0 {
			return oif
		}
	}
	if o.MulticastInterface != 0 && dst.Addr.IsMulticast() {
		return int(o.MulticastInterface)
	}
	return 0
}

// lookup finds the route to dst from src by way of oif (0: as the options
// say), and by no gateway if onLink is set. It refuses a broadcast that the socket
// did not ask for.
func (e *datagramEndpoint) lookup(dst SockAddr, src wire.Addr, oif int, onLink bool) (*Route, error) {
	if wanted := e.wantedInterface(dst); oif == 0 {
		oif = wanted
	} else if d := int(e.socket.options.Device); d != 0 && d != oif {
		return nil, syscall.ENODEV
	}
	if !src.IsUnspecified() && src.Is4() != dst.Addr.Is4() {
		return nil, syscall.ENETUNREACH
	}
	if src.IsUnspecified() {
		src = wire.Addr{}
		if o := e.socket.options; o.MulticastSource.Is4() && dst.Addr.Is4() && dst.Addr.IsMulticast() && oif == int(o.MulticastInterface) {
			src = o.MulticastSource
		}
	}
	q := RouteQuery{Dst: dst.Addr, Src: src, Interface: oif, OnLink: onLink}
	_, _, protocol := e.socket.Kind()
	q.Flow = e.socket.instance.Flow(src, dst.Addr, uint8(protocol), e.local.Port, dst.Port)
	var s Selector
	if e.socket.instance.HasRules(!dst.Addr.Is4()) {
		s = e.socket.Selector(e.local.Port, dst.Port)
		q.Selector = &s
	}
	r, err := e.socket.instance.Route(q)
	if err != nil {
		return nil, err
	}
	if r.Type == RouteBroadcast && !e.socket.options.Broadcast {
		return nil, syscall.EACCES
	}
	return r, nil
}

// stamp sets what options say on an outgoing datagram with n bytes of the user.
func (o *SocketOptions) stamp(p *Packet, r *Route, n int) {
	p.TOS = o.TOS
	p.HopLimit = o.HopLimit
	p.PacingRate = o.MaxPacingRate
	if r.Type == RouteMulticast {
		p.HopLimit = o.MulticastHops
		if !o.MulticastLoop {
			p.Flags |= FlagNoLoop
		}
	}
	switch o.PMTUDiscover { // ip_dont_fragment, include/net/ip.h
	case PMTUDo, PMTUProbe:
		p.Flags |= FlagDontFragment
	case PMTUWant:
	default:
		p.Flags |= FlagMayFragment
	}
	if o.DontFragment && !p.Dst.Is4() {
		p.Flags |= FlagDontFragment
	}
	if n+datagramOverhead <= r.MTU && r.Interface.offloads&OffloadTxChecksum != 0 {
		p.Flags |= FlagTxChecksum
	}
}

// datagramOverhead is the most that headers add to a datagram's bytes where it
// must be known beforehand whether it is sent whole: IPv6 and 12 bytes of a
// transport.
const datagramOverhead = 52
