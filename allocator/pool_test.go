package allocator

import (
	"math/rand"
	"strings"
	"testing"
	"unsafe"
)

// newTestPool closes pool and arena at the end of the test and fails if either complains.
func newTestPool(t testing.TB, ao ArenaOptions, po PoolOptions) *Pool {
	t.Helper()
	ar := NewArena(ao)
	p := NewPool(ar, po)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if err := ar.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func mustPage(t testing.TB, p *Pool, c Class, a *Account) *Page {
	t.Helper()
	pg := p.Page(c, a)
	if pg == nil {
		t.Fatalf("no %v page", c)
	}
	return pg
}

func TestClassesHaveExactSizes(t *testing.T) {
	p := newTestPool(t, ArenaOptions{}, PoolOptions{})
	for _, tc := range []struct {
		n, size int
		class   Class
	}{
		{0, 256, Page256}, {256, 256, Page256}, {257, 512, Page512}, {512, 512, Page512}, {513, 2048, Page2K}, {2048, 2048, Page2K},
		{2049, 4096, Page4K}, {4096, 4096, Page4K}, {4097, 16384, Page16K}, {16385, 65536, Page64K}, {65536, 65536, Page64K}, {1 << 20, 65536, Page64K},
	} {
		c := ClassFor(tc.n)
		if c != tc.class || c.Size() != tc.size {
			t.Errorf("ClassFor(%d) = %v of %d bytes, want %v of %d", tc.n, c, c.Size(), tc.class, tc.size)
		}
		pg := mustPage(t, p, c, nil)
		if len(pg.Data) != tc.size || cap(pg.Data) != tc.size || pg.Class() != c {
			t.Errorf("%v: len %d cap %d class %v", c, len(pg.Data), cap(pg.Data), pg.Class())
		}
		pg.Unref(nil)
	}
	if p.Page(NumClasses, nil) != nil {
		t.Error("a page of no class")
	}
}

func TestPagesDoNotOverlap(t *testing.T) {
	for _, debug := range []bool{false, true} {
		p := newTestPool(t, ArenaOptions{}, PoolOptions{Debug: debug})
		var all []*Page
		for c := Class(0); c < NumClasses; c++ {
			for range 70 {
				pg := mustPage(t, p, c, nil)
				fillBytes(pg.Data, byte(len(all)))
				all = append(all, pg)
			}
		}
		for i, pg := range all {
			if off, n := damage(pg.Data, byte(i)); n > 0 {
				t.Fatalf("debug %v: page %d changed at %d", debug, i, off)
			}
		}
		UnrefPages(all, nil)
	}
}

func TestFreePagesAreReusedLastInFirstOut(t *testing.T) {
	p := newTestPool(t, ArenaOptions{}, PoolOptions{})
	a, b := mustPage(t, p, Page2K, nil), mustPage(t, p, Page2K, nil)
	a.Unref(nil)
	b.Unref(nil)
	if x, y := mustPage(t, p, Page2K, nil), mustPage(t, p, Page2K, nil); x != b || y != a {
		t.Error("not last in, first out")
	}
	a.Unref(nil)
	b.Unref(nil)
}

func TestThePageOfZerosCostsNobody(t *testing.T) {
	for _, debug := range []bool{false, true} {
		p := newTestPool(t, ArenaOptions{}, PoolOptions{Debug: debug})
		var a, b Account
		pg := p.Zeros()
		pg.Ref(&a)
		pg.Transfer(&a, &b)
		if a.Bytes() != 0 || b.Bytes() != 0 || !pg.IsZeros() || pg.Refs() < 2 {
			t.Errorf("debug %v: %d and %d bytes charged, %d references", debug, a.Bytes(), b.Bytes(), pg.Refs())
		}
		pg.Unref(&b)
		if p.Zeros() != pg || len(pg.Data) != Page64K.Size() || pg.Class() != Page64K {
			t.Errorf("debug %v: there is another page of zeros, or %d bytes in it", debug, len(pg.Data))
		}
		if other := mustPage(t, p, Page64K, nil); other.IsZeros() {
			t.Errorf("debug %v: a page like others is that of zeros", debug)
		} else {
			other.Unref(nil)
		}
		if l := p.Leaks(nil); len(l) > 0 {
			t.Errorf("debug %v: it counts as a leak: %v", debug, l)
		}
	}
}

func TestBatchStopsAtTheLimit(t *testing.T) {
	p := newTestPool(t, ArenaOptions{}, PoolOptions{})
	var a Account
	a.SetLimit(5 * 512)
	out := make([]*Page, 8)
	if n := p.Pages(Page512, &a, out); n != 5 || a.Pages() != 5 || a.Failures() != 1 {
		t.Errorf("got %d pages, charged %d, %d failures", n, a.Pages(), a.Failures())
	}
	UnrefPages(out[:5], &a)
}

func TestAccountLimit(t *testing.T) {
	for _, debug := range []bool{false, true} {
		p := newTestPool(t, ArenaOptions{}, PoolOptions{Debug: debug})
		c := NewCache[[100]byte](p, "hundred", CacheOptions{})
		var a Account
		a.SetLimit(4096 + int64(c.Size()))
		pg, x := p.Page(Page4K, &a), c.Alloc(&a)
		if pg == nil || x == nil {
			t.Fatal("refused below the limit")
		}
		if p.Page(Page256, &a) != nil || c.Alloc(&a) != nil {
			t.Fatal("allowed above the limit")
		}
		if a.Failures() != 2 || a.Bytes() != a.Limit() || a.Pages() != 1 || a.Objects() != 1 {
			t.Errorf("%+v", a)
		}
		a.SetLimit(0)
		if pg2 := p.Page(Page256, &a); pg2 == nil {
			t.Error("refused without a limit")
		} else {
			pg2.Unref(&a)
		}
		pg.Unref(&a)
		c.Free(&a, x)
		if a.Bytes() != 0 || a.Pages() != 0 || a.Objects() != 0 || a.Peak() != 4096+256+int64(c.Size()) {
			t.Errorf("after freeing: %+v", a)
		}
	}
}

func TestArenaLimitGivesNilAndRecovers(t *testing.T) {
	for _, debug := range []bool{false, true} {
		p := newTestPool(t, ArenaOptions{Limit: 300 << 10}, PoolOptions{Debug: debug})
		c := NewCache[[1000]byte](p, "thousand", CacheOptions{})
		var a Account
		var pages []*Page
		for pg := p.Page(Page4K, &a); pg != nil; pg = p.Page(Page4K, &a) {
			pages = append(pages, pg)
		}
		var objs []*[1000]byte
		for x := c.Alloc(&a); x != nil; x = c.Alloc(&a) {
			objs = append(objs, x)
		}
		st := p.Arena().Stats()
		if len(pages) < 30 || st.Lent+st.Heap > st.Limit || st.LimitHits == 0 || a.Failures() != 2 {
			t.Fatalf("debug %v: %d pages, %d objects, %+v, %d failures", debug, len(pages), len(objs), st, a.Failures())
		}
		if want := int64(len(pages)*4096 + len(objs)*c.Size()); a.Bytes() != want || a.Peak() != want {
			t.Errorf("charged %d, peak %d, want %d", a.Bytes(), a.Peak(), want)
		}
		UnrefPages(pages, &a)
		c.FreeBatch(&a, objs)
		p.Shrink()
		if pg := p.Page(Page64K, &a); pg == nil {
			t.Error("nothing to have after Shrink")
		} else {
			pg.Unref(&a)
		}
	}
}

func TestChargeMovesToTheLastHolder(t *testing.T) {
	type step struct {
		op      string // "ref X", "unref X", "give XY"
		charged string
	}
	for _, tc := range []struct {
		name  string
		steps []step
	}{
		{"maker keeps it while others come and go", []step{{"ref b", "a"}, {"ref c", "a"}, {"unref b", "a"}, {"unref c", "a"}, {"unref a", ""}}},
		{"maker leaves, the other pays", []step{{"ref b", "a"}, {"unref a", "b"}, {"unref b", ""}}},
		{"maker leaves with its last reference only", []step{{"ref a", "a"}, {"ref b", "a"}, {"unref a", "a"}, {"unref a", "b"}, {"unref b", ""}}},
		{"the last to come pays", []step{{"ref b", "a"}, {"ref c", "a"}, {"unref a", "c"}, {"unref c", "b"}, {"unref b", ""}}},
		{"the last to come has left", []step{{"ref b", "a"}, {"ref c", "a"}, {"unref c", "a"}, {"unref a", "b"}, {"unref b", ""}}},
		{"two references of the other", []step{{"ref b", "a"}, {"ref b", "a"}, {"unref a", "b"}, {"unref b", "b"}, {"unref b", ""}}},
		{"handed over without a word", []step{{"ref a", "a"}, {"unref b", "a"}, {"unref a", ""}}},
		{"handed over", []step{{"give ab", "b"}, {"unref b", ""}}},
		{"handed over, one kept", []step{{"ref a", "a"}, {"give ab", "a"}, {"unref a", "b"}, {"unref b", ""}}},
		{"maker comes back", []step{{"ref b", "a"}, {"unref a", "b"}, {"ref a", "b"}, {"unref b", "a"}, {"unref a", ""}}},
	} {
		for _, debug := range []bool{false, true} {
			p := newTestPool(t, ArenaOptions{}, PoolOptions{Debug: debug})
			acc := map[string]*Account{"a": {}, "b": {}, "c": {}}
			pg := mustPage(t, p, Page2K, acc["a"])
			for i, s := range tc.steps {
				op, who, _ := strings.Cut(s.op, " ")
				switch op {
				case "ref":
					pg.Ref(acc[who])
				case "unref":
					pg.Unref(acc[who])
				case "give":
					pg.Transfer(acc[who[:1]], acc[who[1:]])
				}
				for name, a := range acc {
					want := int64(0)
					if name == s.charged {
						want = 2048
					}
					if a.Bytes() != want || int64(a.Pages()) != want/2048 {
						t.Errorf("%s, step %d (%s): %s is charged %d bytes, %d pages", tc.name, i+1, s.op, name, a.Bytes(), a.Pages())
					}
				}
			}
			if pg.Refs() != 0 {
				t.Errorf("%s: %d references left", tc.name, pg.Refs())
			}
		}
	}
}

// A frame flooded to thousands of instances: each takes a reference, they leave in any order.
func TestChargeWithACrowdOfHolders(t *testing.T) {
	p := newTestPool(t, ArenaOptions{}, PoolOptions{})
	r := rand.New(rand.NewSource(1))
	for _, n := range []int{1, 2, crowd, crowd + 1, 40, 3000} {
		maker, accounts := new(Account), make([]Account, n)
		pg := mustPage(t, p, Page256, maker)
		for i := range accounts {
			pg.Ref(&accounts[i])
		}
		pg.Unref(maker)
		if accounts[n-1].Pages() != 1 || maker.Pages() != 0 {
			t.Fatalf("%d holders: the last to come does not pay", n)
		}
		for _, i := range r.Perm(n) {
			pg.Unref(&accounts[i])
			sum := 0
			if n < 100 {
				for j := range accounts {
					sum += accounts[j].Pages()
				}
				if want := min(int(pg.Refs()), 1); sum != want {
					t.Fatalf("%d holders: %d pay, want %d", n, sum, want)
				}
			}
			if accounts[i].Pages() != 0 {
				t.Fatalf("%d holders: one that left pays", n)
			}
		}
		if pg.Refs() != 0 || p.shared != 0 {
			t.Fatalf("%d holders: %d references left, %d records in use", n, pg.Refs(), p.shared)
		}
		for s := p.shares; s != nil; s = s.next {
			for _, h := range s.list[:cap(s.list)] {
				if h.account != nil {
					t.Fatalf("%d holders: an unused record keeps an account", n)
				}
			}
		}
	}
}

// Holders that come and go behind others that stay do not make the record grow.
func TestACrowdThatChangesStaysBounded(t *testing.T) {
	p := newTestPool(t, ArenaOptions{}, PoolOptions{})
	maker, stay, pass := new(Account), make([]Account, 2*crowd), make([]Account, 5000)
	pg := mustPage(t, p, Page256, maker)
	for i := range stay {
		pg.Ref(&stay[i])
	}
	const window = 10
	for i := range pass {
		pg.Ref(&pass[i])
		if i >= window {
			pg.Unref(&pass[i-window])
		}
	}
	if n := len(pg.shared.list); n > 4*len(stay) {
		t.Errorf("%d entries for %d holders", n, pg.shared.live)
	}
	for i := range stay {
		pg.Unref(&stay[i])
	}
	for i := range pass[:window] {
		pg.Unref(&pass[len(pass)-window+i])
	}
	pg.Unref(maker)
	if pg.Refs() != 0 || maker.Pages() != 0 {
		t.Errorf("%d references, maker charged %d pages", pg.Refs(), maker.Pages())
	}
}

func TestTheArenaLimitIsUsedUp(t *testing.T) {
	for _, tc := range []struct {
		limit int64
		class Class
		want  int
	}{{300 << 10, Page4K, 75}, {300 << 10, Page2K, 150}, {4096, Page256, 16}, {4095, Page256, 0}, {60 << 10, Page64K, 0}, {64 << 10, Page64K, 1}} {
		p := newTestPool(t, ArenaOptions{Limit: tc.limit}, PoolOptions{})
		pages := make([]*Page, 200)
		n := p.Pages(tc.class, nil, pages)
		if n != tc.want {
			t.Errorf("%d %v pages of %d bytes, want %d", n, tc.class, tc.limit, tc.want)
		}
		UnrefPages(pages[:n], nil)
	}
}

func TestAFreePageKeepsNoAccount(t *testing.T) {
	p := newTestPool(t, ArenaOptions{}, PoolOptions{})
	a := new(Account)
	pg := mustPage(t, p, Page256, a)
	pg.Unref(a)
	if pg.Account() != nil {
		t.Error("a free page refers to its last account")
	}
}

func TestShrinkGivesBackWhatIsWhollyFree(t *testing.T) {
	for _, debug := range []bool{false, true} {
		ar := NewArena(ArenaOptions{})
		p := NewPool(ar, PoolOptions{Debug: debug})
		pages := make([]*Page, 1000)
		if p.Pages(Page4K, nil, pages) != 1000 {
			t.Fatal("refused")
		}
		keep := pages[700]
		UnrefPages(pages[:700], nil)
		UnrefPages(pages[701:], nil)
		before := ar.Stats()
		freed := p.Shrink()
		after := ar.Stats()
		if freed == 0 || before.Lent-after.Lent != freed || after.Lent > 512<<10 {
			t.Errorf("debug %v: Shrink said %d; lent %d, then %d", debug, freed, before.Lent, after.Lent)
		}
		keep.Data[0] = 1
		// What is left of the free list still works.
		for i := range pages {
			if pages[i] = p.Page(Page4K, nil); pages[i] == nil || pages[i] == keep {
				t.Fatal("wrong page after Shrink")
			}
		}
		UnrefPages(pages, nil)
		keep.Unref(nil)
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if s := ar.Stats(); s.Lent != 0 || s.FreeSlabs != s.Slabs {
			t.Errorf("after Close: %+v", s)
		}
		if n := ar.Shrink(); n != before.Mapped && n == 0 {
			t.Errorf("arena gave %d bytes back", n)
		}
		if s := ar.Stats(); s.Mapped != 0 {
			t.Errorf("still mapped: %+v", s)
		}
		if err := ar.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestCloseListsLeaksAndCanBeRepeated(t *testing.T) {
	ar := NewArena(ArenaOptions{})
	p := NewPool(ar, PoolOptions{})
	c := NewCache[int](p, "ints", CacheOptions{})
	var a Account
	pg, x := mustPage(t, p, Page2K, &a), c.Alloc(&a)
	err := p.Close()
	if err == nil || !strings.Contains(err.Error(), "page-2k: 1 in use, 2048 bytes") || !strings.Contains(err.Error(), "ints: 1 in use") {
		t.Errorf("Close: %v", err)
	}
	if err := ar.Close(); err == nil || !strings.Contains(err.Error(), "close the pools first") {
		t.Errorf("arena Close: %v", err)
	}
	pg.Data[2047] = 1 // still there
	pg.Unref(&a)
	c.Free(&a, x)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := ar.Close(); err != nil {
		t.Error(err)
	}
}

func TestAClosedPoolGivesNothing(t *testing.T) {
	p := newTestPool(t, ArenaOptions{}, PoolOptions{})
	c := NewCache[int](p, "ints", CacheOptions{})
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	var a Account
	if p.Page(Page2K, &a) != nil || c.Alloc(&a) != nil || a.Failures() != 2 {
		t.Errorf("memory from a closed pool, or not counted: %+v", a)
	}
}

func TestIdleSizes(t *testing.T) {
	if n := unsafe.Sizeof(Account{}); n > 64 {
		t.Errorf("Account is %d bytes", n)
	}
	if n := unsafe.Sizeof(Pool{}); n > 512 {
		t.Errorf("Pool is %d bytes", n)
	}
	if n := unsafe.Sizeof(Page{}); n > 64 {
		t.Errorf("Page is %d bytes", n)
	}
	if n := unsafe.Sizeof(Cache[int]{}); n > 192 {
		t.Errorf("Cache is %d bytes", n)
	}
	p := newTestPool(t, ArenaOptions{}, PoolOptions{})
	pg := mustPage(t, p, Page256, nil)
	if n := p.Arena().Stats().Lent; n > 4096 {
		t.Errorf("one small page holds %d bytes", n)
	}
	pg.Unref(nil)
}

func TestWarmPathAllocatesNothing(t *testing.T) {
	p := newTestPool(t, ArenaOptions{}, PoolOptions{})
	c := NewCache[thing](p, "things", CacheOptions{})
	var a, b Account
	batch, objs := make([]*Page, 32), make([]*thing, 32)
	round := func() {
		pg := p.Page(Page2K, &a)
		pg.Ref(&b)
		pg.Unref(&a)
		pg.Unref(&b)
		UnrefPages(batch[:p.Pages(Page512, &a, batch)], &a)
		c.Free(&a, c.Alloc(&a))
		c.FreeBatch(&a, objs[:c.AllocBatch(&a, objs)])
	}
	round()
	if n := testing.AllocsPerRun(100, round); n != 0 {
		t.Errorf("%v allocations a round", n)
	}
}
