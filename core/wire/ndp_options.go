package wire

import "encoding/binary"

// Options of neighbour discovery (IANA ICMPv6 Parameters).
const (
	NDOptSourceLL   = 1
	NDOptTargetLL   = 2
	NDOptPrefixInfo = 3
	NDOptRedirected = 4
	NDOptMTU        = 5
	NDOptNonce      = 14 // RFC 3971, RFC 7527
	NDOptRouteInfo  = 24 // RFC 4191
	NDOptRDNSS      = 25 // RFC 8106
)

// Sizes of options for Ethernet.
const (
	NDLinkLayerSize  = 8
	NDPrefixInfoSize = 32
	NDMTUSize        = 8
)

// NDOptionSet says which options were present.
type NDOptionSet uint8

const (
	NDHasSourceLL NDOptionSet = 1 << iota
	NDHasTargetLL
	NDHasMTU
	NDHasPrefixInfo // at least one; NDOptionWalker finds them
	NDHasRouteInfo  // at least one
	NDHasRDNSS      // at least one
	NDHasNonce      // at least one
)

// NDOptions is the single options of a message as a plain value. It holds no pointer.
type NDOptions struct {
	Has      NDOptionSet
	SourceLL HWAddr
	TargetLL HWAddr
	MTU      uint32
}

// ParseNDOptions reads the options b into o. The first of a kind counts. A length of zero, one beyond the end, and a
// link-layer address or MTU option whose length is not Ethernet's are ErrOption and the message is to be dropped
// (RFC 4861 §4.6, §6.1, §7.1; Linux net/ipv6/ndisc.c).
func ParseNDOptions(b []byte, o *NDOptions) error {
	*o = NDOptions{}
	for len(b) > 0 {
		if len(b) < 8 || b[1] == 0 || int(b[1])*8 > len(b) {
			return ErrOption
		}
		n := int(b[1]) * 8
		switch b[0] {
		case NDOptSourceLL:
			if n != NDLinkLayerSize {
				return ErrOption
			}
			if o.Has&NDHasSourceLL == 0 {
				o.SourceLL = HWAddr(b[2:])
			}
			o.Has |= NDHasSourceLL
		case NDOptTargetLL:
			if n != NDLinkLayerSize {
				return ErrOption
			}
			if o.Has&NDHasTargetLL == 0 {
				o.TargetLL = HWAddr(b[2:])
			}
			o.Has |= NDHasTargetLL
		case NDOptMTU:
			if n != NDMTUSize {
				return ErrOption
			}
			if o.Has&NDHasMTU == 0 {
				o.MTU = binary.BigEndian.Uint32(b[4:])
			}
			o.Has |= NDHasMTU
		case NDOptPrefixInfo:
			o.Has |= NDHasPrefixInfo
		case NDOptRouteInfo:
			o.Has |= NDHasRouteInfo
		case NDOptRDNSS:
			o.Has |= NDHasRDNSS
		case NDOptNonce:
			o.Has |= NDHasNonce
		}
		b = b[n:]
	}
	return nil
}

// NDOptionWalker yields options one by one, for those that may come more than once. Begin with the option bytes of a
// parsed message.
type NDOptionWalker []byte

// Next is the next option's kind and the whole option with type and length; ok is false at the end and at a malformed
// option.
func (w *NDOptionWalker) Next() (kind uint8, opt []byte, ok bool) {
	b := *w
	if len(b) < 8 || b[1] == 0 || int(b[1])*8 > len(b) {
		*w = nil
		return 0, nil, false
	}
	n := int(b[1]) * 8
	*w = b[n:]
	return b[0], b[:n:n], true
}

// PutNDLinkLayer writes a link-layer address option, NDOptSourceLL or NDOptTargetLL, to b[0:8].
func PutNDLinkLayer(b []byte, kind uint8, h HWAddr) {
	_ = b[NDLinkLayerSize-1]
	b[0], b[1] = kind, 1
	copy(b[2:8], h[:])
}

// PutNDMTU writes an MTU option to b[0:8].
func PutNDMTU(b []byte, mtu uint32) {
	_ = b[NDMTUSize-1]
	b[0], b[1], b[2], b[3] = NDOptMTU, 1, 0, 0
	binary.BigEndian.PutUint32(b[4:], mtu)
}

// PrefixInfo is a Prefix Information option (RFC 4861 §4.6.2). Lifetimes are in seconds, all ones is for ever.
type PrefixInfo struct {
	Prefix     Prefix
	OnLink     bool // addresses of the prefix are on this link
	Autonomous bool // hosts may form addresses from it
	RouterAddr bool // the address is the router's own (RFC 6275 §7.2)
	Valid      uint32
	Preferred  uint32
}

// ParsePrefixInfo reads a whole option; ok is false for a wrong length or prefix length.
func ParsePrefixInfo(b []byte) (p PrefixInfo, ok bool) {
	if len(b) != NDPrefixInfoSize || b[2] > 128 {
		return PrefixInfo{}, false
	}
	return PrefixInfo{
		Prefix: Prefix{addr16(b[16:]), b[2]}, OnLink: b[3]&0x80 != 0, Autonomous: b[3]&0x40 != 0, RouterAddr: b[3]&0x20 != 0,
		Valid: binary.BigEndian.Uint32(b[4:]), Preferred: binary.BigEndian.Uint32(b[8:]),
	}, true
}

// Put writes the option to b[0:32].
func (p *PrefixInfo) Put(b []byte) {
	_ = b[NDPrefixInfoSize-1]
	clear(b[:NDPrefixInfoSize])
	b[0], b[1], b[2] = NDOptPrefixInfo, NDPrefixInfoSize/8, p.Prefix.Bits
	if p.OnLink {
		b[3] |= 0x80
	}
	if p.Autonomous {
		b[3] |= 0x40
	}
	if p.RouterAddr {
		b[3] |= 0x20
	}
	binary.BigEndian.PutUint32(b[4:], p.Valid)
	binary.BigEndian.PutUint32(b[8:], p.Preferred)
	p.Prefix.Addr.Put16(b[16:])
}

// RouteInfo is a Route Information option (RFC 4191 §2.3).
type RouteInfo struct {
	Prefix     Prefix
	Preference int8   // -1 low, 0 medium, 1 high
	Lifetime   uint32 // seconds, all ones is for ever
}

// ParseRouteInfo reads a whole option; ok is false for a wrong length, a prefix longer than its bytes and the reserved
// preference, with which the option must be ignored.
func ParseRouteInfo(b []byte) (r RouteInfo, ok bool) {
	if len(b) < 8 || len(b) > 24 || len(b)%8 != 0 || b[2] > 128 || int(b[2]) > (len(b)-8)*8 || b[3]>>3&3 == 2 {
		return RouteInfo{}, false
	}
	var p [16]byte
	copy(p[:], b[8:])
	return RouteInfo{Prefix{addr16(p[:]), b[2]}, routerPreference(b[3]), binary.BigEndian.Uint32(b[4:])}, true
}

// Size is the number of bytes that Put writes: 8, 16 or 24.
func (r *RouteInfo) Size() int { return 8 + (int(r.Prefix.Bits)+63)/64*8 }

// Put writes the option and returns its size.
func (r *RouteInfo) Put(b []byte) int {
	n := r.Size()
	_ = b[n-1]
	b[0], b[1], b[2], b[3] = NDOptRouteInfo, uint8(n/8), r.Prefix.Bits, preferenceBits(r.Preference)
	binary.BigEndian.PutUint32(b[4:], r.Lifetime)
	p := r.Prefix.Addr.As16()
	copy(b[8:n], p[:])
	return n
}

// RDNSS is a view of a Recursive DNS Server option (RFC 8106 §5.1).
type RDNSS []byte

// ParseRDNSS returns a view of a whole option; ok is false for a wrong length.
func ParseRDNSS(b []byte) (r RDNSS, ok bool) {
	if len(b) < 24 || len(b)%16 != 8 {
		return nil, false
	}
	return RDNSS(b), true
}

// Lifetime is in seconds, all ones is for ever, zero withdraws the servers.
func (r RDNSS) Lifetime() uint32 { return binary.BigEndian.Uint32(r[4:]) }

// Servers is the number of addresses, at least one.
func (r RDNSS) Servers() int { return (len(r) - 8) / 16 }

// Server is the address number i, 0 <= i < Servers.
func (r RDNSS) Server(i int) Addr { return addr16(r[8+16*i:]) }

// PutRDNSS writes an option of 8 bytes and 16 for each server, and returns its size.
func PutRDNSS(b []byte, lifetime uint32, servers ...Addr) int {
	n := 8 + 16*len(servers)
	_ = b[n-1]
	b[0], b[1], b[2], b[3] = NDOptRDNSS, uint8(n/8), 0, 0
	binary.BigEndian.PutUint32(b[4:], lifetime)
	for i, s := range servers {
		s.Put16(b[8+16*i:])
	}
	return n
}
