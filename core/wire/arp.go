package wire

import "encoding/binary"

// ARP is a view of an ARP packet for IPv4 over Ethernet (RFC 826).
type ARP []byte

// ARPSize is the size of an ARP packet for IPv4 over Ethernet.
const ARPSize = 28

// ARP operations (IANA ARP Parameters).
const (
	ARPRequest uint16 = 1
	ARPReply   uint16 = 2
)

const (
	arpHType = 0
	arpPType = 2
	arpHLen  = 4
	arpPLen  = 5
	arpOp    = 6
	arpSHA   = 8
	arpSPA   = 14
	arpTHA   = 18
	arpTPA   = 24
)

// ParseARP returns a view of the packet b, cut to its 28 bytes. Hardware types other than Ethernet (1), protocols other
// than IPv4 and other address lengths are ErrFormat. The operation is not judged.
func ParseARP(b []byte) (ARP, error) {
	if len(b) < ARPSize {
		return nil, ErrTruncated
	}
	if binary.BigEndian.Uint64(b)>>16 != 0x0001_0800_0604 {
		return nil, ErrFormat
	}
	return ARP(b[:ARPSize:ARPSize]), nil
}

func (a ARP) Op() uint16       { return binary.BigEndian.Uint16(a[arpOp:]) }
func (a ARP) SenderHW() HWAddr { return HWAddr(a[arpSHA:]) }
func (a ARP) SenderIP() Addr   { return addr4(a[arpSPA:]) }
func (a ARP) TargetHW() HWAddr { return HWAddr(a[arpTHA:]) }
func (a ARP) TargetIP() Addr   { return addr4(a[arpTPA:]) }

// IsProbe reports whether a asks for an address without claiming one: a request from 0.0.0.0 (RFC 5227 §1.1).
func (a ARP) IsProbe() bool { return a.Op() == ARPRequest && a.SenderIP().IsUnspecified() }

// IsAnnouncement reports whether a claims an address to everyone: sender and target address are the same, in a request
// (RFC 5227 §1.1) or in a reply (as older hosts send their gratuitous ARP).
func (a ARP) IsAnnouncement() bool {
	return a.SenderIP() == a.TargetIP() && !a.SenderIP().IsUnspecified()
}

// ARPFields is an ARP packet as a plain value.
type ARPFields struct {
	Op       uint16
	SenderHW HWAddr
	SenderIP Addr
	TargetHW HWAddr
	TargetIP Addr
}

// Fields reads the whole packet.
func (a ARP) Fields() ARPFields {
	return ARPFields{a.Op(), a.SenderHW(), a.SenderIP(), a.TargetHW(), a.TargetIP()}
}

// Encode writes the whole packet; the addresses must be IPv4 ones.
func (a ARP) Encode(f ARPFields) {
	_ = a[ARPSize-1]
	binary.BigEndian.PutUint16(a[arpHType:], 1)
	binary.BigEndian.PutUint16(a[arpPType:], uint16(EtherTypeIPv4))
	a[arpHLen], a[arpPLen] = 6, 4
	binary.BigEndian.PutUint16(a[arpOp:], f.Op)
	copy(a[arpSHA:], f.SenderHW[:])
	f.SenderIP.Put4(a[arpSPA:])
	copy(a[arpTHA:], f.TargetHW[:])
	f.TargetIP.Put4(a[arpTPA:])
}
