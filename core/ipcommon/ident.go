package ipcommon

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// The number of counters grows with their use. Flows that fall together use one
// counter, which keeps each flow's identifications apart all the same.
const (
	firstSlots = 4
	mostSlots  = 64
	slotUses   = 4 // identifications for each counter before there are twice as many
)

// Identifications makes the identifications of packets that may be fragmented:
// for each pair of addresses and protocol a counter from a random start, chosen
// by a secret hash, so that nobody can count our packets or foresee the next
// (RFC 7739 §5.3, RFC 6864). The zero value is ready.
type Identifications struct {
	table *identTable
}

type identTable struct {
	secret uint64
	next   []uint32 // a power of two
	used   int      // identifications made, while next may grow
}

// Next is the next identification for the pair.
func (g *Identifications) Next(random core.Source, src, dst wire.Addr, protocol uint32) uint32 {
	t := g.table
	if t == nil {
		t = &identTable{secret: random.Uint64(), next: make([]uint32, firstSlots)}
		for i := range t.next {
			t.next[i] = uint32(random.Uint64())
		}
		g.table = t
	}
	if len(t.next) < mostSlots {
		if t.used++; t.used > slotUses*len(t.next) {
			t.next = append(t.next, t.next...) // either half goes on where the flow's counter stood
		}
	}
	h := mix(t.secret ^ src.Lo)
	h = mix(h ^ src.Hi)
	h = mix(h ^ dst.Lo)
	h = mix(h ^ dst.Hi ^ uint64(protocol)<<32)
	slot := &t.next[h&uint64(len(t.next)-1)]
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
