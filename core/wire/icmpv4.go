package wire

import (
	"encoding/binary"
	"strconv"
)

// ICMPv4 is a view of an ICMP message (RFC 792).
type ICMPv4 []byte

// ICMPv4Size is the fixed part common to all messages handled here: type, code, checksum and four bytes more.
const ICMPv4Size = 8

// ICMP types (IANA ICMP Parameters).
const (
	ICMPv4EchoReply          = 0
	ICMPv4Unreachable        = 3
	ICMPv4SourceQuench       = 4
	ICMPv4Redirect           = 5
	ICMPv4Echo               = 8
	ICMPv4RouterAdvert       = 9
	ICMPv4RouterSolicit      = 10
	ICMPv4TimeExceeded       = 11
	ICMPv4ParameterProblem   = 12
	ICMPv4Timestamp          = 13
	ICMPv4TimestampReply     = 14
	ICMPv4InformationRequest = 15
	ICMPv4InformationReply   = 16
	ICMPv4AddressMaskRequest = 17
	ICMPv4AddressMaskReply   = 18
)

// Codes of ICMPv4Unreachable (RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1).
const (
	ICMPv4NetUnreachable      = 0
	ICMPv4HostUnreachable     = 1
	ICMPv4ProtocolUnreachable = 2
	ICMPv4PortUnreachable     = 3
	ICMPv4FragmentationNeeded = 4
	ICMPv4SourceRouteFailed   = 5
	ICMPv4NetUnknown          = 6
	ICMPv4HostUnknown         = 7
	ICMPv4HostIsolated        = 8
	ICMPv4NetProhibited       = 9
	ICMPv4HostProhibited      = 10
	ICMPv4NetTOS              = 11
	ICMPv4HostTOS             = 12
	ICMPv4AdminProhibited     = 13
	ICMPv4PrecedenceViolation = 14
	ICMPv4PrecedenceCutoff    = 15
)

// Codes of ICMPv4TimeExceeded, ICMPv4Redirect and ICMPv4ParameterProblem.
const (
	ICMPv4TTLExceeded        = 0
	ICMPv4ReassemblyExceeded = 1

	ICMPv4RedirectNet  = 0
	ICMPv4RedirectHost = 1

	ICMPv4PointerIndicates = 0
	ICMPv4OptionMissing    = 1
	ICMPv4BadLength        = 2
)

const (
	icmpType     = 0
	icmpCode     = 1
	icmpChecksum = 2
	icmpRest     = 4
	icmpID       = 4
	icmpSeq      = 6
	icmpMTU      = 6
)

// ParseICMPv4 returns a view of the message b. The checksum is ChecksumOK's.
func ParseICMPv4(b []byte) (ICMPv4, error) {
	if len(b) < ICMPv4Size {
		return nil, ErrTruncated
	}
	return ICMPv4(b), nil
}

func (m ICMPv4) Type() uint8      { return m[icmpType] }
func (m ICMPv4) Code() uint8      { return m[icmpCode] }
func (m ICMPv4) Checksum() uint16 { return binary.BigEndian.Uint16(m[icmpChecksum:]) }

// ID and Seq are those of echo and timestamp messages.
func (m ICMPv4) ID() uint16  { return binary.BigEndian.Uint16(m[icmpID:]) }
func (m ICMPv4) Seq() uint16 { return binary.BigEndian.Uint16(m[icmpSeq:]) }

// MTU is the next hop's MTU of a Fragmentation Needed message (RFC 1191 §4); old routers leave it 0.
func (m ICMPv4) MTU() uint16 { return binary.BigEndian.Uint16(m[icmpMTU:]) }

// Pointer is the offset of the bad byte of a Parameter Problem message.
func (m ICMPv4) Pointer() uint8 { return m[icmpRest] }

// Gateway is the router of a Redirect message.
func (m ICMPv4) Gateway() Addr { return addr4(m[icmpRest:]) }

// Rest is the four bytes after the checksum.
func (m ICMPv4) Rest() uint32 { return binary.BigEndian.Uint32(m[icmpRest:]) }

// Payload is what follows the eight bytes: the data of an echo, the packet that an error is about.
func (m ICMPv4) Payload() []byte { return m[ICMPv4Size:] }

// IsError reports whether the message is about another packet: those are never answered with an ICMP error
// (RFC 1122 §3.2.2).
func (m ICMPv4) IsError() bool { return ICMPv4IsError(m.Type()) }

// ICMPv4IsError is IsError by type.
func ICMPv4IsError(typ uint8) bool {
	switch typ {
	case ICMPv4Unreachable, ICMPv4SourceQuench, ICMPv4Redirect, ICMPv4TimeExceeded, ICMPv4ParameterProblem:
		return true
	}
	return false
}

// ChecksumOK reports whether the message's checksum is right.
func (m ICMPv4) ChecksumOK() bool { return Sum(m, 0) == 0xffff }

func (m ICMPv4) SetType(v uint8)      { m[icmpType] = v }
func (m ICMPv4) SetCode(v uint8)      { m[icmpCode] = v }
func (m ICMPv4) SetChecksum(v uint16) { binary.BigEndian.PutUint16(m[icmpChecksum:], v) }
func (m ICMPv4) SetID(v uint16)       { binary.BigEndian.PutUint16(m[icmpID:], v) }
func (m ICMPv4) SetSeq(v uint16)      { binary.BigEndian.PutUint16(m[icmpSeq:], v) }
func (m ICMPv4) SetRest(v uint32)     { binary.BigEndian.PutUint32(m[icmpRest:], v) }

// UpdateChecksum computes the checksum over the view, which holds the whole message, and writes it.
func (m ICMPv4) UpdateChecksum() {
	m.SetChecksum(0)
	m.SetChecksum(Finish(Sum(m, 0)))
}

// Encode writes the eight bytes with a checksum of zero. rest is the four bytes after the checksum: id<<16|seq of an
// echo, the MTU, pointer<<24, the gateway.
func (m ICMPv4) Encode(typ, code uint8, rest uint32) {
	_ = m[ICMPv4Size-1]
	m[icmpType], m[icmpCode] = typ, code
	m.SetChecksum(0)
	m.SetRest(rest)
}

// ICMPv4TypeName is the short name of an ICMP type.
func ICMPv4TypeName(typ uint8) string {
	switch typ {
	case ICMPv4EchoReply:
		return "echo reply"
	case ICMPv4Unreachable:
		return "unreachable"
	case ICMPv4SourceQuench:
		return "source quench"
	case ICMPv4Redirect:
		return "redirect"
	case ICMPv4Echo:
		return "echo request"
	case ICMPv4RouterAdvert:
		return "router advertisement"
	case ICMPv4RouterSolicit:
		return "router solicitation"
	case ICMPv4TimeExceeded:
		return "time exceeded"
	case ICMPv4ParameterProblem:
		return "parameter problem"
	case ICMPv4Timestamp:
		return "timestamp request"
	case ICMPv4TimestampReply:
		return "timestamp reply"
	case ICMPv4AddressMaskRequest:
		return "address mask request"
	case ICMPv4AddressMaskReply:
		return "address mask reply"
	}
	return "type " + strconv.Itoa(int(typ))
}
