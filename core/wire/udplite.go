package wire

import "encoding/binary"

// UDPLite is a view of a UDP-Lite datagram (RFC 3828): UDP's header with the checksum coverage in place of the length,
// which IP tells.
type UDPLite []byte

// UDPLiteSize is the size of the header in bytes, and the least that its checksum covers.
const UDPLiteSize = 8

// ParseUDPLite checks the coverage and returns a view of b, which is all that IP carries.
//
// Errors: ErrTruncated if b is shorter than a header or than the coverage says, ErrLength if the coverage is from 1 to 7.
func ParseUDPLite(b []byte) (UDPLite, error) {
	if len(b) < UDPLiteSize {
		return nil, ErrTruncated
	}
	u := UDPLite(b)
	switch n := u.Coverage(); {
	case n != 0 && n < UDPLiteSize:
		return nil, ErrLength
	case n > len(b):
		return nil, ErrTruncated
	}
	return u, nil
}

func (u UDPLite) SrcPort() uint16  { return binary.BigEndian.Uint16(u[udpSrcPort:]) }
func (u UDPLite) DstPort() uint16  { return binary.BigEndian.Uint16(u[udpDstPort:]) }
func (u UDPLite) Checksum() uint16 { return binary.BigEndian.Uint16(u[udpChecksum:]) }

// Coverage is the field: how many bytes from the header's first on the checksum covers, 0 for all of the datagram.
func (u UDPLite) Coverage() int { return int(binary.BigEndian.Uint16(u[udpLen:])) }

// Covered is the part of the view, which holds the whole datagram with a coverage that ParseUDPLite took, that the
// checksum covers.
func (u UDPLite) Covered() []byte {
	if n := u.Coverage(); n != 0 {
		return u[:n]
	}
	return u
}

// Payload is the datagram's data.
func (u UDPLite) Payload() []byte { return u[UDPLiteSize:] }

// ChecksumOK reports whether the checksum of what is covered is right for these addresses. A field of zero is wrong: a
// checksum is mandatory (RFC 3828 §3.1).
func (u UDPLite) ChecksumOK(src, dst Addr) bool {
	return u.Checksum() != 0 && Sum(u.Covered(), PseudoHeader(src, dst, ProtoUDPLite, len(u))) == 0xffff
}

func (u UDPLite) SetSrcPort(v uint16)  { binary.BigEndian.PutUint16(u[udpSrcPort:], v) }
func (u UDPLite) SetDstPort(v uint16)  { binary.BigEndian.PutUint16(u[udpDstPort:], v) }
func (u UDPLite) SetCoverage(n int)    { binary.BigEndian.PutUint16(u[udpLen:], uint16(n)) }
func (u UDPLite) SetChecksum(v uint16) { binary.BigEndian.PutUint16(u[udpChecksum:], v) }

// UpdateChecksum computes the checksum of what is covered and writes it. The pseudo header counts the whole datagram
// (RFC 3828 §3.2).
func (u UDPLite) UpdateChecksum(src, dst Addr) {
	u.SetChecksum(0)
	u.SetChecksum(UDPFinish(Sum(u.Covered(), PseudoHeader(src, dst, ProtoUDPLite, len(u)))))
}

// Encode writes the header with a checksum of zero.
func (u UDPLite) Encode(srcPort, dstPort uint16, coverage int) {
	_ = u[UDPLiteSize-1]
	u.SetSrcPort(srcPort)
	u.SetDstPort(dstPort)
	u.SetCoverage(coverage)
	u.SetChecksum(0)
}
