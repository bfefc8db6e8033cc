package wire

import "encoding/binary"

// TCP is a view of a TCP segment (RFC 9293).
type TCP []byte

const (
	TCPMinSize        = 20 // header without options
	TCPMaxHeaderSize  = 60 // header with 40 bytes of options
	TCPMaxOptionsSize = 40

	TCPChecksumOffset = 16 // of the checksum field
)

const (
	tcpSrcPort  = 0
	tcpDstPort  = 2
	tcpSeq      = 4
	tcpAck      = 8
	tcpOffset   = 12 // data offset in the upper four bits
	tcpFlags    = 13
	tcpWindow   = 14
	tcpChecksum = TCPChecksumOffset
	tcpUrgent   = 18
	tcpOptions  = 20
)

// TCPFlags is the eight control bits.
type TCPFlags uint8

const (
	TCPFin TCPFlags = 1 << iota
	TCPSyn
	TCPRst
	TCPPsh
	TCPAck
	TCPUrg
	TCPEce
	TCPCwr
)

// String is tcpdump's form: S, F, R, P, '.' for ACK, U, E, W; "none" without flags.
func (f TCPFlags) String() string {
	var b [8]byte
	return string(f.appendTo(b[:0]))
}

func (f TCPFlags) appendTo(b []byte) []byte {
	if f == 0 {
		return append(b, "none"...)
	}
	const names = "FSRP.UEW"
	for i := range 8 {
		if f&(1<<i) != 0 {
			b = append(b, names[i])
		}
	}
	return b
}

// ParseTCPFlags reads tcpdump's form, in any order; ok is false if a letter is unknown.
func ParseTCPFlags(s string) (f TCPFlags, ok bool) {
	if s == "none" {
		return 0, true
	}
	for i := range len(s) {
		switch s[i] {
		case 'F':
			f |= TCPFin
		case 'S':
			f |= TCPSyn
		case 'R':
			f |= TCPRst
		case 'P':
			f |= TCPPsh
		case '.':
			f |= TCPAck
		case 'U':
			f |= TCPUrg
		case 'E':
			f |= TCPEce
		case 'W':
			f |= TCPCwr
		default:
			return 0, false
		}
	}
	return f, true
}

// ParseTCP checks the data offset and returns a view of the segment b.
//
// Errors: ErrTruncated if b is shorter than a header, ErrHeaderLength if the data offset is below 5 or beyond b.
func ParseTCP(b []byte) (TCP, error) {
	if len(b) < TCPMinSize {
		return nil, ErrTruncated
	}
	if hl := int(b[tcpOffset]>>4) * 4; hl < TCPMinSize || hl > len(b) {
		return nil, ErrHeaderLength
	}
	return TCP(b), nil
}

func (t TCP) SrcPort() uint16  { return binary.BigEndian.Uint16(t[tcpSrcPort:]) }
func (t TCP) DstPort() uint16  { return binary.BigEndian.Uint16(t[tcpDstPort:]) }
func (t TCP) Seq() Seq         { return Seq(binary.BigEndian.Uint32(t[tcpSeq:])) }
func (t TCP) Ack() Seq         { return Seq(binary.BigEndian.Uint32(t[tcpAck:])) }
func (t TCP) HeaderLen() int   { return int(t[tcpOffset]>>4) * 4 }
func (t TCP) Flags() TCPFlags  { return TCPFlags(t[tcpFlags]) }
func (t TCP) Checksum() uint16 { return binary.BigEndian.Uint16(t[tcpChecksum:]) }
func (t TCP) Urgent() uint16   { return binary.BigEndian.Uint16(t[tcpUrgent:]) }

// Window is the window field as it is, not scaled.
func (t TCP) Window() uint16 { return binary.BigEndian.Uint16(t[tcpWindow:]) }

// ReservedBits is the four bits between data offset and flags: the lowest is AE of accurate ECN.
func (t TCP) ReservedBits() uint8 { return t[tcpOffset] & 15 }

// Options is the option bytes of the header.
func (t TCP) Options() []byte { return t[tcpOptions:t.HeaderLen()] }

// Payload is the segment's data.
func (t TCP) Payload() []byte { return t[t.HeaderLen():] }

// SegLen is SEG.LEN: the sequence numbers the segment takes, SYN and FIN included (RFC 9293 §3.4).
func (t TCP) SegLen() uint32 {
	f := t[tcpFlags]
	return uint32(len(t)-t.HeaderLen()) + uint32(f&1) + uint32(f>>1&1)
}

// ChecksumOK reports whether the segment's checksum is right for these addresses.
func (t TCP) ChecksumOK(src, dst Addr) bool {
	return Sum(t, PseudoHeader(src, dst, ProtoTCP, len(t))) == 0xffff
}

func (t TCP) SetSrcPort(v uint16)  { binary.BigEndian.PutUint16(t[tcpSrcPort:], v) }
func (t TCP) SetDstPort(v uint16)  { binary.BigEndian.PutUint16(t[tcpDstPort:], v) }
func (t TCP) SetSeq(v Seq)         { binary.BigEndian.PutUint32(t[tcpSeq:], uint32(v)) }
func (t TCP) SetAck(v Seq)         { binary.BigEndian.PutUint32(t[tcpAck:], uint32(v)) }
func (t TCP) SetFlags(f TCPFlags)  { t[tcpFlags] = uint8(f) }
func (t TCP) SetWindow(v uint16)   { binary.BigEndian.PutUint16(t[tcpWindow:], v) }
func (t TCP) SetChecksum(v uint16) { binary.BigEndian.PutUint16(t[tcpChecksum:], v) }
func (t TCP) SetUrgent(v uint16)   { binary.BigEndian.PutUint16(t[tcpUrgent:], v) }

// SetHeaderLen writes the data offset for a header of n bytes, a multiple of four in 20..60, and clears the reserved bits.
func (t TCP) SetHeaderLen(n int) { t[tcpOffset] = uint8(n/4) << 4 }

// UpdateChecksum computes the checksum over the view, which holds the whole segment, and writes it.
func (t TCP) UpdateChecksum(src, dst Addr) {
	t.SetChecksum(0)
	t.SetChecksum(Finish(Sum(t, PseudoHeader(src, dst, ProtoTCP, len(t)))))
}

// TCPFields is the fixed part of a TCP header as a plain value.
type TCPFields struct {
	SrcPort, DstPort uint16
	Seq, Ack         Seq
	Flags            TCPFlags
	Window           uint16
	Urgent           uint16
}

// Encode writes the fixed header with a checksum of zero. headerLen is its length with the options, a multiple of four
// in 20..60; the caller writes the options, by PutTimestamp or TCPOptions.Put into t[20:headerLen].
func (t TCP) Encode(f *TCPFields, headerLen int) {
	_ = t[TCPMinSize-1]
	t.SetSrcPort(f.SrcPort)
	t.SetDstPort(f.DstPort)
	t.SetSeq(f.Seq)
	t.SetAck(f.Ack)
	t.SetHeaderLen(headerLen)
	t.SetFlags(f.Flags)
	t.SetWindow(f.Window)
	t.SetChecksum(0)
	t.SetUrgent(f.Urgent)
}

// Fields reads the fixed header.
func (t TCP) Fields() TCPFields {
	return TCPFields{t.SrcPort(), t.DstPort(), t.Seq(), t.Ack(), t.Flags(), t.Window(), t.Urgent()}
}
