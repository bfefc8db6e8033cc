package datagram

import (
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Options of level SOL_UDPLITE with Linux's numbers. Both are numbers of bytes,
// header included; 0 is the whole datagram, and 1 to 7, which would leave a part
// of the header out, are taken as 8 (udp_lib_setsockopt, net/ipv4/udp.c).
const (
	SendCoverage    = 10 // UDPLITE_SEND_CSCOV: what the checksum of datagrams sent covers
	ReceiveCoverage = 11 // UDPLITE_RECV_CSCOV: the least that it must cover of those received
)

// coverage checks the header and the checksum of p, a UDP-Lite datagram as IP's
// length has it. covered is what the checksum covers, 0 if that is all. If the
// datagram is to be dropped, bad tells so and it has been counted
// (udplite_checksum_init, include/net/udplite.h).
func coverage(p *core.Packet, c *counters) (covered int, bad bool) {
	u, n := wire.UDPLite(p.Linear()), p.Len()
	field := u.Coverage()
	covered = field
	if field == 0 {
		covered = n // RFC 3828 §3.1
	}
	switch {
	case covered > n: // RFC 3828 §3.1; Linux calls it a short packet
		c.inErrors++
		return 0, true
	case covered < wire.UDPLiteSize, // RFC 3828 §3.1: the header is always covered
		u.Checksum() == 0, // RFC 3828 §3.1: mandatory
		p.Checksum == core.ChecksumUnknown && !verifyCovered(p, covered):
		c.inCsumErrors++
		c.inErrors++
		return 0, true
	case covered == n:
		return 0, false
	}
	return covered, false
}

// verifyCovered checks the checksum over the first covered bytes of p. The pseudo
// header has the length that IP tells, not the coverage (RFC 3828 §3.2).
func verifyCovered(p *core.Packet, covered int) bool {
	return sumCovered(p, covered) == 0xffff
}

// sumCovered is the folded sum of the pseudo header and the first covered bytes.
func sumCovered(p *core.Packet, covered int) uint16 {
	sum := wire.PseudoHeader(p.Src, p.Dst, wire.ProtoUDPLite, p.Len())
	lin := p.Linear()
	if covered <= len(lin) {
		return wire.Fold(wire.Sum(lin[:covered], sum))
	}
	var c wire.Checksum
	c.AddSum(sum, 0)
	c.Add(lin)
	covered -= len(lin)
	frags := p.Frags()
	for i := 0; covered > 0 && i < len(frags); i++ {
		b := frags[i].Bytes()
		b = b[:min(covered, len(b))]
		c.Add(b)
		covered -= len(b)
	}
	return c.Fold()
}

// encodeCovered puts the header in front of the user's bytes. No device sums up a
// part of a datagram, so the checksum is made here (udplite_csum,
// include/net/udplite.h).
func (s *socket) encodeCovered(p *core.Packet) {
	u := wire.UDPLite(p.Push(wire.UDPLiteSize))
	n := p.Len()
	field, covered := n, n
	if s.is(sendCovers) && int(s.sendCoverage) < n {
		field = int(s.sendCoverage)
		if field != 0 {
			covered = field
		}
	}
	u.Encode(p.SrcPort, p.DstPort, field)
	p.Protocol = wire.ProtoUDPLite
	p.SetTransportHeader()
	u.SetChecksum(wire.UDPFinish(uint32(sumCovered(p, covered))))
}

// refuses tells whether the receiver wants more covered than this (RFC 3828 §3.3).
// A datagram that is covered whole, however short, is always enough
// (udp_queue_rcv_one_skb, net/ipv4/udp.c).
func (s *socket) refuses(covered int) bool {
	return covered != 0 && s.is(receiveCovers) && (s.receiveCoverage == 0 || covered < int(s.receiveCoverage))
}

// coverageOption finds the coverage behind an option and the flag that it was set.
func (s *socket) coverageOption(name int) (*uint16, socketFlags) {
	switch name {
	case SendCoverage:
		return &s.sendCoverage, sendCovers
	case ReceiveCoverage:
		return &s.receiveCoverage, receiveCovers
	}
	return nil, 0
}

// setCoverage sets a coverage to what an int of the user says.
func (s *socket) setCoverage(c *uint16, set socketFlags, data []byte) error {
	if len(data) < 4 {
		return syscall.EINVAL
	}
	v := int32(binary.NativeEndian.Uint32(data))
	if v != 0 {
		v = min(max(v, wire.UDPLiteSize), 0xffff)
	}
	*c = uint16(v)
	s.set(set, true)
	return nil
}
