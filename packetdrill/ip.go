package packetdrill

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

const (
	protoICMP    = 1
	protoIPIP    = 4
	protoTCP     = 6
	protoUDP     = 17
	protoIPv6    = 41
	protoGRE     = 47
	protoICMPv6  = 58
	protoUDPLite = 136
	protoMPLS    = 137
)

// ipHeader is what is compared of an IP header.
type ipHeader struct {
	v6        bool
	src, dst  netip.Addr
	proto     uint8
	tos, ttl  uint8
	flowLabel uint32
	fragment  bool
	df, more  bool
	id        uint32
	offset    int // of a fragment, in bytes
	payload   []byte
}

// parseIP reads an IP packet. An error says what is wrong with it.
func parseIP(b []byte) (h ipHeader, err error) {
	if len(b) == 0 {
		return h, errors.New("an empty packet")
	}
	switch b[0] >> 4 {
	case 4:
		return parseIPv4(b)
	case 6:
		return parseIPv6(b)
	}
	return h, fmt.Errorf("a packet of IP version %d", b[0]>>4)
}

func parseIPv4(b []byte) (h ipHeader, err error) {
	n := int(b[0]&15) * 4
	if len(b) < 20 || n < 20 || len(b) < n {
		return h, errors.New("an IPv4 header that is cut off")
	}
	if checksum(b[:n], 0) != 0 {
		err = errors.New("the checksum of the IPv4 header is wrong")
	}
	if total := int(binary.BigEndian.Uint16(b[2:])); total < n || total > len(b) {
		return h, fmt.Errorf("the length %d of the IPv4 header, in a packet of %d bytes", total, len(b))
	} else {
		b = b[:total]
	}
	h.src, h.dst = netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:]))
	h.proto, h.tos, h.ttl = b[9], b[1], b[8]
	word := binary.BigEndian.Uint16(b[6:])
	h.fragment, h.df, h.more = word&0x3fff != 0, word&0x4000 != 0, word&0x2000 != 0
	h.id, h.offset = uint32(binary.BigEndian.Uint16(b[4:])), int(word&0x1fff)*8
	h.payload = b[n:]
	return h, err
}

func parseIPv6(b []byte) (h ipHeader, err error) {
	if len(b) < 40 {
		return h, errors.New("an IPv6 header that is cut off")
	}
	if n := int(binary.BigEndian.Uint16(b[4:])); 40+n > len(b) {
		return h, fmt.Errorf("the length %d of the IPv6 header, in a packet of %d bytes", n, len(b))
	} else {
		b = b[:40+n]
	}
	word := binary.BigEndian.Uint32(b)
	h.v6 = true
	h.src, h.dst = netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
	h.proto, h.tos, h.ttl, h.flowLabel = b[6], uint8(word>>20), b[7], word&0xfffff
	b = b[40:]
	for {
		switch h.proto {
		case 0, 43, 60: // hop-by-hop, routing, destination options
			if len(b) < 8 || len(b) < 8+int(b[1])*8 {
				return h, errors.New("an IPv6 extension header that is cut off")
			}
			h.proto, b = b[0], b[8+int(b[1])*8:]
		case 44:
			if len(b) < 8 {
				return h, errors.New("an IPv6 fragment header that is cut off")
			}
			word := binary.BigEndian.Uint16(b[2:])
			h.fragment = h.fragment || word&0xfff9 != 0
			h.id, h.offset, h.more = binary.BigEndian.Uint32(b[4:]), int(word&^7), word&1 != 0
			h.proto, b = b[0], b[8:]
			if h.fragment {
				h.payload = b
				return h, nil
			}
		default:
			h.payload = b
			return h, nil
		}
	}
}

// appendIP is an IP header with its payload.
func appendIP(b []byte, src, dst netip.Addr, proto, tos, ttl uint8, flowLabel uint32, payload []byte) ([]byte, error) {
	if src.Is4() {
		if 20+len(payload) > 65535 {
			return nil, fmt.Errorf("an IPv4 packet of %d bytes: 65535 is the most", 20+len(payload))
		}
		n := len(b)
		b = append(b, 0x45, tos)
		b = binary.BigEndian.AppendUint16(b, uint16(20+len(payload)))
		b = append(b, 0, 0, 0x40, 0, ttl, proto, 0, 0)
		b = append(append(b, src.AsSlice()...), dst.AsSlice()...)
		binary.BigEndian.PutUint16(b[n+10:], checksum(b[n:], 0))
		return append(b, payload...), nil
	}
	if len(payload) > 65535 {
		return nil, fmt.Errorf("an IPv6 payload of %d bytes: 65535 is the most", len(payload))
	}
	b = binary.BigEndian.AppendUint32(b, 6<<28|uint32(tos)<<20|flowLabel&0xfffff)
	b = binary.BigEndian.AppendUint16(b, uint16(len(payload)))
	b = append(b, proto, ttl)
	b = append(append(b, src.AsSlice()...), dst.AsSlice()...)
	return append(b, payload...), nil
}

// sum adds the 16-bit words of b to a sum.
func sum(b []byte, s uint32) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(b[0])<<8 | uint32(b[1])
		s = s&0xffff + s>>16
	}
	if len(b) > 0 {
		s += uint32(b[0]) << 8
	}
	return s&0xffff + s>>16
}

// checksum is the Internet checksum (RFC 1071); 0 for bytes that include a right
// one.
func checksum(b []byte, initial uint32) uint16 {
	s := sum(b, initial)
	return ^uint16(s&0xffff + s>>16)
}

// pseudoHeader is the sum of the pseudo-header of a transport (RFC 8200 §8.1).
func pseudoHeader(src, dst netip.Addr, proto uint8, n int) uint32 {
	s := sum(dst.AsSlice(), sum(src.AsSlice(), 0))
	s = sum([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, s)
	return sum([]byte{0, proto}, s)
}

// Layer is one encapsulation around a packet.
type Layer struct {
	Kind     string // ipv4, ipv6, gre, mpls
	Src, Dst netip.Addr
	// Numbers are the named fields of the other kinds.
	Numbers map[string]uint32
	// Labels are the entries of an MPLS stack, as on the wire.
	Labels []uint32
}

// layer takes one encapsulation prefix, false if there is none.
func (p *Packet) layer(c *cursor) bool {
	w := c.peekWord()
	switch w {
	case "ipv4", "ipv6":
		c.take(w)
		l := Layer{Kind: w}
		l.Src = address(c, w)
		c.need(">")
		l.Dst = address(c, w)
		p.Outer = append(p.Outer, l)
	case "gre":
		c.take(w)
		l := Layer{Kind: w, Numbers: map[string]uint32{}}
		bracket := c.take("[")
		for n := c.peekWord(); n != "" && c.err == nil; n = c.peekWord() {
			switch n {
			case "flags", "proto", "key", "seq", "sum", "off":
				c.take(n)
				l.Numbers[n] = uint32(c.number(1<<32 - 1))
				c.take(",")
			default:
				c.fail("%s is no field of a GRE header: use flags, proto, key, seq, sum, off", n)
			}
		}
		if bracket {
			c.need("]")
		}
		p.Outer = append(p.Outer, l)
	case "mpls":
		c.take(w)
		l := Layer{Kind: w}
		for c.take("(") {
			l.Labels = append(l.Labels, label(c))
			c.take(",")
		}
		if len(l.Labels) == 0 {
			c.fail("mpls needs labels: mpls (label 16, tc 0, [S], ttl 64):")
		}
		p.Outer = append(p.Outer, l)
	default:
		return false
	}
	c.need(":")
	return c.err == nil
}

// label takes label, tc, [S], ttl) of an MPLS entry.
func label(c *cursor) (v uint32) {
	c.takeWord("label")
	v = uint32(c.number(1<<20-1)) << 12
	c.need(",")
	c.takeWord("tc")
	v |= uint32(c.number(7)) << 9
	c.need(",")
	if c.take("[") {
		c.need("S")
		c.need("]")
		c.need(",")
		v |= 1 << 8
	}
	c.takeWord("ttl")
	v |= uint32(c.number(255))
	c.need(")")
	return v
}

// address takes an address of a family.
func address(c *cursor, family string) netip.Addr {
	c.space()
	i := c.at
	for i < len(c.src) && (digit(c.src[i]) || letter(c.src[i]) || c.src[i] == '.' || c.src[i] == ':') {
		i++
	}
	text := c.src[c.at:i]
	a, err := netip.ParseAddr(text)
	for err != nil && len(text) > 0 && text[len(text)-1] == ':' { // the colon behind it
		text = text[:len(text)-1]
		a, err = netip.ParseAddr(text)
	}
	if err != nil || a.Zone() != "" || a.Is4() != (family == "ipv4") {
		c.fail("an %s address is expected before %s", family, c.next())
		return netip.Addr{}
	}
	c.at += len(text)
	return a
}

// wrap puts the encapsulations of p around an IP packet.
func (p *Packet) wrap(inner []byte) ([]byte, error) {
	ether := uint32(0x0800)
	proto := uint8(protoIPIP)
	if len(inner) > 0 && inner[0]>>4 == 6 {
		ether, proto = 0x86dd, protoIPv6
	}
	for i := len(p.Outer) - 1; i >= 0; i-- {
		l := &p.Outer[i]
		var err error
		switch l.Kind {
		case "mpls":
			b := make([]byte, 0, 4*len(l.Labels)+len(inner))
			for _, v := range l.Labels {
				b = binary.BigEndian.AppendUint32(b, v)
			}
			inner, ether, proto = append(b, inner...), 0x8847, protoMPLS
		case "gre":
			inner, proto = l.gre(ether, inner), protoGRE
		default:
			if inner, err = appendIP(nil, l.Src, l.Dst, proto, p.IP.tosOf(), ttlOf(p.IP), 0, inner); err != nil {
				return nil, err
			}
			ether, proto = 0x0800, protoIPIP
			if l.Kind == "ipv6" {
				ether, proto = 0x86dd, protoIPv6
			}
		}
	}
	return inner, nil
}

// GRE's flags (RFC 2784, RFC 2890).
const (
	greSum = 0x8000
	greKey = 0x2000
	greSeq = 0x1000
)

// flagsOf are the flags that are written, or that the fields ask for.
func (l *Layer) flagsOf() uint32 {
	flags, said := l.Numbers["flags"]
	if said {
		return flags
	}
	for _, f := range []struct {
		name string
		flag uint32
	}{{"sum", greSum}, {"off", greSum}, {"key", greKey}, {"seq", greSeq}} {
		if _, ok := l.Numbers[f.name]; ok {
			flags |= f.flag
		}
	}
	return flags
}

func (l *Layer) gre(ether uint32, inner []byte) []byte {
	flags := l.flagsOf()
	if v, ok := l.Numbers["proto"]; ok {
		ether = v
	}
	b := binary.BigEndian.AppendUint32(nil, flags<<16|ether&0xffff)
	if flags&greSum != 0 {
		b = binary.BigEndian.AppendUint16(b, uint16(l.Numbers["sum"]))
		b = binary.BigEndian.AppendUint16(b, uint16(l.Numbers["off"]))
	}
	if flags&greKey != 0 {
		b = binary.BigEndian.AppendUint32(b, l.Numbers["key"])
	}
	if flags&greSeq != 0 {
		b = binary.BigEndian.AppendUint32(b, l.Numbers["seq"])
	}
	b = append(b, inner...)
	if _, said := l.Numbers["sum"]; flags&greSum != 0 && !said {
		binary.BigEndian.PutUint16(b[4:], checksum(b, 0))
	}
	return b
}

// unwrap takes the encapsulations off a packet that was sent and compares them.
func (p *Packet) unwrap(b []byte) (inner []byte, out []string) {
	d := diffs{&out}
	for i := range p.Outer {
		l := &p.Outer[i]
		switch l.Kind {
		case "mpls":
			for _, v := range l.Labels {
				if len(b) < 4 {
					return b, append(out, "an MPLS entry is missing")
				}
				if got := binary.BigEndian.Uint32(b); got != v {
					out = append(out, fmt.Sprintf("mpls %s, expected %s", labelText(got), labelText(v)))
				}
				b = b[4:]
			}
		case "gre":
			n := 4
			if len(b) < n {
				return b, append(out, "a GRE header is missing")
			}
			flags := uint32(binary.BigEndian.Uint16(b))
			d.number("gre flags", int64(l.flagsOf()), int64(flags))
			if v, ok := l.Numbers["proto"]; ok {
				d.number("gre proto", int64(v), int64(binary.BigEndian.Uint16(b[2:])))
			}
			for _, f := range []struct {
				flag uint32
				name string
			}{{greSum, "sum"}, {greKey, "key"}, {greSeq, "seq"}} {
				if flags&f.flag == 0 {
					continue
				}
				if len(b) < n+4 {
					return b, append(out, "a GRE header is cut off")
				}
				if v, ok := l.Numbers[f.name]; ok && f.name != "sum" {
					d.number("gre "+f.name, int64(v), int64(binary.BigEndian.Uint32(b[n:])))
				}
				n += 4
			}
			b = b[n:]
		default:
			h, err := parseIP(b)
			if err != nil {
				return b, append(out, err.Error())
			}
			if h.src != l.Src || h.dst != l.Dst {
				out = append(out, fmt.Sprintf("outer addresses %s > %s, expected %s > %s", h.src, h.dst, l.Src, l.Dst))
			}
			b = h.payload
		}
	}
	return b, out
}

func labelText(v uint32) string {
	s := ""
	if v&256 != 0 {
		s = "[S], "
	}
	return fmt.Sprintf("(label %d, tc %d, %sttl %d)", v>>12, v>>9&7, s, v&255)
}

// ttlOf is the TTL of a packet that arrives.
func ttlOf(i IPInfo) uint8 {
	if i.TTL >= 0 {
		return uint8(i.TTL)
	}
	return 255
}

// diffs gathers the differences between what was expected and what came.
type diffs struct{ out *[]string }

func (d diffs) number(name string, want, got int64) {
	if want != got {
		*d.out = append(*d.out, fmt.Sprintf("%s is %d, expected %d", name, got, want))
	}
}

func (d diffs) text(name, want, got string) {
	if want != got {
		*d.out = append(*d.out, fmt.Sprintf("%s is %s, expected %s", name, got, want))
	}
}
