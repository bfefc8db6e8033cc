package allocator_test

import (
	"fmt"
	"os"

	"github.com/libos-go/libos/allocator"
)

type neighbour struct {
	addr  [16]byte
	state uint8
}

// A Domain has a pool and caches, each of its instances an account.
func Example() {
	arena := allocator.NewArena(allocator.ArenaOptions{Limit: 64 << 20})
	pool := allocator.NewPool(arena, allocator.PoolOptions{})
	neighbours := allocator.NewCache[neighbour](pool, "neighbour", allocator.CacheOptions{OffHeap: true})
	var sender, receiver allocator.Account
	receiver.SetLimit(1 << 20)

	n := neighbours.Alloc(&sender)
	page := pool.Page(allocator.ClassFor(1460), &sender) // nil would be ENOBUFS
	page.Ref(&receiver)                                  // into the receive queue
	page.Unref(&sender)                                  // acknowledged
	fmt.Println("the receiver pays:", sender.Bytes()-int64(neighbours.Size()), receiver.Bytes())
	page.Unref(&receiver) // read
	neighbours.Free(&sender, n)

	fmt.Println(pool.Close(), arena.Close())
	// Output:
	// the receiver pays: 0 2048
	// <nil> <nil>
}

func ExamplePool_Leaks() {
	arena := allocator.NewArena(allocator.ArenaOptions{Debug: true})
	pool := allocator.NewPool(arena, allocator.PoolOptions{})
	var instance allocator.Account
	page := pool.Page(allocator.Page2K, &instance)

	for _, l := range pool.Leaks(&instance) {
		fmt.Println(l.Cache, l.Count, l.Bytes, l.Site)
	}
	page.Unref(&instance)
	fmt.Println(pool.Leaks(&instance))
	// Output:
	// page-2k 1 2048 allocator/example_test.go:41
	// []
}

func ExampleWriteSlabInfo() {
	pool := allocator.NewPool(allocator.NewArena(allocator.ArenaOptions{}), allocator.PoolOptions{})
	page := pool.Page(allocator.Page2K, nil)
	if err := allocator.WriteSlabInfo(os.Stdout, pool.SlabInfo()[allocator.Page2K:allocator.Page4K]); err != nil {
		fmt.Println(err)
	}
	page.Unref(nil)
	// Output:
	// slabinfo - version: 2.1
	// # name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>
	// page-2k                1      2   2048    2    1 : tunables    0    0    0 : slabdata      1      1      0
}
