package fib

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/libos-go/libos/core/wire"
)

var benchSizes = []int{6, 12, 1000, 500_000}

func benchLookup(b *testing.B, tab *Table[uint32], addrs []wire.Addr) {
	rand.New(rand.NewPCG(9, 9)).Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
	misses := 0
	i := 0
	for range b.N {
		if _, _, found := tab.Lookup(addrs[i]); !found {
			misses++
		}
		if i++; i == len(addrs) {
			i = 0
		}
	}
	if misses > 0 {
		b.Fatalf("%d addresses without a route", misses)
	}
}

func BenchmarkLookup4(b *testing.B) {
	for _, n := range benchSizes {
		tab, addrs := random4(n, 1)
		b.Run(fmt.Sprintf("routes=%d", n), func(b *testing.B) { benchLookup(b, tab, addrs) })
	}
}

// BenchmarkLookup6 has routes from /32 to /48 in 2000::/3, and one /64 in ten.
func BenchmarkLookup6(b *testing.B) {
	for _, n := range benchSizes {
		r := rand.New(rand.NewPCG(1, 6))
		tab := new(Table[uint32])
		var addrs []wire.Addr
		for i := 0; tab.Len() < n; i++ {
			length := 32 + r.IntN(17)
			if r.IntN(10) == 0 {
				length = 64
			}
			a := wire.Addr{Hi: 1<<61 | r.Uint64()>>3, Lo: r.Uint64()}
			tab.Insert(wire.Prefix{Addr: a, Bits: uint8(length)}, uint32(i))
			addrs = append(addrs, a)
		}
		b.Run(fmt.Sprintf("routes=%d", n), func(b *testing.B) { benchLookup(b, tab, addrs) })
	}
}

func BenchmarkInsertDelete(b *testing.B) {
	tab, addrs := random4(100_000, 1)
	for i := range b.N {
		p := wire.Prefix{Addr: addrs[i%len(addrs)], Bits: 28}
		tab.Insert(p, 1)
		tab.Delete(p)
	}
}

// BenchmarkMillion reports memory a route and what a collection costs beside it.
func BenchmarkMillion(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	for range 10 {
		runtime.GC()
	}
	alone := time.Since(start) / 10
	r := rand.New(rand.NewPCG(1, 4))
	tab := new(Table[uint32])
	for tab.Len() < 1_000_000 {
		v := r.Uint32()
		tab.Insert(wire.Prefix{Addr: wire.FromV4(v), Bits: uint8(16 + v%9)}, v)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ResetTimer()
	for range b.N {
		runtime.GC()
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "B/route")
	b.ReportMetric(float64(alone), "ns/op-without-table")
	runtime.KeepAlive(tab)
}
