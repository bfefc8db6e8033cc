package devicetest

import (
	"encoding/binary"
	"fmt"

	"github.com/libos-go/libos/core/wire"
)

// MinSize is the smallest packet of a station in bytes: IPv4, UDP and a number.
const MinSize = 20 + 8 + 4

// Fill makes b a valid UDP datagram over IPv4 from src to dst that carries
// number n and a pattern made of it. b is at least MinSize bytes long.
func Fill(b []byte, src, dst wire.Addr, n uint32) {
	clear(b[:28])
	b[0] = 0x45
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	b[8], b[9] = 64, 17
	src.Put4(b[12:])
	dst.Put4(b[16:])
	binary.BigEndian.PutUint16(b[10:], wire.Finish(wire.Sum(b[:20], 0)))
	udp := b[20:]
	binary.BigEndian.PutUint16(udp[0:], 7)
	binary.BigEndian.PutUint16(udp[2:], 7)
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
	binary.BigEndian.PutUint32(udp[8:], n)
	for i := range udp[12:] {
		udp[12+i] = byte(n) + byte(i)*7
	}
	sum := wire.Finish(wire.Sum(udp, wire.PseudoHeader(src, dst, 17, len(udp))))
	if sum == 0 {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(udp[6:], sum)
}

// Number checks a packet made by Fill, but for its TTL and addresses, and
// returns its number.
func Number(b []byte) (uint32, error) {
	if len(b) < MinSize || b[0] != 0x45 {
		return 0, fmt.Errorf("%d bytes are no packet of a station: % x", len(b), b[:min(len(b), 40)])
	}
	if n := int(binary.BigEndian.Uint16(b[2:])); n != len(b) {
		return 0, fmt.Errorf("a packet of %d bytes has %d", n, len(b))
	}
	src, dst := wire.AddrFrom4([4]byte(b[12:16])), wire.AddrFrom4([4]byte(b[16:20]))
	udp := b[20:]
	if s := wire.Finish(wire.Sum(udp, wire.PseudoHeader(src, dst, 17, len(udp)))); s != 0 {
		return 0, fmt.Errorf("a bad checksum, off by %#04x", s)
	}
	n := binary.BigEndian.Uint32(udp[8:])
	for i, x := range udp[12:] {
		if x != byte(n)+byte(i)*7 {
			return n, fmt.Errorf("packet %d has byte %d damaged", n, 32+i)
		}
	}
	return n, nil
}
