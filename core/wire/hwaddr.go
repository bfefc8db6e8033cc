package wire

import (
	"encoding/binary"
	"fmt"
)

// HWAddr is an Ethernet (EUI-48) address.
type HWAddr [6]byte

// HWBroadcast is ff:ff:ff:ff:ff:ff.
func HWBroadcast() HWAddr { return HWAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff} }

// HWAddrFromSlice makes an address from six bytes; ok is false for any other length.
func HWAddrFromSlice(b []byte) (h HWAddr, ok bool) {
	if len(b) != len(h) {
		return h, false
	}
	return HWAddr(b), true
}

// ParseHWAddr reads six two-digit hexadecimal bytes separated by ':' or '-'.
func ParseHWAddr(s string) (h HWAddr, err error) {
	bad := func() (HWAddr, error) {
		return HWAddr{}, fmt.Errorf("hardware address %q: want six hexadecimal bytes like 02:00:5e:10:00:01", s)
	}
	if len(s) != 17 || s[2] != ':' && s[2] != '-' {
		return bad()
	}
	for i := range h {
		hi, lo := unhex(s[3*i]), unhex(s[3*i+1])
		if hi > 15 || lo > 15 || i < 5 && s[3*i+2] != s[2] {
			return bad()
		}
		h[i] = hi<<4 | lo
	}
	return h, nil
}

// MustHWAddr is ParseHWAddr for constants in tests and examples; it panics on bad text.
func MustHWAddr(s string) HWAddr {
	h, err := ParseHWAddr(s)
	if err != nil {
		panic(err)
	}
	return h
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

// IsZero reports whether h is 00:00:00:00:00:00.
func (h HWAddr) IsZero() bool { return h == HWAddr{} }

// IsBroadcast reports whether h is ff:ff:ff:ff:ff:ff.
func (h HWAddr) IsBroadcast() bool { return h == HWBroadcast() }

// IsMulticast reports whether h is a group address, the broadcast included (IEEE 802: lowest bit of the first byte).
func (h HWAddr) IsMulticast() bool { return h[0]&1 != 0 }

// AppendTo appends the text form to b.
func (h HWAddr) AppendTo(b []byte) []byte {
	const digits = "0123456789abcdef"
	for i, v := range h {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, digits[v>>4], digits[v&15])
	}
	return b
}

// String is the lower-case form with colons.
func (h HWAddr) String() string { return string(h.AppendTo(make([]byte, 0, 17))) }

// MarshalText implements encoding.TextMarshaler.
func (h HWAddr) MarshalText() ([]byte, error) { return h.AppendTo(nil), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *HWAddr) UnmarshalText(t []byte) error {
	p, err := ParseHWAddr(string(t))
	if err == nil {
		*h = p
	}
	return err
}

// MulticastHWAddr is the Ethernet address for a multicast group: 01:00:5e and the low 23 bits for IPv4 (RFC 1112 §6.4),
// 33:33 and the low 32 bits for IPv6 (RFC 2464 §7).
func MulticastHWAddr(group Addr) HWAddr {
	v := group.V4()
	if group.Is4() {
		return HWAddr{0x01, 0x00, 0x5e, byte(v>>16) & 0x7f, byte(v >> 8), byte(v)}
	}
	return HWAddr{0x33, 0x33, byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}
}

// InterfaceID is the modified EUI-64 interface identifier of h: ff:fe in the middle, universal/local bit inverted
// (RFC 4291 appendix A).
func (h HWAddr) InterfaceID() uint64 {
	return binary.BigEndian.Uint64([]byte{h[0] ^ 2, h[1], h[2], 0xff, 0xfe, h[3], h[4], h[5]})
}

// LinkLocalAddr is fe80::/64 with the interface identifier of h.
func (h HWAddr) LinkLocalAddr() Addr { return Addr{0xfe80 << 48, h.InterfaceID()} }

// WithInterfaceID is an IPv6 address made of the first 64 bits of prefix and an interface identifier.
func WithInterfaceID(prefix Addr, id uint64) Addr { return Addr{prefix.Hi, id} }
