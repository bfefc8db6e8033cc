package ipcommon

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// identSlots is the number of counters. Flows that fall together use one
// counter, which keeps each flow's identifications apart all the same.
const identSlots = 64

// Identifications makes the identifications of packets that may be fragmented:
// for each pair of addresses and protocol a counter from a random start, chosen
// by a secret hash, so that nobody can count our packets or foresee the next
// (RFC 7739 §5.3, RFC 6864). The zero value is ready.
type Identifications struct {
	secret uint64
	next   []uint32
}

// Next is the next identification for the pair.
func (g *Identifications) Next(random core.Source, src, dst wire.Addr, protocol uint32) uint32 {
	if g.next == nil {
		g.secret = random.Uint64()
		g.next = make([]uint32, identSlots)
		for i := range g.next {
			g.next[i] = uint32(random.Uint64())
		}
	}
	h := mix(g.secret ^ src.Lo)
	h = mix(h ^ src.Hi)
	h = mix(h ^ dst.Lo)
	h = mix(h ^ dst.Hi ^ uint64(protocol)<<32)
	slot := &g.next[h%identSlots]
	id := *slot + uint32(h>>32)
	*slot++
	return id
}

// mix is the finisher of splitmix64.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
