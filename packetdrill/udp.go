package packetdrill

import (
	"encoding/binary"
	"fmt"
)

// UDPDatagram is a UDP or UDP-Lite datagram of a script: udp (N), udplite (N) or
// udplite (N, COVERAGE).
type UDPDatagram struct {
	Lite     bool
	Len      int // bytes of payload
	Coverage int // of UDP-Lite's checksum, with its header; -1 where it is not written
}

func parseUDP(c *cursor, _ *Packet) Body { return parseDatagram(c, false) }

func parseUDPLite(c *cursor, _ *Packet) Body { return parseDatagram(c, true) }

func parseDatagram(c *cursor, lite bool) Body {
	u := &UDPDatagram{Lite: lite, Coverage: -1}
	c.need("(")
	u.Len = int(c.number(65535))
	if lite && c.take(",") {
		if u.Coverage = int(c.number(65535)); u.Coverage != 0 && (u.Coverage < 8 || u.Coverage > u.Len+8) {
			c.fail("a coverage of %d: write 0 for all, or 8 to %d", u.Coverage, u.Len+8)
		}
	}
	c.need(")")
	return u
}

func (u *UDPDatagram) protocol(bool) uint8 {
	if u.Lite {
		return protoUDPLite
	}
	return protoUDP
}

// covered is how much of a datagram of n bytes the checksum covers.
func covered(field, n int) int {
	if field == 0 || field > n {
		return n
	}
	return field
}

func (u *UDPDatagram) encode(x *exchange) ([]byte, error) {
	if u.Len > 65535-8 {
		return nil, fmt.Errorf("a datagram of %d bytes: %d is the most", u.Len, 65535-8)
	}
	n, proto := 8+u.Len, u.protocol(x.v6)
	field := n
	if u.Lite {
		field = max(u.Coverage, 0)
	}
	b := make([]byte, n)
	udpHeader(b, x.sport, x.dport, field)
	over := n
	if u.Lite {
		over = covered(field, n)
	}
	sum := checksum(b[:over], pseudoHeader(x.src, x.dst, proto, n))
	if sum == 0 {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(b[6:], sum)
	return b, nil
}

func udpHeader(b []byte, sport, dport uint16, field int) {
	binary.BigEndian.PutUint16(b, sport)
	binary.BigEndian.PutUint16(b[2:], dport)
	binary.BigEndian.PutUint16(b[4:], uint16(field))
}

func (u *UDPDatagram) match(x *exchange, b []byte) (out []string) {
	d := diffs{&out}
	if len(b) < 8 {
		return []string{fmt.Sprintf("a datagram of %d bytes", len(b))}
	}
	field, over := int(binary.BigEndian.Uint16(b[4:])), len(b)
	if u.Lite {
		over = covered(field, len(b))
		if u.Coverage >= 0 {
			d.number("coverage", int64(u.Coverage), int64(field))
		}
	} else if field != len(b) {
		out = append(out, fmt.Sprintf("the length in the header is %d, of %d bytes", field, len(b)))
	}
	d.number("length", int64(u.Len), int64(len(b)-8))
	proto := u.protocol(x.v6)
	switch sum := binary.BigEndian.Uint16(b[6:]); {
	case x.packet.IP.Sum == sumNone:
		d.number("checksum", 0, int64(sum))
	case sum == 0 && proto == protoUDP && !x.v6: // none
	case sum == 0 || checksum(b[:over], pseudoHeader(x.src, x.dst, proto, len(b))) != 0:
		out = append(out, "the checksum is wrong")
	}
	return out
}

// udpText is a live datagram in the words of a script.
func udpText(lite bool, b []byte) string {
	if len(b) < 8 {
		return fmt.Sprintf("udp cut off after %d bytes", len(b))
	}
	if lite {
		return fmt.Sprintf("udplite (%d, %d)", len(b)-8, binary.BigEndian.Uint16(b[4:]))
	}
	return fmt.Sprintf("udp (%d)", len(b)-8)
}
