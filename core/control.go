package core

import (
	"encoding/binary"
	"syscall"
	"time"

	"github.com/libos-go/libos/core/wire"
)

// cmsgHeader is the size of struct cmsghdr on a 64-bit system; messages and
// their data are aligned to cmsgAlign.
const (
	cmsgHeader = 16
	cmsgAlign  = 8
)

// AppendControl appends to b what recvmsg(2) gives as control messages for m,
// which was received on s: SO_TIMESTAMP or SO_TIMESTAMPNS, IP_PKTINFO, IP_TTL and
// IP_TOS, or IPV6_PKTINFO, IPV6_HOPLIMIT and IPV6_TCLASS, as far as they were
// asked for by setsockopt(2), and IP_RECVERR or IPV6_RECVERR with what came off
// the error queue, TCP_CM_INQ, and those of the protocol's own. The layout is that of 64-bit
// Linux.
func (s *Socket) AppendControl(b []byte, m *Message) []byte {
	s.instance.domain.Do(func() { b = s.appendControl(b, m) })
	return b
}

func (s *Socket) appendControl(b []byte, m *Message) []byte {
	ne := binary.NativeEndian
	if o := s.options; m.Arrival != 0 && (o.RecvTime || o.RecvTimeNS) {
		h := s.instance.domain.host
		t := h.WallNow().Add(m.Arrival.Sub(h.Now()))
		name, part := SoTimestamp, t.Nanosecond()/int(time.Microsecond)
		if o.RecvTimeNS {
			name, part = SoTimestampNS, t.Nanosecond()
		}
		if o.timeNew {
			name += soTimestampNew - SoTimestamp
			if o.RecvTimeNS {
				name = soTimestampNSNew
			}
		}
		b = appendCmsg(b, SolSocket, name, ne.AppendUint64(ne.AppendUint64(nil, uint64(t.Unix())), uint64(part)))
	}
	v4 := m.PacketInfo.Addr.Is4()
	if i := &m.PacketInfo; m.HasPacketInfo && s.options.RecvPacketInfo6 {
		a := i.Addr.As16()
		b = appendCmsg(b, SolIPv6, IPv6PktInfo, ne.AppendUint32(a[:], uint32(i.Interface)))
	}
	if i := &m.PacketInfo; m.HasPacketInfo && v4 && s.options.RecvPacketInfo {
		from, to := s.answersFrom(i).As4(), i.Addr.As4()
		d := ne.AppendUint32(nil, uint32(i.Interface))
		b = appendCmsg(b, SolIP, IPPktInfo, append(append(d, from[:]...), to[:]...))
	}
	if m.HasHopLimit {
		level, name := SolIPv6, IPv6HopLimit
		if v4 {
			level, name = SolIP, IPTTL
		}
		b = appendCmsg(b, level, name, ne.AppendUint32(nil, uint32(m.HopLimit)))
	}
	switch {
	case !m.HasTOS:
	case v4:
		b = appendCmsg(b, SolIP, IPTOS, []byte{m.TOS})
	default:
		b = appendCmsg(b, SolIPv6, IPv6TClass, ne.AppendUint32(nil, uint32(m.TOS)))
	}
	if m.HasError {
		level, name := SolIP, IPRecvErr
		if s.family == afInet6 {
			level, name = SolIPv6, IPv6RecvErr
		}
		b = appendCmsg(b, level, name, m.Error.appendTo(nil, int(s.family)))
	}
	if e, ok := s.endpoint.(interface{ Inquiry() (int, bool) }); ok && m.Flags&MsgErrQueue == 0 {
		if n, asked := e.Inquiry(); asked {
			b = appendCmsg(b, SolTCP, TCPInq, ne.AppendUint32(nil, uint32(n)))
		}
	}
	return append(b, m.Ancillary...)
}

// tells says which control messages a packet of IPv4, or of IPv6, is given with. Each
// family has flags of its own, also on a socket of IPv6 that receives IPv4; but
// IPV6_RECVPKTINFO is for both (net/ipv6/datagram.c, ip6_datagram_recv_common_ctl,
// ip6_datagram_recv_specific_ctl).
func (o *SocketOptions) tells(v4 bool) (packetInfo, tos, hopLimit bool) {
	if v4 {
		return o.RecvPacketInfo || o.RecvPacketInfo6, o.RecvTOS, o.RecvTTL
	}
	return o.RecvPacketInfo6, o.RecvTClass, o.RecvHopLimit
}

// answersFrom is the address from which an answer to a datagram goes out:
// ipi_spec_dst, which for a group or broadcast address is one of the interface.
func (s *Socket) answersFrom(i *PacketInfo) wire.Addr {
	in := s.instance
	if in.addressType(i.Addr) == RouteLocal {
		return i.Addr
	}
	if ifc, n := in.InterfaceByIndex(i.Interface), in.Network(i.Addr); ifc != nil && n != nil {
		if a, ok := n.Source(ifc, i.Addr); ok {
			return a
		}
	}
	return wire.IPv4Any()
}

// AppendControlMessage appends a control message with its padding to b, for a
// protocol that gives its own (Message.Ancillary).
func AppendControlMessage(b []byte, level, name int, data []byte) []byte {
	return appendCmsg(b, level, name, data)
}

// appendCmsg appends a control message with its padding to b.
func appendCmsg(b []byte, level, name int, data []byte) []byte {
	b = binary.NativeEndian.AppendUint64(b, uint64(cmsgHeader+len(data)))
	b = binary.NativeEndian.AppendUint32(b, uint32(level))
	b = binary.NativeEndian.AppendUint32(b, uint32(name))
	b = append(b, data...)
	for len(b)%cmsgAlign != 0 {
		b = append(b, 0)
	}
	return b
}

// ParseControl reads the control messages of a sendmsg(2) into m. EINVAL for what
// is malformed, out of range or unknown at a level of IP; those of other levels are
// for the protocol (Ancillary), or passed over where it has none
// (net/ipv4/ip_sockglue.c, ip_cmsg_send; net/ipv6/datagram.c).
func (m *Message) ParseControl(b []byte) error {
	m.Ancillary = m.Ancillary[:0]
	for len(b) >= cmsgHeader {
		c, rest, ok := NextControl(b)
		if !ok {
			return syscall.EINVAL
		}
		if c.Level != SolSocket && c.Level != SolIP && c.Level != SolIPv6 {
			m.Ancillary = appendCmsg(m.Ancillary, c.Level, c.Name, c.Data)
		} else if err := m.control(c.Level, c.Name, c.Data); err != nil {
			return err
		}
		b = rest
	}
	return nil
}

func (m *Message) control(level, name int, data []byte) error {
	switch {
	case level == SolSocket:
		return syscall.EINVAL
	case level == SolIP && name == IPPktInfo && len(data) == 12:
		a, _ := wire.AddrFromSlice(data[4:8])
		m.setPacketInfo(a, data)
		return nil
	case level == SolIPv6 && name == IPv6PktInfo && len(data) >= 20:
		a, _ := wire.AddrFromSlice(data[:16])
		m.setPacketInfo(a, data[16:])
		return nil
	case level == SolIP && name == IPTOS && len(data) == 1:
		m.TOS, m.HasTOS = data[0], true
		return nil
	case len(data) != 4:
		return syscall.EINVAL
	}
	v, least := int(int32(binary.NativeEndian.Uint32(data))), -1
	if level == SolIP {
		least = 0
	}
	if v < least || v > 255 {
		return syscall.EINVAL
	}
	switch {
	case level == SolIP && name == IPTOS, level == SolIPv6 && name == IPv6TClass:
		m.TOS, m.HasTOS = uint8(max(v, 0)), true
	case level == SolIP && name == IPTTL && v > 0:
		m.HopLimit, m.HasHopLimit = uint8(v), true
	case level == SolIPv6 && name == IPv6HopLimit:
		m.HopLimit, m.HasHopLimit = uint8(max(v, 0)), v >= 0 // -1: as the socket has it
	default:
		return syscall.EINVAL
	}
	return nil
}

func (m *Message) setPacketInfo(a wire.Addr, index []byte) {
	m.PacketInfo = PacketInfo{Addr: a, Interface: int(int32(binary.NativeEndian.Uint32(index)))}
	m.HasPacketInfo = true
}
