package allocator

import (
	"reflect"
	"runtime"
	"testing"
	"unsafe"
)

// thing has pointers among plain words, as a socket has.
type thing struct {
	n    uint64
	next *thing
	name string
	buf  [24]byte
	any  any
	end  uint16
}

// plainThing has none, as a connection block kept by index.
type plainThing struct {
	seq, ack uint32
	port     uint16
	buf      [50]byte
	peer     uint32
}

func TestObjectsAreZeroedAndReusedLastInFirstOut(t *testing.T) {
	p := newTestPool(t, ArenaOptions{}, PoolOptions{})
	c := NewCache[thing](p, "things", CacheOptions{})
	var list []*thing
	for range 300 {
		x := c.Alloc(nil)
		if !reflect.DeepEqual(*x, thing{}) {
			t.Fatalf("not zeroed: %+v", *x)
		}
		*x = thing{n: uint64(len(list)), next: x, name: "x", any: x, end: 7}
		x.buf[23] = 1
		list = append(list, x)
	}
	for i, x := range list {
		if x.n != uint64(i) || x.next != x {
			t.Fatalf("object %d overlaps another: %+v", i, x)
		}
	}
	last := list[299]
	c.FreeBatch(nil, list)
	if x := c.Alloc(nil); x != last || !reflect.DeepEqual(*x, thing{}) {
		t.Errorf("not the last one freed, or not zeroed: %+v", x)
	}
	c.Free(nil, last)
	c.Free(nil, nil)
}

func TestKeepContentsAndHooks(t *testing.T) {
	p := newTestPool(t, ArenaOptions{}, PoolOptions{})
	c := NewCache[thing](p, "kept", CacheOptions{KeepContents: true})
	created, freed := 0, 0
	c.OnCreate(func(x *thing) { created++; x.name = "made" })
	c.OnFree(func(x *thing) { freed++; x.end = 0 })
	x := c.Alloc(nil)
	if x.name != "made" {
		t.Error("not created")
	}
	x.n, x.end = 5, 6
	c.Free(nil, x)
	if y := c.Alloc(nil); y != x || y.n != 5 || y.end != 0 || freed != 1 {
		t.Errorf("%+v, %d freed", y, freed)
	}
	if created != int(c.total) {
		t.Errorf("%d created of %d", created, c.total)
	}
	c.Free(nil, x)
}

func TestOffHeapRefusesPointers(t *testing.T) {
	p := newTestPool(t, ArenaOptions{}, PoolOptions{})
	good := NewCache[plainThing](p, "plain", CacheOptions{OffHeap: true})
	bad := NewCache[thing](p, "pointers", CacheOptions{OffHeap: true})
	big := NewCache[[300 << 10]byte](p, "big", CacheOptions{OffHeap: true})
	x, y, z := good.Alloc(nil), bad.Alloc(nil), big.Alloc(nil)
	if x == nil || y == nil || z == nil {
		t.Fatal("refused")
	}
	info := p.SlabInfo()[NumClasses:]
	if info[0].OffHeap != offHeap || info[0].Note != "" {
		t.Errorf("%+v", info[0])
	}
	if info[1].OffHeap || info[1].Note != "on the Go heap: allocator.thing has pointers" {
		t.Errorf("%+v", info[1])
	}
	if info[2].OffHeap || info[2].Note == "" {
		t.Errorf("%+v", info[2])
	}
	y.next = new(thing)
	runtime.GC()
	good.Free(nil, x)
	bad.Free(nil, y)
	big.Free(nil, z)
}

func TestPointersAreFoundInTypes(t *testing.T) {
	const word = unsafe.Sizeof(uintptr(0))
	type pair struct {
		n uintptr
		p *int
	}
	type kinds struct {
		a func()
		b map[int]int
		c chan int
		d []byte
	}
	for _, tc := range []struct {
		t        reflect.Type
		pointers []uintptr
	}{
		{reflect.TypeFor[int](), nil},
		{reflect.TypeFor[plainThing](), nil},
		{reflect.TypeFor[[4]struct{ a, b uint8 }](), nil},
		{reflect.TypeFor[[0]*int](), nil},
		{reflect.TypeFor[uintptr](), nil},
		{reflect.TypeFor[*int](), []uintptr{0}},
		{reflect.TypeFor[[2]pair](), []uintptr{word, 3 * word}},
		{reflect.TypeFor[thing](), []uintptr{unsafe.Offsetof(thing{}.next), unsafe.Offsetof(thing{}.name), unsafe.Offsetof(thing{}.any), unsafe.Offsetof(thing{}.any) + word}},
		{reflect.TypeFor[kinds](), []uintptr{0, word, 2 * word, 3 * word}},
	} {
		plain, pointers := plainRanges(tc.t)
		if !reflect.DeepEqual(pointers, tc.pointers) || hasPointers(tc.t) != (tc.pointers != nil) {
			t.Errorf("%v: pointers at %v, want %v", tc.t, pointers, tc.pointers)
		}
		n := uintptr(len(pointers)) * word
		for _, r := range plain {
			n += r.end - r.off
		}
		if n != tc.t.Size() {
			t.Errorf("%v: %v and %v cover %d of %d bytes", tc.t, plain, pointers, n, tc.t.Size())
		}
	}
}

func TestIndexFindsTheObject(t *testing.T) {
	p := newTestPool(t, ArenaOptions{}, PoolOptions{})
	for _, off := range []bool{false, true} {
		c := NewCache[plainThing](p, "indexed", CacheOptions{OffHeap: off})
		var list []*plainThing
		for range 500 {
			list = append(list, c.Alloc(nil))
		}
		for i, x := range list {
			if c.At(c.Index(x)) != x {
				t.Fatalf("object %d, number %d", i, c.Index(x))
			}
		}
		n := c.Index(list[3])
		c.FreeBatch(nil, list)
		if c.At(n) != nil || c.At(1<<31) != nil {
			t.Error("found what is not in use")
		}
	}
}

func TestFreedObjectsKeepNothingAlive(t *testing.T) {
	p := newTestPool(t, ArenaOptions{}, PoolOptions{})
	c := NewCache[thing](p, "things", CacheOptions{})
	x := c.Alloc(nil)
	x.next = new(thing)
	c.Free(nil, x)
	if x.next != nil {
		t.Error("a freed object still refers to another")
	}
}

func TestFirstChunkIsSmall(t *testing.T) {
	p := newTestPool(t, ArenaOptions{}, PoolOptions{})
	c := NewCache[[1100]byte](p, "block", CacheOptions{})
	x := c.Alloc(nil)
	if n := p.Arena().Stats().Heap; n > 1200 {
		t.Errorf("one object takes %d bytes", n)
	}
	list := make([]*[1100]byte, 1000)
	c.AllocBatch(nil, list)
	if ci := p.SlabInfo()[NumClasses]; ci.ObjsPerSlab < 8 || ci.Bytes > 1100*1100 {
		t.Errorf("%+v", ci)
	}
	c.Free(nil, x)
	c.FreeBatch(nil, list)
}

func TestCacheLimit(t *testing.T) {
	for _, o := range []CacheOptions{{Limit: 5}, {Limit: 5, OffHeap: true}} {
		p := newTestPool(t, ArenaOptions{}, PoolOptions{})
		c := NewCache[plainThing](p, "five", o)
		out := make([]*plainThing, 9)
		var a Account
		if n := c.AllocBatch(&a, out); n != 5 || a.Failures() != 1 || p.SlabInfo()[NumClasses].LimitHits != 1 {
			t.Errorf("%d objects, %d failures", n, a.Failures())
		}
		c.FreeBatch(&a, out[:5])
	}
}

func TestCacheShrinksByWholeChunks(t *testing.T) {
	for _, o := range []CacheOptions{{}, {OffHeap: true}} {
		for _, debug := range []bool{false, true} {
			p := newTestPool(t, ArenaOptions{}, PoolOptions{Debug: debug})
			c := NewCache[plainThing](p, "shrinking", o)
			list := make([]*plainThing, 2000)
			c.AllocBatch(nil, list)
			before := p.SlabInfo()[NumClasses]
			keep := list[1000]
			keep.seq = 77
			c.FreeBatch(nil, list[:1000])
			c.FreeBatch(nil, list[1001:])
			freed := c.Shrink()
			after := p.SlabInfo()[NumClasses]
			if freed != before.Bytes-after.Bytes || after.NumSlabs != 1 || after.ActiveObjs != 1 {
				t.Errorf("freed %d\nbefore %+v\nafter  %+v", freed, before, after)
			}
			seen := map[*plainThing]bool{keep: true}
			for i := range list {
				if list[i] = c.Alloc(nil); list[i] == nil || seen[list[i]] {
					t.Fatal("wrong object after Shrink")
				}
				seen[list[i]] = true
			}
			if keep.seq != 77 {
				t.Error("the object in use was touched")
			}
			c.FreeBatch(nil, list)
			c.Free(nil, keep)
			if c.Shrink() == 0 || c.total != 0 || c.chunks != nil {
				t.Errorf("%d slots left", c.total)
			}
		}
	}
}
