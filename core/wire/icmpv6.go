package wire

import (
	"encoding/binary"
	"strconv"
)

// ICMPv6 is a view of an ICMPv6 message (RFC 4443).
type ICMPv6 []byte

const (
	// ICMPv6Size is the part common to all messages: type, code, checksum.
	ICMPv6Size = 4
	// ICMPv6BodySize is the fixed part of errors, echoes and most of the rest: four bytes more.
	ICMPv6BodySize = 8
)

// ICMPv6 types (IANA ICMPv6 Parameters).
const (
	ICMPv6Unreachable      = 1
	ICMPv6PacketTooBig     = 2
	ICMPv6TimeExceeded     = 3
	ICMPv6ParameterProblem = 4
	ICMPv6Echo             = 128
	ICMPv6EchoReply        = 129
	ICMPv6MLDQuery         = 130
	ICMPv6MLDReport        = 131
	ICMPv6MLDDone          = 132
	ICMPv6RouterSolicit    = 133
	ICMPv6RouterAdvert     = 134
	ICMPv6NeighborSolicit  = 135
	ICMPv6NeighborAdvert   = 136
	ICMPv6Redirect         = 137
	ICMPv6MLDv2Report      = 143
)

// Codes of ICMPv6Unreachable (RFC 4443 §3.1).
const (
	ICMPv6NoRoute            = 0
	ICMPv6AdminProhibited    = 1
	ICMPv6BeyondScope        = 2
	ICMPv6AddressUnreachable = 3
	ICMPv6PortUnreachable    = 4
	ICMPv6PolicyFailed       = 5
	ICMPv6RejectRoute        = 6
)

// Codes of ICMPv6TimeExceeded and ICMPv6ParameterProblem (RFC 4443 §3.3, §3.4; RFC 7112).
const (
	ICMPv6HopLimitExceeded   = 0
	ICMPv6ReassemblyExceeded = 1

	ICMPv6ErroneousField      = 0
	ICMPv6UnknownNextHeader   = 1
	ICMPv6UnknownOption       = 2
	ICMPv6IncompleteFirstFrag = 3
)

// ParseICMPv6 returns a view of the message b: at least 8 bytes, which every message defined so far has. The checksum is
// ChecksumOK's.
func ParseICMPv6(b []byte) (ICMPv6, error) {
	if len(b) < ICMPv6BodySize {
		return nil, ErrTruncated
	}
	return ICMPv6(b), nil
}

func (m ICMPv6) Type() uint8      { return m[icmpType] }
func (m ICMPv6) Code() uint8      { return m[icmpCode] }
func (m ICMPv6) Checksum() uint16 { return binary.BigEndian.Uint16(m[icmpChecksum:]) }

// ID and Seq are those of echo messages.
func (m ICMPv6) ID() uint16  { return binary.BigEndian.Uint16(m[icmpID:]) }
func (m ICMPv6) Seq() uint16 { return binary.BigEndian.Uint16(m[icmpSeq:]) }

// Rest is the four bytes after the checksum: the MTU of Packet Too Big, the pointer of Parameter Problem.
func (m ICMPv6) Rest() uint32 { return binary.BigEndian.Uint32(m[icmpRest:]) }

// MTU is the MTU of a Packet Too Big message (RFC 4443 §3.2).
func (m ICMPv6) MTU() uint32 { return m.Rest() }

// Pointer is the offset of the bad byte of a Parameter Problem message (RFC 4443 §3.4).
func (m ICMPv6) Pointer() uint32 { return m.Rest() }

// Payload is what follows the eight bytes: the data of an echo, the packet that an error is about.
func (m ICMPv6) Payload() []byte { return m[ICMPv6BodySize:] }

// IsError reports whether the message is an error: type below 128 (RFC 4443 §2.1).
func (m ICMPv6) IsError() bool { return m.Type() < 128 }

// ICMPv6IsError is IsError by type.
func ICMPv6IsError(typ uint8) bool { return typ < 128 }

// ChecksumOK reports whether the message's checksum is right for these addresses.
func (m ICMPv6) ChecksumOK(src, dst Addr) bool {
	return Sum(m, PseudoHeader(src, dst, ProtoICMPv6, len(m))) == 0xffff
}

func (m ICMPv6) SetType(v uint8)      { m[icmpType] = v }
func (m ICMPv6) SetCode(v uint8)      { m[icmpCode] = v }
func (m ICMPv6) SetChecksum(v uint16) { binary.BigEndian.PutUint16(m[icmpChecksum:], v) }
func (m ICMPv6) SetID(v uint16)       { binary.BigEndian.PutUint16(m[icmpID:], v) }
func (m ICMPv6) SetSeq(v uint16)      { binary.BigEndian.PutUint16(m[icmpSeq:], v) }
func (m ICMPv6) SetRest(v uint32)     { binary.BigEndian.PutUint32(m[icmpRest:], v) }

// UpdateChecksum computes the checksum over the view, which holds the whole message, and writes it.
func (m ICMPv6) UpdateChecksum(src, dst Addr) {
	m.SetChecksum(0)
	m.SetChecksum(Finish(Sum(m, PseudoHeader(src, dst, ProtoICMPv6, len(m)))))
}

// Encode writes the first eight bytes with a checksum of zero. rest is the four bytes after the checksum: id<<16|seq of
// an echo, the MTU, the pointer.
func (m ICMPv6) Encode(typ, code uint8, rest uint32) {
	_ = m[ICMPv6BodySize-1]
	m[icmpType], m[icmpCode] = typ, code
	m.SetChecksum(0)
	m.SetRest(rest)
}

// ICMPv6TypeName is the short name of an ICMPv6 type.
func ICMPv6TypeName(typ uint8) string {
	switch typ {
	case ICMPv6Unreachable:
		return "unreachable"
	case ICMPv6PacketTooBig:
		return "packet too big"
	case ICMPv6TimeExceeded:
		return "time exceeded"
	case ICMPv6ParameterProblem:
		return "parameter problem"
	case ICMPv6Echo:
		return "echo request"
	case ICMPv6EchoReply:
		return "echo reply"
	case ICMPv6MLDQuery:
		return "multicast listener query"
	case ICMPv6MLDReport:
		return "multicast listener report"
	case ICMPv6MLDDone:
		return "multicast listener done"
	case ICMPv6RouterSolicit:
		return "router solicitation"
	case ICMPv6RouterAdvert:
		return "router advertisement"
	case ICMPv6NeighborSolicit:
		return "neighbor solicitation"
	case ICMPv6NeighborAdvert:
		return "neighbor advertisement"
	case ICMPv6Redirect:
		return "redirect"
	case ICMPv6MLDv2Report:
		return "multicast listener report v2"
	}
	return "type " + strconv.Itoa(int(typ))
}
