package rawnic

import (
	"encoding/binary"
	"errors"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

var errMerged = errors.New("packet: a merged frame that cannot be cut")

// appendCut appends f to frames. A merged frame of UDP is cut into the datagrams
// that it is made of, because each is a message to its receiver; one of TCP
// stays whole.
func appendCut(frames []core.Frame, f core.Frame) ([]core.Frame, error) {
	if f.Meta.SegmentSize == 0 {
		return append(frames, f), nil
	}
	if f.Meta.Checksum != core.ChecksumPartial {
		return frames, errMerged
	}
	if f.Meta.ChecksumField != wire.UDPChecksumOffset {
		return append(frames, f), nil
	}
	udp, size := int(f.Meta.ChecksumStart), int(f.Meta.SegmentSize)
	head := udp + wire.UDPSize
	if udp < wire.EthernetSize+wire.IPv4MinSize || head >= len(f.Data) {
		return frames, errMerged
	}
	typ := wire.Ethernet(f.Data).Type()
	if typ != wire.EtherTypeIPv4 && (typ != wire.EtherTypeIPv6 || udp < wire.EthernetSize+wire.IPv6Size) {
		return frames, errMerged
	}
	payload := f.Data[head:]
	n := (len(payload) + size - 1) / size
	room := make([]byte, 0, len(payload)+n*head)
	for i := range n {
		part := payload[i*size : min((i+1)*size, len(payload))]
		from := len(room)
		room = append(append(room, f.Data[:head]...), part...)
		b := room[from:len(room):len(room)]
		relength(b, udp, typ == wire.EtherTypeIPv4, i)
		meta := f.Meta
		meta.SegmentSize = 0
		frames = append(frames, core.Frame{Data: b, Meta: meta})
	}
	return frames, nil
}

// relength makes b, with its UDP header at udp, the i-th datagram of a merged
// frame whose headers it has.
func relength(b []byte, udp int, v4 bool, i int) {
	be := binary.BigEndian
	ip := b[wire.EthernetSize:]
	if v4 { // RFC 791 §3.1: total length, identification and a checksum over them
		be.PutUint16(ip[2:], uint16(len(ip)))
		be.PutUint16(ip[4:], be.Uint16(ip[4:])+uint16(i))
		ip[10], ip[11] = 0, 0
		be.PutUint16(ip[10:], wire.Finish(wire.Sum(b[wire.EthernetSize:udp], 0)))
	} else {
		be.PutUint16(ip[4:], uint16(len(ip)-wire.IPv6Size))
	}
	u := b[udp:]
	was, now := be.Uint16(u[4:]), uint16(len(u))
	be.PutUint16(u[4:], now)
	// An unfinished checksum is the sum of the pseudo header, in which the length
	// counts (RFC 1624, equation 3, without the complement around it).
	sum := uint32(be.Uint16(u[wire.UDPChecksumOffset:])) + uint32(^was) + uint32(now)
	sum = sum&0xffff + sum>>16
	sum = sum&0xffff + sum>>16
	be.PutUint16(u[wire.UDPChecksumOffset:], uint16(sum))
}
