package wire

import "encoding/binary"

// Neighbour discovery (RFC 4861). Every Parse function here takes a message whose checksum is right, judges it by all
// rules of validity that need no state, and reads its options. A message that breaks a rule must be dropped silently.

// Sizes of the messages without options.
const (
	RouterSolicitSize   = 8
	RouterAdvertSize    = 16
	NeighborSolicitSize = 24
	NeighborAdvertSize  = 24
	RedirectSize        = 40
)

// NDHopLimit is the hop limit of every neighbour discovery message: none came through a router.
const NDHopLimit = 255

const (
	ndTarget   = 8
	redirectTo = 24
)

// ndCheck is what all messages share: hop limit, code, length, options.
func ndCheck(m ICMPv6, hopLimit uint8, size int, o *NDOptions) error {
	switch {
	case hopLimit != NDHopLimit:
		return ErrHopLimit
	case len(m) < size:
		return ErrTruncated
	case m.Code() != 0:
		return ErrFormat
	}
	return ParseNDOptions(m[size:], o)
}

// RouterSolicit is a view of a Router Solicitation (RFC 4861 §4.1).
type RouterSolicit []byte

// ParseRouterSolicit applies RFC 4861 §6.1.1.
func ParseRouterSolicit(m ICMPv6, src Addr, hopLimit uint8, o *NDOptions) (RouterSolicit, error) {
	if err := ndCheck(m, hopLimit, RouterSolicitSize, o); err != nil {
		return nil, err
	}
	if src.IsUnspecified() && o.Has&NDHasSourceLL != 0 {
		return nil, ErrAddress
	}
	return RouterSolicit(m), nil
}

// Options is the option bytes.
func (m RouterSolicit) Options() []byte { return m[RouterSolicitSize:] }

// Encode writes the message without options and with a checksum of zero.
func (m RouterSolicit) Encode() { ICMPv6(m).Encode(ICMPv6RouterSolicit, 0, 0) }

// RouterAdvert is a view of a Router Advertisement (RFC 4861 §4.2).
type RouterAdvert []byte

// RouterAdvertFields is a Router Advertisement as a plain value.
type RouterAdvertFields struct {
	CurHopLimit   uint8
	Managed       bool   // addresses by DHCPv6
	Other         bool   // other things by DHCPv6
	Preference    int8   // of the router: -1 low, 0 medium, 1 high (RFC 4191 §2.1)
	Lifetime      uint16 // as a default router, seconds
	ReachableTime uint32 // milliseconds, 0 unspecified
	RetransTimer  uint32 // milliseconds, 0 unspecified
}

// ParseRouterAdvert applies RFC 4861 §6.1.2.
func ParseRouterAdvert(m ICMPv6, src Addr, hopLimit uint8, o *NDOptions) (RouterAdvert, error) {
	if !src.IsLinkLocalUnicast() || src.Is4() {
		return nil, ErrAddress
	}
	if err := ndCheck(m, hopLimit, RouterAdvertSize, o); err != nil {
		return nil, err
	}
	return RouterAdvert(m), nil
}

// Fields reads the fixed part. The reserved preference counts as medium (RFC 4191 §2.2).
func (m RouterAdvert) Fields() RouterAdvertFields {
	return RouterAdvertFields{
		CurHopLimit: m[4], Managed: m[5]&0x80 != 0, Other: m[5]&0x40 != 0, Preference: routerPreference(m[5]),
		Lifetime: binary.BigEndian.Uint16(m[6:]), ReachableTime: binary.BigEndian.Uint32(m[8:]), RetransTimer: binary.BigEndian.Uint32(m[12:]),
	}
}

// routerPreference reads the two bits 0x18 of a flags byte (RFC 4191 §2.1).
func routerPreference(flags uint8) int8 {
	switch flags >> 3 & 3 {
	case 1:
		return 1
	case 3:
		return -1
	}
	return 0
}

func preferenceBits(p int8) uint8 { return uint8(p) & 3 << 3 }

// Options is the option bytes.
func (m RouterAdvert) Options() []byte { return m[RouterAdvertSize:] }

// Encode writes the message without options and with a checksum of zero.
func (m RouterAdvert) Encode(f RouterAdvertFields) {
	_ = m[RouterAdvertSize-1]
	ICMPv6(m).Encode(ICMPv6RouterAdvert, 0, 0)
	m[4], m[5] = f.CurHopLimit, preferenceBits(f.Preference)
	if f.Managed {
		m[5] |= 0x80
	}
	if f.Other {
		m[5] |= 0x40
	}
	binary.BigEndian.PutUint16(m[6:], f.Lifetime)
	binary.BigEndian.PutUint32(m[8:], f.ReachableTime)
	binary.BigEndian.PutUint32(m[12:], f.RetransTimer)
}

// NeighborSolicit is a view of a Neighbor Solicitation (RFC 4861 §4.3).
type NeighborSolicit []byte

// ParseNeighborSolicit applies RFC 4861 §7.1.1.
func ParseNeighborSolicit(m ICMPv6, src, dst Addr, hopLimit uint8, o *NDOptions) (NeighborSolicit, error) {
	if err := ndCheck(m, hopLimit, NeighborSolicitSize, o); err != nil {
		return nil, err
	}
	if addr16(m[ndTarget:]).IsMulticast() {
		return nil, ErrAddress
	}
	if src.IsUnspecified() { // duplicate address detection
		if !IsSolicitedNode(dst) || o.Has&NDHasSourceLL != 0 {
			return nil, ErrAddress
		}
	}
	return NeighborSolicit(m), nil
}

// IsSolicitedNode reports whether a is a solicited-node multicast address.
func IsSolicitedNode(a Addr) bool { return a.Hi == 0xff02<<48 && a.Lo>>24 == 0x1ff }

func (m NeighborSolicit) Target() Addr { return addr16(m[ndTarget:]) }

// Options is the option bytes.
func (m NeighborSolicit) Options() []byte { return m[NeighborSolicitSize:] }

// Encode writes the message without options and with a checksum of zero.
func (m NeighborSolicit) Encode(target Addr) {
	_ = m[NeighborSolicitSize-1]
	ICMPv6(m).Encode(ICMPv6NeighborSolicit, 0, 0)
	target.Put16(m[ndTarget:])
}

// NeighborAdvert is a view of a Neighbor Advertisement (RFC 4861 §4.4).
type NeighborAdvert []byte

// NDAFlags are the flags of a Neighbor Advertisement.
type NDAFlags uint8

const (
	NDARouter    NDAFlags = 0x80
	NDASolicited NDAFlags = 0x40
	NDAOverride  NDAFlags = 0x20
)

// ParseNeighborAdvert applies RFC 4861 §7.1.2.
func ParseNeighborAdvert(m ICMPv6, dst Addr, hopLimit uint8, o *NDOptions) (NeighborAdvert, error) {
	if err := ndCheck(m, hopLimit, NeighborAdvertSize, o); err != nil {
		return nil, err
	}
	n := NeighborAdvert(m)
	if n.Target().IsMulticast() || dst.IsMulticast() && n.Flags()&NDASolicited != 0 {
		return nil, ErrAddress
	}
	return n, nil
}

func (m NeighborAdvert) Flags() NDAFlags {
	return NDAFlags(m[4]) & (NDARouter | NDASolicited | NDAOverride)
}
func (m NeighborAdvert) Target() Addr { return addr16(m[ndTarget:]) }

// Options is the option bytes.
func (m NeighborAdvert) Options() []byte { return m[NeighborAdvertSize:] }

// Encode writes the message without options and with a checksum of zero.
func (m NeighborAdvert) Encode(flags NDAFlags, target Addr) {
	_ = m[NeighborAdvertSize-1]
	ICMPv6(m).Encode(ICMPv6NeighborAdvert, 0, uint32(flags)<<24)
	target.Put16(m[ndTarget:])
}

// Redirect is a view of a Redirect (RFC 4861 §4.5).
type Redirect []byte

// ParseRedirect applies RFC 4861 §8.1, but for the rule that src must be the current first hop to the destination.
func ParseRedirect(m ICMPv6, src Addr, hopLimit uint8, o *NDOptions) (Redirect, error) {
	if !src.IsLinkLocalUnicast() || src.Is4() {
		return nil, ErrAddress
	}
	if err := ndCheck(m, hopLimit, RedirectSize, o); err != nil {
		return nil, err
	}
	r := Redirect(m)
	if r.Destination().IsMulticast() || !r.Target().IsLinkLocalUnicast() && r.Target() != r.Destination() {
		return nil, ErrAddress
	}
	return r, nil
}

// Target is the better first hop: a router's link-local address, or the destination itself if it is a neighbour.
func (m Redirect) Target() Addr { return addr16(m[ndTarget:]) }

// Destination is what Target is the better first hop to.
func (m Redirect) Destination() Addr { return addr16(m[redirectTo:]) }

// Options is the option bytes.
func (m Redirect) Options() []byte { return m[RedirectSize:] }

// Encode writes the message without options and with a checksum of zero.
func (m Redirect) Encode(target, destination Addr) {
	_ = m[RedirectSize-1]
	ICMPv6(m).Encode(ICMPv6Redirect, 0, 0)
	target.Put16(m[ndTarget:])
	destination.Put16(m[redirectTo:])
}
