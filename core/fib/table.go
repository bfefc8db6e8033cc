package fib

import (
	"slices"

	"github.com/libos-go/libos/core/wire"
)

// fewRoutes is the number of routes up to which a sorted list is smaller than
// the trie and as fast.
const fewRoutes = 12

// Table maps prefixes of both families to values; an IPv4 address matches IPv4
// prefixes only, an IPv6 address IPv6 prefixes only. The zero value is empty and
// ready. It is not safe for concurrent use, and the functions given to LookupFunc
// and Walk must not change it. If V holds no pointers, the collector has nothing
// to scan, whatever the number of routes.
//
// Host bits of a prefix given to Insert, Delete and Exact are ignored, and bits
// beyond the family's length are cut to it.
type Table[V any] struct {
	few  []route[V] // in Walk's order, while trie is nil
	trie *trie[V]
}

type route[V any] struct {
	prefix wire.Prefix // masked
	value  V
}

// normal clears host bits and cuts an overlong length.
func normal(p wire.Prefix) wire.Prefix { return wire.PrefixFrom(p.Addr, int(p.Bits)).Masked() }

// compare is Walk's order.
func (r *route[V]) compare(p wire.Prefix) int {
	if v4 := r.prefix.Is4(); v4 != p.Is4() {
		if v4 {
			return -1
		}
		return 1
	}
	if c := r.prefix.Addr.Compare(p.Addr); c != 0 {
		return c
	}
	return int(r.prefix.Bits) - int(p.Bits)
}

func (t *Table[V]) find(p wire.Prefix) (int, bool) {
	return slices.BinarySearchFunc(t.few, p, func(r route[V], p wire.Prefix) int { return r.compare(p) })
}

// Len returns the number of prefixes.
func (t *Table[V]) Len() int {
	if t.trie != nil {
		return t.trie.len
	}
	return len(t.few)
}

// Insert maps p to v, and returns the value it replaced, if any.
func (t *Table[V]) Insert(p wire.Prefix, v V) (old V, replaced bool) {
	p = normal(p)
	if t.trie != nil {
		return t.trie.insert(p, v)
	}
	i, found := t.find(p)
	if found {
		old, t.few[i].value = t.few[i].value, v
		return old, true
	}
	if len(t.few) < fewRoutes {
		if len(t.few) == cap(t.few) {
			t.few = append(make([]route[V], 0, grown(len(t.few))), t.few...)
		}
		t.few = slices.Insert(t.few, i, route[V]{p, v})
		return old, false
	}
	t.trie = new(trie[V])
	for i := range t.few {
		t.trie.insert(t.few[i].prefix, t.few[i].value)
	}
	t.few = nil
	return t.trie.insert(p, v)
}

// grown is the room for more than n routes: for those of a loopback device,
// then of one more device, then all. Most tables stay small.
func grown(n int) int {
	switch {
	case n < 3:
		return 3
	case n < 10:
		return 10
	}
	return fewRoutes
}

// Delete takes p out and returns its value, if it was there. Memory it used is
// kept for later prefixes; the last prefix gives back everything.
func (t *Table[V]) Delete(p wire.Prefix) (old V, deleted bool) {
	p = normal(p)
	if t.trie != nil {
		old, deleted = t.trie.delete(p)
		if t.trie.len == 0 {
			t.trie = nil
		}
		return old, deleted
	}
	i, found := t.find(p)
	if !found {
		return old, false
	}
	old = t.few[i].value
	if t.few = slices.Delete(t.few, i, i+1); len(t.few) == 0 {
		t.few = nil
	}
	return old, true
}

// Exact returns the value of p itself.
func (t *Table[V]) Exact(p wire.Prefix) (v V, found bool) {
	p = normal(p)
	if t.trie != nil {
		return t.trie.exact(p)
	}
	if i, found := t.find(p); found {
		return t.few[i].value, true
	}
	return v, false
}

// Lookup returns the value and the prefix of the longest match for a.
func (t *Table[V]) Lookup(a wire.Addr) (v V, p wire.Prefix, found bool) {
	if t.trie != nil {
		return t.trie.lookup(a)
	}
	// The prefixes that hold a are nested, and in the list a longer one is behind.
	for i := len(t.few) - 1; i >= 0; i-- {
		if r := &t.few[i]; r.prefix.Contains(a) {
			return r.value, r.prefix, true
		}
	}
	return v, p, false
}

// LookupFunc returns the longest match that accept agrees to: it is offered
// the matches for a from the longest to the shortest.
func (t *Table[V]) LookupFunc(a wire.Addr, accept func(wire.Prefix, V) bool) (v V, p wire.Prefix, found bool) {
	if t.trie != nil {
		return t.trie.lookupFunc(a, accept)
	}
	for i := len(t.few) - 1; i >= 0; i-- {
		if r := &t.few[i]; r.prefix.Contains(a) && accept(r.prefix, r.value) {
			return r.value, r.prefix, true
		}
	}
	return v, p, false
}

// Walk calls f for every prefix until it returns false: IPv4 before IPv6, each by
// ascending address, and a shorter prefix before the longer ones of its address.
func (t *Table[V]) Walk(f func(wire.Prefix, V) bool) {
	if t.trie != nil {
		t.trie.walk(f)
		return
	}
	for i := range t.few {
		if !f(t.few[i].prefix, t.few[i].value) {
			return
		}
	}
}
