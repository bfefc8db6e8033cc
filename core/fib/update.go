package fib

import (
	"math/bits"

	"github.com/libos-go/libos/core/wire"
)

// target is where a prefix belongs: its key, the number of whole digits (in
// bits) before its node, and the rest of its bits.
type target struct {
	key
	whole uint
	rest  uint
}

func makeTarget(p wire.Prefix) (g target, family int) {
	k, family, front := makeKey(p.Addr)
	length := uint(int(p.Bits) + front)
	return target{k, length / digit * digit, length % digit}, family
}

func (g *target) next(n uint) {
	g.key.next(n)
	g.whole -= n
}

// bit is the prefix's in its node.
func (g *target) bit() uint { return 1<<g.rest | uint(g.hi>>(64-g.rest)) }

func (g *target) digit() uint { return uint(g.hi >> (64 - digit)) }

// reaches reports whether g lies at or below the digit of n, and takes g there.
func (g *target) reaches(n *node) bool {
	skip := n.skip()
	if skip > g.whole || (g.hi^n.path)>>(64-skip) != 0 {
		return false
	}
	g.next(skip)
	return true
}

func (t *trie[V]) exact(p wire.Prefix) (v V, found bool) {
	g, family := makeTarget(p)
	n := &t.roots[family]
	for g.reaches(n) {
		if g.whole == 0 {
			if n.prefixes>>g.bit()&1 != 0 {
				return *t.values.at(n.values + rank(n.prefixes, g.bit())), true
			}
			break
		}
		c := g.digit()
		if n.branches>>c&1 == 0 {
			break
		}
		n = t.nodes.at(n.children + rank(n.branches, c))
		g.next(digit)
	}
	return v, false
}

// chain makes the node of a new prefix and those that must lead to it.
func (t *trie[V]) chain(g target, v V) node {
	if g.whole > pathMax {
		n := node{path: makePath(g.key, pathMax)}
		g.next(pathMax)
		n.branches = 1 << g.digit()
		g.next(digit)
		n.children = t.nodes.insert(0, 0, 0, t.chain(g, v))
		return n
	}
	n := node{path: makePath(g.key, g.whole)}
	g.next(g.whole)
	n.prefixes = 1 << g.bit()
	n.values = t.values.insert(0, 0, 0, v)
	return n
}

// split shortens the path of n to skip bits; what n was becomes its only child.
func (t *trie[V]) split(n node, skip uint) node {
	top := node{path: makePath(key{hi: n.path}, skip)}
	c := n.path << skip >> (64 - digit)
	n.path = n.path&^pathBits<<(skip+digit) | uint64(n.skip()-skip-digit)
	top.branches = 1 << c
	top.children = t.nodes.insert(0, 0, 0, n)
	return top
}

// compress joins n with its child if it has but one, no prefix of its own, and
// both paths fit into one.
func (t *trie[V]) compress(n *node) {
	if n.prefixes != 0 || bits.OnesCount64(n.branches) != 1 {
		return
	}
	run := n.children
	child := *t.nodes.at(run)
	skip := n.skip()
	if skip+digit+child.skip() > pathMax {
		return
	}
	c := uint64(bits.TrailingZeros64(n.branches))
	child.path = n.path&^pathBits | c<<(64-digit)>>skip | child.path&^pathBits>>(skip+digit) |
		uint64(skip+digit+child.skip())
	t.nodes.remove(run, 1, 0)
	*n = child
}

// nodeRef names a node through changes of the pool: a root, or an index.
type nodeRef struct {
	root  *node
	index uint32
}

func (t *trie[V]) deref(r nodeRef) *node {
	if r.root != nil {
		return r.root
	}
	return t.nodes.at(r.index)
}

func (t *trie[V]) insert(p wire.Prefix, v V) (old V, replaced bool) {
	g, family := makeTarget(p)
	ref := nodeRef{root: &t.roots[family]}
	n := ref.root
	if n.prefixes|n.branches == 0 {
		t.len++
		*n = t.chain(g, v)
		return old, false
	}
	for {
		if shared := min(uint(bits.LeadingZeros64(g.hi^n.path))/digit*digit, n.skip(), g.whole); shared < n.skip() {
			top := t.split(*n, shared)
			n = t.deref(ref)
			*n = top
		}
		g.next(n.skip())
		if g.whole == 0 {
			bit := g.bit()
			at := rank(n.prefixes, bit)
			if n.prefixes>>bit&1 != 0 {
				value := t.values.at(n.values + at)
				old, *value = *value, v
				return old, true
			}
			t.len++
			n.values = t.values.insert(n.values, bits.OnesCount64(n.prefixes), int(at), v)
			n.prefixes |= 1 << bit
			return old, false
		}
		c := g.digit()
		g.next(digit)
		at := rank(n.branches, c)
		if n.branches>>c&1 == 0 {
			t.len++
			run := t.nodes.insert(n.children, bits.OnesCount64(n.branches), int(at), t.chain(g, v))
			n = t.deref(ref)
			n.children = run
			n.branches |= 1 << c
			return old, false
		}
		ref = nodeRef{index: n.children + at}
		n = t.nodes.at(ref.index)
	}
}

func (t *trie[V]) delete(p wire.Prefix) (old V, deleted bool) {
	g, family := makeTarget(p)
	type step struct {
		ref   nodeRef
		digit uint
	}
	var above [(128+front4)/digit + 1]step
	depth := 0
	ref := nodeRef{root: &t.roots[family]}
	n := ref.root
	for {
		if !g.reaches(n) {
			return old, false
		}
		if g.whole == 0 {
			break
		}
		c := g.digit()
		if n.branches>>c&1 == 0 {
			return old, false
		}
		above[depth] = step{ref, c}
		depth++
		ref = nodeRef{index: n.children + rank(n.branches, c)}
		n = t.nodes.at(ref.index)
		g.next(digit)
	}
	bit := g.bit()
	if n.prefixes>>bit&1 == 0 {
		return old, false
	}
	at := rank(n.prefixes, bit)
	old = *t.values.at(n.values + at)
	n.values = t.values.remove(n.values, bits.OnesCount64(n.prefixes), int(at))
	n.prefixes &^= 1 << bit
	t.len--
	for n.prefixes|n.branches == 0 {
		if depth == 0 {
			*n = node{}
			return old, true
		}
		depth--
		ref = above[depth].ref
		n = t.deref(ref)
		c := above[depth].digit
		run := t.nodes.remove(n.children, bits.OnesCount64(n.branches), int(rank(n.branches, c)))
		n = t.deref(ref)
		n.children = run
		n.branches &^= 1 << c
	}
	t.compress(n)
	return old, true
}
