package allocator

import (
	"errors"
	"fmt"
	"math/bits"
	"sync"
)

const (
	unitSize        = 4096      // the smallest loan
	defaultSlabSize = 256 << 10 // bytes
	minSlabSize     = 128 << 10
	maxSlabSize     = 64 << 20
	maxUnits        = 64 // of a slab: one bit each
)

// ArenaOptions say how an Arena gets its memory.
type ArenaOptions struct {
	// Limit in bytes of all that is lent to pools, pages and object chunks together; 0 for none.
	Limit int64
	// SlabSize in bytes is what is asked of the system at once: rounded up to a power of
	// two, 128 KiB to 64 MiB; 0 stands for 256 KiB.
	SlabSize int
	// Debug makes every Pool of the arena a debugging one (see PoolOptions).
	Debug bool
	// Prefault has the system back memory with pages when it is lent, not at the first touch:
	// one call instead of one fault for each 4 KiB.
	Prefault bool
}

// Arena lends runs of pages, cut from slabs, to Pools. It is safe for concurrent use; a
// process or a test has one. The memory is off the Go heap where the system has mmap, and
// on it elsewhere and in programs built with the race detector, which does not see mmap.
type Arena struct {
	mu    sync.Mutex
	opts  ArenaOptions
	unit  int // bytes
	top   int // order of a whole slab
	avail [7]*slab
	lists [7]int // lengths of avail
	slabs int

	lent      int64 // bytes of slabs
	heap      int64 // bytes of object chunks
	peak      int64
	limitHits uint64
	sysFails  uint64
	closed    bool
}

// slab is one mapping; a bit of free is one unit.
type slab struct {
	mem        []byte
	free       uint64
	touched    uint64 // units faulted in ahead
	order      int    // of its largest free run; -1 if it is full
	prev, next *slab
}

// loan is memory lent to a pool: an aligned power-of-two run of one slab.
type loan struct {
	mem   []byte
	slab  *slab
	first int // unit
	order int
}

// ArenaStats is a snapshot of an Arena; all sizes in bytes.
type ArenaStats struct {
	Mapped    int64  `json:"mapped"`     // held of the system for slabs
	Lent      int64  `json:"lent"`       // slab memory lent to pools
	Heap      int64  `json:"heap"`       // chunks of the Go heap counted against the limit
	Peak      int64  `json:"peak"`       // most of Lent and Heap together
	Limit     int64  `json:"limit"`      // 0: none
	Slabs     int    `json:"slabs"`      // mapped
	FreeSlabs int    `json:"free_slabs"` // mapped, nothing of them lent
	SlabSize  int    `json:"slab_size"`
	LimitHits uint64 `json:"limit_hits"` // loans refused by Limit
	SysFails  uint64 `json:"sys_fails"`  // loans refused by the system
	OffHeap   bool   `json:"off_heap"`   // slabs are mappings of the system
}

// NewArena makes an arena that holds no memory yet.
func NewArena(o ArenaOptions) *Arena {
	if o.SlabSize <= 0 {
		o.SlabSize = defaultSlabSize
	}
	o.SlabSize = min(max(o.SlabSize, minSlabSize), maxSlabSize)
	o.SlabSize = 1 << bits.Len(uint(o.SlabSize-1))
	unit := max(unitSize, o.SlabSize/maxUnits)
	return &Arena{opts: o, unit: unit, top: bits.TrailingZeros(uint(o.SlabSize / unit))}
}

// lend gives size bytes, rounded up to a power of two of units; false at the limit, when
// the system has no more, and for more than a slab.
func (ar *Arena) lend(size int) (loan, bool) {
	order := 0
	for ar.unit<<order < size {
		order++
	}
	if order > ar.top {
		return loan{}, false
	}
	size = ar.unit << order
	ar.mu.Lock()
	defer ar.mu.Unlock()
	if !ar.room(int64(size)) {
		return loan{}, false
	}
	o := order
	for o < ar.top && ar.avail[o] == nil {
		o++
	}
	s := ar.avail[o]
	if s == nil {
		mem, err := mapMemory(ar.opts.SlabSize)
		if err != nil {
			ar.sysFails++
			return loan{}, false
		}
		s = &slab{mem: mem, free: ^uint64(0) >> (64 - uint(1)<<ar.top), order: -1}
		ar.slabs++
		ar.relist(s)
	}
	first := bits.TrailingZeros64(runs(s.free, order))
	mask := runMask(first, order)
	s.free &^= mask
	ar.relist(s)
	ar.lent += int64(size)
	ar.peak = max(ar.peak, ar.lent+ar.heap)
	mem := s.mem[first*ar.unit:][:size:size]
	if ar.opts.Prefault && s.touched&mask != mask {
		s.touched |= mask
		prefault(mem)
	}
	return loan{mem: mem, slab: s, first: first, order: order}, true
}

// giveBack ends a loan.
func (ar *Arena) giveBack(l loan) {
	ar.mu.Lock()
	defer ar.mu.Unlock()
	l.slab.free |= runMask(l.first, l.order)
	ar.lent -= int64(len(l.mem))
	ar.relist(l.slab)
}

// reserve counts n bytes of the Go heap against the limit, release takes them off.
func (ar *Arena) reserve(n int64) bool {
	ar.mu.Lock()
	defer ar.mu.Unlock()
	if !ar.room(n) {
		return false
	}
	ar.heap += n
	ar.peak = max(ar.peak, ar.lent+ar.heap)
	return true
}

func (ar *Arena) release(n int64) {
	ar.mu.Lock()
	ar.heap -= n
	ar.mu.Unlock()
}

func (ar *Arena) room(n int64) bool {
	if ar.closed || ar.opts.Limit > 0 && ar.lent+ar.heap+n > ar.opts.Limit {
		ar.limitHits++
		return false
	}
	return true
}

// runs has a bit for the first unit of every free aligned run of 1<<order units.
func runs(free uint64, order int) uint64 {
	for k := range order {
		free &= free >> (1 << k)
	}
	var aligned uint64
	switch order {
	case 0:
		aligned = ^uint64(0)
	case 6:
		aligned = 1
	default:
		aligned = ^uint64(0) / (1<<(1<<order) - 1)
	}
	return free & aligned
}

func runMask(first, order int) uint64 {
	return ^uint64(0) >> (64 - uint(1)<<order) << first
}

// relist moves a slab to the list of its largest free run.
func (ar *Arena) relist(s *slab) {
	order := ar.top
	for order >= 0 && runs(s.free, order) == 0 {
		order--
	}
	if order == s.order {
		return
	}
	ar.unlist(s)
	s.order = order
	if order >= 0 {
		s.next = ar.avail[order]
		if s.next != nil {
			s.next.prev = s
		}
		ar.avail[order] = s
		ar.lists[order]++
	}
}

func (ar *Arena) unlist(s *slab) {
	if s.order < 0 {
		return
	}
	if s.prev != nil {
		s.prev.next = s.next
	} else {
		ar.avail[s.order] = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	}
	s.prev, s.next = nil, nil
	ar.lists[s.order]--
	s.order = -1
}

// Shrink gives slabs of which nothing is lent back to the system; it returns their bytes.
func (ar *Arena) Shrink() int64 {
	ar.mu.Lock()
	defer ar.mu.Unlock()
	n, _ := ar.unmapFree()
	return n
}

func (ar *Arena) unmapFree() (freed int64, err error) {
	for s := ar.avail[ar.top]; s != nil; s = ar.avail[ar.top] {
		ar.unlist(s)
		ar.slabs--
		freed += int64(len(s.mem))
		err = errors.Join(err, unmapMemory(s.mem))
		s.mem = nil
	}
	return freed, err
}

// Close gives all memory back to the system and ends lending. While pools still hold some of
// it nothing that they hold is touched, and the error says how much; Close may be repeated then.
func (ar *Arena) Close() error {
	ar.mu.Lock()
	defer ar.mu.Unlock()
	ar.closed = true
	_, err := ar.unmapFree()
	if ar.lent != 0 || ar.heap != 0 {
		err = errors.Join(err, fmt.Errorf("allocator: arena closed while pools hold %d bytes of %d slabs and %d bytes of object chunks: close the pools first",
			ar.lent, ar.slabs, ar.heap))
	}
	return err
}

// Stats of the arena now.
func (ar *Arena) Stats() ArenaStats {
	ar.mu.Lock()
	defer ar.mu.Unlock()
	return ArenaStats{
		Mapped: int64(ar.slabs) * int64(ar.opts.SlabSize), Lent: ar.lent, Heap: ar.heap, Peak: ar.peak, Limit: ar.opts.Limit,
		Slabs: ar.slabs, FreeSlabs: ar.lists[ar.top], SlabSize: ar.opts.SlabSize,
		LimitHits: ar.limitHits, SysFails: ar.sysFails, OffHeap: offHeap,
	}
}

// loanSize is what lend gives for size bytes.
func (ar *Arena) loanSize(size int) int {
	n := ar.unit
	for n < size && n < ar.opts.SlabSize {
		n *= 2
	}
	return n
}
