package remote

import (
	"encoding/binary"
	"slices"

	"github.com/libos-go/libos/allocator"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// maxPacket bounds the bytes of one packet, headers that were pulled included.
const maxPacket = 1 << 17

// maxPulled bounds the headers in front of a packet: an IPv6 header with its
// extensions is shorter than an IPv6 packet.
const maxPulled = 1 << 15

// What stands before a packet's bytes: lengths and offsets, then the metadata.
const (
	atLength    = 0  // of the bytes
	atPulled    = 4  // the first bytes that are headers in front of the packet
	atNetwork   = 6  // where the network header begins, or none
	atTransport = 8  // likewise
	atSrc       = 10 // an address, like atDst
	atDst       = 26
	atSrcPort   = 42
	atDstPort   = 44
	atEtherType = 46
	atFlags     = 48
	atStart     = 50 // of a checksum that is not complete
	atField     = 52
	atSegment   = 54
	atProtocol  = 56
	atTOS       = 57
	atHopLimit  = 58
	atType      = 59
	atChecksum  = 60
	atZero      = 61
	atIfindex   = 62
	atFlowLabel = 66
	atArrival   = 70
	packetSize  = 78
)

const none = 0xffff // an offset that is not known

// appendPacket encodes p, which stays the caller's: its head, then the bytes from
// the network header on if that was remembered (headers) or from where p begins.
// Of an outgoing packet (out) the interface that it must leave by crosses, and
// not its route.
func appendPacket(b []byte, p *core.Packet, headers, out bool) []byte {
	linear := p.Linear()
	pulled, network, transport := 0, none, none
	if headers {
		if h := p.NetworkHeader(); h != nil {
			if d := len(h) - len(linear); d >= 0 && d <= maxPulled {
				pulled, network, linear = d, 0, h
			}
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
	begin := len(b)
	b = slices.Grow(b, packetSize+len(linear))[:begin+packetSize+len(linear)]
	le := binary.LittleEndian
	h := (*[packetSize]byte)(b[begin:])
	le.PutUint32(h[atLength:], uint32(p.Len()+pulled))
	le.PutUint16(h[atPulled:], uint16(pulled))
	le.PutUint16(h[atNetwork:], uint16(network))
	le.PutUint16(h[atTransport:], uint16(transport))
	le.PutUint64(h[atSrc:], p.Src.Hi)
	le.PutUint64(h[atSrc+8:], p.Src.Lo)
	le.PutUint64(h[atDst:], p.Dst.Hi)
	le.PutUint64(h[atDst+8:], p.Dst.Lo)
	le.PutUint16(h[atSrcPort:], p.SrcPort)
	le.PutUint16(h[atDstPort:], p.DstPort)
	le.PutUint16(h[atEtherType:], uint16(p.EtherType))
	le.PutUint16(h[atFlags:], uint16(p.Flags&core.PublicFlags))
	le.PutUint16(h[atStart:], p.ChecksumStart)
	le.PutUint16(h[atField:], p.ChecksumField)
	le.PutUint16(h[atSegment:], p.SegmentSize)
	h[atProtocol], h[atTOS], h[atHopLimit] = p.Protocol, p.TOS, p.HopLimit
	h[atType], h[atChecksum], h[atZero] = byte(p.Type), byte(p.Checksum), 0
	le.PutUint32(h[atIfindex:], uint32(ifindex))
	le.PutUint32(h[atFlowLabel:], p.FlowLabel)
	le.PutUint64(h[atArrival:], uint64(p.Arrival))
	copy(b[begin+packetSize:], linear)
	for i := range p.Frags() {
		b = append(b, p.Frags()[i].Bytes()...)
	}
	return b
}

// packet takes a packet, head and bytes, and checks that they fit together; nil
// if they do not.
func (r *Reader) packet() []byte {
	if len(r.b) < packetSize {
		r.Fail()
		return nil
	}
	le := binary.LittleEndian
	h := (*[packetSize]byte)(r.b)
	length := le.Uint32(h[atLength:])
	if length > maxPacket || int(length) > len(r.b)-packetSize {
		r.Fail()
		return nil
	}
	n, pulled, network, transport := int(length), int(le.Uint16(h[atPulled:])), int(le.Uint16(h[atNetwork:])), int(le.Uint16(h[atTransport:]))
	from := pulled // where a partial checksum starts
	if transport != none {
		from = transport
	}
	switch {
	case pulled > n || pulled > maxPulled,
		network != none && network > pulled,
		transport != none && transport > n,
		core.PacketFlags(le.Uint16(h[atFlags:]))&^core.PublicFlags != 0,
		h[atType] > byte(core.PacketOutgoing),
		h[atChecksum] > byte(core.ChecksumPartial),
		h[atZero] != 0,
		le.Uint32(h[atIfindex:]) > 1<<31-1,
		le.Uint32(h[atFlowLabel:]) > 0xfffff,
		core.ChecksumState(h[atChecksum]) == core.ChecksumPartial && from+int(le.Uint16(h[atStart:]))+int(le.Uint16(h[atField:]))+2 > n:
		r.Fail()
		return nil
	}
	raw := r.b[: packetSize+n : packetSize+n]
	r.b = r.b[packetSize+n:]
	return raw
}

// linearLen is how much of n bytes becomes the linear part: all that a page holds,
// or else the headers.
func linearLen(n, pulled, transport int) int {
	if n <= allocator.Page64K.Size()-core.Headroom {
		return n
	}
	return min(n, max(pulled, int(uint16(transport+1)))+2048)
}

// build makes the packet that was checked out of a new one that source gives; nil
// when memory is short.
func build(raw []byte, source packetSource) *core.Packet {
	le := binary.LittleEndian
	h, data := (*[packetSize]byte)(raw), raw[packetSize:]
	pulled, network, transport := int(le.Uint16(h[atPulled:])), int(le.Uint16(h[atNetwork:])), int(le.Uint16(h[atTransport:]))
	linear := linearLen(len(data), pulled, transport)
	p := source.NewPacket(core.Headroom, linear)
	if p == nil {
		return nil
	}
	copy(p.Put(linear), data)
	if linear < len(data) && !p.Append(data[linear:]) {
		p.Free()
		return nil
	}
	if network != none {
		p.Pull(network)
		p.SetNetworkHeader()
		p.Push(network)
	}
	if transport != none {
		p.Pull(transport)
		p.SetTransportHeader()
		p.Push(transport)
	}
	p.Pull(pulled)
	p.Src = wire.Addr{Hi: le.Uint64(h[atSrc:]), Lo: le.Uint64(h[atSrc+8:])}
	p.Dst = wire.Addr{Hi: le.Uint64(h[atDst:]), Lo: le.Uint64(h[atDst+8:])}
	p.SrcPort, p.DstPort = le.Uint16(h[atSrcPort:]), le.Uint16(h[atDstPort:])
	p.EtherType, p.Flags = wire.EtherType(le.Uint16(h[atEtherType:])), core.PacketFlags(le.Uint16(h[atFlags:]))
	p.ChecksumStart, p.ChecksumField, p.SegmentSize = le.Uint16(h[atStart:]), le.Uint16(h[atField:]), le.Uint16(h[atSegment:])
	p.Protocol, p.TOS, p.HopLimit = h[atProtocol], h[atTOS], h[atHopLimit]
	p.Type, p.Checksum = core.PacketType(h[atType]), core.ChecksumState(h[atChecksum])
	p.SetIfindex(int(le.Uint32(h[atIfindex:])))
	p.FlowLabel, p.Arrival = le.Uint32(h[atFlowLabel:]), core.Time(le.Uint64(h[atArrival:]))
	return p
}

// carryBatch encodes the packets of a batch, which it takes, into as many messages
// as they need: begin starts one, carry takes a whole one away. headers and out
// are those of appendPacket.
func carryBatch(batch []*core.Packet, headers, out bool, begin func() []byte, carry func([]byte)) {
	var b []byte
	for i, p := range batch {
		if b == nil {
			b = begin()
		}
		b = appendPacket(b, p, headers, out)
		p.Free()
		if len(b) > fullMessage || i == len(batch)-1 {
			carry(b)
			b = nil
		}
	}
}

// packetSource makes packets: an Env or an Instance.
type packetSource interface {
	NewPacket(headroom, room int) *core.Packet
}

// packets takes the packets of the rest of a message, which were all checked
// before the first is made: nobody changes a message while it is worked on. lost
// tells how many found no memory.
func (r *Reader) packets(source packetSource, into []*core.Packet) (batch []*core.Packet, lost int, err error) {
	for check := *r; len(check.b) > 0; {
		if check.packet() == nil {
			r.Fail()
			return into, 0, ErrMessage
		}
	}
	rest := r.b
	r.b = nil
	for len(rest) > 0 {
		n := packetSize + int(binary.LittleEndian.Uint32(rest))
		if p := build(rest[:n:n], source); p != nil {
			into = append(into, p)
		} else {
			lost++
		}
		rest = rest[n:]
	}
	return into, lost, r.Err()
}
