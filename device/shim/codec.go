package shim

import (
	"encoding/binary"
	"errors"

	"github.com/libos-go/libos/core"
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

// reader takes values off a message; the first error sticks.
type reader struct {
	b   []byte
	err error
}

func (r *reader) number(most uint64) int {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > most {
		r.b, r.err = nil, errMessage
		return 0
	}
	r.b = r.b[n:]
	return int(v)
}

func (r *reader) bytes(n int) []byte {
	if n > len(r.b) {
		r.b, r.err = nil, errMessage
		return nil
	}
	x := r.b[:n]
	r.b = r.b[n:]
	return x
}

// decode splits a message into its kind, its number and its frames.
func decode(msg []byte) (kind byte, n int, frames []core.Frame, err error) {
	r := reader{b: msg}
	k := r.bytes(1)
	if r.err != nil {
		return 0, 0, nil, r.err
	}
	kind = k[0]
	n = r.number(maxFrames)
	switch kind {
	case msgFrames:
		for range n {
			var f core.Frame
			c := r.bytes(1)
			if r.err != nil || core.ChecksumState(c[0]) > core.ChecksumPartial {
				return 0, 0, nil, errMessage
			}
			f.Meta.Checksum = core.ChecksumState(c[0])
			f.Meta.ChecksumStart = uint16(r.number(0xffff))
			f.Meta.ChecksumField = uint16(r.number(0xffff))
			f.Meta.SegmentSize = uint16(r.number(0xffff))
			f.Data = r.bytes(r.number(maxFrame))
			if m := f.Meta; m.Checksum == core.ChecksumPartial && int(m.ChecksumStart)+int(m.ChecksumField)+2 > len(f.Data) {
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
	if r.err != nil || len(r.b) > 0 {
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
	r := reader{b: b}
	p.Kind = string(r.bytes(r.number(255)))
	p.Name = string(r.bytes(r.number(255)))
	if l := r.bytes(1); r.err == nil {
		p.Link = core.Link(l[0])
	}
	copy(p.HWAddr[:], r.bytes(len(p.HWAddr)))
	p.MTU, p.MaxMTU = r.number(65535), r.number(65535)
	p.Flags, p.Offloads = core.InterfaceFlags(r.number(1<<32-1)), core.Offloads(r.number(1<<32-1))
	p.QueueLen = r.number(1 << 20)
	if r.err != nil || len(r.b) > 0 {
		return core.Properties{}, errMessage
	}
	return p, nil
}
