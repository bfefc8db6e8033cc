package allocator

// Class is a size class of pages.
type Class uint8

// The size classes; a Page of a class has exactly that many bytes.
const (
	Page256 Class = iota
	Page512
	Page2K
	Page4K
	Page16K
	Page64K
	NumClasses = 6
)

// Size of the class's pages in bytes; 0 for a value that is no class.
func (c Class) Size() int {
	switch c {
	case Page256:
		return 256
	case Page512:
		return 512
	case Page2K:
		return 2048
	case Page4K:
		return 4096
	case Page16K:
		return 16384
	case Page64K:
		return 65536
	}
	return 0
}

// String is the class's name in slabinfo.
func (c Class) String() string {
	switch c {
	case Page256:
		return "page-256"
	case Page512:
		return "page-512"
	case Page2K:
		return "page-2k"
	case Page4K:
		return "page-4k"
	case Page16K:
		return "page-16k"
	case Page64K:
		return "page-64k"
	}
	return "page-?"
}

// ClassFor is the smallest class whose pages hold n bytes, the largest class if none does.
func ClassFor(n int) Class {
	switch {
	case n <= 256:
		return Page256
	case n <= 512:
		return Page512
	case n <= 2048:
		return Page2K
	case n <= 4096:
		return Page4K
	case n <= 16384:
		return Page16K
	}
	return Page64K
}

// Page is one reference-counted buffer. Its content is undefined when it is allocated.
//
// A page belongs to the Pool it came from and is guarded by that Pool's Domain: it never
// crosses to another. It is charged to the account that made it while that account holds a
// reference, then to the one of the remaining holders that came last. Each Ref is paired with
// an Unref by the same account; a reference handed to another account without telling the page
// (see Transfer) is taken to be one of those of the account charged.
type Page struct {
	// Data has the class's size as length and capacity. Holders slice it but do not assign it.
	Data []byte

	home    *pageCache
	next    *Page    // in the free list
	charged *Account // who pays
	refs    int32    // own and those of shared; 0: free, or pageGone, or pageZeros
	own     int32    // references of charged
	shared  *sharing // holders other than charged, nil if there are none
}

const (
	pageGone  = -1      // given back to the arena
	pageZeros = 1 << 30 // the page of Zeros: nobody is charged, references are not counted
)

// Refs counts the references; a page with one may be written by its holder. The page of
// Zeros always has several.
func (pg *Page) Refs() int32 { return pg.refs }

// Class of the page.
func (pg *Page) Class() Class { return pg.home.class }

// Account is charged for the page now.
func (pg *Page) Account() *Account { return pg.charged }

// Ref takes one more reference, held by a.
func (pg *Page) Ref(a *Account) {
	if pg.refs == pageZeros {
		return
	}
	if pg.refs <= 0 {
		pg.home.badPage(UseAfterFree, pg, "Ref of a free page")
		return
	}
	if pg.home.debug {
		pg.home.pool.dbg.noteRef(pg)
	}
	pg.refs++
	if a == pg.charged {
		pg.own++
		return
	}
	if pg.shared == nil {
		pg.shared = pg.home.pool.newSharing()
	}
	pg.shared.add(a)
}

// Unref drops a reference held by a. With the last one the page is free; with the last one of
// the account charged, the charge moves to the last of the other holders, whatever its limit.
func (pg *Page) Unref(a *Account) {
	pc := pg.home
	if pg.refs != 1 || pc.debug {
		pg.unrefSlow(a)
		return
	}
	if c := pg.charged; c != nil {
		c.bytes -= pc.size
		c.pages--
		pg.charged = nil // a free page does not keep an instance alive
	}
	pg.refs = 0
	pg.next = pc.free
	pc.free = pg
	pc.active--
}

func (pg *Page) unrefSlow(a *Account) {
	if pg.refs == pageZeros {
		return
	}
	pc := pg.home
	if pg.refs <= 0 {
		pc.doubleFrees++
		pc.badPage(DoubleFree, pg, "Unref of a free page")
		return
	}
	pg.refs--
	if pg.refs == 0 {
		pg.charged.dropPage(pc.size)
		pg.charged = nil
		pc.active--
		if pc.debug {
			pc.pool.dbg.freed(pc, pg)
			return
		}
		pg.next = pc.free
		pc.free = pg
		return
	}
	if a != pg.charged && pg.shared != nil && pg.shared.drop(a) {
		if pg.shared.live == 0 {
			pc.pool.freeSharing(pg)
		}
		return
	}
	pg.own--
	if pg.own > 0 {
		return
	}
	// Other holders remain, or refs would be 0.
	pg.charged.dropPage(pc.size)
	pg.charged, pg.own = pg.shared.takeLast()
	pg.charged.addPage(pc.size)
	if pg.shared.live == 0 {
		pc.pool.freeSharing(pg)
	}
}

// Transfer hands one reference of from to another account: the same as to's Ref and from's
// Unref, for a page that goes along with a frame.
func (pg *Page) Transfer(from, to *Account) {
	if from == to || pg.refs == pageZeros {
		return
	}
	if pg.refs == 1 && !pg.home.debug {
		n := pg.home.size
		pg.charged.dropPage(n)
		to.addPage(n)
		pg.charged = to
		return
	}
	pg.Ref(to)
	pg.Unref(from)
}

// UnrefPages drops a reference held by a of each page.
func UnrefPages(pages []*Page, a *Account) {
	for _, pg := range pages {
		pg.Unref(a)
	}
}

// Zeros is a page of the class Page64K that holds zeros and belongs to the pool: whoever sends
// zeros refers to it instead of filling pages. It must not be written. Ref, Unref and Transfer
// of it are allowed and do nothing, so that it costs nobody anything.
func (p *Pool) Zeros() *Page {
	if p.zeros == nil {
		n := Page64K.Size()
		p.zeros = &Page{Data: make([]byte, n, n), home: &p.pages[Page64K], refs: pageZeros}
	}
	return p.zeros
}

// IsZeros tells whether the page is that of Zeros.
func (pg *Page) IsZeros() bool { return pg.refs == pageZeros }
