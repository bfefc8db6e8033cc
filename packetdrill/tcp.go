package packetdrill

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// TCPSegment is a TCP segment of a script. Sequence numbers count from the sender's
// initial number as the script writes it.
type TCPSegment struct {
	Flags    uint16
	ACE      bool // the flags were written with an ACE counter
	Seq      uint32
	Len      int
	Ack      uint32
	HasAck   bool
	Window   int // -1 where it is not written
	Urgent   int
	Options  []TCPOption
	AnyOther bool // <...>: options are not compared
}

// The letters of flags, by bit: FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, AE.
const flagLetters = "FSRP.UEWA"

const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	flagPSH
	flagACK
	flagURG
	flagECE
	flagCWR
	flagAE
)

// flagsText writes flags as a script does.
func flagsText(f uint16) string {
	s := ""
	for _, letter := range "SFRPUEWA." { // the customary order
		if f>>strings.IndexRune(flagLetters, letter)&1 != 0 {
			s += string(letter)
		}
	}
	if s == "" {
		return "-"
	}
	return s
}

func (s *TCPSegment) flags(c *cursor) {
	c.space()
	start := c.at
	for c.at < len(c.src) && c.src[c.at] != ' ' && c.src[c.at] != '\t' {
		ch := c.src[c.at]
		switch i := strings.IndexByte(flagLetters, ch); {
		case i >= 0:
			s.Flags |= 1 << i
		case ch == '-' && c.at == start:
		case ch >= '0' && ch <= '7' && !s.ACE:
			s.ACE = true
			for bit, flag := range []uint16{flagECE, flagCWR, flagAE} {
				s.Flags |= (uint16(ch-'0') >> bit & 1) * flag
			}
		default:
			c.at = start
			c.fail("a kind of packet (udp, icmp, …) or the flags of a TCP segment (S, F, R, P, ., U, E, W, A or -) are expected before %s", c.next())
			return
		}
		c.at++
	}
	if c.at == start {
		c.fail("the flags of a TCP segment are missing")
	}
}

func parseTCP(c *cursor, p *Packet) Body {
	s := &TCPSegment{Window: -1, Urgent: -1}
	s.flags(c)
	s.Seq, s.Len = span32(c)
	for c.err == nil {
		switch {
		case c.takeWord("ack"):
			s.Ack, s.HasAck = c.sequence(), true
			continue
		case c.takeWord("win"):
			s.Window = int(c.number(65535))
			continue
		case c.takeWord("urg"):
			s.Urgent = int(c.number(65535))
			continue
		case c.take("<"):
			s.options(c)
		}
		break
	}
	if c.err != nil {
		return s
	}
	switch n := s.optionsLen(); {
	case p.Inbound && s.Window < 0 && s.Flags&flagRST == 0:
		c.fail("a segment that arrives needs a window: write win N")
	case p.Inbound && s.AnyOther:
		c.fail("a segment that arrives needs its options said: <...> is for those that are expected")
	case p.Inbound && n%4 != 0:
		c.fail("the options are %d bytes, which is no multiple of 4: add nop", n)
	case n > 40:
		c.fail("the options are %d bytes: 40 is the most", n)
	case s.HasAck && s.Flags&flagACK == 0:
		c.fail("ack %d without the flag . (ACK)", s.Ack)
	case p.Inbound && s.Flags&flagACK != 0 && !s.HasAck:
		c.fail("a segment with the flag . (ACK) that arrives needs a number: write ack N")
	}
	return s
}

// span32 takes first:last(length).
func span32(c *cursor) (seq uint32, n int) {
	seq = c.sequence()
	c.need(":")
	end := c.sequence()
	c.need("(")
	n = int(c.number(65535))
	c.need(")")
	if c.err == nil && end-seq != uint32(n) {
		c.fail("the numbers %d:%d are %d bytes, and the length says (%d)", seq, end, end-seq, n)
	}
	return seq, n
}

func (s *TCPSegment) protocol(bool) uint8 { return protoTCP }

func (s *TCPSegment) encode(x *exchange) ([]byte, error) {
	var options []byte
	for i := range s.Options {
		b, err := s.Options[i].bytes(x, true, nil)
		if err != nil {
			return nil, err
		}
		options = append(options, b...)
	}
	ack := uint32(0)
	if s.Flags&flagACK != 0 {
		ack = s.Ack + x.flow.offset
	}
	b := tcpHeader(x.sport, x.dport, s.Seq, ack, s.Flags, max(s.Window, 0), max(s.Urgent, 0), options)
	b = append(b, make([]byte, s.Len)...)
	binary.BigEndian.PutUint16(b[16:], checksum(b, pseudoHeader(x.src, x.dst, protoTCP, len(b))))
	x.flow.arrived(s)
	return b, nil
}

func tcpHeader(sport, dport uint16, seq, ack uint32, flags uint16, win, urg int, options []byte) []byte {
	b := make([]byte, 0, 64)
	b = binary.BigEndian.AppendUint16(b, sport)
	b = binary.BigEndian.AppendUint16(b, dport)
	b = binary.BigEndian.AppendUint32(b, seq)
	b = binary.BigEndian.AppendUint32(b, ack)
	b = binary.BigEndian.AppendUint16(b, uint16(5+len(options)/4)<<12|flags)
	b = binary.BigEndian.AppendUint16(b, uint16(win))
	b = binary.BigEndian.AppendUint16(b, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(urg))
	return append(b, options...)
}

// liveTCP is a segment that was sent.
type liveTCP struct {
	flags    uint16
	seq, ack uint32
	win, urg int
	options  [][]byte
	length   int
}

func parseLiveTCP(b []byte) (l liveTCP, err error) {
	if len(b) < 20 {
		return l, fmt.Errorf("a TCP segment of %d bytes", len(b))
	}
	word := binary.BigEndian.Uint16(b[12:])
	n := int(word>>12) * 4
	if n < 20 || n > len(b) {
		return l, fmt.Errorf("a TCP header of %d bytes in a segment of %d", n, len(b))
	}
	l.flags = word & 0x1ff
	l.seq, l.ack = binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	l.win, l.urg = int(binary.BigEndian.Uint16(b[14:])), int(binary.BigEndian.Uint16(b[18:]))
	l.length = len(b) - n
	l.options, err = splitOptions(b[20:n])
	return l, err
}

func (s *TCPSegment) match(x *exchange, b []byte) (out []string) {
	d := diffs{&out}
	l, err := parseLiveTCP(b)
	if err != nil {
		return []string{err.Error()}
	}
	if checksum(b, pseudoHeader(x.src, x.dst, protoTCP, len(b))) != 0 {
		out = append(out, "the TCP checksum is wrong")
	}
	x.flow.sent(&l, s.Seq)
	d.text("flags", flagsText(s.Flags), flagsText(l.flags))
	d.number("seq", int64(s.Seq), int64(l.seq-x.flow.offset))
	d.number("length", int64(s.Len), int64(l.length))
	if s.HasAck {
		d.number("ack", int64(s.Ack), int64(l.ack))
	}
	if s.Window >= 0 {
		d.number("win", int64(s.Window), int64(l.win))
	}
	if s.Urgent >= 0 {
		d.number("urg", int64(s.Urgent), int64(l.urg))
	}
	if !s.AnyOther {
		out = append(out, s.matchOptions(x, l.options)...)
	}
	return out
}

func (s *TCPSegment) matchOptions(x *exchange, live [][]byte) (out []string) {
	same := len(live) == len(s.Options)
	for i := range s.Options {
		if i >= len(live) {
			break
		}
		want, err := s.Options[i].bytes(x, false, live[i])
		if err != nil {
			out = append(out, err.Error())
			continue
		}
		same = same && slices.Equal(want, live[i])
	}
	if !same {
		out = append(out, fmt.Sprintf("options <%s>, expected <%s>", optionsText(x.flow, live), s.optionsText()))
	}
	return out
}

// tcpText is a live segment in the words of a script.
func tcpText(f *flow, b []byte) string {
	l, err := parseLiveTCP(b)
	if err != nil {
		return "tcp (" + err.Error() + ")"
	}
	seq := l.seq
	if f != nil {
		if f.known {
			seq -= f.offset
		} else if l.flags&flagSYN != 0 {
			seq = 0
		}
	}
	t := fmt.Sprintf("%s %d:%d(%d)", flagsText(l.flags), seq, seq+uint32(l.length), l.length)
	if l.flags&flagACK != 0 {
		t += fmt.Sprintf(" ack %d", l.ack)
	}
	t += fmt.Sprintf(" win %d", l.win)
	if l.flags&flagURG != 0 {
		t += fmt.Sprintf(" urg %d", l.urg)
	}
	if len(l.options) > 0 {
		t += " <" + optionsText(f, l.options) + ">"
	}
	return t
}
