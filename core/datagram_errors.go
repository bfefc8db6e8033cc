package core

import (
	"encoding/binary"
	"slices"
	"syscall"

	"github.com/libos-go/libos/core/wire"
)

// Where an ExtendedError comes from (SO_EE_ORIGIN_LOCAL and so on).
const (
	ErrorOriginLocal = 1 // this host, which sent nothing
	ErrorOriginICMP  = 2
	ErrorOriginICMP6 = 3
)

// ExtendedError is struct sock_extended_err: why a datagram did not arrive.
type ExtendedError struct {
	Errno      syscall.Errno
	Origin     uint8
	Type, Code uint8    // of the ICMP message, 0 for a local error
	Info       uint32   // EMSGSIZE: the MTU in bytes; parameter problem: the pointer
	Offender   SockAddr // who sent the ICMP message; of a local error none
}

// appendTo encodes the error as IP_RECVERR's or IPV6_RECVERR's control message
// has it: the structure, then the offender as a sockaddr of family.
func (x *ExtendedError) appendTo(b []byte, family int) []byte {
	ne := binary.NativeEndian
	b = append(ne.AppendUint32(b, uint32(x.Errno)), x.Origin, x.Type, x.Code, 0)
	b = ne.AppendUint32(ne.AppendUint32(b, x.Info), 0)
	var offender [28]byte // struct sockaddr_in6
	size := 16            // struct sockaddr_in
	if family == afInet6 {
		size = 28
	}
	switch {
	case x.Origin == ErrorOriginLocal: // AF_UNSPEC
	case family == afInet6:
		ne.PutUint16(offender[:], afInet6)
		a := x.Offender.Addr.As16()
		copy(offender[8:], a[:])
		ne.PutUint32(offender[24:], x.Offender.Scope)
	default:
		ne.PutUint16(offender[:], afInet)
		a := x.Offender.Addr.As4()
		copy(offender[4:], a[:])
	}
	return append(b, offender[:size]...)
}

// queuedError is one entry of a socket's error queue. Its packet, which is
// charged to the receive buffer, holds what came back of the user's bytes and
// the metadata of the packet with the error.
type queuedError struct {
	ExtendedError
	to     SockAddr // where the datagram was to go
	packet *Packet
}

// errorQueue is a socket's errors, the oldest first: never empty.
type errorQueue struct{ list []queuedError }

// scoped is an address as a name of the socket layer: a link-local one has the
// link on which it means something.
func scoped(a wire.Addr, port uint16, ifindex int) SockAddr {
	s := SockAddr{Addr: a, Port: port}
	if !a.Is4() && a.IsLinkLocalUnicast() {
		s.Scope = uint32(ifindex)
	}
	return s
}

// errorQueueOf is the endpoint that keeps the socket's errors, nil if it keeps
// none.
func (s *Socket) errorQueueOf() *datagramEndpoint {
	if s.typ == SockStream {
		return nil
	}
	e, _ := s.endpoint.(*datagramEndpoint)
	return e
}

// recvErr tells whether IP_RECVERR and IPV6_RECVERR mean something: a queue of
// errors, or for a stream that they are told at once (ip(7)).
func (s *Socket) recvErr() bool { return s.typ == SockStream || s.errorQueueOf() != nil }

// setRecvErr sets IP_RECVERR or IPV6_RECVERR. Who asks no more has no errors
// left, of either family (net/ipv4/ip_sockglue.c, do_ip_setsockopt).
func (s *Socket) setRecvErr(option *bool, on bool) (handled bool) {
	if !s.recvErr() {
		return false
	}
	*option = on
	if e := s.errorQueueOf(); e != nil && !on {
		e.purgeErrors()
	}
	return true
}

// AsksForErrors tells whether errors about packets of an address family are wanted
// as they come.
func (o *SocketOptions) AsksForErrors(v4 bool) bool { return v4 && o.RecvErr || !v4 && o.RecvErr6 }

// report takes an ICMP error about a datagram of the socket
// (__udp4_lib_err, net/ipv4/udp.c; ping_err, net/ipv4/ping.c).
func (e *datagramEndpoint) report(r *ErrorReport, port uint16, header int) {
	o := e.socket.options
	tooBig := r.Errno == syscall.EMSGSIZE
	if r.Errno == 0 || tooBig && o.PMTUDiscover == PMTUDont { // such a sender has its packets fragmented
		return
	}
	if o.AsksForErrors(r.Dst.Is4()) {
		x := queuedError{ExtendedError: ExtendedError{Errno: r.Errno, Origin: ErrorOriginICMP6, Type: r.Type, Code: r.Code, Info: r.Info,
			Offender: scoped(r.Offender, 0, r.Ifindex)}, to: scoped(r.Dst, port, r.Ifindex)}
		if r.Dst.Is4() {
			x.Origin = ErrorOriginICMP
		}
		if p := e.queueError(x, r.Quoted[min(header, len(r.Quoted)):]); p != nil {
			p.Dst, p.TOS, p.HopLimit = r.Src, r.TOS, r.HopLimit
			p.SetIfindex(r.Ifindex)
		}
	} else if !e.connected || !r.Hard && !tooBig {
		return
	}
	e.socket.SetError(r.Errno)
}

// localError queues an error of this host about a datagram to dst that was not
// sent (ip_local_error, net/ipv4/ip_sockglue.c; ipv6_local_error,
// net/ipv6/datagram.c). It is no pending error: the call has told it.
func (e *datagramEndpoint) localError(errno syscall.Errno, dst SockAddr, info int) {
	v4 := dst.Addr.Is4()
	if !e.socket.options.AsksForErrors(v4) {
		return
	}
	if v4 && !e.connected { // Linux names the port of the peer, not that of the call
		dst.Port = 0
	}
	e.queueError(queuedError{ExtendedError: ExtendedError{Errno: errno, Origin: ErrorOriginLocal, Info: uint32(info)}, to: dst}, nil)
	e.socket.Wake(ReadyErr)
}

// queueError puts x with the bytes that came back into the error queue, if the
// receive buffer has room (sock_queue_err_skb, net/core/skbuff.c), and returns
// its packet.
func (e *datagramEndpoint) queueError(x queuedError, data []byte) *Packet {
	in := e.socket.instance
	p := in.NewPacket(0, len(data))
	if p == nil {
		return nil
	}
	size := int32(p.TrueSize())
	if e.queued+size >= e.socket.options.ReceiveBuffer {
		p.Free()
		return nil
	}
	copy(p.Put(len(data)), data)
	p.Arrival = in.domain.now
	x.packet = p
	e.queued += size
	if e.errors == nil {
		e.errors = new(errorQueue)
	}
	e.errors.list = append(e.errors.list, x)
	return p
}

// receiveError is a receive with MSG_ERRQUEUE: the oldest error, with where the
// datagram was to go as the message's name. The pending error is that of the
// next (sock_dequeue_err_skb, net/core/skbuff.c).
func (e *datagramEndpoint) receiveError(m *Message) (int, error) {
	q := e.errors
	if q == nil {
		return 0, syscall.EAGAIN
	}
	x := q.list[0]
	q.list = slices.Delete(q.list, 0, 1)
	s, p := e.socket, x.packet
	if len(q.list) > 0 && q.list[0].Origin != ErrorOriginLocal {
		s.err = uint16(q.list[0].Errno)
	} else if x.Origin != ErrorOriginLocal {
		s.err = 0
	}
	n := m.CopyOut(p)
	m.OutFlags = MsgErrQueue
	if n < p.Len() {
		m.OutFlags |= MsgTrunc
	}
	m.Addr, m.HasAddr = x.to, true
	m.Error, m.HasError = x.ExtendedError, true
	m.Arrival = p.Arrival
	m.PacketInfo, m.TOS, m.HopLimit = PacketInfo{Addr: p.Dst, Interface: p.Ifindex()}, p.TOS, p.HopLimit
	if x.Origin != ErrorOriginLocal {
		m.HasPacketInfo, m.HasTOS, m.HasHopLimit = s.options.tells(x.to.Addr.Is4())
		m.HasHopLimit = m.HasHopLimit && p.HopLimit != 0
	}
	e.queued -= int32(p.TrueSize())
	p.Free()
	if len(q.list) == 0 {
		e.errors = nil
	} else {
		s.Wake(ReadyErr)
	}
	return n, nil
}

// purgeErrors empties the error queue.
func (e *datagramEndpoint) purgeErrors() {
	if e.errors == nil {
		return
	}
	for _, x := range e.errors.list {
		e.queued -= int32(x.packet.TrueSize())
		x.packet.Free()
	}
	e.errors = nil
}
