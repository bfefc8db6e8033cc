package shim

import (
	"encoding/binary"
	"errors"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/remote"
)

// Kinds of messages: the first byte.
const (
	msgFrames  = 1 // count, then frames
	msgDone    = 2 // count of frames that the receiver of them is through with
	msgCarrier = 3 // 0 or 1
)

var errMessage = errors.New("shim: a malformed message")

// maxFrames and maxFrame bound what a message may claim.
const (
	maxFrames = 1 << 16
	maxFrame  = 1 << 17
)

// appendFrame encodes p and what is known of its checksum and segments.
func appendFrame(b []byte, p *core.Packet) []byte {
	start := 0
	if p.Checksum == core.ChecksumPartial {
		start = p.ChecksumOffset()
	}
	b = append(b, byte(p.Checksum))
	for _, v := range []int{start, int(p.ChecksumField), int(p.SegmentSize), p.Len()} {
		b = binary.AppendUvarint(b, uint64(v))
	}
	b = append(b, p.Linear()...)
	for i := range p.Frags() {
		b = append(b, p.Frags()[i].Bytes()...)
	}
	return b
}

func header(kind byte, n int) []byte { return binary.AppendUvarint([]byte{kind}, uint64(n)) }

// decode splits a message into its kind, its number and its frames.
func decode(msg []byte) (kind byte, n int, frames []core.Frame, err error) {
	r := remote.NewReader(msg)
	kind = r.Uint8(255)
	n = r.Uvarint(maxFrames)
	switch kind {
	case msgFrames:
		for range n {
			var f core.Frame
			f.Meta.Checksum = core.ChecksumState(r.Uint8(uint8(core.ChecksumPartial)))
			f.Meta.ChecksumStart = uint16(r.Uvarint(0xffff))
			f.Meta.ChecksumField = uint16(r.Uvarint(0xffff))
			f.Meta.SegmentSize = uint16(r.Uvarint(0xffff))
			f.Data = r.Bytes(r.Uvarint(maxFrame))
			if m := f.Meta; m.Checksum == core.ChecksumPartial && int(m.ChecksumStart)+int(m.ChecksumField)+2 > len(f.Data) {
				return 0, 0, nil, errMessage
			}
			if r.Err() != nil {
				return 0, 0, nil, errMessage
			}
			frames = append(frames, f)
		}
	case msgDone:
	case msgCarrier:
		if n > 1 {
			return 0, 0, nil, errMessage
		}
	default:
		return 0, 0, nil, errMessage
	}
	if r.End() != nil {
		return 0, 0, nil, errMessage
	}
	return kind, n, frames, nil
}

// encodeProperties and decodeProperties carry what a device says of itself.
func encodeProperties(p core.Properties) []byte {
	b := binary.AppendUvarint(nil, uint64(len(p.Kind)))
	b = append(b, p.Kind...)
	b = binary.AppendUvarint(b, uint64(len(p.Name)))
	b = append(b, p.Name...)
	b = append(b, byte(p.Link))
	b = append(b, p.HWAddr[:]...)
	for _, v := range []int{p.MTU, p.MaxMTU, int(p.Flags), int(p.Offloads), p.QueueLen} {
		b = binary.AppendUvarint(b, uint64(v))
	}
	return b
}

func decodeProperties(b []byte) (p core.Properties, err error) {
	r := remote.NewReader(b)
	p.Kind = string(r.Bytes(r.Uvarint(255)))
	p.Name = string(r.Bytes(r.Uvarint(255)))
	p.Link = core.Link(r.Uint8(255))
	copy(p.HWAddr[:], r.Bytes(len(p.HWAddr)))
	p.MTU, p.MaxMTU = r.Uvarint(65535), r.Uvarint(65535)
	p.Flags, p.Offloads = core.InterfaceFlags(r.Uvarint(1<<32-1)), core.Offloads(r.Uvarint(1<<32-1))
	p.QueueLen = r.Uvarint(1 << 20)
	if r.End() != nil {
		return core.Properties{}, errMessage
	}
	return p, nil
}
