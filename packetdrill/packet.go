package packetdrill

import (
	"net/netip"
	"strings"
	"time"
)

// Body is what a packet carries behind its innermost IP header. Each kind of
// packet is a row of packetTypes.
type Body interface {
	// protocol is the IP protocol number.
	protocol(v6 bool) uint8
	// encode is the transport header with its payload, for a packet that arrives.
	encode(x *exchange) ([]byte, error)
	// match compares a packet that was sent and tells each difference.
	match(x *exchange, b []byte) []string
}

// packetType is a kind of packet of the language.
type packetType struct {
	word  string // that introduces it; TCP, which has none, is not in the table
	parse func(c *cursor, p *Packet) Body
}

// packetTypes are the kinds of packets that a word introduces.
func packetTypes() []packetType {
	return []packetType{
		{"udp", parseUDP},
		{"udplite", parseUDPLite},
		{"icmp", parseICMP},
		{"icmpv6", parseICMP},
	}
}

// exchange is the surroundings of one packet: its flow and its live addresses.
type exchange struct {
	settings   *Settings
	flow       *flow
	packet     *Packet
	v6         bool
	src, dst   netip.Addr
	sport      uint16
	dport      uint16
	at         time.Duration // when it was sent
	start, end bool
}

// packet takes a packet from its direction on.
func packet(c *cursor) *Packet {
	p := &Packet{IP: IPInfo{TOS: -1, ECN: -1, TTL: -1, FlowLabel: -1, DF: -1, ID: -1}}
	p.Inbound = c.take("<")
	if !p.Inbound {
		c.need(">")
	}
	ipInfo(c, &p.IP)
	for p.layer(c) {
	}
	ipInfo(c, &p.IP)
	p.ports(c)
	w := c.peekWord()
	for _, t := range packetTypes() {
		if t.word == w {
			c.take(w)
			p.ports(c)
			p.Body = t.parse(c, p)
			return p
		}
	}
	if w == "sctp" {
		c.fail("no SCTP packets are known here")
		return p
	}
	p.Body = parseTCP(c, p)
	return p
}

// ports takes sport > dport, in brackets or without.
func (p *Packet) ports(c *cursor) {
	mark := c.at
	bracket := c.take("[")
	if c.peekDigit() && c.err == nil {
		n := c.at
		for n < len(c.src) && digit(c.src[n]) {
			n++
		}
		if strings.HasPrefix(strings.TrimLeft(c.src[n:], " \t"), ">") {
			p.Source = uint16(c.number(65535))
			c.need(">")
			p.Target = uint16(c.number(65535))
			p.Ported = true
			if bracket {
				c.need("]")
			}
			return
		}
	}
	if c.err == nil {
		c.at = mark
	}
}

// ipMark is a mark of the IP header that a script can name.
type ipMark struct {
	word  string
	limit int // of its number; -1: it has none
	set   func(i *IPInfo, n int)
	take  func(c *cursor, i *IPInfo) // for what is no number
}

func ipMarks() []ipMark {
	ecn := func(v int) func(*IPInfo, int) { return func(i *IPInfo, _ int) { i.ECN = v } }
	return []ipMark{
		{"noecn", -1, ecn(0), nil},
		{"ect1", -1, ecn(1), nil},
		{"ect0", -1, ecn(2), nil},
		{"ce", -1, ecn(3), nil},
		{"ect01", -1, ecn(ecnEither), nil},
		{"tos", 255, func(i *IPInfo, n int) { i.TOS = n }, nil},
		{"ttl", 255, func(i *IPInfo, n int) { i.TTL = n }, nil},
		{"hlim", 255, func(i *IPInfo, n int) { i.TTL = n }, nil},
		{"flowlabel", 1<<20 - 1, func(i *IPInfo, n int) { i.FlowLabel = n }, nil},
		{"id", 1<<32 - 1, func(i *IPInfo, n int) { i.ID = n }, nil},
		{"df", -1, func(i *IPInfo, _ int) { i.DF = dfSet }, nil},
		{"nodf", -1, func(i *IPInfo, _ int) { i.DF = dfClear }, nil},
		{"bad_sum", -1, func(i *IPInfo, _ int) { i.Sum = sumBad }, nil},
		{"no_sum", -1, func(i *IPInfo, _ int) { i.Sum = sumNone }, nil},
		{"bad_header_sum", -1, func(i *IPInfo, _ int) { i.Sum = sumHeader }, nil},
		{"frag", -1, nil, func(c *cursor, i *IPInfo) { i.Frag = takeSpan(c) }},
		{"src", -1, nil, func(c *cursor, i *IPInfo) { i.Src = takeAddress(c) }},
		{"dst", -1, nil, func(c *cursor, i *IPInfo) { i.Dst = takeAddress(c) }},
	}
}

// ipInfo takes (marks) or [marks] of the IP header, if they stand there.
func ipInfo(c *cursor, i *IPInfo) {
	closing := ""
	mark := c.at
	switch {
	case c.take("("):
		closing = ")"
	case c.take("["):
		closing = "]"
	default:
		return
	}
	if closing == "]" && c.peekDigit() {
		c.at = mark // ports
		return
	}
next:
	for c.err == nil {
		w := c.word()
		for _, m := range ipMarks() {
			if m.word != w {
				continue
			}
			n := 0
			if m.limit >= 0 {
				n = int(c.number(uint64(m.limit)))
			}
			if m.take != nil {
				m.take(c, i)
			} else {
				m.set(i, n)
			}
			c.take(",")
			if c.take(closing) {
				return
			}
			continue next
		}
		c.fail("%q is no mark of an IP header: use noecn, ect0, ect1, ect01, ce, tos N, ttl N, flowlabel N, id N, df, nodf, frag A:B, src A, dst A, bad_sum, no_sum, bad_header_sum", w)
	}
}

// differences compares the marks of a packet that was sent.
func (i IPInfo) differences(h *ipHeader) (out []string) {
	d := diffs{&out}
	if i.TOS >= 0 {
		mask := 255
		if i.ECN >= 0 {
			mask = 252
		}
		d.number("tos", int64(i.TOS&mask), int64(int(h.tos)&mask))
	}
	switch ecn := int(h.tos & 3); {
	case i.ECN == ecnEither && (ecn == 0 || ecn == 3):
		out = append(out, "ECN is "+ecnNames[ecn]+", expected ect01")
	case i.ECN >= 0 && i.ECN != ecnEither && i.ECN != ecn:
		out = append(out, "ECN is "+ecnNames[ecn]+", expected "+ecnNames[i.ECN])
	}
	if i.TTL >= 0 {
		d.number("ttl", int64(i.TTL), int64(h.ttl))
	}
	if i.FlowLabel >= 0 {
		d.number("flowlabel", int64(i.FlowLabel), int64(h.flowLabel))
	}
	if i.DF >= 0 && !h.v6 {
		d.text("DF", [...]string{"nodf", "df"}[i.DF], [...]string{"nodf", "df"}[b2i(h.df)])
	}
	if i.Src.IsValid() {
		d.text("src", i.Src.String(), h.src.String())
	}
	if i.Dst.IsValid() {
		d.text("dst", i.Dst.String(), h.dst.String())
	}
	return out
}

var ecnNames = [...]string{"noecn", "ect1", "ect0", "ce", "ect01"}

// tosOf is the byte of a packet that arrives.
func (i IPInfo) tosOf() uint8 {
	tos := max(i.TOS, 0)
	switch {
	case i.ECN == ecnEither:
		tos = tos&^3 | 2
	case i.ECN >= 0:
		tos = tos&^3 | i.ECN
	}
	return uint8(tos)
}
