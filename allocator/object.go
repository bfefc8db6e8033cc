package allocator

import (
	"fmt"
	"math/bits"
	"reflect"
	"unsafe"
)

// CacheOptions of one Cache.
type CacheOptions struct {
	// KeepContents leaves an object as it was when it is freed; objects are zeroed otherwise.
	KeepContents bool
	// OffHeap keeps objects in slabs of the arena, where the garbage collector does not look.
	// The type must be free of pointers: if it is not, the cache uses the Go heap all the same
	// and CacheInfo.Note says so.
	OffHeap bool
	// Limit in objects; 0 for none.
	Limit int
	// ChunkBytes is about what a chunk takes once the cache has grown, at least 8 objects
	// unless they are large; 0 stands for 8 KiB. First chunks are smaller.
	ChunkBytes int
}

const (
	inUse       = ^uint32(0) // next of an object in use
	firstChunk  = 512        // bytes
	chunkTarget = 8 << 10    // bytes
	largeObject = 4 << 10    // bytes: from here on a chunk may hold fewer than 8
	heapHeader  = 8          // bytes that the Go runtime adds to an object with pointers
)

// slot is an object and its place: with them freed objects are linked by number, so that a
// chunk of a type without pointers has none.
type slot[T any] struct {
	obj  T
	id   uint32 // chunk number << shift | place in the chunk
	next uint32 // id+1 of the next free slot, 0 at the end; inUse
}

// guardedSlot is the slot of a debugging cache; id, next and red are the red zone between
// one object and the next.
type guardedSlot[T any] struct {
	slot[T]
	red [2]uint64
}

// chunk is the slots made at once.
type chunk struct {
	base  unsafe.Pointer // nil: shrunk away
	n     int32
	bytes int64
	loan  *loan // off-heap caches
}

// Cache is a slab cache of objects of one type in one Pool.
type Cache[T any] struct {
	free   uint32 // id+1 of the first free slot; always 0 under Debug, which keeps its own lists
	shift  uint8
	keep   bool
	off    bool
	stride uint32 // bytes from slot to slot
	active int32
	total  int32
	chunks []chunk
	pool   *Pool

	limit       int32
	per         int32 // slots of a full-grown chunk
	holes       int32 // chunks shrunk away
	limitHits   uint32
	doubleFrees uint32
	note        string
	name        string
	ctor        func(*T)
	reset       func(*T)
	dbg         *cacheDebug
}

// NewCache makes an empty cache (some 200 bytes) and lists it in the pool's SlabInfo.
func NewCache[T any](p *Pool, name string, o CacheOptions) *Cache[T] {
	c := new(Cache[T])
	c.Init(p, name, o)
	return c
}

// Init is NewCache for a Cache that is part of a larger struct; it is called once, and the
// cache must not be copied or moved afterwards.
func (c *Cache[T]) Init(p *Pool, name string, o CacheOptions) {
	t := reflect.TypeFor[T]()
	c.pool, c.name, c.keep = p, name, o.KeepContents
	c.limit = int32(min(max(o.Limit, 0), 1<<30))
	if o.OffHeap {
		switch {
		case hasPointers(t):
			c.note = fmt.Sprintf("on the Go heap: %v has pointers", t)
		case t.Size() > uintptr(p.arena.opts.SlabSize)/2:
			c.note = fmt.Sprintf("on the Go heap: %v is too large for a slab of %d bytes", t, p.arena.opts.SlabSize)
		default:
			c.off = true
		}
	}
	stride := unsafe.Sizeof(slot[T]{})
	if p.dbg != nil {
		stride = unsafe.Sizeof(guardedSlot[T]{})
		c.dbg = newCacheDebug(t, o.KeepContents)
	}
	c.stride = uint32(stride)
	target := o.ChunkBytes
	if target <= 0 {
		target = chunkTarget
	}
	per := (target - heapHeader) / int(stride)
	if c.off {
		per = target / int(stride)
	}
	if stride < largeObject {
		per = max(per, 8)
	}
	per = max(per, 1)
	if c.off { // what the loan holds, which is a power of two
		per = c.pool.arena.loanSize(per*int(stride)) / int(stride)
	}
	c.per = int32(per)
	c.shift = uint8(bits.Len(uint(per - 1)))
	p.caches = append(p.caches, c)
}

// OnCreate has f called once for each object, when its chunk is made; for KeepContents. It
// must be set before the first Alloc.
func (c *Cache[T]) OnCreate(f func(*T)) { c.ctor = f }

// OnFree has f called for each object that is freed, before it is zeroed.
func (c *Cache[T]) OnFree(f func(*T)) { c.reset = f }

func (c *Cache[T]) at(id uint32) *slot[T] {
	ch := &c.chunks[id>>(c.shift&31)]
	return (*slot[T])(unsafe.Add(ch.base, uintptr(id&(1<<(c.shift&31)-1))*uintptr(c.stride)))
}

// Size is what an object costs its account, in bytes: that of T and 8 more.
func (c *Cache[T]) Size() int { return int(unsafe.Sizeof(slot[T]{})) }

// Active objects now.
func (c *Cache[T]) Active() int { return int(c.active) }

// Alloc gives an object charged to a; zeroed unless the cache keeps contents. It is nil when
// the limit of the cache, the account or the arena is hit; cache and account count that.
func (c *Cache[T]) Alloc(a *Account) *T {
	i := c.free
	if i == 0 {
		return c.allocSlow(a)
	}
	if a != nil {
		if !a.take(int64(unsafe.Sizeof(slot[T]{}))) {
			a.failures++
			c.limitHits++
			return nil
		}
		a.objects++
	}
	s := c.at(i - 1)
	c.free = s.next
	s.next = inUse
	c.active++
	return &s.obj
}

func (c *Cache[T]) allocSlow(a *Account) *T {
	size := int64(unsafe.Sizeof(slot[T]{}))
	var peak int64
	if a != nil {
		peak = a.peak
		if !a.take(size) {
			a.failures++
			c.limitHits++
			return nil
		}
	}
	var s *slot[T]
	if c.dbg != nil {
		s = c.debugAlloc(a)
	} else if c.grow() {
		s = c.at(c.free - 1)
		c.free = s.next
	}
	if s == nil {
		c.limitHits++
		if a != nil {
			a.untake(size, peak)
		}
		return nil
	}
	if a != nil {
		a.objects++
	}
	s.next = inUse
	c.active++
	return &s.obj
}

// Free gives an object back. It must have come from this cache and be charged to a; nil is
// nothing.
func (c *Cache[T]) Free(a *Account, x *T) {
	var s *slot[T]
	if c.dbg == nil && x != nil {
		s = (*slot[T])(unsafe.Pointer(x)) // obj is the first field
		if s.next != inUse {
			c.doubleFree()
			return
		}
	} else if s = c.debugCheckFree(a, x); s == nil {
		return
	}
	if a != nil {
		a.bytes -= int64(unsafe.Sizeof(slot[T]{}))
		a.objects--
	}
	if c.reset != nil {
		c.reset(x)
	}
	if !c.keep {
		var zero T
		s.obj = zero
	}
	c.active--
	if c.dbg != nil {
		c.debugFreed(s)
		return
	}
	s.next = c.free
	c.free = s.id + 1
}

func (c *Cache[T]) doubleFree() {
	c.doubleFrees++
	c.pool.violation(Violation{Kind: DoubleFree, Cache: c.name, Detail: "free of an object that is not in use", At: callSite(c.pool.dbg)})
}

// AllocBatch fills out with objects, as Alloc makes them, and returns how many it got.
func (c *Cache[T]) AllocBatch(a *Account, out []*T) int {
	for i := range out {
		x := c.Alloc(a)
		if x == nil {
			return i
		}
		out[i] = x
	}
	return len(out)
}

// FreeBatch frees all of list.
func (c *Cache[T]) FreeBatch(a *Account, list []*T) {
	for _, x := range list {
		c.Free(a, x)
	}
}

// Transfer charges an object to another account from now on, for one that goes along with a frame.
func (c *Cache[T]) Transfer(x *T, from, to *Account) {
	if from == to {
		return
	}
	if from != nil {
		from.bytes -= int64(unsafe.Sizeof(slot[T]{}))
		from.objects--
	}
	if to != nil {
		to.bytes += int64(unsafe.Sizeof(slot[T]{}))
		to.objects++
		to.peak = max(to.peak, to.bytes)
	}
	if c.dbg != nil {
		c.dbg.track((*slot[T])(unsafe.Pointer(x)).id, c.shift).account = to
	}
}

// Index is an object's number in this cache: four bytes to keep instead of a pointer, which
// the garbage collector does not follow. It is good until the object is freed.
func (c *Cache[T]) Index(x *T) uint32 { return (*slot[T])(unsafe.Pointer(x)).id }

// At is the object with that number; nil if none in use has it.
func (c *Cache[T]) At(index uint32) *T {
	n := index >> (c.shift & 31)
	if n >= uint32(len(c.chunks)) || index&(1<<(c.shift&31)-1) >= uint32(c.chunks[n].n) {
		return nil
	}
	s := c.at(index)
	if s.next != inUse {
		return nil
	}
	return &s.obj
}

// grow makes a chunk: a small one at first, later with as many slots as there are already,
// up to the full size; fewer where a limit leaves only those.
func (c *Cache[T]) grow() bool {
	if c.pool.closed {
		return false
	}
	first := min(max(firstChunk/int(c.stride), 1), 8)
	n := min(max(first, int(c.total)), int(c.per))
	if c.limit > 0 {
		if n = min(n, int(c.limit-c.total)); n <= 0 {
			return false
		}
	}
	for ; n > 0; n /= 2 {
		ch, ok := c.newChunk(n)
		if !ok {
			continue
		}
		c.adopt(ch)
		return true
	}
	return false
}

func (c *Cache[T]) newChunk(n int) (chunk, bool) {
	if c.off {
		l, ok := c.pool.arena.lend(n * int(c.stride))
		if !ok {
			return chunk{}, false
		}
		n = min(len(l.mem)/int(c.stride), int(c.per))
		if c.limit > 0 {
			n = min(n, int(c.limit-c.total))
		}
		clear(l.mem)
		return chunk{base: unsafe.Pointer(unsafe.SliceData(l.mem)), n: int32(n), bytes: int64(len(l.mem)), loan: &l}, true
	}
	bytes := int64(n) * int64(c.stride)
	if !c.pool.arena.reserve(bytes) {
		return chunk{}, false
	}
	ch := chunk{n: int32(n), bytes: bytes}
	if c.dbg != nil {
		ch.base = unsafe.Pointer(unsafe.SliceData(make([]guardedSlot[T], n)))
	} else {
		ch.base = unsafe.Pointer(unsafe.SliceData(make([]slot[T], n)))
	}
	return ch, true
}

// adopt gives a chunk a number and puts its slots into the free list, the first one on top.
func (c *Cache[T]) adopt(ch chunk) {
	num := len(c.chunks)
	if c.holes > 0 {
		for num = 0; c.chunks[num].base != nil; num++ {
		}
		c.chunks[num] = ch
		c.holes--
	} else {
		c.chunks = append(c.chunks, ch)
	}
	c.total += ch.n
	if c.dbg != nil {
		c.dbg.addChunk(num, ch, uintptr(c.stride))
	}
	for i := int(ch.n) - 1; i >= 0; i-- {
		id := uint32(num)<<c.shift | uint32(i)
		s := c.at(id)
		s.id = id
		if c.ctor != nil {
			c.ctor(&s.obj)
		}
		if c.dbg != nil {
			c.debugFresh(s)
			continue
		}
		s.next = c.free
		c.free = id + 1
	}
}

// Shrink gives back chunks of which nothing is in use; it returns their bytes.
func (c *Cache[T]) Shrink() int64 {
	c.check()
	return c.shrink()
}

func (c *Cache[T]) shrink() (freed int64) {
	if c.active == c.total {
		return 0
	}
	var gone []bool // by chunk number, made with the first that goes
	for num := range c.chunks {
		ch := &c.chunks[num]
		if ch.base == nil || c.used(num) > 0 {
			continue
		}
		if gone == nil {
			gone = make([]bool, len(c.chunks))
		}
		gone[num] = true
		freed += ch.bytes
	}
	if gone == nil {
		return 0
	}
	if c.dbg != nil {
		c.dbg.forget(gone, c.shift)
	}
	tail := &c.free
	for i := c.free; i != 0; {
		s := c.at(i - 1)
		if !gone[(i-1)>>c.shift] {
			*tail = i
			tail = &s.next
		}
		i = s.next
	}
	*tail = 0
	for num, g := range gone {
		if !g {
			continue
		}
		ch := &c.chunks[num]
		c.total -= ch.n
		if c.off {
			c.pool.arena.giveBack(*ch.loan)
		} else {
			c.pool.arena.release(ch.bytes)
		}
		*ch = chunk{}
		c.holes++
	}
	for len(c.chunks) > 0 && c.chunks[len(c.chunks)-1].base == nil {
		c.chunks = c.chunks[:len(c.chunks)-1]
		c.holes--
	}
	if len(c.chunks) == 0 {
		c.chunks = nil
	}
	return freed
}

// used counts the slots of a chunk that are in use.
func (c *Cache[T]) used(num int) (n int) {
	for i := range uint32(c.chunks[num].n) {
		if c.at(uint32(num)<<c.shift|i).next == inUse {
			n++
		}
	}
	return n
}

func (c *Cache[T]) cacheName() string { return c.name }

func (c *Cache[T]) info() CacheInfo {
	ci := CacheInfo{
		Name: c.name, ActiveObjs: int(c.active), NumObjs: int(c.total), ObjSize: c.Size(), NumSlabs: len(c.chunks) - int(c.holes),
		LimitHits: uint64(c.limitHits), DoubleFrees: uint64(c.doubleFrees), OffHeap: c.off && offHeap, Note: c.note,
	}
	for num := range c.chunks {
		ch := &c.chunks[num]
		ci.Bytes += ch.bytes
		ci.ObjsPerSlab = max(ci.ObjsPerSlab, int(ch.n))
		ci.PagesPerSlab = max(ci.PagesPerSlab, int(ch.bytes+unitSize-1)/unitSize)
		if c.used(num) > 0 {
			ci.ActiveSlabs++
		}
	}
	return ci
}

func (c *Cache[T]) leaks(a *Account, add func(Leak)) {
	if c.active == 0 {
		return
	}
	if c.dbg == nil {
		if a == nil {
			add(Leak{Cache: c.name, Count: int(c.active), Bytes: int64(c.active) * int64(c.Size())})
		}
		return
	}
	for num := range c.chunks {
		for i := range uint32(c.chunks[num].n) {
			s := c.at(uint32(num)<<c.shift | i)
			t := c.dbg.track(s.id, c.shift)
			if s.next != inUse || a != nil && t.account != a {
				continue
			}
			l := Leak{Cache: c.name, Count: 1, Bytes: int64(c.Size())}
			t.alloc.fill(c.pool.dbg, &l.Site, &l.Stack)
			add(l)
		}
	}
}
