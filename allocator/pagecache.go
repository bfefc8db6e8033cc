package allocator

import "fmt"

// pageCache is the pages of one class in one Pool.
type pageCache struct {
	free  *Page // last in, first out; always empty under Debug, which keeps its own lists
	pool  *Pool
	spans []*span

	size        int64
	active      int32
	total       int32
	limitHits   uint32
	doubleFrees uint32
	class       Class
	debug       bool
}

// span is a loan of the arena with the descriptors of the pages cut from it.
type span struct {
	loan  loan
	descs []Page
}

func (pc *pageCache) allocSlow(a *Account) *Page {
	var peak int64
	if a != nil {
		peak = a.peak
		if !a.take(pc.size) {
			a.failures++
			pc.limitHits++
			return nil
		}
	}
	var pg *Page
	if pc.debug {
		pg = pc.pool.dbg.alloc(pc)
	} else if pc.grow() {
		pg = pc.free
		pc.free = pg.next
	}
	if pg == nil {
		pc.limitHits++
		if a != nil {
			a.untake(pc.size, peak)
		}
		return nil
	}
	if a != nil {
		a.pages++
	}
	pc.active++
	pg.refs, pg.own = 1, 1
	pg.charged = a
	return pg
}

// grow borrows a span: the least the arena lends at first, later as much as the class has
// already, up to a slab; less where the limit leaves only that.
func (pc *pageCache) grow() bool {
	if pc.pool.closed {
		return false
	}
	ar := pc.pool.arena
	lead, stride := 0, int(pc.size)
	if pc.debug {
		lead, stride = redZone, stride+redZone
	}
	least := lead + stride
	for want := min(max(least, int(pc.total)*stride), ar.opts.SlabSize); want >= least; want /= 2 {
		l, ok := ar.lend(want)
		if !ok {
			continue
		}
		n := (len(l.mem) - lead) / stride
		s := &span{loan: l, descs: make([]Page, n)}
		for i := n - 1; i >= 0; i-- {
			pg := &s.descs[i]
			off := lead + i*stride
			end := off + int(pc.size)
			pg.Data = l.mem[off:end:end]
			pg.home = pc
			if pc.debug {
				pc.pool.dbg.fresh(pc, pg, l.mem[off-redZone:end+redZone])
				continue
			}
			pg.next = pc.free
			pc.free = pg
		}
		pc.spans = append(pc.spans, s)
		pc.total += int32(n)
		return true
	}
	return false
}

// shrink gives back spans without a page in use and takes their pages out of the free list.
func (pc *pageCache) shrink() (freed int64) {
	if pc.active == pc.total {
		return 0
	}
	kept := pc.spans[:0]
	for _, s := range pc.spans {
		if s.used() {
			kept = append(kept, s)
			continue
		}
		for i := range s.descs {
			s.descs[i].refs = pageGone
			s.descs[i].Data = nil
		}
		pc.total -= int32(len(s.descs))
		freed += int64(len(s.loan.mem))
		pc.pool.arena.giveBack(s.loan)
	}
	clear(pc.spans[len(kept):])
	pc.spans = kept
	if len(kept) == 0 {
		pc.spans = nil
	}
	if freed == 0 {
		return 0
	}
	if pc.debug {
		pc.pool.dbg.forgetGone(pc)
	}
	tail := &pc.free
	for pg := pc.free; pg != nil; pg = pg.next {
		if pg.refs != pageGone {
			*tail = pg
			tail = &pg.next
		}
	}
	*tail = nil
	return freed
}

func (s *span) used() bool {
	for i := range s.descs {
		if s.descs[i].refs != 0 {
			return true
		}
	}
	return false
}

func (pc *pageCache) leaks(a *Account, add func(Leak)) {
	if pc.active == 0 {
		return
	}
	for _, s := range pc.spans {
		for i := range s.descs {
			pg := &s.descs[i]
			if pg.refs == 0 || a != nil && pg.charged != a && (pg.shared == nil || pg.shared.find(a) < 0) {
				continue
			}
			l := Leak{Cache: pc.class.String(), Count: 1, Bytes: pc.size}
			if pc.debug {
				pc.pool.dbg.where(pg, &l)
			}
			add(l)
		}
	}
}

func (pc *pageCache) badPage(k ViolationKind, pg *Page, detail string) {
	if pg.refs == pageGone {
		detail += " whose memory went back to the arena"
	}
	v := Violation{Kind: k, Cache: pc.class.String(), Detail: fmt.Sprintf("%s (%d references)", detail, max(pg.refs, 0)), At: callSite(pc.pool.dbg)}
	if pc.debug {
		pc.pool.dbg.history(pg, &v)
	}
	pc.pool.violation(v)
}

func (pc *pageCache) info() CacheInfo {
	ci := CacheInfo{
		Name: pc.class.String(), ActiveObjs: int(pc.active), NumObjs: int(pc.total), ObjSize: int(pc.size),
		NumSlabs: len(pc.spans), LimitHits: uint64(pc.limitHits), DoubleFrees: uint64(pc.doubleFrees), OffHeap: offHeap,
	}
	for _, s := range pc.spans {
		ci.Bytes += int64(len(s.loan.mem))
		if s.used() {
			ci.ActiveSlabs++
		}
		ci.ObjsPerSlab = max(ci.ObjsPerSlab, len(s.descs))
		ci.PagesPerSlab = max(ci.PagesPerSlab, len(s.loan.mem)/unitSize)
	}
	return ci
}
