package posix

import (
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Sizes of struct sockaddr_in and struct sockaddr_in6; the least that Linux takes of
// the latter is that of RFC 2133, without a scope.
const (
	sizeofSockaddrIn     = 16
	sizeofSockaddrIn6    = 28
	sizeofSockaddrIn6Old = 24
	sizeofSockaddrLl     = 20
	sizeofSockaddrNl     = 12
)

// familyOf is the first field of a socket address.
func familyOf(b []byte) (int, error) {
	if len(b) < 2 {
		return 0, syscall.EINVAL
	}
	return int(binary.NativeEndian.Uint16(b)), nil
}

// inet reads a struct sockaddr_in that is long enough.
func inet(b []byte) core.SockAddr {
	a, _ := wire.AddrFromSlice(b[4:8])
	return core.SockAddr{Addr: a, Port: binary.BigEndian.Uint16(b[2:])}
}

// inet6 reads a struct sockaddr_in6 that is long enough for RFC 2133. The scope
// counts where the address is of a link alone.
func inet6(b []byte) core.SockAddr {
	a, _ := wire.AddrFromSlice(b[8:24])
	s := core.SockAddr{Addr: a, Port: binary.BigEndian.Uint16(b[2:])}
	if len(b) >= sizeofSockaddrIn6 && !a.Is4() && (a.IsLinkLocalUnicast() || a.IsMulticast()) {
		s.Scope = binary.NativeEndian.Uint32(b[24:])
	}
	return s
}

// linkAddress reads a struct sockaddr_ll. EINVAL for one that is too short or of another
// family (packet_bind, net/packet/af_packet.c).
func linkAddress(b []byte) (core.SockAddr, error) {
	if f, err := familyOf(b); err != nil || f != AF_PACKET || len(b) < sizeofSockaddrLl {
		return core.SockAddr{}, syscall.EINVAL
	}
	a := core.LinkAddress{Protocol: wire.EtherType(binary.BigEndian.Uint16(b[2:])), Ifindex: int(int32(binary.NativeEndian.Uint32(b[4:]))),
		HardwareType: binary.NativeEndian.Uint16(b[8:]), Type: core.PacketType(b[10]), Length: b[11]}
	copy(a.Addr[:], b[12:])
	return a.SockAddr(), nil
}

// appendLinkAddress appends a struct sockaddr_ll.
func appendLinkAddress(b []byte, s core.SockAddr) []byte {
	a := core.LinkAddressOf(s)
	b = binary.BigEndian.AppendUint16(binary.NativeEndian.AppendUint16(b, AF_PACKET), uint16(a.Protocol))
	b = binary.NativeEndian.AppendUint32(b, uint32(a.Ifindex))
	b = append(binary.NativeEndian.AppendUint16(b, a.HardwareType), byte(a.Type), a.Length)
	return append(b, a.Addr[:]...)
}

// netlinkAddress reads a struct sockaddr_nl: its number and its groups. EINVAL for one
// that is too short or of another family (netlink_bind, net/netlink/af_netlink.c).
func netlinkAddress(b []byte) (core.SockAddr, error) {
	if f, err := familyOf(b); err != nil || f != AF_NETLINK || len(b) < sizeofSockaddrNl {
		return core.SockAddr{}, syscall.EINVAL
	}
	return core.NetlinkAddr(binary.NativeEndian.Uint32(b[4:]), binary.NativeEndian.Uint32(b[8:])), nil
}

// SockAddr reads a struct sockaddr_in, sockaddr_in6, sockaddr_nl or sockaddr_ll. EINVAL for one that
// is too short, EAFNOSUPPORT for one of another family.
func SockAddr(b []byte) (core.SockAddr, error) {
	family, err := familyOf(b)
	if err != nil {
		return core.SockAddr{}, err
	}
	switch {
	case family == AF_INET && len(b) >= sizeofSockaddrIn:
		return inet(b), nil
	case family == AF_INET6 && len(b) >= sizeofSockaddrIn6Old:
		return inet6(b), nil
	case family == AF_PACKET:
		return linkAddress(b)
	case family == AF_NETLINK:
		return netlinkAddress(b)
	case family == AF_INET, family == AF_INET6:
		return core.SockAddr{}, syscall.EINVAL
	}
	return core.SockAddr{}, syscall.EAFNOSUPPORT
}

// AppendSockAddr appends a as a struct sockaddr_in, or sockaddr_in6 for a socket of
// AF_INET6, where an IPv4 address is a mapped one, or sockaddr_nl for AF_NETLINK.
func AppendSockAddr(b []byte, family int, a core.SockAddr) []byte {
	if family == AF_PACKET {
		return appendLinkAddress(b, a)
	}
	ne := binary.NativeEndian
	b = ne.AppendUint16(b, uint16(family))
	if family == AF_NETLINK {
		pid, groups := a.Netlink()
		return ne.AppendUint32(ne.AppendUint32(append(b, 0, 0), pid), groups)
	}
	b = binary.BigEndian.AppendUint16(b, a.Port)
	if family == AF_INET {
		v4 := a.Addr.As4()
		return append(append(b, v4[:]...), 0, 0, 0, 0, 0, 0, 0, 0)
	}
	v6 := a.Addr.As16()
	b = append(append(b, 0, 0, 0, 0), v6[:]...)
	return ne.AppendUint32(b, a.Scope)
}

// putSockAddr copies what fits of an address into dst and returns its full length.
func putSockAddr(dst []byte, family int, a core.SockAddr) int {
	var buf [sizeofSockaddrIn6]byte
	b := AppendSockAddr(buf[:0], family, a)
	copy(dst, b)
	return len(b)
}

// bindAddress is the address of a bind(2) (__inet_bind_sk, net/ipv4/af_inet.c;
// inet6_bind_sk, net/ipv6/af_inet6.c).
func (s *socket) bindAddress(b []byte) (a core.SockAddr, err error) {
	if s.family == AF_PACKET {
		return linkAddress(b)
	}
	if s.family == AF_NETLINK {
		return netlinkAddress(b)
	}
	if s.family == AF_INET6 {
		if len(b) < sizeofSockaddrIn6Old {
			return a, syscall.EINVAL
		}
		if f, _ := familyOf(b); f != AF_INET6 {
			return a, syscall.EAFNOSUPPORT
		}
		return inet6(b), nil
	}
	if len(b) < sizeofSockaddrIn {
		return a, syscall.EINVAL
	}
	a = inet(b)
	if f, _ := familyOf(b); f != AF_INET && (f != AF_UNSPEC || !a.Addr.IsUnspecified()) {
		return a, syscall.EAFNOSUPPORT
	}
	return a, nil
}

// connectAddress is the address of a connect(2) whose family is not AF_UNSPEC
// (tcp_v4_connect, tcp_v6_connect, __ip4_datagram_connect, __ip6_datagram_connect).
func (s *socket) connectAddress(b []byte) (a core.SockAddr, err error) {
	family, _ := familyOf(b)
	switch {
	case s.family == AF_PACKET: // which nothing connects
		return a, nil
	case s.family == AF_NETLINK:
		return netlinkAddress(b)
	case s.family == AF_INET:
		if len(b) < sizeofSockaddrIn {
			return a, syscall.EINVAL
		}
		if family != AF_INET {
			return a, syscall.EAFNOSUPPORT
		}
		return inet(b), nil
	case s.typ != SOCK_STREAM && family == AF_INET && len(b) >= sizeofSockaddrIn:
		return inet(b), nil
	case len(b) < sizeofSockaddrIn6Old:
		return a, syscall.EINVAL
	case family != AF_INET6:
		return a, syscall.EAFNOSUPPORT
	}
	return inet6(b), nil
}

// sendAddress is the destination of a sendto(2); ok is false where the protocol
// takes none from it (udp_sendmsg, udpv6_sendmsg).
func (s *socket) sendAddress(b []byte) (a core.SockAddr, ok bool, err error) {
	if s.typ == SOCK_STREAM || b == nil {
		return a, false, nil
	}
	if s.family == AF_PACKET {
		a, err = linkAddress(b)
		return a, err == nil, err
	}
	if s.family == AF_NETLINK {
		a, err = netlinkAddress(b)
		return a, err == nil, err
	}
	family, err := familyOf(b)
	if err != nil {
		return a, false, err
	}
	if s.family == AF_INET {
		switch {
		case len(b) < sizeofSockaddrIn:
			return a, false, syscall.EINVAL
		case family != AF_INET && family != AF_UNSPEC:
			return a, false, syscall.EAFNOSUPPORT
		}
		return inet(b), true, nil
	}
	switch family {
	case AF_INET6:
		if len(b) < sizeofSockaddrIn6Old {
			return a, false, syscall.EINVAL
		}
		return inet6(b), true, nil
	case AF_INET:
		if len(b) < sizeofSockaddrIn {
			return a, false, syscall.EINVAL
		}
		return inet(b), true, nil
	case AF_UNSPEC:
		return a, false, nil
	}
	return a, false, syscall.EINVAL
}
