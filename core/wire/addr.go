package wire

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
)

// Addr is an IPv4 or IPv6 address in 16 bytes without pointers. IPv4 addresses are held as v4-mapped IPv6 addresses
// (::ffff:a.b.c.d, RFC 4291 §2.5.5.2), so that one comparison serves both. The zero value is the IPv6 address "::".
type Addr struct{ Hi, Lo uint64 }

const v4Prefix = 0xffff << 32

// The well-known addresses, as functions of nothing: they are constants in all but syntax.

// IPv4Any is 0.0.0.0.
func IPv4Any() Addr { return Addr{0, v4Prefix} }

// IPv4Broadcast is 255.255.255.255.
func IPv4Broadcast() Addr { return Addr{0, v4Prefix | 0xffffffff} }

// IPv4AllSystems is 224.0.0.1.
func IPv4AllSystems() Addr { return FromV4(0xe0000001) }

// IPv6Any is ::.
func IPv6Any() Addr { return Addr{} }

// IPv6Loopback is ::1.
func IPv6Loopback() Addr { return Addr{0, 1} }

// IPv6AllNodes is ff02::1.
func IPv6AllNodes() Addr { return Addr{0xff02 << 48, 1} }

// IPv6AllRouters is ff02::2.
func IPv6AllRouters() Addr { return Addr{0xff02 << 48, 2} }

// IPv6AllMLDv2Routers is ff02::16.
func IPv6AllMLDv2Routers() Addr { return Addr{0xff02 << 48, 0x16} }

// FromV4 makes an IPv4 address from its value in host order: 0x7f000001 is 127.0.0.1.
func FromV4(v uint32) Addr { return Addr{0, v4Prefix | uint64(v)} }

// AddrFrom4 makes an IPv4 address from its four bytes.
func AddrFrom4(b [4]byte) Addr { return FromV4(binary.BigEndian.Uint32(b[:])) }

// AddrFrom16 makes an address from the 16 bytes of an IPv6 address; v4-mapped ones become IPv4.
func AddrFrom16(b [16]byte) Addr { return addr16(b[:]) }

// AddrFromSlice makes an address from 4 or 16 bytes; ok is false for any other length.
func AddrFromSlice(b []byte) (a Addr, ok bool) {
	switch len(b) {
	case 4:
		return addr4(b), true
	case 16:
		return addr16(b), true
	}
	return Addr{}, false
}

// FromNetIP converts a netip.Addr. A zone is dropped, the zero netip.Addr becomes "::", and 4-in-6 becomes IPv4.
func FromNetIP(n netip.Addr) Addr {
	if !n.IsValid() {
		return Addr{}
	}
	b := n.As16()
	return addr16(b[:])
}

// ParseAddr reads an address in the usual text forms, without zone.
func ParseAddr(s string) (Addr, error) {
	n, err := netip.ParseAddr(s)
	if err != nil {
		return Addr{}, err
	}
	if n.Zone() != "" {
		return Addr{}, fmt.Errorf("address %q: a zone is not part of an address here; name the device instead", s)
	}
	return FromNetIP(n), nil
}

// MustAddr is ParseAddr for constants in tests and examples; it panics on bad text.
func MustAddr(s string) Addr {
	a, err := ParseAddr(s)
	if err != nil {
		panic(err)
	}
	return a
}

func addr4(b []byte) Addr { return Addr{0, v4Prefix | uint64(binary.BigEndian.Uint32(b))} }

func addr16(b []byte) Addr {
	_ = b[15]
	return Addr{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}

// Put4 writes the low four bytes of a, which is the IPv4 address if a is one, to b[0:4].
func (a Addr) Put4(b []byte) { binary.BigEndian.PutUint32(b, uint32(a.Lo)) }

// Put16 writes the 16 bytes of a to b[0:16].
func (a Addr) Put16(b []byte) {
	_ = b[15]
	binary.BigEndian.PutUint64(b, a.Hi)
	binary.BigEndian.PutUint64(b[8:], a.Lo)
}

// Is4 reports whether a is an IPv4 address.
func (a Addr) Is4() bool { return a.Hi == 0 && a.Lo>>32 == 0xffff }

// Is6 reports whether a is an IPv6 address, the zero value included.
func (a Addr) Is6() bool { return !a.Is4() }

// IsUnspecified reports whether a is 0.0.0.0 or "::".
func (a Addr) IsUnspecified() bool { return a.Hi == 0 && (a.Lo == 0 || a.Lo == v4Prefix) }

// IsLoopback reports whether a is in 127.0.0.0/8 or is ::1.
func (a Addr) IsLoopback() bool {
	return a.Hi == 0 && (a.Lo == 1 || a.Lo>>24 == 0xffff7f)
}

// IsMulticast reports whether a is in 224.0.0.0/4 or ff00::/8.
func (a Addr) IsMulticast() bool {
	return a.Hi>>56 == 0xff || a.Hi == 0 && a.Lo>>28 == 0xffffe
}

// IsLinkLocalUnicast reports whether a is in 169.254.0.0/16 or fe80::/10.
func (a Addr) IsLinkLocalUnicast() bool {
	return a.Hi>>54 == 0xfe80>>6 || a.Hi == 0 && a.Lo>>16 == 0xffffa9fe
}

// IsLinkLocalMulticast reports whether a is in 224.0.0.0/24 or has link-local multicast scope (ff02::/16 with any flags).
func (a Addr) IsLinkLocalMulticast() bool {
	return a.Hi>>56 == 0xff && a.Hi>>48&0xf == 2 || a.Hi == 0 && a.Lo>>8 == 0xffffe00000
}

// IsUniqueLocal reports whether a is in fc00::/7 (RFC 4193).
func (a Addr) IsUniqueLocal() bool { return a.Hi>>57 == 0xfc>>1 }

// IsPrivate4 reports whether a is in one of RFC 1918's networks.
func (a Addr) IsPrivate4() bool {
	v := a.V4()
	return a.Is4() && (v>>24 == 10 || v>>20 == 0xac1 || v>>16 == 0xc0a8)
}

// IsBroadcast reports whether a is the limited broadcast 255.255.255.255. Directed broadcasts are Prefix.Broadcast's.
func (a Addr) IsBroadcast() bool { return a == IPv4Broadcast() }

// IsUnicast reports whether a can name one host: not unspecified, not multicast, not the limited broadcast.
func (a Addr) IsUnicast() bool { return !a.IsUnspecified() && !a.IsMulticast() && !a.IsBroadcast() }

// Scopes of IPv6 addresses (RFC 4291 §2.7), also used for unicast as in RFC 6724 §3.1.
const (
	ScopeInterfaceLocal = 1
	ScopeLinkLocal      = 2
	ScopeSiteLocal      = 5
	ScopeGlobal         = 14
)

// Scope is the address's scope by RFC 6724 §3.1 and §3.2: multicast addresses carry theirs, link-local, loopback and
// 169.254/16 and 127/8 are link-local, fec0::/10 is site-local, everything else is global.
func (a Addr) Scope() uint8 {
	switch {
	case a.Hi>>56 == 0xff:
		return uint8(a.Hi>>48) & 0xf
	case a.IsLinkLocalUnicast(), a.IsLoopback(), a.IsLinkLocalMulticast():
		return ScopeLinkLocal
	case a.Hi>>54 == 0xfec0>>6:
		return ScopeSiteLocal
	}
	return ScopeGlobal
}

// V4 is the low 32 bits of a in host order: the value of an IPv4 address.
func (a Addr) V4() uint32 { return uint32(a.Lo) }

// Unmap is V4 together with whether a is an IPv4 address at all.
func (a Addr) Unmap() (v uint32, ok bool) { return uint32(a.Lo), a.Is4() }

// As4 is the four bytes of an IPv4 address; for an IPv6 address, its last four.
func (a Addr) As4() (b [4]byte) { a.Put4(b[:]); return b }

// As16 is the 16 bytes of the address, v4-mapped for IPv4.
func (a Addr) As16() (b [16]byte) { a.Put16(b[:]); return b }

// Len is the number of bytes of the address on the wire: 4 or 16.
func (a Addr) Len() int {
	if a.Is4() {
		return 4
	}
	return 16
}

// Bits is the number of bits of the address in its own family: 32 or 128.
func (a Addr) Bits() int { return 8 * a.Len() }

// NetIP converts to a netip.Addr, IPv4 as a plain IPv4 address.
func (a Addr) NetIP() netip.Addr {
	if a.Is4() {
		return netip.AddrFrom4(a.As4())
	}
	return netip.AddrFrom16(a.As16())
}

// Compare orders addresses by their 128-bit value, as bytes on the wire compare.
func (a Addr) Compare(b Addr) int {
	if c := cmp.Compare(a.Hi, b.Hi); c != 0 {
		return c
	}
	return cmp.Compare(a.Lo, b.Lo)
}

// String is the usual text form (RFC 5952 for IPv6).
func (a Addr) String() string { return a.NetIP().String() }

// AppendTo appends the text form of a to b.
func (a Addr) AppendTo(b []byte) []byte { return a.NetIP().AppendTo(b) }

// MarshalText implements encoding.TextMarshaler.
func (a Addr) MarshalText() ([]byte, error) { return a.AppendTo(nil), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Addr) UnmarshalText(t []byte) error {
	p, err := ParseAddr(string(t))
	if err == nil {
		*a = p
	}
	return err
}

// SolicitedNode is the solicited-node multicast address of an IPv6 address, ff02::1:ffXX:XXXX (RFC 4291 §2.7.1).
func SolicitedNode(a Addr) Addr {
	return Addr{0xff02 << 48, 0x1_ff00_0000 | a.Lo&0xff_ffff}
}

// CommonPrefixLen is the number of leading bits that a and b share: 0..32 for two IPv4 addresses, 0..128 for two IPv6
// addresses, 0 for a mix.
func CommonPrefixLen(a, b Addr) int {
	if a.Is4() != b.Is4() {
		return 0
	}
	n := bits.LeadingZeros64(a.Hi ^ b.Hi)
	if n == 64 {
		n += bits.LeadingZeros64(a.Lo ^ b.Lo)
	}
	if a.Is4() {
		n -= 96
	}
	return n
}
