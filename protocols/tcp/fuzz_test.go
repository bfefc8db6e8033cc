package tcp_test

import (
	"testing"
	"time"

	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/core/wire/wiretest"
)

// FuzzSegments lets any segments arrive on a connection with data in both
// directions: each begins with its length, then come its bytes from the data
// offset on; ports, checksum and a sequence number near the window are given, so
// that the checks behind them are reached. Nothing may panic, nothing may stay in
// the slabs.
func FuzzSegments(f *testing.F) {
	f.Add([]byte{24, 0x60, 0x10, 255, 255, 0, 0, 0, 0, 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 'h', 'i'})
	f.Add([]byte{9, 0x50, 0x18, 0, 0, 0, 0, 0, 0, 'x', 9, 0x50, 0x11, 1, 1, 0, 0, 0, 0, 'y'})
	f.Add([]byte{22, 0x80, 0x30, 9, 9, 0, 0, 0, 2, 1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 3, 233, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		p := newPeer(t, addrA, addrB)
		p.iss = 0x7fffff00
		c := p.after(10*time.Millisecond, sackOK(), ts(1, 0), wscale(2))
		c.writes(text(5 * full))
		for i := 0; len(b) > 1; i++ {
			n := min(int(b[0]), len(b)-1)
			rest := b[1 : 1+n]
			b = b[1+n:]
			if n < 8 {
				continue
			}
			seg := make(wire.TCP, 12+n)
			seg.Encode(&wire.TCPFields{SrcPort: uint16(p.from), DstPort: uint16(p.port), Seq: wire.Seq(p.iss + 1 + uint32(rest[2])<<2),
				Ack: wire.Seq(p.irs + 1 + uint32(rest[3])<<5)}, wire.TCPMinSize)
			copy(seg[12:], rest)
			seg.UpdateChecksum(wire.MustAddr(addrB), wire.MustAddr(addrA))
			p.wire.Inject(wiretest.IP(addrB, addrA, wiretest.Proto(wire.ProtoTCP)).Payload(string(seg)))
			p.Advance(time.Duration(rest[0]) * time.Millisecond)
		}
		_ = c.Close()
		p.Advance(time.Hour)
		p.drop()
	})
}
