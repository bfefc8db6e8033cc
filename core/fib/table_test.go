package fib

import (
	"cmp"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/libos-go/libos/core/wire"
)

func pfx(s string) wire.Prefix { return wire.MustPrefix(s) }

func TestEmptyTableIsTiny(t *testing.T) {
	var tab Table[uint32]
	if n := unsafe.Sizeof(tab); n > 48 {
		t.Errorf("an empty table has %d bytes", n)
	}
	if _, _, found := tab.Lookup(wire.MustAddr("10.0.0.1")); found {
		t.Error("an empty table found something")
	}
	if _, deleted := tab.Delete(pfx("::/0")); deleted || tab.Len() != 0 {
		t.Error("an empty table deleted something")
	}
}

// tables gives the same routes as a list and as a trie.
func tables(routes ...string) map[string]*Table[string] {
	few, many := new(Table[string]), &Table[string]{trie: new(trie[string])}
	for _, r := range routes {
		few.Insert(pfx(r), r)
		many.Insert(pfx(r), r)
	}
	return map[string]*Table[string]{"few": few, "many": many}
}

func TestLongestPrefixWins(t *testing.T) {
	for name, tab := range tables("0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32",
		"::/0", "2001:db8::/32", "2001:db8:0:1::/64", "2001:db8:0:1::5/128", "fe80::/10") {
		for _, c := range [][2]string{
			{"10.1.2.3", "10.1.2.3/32"}, {"10.1.2.4", "10.1.2.0/24"}, {"10.1.3.4", "10.1.0.0/16"},
			{"10.200.0.1", "10.0.0.0/8"}, {"11.0.0.1", "0.0.0.0/0"}, {"255.255.255.255", "0.0.0.0/0"},
			{"2001:db8:0:1::5", "2001:db8:0:1::5/128"}, {"2001:db8:0:1::4", "2001:db8:0:1::/64"},
			{"2001:db8:0:2::", "2001:db8::/32"}, {"fe80::1", "fe80::/10"}, {"::1", "::/0"},
			{"2001:db9::", "::/0"}, {"febf:ffff::", "fe80::/10"}, {"fec0::", "::/0"},
		} {
			v, p, found := tab.Lookup(wire.MustAddr(c[0]))
			if !found || v != c[1] || p != pfx(c[1]) {
				t.Errorf("%s: %s matches %v %v, want %s", name, c[0], p, found, c[1])
			}
		}
	}
}

func TestFamiliesDoNotMeet(t *testing.T) {
	for name, tab := range tables("::/0", "::/80") {
		if _, p, found := tab.Lookup(wire.MustAddr("10.0.0.1")); found {
			t.Errorf("%s: an IPv4 address matches %v", name, p)
		}
	}
	for name, tab := range tables("0.0.0.0/0") {
		for _, a := range []string{"::1", "::fffe:0:1", "::1:0:0:0"} {
			if _, p, found := tab.Lookup(wire.MustAddr(a)); found {
				t.Errorf("%s: %s matches %v", name, a, p)
			}
		}
	}
}

func TestHostBitsAndOverlongLengthsDoNotMatter(t *testing.T) {
	for name, tab := range tables() {
		tab.Insert(pfx("10.1.2.3/8"), "a")
		if old, replaced := tab.Insert(pfx("10.9.9.9/8"), "b"); !replaced || old != "a" {
			t.Errorf("%s: replaced %q %v", name, old, replaced)
		}
		if v, found := tab.Exact(pfx("10.0.0.0/8")); !found || v != "b" {
			t.Errorf("%s: exact %q %v", name, v, found)
		}
		tab.Insert(wire.Prefix{Addr: wire.MustAddr("1.2.3.4"), Bits: 200}, "host")
		if v, _, _ := tab.Lookup(wire.MustAddr("1.2.3.4")); v != "host" {
			t.Errorf("%s: got %q", name, v)
		}
		if _, deleted := tab.Delete(wire.Prefix{Addr: wire.MustAddr("1.2.3.4"), Bits: 33}); !deleted || tab.Len() != 1 {
			t.Errorf("%s: not deleted", name)
		}
	}
}

func TestLookupFuncOffersShorterPrefixes(t *testing.T) {
	for name, tab := range tables("0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/23", "10.1.2.0/24", "10.1.2.3/32", "10.1.2.4/32") {
		var offered []string
		_, p, found := tab.LookupFunc(wire.MustAddr("10.1.2.3"), func(p wire.Prefix, v string) bool {
			if p.String() != v {
				t.Errorf("%s: %v has the value of %s", name, p, v)
			}
			offered = append(offered, v)
			return p.Bits == 0
		})
		want := []string{"10.1.2.3/32", "10.1.2.0/24", "10.1.2.0/23", "10.1.0.0/16", "10.0.0.0/8", "0.0.0.0/0"}
		if !slices.Equal(offered, want) || !found || p != pfx("0.0.0.0/0") {
			t.Errorf("%s: offered %v, took %v %v", name, offered, p, found)
		}
		if _, _, found := tab.LookupFunc(wire.MustAddr("10.1.2.3"), func(wire.Prefix, string) bool { return false }); found {
			t.Errorf("%s: found what was refused", name)
		}
	}
}

func TestWalkGoesByFamilyAddressAndLength(t *testing.T) {
	want := []string{"0.0.0.0/0", "0.0.0.0/8", "10.0.0.0/8", "10.0.0.0/24", "10.0.0.0/32", "10.0.0.1/32", "255.255.255.255/32",
		"::/0", "::/96", "::/128", "2001:db8::/32", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"}
	if len(want) > fewRoutes {
		t.Fatal("too many for the list")
	}
	backwards := slices.Clone(want)
	slices.Reverse(backwards)
	for name, tab := range tables(backwards...) {
		var got []string
		tab.Walk(func(p wire.Prefix, v string) bool {
			if p.String() != v {
				t.Errorf("%s: %v has the value of %s", name, p, v)
			}
			got = append(got, v)
			return true
		})
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v", name, got)
		}
		for stop := range want {
			n := 0
			tab.Walk(func(wire.Prefix, string) bool { n++; return n <= stop })
			if n != stop+1 {
				t.Errorf("%s: stopped after %d of %d", name, n, stop+1)
			}
		}
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	for _, n := range []int{fewRoutes, 1000} {
		tab, addrs := random4(n, 1)
		i := 0
		if got := testing.AllocsPerRun(1000, func() {
			tab.Lookup(addrs[i%len(addrs)])
			tab.LookupFunc(addrs[i%len(addrs)], func(p wire.Prefix, v uint32) bool { return p.Bits < 20 })
			i++
		}); got != 0 {
			t.Errorf("%d routes: %v allocations", n, got)
		}
	}
}

func TestDeletedRoutesGiveTheirMemoryToOthers(t *testing.T) {
	tab := new(Table[*int])
	r := rand.New(rand.NewPCG(1, 2))
	size := func() int { return len(tab.trie.nodes.chunks) + len(tab.trie.values.chunks) }
	var live []wire.Prefix
	fill := func() {
		for len(live) < 20_000 {
			p := randomPrefix(r)
			if _, replaced := tab.Insert(p, new(int)); !replaced {
				live = append(live, p)
			}
		}
	}
	fill()
	first := size()
	for range 20 {
		r.Shuffle(len(live), func(i, j int) { live[i], live[j] = live[j], live[i] })
		for _, p := range live[5000:] {
			if _, deleted := tab.Delete(p); !deleted {
				t.Fatalf("%v is gone", p)
			}
		}
		live = live[:5000]
		fill()
	}
	if now := size(); now > first*5/4+1 {
		t.Errorf("%d chunks at first, %d after churn", first, now)
	}
	tab.trie.check(t)
	used := 0
	for _, chunk := range tab.trie.values.chunks {
		for _, v := range chunk {
			if v != nil {
				used++
			}
		}
	}
	if used != tab.Len() {
		t.Errorf("%d values are held for %d routes", used, tab.Len())
	}
	for _, p := range live {
		tab.Delete(p)
	}
	if tab.trie != nil || tab.Len() != 0 {
		t.Error("an emptied table keeps its memory")
	}
}

// On the border between two sizes a run is moved for each change.
func TestChurnAtOneNodeIsBounded(t *testing.T) {
	tab := &Table[uint32]{trie: new(trie[uint32])}
	for i := range uint32(48) {
		tab.Insert(wire.Prefix{Addr: wire.FromV4(i << 13), Bits: 24}, i)
	}
	last := wire.Prefix{Addr: wire.FromV4(48 << 13), Bits: 24}
	for range 1000 {
		tab.Insert(last, 48)
		tab.Delete(last)
	}
	if n := len(tab.trie.nodes.chunks[0]); len(tab.trie.nodes.chunks) > 1 || n > 256 {
		t.Errorf("%d chunks, the first of %d nodes, for 48 routes", len(tab.trie.nodes.chunks), n)
	}
}

// A node that shrinks may need a run of a size that is not free, for which the
// first chunk, with the node in it, moves.
func TestDeleteSurvivesAMovingChunk(t *testing.T) {
	tab := &Table[uint32]{trie: new(trie[uint32])}
	route := func(node, i uint32) wire.Prefix {
		return wire.Prefix{Addr: wire.FromV4(node<<24 | i<<7), Bits: 30}
	}
	for i := range uint32(64) {
		tab.Insert(route(1, i), i)
	}
	for i := range uint32(48) {
		tab.Insert(route(2, i), i)
	}
	before := len(tab.trie.nodes.chunks[0])
	for i := range uint32(20) {
		tab.Delete(route(1, i))
	}
	if after := len(tab.trie.nodes.chunks[0]); after <= before {
		t.Fatalf("the chunk did not move: %d nodes, then %d", before, after)
	}
	for i := range uint32(64) {
		if v, found := tab.Exact(route(1, i)); found != (i >= 20) || found && v != i {
			t.Errorf("%v: %v %v", route(1, i), v, found)
		}
	}
	tab.trie.check(t)
}

// The usual lengths end where a node can hold many of them.
func TestUsualLengthsShareNodes(t *testing.T) {
	v4, v6 := &Table[uint32]{trie: new(trie[uint32])}, &Table[uint32]{trie: new(trie[uint32])}
	for i := range uint32(32) {
		v4.Insert(wire.Prefix{Addr: wire.FromV4(10<<24 | i<<8), Bits: 24}, i)
		v6.Insert(wire.Prefix{Addr: wire.Addr{Hi: 0x20010db8<<32 | uint64(i)}, Bits: 64}, i)
	}
	for _, tab := range []*Table[uint32]{v4, v6} {
		if n := tab.trie.nodes.taken() - tab.trie.nodes.idle(); n > 1 {
			t.Errorf("32 neighbours take %d nodes below the root", n)
		}
	}
}

func TestAnEmptiedListKeepsNoMemory(t *testing.T) {
	var tab Table[uint32]
	tab.Insert(pfx("10.0.0.0/8"), 1)
	tab.Delete(pfx("10.0.0.0/8"))
	if cap(tab.few) != 0 {
		t.Error("the list is kept")
	}
}

// model keeps the routes in a plain list.
type model []route[uint32]

func (m model) matches(a wire.Addr) (found model) {
	for _, r := range m {
		if r.prefix.Contains(a) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b route[uint32]) int { return cmp.Compare(b.prefix.Bits, a.prefix.Bits) })
	return found
}

func (m model) index(p wire.Prefix) int {
	return slices.IndexFunc(m, func(r route[uint32]) bool { return r.prefix == p })
}

// near changes an address a little, so that it shares prefixes with others.
func near(a wire.Addr, draw func() uint64) wire.Addr {
	r := draw()
	if v, ok := a.Unmap(); ok {
		return wire.FromV4(v ^ 1<<(r%32))
	}
	if r&1 == 0 {
		a.Hi ^= 1 << (r >> 1 % 64)
	} else {
		a.Lo ^= 1 << (r >> 1 % 64)
	}
	return a
}

func (m model) address(draw func() uint64) wire.Addr {
	r := draw()
	if len(m) > 0 && r%8 != 0 {
		a := m[int(r>>8)%len(m)].prefix.Addr
		switch r >> 4 % 4 {
		case 0:
			return a
		case 1:
			return near(a, draw)
		case 2:
			return near(near(a, draw), draw)
		}
	}
	if r&16 == 0 {
		return wire.FromV4(uint32(draw()))
	}
	return wire.Addr{Hi: draw(), Lo: draw()}
}

// compare plays steps on a table and on the model. limit bounds the routes.
func compare(t *testing.T, steps, limit int, draw func() uint64) {
	t.Helper()
	tab := new(Table[uint32])
	var m model
	for step := range steps {
		r := draw()
		p := normal(wire.Prefix{Addr: m.address(draw), Bits: uint8(draw() % 129)})
		if p.Is4() && r>>32%4 != 0 { // the length was cut to 32 most of the time
			p = wire.Prefix{Addr: p.Addr, Bits: uint8(r >> 40 % 33)}.Masked()
		}
		if len(m) > 0 && r>>16%2 == 0 {
			p = m[int(r>>40)%len(m)].prefix
		}
		i := m.index(p)
		// The table fills to its limit and then empties, in turns.
		grow := step/(2*limit)%2 == 0 && len(m) < limit
		switch {
		case r%8 < 4 && grow || r%8 == 0 && len(m) < limit:
			old, replaced := tab.Insert(p, uint32(step))
			if replaced != (i >= 0) || replaced && old != m[i].value {
				t.Fatalf("step %d: Insert(%v) = %v, %v", step, p, old, replaced)
			}
			if replaced {
				m[i].value = uint32(step)
			} else {
				m = append(m, route[uint32]{p, uint32(step)})
			}
		case r%8 < 4:
			old, deleted := tab.Delete(p)
			if deleted != (i >= 0) || deleted && old != m[i].value {
				t.Fatalf("step %d: Delete(%v) = %v, %v", step, p, old, deleted)
			}
			if deleted {
				m = slices.Delete(m, i, i+1)
			}
		case r%8 < 6:
			v, found := tab.Exact(p)
			if found != (i >= 0) || found && v != m[i].value {
				t.Fatalf("step %d: Exact(%v) = %v, %v", step, p, v, found)
			}
		}
		if tab.Len() != len(m) {
			t.Fatalf("step %d: Len is %d, want %d", step, tab.Len(), len(m))
		}
		a := m.address(draw)
		want := m.matches(a)
		v, got, found := tab.Lookup(a)
		if found != (len(want) > 0) || found && (v != want[0].value || got != want[0].prefix) {
			t.Fatalf("step %d: Lookup(%v) = %v %v %v, want %v", step, a, v, got, found, want)
		}
		n := 0
		accept := int(draw() % 4)
		v, got, found = tab.LookupFunc(a, func(p wire.Prefix, v uint32) bool {
			if n >= len(want) || want[n].prefix != p || want[n].value != v {
				t.Fatalf("step %d: LookupFunc(%v) offers %v %v as number %d, want %v", step, a, p, v, n, want)
			}
			n++
			return n > accept
		})
		if found != (accept < len(want)) || found && (v != want[accept].value || got != want[accept].prefix) {
			t.Fatalf("step %d: LookupFunc(%v) = %v %v %v, want %v", step, a, v, got, found, want)
		}
		if step%64 == 0 {
			checkWalk(t, tab, m)
			if tab.trie != nil {
				tab.trie.check(t)
			}
		}
	}
}

func checkWalk(t *testing.T, tab *Table[uint32], m model) {
	t.Helper()
	sorted := slices.Clone(m)
	slices.SortFunc(sorted, func(a, b route[uint32]) int { return a.compare(b.prefix) })
	var walked model
	tab.Walk(func(p wire.Prefix, v uint32) bool {
		walked = append(walked, route[uint32]{p, v})
		return true
	})
	if !slices.Equal(walked, sorted) {
		t.Fatalf("Walk gives %v, want %v", walked, sorted)
	}
}

// check verifies the form of the trie: no empty node, for IPv4 no single child
// (one path always holds the rest of a key; for IPv6 a later split may leave one),
// and every element of the pools in one place.
func (t *trie[V]) check(tb testing.TB) {
	tb.Helper()
	nodes, values := 0, 0
	var visit func(n *node, root, v4 bool)
	visit = func(n *node, root, v4 bool) {
		branches, prefixes := bits.OnesCount64(n.branches), bits.OnesCount64(n.prefixes)
		if branches+prefixes == 0 && (!root || *n != node{}) {
			tb.Fatal("an empty node")
		}
		if n.skip()%digit != 0 || n.skip() > pathMax || n.path&^pathBits<<n.skip() != 0 {
			tb.Fatalf("path %#x", n.path)
		}
		if prefixes > 0 {
			values += classLen(class(prefixes))
		}
		if branches == 0 {
			return
		}
		nodes += classLen(class(branches))
		children := t.nodes.run(n.children, branches)
		if v4 && prefixes == 0 && branches == 1 {
			tb.Fatal("a path that should be one")
		}
		for i := range children {
			visit(&children[i], false, v4)
		}
	}
	visit(&t.roots[0], true, true)
	visit(&t.roots[1], true, false)
	if free := t.nodes.idle(); nodes+free != t.nodes.taken() {
		tb.Fatalf("%d nodes in use and %d free of %d", nodes, free, t.nodes.taken())
	}
	if free := t.values.idle(); values+free != t.values.taken() {
		tb.Fatalf("%d values in use and %d free of %d", values, free, t.values.taken())
	}
}

func (p *pool[T]) idle() (n int) {
	for c, f := range p.free {
		n += len(f) * classLen(c)
	}
	return n
}

func (p *pool[T]) taken() int { return max(0, len(p.chunks)-1)*chunkLen + int(p.used) }

func TestTableEqualsLinearScan(t *testing.T) {
	for seed, limit := range []int{1, 5, 12, 14, 30, 30, 100, 300, 1000, 3000} {
		t.Run(fmt.Sprintf("seed=%d/routes=%d", seed, limit), func(t *testing.T) {
			steps := 30_000
			if limit > 500 {
				steps = 10 * limit
			}
			if testing.Short() {
				steps /= 10
			}
			compare(t, steps, limit, rand.NewPCG(uint64(seed), 7).Uint64)
		})
	}
}

func FuzzTable(f *testing.F) {
	f.Add(uint64(1), []byte("\x00\x08\x20\x21\x40"))
	f.Add(uint64(2), []byte("a longer text, as good as any, for the first routes and addresses"))
	f.Fuzz(func(t *testing.T, seed uint64, data []byte) {
		noise := rand.NewPCG(seed, uint64(len(data)))
		draw := func() uint64 {
			if len(data) < 4 {
				return noise.Uint64()
			}
			v := uint64(data[0]) | uint64(data[1])<<16 | uint64(data[2])<<32 | uint64(data[3])<<40
			data = data[4:]
			return v
		}
		compare(t, 200, 40, draw)
	})
}

func TestSizeClasses(t *testing.T) {
	for n := 1; n <= 64; n++ {
		c := class(n)
		if classLen(c) < n || c > 0 && classLen(c-1) >= n || c >= sizes {
			t.Errorf("%d elements: class %d of %d", n, c, classLen(c))
		}
	}
}

func randomPrefix(r *rand.Rand) wire.Prefix {
	if r.Uint32()%2 == 0 {
		return wire.Prefix{Addr: wire.FromV4(r.Uint32()), Bits: uint8(8 + r.IntN(25))}.Masked()
	}
	return wire.Prefix{Addr: wire.Addr{Hi: 0x2000<<48 | r.Uint64()>>3, Lo: r.Uint64()}, Bits: uint8(16 + r.IntN(113))}.Masked()
}

// random4 makes n IPv4 routes with lengths like those of the Internet's table
// (six in ten /24, the rest from /16 on), and addresses that match.
func random4(n int, seed uint64) (*Table[uint32], []wire.Addr) {
	r := rand.New(rand.NewPCG(seed, 4))
	tab := new(Table[uint32])
	addrs := make([]wire.Addr, 0, n)
	for tab.Len() < n {
		length := 24
		if r.IntN(10) >= 6 {
			length = 16 + r.IntN(9)
		}
		v := r.Uint32()
		p := wire.Prefix{Addr: wire.FromV4(v), Bits: uint8(length)}
		if _, replaced := tab.Insert(p, v); !replaced {
			addrs = append(addrs, p.Addr)
		}
	}
	return tab, addrs
}
