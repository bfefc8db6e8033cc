package wire

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Prefix is an address with a prefix length in the family's own terms: 0..32 for IPv4, 0..128 for IPv6. The address
// may have host bits set (an interface's 10.0.0.1/24); Masked clears them.
type Prefix struct {
	Addr Addr
	Bits uint8
}

// PrefixFrom makes a prefix; bits beyond the family's length are cut to it.
func PrefixFrom(a Addr, bits int) Prefix {
	return Prefix{a, uint8(max(0, min(bits, a.Bits())))}
}

// HostPrefix is the /32 or /128 of one address.
func HostPrefix(a Addr) Prefix { return Prefix{a, uint8(a.Bits())} }

// FromNetIPPrefix converts a netip.Prefix; the invalid one becomes ::/0. A 4-in-6 address with 96 or more bits becomes
// the IPv4 prefix it stands for.
func FromNetIPPrefix(p netip.Prefix) Prefix {
	if !p.IsValid() {
		return Prefix{}
	}
	bits := p.Bits()
	if p.Addr().Is4In6() {
		bits = max(0, bits-96)
	}
	return PrefixFrom(FromNetIP(p.Addr()), bits)
}

// ParsePrefix reads ADDRESS/BITS; the host bits may be set and are kept.
func ParsePrefix(s string) (Prefix, error) {
	host, length, ok := strings.Cut(s, "/")
	if !ok {
		return Prefix{}, fmt.Errorf("prefix %q: no /LENGTH", s)
	}
	a, err := ParseAddr(host)
	if err != nil {
		return Prefix{}, fmt.Errorf("prefix %q: %w", s, err)
	}
	n, err := strconv.ParseUint(length, 10, 8)
	if err != nil || int(n) > a.Bits() || len(length) > 1 && length[0] == '0' {
		return Prefix{}, fmt.Errorf("prefix %q: length must be 0..%d", s, a.Bits())
	}
	return Prefix{a, uint8(n)}, nil
}

// MustPrefix is ParsePrefix for constants in tests and examples; it panics on bad text.
func MustPrefix(s string) Prefix {
	p, err := ParsePrefix(s)
	if err != nil {
		panic(err)
	}
	return p
}

// Bits128 is the prefix length in the 128-bit space of Addr: Bits, plus 96 for IPv4.
func (p Prefix) Bits128() int {
	if p.Addr.Is4() {
		return 96 + min(int(p.Bits), 32)
	}
	return min(int(p.Bits), 128)
}

// mask128 is a mask of n leading one bits, 0 <= n <= 128.
func mask128(n int) (hi, lo uint64) {
	if n <= 64 {
		return ^uint64(0) << (64 - n), 0
	}
	return ^uint64(0), ^uint64(0) << (128 - n)
}

// Is4 reports whether the prefix is an IPv4 one.
func (p Prefix) Is4() bool { return p.Addr.Is4() }

// IsHost reports whether the prefix holds a single address.
func (p Prefix) IsHost() bool { return int(p.Bits) == p.Addr.Bits() }

// Masked is p with the host bits of its address cleared.
func (p Prefix) Masked() Prefix {
	hi, lo := mask128(p.Bits128())
	return Prefix{Addr{p.Addr.Hi & hi, p.Addr.Lo & lo}, p.Bits}
}

// Contains reports whether a is of p's family and has p's leading bits.
func (p Prefix) Contains(a Addr) bool {
	hi, lo := mask128(p.Bits128())
	return (p.Addr.Hi^a.Hi)&hi == 0 && (p.Addr.Lo^a.Lo)&lo == 0 && p.Addr.Is4() == a.Is4()
}

// Mask is the netmask as an address: 255.255.255.0 for an IPv4 /24, ffff:ffff:ffff:ffff:: for an IPv6 /64.
func (p Prefix) Mask() Addr {
	hi, lo := mask128(p.Bits128())
	if p.Is4() {
		return FromV4(uint32(lo))
	}
	return Addr{hi, lo}
}

// Broadcast is the directed broadcast address of an IPv4 prefix; ok is false for IPv6 and for /31 and /32, which have
// none (RFC 3021).
func (p Prefix) Broadcast() (a Addr, ok bool) {
	if !p.Is4() || p.Bits > 30 {
		return Addr{}, false
	}
	return FromV4(p.Addr.V4() | ^uint32(0)>>p.Bits), true
}

// NetIP converts to a netip.Prefix.
func (p Prefix) NetIP() netip.Prefix { return netip.PrefixFrom(p.Addr.NetIP(), int(p.Bits)) }

// String is ADDRESS/BITS.
func (p Prefix) String() string { return p.Addr.String() + "/" + strconv.Itoa(int(p.Bits)) }

// MarshalText implements encoding.TextMarshaler.
func (p Prefix) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Prefix) UnmarshalText(t []byte) error {
	q, err := ParsePrefix(string(t))
	if err == nil {
		*p = q
	}
	return err
}
