package allocator

import (
	"sync"
	"testing"
)

// The three ways to get a buffer or an object, side by side; run with -benchmem.

type page2k [2048]byte

var (
	sinkBytes []byte
	sinkThing *benchThing
)

// benchThing is of the size and kind of a packet descriptor.
type benchThing struct {
	data []byte
	next *benchThing
	a    *Account
	meta [40]byte
}

func BenchmarkPagePair(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		p := NewPool(NewArena(ArenaOptions{}), PoolOptions{})
		var a Account
		for b.Loop() {
			p.Page(Page2K, &a).Unref(&a)
		}
	})
	b.Run("ours-debug", func(b *testing.B) {
		p := NewPool(NewArena(ArenaOptions{}), PoolOptions{Debug: true})
		var a Account
		for b.Loop() {
			p.Page(Page2K, &a).Unref(&a)
		}
	})
	b.Run("syncpool", func(b *testing.B) {
		sp := sync.Pool{New: func() any { return new(page2k) }}
		for b.Loop() {
			sp.Put(sp.Get())
		}
	})
	b.Run("make", func(b *testing.B) {
		for b.Loop() {
			sinkBytes = make([]byte, 2048)
		}
	})
}

// 64 pages out, 64 pages back: per page.
func BenchmarkPageBatch(b *testing.B) {
	const n = 64
	b.Run("ours", func(b *testing.B) {
		p := NewPool(NewArena(ArenaOptions{}), PoolOptions{})
		var a Account
		out := make([]*Page, n)
		for i := 0; i < b.N; i += n {
			UnrefPages(out[:p.Pages(Page2K, &a, out)], &a)
		}
	})
	b.Run("syncpool", func(b *testing.B) {
		sp := sync.Pool{New: func() any { return new(page2k) }}
		out := make([]any, n)
		for i := 0; i < b.N; i += n {
			for j := range out {
				out[j] = sp.Get()
			}
			for j := range out {
				sp.Put(out[j])
			}
		}
	})
	b.Run("make", func(b *testing.B) {
		out := make([][]byte, n)
		for i := 0; i < b.N; i += n {
			for j := range out {
				out[j] = make([]byte, 2048)
			}
		}
		sinkBytes = out[0]
	})
}

// A page made by one account and kept by another: the life of payload that is received.
func BenchmarkPageChargeMoves(b *testing.B) {
	p := NewPool(NewArena(ArenaOptions{}), PoolOptions{})
	var sender, receiver Account
	for b.Loop() {
		pg := p.Page(Page2K, &sender)
		pg.Ref(&receiver)
		pg.Unref(&sender)
		pg.Unref(&receiver)
	}
}

func BenchmarkPageTransfer(b *testing.B) {
	p := NewPool(NewArena(ArenaOptions{}), PoolOptions{})
	var sender, receiver Account
	for b.Loop() {
		pg := p.Page(Page2K, &sender)
		pg.Transfer(&sender, &receiver)
		pg.Unref(&receiver)
	}
}

// 1,024 pages in flight, written: what the size of the working set costs.
func BenchmarkPageTouched(b *testing.B) {
	const n = 1024
	b.Run("ours", func(b *testing.B) {
		p := NewPool(NewArena(ArenaOptions{}), PoolOptions{})
		var a Account
		var ring [n]*Page
		for i := 0; i < b.N; i++ {
			if pg := ring[i%n]; pg != nil {
				pg.Unref(&a)
			}
			pg := p.Page(Page2K, &a)
			clear(pg.Data[:1460])
			ring[i%n] = pg
		}
	})
	b.Run("syncpool", func(b *testing.B) {
		sp := sync.Pool{New: func() any { return new(page2k) }}
		var ring [n]*page2k
		for i := 0; i < b.N; i++ {
			if x := ring[i%n]; x != nil {
				sp.Put(x)
			}
			x := sp.Get().(*page2k)
			clear(x[:1460])
			ring[i%n] = x
		}
	})
	b.Run("make", func(b *testing.B) {
		var ring [n][]byte
		for i := 0; i < b.N; i++ {
			x := make([]byte, 2048)
			clear(x[:1460])
			ring[i%n] = x
		}
	})
}

func BenchmarkObjectPair(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		p := NewPool(NewArena(ArenaOptions{}), PoolOptions{})
		c := NewCache[benchThing](p, "things", CacheOptions{})
		var a Account
		for b.Loop() {
			c.Free(&a, c.Alloc(&a))
		}
	})
	b.Run("ours-debug", func(b *testing.B) {
		p := NewPool(NewArena(ArenaOptions{}), PoolOptions{Debug: true})
		c := NewCache[benchThing](p, "things", CacheOptions{})
		var a Account
		for b.Loop() {
			c.Free(&a, c.Alloc(&a))
		}
	})
	b.Run("syncpool", func(b *testing.B) {
		sp := sync.Pool{New: func() any { return new(benchThing) }}
		for b.Loop() {
			x := sp.Get().(*benchThing)
			*x = benchThing{}
			sp.Put(x)
		}
	})
	b.Run("make", func(b *testing.B) {
		for b.Loop() {
			sinkThing = new(benchThing)
		}
	})
}

// Kept contents, as for descriptors that their user sets up whole.
func BenchmarkObjectKept(b *testing.B) {
	p := NewPool(NewArena(ArenaOptions{}), PoolOptions{})
	c := NewCache[benchThing](p, "things", CacheOptions{KeepContents: true})
	var a Account
	for b.Loop() {
		c.Free(&a, c.Alloc(&a))
	}
}

func BenchmarkObjectOffHeap(b *testing.B) {
	p := NewPool(NewArena(ArenaOptions{}), PoolOptions{})
	c := NewCache[plainThing](p, "plain", CacheOptions{OffHeap: true})
	var a Account
	for b.Loop() {
		c.Free(&a, c.Alloc(&a))
	}
}

// 64 objects out, 64 objects back: per object.
func BenchmarkObjectBatch(b *testing.B) {
	const n = 64
	b.Run("ours", func(b *testing.B) {
		p := NewPool(NewArena(ArenaOptions{}), PoolOptions{})
		c := NewCache[benchThing](p, "things", CacheOptions{})
		var a Account
		out := make([]*benchThing, n)
		for i := 0; i < b.N; i += n {
			c.FreeBatch(&a, out[:c.AllocBatch(&a, out)])
		}
	})
	b.Run("syncpool", func(b *testing.B) {
		sp := sync.Pool{New: func() any { return new(benchThing) }}
		out := make([]*benchThing, n)
		for i := 0; i < b.N; i += n {
			for j := range out {
				out[j] = sp.Get().(*benchThing)
				*out[j] = benchThing{}
			}
			for j := range out {
				sp.Put(out[j])
			}
		}
	})
	b.Run("make", func(b *testing.B) {
		out := make([]*benchThing, n)
		for i := 0; i < b.N; i += n {
			for j := range out {
				out[j] = new(benchThing)
			}
		}
		sinkThing = out[0]
	})
}

// A page of a pool that must grow, first written: what the system charges for memory, and
// what asking for it ahead saves.
func BenchmarkPageCold(b *testing.B) {
	const n = 512
	for _, prefault := range []bool{false, true} {
		b.Run(map[bool]string{false: "fault", true: "prefault"}[prefault], func(b *testing.B) {
			out := make([]*Page, n)
			for i := 0; i < b.N; i += n {
				ar := NewArena(ArenaOptions{Prefault: prefault})
				p := NewPool(ar, PoolOptions{})
				p.Pages(Page4K, nil, out)
				for _, pg := range out {
					pg.Data[0] = 1
				}
				UnrefPages(out, nil)
				p.Close()
				ar.Close()
			}
		})
	}
}

// What an idle Domain costs: a pool, and one with a page and an object in use.
func BenchmarkPoolIdle(b *testing.B) {
	ar := NewArena(ArenaOptions{})
	b.Run("empty", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			NewPool(ar, PoolOptions{})
		}
	})
	b.Run("page-and-object", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p := NewPool(ar, PoolOptions{})
			c := NewCache[benchThing](p, "things", CacheOptions{})
			pg, x := p.Page(Page256, nil), c.Alloc(nil)
			pg.Unref(nil)
			c.Free(nil, x)
			p.Close()
		}
	})
}
