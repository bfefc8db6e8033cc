package rawnic

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// merged is a frame of UDP datagrams of size bytes that are still one, with the
// sum of the pseudo header in place of the checksum.
func merged(v4 bool, payload []byte, size int) core.Frame {
	be := binary.BigEndian
	ip := wire.IPv6Size
	if v4 {
		ip = wire.IPv4MinSize
	}
	udp := wire.EthernetSize + ip
	b := make([]byte, udp+8, udp+8+len(payload))
	b = append(b, payload...)
	n := 8 + len(payload)
	var src, dst wire.Addr
	if v4 {
		src, dst = wire.MustAddr("10.0.0.1"), wire.MustAddr("10.0.0.2")
		be.PutUint16(b[12:], 0x0800)
		h := b[14:]
		h[0], h[8], h[9] = 0x45, 64, 17
		be.PutUint16(h[2:], uint16(ip+n))
		be.PutUint16(h[4:], 0xffff)
		src.Put4(h[12:])
		dst.Put4(h[16:])
	} else {
		src, dst = wire.MustAddr("fd00::1"), wire.MustAddr("fd00::2")
		be.PutUint16(b[12:], 0x86dd)
		h := b[14:]
		h[0], h[6], h[7] = 0x60, 17, 64
		be.PutUint16(h[4:], uint16(n))
		s, d := src.As16(), dst.As16()
		copy(h[8:], s[:])
		copy(h[24:], d[:])
	}
	be.PutUint16(b[udp+2:], 7)
	be.PutUint16(b[udp+4:], uint16(n))
	be.PutUint16(b[udp+6:], wire.Fold(wire.PseudoHeader(src, dst, 17, n)))
	return core.Frame{Data: b, Meta: core.FrameMeta{Checksum: core.ChecksumPartial, ChecksumStart: uint16(udp), ChecksumField: 6, SegmentSize: uint16(size)}}
}

func TestMergedDatagramsAreCutApart(t *testing.T) {
	payload := make([]byte, 2500)
	for i := range payload {
		payload[i] = byte(i * 7)
	}
	for _, v4 := range []bool{true, false} {
		frames, err := appendCut(nil, merged(v4, payload, 1000))
		if err != nil || len(frames) != 3 {
			t.Fatalf("%d frames, %v; want 3", len(frames), err)
		}
		var got []byte
		for i, f := range frames {
			ip, udp := f.Data[14:], f.Data[int(f.Meta.ChecksumStart):]
			got = append(got, udp[8:]...)
			if f.Meta.SegmentSize != 0 || f.Meta.Checksum != core.ChecksumPartial {
				t.Errorf("datagram %d has %+v", i, f.Meta)
			}
			var pseudo uint32
			if v4 {
				if n := int(binary.BigEndian.Uint16(ip[2:])); n != len(ip) || wire.Finish(wire.Sum(ip[:20], 0)) != 0 {
					t.Errorf("datagram %d: total length %d of %d, header % x", i, n, len(ip), ip[:20])
				}
				if id := binary.BigEndian.Uint16(ip[4:]); id != uint16(0xffff+i) {
					t.Errorf("datagram %d has identification %#x", i, id)
				}
				pseudo = wire.PseudoHeader(wire.MustAddr("10.0.0.1"), wire.MustAddr("10.0.0.2"), 17, len(udp))
			} else {
				if n := int(binary.BigEndian.Uint16(ip[4:])); n != len(ip)-40 {
					t.Errorf("datagram %d: payload length %d of %d", i, n, len(ip)-40)
				}
				pseudo = wire.PseudoHeader(wire.MustAddr("fd00::1"), wire.MustAddr("fd00::2"), 17, len(udp))
			}
			if n := int(binary.BigEndian.Uint16(udp[4:])); n != len(udp) {
				t.Errorf("datagram %d: UDP length %d of %d", i, n, len(udp))
			}
			if sum, want := binary.BigEndian.Uint16(udp[6:]), wire.Fold(pseudo); sum != want {
				t.Errorf("datagram %d: the pseudo header sums to %#04x, want %#04x", i, sum, want)
			}
		}
		if !bytes.Equal(got, payload) {
			t.Error("the datagrams together are not what was merged")
		}
	}
}

func TestMergedSegmentsOfTCPStayWhole(t *testing.T) {
	f := merged(true, make([]byte, 3000), 1000)
	f.Meta.ChecksumField = 16
	if frames, err := appendCut(nil, f); err != nil || len(frames) != 1 || frames[0].Meta != f.Meta {
		t.Errorf("%d frames, %v", len(frames), err)
	}
}

func FuzzCut(f *testing.F) {
	whole := merged(true, make([]byte, 300), 100)
	f.Add(whole.Data, whole.Meta.ChecksumStart, uint16(100))
	whole = merged(false, make([]byte, 300), 1)
	f.Add(whole.Data, whole.Meta.ChecksumStart, uint16(1))
	f.Fuzz(func(t *testing.T, b []byte, start, size uint16) {
		if len(b) > 65535+18 || int(start)+8 > len(b) {
			return // what vnethdr.Decode lets through
		}
		frames, err := appendCut(nil, core.Frame{Data: b, Meta: core.FrameMeta{Checksum: core.ChecksumPartial, ChecksumStart: start, ChecksumField: 6, SegmentSize: size}})
		if err != nil || size == 0 {
			return
		}
		n := 0
		for _, x := range frames {
			n += len(x.Data) - int(start) - 8
		}
		if n != len(b)-int(start)-8 {
			t.Errorf("%d bytes of payload became %d", len(b)-int(start)-8, n)
		}
	})
}
