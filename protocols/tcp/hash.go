package tcp

import (
	"math/bits"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// secret is an instance's key for everything an outsider must not guess:
// sequence numbers, cookies, ports, places in hash tables.
type secret struct{ k0, k1 uint64 }

func newSecret(r core.Source) secret { return secret{r.Uint64(), r.Uint64()} }

// sum is SipHash-2-4 (Aumasson, Bernstein 2012) of whole words.
func (s *secret) sum(words ...uint64) uint64 {
	v0, v1 := s.k0^0x736f6d6570736575, s.k1^0x646f72616e646f6d
	v2, v3 := s.k0^0x6c7967656e657261, s.k1^0x7465646279746573
	round := func() {
		v0 += v1
		v1 = bits.RotateLeft64(v1, 13) ^ v0
		v0 = bits.RotateLeft64(v0, 32)
		v2 += v3
		v3 = bits.RotateLeft64(v3, 16) ^ v2
		v0 += v3
		v3 = bits.RotateLeft64(v3, 21) ^ v0
		v2 += v1
		v1 = bits.RotateLeft64(v1, 17) ^ v2
		v2 = bits.RotateLeft64(v2, 32)
	}
	add := func(m uint64) {
		v3 ^= m
		round()
		round()
		v0 ^= m
	}
	for _, m := range words {
		add(m)
	}
	add(uint64(len(words)*8) << 56)
	v2 ^= 0xff
	round()
	round()
	round()
	round()
	return v0 ^ v1 ^ v2 ^ v3
}

// tuple names a connection: local and remote address and port.
type tuple struct {
	local, peer  wire.Addr
	lport, pport uint16
}

// equal is ==, which the compiler makes a call of.
func (t *tuple) equal(u *tuple) bool {
	return t.ports() == u.ports() && t.peer.Lo == u.peer.Lo && t.local.Lo == u.local.Lo && t.peer.Hi == u.peer.Hi && t.local.Hi == u.local.Hi
}

func (t *tuple) ports() uint64 { return uint64(t.lport)<<16 | uint64(t.pport) }

// hash is the place of t in the table of connections: keyed and cheap, one
// multiplication to 128 bits for each pair of words.
func (s *secret) hash(t *tuple) uint32 {
	h0, l0 := bits.Mul64(t.local.Lo^t.local.Hi^s.k0, t.peer.Lo^s.k1)
	h1, l1 := bits.Mul64(t.peer.Hi^h0^l0^s.k1, t.ports()^s.k0)
	h := h1 ^ l1
	return uint32(h>>32) ^ uint32(h)
}

// initialSequence is RFC 6528 §3: a clock of 4 µs and a keyed hash of the
// connection, so that numbers grow over incarnations and cannot be guessed.
func (s *secret) initialSequence(t *tuple, now core.Time) wire.Seq {
	h := s.sum(t.local.Hi, t.local.Lo, t.peer.Hi, t.peer.Lo, t.ports(), 1)
	return wire.Seq(uint32(now/4000) + uint32(h))
}

// timestampOffset makes the timestamps of different peers unrelated (RFC 7323
// §5.4): they tell nothing of the uptime.
func (s *secret) timestampOffset(local, peer wire.Addr) uint32 {
	return uint32(s.sum(local.Hi, local.Lo, peer.Hi, peer.Lo, 2))
}
