package wire

import "encoding/binary"

// UDP is a view of a UDP datagram (RFC 768).
type UDP []byte

const (
	UDPSize           = 8 // header
	UDPChecksumOffset = 6 // of the checksum field
)

const (
	udpSrcPort  = 0
	udpDstPort  = 2
	udpLen      = 4
	udpChecksum = UDPChecksumOffset
)

// ParseUDP checks the length field and returns a view of b cut to it.
//
// Errors: ErrTruncated if b is shorter than a header or than the length says, ErrLength if the length is below 8.
func ParseUDP(b []byte) (UDP, error) {
	if len(b) < UDPSize {
		return nil, ErrTruncated
	}
	n := int(binary.BigEndian.Uint16(b[udpLen:]))
	if n < UDPSize {
		return nil, ErrLength
	}
	if n > len(b) {
		return nil, ErrTruncated
	}
	return UDP(b[:n:n]), nil
}

func (u UDP) SrcPort() uint16  { return binary.BigEndian.Uint16(u[udpSrcPort:]) }
func (u UDP) DstPort() uint16  { return binary.BigEndian.Uint16(u[udpDstPort:]) }
func (u UDP) Length() int      { return int(binary.BigEndian.Uint16(u[udpLen:])) }
func (u UDP) Checksum() uint16 { return binary.BigEndian.Uint16(u[udpChecksum:]) }

// Payload is the datagram's data.
func (u UDP) Payload() []byte { return u[UDPSize:] }

// ChecksumOK reports whether the datagram's checksum is right for these addresses. A field of zero means "none", which
// is right over IPv4 (RFC 768) and wrong over IPv6 (RFC 8200 §8.1).
func (u UDP) ChecksumOK(src, dst Addr) bool {
	if u.Checksum() == 0 {
		return src.Is4()
	}
	return Sum(u, PseudoHeader(src, dst, ProtoUDP, len(u))) == 0xffff
}

func (u UDP) SetSrcPort(v uint16)  { binary.BigEndian.PutUint16(u[udpSrcPort:], v) }
func (u UDP) SetDstPort(v uint16)  { binary.BigEndian.PutUint16(u[udpDstPort:], v) }
func (u UDP) SetLength(n int)      { binary.BigEndian.PutUint16(u[udpLen:], uint16(n)) }
func (u UDP) SetChecksum(v uint16) { binary.BigEndian.PutUint16(u[udpChecksum:], v) }

// UDPFinish is the value for the checksum field of a sum: a computed zero is sent as 0xffff (RFC 768).
func UDPFinish(sum uint32) uint16 {
	if v := Finish(sum); v != 0 {
		return v
	}
	return 0xffff
}

// UpdateChecksum computes the checksum over the view, which holds the whole datagram, and writes it.
func (u UDP) UpdateChecksum(src, dst Addr) {
	u.SetChecksum(0)
	u.SetChecksum(UDPFinish(Sum(u, PseudoHeader(src, dst, ProtoUDP, len(u)))))
}

// Encode writes the header for a datagram of length bytes, header included, with a checksum of zero.
func (u UDP) Encode(srcPort, dstPort uint16, length int) {
	_ = u[UDPSize-1]
	u.SetSrcPort(srcPort)
	u.SetDstPort(dstPort)
	u.SetLength(length)
	u.SetChecksum(0)
}
