package ipv4

import (
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// linkHeadroom is kept in front of packets made here for the link header.
const linkHeadroom = 32

// Output implements core.Network.
func (s *stack) Output(p *core.Packet) error {
	if p.Flags&core.FlagHeader != 0 {
		return s.outputRaw(p)
	}
	return s.output(p, nil)
}

// output puts the header with these options (a multiple of four bytes) in front
// of p and sends it by p.Route.
func (s *stack) output(p *core.Packet, options []byte) error {
	c := s.c()
	*c.at(ipOutRequests)++
	r := p.Route
	hl := wire.IPv4MinSize + len(options)
	total := hl + p.Len()
	if total > wire.IPv4MaxSize {
		return s.discard(p, syscall.EMSGSIZE)
	}
	if p.Headroom() < hl+linkHeadroom/2 || !p.EnsureHeadroom(hl+linkHeadroom/2) {
		if !p.EnsureHeadroom(hl + linkHeadroom) {
			return s.discard(p, syscall.ENOBUFS)
		}
	}
	mtu := r.MTU
	fits := total <= mtu || p.SegmentSize != 0
	// Linux: __ip_make_skb. With discovery wanted, DF goes with what fits now.
	df := p.Flags&core.FlagDontFragment != 0 ||
		fits && p.Flags&core.FlagMayFragment == 0 && s.conf.NoPMTUDisc == 0
	if !fits && p.Flags&core.FlagDontFragment != 0 {
		*c.at(ipFragFails)++
		p.Free()
		return syscall.EMSGSIZE
	}
	p.SetTransportHeader()
	h := wire.IPv4(p.Push(hl))
	flags, id, ttl := wire.IPv4DontFragment, uint16(0), p.HopLimit
	if !df { // RFC 6864 §4.1: the ID of an atomic datagram means nothing
		flags, id = 0, uint16(s.ids.Next(s.in.Random(), p.Src, p.Dst, uint32(p.Protocol)))
	}
	if ttl == 0 && r.Type != core.RouteMulticast {
		if ttl = uint8(r.Metric(core.MetricHopLimit)); ttl == 0 {
			ttl = uint8(s.conf.DefaultTTL)
		}
	}
	if len(options) == 0 {
		putHeader(h, uint64(p.TOS), uint64(total), uint64(id), uint64(flags), uint64(ttl), uint64(p.Protocol), uint64(p.Src.V4()), uint64(p.Dst.V4()))
	} else {
		h.Encode(&wire.IPv4Fields{TOS: p.TOS, ID: id, Flags: flags, TTL: ttl, Protocol: p.Protocol, Src: p.Src, Dst: p.Dst,
			Options: options, TotalLen: total})
	}
	return s.transmit(p, r, total, fits)
}

// putHeader writes a header without options with its checksum, summed from the
// values that are at hand.
func putHeader(h []byte, tos, total, id, flags, ttl, protocol, src, dst uint64) {
	_ = h[wire.IPv4MinSize-1]
	a := 0x45<<56 | tos<<48 | total<<32 | id<<16 | flags
	b := ttl<<24 | protocol<<16
	sum := a>>32 + a&0xffffffff + b + src + dst
	sum = sum>>32 + sum&0xffffffff
	b |= uint64(wire.Finish(uint32(sum>>32 + sum&0xffffffff)))
	binary.BigEndian.PutUint64(h, a)
	binary.BigEndian.PutUint64(h[8:], b<<32|src)
	binary.BigEndian.PutUint32(h[16:], uint32(dst))
}

// outputRaw completes a header that came with the packet (IP_HDRINCL, raw(7)):
// total length and checksum always, source and ID when they are zero.
func (s *stack) outputRaw(p *core.Packet) error {
	c := s.c()
	*c.at(ipOutRequests)++
	b := p.Linear()
	if len(b) < wire.IPv4MinSize {
		if !p.Pullup(wire.IPv4MinSize) {
			return s.discard(p, syscall.EINVAL)
		}
		b = p.Linear()
	}
	hl := int(b[0]&15) * 4
	if hl < wire.IPv4MinSize || !p.Pullup(hl) || p.Len() > wire.IPv4MaxSize {
		return s.discard(p, syscall.EINVAL)
	}
	if !p.EnsureHeadroom(linkHeadroom) {
		return s.discard(p, syscall.ENOBUFS)
	}
	h := wire.IPv4(p.Linear())
	h.SetTotalLen(p.Len())
	if h.Src().IsUnspecified() {
		h.SetSrc(p.Route.Src)
	}
	if h.ID() == 0 {
		h.SetID(uint16(s.ids.Next(s.in.Random(), h.Src(), h.Dst(), uint32(h.Protocol()))))
	}
	h.UpdateChecksum()
	fits := p.Len() <= p.Route.MTU
	if !fits && (h.DontFragment() || p.Flags&core.FlagDontFragment != 0) {
		*c.at(ipFragFails)++
		p.Free()
		return syscall.EMSGSIZE
	}
	return s.transmit(p, p.Route, p.Len(), fits)
}

// transmit sends a packet with its header: to ourselves, to the next hop, and
// for groups and broadcasts to both.
func (s *stack) transmit(p *core.Packet, r *core.Route, total int, fits bool) error {
	c := s.counters
	p.SetNetworkHeader()
	p.EtherType = wire.EtherTypeIPv4
	p.Interface = r.Interface
	*c.at(extOutOctets) += uint64(total)
	switch r.Type {
	case core.RouteLocal:
		if fits {
			*c.at(ipOutTransmits)++
			s.in.LoopLocal(p, r)
			return nil
		}
	case core.RouteMulticast:
		*c.at(extOutMcastPkts)++
		*c.at(extOutMcastOctets) += uint64(total)
		if p.Flags&core.FlagNoLoop == 0 && r.Interface.Flags()&core.FlagIsLoopback == 0 &&
			(r.Interface.InGroup(p.Dst) || p.Dst == wire.IPv4AllSystems()) {
			s.loopCopy(p, r, core.PacketMulticast)
		}
		if wire.IPv4(p.Linear()).TTL() == 0 { // RFC 1112 §6.1: not past this host
			p.Free()
			return nil
		}
	case core.RouteBroadcast:
		*c.at(extOutBcastPkts)++
		*c.at(extOutBcastOctets) += uint64(total)
		if r.Interface.Flags()&core.FlagIsLoopback == 0 {
			s.loopCopy(p, r, core.PacketBroadcast)
		}
	}
	if !fits {
		return s.fragment(p, r, r.MTU)
	}
	*c.at(ipOutTransmits)++
	r.Send(p)
	return nil
}

// loopCopy brings a copy of an outgoing packet in by the interface it leaves.
func (s *stack) loopCopy(p *core.Packet, r *core.Route, typ core.PacketType) {
	if q := p.Clone(s.in); q != nil {
		s.in.LoopTo(r.Interface, q, typ)
	}
}

func (s *stack) discard(p *core.Packet, err error) error {
	*s.counters.at(ipOutDiscards)++
	p.Free()
	return err
}

// fragment cuts p, which begins with its header, into pieces of at most mtu
// bytes and sends them (RFC 791 §3.2). The pieces share p's payload pages.
func (s *stack) fragment(p *core.Packet, r *core.Route, mtu int) error {
	c := s.counters
	if p.Checksum == core.ChecksumPartial {
		p.CompleteChecksum()
	}
	h := wire.IPv4(p.Linear())
	hl := h.HeaderLen()
	room := (mtu - hl) &^ 7
	if room < 8 {
		*c.at(ipFragFails)++
		p.Free()
		return syscall.EMSGSIZE
	}
	first, last := h.FragmentOffset(), h.FragmentWord()&wire.IPv4MoreFragments
	size := p.Len() - hl
	if first+size > wire.IPv4MaxSize {
		*c.at(ipFragFails)++
		p.Free()
		return syscall.EMSGSIZE
	}
	var cur cursor
	cur.start(p, hl)
	for at := 0; at < size; at += room {
		n := min(room, size-at)
		q := s.in.NewPacket(core.Headroom, hl)
		if q == nil || !cur.take(q, h.Header(), n) {
			if q != nil {
				q.Free()
			}
			*c.at(ipFragFails)++
			p.Free()
			return syscall.ENOBUFS
		}
		f := wire.IPv4(q.Linear())
		if at > 0 {
			wire.IPv4KeepCopiedOptions(f.Options())
		}
		flags := wire.IPv4MoreFragments
		if at+n == size {
			flags = last
		}
		f.SetFragment(flags, first+at)
		f.SetTotalLen(hl + n)
		f.UpdateChecksum()
		q.EtherType, q.Protocol, q.TOS, q.Flags = p.EtherType, p.Protocol, p.TOS, p.Flags
		q.Src, q.Dst, q.Interface = p.Src, p.Dst, r.Interface
		q.SetNetworkHeader()
		*c.at(ipFragCreates)++
		*c.at(ipOutTransmits)++
		if r.Type == core.RouteLocal {
			s.in.LoopLocal(q, r)
		} else {
			r.Send(q)
		}
	}
	*c.at(ipFragOKs)++
	p.Free()
	return nil
}

// cursor walks along a packet's payload.
type cursor struct {
	pieces [1 + core.MaxFrags]core.Frag
	n, i   int
}

func (c *cursor) start(p *core.Packet, skip int) {
	l := p.LinearFrag()
	l.Off += uint32(skip)
	l.Len -= uint32(skip)
	c.pieces[0] = l
	c.n = 1 + copy(c.pieces[1:], p.Frags())
}

// take gives q a header and references to the next n bytes.
func (c *cursor) take(q *core.Packet, header []byte, n int) bool {
	copy(q.Put(len(header)), header)
	for n > 0 && c.i < c.n {
		f := &c.pieces[c.i]
		k := min(n, int(f.Len))
		if k > 0 && !q.AppendFrag(f.Page, int(f.Off), k) {
			return false
		}
		f.Off += uint32(k)
		f.Len -= uint32(k)
		n -= k
		if f.Len == 0 {
			c.i++
		}
	}
	return n == 0
}
