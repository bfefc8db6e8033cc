package wire

import "encoding/binary"

// IPv4 is a view of an IPv4 packet (RFC 791).
type IPv4 []byte

const (
	IPv4MinSize        = 20    // header without options
	IPv4MaxHeaderSize  = 60    // header with 40 bytes of options
	IPv4MaxSize        = 65535 // largest packet
	IPv4MinMTU         = 68    // every link carries this much (RFC 791 §3.2)
	IPv4MinReassembled = 576   // every host reassembles this much (RFC 1122 §3.3.2)
)

const (
	ip4VerIHL   = 0
	ip4TOS      = 1
	ip4TotalLen = 2
	ip4ID       = 4
	ip4Frag     = 6
	ip4TTL      = 8
	ip4Proto    = 9
	ip4Checksum = 10
	ip4Src      = 12
	ip4Dst      = 16
	ip4Options  = 20
)

// Flags of the fragment word, in place.
const (
	IPv4Reserved      uint16 = 0x8000
	IPv4DontFragment  uint16 = 0x4000
	IPv4MoreFragments uint16 = 0x2000
	ip4OffsetMask     uint16 = 0x1fff
)

// ParseIPv4 checks version, header length and total length and returns a view of b cut to the total length: what
// follows is the link's padding. The checksum and the options are checked by ChecksumOK and ParseIPv4Options.
//
// Errors: ErrTruncated if b is shorter than a header or than the total length says, ErrVersion, ErrHeaderLength,
// ErrLength if the total length is less than the header.
func ParseIPv4(b []byte) (IPv4, error) {
	if len(b) < IPv4MinSize {
		return nil, ErrTruncated
	}
	if b[ip4VerIHL]>>4 != 4 {
		return nil, ErrVersion
	}
	hl := int(b[ip4VerIHL]&15) * 4
	total := int(binary.BigEndian.Uint16(b[ip4TotalLen:]))
	switch {
	case hl < IPv4MinSize || hl > len(b):
		return nil, ErrHeaderLength
	case total < hl:
		return nil, ErrLength
	case total > len(b):
		return nil, ErrTruncated
	}
	return IPv4(b[:total:total]), nil
}

// IPVersion is the version field of an IP packet, 0 for an empty slice.
func IPVersion(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	return int(b[0] >> 4)
}

// HeaderLen is the length of the header with its options in bytes, 20..60.
func (p IPv4) HeaderLen() int { return int(p[ip4VerIHL]&15) * 4 }

func (p IPv4) TOS() uint8         { return p[ip4TOS] }
func (p IPv4) DSCP() uint8        { return p[ip4TOS] >> 2 }
func (p IPv4) ECN() uint8         { return p[ip4TOS] & 3 }
func (p IPv4) TotalLen() int      { return int(binary.BigEndian.Uint16(p[ip4TotalLen:])) }
func (p IPv4) ID() uint16         { return binary.BigEndian.Uint16(p[ip4ID:]) }
func (p IPv4) TTL() uint8         { return p[ip4TTL] }
func (p IPv4) Protocol() Protocol { return p[ip4Proto] }
func (p IPv4) Checksum() uint16   { return binary.BigEndian.Uint16(p[ip4Checksum:]) }
func (p IPv4) Src() Addr          { return addr4(p[ip4Src:]) }
func (p IPv4) Dst() Addr          { return addr4(p[ip4Dst:]) }

// FragmentWord is the 16-bit word of flags and offset as it is.
func (p IPv4) FragmentWord() uint16 { return binary.BigEndian.Uint16(p[ip4Frag:]) }

// FragmentOffset is the offset of the payload in the original packet's payload, in bytes.
func (p IPv4) FragmentOffset() int { return int(p.FragmentWord()&ip4OffsetMask) * 8 }

func (p IPv4) DontFragment() bool  { return p.FragmentWord()&IPv4DontFragment != 0 }
func (p IPv4) MoreFragments() bool { return p.FragmentWord()&IPv4MoreFragments != 0 }

// IsFragment reports whether p is part of a larger packet.
func (p IPv4) IsFragment() bool { return p.FragmentWord()&(IPv4MoreFragments|ip4OffsetMask) != 0 }

// Options is the option bytes of the header, without the fixed part.
func (p IPv4) Options() []byte { return p[ip4Options:p.HeaderLen()] }

// Header is the header with its options.
func (p IPv4) Header() []byte { return p[:p.HeaderLen()] }

// Payload is what follows the header, to the end of the view.
func (p IPv4) Payload() []byte { return p[p.HeaderLen():] }

// ChecksumOK reports whether the header's checksum is right.
func (p IPv4) ChecksumOK() bool {
	if p[ip4VerIHL] == 0x45 {
		return sum20(p) == 0xffff
	}
	return Sum(p[:p.HeaderLen()], 0) == 0xffff
}

// PseudoHeader is the sum of the transport checksum's pseudo header for a payload of this protocol and length.
func (p IPv4) PseudoHeader(proto Protocol, length int) uint32 {
	return PseudoHeader(p.Src(), p.Dst(), proto, length)
}

func (p IPv4) SetHeaderLen(n int)       { p[ip4VerIHL] = 0x40 | uint8(n/4)&15 }
func (p IPv4) SetTOS(v uint8)           { p[ip4TOS] = v }
func (p IPv4) SetTotalLen(n int)        { binary.BigEndian.PutUint16(p[ip4TotalLen:], uint16(n)) }
func (p IPv4) SetID(v uint16)           { binary.BigEndian.PutUint16(p[ip4ID:], v) }
func (p IPv4) SetTTL(v uint8)           { p[ip4TTL] = v }
func (p IPv4) SetProtocol(v Protocol)   { p[ip4Proto] = v }
func (p IPv4) SetChecksum(v uint16)     { binary.BigEndian.PutUint16(p[ip4Checksum:], v) }
func (p IPv4) SetSrc(a Addr)            { a.Put4(p[ip4Src:]) }
func (p IPv4) SetDst(a Addr)            { a.Put4(p[ip4Dst:]) }
func (p IPv4) SetFragmentWord(w uint16) { binary.BigEndian.PutUint16(p[ip4Frag:], w) }

// SetFragment writes flags (IPv4DontFragment, IPv4MoreFragments) and the offset, in bytes and a multiple of 8.
func (p IPv4) SetFragment(flags uint16, offset int) {
	p.SetFragmentWord(flags | uint16(offset/8)&ip4OffsetMask)
}

// UpdateChecksum computes the header's checksum and writes it.
func (p IPv4) UpdateChecksum() {
	p.SetChecksum(0)
	if p[ip4VerIHL] == 0x45 {
		p.SetChecksum(^sum20(p))
		return
	}
	p.SetChecksum(Finish(Sum(p[:p.HeaderLen()], 0)))
}

// DecrementTTL takes one from the TTL and adapts the checksum (RFC 1141, RFC 1624). The TTL must not be 0.
func (p IPv4) DecrementTTL() {
	p[ip4TTL]--
	// The word of TTL and protocol became 0x0100 less, so the checksum becomes 0x0100 more, with the carry brought round.
	c := uint32(p.Checksum()) + 0x0100
	if c >= 0xffff {
		c -= 0xffff // 0xffff is the other form of zero
	}
	p.SetChecksum(uint16(c))
}

// SetECN writes the two ECN bits and adapts the checksum.
func (p IPv4) SetECN(ecn uint8) {
	old := binary.BigEndian.Uint16(p[ip4VerIHL:])
	p[ip4TOS] = p[ip4TOS]&^3 | ecn&3
	p.SetChecksum(Update16(p.Checksum(), old, binary.BigEndian.Uint16(p[ip4VerIHL:])))
}

// IPv4Fields is an IPv4 header as a plain value.
type IPv4Fields struct {
	TOS      uint8
	ID       uint16
	Flags    uint16 // IPv4DontFragment, IPv4MoreFragments
	Offset   int    // of the fragment, in bytes, a multiple of 8
	TTL      uint8
	Protocol Protocol
	Src, Dst Addr
	Options  []byte // a multiple of four bytes, at most 40
	TotalLen int    // header, options and payload
}

// HeaderLen is the length of the header that Encode writes.
func (f *IPv4Fields) HeaderLen() int { return IPv4MinSize + (len(f.Options)+3)&^3 }

// Encode writes the whole header with its checksum. Options of a length that is no multiple of four are padded with
// End of Options.
func (p IPv4) Encode(f *IPv4Fields) {
	_ = p[IPv4MinSize-1]
	hl := f.HeaderLen()
	p.SetHeaderLen(hl)
	p[ip4TOS] = f.TOS
	p.SetTotalLen(f.TotalLen)
	p.SetID(f.ID)
	p.SetFragment(f.Flags, f.Offset)
	p[ip4TTL] = f.TTL
	p[ip4Proto] = f.Protocol
	p.SetSrc(f.Src)
	p.SetDst(f.Dst)
	if len(f.Options) > 0 {
		clear(p[ip4Options:hl])
		copy(p[ip4Options:hl], f.Options)
	}
	p.UpdateChecksum()
}

// Fields reads the whole header; Options stays a part of p.
func (p IPv4) Fields() IPv4Fields {
	return IPv4Fields{
		TOS: p.TOS(), ID: p.ID(), Flags: p.FragmentWord() &^ ip4OffsetMask, Offset: p.FragmentOffset(),
		TTL: p.TTL(), Protocol: p.Protocol(), Src: p.Src(), Dst: p.Dst(), Options: p.Options(), TotalLen: p.TotalLen(),
	}
}
