package remote

import (
	"encoding/binary"

	"github.com/libos-go/libos/allocator"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// maxPacket bounds the bytes of one packet, headers that were pulled included.
const maxPacket = 1 << 17

// maxPulled bounds the headers in front of a packet: an IPv6 header with its
// extensions is shorter than an IPv6 packet.
const maxPulled = 1 << 15

// packetSize is the length of what stands before a packet's bytes: see
// appendPacket.
const packetSize = 4 + 2*3 + 2*16 + 2*7 + 6 + 4 + 4 + 8

const none = 0xffff // an offset that is not known

// appendPacket encodes p, which stays the caller's: lengths, offsets, metadata,
// then the bytes from the network header on if that was remembered (headers) or
// from where p begins. Of an outgoing packet (out) the interface that it must
// leave by crosses, and not its route.
func appendPacket(b []byte, p *core.Packet, headers, out bool) []byte {
	linear := p.Linear()
	pulled, network, transport := 0, none, none
	if h := p.NetworkHeader(); headers && h != nil {
		if d := len(h) - len(linear); d >= 0 && d <= maxPulled {
			pulled, network, linear = d, 0, h
		}
	}
	if h := p.TransportHeader(); h != nil {
		if at := pulled + p.LinearLen() - len(h); at >= 0 && at <= len(linear) && at < none {
			transport = at
		}
	}
	ifindex := p.Ifindex()
	if out {
		ifindex = p.WantedIfindex()
	}
	le := binary.LittleEndian
	b = le.AppendUint32(b, uint32(p.Len()+pulled))
	b = le.AppendUint16(b, uint16(pulled))
	b = le.AppendUint16(b, uint16(network))
	b = le.AppendUint16(b, uint16(transport))
	b = appendAddr(appendAddr(b, p.Src), p.Dst)
	b = le.AppendUint16(b, p.SrcPort)
	b = le.AppendUint16(b, p.DstPort)
	b = le.AppendUint16(b, uint16(p.EtherType))
	b = le.AppendUint16(b, uint16(p.Flags&core.PublicFlags))
	b = le.AppendUint16(b, p.ChecksumStart)
	b = le.AppendUint16(b, p.ChecksumField)
	b = le.AppendUint16(b, p.SegmentSize)
	b = append(b, p.Protocol, p.TOS, p.HopLimit, byte(p.Type), byte(p.Checksum), 0)
	b = le.AppendUint32(b, uint32(ifindex))
	b = le.AppendUint32(b, p.FlowLabel)
	b = le.AppendUint64(b, uint64(p.Arrival))
	b = append(b, linear...)
	for i := range p.Frags() {
		b = append(b, p.Frags()[i].Bytes()...)
	}
	return b
}

// packetHead is what stands before a packet's bytes.
type packetHead struct {
	n, pulled, network, transport int
	src, dst                      wire.Addr
	srcPort, dstPort, etherType   uint16
	flags                         core.PacketFlags
	start, field, segment         uint16
	protocol, tos, hopLimit       uint8
	typ                           core.PacketType
	checksum                      core.ChecksumState
	ifindex                       int
	flowLabel                     uint32
	arrival                       core.Time
	data                          []byte
}

// packet takes a packet's head and bytes and checks that they fit together.
func (r *Reader) packet(h *packetHead) bool {
	*h = packetHead{n: r.Count(maxPacket), pulled: int(r.Uint16()), network: int(r.Uint16()), transport: int(r.Uint16()),
		src: r.Addr(), dst: r.Addr(), srcPort: r.Uint16(), dstPort: r.Uint16(), etherType: r.Uint16(),
		flags: core.PacketFlags(r.Uint16()), start: r.Uint16(), field: r.Uint16(), segment: r.Uint16(),
		protocol: r.Uint8(255), tos: r.Uint8(255), hopLimit: r.Uint8(255), typ: core.PacketType(r.Uint8(uint8(core.PacketOutgoing))),
		checksum: core.ChecksumState(r.Uint8(uint8(core.ChecksumPartial)))}
	r.Uint8(0)
	h.ifindex, h.flowLabel, h.arrival = r.Count(1<<31-1), r.Uint32(), core.Time(r.Uint64())
	h.data = r.Bytes(h.n)
	from := h.pulled // where a partial checksum starts
	if h.transport != none {
		from = h.transport
	}
	switch {
	case r.bad:
	case h.pulled > h.n || h.pulled > maxPulled,
		h.network != none && h.network > h.pulled,
		h.transport != none && h.transport > h.n,
		h.flags&^core.PublicFlags != 0,
		h.flowLabel > 0xfffff,
		h.checksum == core.ChecksumPartial && from+int(h.start)+int(h.field)+2 > h.n:
		r.Fail()
	}
	return !r.bad
}

// linearLen is how much of the bytes becomes the linear part: all that a page
// holds, or else the headers.
func (h *packetHead) linearLen() int {
	if h.n <= allocator.Page64K.Size()-core.Headroom {
		return h.n
	}
	return min(h.n, max(h.pulled, int(uint16(h.transport+1)))+2048)
}

// build makes the packet out of a new one that source gives; nil when memory is
// short.
func (h *packetHead) build(source packetSource) *core.Packet {
	linear := h.linearLen()
	p := source.NewPacket(core.Headroom, linear)
	if p == nil {
		return nil
	}
	copy(p.Put(linear), h.data)
	if !p.Append(h.data[linear:]) {
		p.Free()
		return nil
	}
	if h.network != none {
		p.Pull(h.network)
		p.SetNetworkHeader()
		p.Push(h.network)
	}
	if h.transport != none {
		p.Pull(h.transport)
		p.SetTransportHeader()
		p.Push(h.transport)
	}
	p.Pull(h.pulled)
	p.Src, p.Dst, p.SrcPort, p.DstPort = h.src, h.dst, h.srcPort, h.dstPort
	p.EtherType, p.Protocol, p.TOS, p.HopLimit = wire.EtherType(h.etherType), h.protocol, h.tos, h.hopLimit
	p.Type, p.Checksum, p.Flags = h.typ, h.checksum, h.flags
	p.ChecksumStart, p.ChecksumField, p.SegmentSize, p.FlowLabel = h.start, h.field, h.segment, h.flowLabel
	p.Arrival = h.arrival
	p.SetIfindex(h.ifindex)
	return p
}

// packetSource makes packets: an Env or an Instance.
type packetSource interface {
	NewPacket(headroom, room int) *core.Packet
}

// packets takes the packets of the rest of a message, which were all checked
// before the first is made. lost tells how many found no memory.
func (r *Reader) packets(source packetSource, into []*core.Packet) (batch []*core.Packet, lost int, err error) {
	var h packetHead
	for check := *r; len(check.b) > 0; {
		if !check.packet(&h) {
			return into, 0, ErrMessage
		}
	}
	for len(r.b) > 0 {
		r.packet(&h)
		if p := h.build(source); p != nil {
			into = append(into, p)
		} else {
			lost++
		}
	}
	return into, lost, r.Err()
}
