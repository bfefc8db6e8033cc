package wire

import "encoding/binary"

// Ethernet is a view of an Ethernet II frame without preamble and FCS (IEEE 802.3, RFC 894).
type Ethernet []byte

// EthernetSize is the size of the header in bytes.
const EthernetSize = 14

// EthernetMinPayload is the least payload a frame on a real cable carries; shorter ones are padded with zeros.
const EthernetMinPayload = 46

const (
	etherDst  = 0
	etherSrc  = 6
	etherType = 12
)

// ParseEthernet returns a view of the frame b.
func ParseEthernet(b []byte) (Ethernet, error) {
	if len(b) < EthernetSize {
		return nil, ErrTruncated
	}
	return Ethernet(b), nil
}

func (e Ethernet) Dst() HWAddr     { return HWAddr(e[etherDst:]) }
func (e Ethernet) Src() HWAddr     { return HWAddr(e[etherSrc:]) }
func (e Ethernet) Type() EtherType { return EtherType(binary.BigEndian.Uint16(e[etherType:])) }

// Payload is what follows the header, padding included.
func (e Ethernet) Payload() []byte { return e[EthernetSize:] }

func (e Ethernet) SetDst(h HWAddr)     { copy(e[etherDst:etherDst+6], h[:]) }
func (e Ethernet) SetSrc(h HWAddr)     { copy(e[etherSrc:etherSrc+6], h[:]) }
func (e Ethernet) SetType(t EtherType) { binary.BigEndian.PutUint16(e[etherType:], uint16(t)) }

// Encode writes the whole header.
func (e Ethernet) Encode(dst, src HWAddr, t EtherType) {
	_ = e[EthernetSize-1]
	e.SetDst(dst)
	e.SetSrc(src)
	e.SetType(t)
}
