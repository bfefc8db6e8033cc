package remote

import (
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// A packet takes the groups of metadata that it has, and arrives with them.
func TestAPacketCrossesWithTheMetadataItHas(t *testing.T) {
	in := instance(t)
	for _, c := range []struct {
		name string
		give func(p *core.Packet)
		size int
	}{
		{"nothing", func(*core.Packet) {}, 16},
		{"a source", func(p *core.Packet) { p.Src.Lo = 7 }, 16 + 36},
		{"a port", func(p *core.Packet) { p.DstPort = 53 }, 16 + 36},
		{"a protocol", func(p *core.Packet) { p.Protocol = 17 }, 16 + 8},
		{"a traffic class", func(p *core.Packet) { p.TOS = 0xff }, 16 + 8},
		{"segments", func(p *core.Packet) { p.SegmentSize = 0xffff }, 16 + 8},
		{"a checksum to complete", func(p *core.Packet) {
			p.Checksum, p.ChecksumStart, p.ChecksumField = core.ChecksumPartial, 1, 0
		}, 16 + 8},
		{"a flow label", func(p *core.Packet) { p.FlowLabel = 0xfffff }, 16 + 16},
		{"an arrival", func(p *core.Packet) { p.Arrival = 1<<63 - 1 }, 16 + 16},
		{"flags and a type", func(p *core.Packet) { p.Flags, p.Type = core.FlagDontFragment, core.PacketMulticast }, 16},
		{"all", func(p *core.Packet) {
			p.Src, p.Dst = wire.Addr{Hi: 1, Lo: 2}, wire.Addr{Hi: 3, Lo: 4}
			p.SrcPort, p.DstPort, p.EtherType, p.Protocol = 5, 6, wire.EtherTypeIPv6, 17
			p.TOS, p.HopLimit, p.SegmentSize, p.FlowLabel, p.Arrival = 7, 8, 9, 10, 11
			p.SetIfindex(1<<31 - 1)
		}, 16 + 36 + 8 + 8 + 16},
	} {
		in.Domain().Do(func() {
			p := in.NewPacket(core.Headroom, 8)
			copy(p.Put(8), "12345678")
			c.give(p)
			b := appendPacket(nil, p, false, false)
			if len(b) != c.size+8 {
				t.Errorf("%s: %d bytes, want %d and the packet's 8", c.name, len(b), c.size)
			}
			r := NewReader(b)
			batch, lost, err := r.packets(in, nil)
			if err != nil || lost != 0 || len(batch) != 1 {
				t.Fatalf("%s: %d packets, %d lost: %v", c.name, len(batch), lost, err)
			}
			q := batch[0]
			if q.Src != p.Src || q.Dst != p.Dst || q.SrcPort != p.SrcPort || q.DstPort != p.DstPort || q.EtherType != p.EtherType ||
				q.Protocol != p.Protocol || q.TOS != p.TOS || q.HopLimit != p.HopLimit || q.Type != p.Type || q.Checksum != p.Checksum ||
				q.Flags != p.Flags || q.ChecksumStart != p.ChecksumStart || q.ChecksumField != p.ChecksumField ||
				q.SegmentSize != p.SegmentSize || q.FlowLabel != p.FlowLabel || q.Arrival != p.Arrival || q.Ifindex() != p.Ifindex() ||
				string(q.Linear()) != "12345678" {
				t.Errorf("%s: another packet arrived", c.name)
			}
			p.Free()
			q.Free()
		})
	}
}

// A head that names what it cannot have, or less than it says, is no packet.
func TestAHeadThatDoesNotFitIsRefused(t *testing.T) {
	in := instance(t)
	head := func(groups byte, change func(b []byte)) []byte {
		b := make([]byte, headLength(groups), 256)
		b[0], b[atGroups] = 8, groups
		b = append(b, "12345678"...)
		b[atNetwork], b[atNetwork+1], b[atTransport], b[atTransport+1] = 0xff, 0xff, 0xff, 0xff
		change(b)
		return b
	}
	for name, b := range map[string][]byte{
		"half a head":           make([]byte, headSize-1),
		"half a group":          head(knownGroups, func([]byte) {})[:headSize+3],
		"an unknown group":      head(0, func(b []byte) { b[atGroups] = knownGroups + 1 }),
		"bytes that are absent": head(0, func(b []byte) { b[0] = 9 }),
		"4 GiB":                 head(0, func(b []byte) { copy(b, "\xff\xff\xff\xff") }),
		"pulled past the end":   head(0, func(b []byte) { b[atPulled] = 9 }),
		"a network header behind what was pulled": head(0, func(b []byte) { b[atNetwork], b[atNetwork+1] = 1, 0 }),
		"a transport header past the end":         head(0, func(b []byte) { b[atTransport], b[atTransport+1] = 9, 0 }),
		"a flag of the core's own":                head(0, func(b []byte) { b[atFlags], b[atFlags+1] = 0xff, 0xff }),
		"an unknown type":                         head(0, func(b []byte) { b[atType] = 200 }),
		"an unknown state of a checksum":          head(0, func(b []byte) { b[atChecksum] = 200 }),
		"control messages that are none":          head(0, func(b []byte) { b[atAncillary] = 1 }),
		"more control messages than bytes":        head(0, func(b []byte) { b[atAncillary] = 2 }),
		"something behind the hop limit":          head(groupNetwork, func(b []byte) { b[headSize+5] = 1 }),
		"something behind the segment size":       head(groupOffload, func(b []byte) { b[headSize+6] = 1 }),
		"a negative interface":                    head(groupOrigin, func(b []byte) { b[headSize+3] = 0x80 }),
		"a flow label of 21 bits":                 head(groupOrigin, func(b []byte) { b[headSize+6] = 0x10 }),
		"a checksum past the end": head(groupOffload, func(b []byte) {
			b[atChecksum], b[headSize] = byte(core.ChecksumPartial), 7
		}),
	} {
		in.Domain().Do(func() {
			r := NewReader(b)
			if batch, _, err := r.packets(in, nil); err == nil || len(batch) != 0 {
				t.Errorf("%s: %d packets, error %v", name, len(batch), err)
			}
		})
	}
	in.Domain().Do(func() {
		r := NewReader(head(knownGroups, func([]byte) {}))
		batch, _, err := r.packets(in, nil)
		if err != nil || len(batch) != 1 {
			t.Fatalf("the head that all others change: %v", err)
		}
		batch[0].Free()
	})
}

// Control messages cross at the front of the bytes, and only as whole ones of a packet
// that nothing was pulled off.
func TestControlMessagesCrossWithTheirPacket(t *testing.T) {
	in := instance(t)
	in.Domain().Do(func() {
		p := in.NewPacket(core.Headroom, 8)
		copy(p.Put(8), "12345678")
		if !p.AddControl(300, 2, []byte("second")) || !p.AddControl(300, 1, []byte("the first")) || p.AddControl(300, 3, make([]byte, core.MaxAncillary-16-24-32+1)) {
			t.Fatal("what a packet carries beside its bytes is not what it has room for")
		}
		b := appendPacket(nil, p, false, false)
		if len(b) != headSize+32+24+8 {
			t.Errorf("%d bytes", len(b))
		}
		r := NewReader(b)
		batch, _, err := r.packets(in, nil)
		if err != nil || len(batch) != 1 {
			t.Fatalf("%d packets, %v", len(batch), err)
		}
		q := batch[0]
		control := q.TakeAncillary()
		first, rest, _ := core.NextControl(control)
		second, rest, _ := core.NextControl(rest)
		if first.Name != 1 || string(first.Data) != "the first" || second.Name != 2 || string(second.Data) != "second" || len(rest) != 0 ||
			string(q.Linear()) != "12345678" || q.Ancillary() != nil {
			t.Errorf("%+v, %+v, %d bytes more and %q arrived", first, second, len(rest), q.Linear())
		}
		for name, change := range map[string]func(b []byte){
			"one of which a part is said to be user's bytes": func(b []byte) { b[atAncillary]-- },
			"user's bytes among them":                        func(b []byte) { b[atAncillary]++ },
			"one longer than all":                            func(b []byte) { b[headSize+1] = 1 },
			"behind headers that were pulled":                func(b []byte) { b[atPulled] = 8 },
		} {
			x := append([]byte(nil), b...)
			change(x)
			r := NewReader(x)
			if batch, _, err := r.packets(in, nil); err == nil || len(batch) != 0 {
				t.Errorf("%s: %d packets, %v", name, len(batch), err)
			}
		}
		p.Free()
		q.Free()
	})
}

// The lengths of heads are those of their groups.
func TestTheLengthsOfHeads(t *testing.T) {
	for groups := range byte(knownGroups + 1) {
		want := headSize
		for bit, size := range []int{addressesSize, networkSize, offloadSize, originSize} {
			want += int(groups>>bit&1) * size
		}
		if got := headLength(groups); got != want {
			t.Errorf("groups %04b: %d bytes, want %d", groups, got, want)
		}
	}
}
