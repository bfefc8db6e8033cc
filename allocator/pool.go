package allocator

import (
	"errors"
	"fmt"
	"strings"
)

// PoolOptions of one Domain's memory.
type PoolOptions struct {
	// Debug finds misuse: red zones, poison, a quarantine for what is freed, the allocating line
	// of everything that is live. It costs about a microsecond an allocation.
	Debug bool
	// Quarantine is how many freed pages of each class, and objects of each cache, wait under
	// Debug before they are used again; 0 stands for 64.
	Quarantine int
	// Report is called for each Violation, within the call that finds it, under the Domain's
	// mutex: it must not call the pool. When nil, violations are collected for Close.
	Report func(Violation)
	// Wrapper tells of a function, by the name that runtime.Frame has, that it allocates and
	// frees on behalf of its callers: reports name the line that called it instead of one in it.
	Wrapper func(function string) bool
}

// Pool is a Domain's front cache: free lists of pages and typed objects over an Arena. It is
// guarded by the Domain's mutex. Taking and giving back what the pool already has takes no
// lock, no atomic operation and no allocation.
type Pool struct {
	arena  *Arena
	pages  [NumClasses]pageCache
	caches []objectCache
	shares *sharing // unused records
	shared int32    // pages with one in use
	closed bool
	report func(Violation)
	found  *violations // kept for Close when there is no report
	dbg    *poolDebug  // nil without Debug
	zeros  *Page       // nil until Zeros is called
}

// objectCache is a Cache of some type, as its pool sees it.
type objectCache interface {
	info() CacheInfo
	shrink() int64
	check()
	leaks(a *Account, add func(Leak))
	cacheName() string
}

// NewPool makes an empty pool (some 500 bytes) over an arena.
func NewPool(ar *Arena, o PoolOptions) *Pool {
	p := &Pool{arena: ar, report: o.Report}
	if o.Debug || ar.opts.Debug {
		p.dbg = newPoolDebug(o)
	}
	for c := range p.pages {
		p.pages[c] = pageCache{pool: p, class: Class(c), size: int64(Class(c).Size()), debug: p.dbg != nil}
	}
	return p
}

// Arena that the pool draws on.
func (p *Pool) Arena() *Arena { return p.arena }

// Page allocates a page with one reference, charged to and held by a. It is nil when the
// limit of the arena or of the account is hit; both count that.
func (p *Pool) Page(c Class, a *Account) *Page {
	if c >= NumClasses {
		a.fail()
		return nil
	}
	pc := &p.pages[c]
	pg := pc.free
	if pg == nil {
		return pc.allocSlow(a)
	}
	if a != nil {
		if !a.take(pc.size) {
			a.failures++
			pc.limitHits++
			return nil
		}
		a.pages++
	}
	pc.free = pg.next
	pc.active++
	pg.refs, pg.own = 1, 1
	pg.charged = a
	return pg
}

// Pages fills out with new pages, as Page makes them, and returns how many it got.
func (p *Pool) Pages(c Class, a *Account, out []*Page) int {
	for i := range out {
		pg := p.Page(c, a)
		if pg == nil {
			return i
		}
		out[i] = pg
	}
	return len(out)
}

// Shrink gives back to the arena every slab, and to the garbage collector every chunk, of
// which nothing is in use; it returns their bytes. Under Debug it checks what is free first.
func (p *Pool) Shrink() int64 {
	p.Check()
	var n int64
	for c := range p.pages {
		n += p.pages[c].shrink()
	}
	for _, c := range p.caches {
		n += c.shrink()
	}
	p.shares = nil
	return n
}

// Check looks, under Debug, for damage to free pages and objects and to the red zones of all.
func (p *Pool) Check() {
	if p.dbg == nil {
		return
	}
	p.dbg.checkPages(p)
	for _, c := range p.caches {
		c.check()
	}
}

// Close gives all memory back and reports what was wrong: an error that lists leaks and the
// violations that no Report function took. What leaked stays valid, and its slabs lent, so
// that Close can be called again once it was freed.
func (p *Pool) Close() error {
	p.Shrink()
	p.closed = true
	var err error
	if leaks := p.Leaks(nil); len(leaks) > 0 {
		err = &LeakError{Leaks: leaks}
	}
	if p.found != nil {
		err = errors.Join(err, p.found.take())
	}
	return err
}

// Leaks lists what is in use: by an account (charged to it or held by it), or by anyone for
// nil. An instance calls it when it closes and has freed everything it knows of. Without
// Debug there are no lines, and objects are listed by account in one sum only.
func (p *Pool) Leaks(a *Account) []Leak {
	if a != nil && a.pages == 0 && a.objects == 0 && p.shared == 0 {
		return nil
	}
	var list leakList
	for c := range p.pages {
		p.pages[c].leaks(a, list.add)
	}
	for _, c := range p.caches {
		c.leaks(a, list.add)
	}
	if a != nil && p.dbg == nil && a.objects != 0 {
		list.add(Leak{Cache: "objects", Count: int(a.objects)})
	}
	return list.sorted()
}

// LeakError is what Close returns for memory still in use.
type LeakError struct{ Leaks []Leak }

func (e *LeakError) Error() string {
	var b strings.Builder
	n := 0
	for _, l := range e.Leaks {
		n += l.Count
	}
	fmt.Fprintf(&b, "allocator: %d not freed", n)
	for _, l := range e.Leaks {
		b.WriteString("\n\t" + l.String())
	}
	return b.String()
}

func (p *Pool) violation(v Violation) {
	if p.report != nil {
		p.report(v)
		return
	}
	if p.found == nil {
		p.found = new(violations)
	}
	p.found.add(v)
}
