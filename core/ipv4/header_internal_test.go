package ipv4

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/libos-go/libos/core/wire"
)

func TestHeadersAreAsEncodeWritesThem(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	// Extreme values are drawn often: that is where carries are.
	value := func(bits int) uint64 {
		switch r.IntN(4) {
		case 0:
			return 0
		case 1:
			return 1<<bits - 1
		}
		return r.Uint64() >> (64 - bits)
	}
	for range 100_000 {
		tos, total, id, ttl, proto, src, dst := value(8), value(16), value(16), value(8), value(8), value(32), value(32)
		flags := uint64(wire.IPv4DontFragment) * value(1)
		got, want := make([]byte, 20), make(wire.IPv4, 20)
		putHeader(got, tos, total, id, flags, ttl, proto, src, dst)
		want.Encode(&wire.IPv4Fields{TOS: uint8(tos), TotalLen: int(total), ID: uint16(id), Flags: uint16(flags), TTL: uint8(ttl),
			Protocol: uint8(proto), Src: wire.FromV4(uint32(src)), Dst: wire.FromV4(uint32(dst))})
		if !bytes.Equal(got, want) {
			t.Fatalf("got  % x\nwant % x", got, []byte(want))
		}
	}
}
