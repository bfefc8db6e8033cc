package allocator

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"runtime"
	"sort"
	"strings"
	"unsafe"
)

// Patterns of Debug; those of Linux's include/linux/poison.h where it has one.
const (
	poisonFree = 0x6b // content of what is free
	poisonNew  = 0x5a // content of a page just allocated
	redByte    = 0xbb // red zones

	redZone       = 64 // bytes before and after each page
	redWord       = 0xbbbbbbbbbbbbbbbb
	quarantine    = 64 // pages of a class, objects of a cache
	maxViolations = 64 // kept for Close
	stackDepth    = 12
)

// ViolationKind says what rule was broken.
type ViolationKind uint8

// The rules.
const (
	DoubleFree   ViolationKind = iota + 1 // freed although it was free
	UseAfterFree                          // written, or referenced, while free
	RedZone                               // written outside its bounds
	ForeignFree                           // freed to a cache it is not from
	WrongAccount                          // freed to an account it was not charged to
)

func (k ViolationKind) String() string {
	switch k {
	case DoubleFree:
		return "double free"
	case UseAfterFree:
		return "use after free"
	case RedZone:
		return "red zone overwritten"
	case ForeignFree:
		return "foreign object freed"
	case WrongAccount:
		return "freed to another account"
	}
	return "violation"
}

// Violation is a misuse that was found. Places are file:line, empty when unknown.
type Violation struct {
	Kind      ViolationKind
	Cache     string
	Detail    string
	At        string // the call that found it
	Allocated string
	Freed     string
}

func (v Violation) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "allocator: %s: %s", v.Cache, v.Kind)
	for _, part := range []struct{ label, text string }{{": ", v.Detail}, {"; found at ", v.At}, {"; allocated at ", v.Allocated}, {"; freed at ", v.Freed}} {
		if part.text != "" {
			b.WriteString(part.label + part.text)
		}
	}
	return b.String()
}

// violations collects what no Report function took.
type violations struct {
	list []error
	more int
}

func (vs *violations) add(v Violation) {
	if len(vs.list) >= maxViolations {
		vs.more++
		return
	}
	vs.list = append(vs.list, v)
}

func (vs *violations) take() error {
	list := vs.list
	if vs.more > 0 {
		list = append(list, fmt.Errorf("allocator: %d more violations", vs.more))
	}
	*vs = violations{}
	return errors.Join(list...)
}

// site is a call stack, resolved only when somebody reads it.
type site struct{ pcs [stackDepth]uintptr }

func (s *site) note() {
	n := runtime.Callers(3, s.pcs[:])
	clear(s.pcs[n:])
}

// fill names the first caller outside this package that is no wrapper of d, and up to
// four from there on.
func (s *site) fill(d *poolDebug, first *string, stack *[]string) {
	if s.pcs[0] == 0 {
		return
	}
	var list []string
	frames := runtime.CallersFrames(s.pcs[:])
	for more := true; more && len(list) < 4; {
		var f runtime.Frame
		f, more = frames.Next()
		if f.PC == 0 || len(list) == 0 && (ours(f) || d != nil && d.wrapper != nil && d.wrapper(f.Function)) {
			continue
		}
		list = append(list, fmt.Sprintf("%s:%d", shortFile(f.File), f.Line))
	}
	if len(list) > 0 && first != nil {
		*first = list[0]
	}
	if stack != nil {
		*stack = list
	}
}

func (s *site) text(d *poolDebug) (text string) {
	s.fill(d, &text, nil)
	return text
}

func ours(f runtime.Frame) bool {
	pkg := reflect.TypeFor[Arena]().PkgPath()
	return strings.HasPrefix(f.Function, pkg+".") && !strings.HasSuffix(f.File, "_test.go")
}

// shortFile keeps the folder and the name.
func shortFile(path string) string {
	dir, file := filepath.Split(path)
	return filepath.Base(dir) + "/" + file
}

func callSite(d *poolDebug) string {
	var s site
	s.note()
	return s.text(d)
}

// poolDebug is what a debugging Pool knows about its pages.
type poolDebug struct {
	quarantine int
	wrapper    func(function string) bool // PoolOptions.Wrapper
	tracks     map[*Page]*pageTrack
	unused     [NumClasses][]*Page // never allocated, a stack
	freedPages [NumClasses][]*Page // quarantine, oldest first
}

type pageTrack struct {
	mem              []byte // with red zones
	alloc, ref, free site
}

func newPoolDebug(o PoolOptions) *poolDebug {
	q := o.Quarantine
	if q <= 0 {
		q = quarantine
	}
	return &poolDebug{quarantine: q, wrapper: o.Wrapper, tracks: make(map[*Page]*pageTrack)}
}

func (d *poolDebug) fresh(pc *pageCache, pg *Page, mem []byte) {
	fillBytes(mem[:redZone], redByte)
	fillBytes(mem[len(mem)-redZone:], redByte)
	fillBytes(mem[redZone:len(mem)-redZone], poisonFree)
	d.tracks[pg] = &pageTrack{mem: mem}
	d.unused[pc.class] = append(d.unused[pc.class], pg)
}

// alloc takes a page that was never used, else one whose quarantine is over, else a new one,
// else whatever is free.
func (d *poolDebug) alloc(pc *pageCache) *Page {
	q := &d.freedPages[pc.class]
	var pg *Page
	switch {
	case len(d.unused[pc.class]) == 0 && len(*q) <= d.quarantine && !pc.grow() && len(*q) == 0:
		return nil
	case len(d.unused[pc.class]) > 0:
		u := &d.unused[pc.class]
		pg = (*u)[len(*u)-1]
		*u = (*u)[:len(*u)-1]
	default:
		pg = (*q)[0]
		*q = (*q)[1:]
	}
	d.checkFree(pc, pg)
	t := d.tracks[pg]
	t.alloc.note()
	t.ref = site{}
	fillBytes(pg.Data, poisonNew)
	return pg
}

func (d *poolDebug) freed(pc *pageCache, pg *Page) {
	t := d.tracks[pg]
	t.free.note()
	d.checkZones(pc, pg, t)
	pg.Data = t.mem[redZone : len(t.mem)-redZone : len(t.mem)-redZone]
	fillBytes(pg.Data, poisonFree)
	d.freedPages[pc.class] = append(d.freedPages[pc.class], pg)
}

func (d *poolDebug) noteRef(pg *Page) { d.tracks[pg].ref.note() }

// checkFree repairs what it reports, so that damage is reported once.
func (d *poolDebug) checkFree(pc *pageCache, pg *Page) {
	t := d.tracks[pg]
	body := t.mem[redZone : len(t.mem)-redZone]
	if off, n := damage(body, poisonFree); n > 0 {
		d.report(pc, pg, UseAfterFree, fmt.Sprintf("%d bytes of a free page written, the first at offset %d (%#02x)", n, off, body[off]))
		fillBytes(body, poisonFree)
	}
	d.checkZones(pc, pg, t)
}

func (d *poolDebug) checkZones(pc *pageCache, pg *Page, t *pageTrack) {
	for _, z := range []struct {
		where string
		mem   []byte
	}{{"before", t.mem[:redZone]}, {"after", t.mem[len(t.mem)-redZone:]}} {
		if off, n := damage(z.mem, redByte); n > 0 {
			d.report(pc, pg, RedZone, fmt.Sprintf("%d bytes %s the page written (%#02x)", n, z.where, z.mem[off]))
			fillBytes(z.mem, redByte)
		}
	}
}

func (d *poolDebug) report(pc *pageCache, pg *Page, k ViolationKind, detail string) {
	v := Violation{Kind: k, Cache: pc.class.String(), Detail: detail, At: callSite(d)}
	d.history(pg, &v)
	pc.pool.violation(v)
}

func (d *poolDebug) history(pg *Page, v *Violation) {
	if t := d.tracks[pg]; t != nil {
		v.Allocated, v.Freed = t.alloc.text(d), t.free.text(d)
	}
}

func (d *poolDebug) where(pg *Page, l *Leak) {
	t := d.tracks[pg]
	t.alloc.fill(d, &l.Site, &l.Stack)
	l.LastRef = t.ref.text(d)
}

func (d *poolDebug) checkPages(p *Pool) {
	for c := range p.pages {
		pc := &p.pages[c]
		for _, s := range pc.spans {
			for i := range s.descs {
				if pg := &s.descs[i]; pg.refs == 0 {
					d.checkFree(pc, pg)
				} else {
					d.checkZones(pc, pg, d.tracks[pg])
				}
			}
		}
	}
}

// forgetGone drops pages that went back to the arena; their history stays with violations
// that follow no more.
func (d *poolDebug) forgetGone(pc *pageCache) {
	for _, list := range []*[]*Page{&d.unused[pc.class], &d.freedPages[pc.class]} {
		kept := (*list)[:0]
		for _, pg := range *list {
			if pg.refs == pageGone {
				delete(d.tracks, pg)
			} else {
				kept = append(kept, pg)
			}
		}
		clear((*list)[len(kept):])
		*list = kept
	}
}

// cacheDebug is what a debugging Cache knows about its slots.
type cacheDebug struct {
	plain    []byteRange // of T, poisoned while free
	pointers []uintptr   // words of T, nil while free
	unused   []uint32    // slots never allocated, a stack
	freed    []uint32    // quarantine, oldest first
	tracks   [][]objectTrack
	bases    []chunkBase // by address
}

type objectTrack struct {
	account     *Account
	alloc, free site
}

type chunkBase struct {
	base, end uintptr
	num       int
}

func newCacheDebug(t reflect.Type, keep bool) *cacheDebug {
	d := new(cacheDebug)
	if !keep {
		d.plain, d.pointers = plainRanges(t)
	}
	return d
}

func (d *cacheDebug) addChunk(num int, ch chunk, stride uintptr) {
	for len(d.tracks) <= num {
		d.tracks = append(d.tracks, nil)
	}
	d.tracks[num] = make([]objectTrack, ch.n)
	base := uintptr(ch.base)
	i := sort.Search(len(d.bases), func(i int) bool { return d.bases[i].base > base })
	d.bases = append(d.bases, chunkBase{})
	copy(d.bases[i+1:], d.bases[i:])
	d.bases[i] = chunkBase{base, base + uintptr(ch.n)*stride, num}
}

func (d *cacheDebug) forget(gone []bool, shift uint8) {
	keepSlots := func(list []uint32) []uint32 {
		kept := list[:0]
		for _, id := range list {
			if !gone[id>>shift] {
				kept = append(kept, id)
			}
		}
		return kept
	}
	d.unused, d.freed = keepSlots(d.unused), keepSlots(d.freed)
	kept := d.bases[:0]
	for _, b := range d.bases {
		if !gone[b.num] {
			kept = append(kept, b)
		}
	}
	d.bases = kept
	for num, g := range gone {
		if g {
			d.tracks[num] = nil
		}
	}
}

func (d *cacheDebug) track(id uint32, shift uint8) *objectTrack {
	return &d.tracks[id>>shift][id&(1<<shift-1)]
}

// find is the slot that begins at an address.
func (d *cacheDebug) find(p uintptr, stride uintptr, shift uint8) (id uint32, ok bool) {
	i := sort.Search(len(d.bases), func(i int) bool { return d.bases[i].end > p })
	if i == len(d.bases) || p < d.bases[i].base || (p-d.bases[i].base)%stride != 0 {
		return 0, false
	}
	return uint32(d.bases[i].num)<<shift | uint32((p-d.bases[i].base)/stride), true
}

// debugFresh readies a new slot.
func (c *Cache[T]) debugFresh(s *slot[T]) {
	s.next = 0
	(*guardedSlot[T])(unsafe.Pointer(s)).red = [2]uint64{redWord, redWord}
	c.poison(s)
	c.dbg.unused = append(c.dbg.unused, s.id)
}

func (c *Cache[T]) debugAlloc(a *Account) *slot[T] {
	d := c.dbg
	var id uint32
	switch {
	case len(d.unused) == 0 && len(d.freed) <= c.pool.dbg.quarantine && !c.grow() && len(d.freed) == 0:
		return nil
	case len(d.unused) > 0:
		id = d.unused[len(d.unused)-1]
		d.unused = d.unused[:len(d.unused)-1]
	default:
		id = d.freed[0]
		d.freed = d.freed[1:]
	}
	s := c.at(id)
	c.checkFreeSlot(s, id)
	c.unpoison(s)
	t := d.track(id, c.shift)
	t.account = a
	t.alloc.note()
	return s
}

// debugCheckFree finds the slot of an object that may be freed, and repairs its red zone.
func (c *Cache[T]) debugCheckFree(a *Account, x *T) *slot[T] {
	if x == nil {
		return nil
	}
	id, ok := c.dbg.find(uintptr(unsafe.Pointer(x)), uintptr(c.stride), c.shift)
	if !ok {
		c.pool.violation(Violation{Kind: ForeignFree, Cache: c.name, Detail: "the object is not from this cache", At: callSite(c.pool.dbg)})
		return nil
	}
	s := c.at(id)
	t := c.dbg.track(id, c.shift)
	if t.account == nil && t.alloc.pcs[0] == 0 || s.next != inUse && c.isFree(id) {
		c.doubleFrees++
		c.report(DoubleFree, id, "free of an object that is not in use")
		return nil
	}
	c.checkZone(s, id, inUse)
	if t.account != a {
		c.report(WrongAccount, id, "")
		if t.account != nil { // keep both accounts right
			t.account.bytes -= int64(c.Size())
			t.account.objects--
		}
		if a != nil {
			a.bytes += int64(c.Size())
			a.objects++
		}
	}
	return s
}

// isFree looks a slot up in the lists, for one whose own mark may be overwritten.
func (c *Cache[T]) isFree(id uint32) bool {
	for _, list := range [][]uint32{c.dbg.unused, c.dbg.freed} {
		for _, f := range list {
			if f == id {
				return true
			}
		}
	}
	return false
}

func (c *Cache[T]) debugFreed(s *slot[T]) {
	s.next = 0
	c.poison(s)
	t := c.dbg.track(s.id, c.shift)
	t.account = nil
	t.free.note()
	c.dbg.freed = append(c.dbg.freed, s.id)
}

// checkZone repairs what it reports: id, next and the guard behind an object.
func (c *Cache[T]) checkZone(s *slot[T], id, next uint32) {
	g := (*guardedSlot[T])(unsafe.Pointer(s))
	if s.id == id && s.next == next && g.red == [2]uint64{redWord, redWord} {
		return
	}
	c.report(RedZone, id, "bytes after the object written")
	s.id, s.next, g.red = id, next, [2]uint64{redWord, redWord}
}

func (c *Cache[T]) checkFreeSlot(s *slot[T], id uint32) {
	c.checkZone(s, id, 0)
	if off, ok := c.poisoned(s); !ok {
		c.report(UseAfterFree, id, fmt.Sprintf("a free object was written at offset %d", off))
		var zero T
		s.obj = zero
		c.poison(s)
	}
}

func (c *Cache[T]) report(k ViolationKind, id uint32, detail string) {
	t, d := c.dbg.track(id, c.shift), c.pool.dbg
	c.pool.violation(Violation{Kind: k, Cache: c.name, Detail: detail, At: callSite(d), Allocated: t.alloc.text(d), Freed: t.free.text(d)})
}

func objectBytes[T any](s *slot[T], r byteRange) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(s), r.off)), r.end-r.off)
}

// poison fills the parts of a free object that hold no pointers; pointers are nil already.
func (c *Cache[T]) poison(s *slot[T]) {
	for _, r := range c.dbg.plain {
		fillBytes(objectBytes(s, r), poisonFree)
	}
}

func (c *Cache[T]) unpoison(s *slot[T]) {
	for _, r := range c.dbg.plain {
		clear(objectBytes(s, r))
	}
}

func (c *Cache[T]) poisoned(s *slot[T]) (off uintptr, ok bool) {
	for _, r := range c.dbg.plain {
		if at, n := damage(objectBytes(s, r), poisonFree); n > 0 {
			return r.off + uintptr(at), false
		}
	}
	for _, w := range c.dbg.pointers {
		if *(*unsafe.Pointer)(unsafe.Add(unsafe.Pointer(s), w)) != nil {
			return w, false
		}
	}
	return 0, true
}

// check looks at every slot.
func (c *Cache[T]) check() {
	if c.dbg == nil {
		return
	}
	free := make(map[uint32]bool, len(c.dbg.unused)+len(c.dbg.freed))
	for _, list := range [][]uint32{c.dbg.unused, c.dbg.freed} {
		for _, id := range list {
			free[id] = true
		}
	}
	for num := range c.chunks {
		for i := range uint32(c.chunks[num].n) {
			id := uint32(num)<<c.shift | i
			if free[id] {
				c.checkFreeSlot(c.at(id), id)
			} else {
				c.checkZone(c.at(id), id, inUse)
			}
		}
	}
}

func fillBytes(b []byte, v byte) {
	if len(b) == 0 {
		return
	}
	b[0] = v
	for n := 1; n < len(b); n *= 2 {
		copy(b[n:], b[:n])
	}
}

// damage counts the bytes of b that are not v, and finds the first.
func damage(b []byte, v byte) (first, n int) {
	n = len(b) - bytes.Count(b, []byte{v})
	for n > 0 && b[first] == v {
		first++
	}
	return first, n
}
