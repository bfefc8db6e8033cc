package vnethdr

import (
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Header is the header's fields, in the host's order.
type Header struct {
	Flags, GSO                 uint8
	HeaderLen, SegmentSize     uint16
	ChecksumStart, ChecksumEnd int // where summing begins, and where the field for it ends
}

// gsoUDP is a datagram to be cut into fragments of IP (UFO), which nothing here does.
const gsoUDP = 3

// maxSegmentsUDP is UDP_MAX_SEGMENTS, byFragments GSO_BY_FRAGS (linux/udp.h,
// linux/skbuff.h).
const (
	maxSegmentsUDP = 128
	byFragments    = 0xffff
)

// Parse reads the header from b, which has HeaderSize bytes or more, of a frame of n
// bytes. EINVAL if more than that shall be headers (__packet_snd_vnet_parse,
// net/packet/af_packet.c).
func Parse(b []byte, n int) (Header, error) {
	ne := binary.NativeEndian
	h := Header{Flags: b[hdrFlags], GSO: b[hdrGSOType], HeaderLen: ne.Uint16(b[hdrLen:]), SegmentSize: ne.Uint16(b[hdrGSOSize:]),
		ChecksumStart: int(ne.Uint16(b[hdrCsumStart:]))}
	h.ChecksumEnd = h.ChecksumStart + int(ne.Uint16(b[hdrCsumOffset:])) + 2
	if int(h.HeaderLen) > n || h.Flags&flagNeedsCsum != 0 && int(uint16(h.ChecksumEnd)) > n {
		return h, syscall.EINVAL
	}
	return h, nil
}

// Merged tells whether the frame is a super-segment, which may be longer than the MTU.
func (h *Header) Merged() bool { return h.GSO != gsoNone }

// Apply notes in p, which begins with the header of link, what its header asks for: a
// checksum to complete, segments to cut. EINVAL for what cannot be
// (virtio_net_hdr_to_skb, linux/virtio_net.h), and for UFO; ENOMEM for segments that the
// headers of the frame do not agree with, which is what Linux says of those it cannot cut.
func (h *Header) Apply(p *core.Packet, link core.Link) error {
	network, protocol, size := wire.IPv4MinSize, uint8(wire.ProtoTCP), 0
	if h.GSO != gsoNone {
		size = wire.TCPMinSize
		switch h.GSO &^ gsoECN {
		case gsoTCPv4:
		case gsoTCPv6:
			network = wire.IPv6Size
		case gsoUDPL4:
			protocol, size = wire.ProtoUDP, wire.UDPSize
		default:
			return syscall.EINVAL
		}
		if h.SegmentSize == 0 {
			return syscall.EINVAL
		}
	}
	at := link.HeaderLen() + network
	switch {
	case h.Flags&flagNeedsCsum != 0:
		at = h.ChecksumStart
		if at < network || !p.Pullup(max(at+size, h.ChecksumEnd)) {
			return syscall.EINVAL
		}
		p.Pull(at)
		p.SetTransportHeader()
		p.Push(at)
		p.Checksum, p.ChecksumStart, p.ChecksumField = core.ChecksumPartial, 0, uint16(h.ChecksumEnd-2-at)
		if p.ChecksumField == wire.UDPChecksumOffset {
			p.Protocol = wire.ProtoUDP
		}
	case h.GSO != gsoNone:
		p.Pullup(min(p.Len(), maxHeaders))
		if !p.FindTransport(link, protocol) {
			return syscall.EINVAL
		}
		at = p.ChecksumOffset()
		if !p.Pullup(at + size) {
			return syscall.EINVAL
		}
	default:
		return nil
	}
	return h.segments(p, link, at+size)
}

// segments notes that p is to be cut, if it is longer than one segment behind its headers
// of head bytes.
func (h *Header) segments(p *core.Packet, link core.Link, head int) error {
	partial := p.Checksum == core.ChecksumPartial
	switch h.GSO &^ gsoECN {
	case gsoNone:
		return nil
	case gsoUDPL4:
		if !partial || p.ChecksumField != wire.UDPChecksumOffset || p.Len()-head > int(h.SegmentSize)*maxSegmentsUDP {
			return syscall.EINVAL
		}
	default:
		if partial && p.ChecksumField != wire.TCPChecksumOffset {
			return syscall.EINVAL
		}
	}
	if h.SegmentSize == byFragments {
		return syscall.EINVAL
	}
	if p.Len()-head <= int(h.SegmentSize) {
		return nil
	}
	p.SegmentSize = h.SegmentSize
	if partial && !h.agrees(p, link) {
		return syscall.ENOMEM
	}
	if ip := p.Linear()[link.HeaderLen()] >> 4; h.GSO&^gsoECN == gsoTCPv4 && ip != 4 || h.GSO&^gsoECN == gsoTCPv6 && ip != 6 {
		return syscall.ENOMEM
	}
	if !partial {
		p.Checksum = core.ChecksumPartial
		p.PseudoSum(link.HeaderLen())
	}
	return nil
}

// agrees tells whether the transport header is where the frame's IP header says, and of the
// kind that is to be cut. Behind extension headers of IPv6 that is believed.
func (h *Header) agrees(p *core.Packet, link core.Link) bool {
	ip := p.Linear()[link.HeaderLen():]
	if ip[0]>>4 == 6 && len(ip) >= wire.IPv6Size {
		switch wire.IPv6(ip).NextHeader() {
		case wire.ProtoTCP, wire.ProtoUDP:
		default:
			return true
		}
	}
	protocol := uint8(wire.ProtoTCP)
	if p.ChecksumField == wire.UDPChecksumOffset {
		protocol = wire.ProtoUDP
	}
	at := p.ChecksumOffset()
	return p.FindTransport(link, protocol) && p.ChecksumOffset() == at
}
