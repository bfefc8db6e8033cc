package core

import (
	"encoding/binary"

	"github.com/libos-go/libos/core/wire"
)

// Offsets of fields in TCP and UDP headers, and flags of TCP that one segment of several
// may have.
const (
	tcpSequence = 4
	tcpFlags    = 13
	udpLength   = 4

	tcpOnFirst = 0x80        // CWR: the receiver hears of it once (RFC 3168 §6.1.2)
	tcpOnLast  = 0x01 | 0x08 // FIN, PSH
)

// Cut makes the segments of a super-segment that begins with the header of link, complete
// with checksums: SegmentSize bytes of payload each behind the headers of the whole, whose
// transport header is known by ChecksumOffset and whose kind by ChecksumField. It owns p.
// False, with out as it was, for headers that make no sense and when memory is short
// (Linux: tcp_gso_segment, __udp_gso_segment).
func (p *Packet) Cut(link Link, out *PacketList) bool {
	defer p.Free()
	at := p.ChecksumOffset()
	ip, size := link.HeaderLen(), int(p.SegmentSize)
	head := at + wire.UDPSize
	tcp := p.ChecksumField == wire.TCPChecksumOffset
	if tcp {
		head = at + wire.TCPMinSize
	}
	if size == 0 || !tcp && p.ChecksumField != wire.UDPChecksumOffset || at < ip+wire.IPv4MinSize || !p.Pullup(head) {
		return false
	}
	if tcp {
		head = at + int(p.Linear()[at+12]>>4)*4
	}
	version := p.Linear()[ip] >> 4
	if head < at+wire.UDPSize || tcp && head < at+wire.TCPMinSize || head >= p.Len() || !p.Pullup(head) ||
		version != 4 && (version != 6 || at < ip+wire.IPv6Size) {
		return false
	}
	h := p.Linear()[:head]
	if version == 4 && (wire.IPv4(h[ip:]).HeaderLen() < wire.IPv4MinSize || ip+wire.IPv4(h[ip:]).HeaderLen() > at) {
		return false
	}
	var list PacketList
	for i, off := 0, head; off < p.Len(); i, off = i+1, off+size {
		n := min(size, p.Len()-off)
		s := p.domain.newPacket(p.account, Headroom, head+n)
		if s == nil {
			list.Free()
			return false
		}
		b := s.Put(head + n)
		copy(b, h)
		p.CopyOut(off, b[head:])
		s.copyMeta(p)
		s.network, s.transport = s.start+int32(ip), s.start+int32(at)
		s.Checksum, s.SegmentSize, s.ChecksumStart, s.Flags = ChecksumUnknown, 0, 0, p.Flags
		relength(b, ip, at, i)
		if tcp {
			t := b[at:]
			binary.BigEndian.PutUint32(t[tcpSequence:], binary.BigEndian.Uint32(h[at+tcpSequence:])+uint32(i*size))
			if i > 0 {
				t[tcpFlags] &^= tcpOnFirst
			}
			if off+n < p.Len() {
				t[tcpFlags] &^= tcpOnLast
			}
		} else {
			binary.BigEndian.PutUint16(b[at+udpLength:], uint16(len(b)-at))
		}
		s.pseudoSum(b, ip, at)
		s.Checksum = ChecksumPartial
		s.CompleteChecksum()
		list.Push(s)
	}
	for s := list.Pop(); s != nil; s = list.Pop() {
		out.Push(s)
	}
	return true
}

// relength makes the IP header at ip that of the i-th packet b of several.
func relength(b []byte, ip, at, i int) {
	if b[ip]>>4 == 6 {
		binary.BigEndian.PutUint16(b[ip+4:], uint16(len(b)-ip-wire.IPv6Size))
		return
	}
	h := wire.IPv4(b[ip:])
	h.SetTotalLen(len(b) - ip)
	h.SetID(h.ID() + uint16(i))
	h.UpdateChecksum()
}

// PseudoSum puts the sum of the pseudo-header into the checksum field of p, whose network
// header is at ip from the beginning of the linear part and is an IP header; the checksum
// is left to others to complete (ChecksumOffset, ChecksumField).
func (p *Packet) PseudoSum(ip int) { p.pseudoSum(p.Linear(), ip, p.ChecksumOffset()) }

func (p *Packet) pseudoSum(b []byte, ip, at int) {
	protocol := uint8(wire.ProtoTCP)
	if p.ChecksumField == wire.UDPChecksumOffset {
		protocol = wire.ProtoUDP
	}
	var src, dst wire.Addr
	if b[ip]>>4 == 4 {
		h := wire.IPv4(b[ip:])
		src, dst = h.Src(), h.Dst()
	} else {
		h := wire.IPv6(b[ip:])
		src, dst = h.Src(), h.Dst()
	}
	p.Protocol = protocol
	binary.BigEndian.PutUint16(b[at+int(p.ChecksumField):], wire.Fold(wire.PseudoHeader(src, dst, protocol, p.Len()-at)))
}

// FindTransport notes where the transport header of a packet is that begins with the
// header of link, and whether it is one of a protocol, TCP or UDP, whose checksum field it
// notes, too. It is false if there is none. Extension headers of IPv6 are not followed.
func (p *Packet) FindTransport(link Link, protocol uint8) bool {
	ip := p.ipHeader(link)
	if ip == nil {
		return false
	}
	got, at := transportOf(ip)
	if at == 0 || got != protocol {
		return false
	}
	p.transport = p.start + int32(link.HeaderLen()+at)
	p.ChecksumStart, p.ChecksumField = 0, wire.TCPChecksumOffset
	if protocol == wire.ProtoUDP {
		p.ChecksumField = wire.UDPChecksumOffset
	}
	return true
}
