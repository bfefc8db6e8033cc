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

// What stands before a packet's bytes: a head, then those groups of metadata that
// are not all zero, then the bytes. A datagram needs the first two groups, an echo
// of what a device saw none.
const (
	atLength    = 0  // of the bytes
	atPulled    = 4  // the first bytes that are headers in front of the packet
	atNetwork   = 6  // where the network header begins, or none
	atTransport = 8  // likewise
	atFlags     = 10 // PublicFlags
	atType      = 12
	atChecksum  = 13
	atGroups    = 14 // which follow
	atAncillary = 15 // the first bytes that are control messages, in units of ancillaryUnit
	headSize    = 16
)

// ancillaryUnit is what the length of control messages is a multiple of.
const ancillaryUnit = 8

// The groups, in their order.
const (
	groupAddresses = 1 << iota // source and destination, their ports
	groupNetwork               // EtherType, protocol, TOS, hop limit
	groupOffload               // of a checksum that is not complete, and of segments
	groupOrigin                // interface index, flow label, arrival
	knownGroups    = 1<<iota - 1
)

// The lengths of the groups.
const (
	addressesSize = 36
	networkSize   = 8
	offloadSize   = 8
	originSize    = 16
	mostHead      = headSize + addressesSize + networkSize + offloadSize + originSize
)

// headLengths holds the length of a head with its groups, for each choice of them.
const headLengths = "\x10\x34\x18\x3c\x18\x3c\x20\x44\x20\x44\x28\x4c\x28\x4c\x30\x54"

// headLength is the length of a head with its groups, of those that are known.
func headLength(groups byte) int { return int(headLengths[groups&knownGroups]) }

// groupsOf are the groups that a packet needs, of which ifindex is the interface.
func groupsOf(p *core.Packet, ifindex int) (groups byte) {
	if p.Src.Hi|p.Src.Lo|p.Dst.Hi|p.Dst.Lo|uint64(p.SrcPort|p.DstPort) != 0 {
		groups = groupAddresses
	}
	if uint32(p.EtherType)|uint32(p.Protocol)|uint32(p.TOS)|uint32(p.HopLimit) != 0 {
		groups |= groupNetwork
	}
	if p.ChecksumStart|p.ChecksumField|p.SegmentSize != 0 {
		groups |= groupOffload
	}
	if uint64(ifindex)|uint64(p.FlowLabel)|uint64(p.Arrival) != 0 {
		groups |= groupOrigin
	}
	return groups
}

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
	groups := groupsOf(p, ifindex)
	head := headLength(groups)
	begin := len(b)
	if cap(b)-begin < head+len(linear) {
		b = slices.Grow(b, head+len(linear))
	}
	b = b[:begin+head+len(linear)]
	le := binary.LittleEndian
	h := (*[headSize]byte)(b[begin:])
	le.PutUint64(h[atLength:], uint64(p.Len()+pulled)|uint64(pulled)<<32|uint64(network)<<48)
	le.PutUint64(h[atTransport:], uint64(transport)|uint64(p.Flags&core.PublicFlags)<<16|
		uint64(p.Type)<<32|uint64(p.Checksum)<<40|uint64(groups)<<48|uint64(len(p.Ancillary())/ancillaryUnit)<<56)
	at := b[begin+headSize:]
	if groups&groupAddresses != 0 {
		g := (*[addressesSize]byte)(at)
		le.PutUint64(g[0:], p.Src.Hi)
		le.PutUint64(g[8:], p.Src.Lo)
		le.PutUint64(g[16:], p.Dst.Hi)
		le.PutUint64(g[24:], p.Dst.Lo)
		le.PutUint16(g[32:], p.SrcPort)
		le.PutUint16(g[34:], p.DstPort)
		at = at[addressesSize:]
	}
	if groups&groupNetwork != 0 {
		le.PutUint64(at, uint64(p.EtherType)|uint64(p.Protocol)<<16|uint64(p.TOS)<<24|uint64(p.HopLimit)<<32)
		at = at[networkSize:]
	}
	if groups&groupOffload != 0 {
		le.PutUint64(at, uint64(p.ChecksumStart)|uint64(p.ChecksumField)<<16|uint64(p.SegmentSize)<<32)
		at = at[offloadSize:]
	}
	if groups&groupOrigin != 0 {
		g := (*[originSize]byte)(at)
		le.PutUint32(g[0:], uint32(ifindex))
		le.PutUint32(g[4:], p.FlowLabel)
		le.PutUint64(g[8:], uint64(p.Arrival))
		at = at[originSize:]
	}
	copy(at, linear)
	for i := range p.Frags() {
		b = append(b, p.Frags()[i].Bytes()...)
	}
	return b
}

// packet takes a packet, head and bytes, and checks that they fit together; nil
// if they do not.
func (r *Reader) packet() []byte {
	b := r.b
	if len(b) < headSize {
		return nil
	}
	le := binary.LittleEndian
	first, second := le.Uint64(b[atLength:]), le.Uint64(b[atTransport:])
	n, pulled, network := int(uint32(first)), int(uint16(first>>32)), int(first>>48)
	transport, groups := int(uint16(second)), byte(second>>48)
	checksum, ancillary := core.ChecksumState(second>>40), int(second>>56)*ancillaryUnit
	head := headLength(groups)
	switch {
	case groups > knownGroups,
		n > maxPacket || n > len(b)-head,
		pulled > n || pulled > maxPulled,
		network != none && network > pulled,
		transport != none && transport > n,
		core.PacketFlags(second>>16)&^core.PublicFlags != 0,
		core.PacketType(second>>32) > core.PacketOutgoing,
		checksum > core.ChecksumPartial:
		return nil
	}
	if ancillary != 0 && (ancillary > n || pulled != 0 || !core.ControlMessages(b[head:head+ancillary])) {
		return nil // nothing was pulled off a packet that a socket gives or gets
	}
	at := b[headSize:head]
	if groups&groupAddresses != 0 {
		at = at[addressesSize:]
	}
	if groups&groupNetwork != 0 {
		if le.Uint64(at)>>40 != 0 {
			return nil
		}
		at = at[networkSize:]
	}
	start, field := 0, 0 // of a partial checksum
	if groups&groupOffload != 0 {
		if le.Uint64(at)>>48 != 0 {
			return nil
		}
		start, field = int(le.Uint16(at)), int(le.Uint16(at[2:]))
		at = at[offloadSize:]
	}
	if groups&groupOrigin != 0 && (le.Uint32(at) > 1<<31-1 || le.Uint32(at[4:]) > 0xfffff) {
		return nil
	}
	if checksum == core.ChecksumPartial {
		from := pulled
		if transport != none {
			from = transport
		}
		if from+start+field+2 > n {
			return nil
		}
	}
	r.b = b[head+n:]
	return b[: head+n : head+n]
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
	first, second := le.Uint64(raw[atLength:]), le.Uint64(raw[atTransport:])
	pulled, network, transport := int(uint16(first>>32)), int(first>>48), int(uint16(second))
	groups, ancillary := byte(second>>48), int(second>>56)*ancillaryUnit
	at, data := raw[headSize:], raw[headLength(groups):]
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
	if ancillary != 0 {
		p.SetAncillary(ancillary)
	}
	p.Flags, p.Type, p.Checksum = core.PacketFlags(second>>16), core.PacketType(second>>32), core.ChecksumState(second>>40)
	if groups&groupAddresses != 0 {
		g := (*[addressesSize]byte)(at)
		p.Src = wire.Addr{Hi: le.Uint64(g[0:]), Lo: le.Uint64(g[8:])}
		p.Dst = wire.Addr{Hi: le.Uint64(g[16:]), Lo: le.Uint64(g[24:])}
		p.SrcPort, p.DstPort = le.Uint16(g[32:]), le.Uint16(g[34:])
		at = at[addressesSize:]
	}
	if groups&groupNetwork != 0 {
		v := le.Uint64(at)
		p.EtherType, p.Protocol, p.TOS, p.HopLimit = wire.EtherType(v), uint8(v>>16), uint8(v>>24), uint8(v>>32)
		at = at[networkSize:]
	}
	if groups&groupOffload != 0 {
		v := le.Uint64(at)
		p.ChecksumStart, p.ChecksumField, p.SegmentSize = uint16(v), uint16(v>>16), uint16(v>>32)
		at = at[offloadSize:]
	}
	if groups&groupOrigin != 0 {
		g := (*[originSize]byte)(at)
		p.SetIfindex(int(le.Uint32(g[0:])))
		p.FlowLabel, p.Arrival = le.Uint32(g[4:]), core.Time(le.Uint64(g[8:]))
	}
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

// packets takes the packets of the rest of a message. If one of them does not fit
// there is none. lost tells how many found no memory.
func (r *Reader) packets(source packetSource, into []*core.Packet) (batch []*core.Packet, lost int, err error) {
	first := len(into)
	for len(r.b) > 0 {
		raw := r.packet()
		if raw == nil {
			r.Fail()
			for _, p := range into[first:] {
				p.Free()
			}
			return into[:first], 0, ErrMessage
		}
		if p := build(raw, source); p != nil {
			into = append(into, p)
		} else {
			lost++
		}
	}
	return into, lost, r.Err()
}
