package allocator

import (
	"math/rand"
	"sync"
	"testing"
	"unsafe"
)

func TestRunsFindsAlignedFreeRuns(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for range 2000 {
		free := r.Uint64() | r.Uint64() | r.Uint64()
		if r.Intn(8) == 0 {
			free = ^uint64(0)
		}
		for order := range 7 {
			var want uint64
			n := 1 << order
			for first := 0; first < 64; first += n {
				all := true
				for u := first; u < first+n; u++ {
					all = all && free>>u&1 == 1
				}
				if all {
					want |= 1 << first
				}
			}
			if got := runs(free, order); got != want {
				t.Fatalf("runs(%#x, %d) = %#x, want %#x", free, order, got, want)
			}
		}
	}
}

func TestLoansAreAlignedDisjointAndMergeAgain(t *testing.T) {
	for _, slabSize := range []int{128 << 10, 256 << 10, 1 << 20} {
		ar := NewArena(ArenaOptions{SlabSize: slabSize})
		r := rand.New(rand.NewSource(2))
		var loans []loan
		lent := 0
		for range 3000 {
			if len(loans) > 0 && r.Intn(5) < 2 {
				k := r.Intn(len(loans))
				l := loans[k]
				for _, at := range []int{0, len(l.mem) - 1} {
					if l.mem[at] != byte(l.first) {
						t.Fatal("a loan overlaps another")
					}
				}
				lent -= len(l.mem)
				ar.giveBack(l)
				loans[k] = loans[len(loans)-1]
				loans = loans[:len(loans)-1]
				continue
			}
			size := 1 + r.Intn(slabSize>>r.Intn(7))
			l, ok := ar.lend(size)
			if !ok {
				t.Fatal("refused")
			}
			if len(l.mem) < size || len(l.mem) != ar.loanSize(size) {
				t.Fatalf("%d bytes for %d, loanSize says %d", len(l.mem), size, ar.loanSize(size))
			}
			if offHeap && uintptr(unsafe.Pointer(&l.mem[0]))%uintptr(len(l.mem)) != 0 {
				t.Fatalf("a loan of %d bytes is not aligned", len(l.mem))
			}
			l.mem[0], l.mem[len(l.mem)-1] = byte(l.first), byte(l.first)
			lent += len(l.mem)
			loans = append(loans, l)
		}
		if st := ar.Stats(); st.Lent != int64(lent) || st.Mapped < st.Lent || st.SlabSize != slabSize {
			t.Errorf("%+v, lent %d", st, lent)
		}
		for _, l := range loans {
			ar.giveBack(l)
		}
		if st := ar.Stats(); st.FreeSlabs != st.Slabs {
			t.Errorf("free runs did not merge: %+v", st)
		}
		if _, ok := ar.lend(slabSize + 1); ok {
			t.Error("lent more than a slab")
		}
		if err := ar.Close(); err != nil {
			t.Error(err)
		}
		if _, ok := ar.lend(1); ok || ar.reserve(1) {
			t.Error("a closed arena lends")
		}
	}
}

func TestSlabSizeIsRounded(t *testing.T) {
	for _, tc := range [][2]int{{0, 256 << 10}, {-1, 256 << 10}, {1, 128 << 10}, {200 << 10, 256 << 10}, {256 << 10, 256 << 10}, {1 << 30, 64 << 20}} {
		if got := NewArena(ArenaOptions{SlabSize: tc[0]}).Stats().SlabSize; got != tc[1] {
			t.Errorf("SlabSize %d became %d, want %d", tc[0], got, tc[1])
		}
	}
}

// Pools of many Domains draw on one arena at once.
func TestPoolsShareAnArenaConcurrently(t *testing.T) {
	ar := NewArena(ArenaOptions{})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewSource(int64(g)))
			p := NewPool(ar, PoolOptions{})
			c := NewCache[plainThing](p, "plain", CacheOptions{OffHeap: g%2 == 0})
			var a Account
			for range 60 {
				pages := make([]*Page, r.Intn(200))
				objs := make([]*plainThing, r.Intn(200))
				n, m := p.Pages(Class(r.Intn(NumClasses)), &a, pages), c.AllocBatch(&a, objs)
				for _, pg := range pages[:n] {
					pg.Data[0] = byte(g)
				}
				for _, x := range objs[:m] {
					x.seq = uint32(g)
				}
				for _, pg := range pages[:n] {
					if pg.Data[0] != byte(g) {
						t.Error("a page was written by another pool")
					}
				}
				UnrefPages(pages[:n], &a)
				c.FreeBatch(&a, objs[:m])
				if r.Intn(3) == 0 {
					p.Shrink()
				}
				if r.Intn(10) == 0 {
					ar.Shrink()
				}
				ar.Stats()
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := ar.Close(); err != nil {
		t.Error(err)
	}
}
