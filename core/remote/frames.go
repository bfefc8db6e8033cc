package remote

import (
	"encoding/binary"
	"slices"

	"github.com/libos-go/libos/core"
)

// Messages about a device: see NearDevice and FarDevice.
const (
	KindFrames Kind = 64 + iota // either way: frames of the link
	KindTaken                   // either way: how many frames their receiver is through with
	KindLink                    // to the device: whether the interface is up, and its MTU; to the stack: whether there is a carrier, and the MTU
	KindLosses                  // to the stack: frames that were lost at the device's side, since it told last
)

// maxFrame bounds the bytes of a frame, maxFrames the frames of a message.
const (
	maxFrame  = 1 << 17
	maxFrames = 1 << 12
)

// What stands before a frame's bytes.
const (
	frameLength   = 0 // of the bytes
	frameChecksum = 4 // a core.ChecksumState
	frameZero     = 5
	frameStart    = 6 // of a checksum that is not complete
	frameField    = 8
	frameSegment  = 10
	frameSize     = 12
)

// appendFrame encodes a frame, which stays the caller's, and what is known of its
// checksum and segments.
func appendFrame(b []byte, p *core.Packet) []byte {
	start := 0
	if p.Checksum == core.ChecksumPartial {
		start = p.ChecksumOffset()
	}
	linear := p.Linear()
	begin := len(b)
	b = slices.Grow(b, frameSize+len(linear))[:begin+frameSize+len(linear)]
	le := binary.LittleEndian
	h := (*[frameSize]byte)(b[begin:])
	le.PutUint32(h[frameLength:], uint32(p.Len()))
	h[frameChecksum], h[frameZero] = byte(p.Checksum), 0
	le.PutUint16(h[frameStart:], uint16(start))
	le.PutUint16(h[frameField:], p.ChecksumField)
	le.PutUint16(h[frameSegment:], p.SegmentSize)
	copy(b[begin+frameSize:], linear)
	for i := range p.Frags() {
		b = append(b, p.Frags()[i].Bytes()...)
	}
	return b
}

// frames takes the frames of the rest of a message. They are part of it.
func (r *Reader) frames(into []core.Frame) ([]core.Frame, error) {
	le := binary.LittleEndian
	for len(r.b) > 0 && len(into) < maxFrames {
		h := r.Bytes(frameSize)
		if h == nil {
			break
		}
		n := le.Uint32(h[frameLength:])
		m := core.FrameMeta{Checksum: core.ChecksumState(h[frameChecksum]), ChecksumStart: le.Uint16(h[frameStart:]),
			ChecksumField: le.Uint16(h[frameField:]), SegmentSize: le.Uint16(h[frameSegment:])}
		if n > maxFrame || m.Checksum > core.ChecksumPartial || h[frameZero] != 0 ||
			m.Checksum == core.ChecksumPartial && int(m.ChecksumStart)+int(m.ChecksumField)+2 > int(n) {
			r.Fail()
			break
		}
		into = append(into, core.Frame{Data: r.Bytes(int(n)), Meta: m})
	}
	return into, r.End()
}

// Bounds of what a device may say of itself.
const (
	maxDeviceName = 15 // as IFNAMSIZ has it
	maxKindName   = 64
	maxQueueLen   = 1 << 16
	maxOffloads   = core.OffloadTxChecksum | core.OffloadRxVerified | core.OffloadSegmentation | core.OffloadScatter
	minMTU        = 68
)

// AppendProperties encodes what a device says of itself.
func AppendProperties(b []byte, p core.Properties) []byte {
	b = appendString(appendString(b, p.Kind), p.Name)
	b = append(append(b, byte(p.Link)), p.HWAddr[:]...)
	for _, v := range []int{p.MTU, p.MaxMTU, int(p.Flags), int(p.Offloads), p.QueueLen} {
		b = appendCount(b, v)
	}
	return b
}

// Properties takes what a device says of itself, and refuses what no device is.
func (r *Reader) Properties() (p core.Properties) {
	p.Kind, p.Name = string(r.Block(maxKindName)), string(r.Block(maxDeviceName))
	p.Link = core.Link(r.Uint8(uint8(core.LinkLoopback)))
	copy(p.HWAddr[:], r.Bytes(len(p.HWAddr)))
	p.MTU, p.MaxMTU = r.Count(1<<16-1), r.Count(1<<16-1)
	p.Flags, p.Offloads = core.InterfaceFlags(r.Uint32()), core.Offloads(r.Uint32())
	p.QueueLen = r.Count(maxQueueLen)
	if r.bad || p.Kind == "" || p.MTU < minMTU || p.MaxMTU != 0 && p.MaxMTU < p.MTU || p.Offloads&^maxOffloads != 0 ||
		p.Flags&(core.FlagUp|core.FlagRunning) != 0 || p.HWAddr.IsMulticast() {
		r.Fail()
		return core.Properties{}
	}
	return p
}
