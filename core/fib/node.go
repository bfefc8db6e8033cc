package fib

import (
	"math/bits"

	"github.com/libos-go/libos/core/wire"
)

// The trie is a tree bitmap (Eatherton, Varghese and Dittia, "Tree Bitmap:
// Hardware/Software IP Lookups with Incremental Updates", 2004) of 6-bit digits with
// paths compressed. A node stands at a digit of the key. Prefixes that end 0 to 5
// bits into that digit are its own: bit 1<<r|v of prefixes for the r bits of
// value v, which is the numbering of a binary heap from 1. Bit c of branches says that
// longer prefixes have digit c there. Values and child nodes of a node are
// two dense runs, in the order of the bits.
//
//	 path     digit at the node
//	[......]  0 1 … 63 ──► children (one for each bit in branches)
//	          └ prefixes ► values   (one for each bit in prefixes)
type node struct {
	prefixes uint64
	branches uint64
	path     uint64 // the digits skipped before the node's own from the top, their number of bits below
	children uint32 // run in trie.nodes
	values   uint32 // run in trie.values
}

const (
	digit    = 6
	pathMax  = 9 * digit // bits a path can hold beside their number
	pathBits = 1<<digit - 1
)

func (n *node) skip() uint { return uint(n.path & pathBits) }

func makePath(k key, skip uint) uint64 { return k.hi>>(64-skip)<<(64-skip) | uint64(skip) }

// rank is the number of bits set in m below bit i.
func rank(m uint64, i uint) uint32 { return uint32(bits.OnesCount64(m & (1<<(i&63) - 1))) }

// matches has the bits of all prefixes that a digit has, of 0 to 5 bits.
func matches(c uint64) uint64 {
	c |= 64
	return 1<<(c>>1&63) | 1<<(c>>2&63) | 1<<(c>>3&63) | 1<<(c>>4&63) | 1<<(c>>5&63) | 2
}

// key is an address whose next digit is on top. Zero bits are put in front of it
// (front4, front6) so that the most usual prefix lengths, /24 for IPv4 and /64 for
// IPv6, are the last that their node can hold and need none of their own. The one
// bit that this pushes out of 128 is spill.
type key struct{ hi, lo, spill uint64 }

const (
	front4 = 5
	front6 = 1
)

func makeKey(a wire.Addr) (k key, family int, front int) {
	if v4, ok := a.Unmap(); ok {
		return key{hi: uint64(v4) << (32 - front4)}, 0, front4
	}
	return key{a.Hi >> 1, a.Lo>>1 | a.Hi<<63, a.Lo & 1}, 1, front6
}

// next drops n ≤ pathMax bits. The spilled bit comes in behind the 128th; what
// later calls bring in is beyond every prefix.
func (k *key) next(n uint) {
	k.hi = k.hi<<(n&63) | k.lo>>1>>((63-n)&63)
	k.lo = k.lo<<(n&63) | k.spill<<(n&63)>>1
}

type trie[V any] struct {
	roots  [2]node // IPv4, IPv6
	nodes  pool[node]
	values pool[V]
	len    int
}

func (t *trie[V]) lookup(a wire.Addr) (v V, p wire.Prefix, found bool) {
	k, family, front := makeKey(a)
	n := &t.roots[family]
	depth := uint(0)
	var best *node
	var bestBits uint64
	var bestDepth uint
	for {
		if skip := n.skip(); skip != 0 {
			if (k.hi^n.path)>>((64-skip)&63) != 0 {
				break
			}
			k.next(skip)
			depth += skip
		}
		c := k.hi >> (64 - digit)
		if n.prefixes != 0 {
			if m := n.prefixes & matches(c); m != 0 {
				best, bestBits, bestDepth = n, m, depth
			}
		}
		if n.branches>>c&1 == 0 {
			break
		}
		n = t.nodes.at(n.children + rank(n.branches, uint(c)))
		k.next(digit)
		depth += digit
	}
	if best == nil {
		return v, p, false
	}
	bit := uint(bits.Len64(bestBits)) - 1
	length := int(bestDepth) + bits.Len(bit) - 1 - front
	return *t.values.at(best.values + rank(best.prefixes, bit)), wire.Prefix{Addr: a, Bits: uint8(length)}.Masked(), true
}

func (t *trie[V]) lookupFunc(a wire.Addr, accept func(wire.Prefix, V) bool) (v V, p wire.Prefix, found bool) {
	k, family, front := makeKey(a)
	n := &t.roots[family]
	depth := uint(0)
	type step struct {
		n     *node
		match uint64
		depth uint
	}
	var steps [(128+front4)/digit + 1]step
	count := 0
	for {
		skip := n.skip()
		if (k.hi^n.path)>>1>>((63-skip)&63) != 0 {
			break
		}
		k.next(skip)
		depth += skip
		c := k.hi >> (64 - digit)
		if m := n.prefixes & matches(c); m != 0 {
			steps[count] = step{n, m, depth}
			count++
		}
		if n.branches>>c&1 == 0 {
			break
		}
		n = t.nodes.at(n.children + rank(n.branches, uint(c)))
		k.next(digit)
		depth += digit
	}
	for count--; count >= 0; count-- {
		s := &steps[count]
		for m := s.match; m != 0; {
			bit := uint(bits.Len64(m)) - 1
			m &^= 1 << bit
			value := *t.values.at(s.n.values + rank(s.n.prefixes, bit))
			prefix := wire.Prefix{Addr: a, Bits: uint8(int(s.depth) + bits.Len(bit) - 1 - front)}.Masked()
			if accept(prefix, value) {
				return value, prefix, true
			}
		}
	}
	return v, p, false
}

// walk visits the families in turn.
func (t *trie[V]) walk(f func(wire.Prefix, V) bool) {
	_ = t.walkNode(&t.roots[0], place{depth: -front4, v4: true}, f) &&
		t.walkNode(&t.roots[1], place{depth: -front6}, f)
}

// place is how far down a walk is: the address bits so far and their number.
type place struct {
	hi, lo uint64
	depth  int
	v4     bool
}

// add appends the n top bits of d; the others must be zero.
func (p place) add(d uint64, n int) place {
	switch {
	case p.depth < 0:
		p.hi |= d << -p.depth
	case p.depth < 64:
		p.hi |= d >> p.depth
		p.lo |= d << (64 - p.depth)
	default:
		p.lo |= d >> (p.depth - 64)
	}
	p.depth += n
	return p
}

func (p place) prefix() wire.Prefix {
	if p.v4 {
		return wire.Prefix{Addr: wire.FromV4(uint32(p.hi >> 32)), Bits: uint8(p.depth)}
	}
	return wire.Prefix{Addr: wire.Addr{Hi: p.hi, Lo: p.lo}, Bits: uint8(p.depth)}
}

func (t *trie[V]) walkNode(n *node, at place, f func(wire.Prefix, V) bool) bool {
	skip := n.skip()
	at = at.add(n.path&^pathBits, int(skip))
	for c := range uint(64) {
		// The prefixes that begin at c, from short to long.
		for r := uint(max(0, digit-bits.TrailingZeros(c|64))); r < digit; r++ {
			bit := 1<<r | c>>(digit-r)
			if n.prefixes>>bit&1 != 0 {
				p := at.add(uint64(c)<<(64-digit), int(r)).prefix()
				if !f(p, *t.values.at(n.values + rank(n.prefixes, bit))) {
					return false
				}
			}
		}
		if n.branches>>c&1 != 0 {
			child := t.nodes.at(n.children + rank(n.branches, c))
			if !t.walkNode(child, at.add(uint64(c)<<(64-digit), digit), f) {
				return false
			}
		}
	}
	return true
}
