package wire

import "encoding/binary"

// IPv6 is a view of an IPv6 packet (RFC 8200).
type IPv6 []byte

const (
	IPv6Size   = 40   // the fixed header
	IPv6MinMTU = 1280 // every link carries this much (RFC 8200 §5)
)

const (
	ip6VerTCFlow  = 0
	ip6PayloadLen = 4
	ip6Next       = 6
	ip6HopLimit   = 7
	ip6Src        = 8
	ip6Dst        = 24
)

// ParseIPv6 checks version and payload length and returns a view of b cut to it: what follows is the link's padding.
// Jumbograms (RFC 2675) are not known: a payload length of 0 is an empty payload.
//
// Errors: ErrTruncated, ErrVersion.
func ParseIPv6(b []byte) (IPv6, error) {
	if len(b) < IPv6Size {
		return nil, ErrTruncated
	}
	if b[ip6VerTCFlow]>>4 != 6 {
		return nil, ErrVersion
	}
	total := IPv6Size + int(binary.BigEndian.Uint16(b[ip6PayloadLen:]))
	if total > len(b) {
		return nil, ErrTruncated
	}
	return IPv6(b[:total:total]), nil
}

func (p IPv6) TrafficClass() uint8  { return p[0]<<4 | p[1]>>4 }
func (p IPv6) DSCP() uint8          { return p.TrafficClass() >> 2 }
func (p IPv6) ECN() uint8           { return p.TrafficClass() & 3 }
func (p IPv6) FlowLabel() uint32    { return binary.BigEndian.Uint32(p[ip6VerTCFlow:]) & 0xfffff }
func (p IPv6) PayloadLen() int      { return int(binary.BigEndian.Uint16(p[ip6PayloadLen:])) }
func (p IPv6) NextHeader() Protocol { return p[ip6Next] }
func (p IPv6) HopLimit() uint8      { return p[ip6HopLimit] }
func (p IPv6) Src() Addr            { return addr16(p[ip6Src:]) }
func (p IPv6) Dst() Addr            { return addr16(p[ip6Dst:]) }

// Payload is what follows the fixed header, extension headers included, to the end of the view.
func (p IPv6) Payload() []byte { return p[IPv6Size:] }

// PseudoHeader is the sum of the transport checksum's pseudo header for a payload of this protocol and length. With a
// routing header that has segments left, the final destination belongs there instead of Dst (RFC 8200 §8.1).
func (p IPv6) PseudoHeader(proto Protocol, length int) uint32 {
	return PseudoHeader(p.Src(), p.Dst(), proto, length)
}

// SetVersionClassFlow writes the first word: version 6, traffic class and flow label.
func (p IPv6) SetVersionClassFlow(class uint8, flow uint32) {
	binary.BigEndian.PutUint32(p[ip6VerTCFlow:], 6<<28|uint32(class)<<20|flow&0xfffff)
}

// SetECN writes the two ECN bits.
func (p IPv6) SetECN(ecn uint8) { p[1] = p[1]&^0x30 | ecn&3<<4 }

func (p IPv6) SetPayloadLen(n int)      { binary.BigEndian.PutUint16(p[ip6PayloadLen:], uint16(n)) }
func (p IPv6) SetNextHeader(v Protocol) { p[ip6Next] = v }
func (p IPv6) SetHopLimit(v uint8)      { p[ip6HopLimit] = v }
func (p IPv6) SetSrc(a Addr)            { a.Put16(p[ip6Src:]) }
func (p IPv6) SetDst(a Addr)            { a.Put16(p[ip6Dst:]) }

// DecrementHopLimit takes one from the hop limit, which must not be 0.
func (p IPv6) DecrementHopLimit() { p[ip6HopLimit]-- }

// IPv6Fields is an IPv6 header as a plain value.
type IPv6Fields struct {
	TrafficClass uint8
	FlowLabel    uint32 // 20 bits
	PayloadLen   int    // extension headers and upper layer
	NextHeader   Protocol
	HopLimit     uint8
	Src, Dst     Addr
}

// Encode writes the whole header.
func (p IPv6) Encode(f *IPv6Fields) {
	_ = p[IPv6Size-1]
	p.SetVersionClassFlow(f.TrafficClass, f.FlowLabel)
	p.SetPayloadLen(f.PayloadLen)
	p[ip6Next] = f.NextHeader
	p[ip6HopLimit] = f.HopLimit
	p.SetSrc(f.Src)
	p.SetDst(f.Dst)
}

// Fields reads the whole header.
func (p IPv6) Fields() IPv6Fields {
	return IPv6Fields{p.TrafficClass(), p.FlowLabel(), p.PayloadLen(), p.NextHeader(), p.HopLimit(), p.Src(), p.Dst()}
}
