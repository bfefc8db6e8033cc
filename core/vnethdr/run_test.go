package vnethdr

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/host"
)

// segment is a TCP segment of a run that starts at sequence number 1000, with n bytes of
// payload from offset on, and what change makes of it.
func segment(link, version, offset, n int, flags byte, change func(ip, tcp []byte)) []byte {
	ipSize := map[int]int{4: 20, 6: 40}[version]
	b := make([]byte, link+ipSize+32+n)
	ip, tcp := b[link:link+ipSize], b[link+ipSize:]
	if version == 4 {
		copy(ip, []byte{0x45, 0, 0, 0, 0, byte(offset), 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2})
		binary.BigEndian.PutUint16(ip[2:], uint16(len(b)-link))
		binary.BigEndian.PutUint16(ip[10:], wire.Finish(wire.Sum(ip, 0)))
	} else {
		copy(ip, []byte{0x60, 0, 0, 0, 0, 0, 6, 64, 0x20, 1, 23: 1, 24: 0x20, 25: 1, 39: 2})
		binary.BigEndian.PutUint16(ip[4:], uint16(len(tcp)))
	}
	copy(tcp, []byte{0, 80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0x80, flags, 2, 0, 0, 0, 0, 0, 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2})
	binary.BigEndian.PutUint32(tcp[4:], uint32(1000+offset))
	for i := range n {
		tcp[32+i] = byte(offset + i)
	}
	if change != nil {
		change(ip, tcp)
	}
	binary.BigEndian.PutUint16(tcp[16:], wire.Fold(pseudo(ip, len(tcp))))
	return b
}

func pseudo(ip []byte, length int) uint32 {
	if ip[0]>>4 == 4 {
		return wire.PseudoHeader(wire.AddrFrom4([4]byte(ip[12:16])), wire.AddrFrom4([4]byte(ip[16:20])), 6, length)
	}
	return wire.PseudoHeader(wire.AddrFrom16([16]byte(ip[8:24])), wire.AddrFrom16([16]byte(ip[24:40])), 6, length)
}

// A run is as long as segments continue one another, and its headers are those of one
// segment with all the payload.
func TestARunIsOneSegmentOfAllThePayload(t *testing.T) {
	type part struct {
		n      int
		flags  byte
		change func(ip, tcp []byte)
	}
	full := part{1000, flagACK, nil}
	with := func(f func(ip, tcp []byte)) part { return part{1000, flagACK, f} }
	r := coretest.New(t, host.NewVirtual(1))
	in := r.Instance("a", &core.Wiring{Name: "none"})
	for _, tt := range []struct {
		name  string
		parts []part
		want  int // segments in the run
	}{
		{"one", []part{full}, 1},
		{"three", []part{full, full, full}, 3},
		{"a shorter one is the last", []part{full, {10, flagACK, nil}, full}, 2},
		{"PSH is the last", []part{full, {1000, flagACK | flagPSH, nil}, full}, 2},
		{"PSH at once", []part{{1000, flagACK | flagPSH, nil}, full}, 1},
		{"a longer one", []part{{900, flagACK, nil}, full}, 1},
		{"nothing to carry", []part{full, {0, flagACK, nil}}, 1},
		{"FIN", []part{full, {1000, flagACK | 1, nil}}, 1},
		{"CWR", []part{full, {1000, flagACK | 0x80, nil}}, 1},
		{"a hole", []part{full, with(func(_, tcp []byte) { tcp[7]++ })}, 1},
		{"another window", []part{full, with(func(_, tcp []byte) { tcp[14]++ })}, 1},
		{"another acknowledgement", []part{full, with(func(_, tcp []byte) { tcp[11]++ })}, 1},
		{"another port", []part{full, with(func(_, tcp []byte) { tcp[1]++ })}, 1},
		{"another timestamp", []part{full, with(func(_, tcp []byte) { tcp[27]++ })}, 1},
		{"another traffic class", []part{full, with(func(ip, _ []byte) { ip[1] ^= 0x10 })}, 1},
		{"another source", []part{full, with(func(ip, _ []byte) { ip[15]++ })}, 1},
		{"no more than a frame may have", func() (all []part) {
			for range 70 {
				all = append(all, full)
			}
			return all
		}(), 65},
	} {
		for _, version := range []int{4, 6} {
			for _, link := range []int{0, 14} {
				var run Run
				got, offset := 0, 0
				var payload []byte
				r.Domain.Do(func() {
					for i, x := range tt.parts {
						data := segment(link, version, offset, x.n, x.flags, x.change)
						p := in.NewInput(core.Frame{Data: data, Meta: core.FrameMeta{Checksum: core.ChecksumPartial, ChecksumStart: uint16(len(data) - x.n - 32), ChecksumField: 16}})
						if i == 0 && !run.Begin(p, link) || i > 0 && !run.Add(p) {
							p.Free()
							break
						}
						p.Free()
						payload = append(payload, data[len(data)-x.n:]...)
						offset += x.n
						got++
					}
				})
				if got != tt.want || run.Segments() != got {
					t.Errorf("%s, IPv%d: %d segments, want %d", tt.name, version, got, tt.want)
					continue
				}
				var h [HeaderSize]byte
				head := bytes.Clone(run.End(h[:]))
				flags := byte(0)
				for _, x := range tt.parts[:got] {
					flags |= x.flags
				}
				want := segment(link, version, 0, 0, flags, nil)
				ip := want[link : len(want)-32]
				if version == 4 {
					binary.BigEndian.PutUint16(ip[2:], uint16(52+offset))
					ip[10], ip[11] = 0, 0
					binary.BigEndian.PutUint16(ip[10:], wire.Finish(wire.Sum(ip, 0)))
				} else {
					binary.BigEndian.PutUint16(ip[4:], uint16(32+offset))
				}
				binary.BigEndian.PutUint16(want[len(want)-16:], wire.Fold(pseudo(ip, 32+offset)))
				if !bytes.Equal(head, want) {
					t.Errorf("%s, IPv%d: headers\n% x, want\n% x", tt.name, version, head, want)
				}
				gso := map[int]byte{4: gsoTCPv4, 6: gsoTCPv6}[version]
				about := header(flagNeedsCsum, gso, uint16(tt.parts[0].n), uint16(len(want)-32), 16, 0)
				binary.NativeEndian.PutUint16(about[hdrLen:], uint16(len(want)))
				if !bytes.Equal(h[:], about) {
					t.Errorf("%s, IPv%d: % x, want % x", tt.name, version, h, about)
				}
			}
		}
	}
}

// What is no plain segment of TCP begins no run.
func TestWhatBeginsNoRun(t *testing.T) {
	r := coretest.New(t, host.NewVirtual(1))
	in := r.Instance("a", &core.Wiring{Name: "none"})
	partial := core.FrameMeta{Checksum: core.ChecksumPartial, ChecksumStart: 20, ChecksumField: 16}
	for _, tt := range []struct {
		name   string
		change func(ip, tcp []byte)
		flags  byte
		meta   core.FrameMeta
		cut    int
	}{
		{"a checksum that is complete", nil, flagACK, core.FrameMeta{}, 0},
		{"UDP", nil, flagACK, core.FrameMeta{Checksum: core.ChecksumPartial, ChecksumStart: 20, ChecksumField: 6}, 0},
		{"a super-segment", nil, flagACK, core.FrameMeta{Checksum: core.ChecksumPartial, ChecksumStart: 20, ChecksumField: 16, SegmentSize: 500}, 0},
		{"SYN", nil, 2, partial, 0},
		{"FIN", nil, flagACK | 1, partial, 0},
		{"no DF", func(ip, _ []byte) { ip[6] = 0 }, flagACK, partial, 0},
		{"a fragment", func(ip, _ []byte) { ip[7] = 1 }, flagACK, partial, 0},
		{"options of IPv4", func(ip, _ []byte) { ip[0] = 0x46 }, flagACK, partial, 0},
		{"a TCP header that is too short", func(_, tcp []byte) { tcp[12] = 0x40 }, flagACK, partial, 0},
		{"a TCP header that is cut off", nil, flagACK, partial, 30},
		{"no payload", nil, flagACK, partial, 52},
	} {
		data := segment(0, 4, 0, 100, tt.flags, tt.change)
		if tt.cut > 0 {
			data = data[:tt.cut]
		}
		r.Domain.Do(func() {
			p := in.NewInput(core.Frame{Data: data, Meta: tt.meta})
			if new(Run).Begin(p, 0) {
				t.Errorf("%s begins a run", tt.name)
			}
			p.Free()
		})
	}
}
