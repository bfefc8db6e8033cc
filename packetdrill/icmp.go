package packetdrill

import (
	"encoding/binary"
	"fmt"
)

// ICMPMessage is an ICMP message of a script, of the run's family.
type ICMPMessage struct {
	Type, Code icmpName
	MTU        int64 // -1 where it is not written
	ID, Seq    int   // of an echo; -1 where they are not written
	Len        int   // of an echo's data; -1 where it is not written
	Quote      *quote
}

// icmpName is a type or code: a word or a number.
type icmpName struct {
	word  string
	value int // -1 where nothing is written
	line  int
}

// quote is the packet that an error is about.
type quote struct {
	proto uint8 // TCP, UDP, UDP-Lite, or 0 for raw bytes
	seq   uint32
	len   int
}

// icmpRow is a type of message or, where of is set, a code of a type.
type icmpRow struct {
	of, word string
	v4, v6   int // -1: the family has none
}

// icmpRows are the names of types and codes (IANA's registries).
var icmpRows = [...]icmpRow{
	{"", "echo_reply", 0, 129},
	{"", "unreachable", 3, 1},
	{"", "source_quench", 4, -1},
	{"", "redirect", 5, 137},
	{"", "echo_request", 8, 128},
	{"", "router_advertisement", 9, 134},
	{"", "router_solicitation", 10, 133},
	{"", "neighbour_solicitation", -1, 135},
	{"", "neighbour_advertisement", -1, 136},
	{"", "time_exceeded", 11, 3},
	{"", "parameter_problem", 12, 4},
	{"", "timestamp_request", 13, -1},
	{"", "timestamp_reply", 14, -1},
	{"", "packet_too_big", -1, 2},
	{"unreachable", "net_unreachable", 0, 0},
	{"unreachable", "host_unreachable", 1, 3},
	{"unreachable", "protocol_unreachable", 2, -1},
	{"unreachable", "port_unreachable", 3, 4},
	{"unreachable", "frag_needed", 4, -1},
	{"unreachable", "source_route_failed", 5, -1},
	{"unreachable", "net_unknown", 6, -1},
	{"unreachable", "host_unknown", 7, -1},
	{"unreachable", "source_host_isolated", 8, -1},
	{"unreachable", "net_prohibited", 9, -1},
	{"unreachable", "host_prohibited", 10, -1},
	{"unreachable", "net_unreachable_for_tos", 11, -1},
	{"unreachable", "host_unreachable_for_tos", 12, -1},
	{"unreachable", "packet_filtered", 13, -1},
	{"unreachable", "admin_prohibited", 13, 1},
	{"unreachable", "precedence_violation", 14, -1},
	{"unreachable", "precedence_cutoff", 15, -1},
	{"unreachable", "not_neighbour", -1, 2},
	{"unreachable", "address_unreachable", -1, 3},
	{"unreachable", "policy_fail", -1, 5},
	{"unreachable", "reject_route", -1, 6},
	{"time_exceeded", "ttl_exceeded", 0, 0},
	{"time_exceeded", "exc_ttl", 0, 0},
	{"time_exceeded", "hoplimit_exceeded", -1, 0},
	{"time_exceeded", "exc_fragtime", 1, 1},
	{"time_exceeded", "reassembly_exceeded", 1, 1},
	{"parameter_problem", "header_field", 0, 0},
	{"parameter_problem", "unknown_nexthdr", -1, 1},
	{"parameter_problem", "unknown_next_header", -1, 1},
	{"parameter_problem", "unknown_option", 1, 2},
	{"redirect", "redirect_net", 0, -1},
	{"redirect", "redirect_host", 1, 0},
}

// number is the value of a name in a family.
func (n icmpName) number(of string, v6 bool) (int, error) {
	if n.word == "" {
		return max(n.value, 0), nil
	}
	for _, r := range icmpRows {
		if r.of == of && r.word == n.word {
			v := r.v4
			if v6 {
				v = r.v6
			}
			if v < 0 {
				return 0, fmt.Errorf("%s does not exist in this IP version: say --ip_version in the script", n.word)
			}
			return v, nil
		}
	}
	return 0, fmt.Errorf("no code %s of %s is known: write its number", n.word, of)
}

// icmpWord is the name of a live number, the number where there is none.
func icmpWord(of string, n int, v6 bool) string {
	for _, r := range icmpRows {
		v := r.v4
		if v6 {
			v = r.v6
		}
		if r.of == of && v == n {
			return r.word
		}
	}
	return fmt.Sprint(n)
}

func parseICMP(c *cursor, _ *Packet) Body {
	m := &ICMPMessage{MTU: -1, ID: -1, Seq: -1, Len: -1, Code: icmpName{value: -1}}
	m.Type = name(c)
	known := m.Type.word == ""
	for _, r := range icmpRows {
		known = known || r.of == "" && r.word == m.Type.word
	}
	if !known {
		c.fail("no ICMP message is called %s: write its number", m.Type.word)
		return m
	}
	for c.err == nil {
		switch w := c.peekWord(); {
		case w == "mtu":
			c.take(w)
			m.MTU = int64(c.number(1<<32 - 1))
		case w == "id":
			c.take(w)
			m.ID = int(c.number(65535))
		case w == "seq":
			c.take(w)
			m.Seq = int(c.number(65535))
		case c.take("("):
			m.Len = int(c.number(65000))
			c.need(")")
		case c.take("["):
			m.Quote = parseQuote(c)
			c.need("]")
		case m.Code.value < 0 && m.Code.word == "" && (isCode(w) || w == "code"):
			c.takeWord("code")
			m.Code = name(c)
		case m.Code.value < 0 && m.Code.word == "" && m.Quote == nil && m.MTU < 0 && m.ID < 0 && onThisLine(c):
			m.Code = name(c)
		default:
			return m
		}
	}
	return m
}

// onThisLine tells whether a number follows in the line and not a time of the next.
func onThisLine(c *cursor) bool {
	mark := c.at
	defer func() { c.at = mark }()
	return c.peekDigit() && mark > 0 && c.lineAt(mark-1) == c.line()
}

func isCode(w string) bool {
	for _, r := range icmpRows {
		if r.of != "" && r.word == w {
			return true
		}
	}
	return false
}

func name(c *cursor) icmpName {
	n := icmpName{value: -1, line: c.line()}
	if n.word = c.word(); n.word == "" {
		n.value = int(c.number(255))
	}
	return n
}

func parseQuote(c *cursor) *quote {
	q := &quote{}
	switch w := c.peekWord(); w {
	case "udp", "udplite", "raw":
		c.take(w)
		q.proto = map[string]uint8{"udp": protoUDP, "udplite": protoUDPLite}[w]
		c.need("(")
		q.len = int(c.number(65000))
		c.need(")")
	default:
		q.proto = protoTCP
		q.seq, q.len = span32(c)
	}
	return q
}

func (m *ICMPMessage) protocol(v6 bool) uint8 {
	if v6 {
		return protoICMPv6
	}
	return protoICMP
}

func (m *ICMPMessage) numbers(v6 bool) (typ, code int, err error) {
	if typ, err = m.Type.number("", v6); err == nil {
		code, err = m.Code.number(m.Type.word, v6)
	}
	return typ, code, err
}

// echo tells whether a type has an identifier and a sequence number.
func echo(typ int, v6 bool) bool {
	if v6 {
		return typ == 128 || typ == 129
	}
	return typ == 0 || typ == 8 || typ == 13 || typ == 14
}

func (m *ICMPMessage) encode(x *exchange) ([]byte, error) {
	typ, code, err := m.numbers(x.v6)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 8, 128)
	b[0], b[1] = byte(typ), byte(code)
	switch {
	case echo(typ, x.v6):
		binary.BigEndian.PutUint16(b[4:], uint16(max(m.ID, 0)))
		binary.BigEndian.PutUint16(b[6:], uint16(max(m.Seq, 0)))
	case m.MTU >= 0:
		binary.BigEndian.PutUint32(b[4:], uint32(m.MTU))
	}
	if m.Len > 0 {
		b = append(b, make([]byte, m.Len)...)
	}
	if m.Quote != nil {
		q, err := m.Quote.encode(x)
		if err != nil {
			return nil, err
		}
		b = append(b, q...)
	}
	s := uint32(0)
	if x.v6 {
		s = pseudoHeader(x.src, x.dst, protoICMPv6, len(b))
	}
	binary.BigEndian.PutUint16(b[2:], checksum(b, s))
	return b, nil
}

// encode is the beginning of the packet that the other side was sent: the flow's,
// in the other direction.
func (q *quote) encode(x *exchange) ([]byte, error) {
	proto := q.proto
	var b []byte
	switch q.proto {
	case protoTCP:
		b = tcpHeader(x.dport, x.sport, q.seq+x.flow.offset, 0, flagACK, 0, 0, nil)
	case 0:
		proto, b = 255, make([]byte, min(q.len, 8))
	default:
		b = make([]byte, 8)
		udpHeader(b, x.dport, x.sport, 8+q.len)
	}
	h, err := appendIP(nil, x.dst, x.src, proto, 0, 64, 0, append(b, make([]byte, q.len)...))
	if err != nil {
		return nil, err
	}
	return h[:len(h)-q.len], nil
}

func (m *ICMPMessage) match(x *exchange, b []byte) (out []string) {
	d := diffs{&out}
	typ, code, err := m.numbers(x.v6)
	switch {
	case err != nil:
		return []string{err.Error()}
	case len(b) < 8:
		return []string{fmt.Sprintf("an ICMP message of %d bytes", len(b))}
	}
	s := uint32(0)
	if x.v6 {
		s = pseudoHeader(x.src, x.dst, protoICMPv6, len(b))
	}
	if checksum(b, s) != 0 {
		out = append(out, "the ICMP checksum is wrong")
	}
	d.text("type", icmpWord("", typ, x.v6), icmpWord("", int(b[0]), x.v6))
	of := icmpWord("", typ, x.v6)
	d.text("code", icmpWord(of, code, x.v6), icmpWord(of, int(b[1]), x.v6))
	if m.MTU >= 0 {
		d.number("mtu", m.MTU, int64(binary.BigEndian.Uint32(b[4:])))
	}
	if m.ID >= 0 {
		d.number("id", int64(m.ID), int64(binary.BigEndian.Uint16(b[4:])))
	}
	if m.Seq >= 0 {
		d.number("seq", int64(m.Seq), int64(binary.BigEndian.Uint16(b[6:])))
	}
	if m.Len >= 0 {
		d.number("length", int64(m.Len), int64(len(b)-8))
	}
	if m.Quote != nil {
		out = append(out, m.Quote.match(x, b[8:])...)
	}
	return out
}

// match compares what an error that was sent quotes: a packet that had arrived.
func (q *quote) match(x *exchange, b []byte) (out []string) {
	d := diffs{&out}
	h, total := b, 0
	if len(b) < 1 || b[0]>>4 == 4 && len(b) < 28 || b[0]>>4 == 6 && len(b) < 48 {
		return []string{"the packet that it quotes is cut off"}
	}
	proto := b[6]
	if b[0]>>4 == 4 {
		n := int(b[0]&15) * 4
		proto, total, h = b[9], int(binary.BigEndian.Uint16(b[2:]))-n, b[min(n, len(b)):]
	} else {
		total, h = int(binary.BigEndian.Uint16(b[4:])), b[40:]
	}
	if q.proto != 0 {
		d.number("protocol of the quoted packet", int64(q.proto), int64(proto))
	}
	switch {
	case len(out) > 0 || len(h) < 8:
	case q.proto == protoTCP:
		d.number("seq of the quoted segment", int64(q.seq), int64(binary.BigEndian.Uint32(h[4:])))
	case q.proto == 0:
		d.number("length of the quoted payload", int64(q.len), int64(total))
	default:
		d.number("length of the quoted datagram", int64(q.len), int64(total-8))
	}
	return out
}

// icmpText is a live message in the words of a script.
func icmpText(v6 bool, b []byte) string {
	if len(b) < 8 {
		return fmt.Sprintf("icmp cut off after %d bytes", len(b))
	}
	typ := icmpWord("", int(b[0]), v6)
	t := fmt.Sprintf("icmp %s %s", typ, icmpWord(typ, int(b[1]), v6))
	switch {
	case echo(int(b[0]), v6):
		return fmt.Sprintf("icmp %s id %d seq %d (%d)", typ, binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:]), len(b)-8)
	case v6 && b[0] == 2 || !v6 && b[0] == 3 && b[1] == 4:
		t += fmt.Sprintf(" mtu %d", binary.BigEndian.Uint32(b[4:]))
	}
	return t
}
