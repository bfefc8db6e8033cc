package packetdrill

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// fragSpan is the part of a datagram's payload that one fragment carries: bytes from
// first up to last, and whether more follow.
type fragSpan struct {
	first, last int
	more        bool
}

// sumKind is what is done to the checksum of a packet that arrives.
type sumKind uint8

const (
	sumRight  sumKind = iota
	sumBad            // one off, in the transport header
	sumNone           // zero: "no checksum" in UDP; compared as well
	sumHeader         // one off, in the IPv4 header
)

// df and nodf are values of IPInfo.DF.
const (
	dfClear = 0
	dfSet   = 1
)

// takeSpan takes FIRST:LAST with + behind it where more fragments follow.
func takeSpan(c *cursor) *fragSpan {
	s := &fragSpan{first: int(c.number(65535))}
	c.need(":")
	s.last = int(c.number(65535))
	s.more = c.take("+")
	if s.last < s.first || s.first%8 != 0 {
		c.fail("a fragment %d:%d: it begins at a multiple of 8 and ends behind it", s.first, s.last)
	}
	return s
}

// takeAddress takes an address of either family.
func takeAddress(c *cursor) netip.Addr {
	c.space()
	i := c.at
	for i < len(c.src) && (digit(c.src[i]) || letter(c.src[i]) || c.src[i] == '.' || c.src[i] == ':') {
		i++
	}
	a, err := netip.ParseAddr(c.src[c.at:i])
	if err != nil || a.Zone() != "" || a.Is4In6() {
		c.fail("an address is expected before %s", c.next())
		return netip.Addr{}
	}
	c.at = i
	return a
}

// spoil changes the checksum of a transport header as the marks say.
func (i *IPInfo) spoil(b []byte, proto uint8) error {
	if i.Sum != sumBad && i.Sum != sumNone {
		return nil
	}
	at, ok := map[uint8]int{protoTCP: 16, protoUDP: 6, protoUDPLite: 6, protoICMP: 2, protoICMPv6: 2}[proto]
	if !ok || len(b) < at+2 {
		return errors.New("this packet has no checksum to change")
	}
	v := uint16(0)
	if i.Sum == sumBad {
		if v = binary.BigEndian.Uint16(b[at:]) ^ 0x5555; v == 0 {
			v = 1 // zero would be none
		}
	}
	binary.BigEndian.PutUint16(b[at:], v)
	return nil
}

// header is the IP packet around a transport's bytes.
func (i *IPInfo) header(src, dst netip.Addr, proto uint8, body []byte) ([]byte, error) {
	if i.Frag != nil {
		if i.Frag.last > len(body) {
			return nil, fmt.Errorf("a fragment up to byte %d of a datagram of %d", i.Frag.last, len(body))
		}
		body = body[i.Frag.first:i.Frag.last]
	}
	label := uint32(max(i.FlowLabel, 0))
	if src.Is6() {
		if i.Frag != nil {
			h := []byte{proto, 0, 0, 0, 0, 0, 0, 0}
			binary.BigEndian.PutUint16(h[2:], uint16(i.Frag.first)|uint16(b2i(i.Frag.more)))
			binary.BigEndian.PutUint32(h[4:], uint32(max(i.ID, 0)))
			proto, body = 44, append(h, body...)
		}
		return appendIP(nil, src, dst, proto, i.tosOf(), ttlOf(*i), label, body)
	}
	b, err := appendIP(nil, src, dst, proto, i.tosOf(), ttlOf(*i), label, body)
	if err != nil {
		return nil, err
	}
	word := uint16(0x4000)
	if i.DF == dfClear || i.Frag != nil {
		word = 0
	}
	if i.Frag != nil {
		word |= uint16(i.Frag.first/8) | uint16(b2i(i.Frag.more))<<13
	}
	binary.BigEndian.PutUint16(b[4:], uint16(max(i.ID, 0)))
	binary.BigEndian.PutUint16(b[6:], word)
	binary.BigEndian.PutUint16(b[10:], 0)
	sum := checksum(b[:20], 0)
	if i.Sum == sumHeader {
		sum ^= 0x5555
	}
	binary.BigEndian.PutUint16(b[10:], sum)
	return b, nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// sameFragment compares a fragment, or an ID, of a packet that was sent. Fragments
// of one datagram have one ID: the script's number stands for the one first seen.
func (r *run) sameFragment(i *IPInfo, h *ipHeader) (out []string) {
	d := diffs{&out}
	switch {
	case i.Frag == nil && h.fragment:
		return []string{"it is a fragment"}
	case i.Frag == nil:
	case !h.fragment:
		return []string{"it is whole, expected a fragment"}
	default:
		if last := h.offset + len(h.payload); h.offset != i.Frag.first || last != i.Frag.last || h.more != i.Frag.more {
			d.text("the fragment", i.Frag.String(), (&fragSpan{h.offset, last, h.more}).String())
		}
	}
	if i.ID < 0 {
		return out
	}
	if i.Frag == nil {
		d.number("id", int64(i.ID), int64(h.id))
		return out
	}
	if r.ids == nil {
		r.ids = map[int]uint32{}
	}
	if live, seen := r.ids[i.ID]; seen && live != h.id {
		out = append(out, fmt.Sprintf("id is %d, expected that of the fragment before, %d", h.id, live))
	}
	for other, live := range r.ids {
		if other != i.ID && live == h.id {
			out = append(out, fmt.Sprintf("id is %d, which is that of the datagram with id %d", h.id, other))
		}
	}
	r.ids[i.ID] = h.id
	return out
}

// String is the span as a script writes it.
func (s *fragSpan) String() string {
	t := fmt.Sprintf("%d:%d", s.first, s.last)
	if s.more {
		t += "+"
	}
	return t
}
