package vnethdr

import (
	"encoding/binary"
	"errors"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// HeaderSize is the length of struct virtio_net_hdr (linux/virtio_net.h;
// virtio 1.2, section 5.1.6), in the host's byte order, as TUN and AF_PACKET
// have it unless told otherwise.
const HeaderSize = 10

// Offsets of its fields.
const (
	hdrFlags      = 0
	hdrGSOType    = 1
	hdrLen        = 2
	hdrGSOSize    = 4
	hdrCsumStart  = 6
	hdrCsumOffset = 8
)

const (
	flagNeedsCsum = 1 // VIRTIO_NET_HDR_F_NEEDS_CSUM
	flagDataValid = 2 // VIRTIO_NET_HDR_F_DATA_VALID

	gsoNone  = 0
	gsoTCPv4 = 1
	gsoTCPv6 = 4
	gsoUDPL4 = 5
	gsoECN   = 0x80
)

var (
	errShort    = errors.New("vnet_hdr: the frame is shorter than its header")
	errChecksum = errors.New("vnet_hdr: the checksum field is outside of the frame's headers")
	errSegments = errors.New("vnet_hdr: a super-segment that was not asked for")
)

// maxHeaders bounds where a transport checksum may lie: after a link header and
// network headers.
const maxHeaders = 1024

// Decode reads the header in front of a frame and returns the frame with what
// the kernel says of it. Super-segments are accepted if segments is set.
func Decode(b []byte, segments bool) (core.Frame, error) {
	if len(b) < HeaderSize {
		return core.Frame{}, errShort
	}
	f := core.Frame{Data: b[HeaderSize:]}
	switch {
	case b[hdrFlags]&flagNeedsCsum != 0:
		f.Meta.Checksum = core.ChecksumPartial
		f.Meta.ChecksumStart = binary.NativeEndian.Uint16(b[hdrCsumStart:])
		f.Meta.ChecksumField = binary.NativeEndian.Uint16(b[hdrCsumOffset:])
		end := int(f.Meta.ChecksumStart) + int(f.Meta.ChecksumField) + 2
		if end > len(f.Data) || end > maxHeaders {
			return core.Frame{}, errChecksum
		}
	case b[hdrFlags]&flagDataValid != 0:
		f.Meta.Checksum = core.ChecksumVerified
	}
	switch b[hdrGSOType] &^ gsoECN {
	case gsoNone:
	case gsoTCPv4, gsoTCPv6, gsoUDPL4:
		f.Meta.SegmentSize = binary.NativeEndian.Uint16(b[hdrGSOSize:])
		if !segments || f.Meta.SegmentSize == 0 {
			return core.Frame{}, errSegments
		}
	default:
		return core.Frame{}, errSegments
	}
	return f, nil
}

// Encode writes the header for p, which starts with a link header of linkSize
// bytes, into b[:HeaderSize].
func Encode(b []byte, p *core.Packet, linkSize int) {
	clear(b[:HeaderSize])
	if p.Checksum != core.ChecksumPartial {
		return
	}
	start := p.ChecksumOffset()
	b[hdrFlags] = flagNeedsCsum
	binary.NativeEndian.PutUint16(b[hdrCsumStart:], uint16(start))
	binary.NativeEndian.PutUint16(b[hdrCsumOffset:], p.ChecksumField)
	lin := p.Linear()
	if p.SegmentSize == 0 || len(lin) <= linkSize || start >= len(lin) {
		return
	}
	size := wire.UDPSize
	switch {
	case p.ChecksumField == 6:
		b[hdrGSOType] = gsoUDPL4
	case lin[linkSize]>>4 == 6:
		b[hdrGSOType] = gsoTCPv6
	default:
		b[hdrGSOType] = gsoTCPv4
	}
	if b[hdrGSOType] != gsoUDPL4 && start+12 < len(lin) {
		size = int(lin[start+12]>>4) * 4
		if lin[start+13]&0x80 != 0 { // CWR: the kernel sets it on the first segment only
			b[hdrGSOType] |= gsoECN
		}
	}
	binary.NativeEndian.PutUint16(b[hdrLen:], uint16(start+size))
	binary.NativeEndian.PutUint16(b[hdrGSOSize:], p.SegmentSize)
}
