package vnethdr

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/host"
)

func header(flags, gso byte, gsoSize, start, offset uint16, data int) []byte {
	b := make([]byte, HeaderSize+data)
	b[0], b[1] = flags, gso
	binary.NativeEndian.PutUint16(b[4:], gsoSize)
	binary.NativeEndian.PutUint16(b[6:], start)
	binary.NativeEndian.PutUint16(b[8:], offset)
	return b
}

func TestDecode(t *testing.T) {
	for _, tt := range []struct {
		name     string
		frame    []byte
		segments bool
		want     core.FrameMeta
		err      error
	}{
		{"plain", header(0, 0, 0, 0, 0, 40), false, core.FrameMeta{}, nil},
		{"short", make([]byte, 9), false, core.FrameMeta{}, errShort},
		{"verified", header(flagDataValid, 0, 0, 0, 0, 40), false, core.FrameMeta{Checksum: core.ChecksumVerified}, nil},
		{"partial", header(flagNeedsCsum, 0, 0, 20, 16, 40), false, core.FrameMeta{Checksum: core.ChecksumPartial, ChecksumStart: 20, ChecksumField: 16}, nil},
		{"partial at the very end", header(flagNeedsCsum, 0, 0, 20, 18, 40), false, core.FrameMeta{Checksum: core.ChecksumPartial, ChecksumStart: 20, ChecksumField: 18}, nil},
		{"partial past the end", header(flagNeedsCsum, 0, 0, 20, 19, 40), false, core.FrameMeta{}, errChecksum},
		{"partial far in the payload", header(flagNeedsCsum, 0, 0, 1500, 6, 2000), false, core.FrameMeta{}, errChecksum},
		{"partial that wraps", header(flagNeedsCsum, 0, 0, 0xffff, 0xffff, 2000), false, core.FrameMeta{}, errChecksum},
		{"segments", header(flagNeedsCsum, gsoTCPv4, 1448, 20, 16, 4000), true, core.FrameMeta{Checksum: core.ChecksumPartial, ChecksumStart: 20, ChecksumField: 16, SegmentSize: 1448}, nil},
		{"segments with ECN", header(flagNeedsCsum, gsoTCPv6|gsoECN, 1428, 40, 16, 4000), true, core.FrameMeta{Checksum: core.ChecksumPartial, ChecksumStart: 40, ChecksumField: 16, SegmentSize: 1428}, nil},
		{"segments nobody asked for", header(flagNeedsCsum, gsoTCPv4, 1448, 20, 16, 4000), false, core.FrameMeta{}, errSegments},
		{"segments of no size", header(flagNeedsCsum, gsoTCPv4, 0, 20, 16, 4000), true, core.FrameMeta{}, errSegments},
		{"segments of an unknown kind", header(flagNeedsCsum, 7, 1448, 20, 16, 4000), true, core.FrameMeta{}, errSegments},
	} {
		f, err := Decode(tt.frame, tt.segments)
		if err != tt.err || f.Meta != tt.want || err == nil && len(f.Data) != len(tt.frame)-HeaderSize {
			t.Errorf("%s: %+v, %v; want %+v, %v", tt.name, f.Meta, err, tt.want, tt.err)
		}
	}
}

func TestEncode(t *testing.T) {
	r := coretest.New(t, host.NewVirtual(1))
	in := r.Instance("a", &core.Wiring{})
	tcp4 := make([]byte, 14+20+20+3000)
	tcp4[14], tcp4[14+20+12], tcp4[14+20+13] = 0x45, 5<<4, 0x10
	tcp6 := make([]byte, 40+32+3000)
	tcp6[0], tcp6[40+12], tcp6[40+13] = 0x60, 8<<4, 0x90 // with CWR
	udp4 := make([]byte, 20+8+3000)
	udp4[0] = 0x45
	for _, tt := range []struct {
		name string
		data []byte
		link int
		meta core.FrameMeta
		want []byte
		hlen uint16
	}{
		{"complete", tcp4, 14, core.FrameMeta{SegmentSize: 1000}, header(0, 0, 0, 0, 0, 0), 0},
		{"partial", tcp4, 14, core.FrameMeta{Checksum: core.ChecksumPartial, ChecksumStart: 34, ChecksumField: 16}, header(flagNeedsCsum, 0, 0, 34, 16, 0), 0},
		{"TCP over IPv4", tcp4, 14, core.FrameMeta{Checksum: core.ChecksumPartial, ChecksumStart: 34, ChecksumField: 16, SegmentSize: 1000}, header(flagNeedsCsum, gsoTCPv4, 1000, 34, 16, 0), 54},
		{"TCP over IPv6 with CWR", tcp6, 0, core.FrameMeta{Checksum: core.ChecksumPartial, ChecksumStart: 40, ChecksumField: 16, SegmentSize: 1000}, header(flagNeedsCsum, gsoTCPv6|gsoECN, 1000, 40, 16, 0), 72},
		{"UDP", udp4, 0, core.FrameMeta{Checksum: core.ChecksumPartial, ChecksumStart: 20, ChecksumField: 6, SegmentSize: 1000}, header(flagNeedsCsum, gsoUDPL4, 1000, 20, 6, 0), 28},
	} {
		r.Domain.Do(func() {
			p := in.NewInput(core.Frame{Data: tt.data, Meta: tt.meta})
			got := bytes.Repeat([]byte{0xff}, HeaderSize)
			Encode(got, p, tt.link)
			binary.NativeEndian.PutUint16(tt.want[2:], tt.hlen)
			if !bytes.Equal(got, tt.want) {
				t.Errorf("%s: % x, want % x", tt.name, got, tt.want)
			}
			p.Free()
		})
	}
}

// Whatever the kernel's side says, the frame stays inside the bytes read and a
// checksum inside the frame's headers.
func FuzzDecode(f *testing.F) {
	f.Add(header(0, 0, 0, 0, 0, 40), false)
	f.Add(header(flagNeedsCsum, gsoTCPv4, 1448, 20, 16, 100), true)
	f.Add(header(flagNeedsCsum|flagDataValid, gsoUDPL4|gsoECN, 1, 0xffff, 0xffff, 3), true)
	f.Add([]byte{1, 2, 3}, false)
	f.Fuzz(func(t *testing.T, b []byte, segments bool) {
		got, err := Decode(b, segments)
		if err != nil {
			if got.Data != nil {
				t.Error("a frame beside an error")
			}
			return
		}
		if len(got.Data) != len(b)-HeaderSize {
			t.Errorf("%d bytes of %d", len(got.Data), len(b))
		}
		m := got.Meta
		if m.Checksum == core.ChecksumPartial && int(m.ChecksumStart)+int(m.ChecksumField)+2 > min(len(got.Data), maxHeaders) {
			t.Errorf("a checksum field outside of the frame: %+v", m)
		}
		if m.SegmentSize != 0 && !segments {
			t.Errorf("segments nobody asked for: %+v", m)
		}
	})
}
