package allocator

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unsafe"
)

// here is the file:line of its caller, offset by some lines, as violations write it.
func here(offset int) string {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d", shortFile(file), line+offset)
}

// buggy runs code on a debugging pool and returns the violations found until it is closed.
func buggy(t *testing.T, code func(p *Pool)) []Violation {
	t.Helper()
	var found []Violation
	ar := NewArena(ArenaOptions{})
	p := NewPool(ar, PoolOptions{Debug: true, Quarantine: 4, Report: func(v Violation) { found = append(found, v) }})
	code(p)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := ar.Close(); err != nil {
		t.Error(err)
	}
	return found
}

func expect(t *testing.T, got []Violation, want ...Violation) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d violations, want %d:\n%v", len(got), len(want), got)
	}
	for i, w := range want {
		g := got[i]
		if g.Kind != w.Kind || g.Cache != w.Cache || !strings.Contains(g.Detail, w.Detail) ||
			w.At != "" && g.At != w.At || w.Allocated != "" && g.Allocated != w.Allocated || w.Freed != "" && g.Freed != w.Freed {
			t.Errorf("violation %d:\n got %+v\nwant %+v", i, g, w)
		}
	}
}

// beyond is the memory at an offset from p, which no slice reaches.
func beyond(p unsafe.Pointer, off int) *byte { return (*byte)(unsafe.Add(p, off)) }

func TestDebugFindsPageDoubleFree(t *testing.T) {
	var want Violation
	got := buggy(t, func(p *Pool) {
		pg := mustPage(t, p, Page2K, nil)
		pg.Unref(nil)
		want = Violation{Kind: DoubleFree, Cache: "page-2k", At: here(1), Freed: here(-1)}
		pg.Unref(nil)
	})
	expect(t, got, want)
}

func TestDebugFindsWriteToAFreePage(t *testing.T) {
	for _, tc := range []struct {
		name string
		find func(p *Pool)
	}{
		{"when it is allocated again", func(p *Pool) {
			for first := p.dbg.freedPages[Page512][0]; p.dbg.freedPages[Page512][0] == first; {
				mustPage(t, p, Page512, nil).Unref(nil)
			}
		}},
		{"by Check", func(p *Pool) { p.Check() }},
		{"by Shrink", func(p *Pool) { p.Shrink() }},
		{"by Close", func(p *Pool) {}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := buggy(t, func(p *Pool) {
				pg := mustPage(t, p, Page512, nil)
				stale := pg.Data
				pg.Unref(nil)
				stale[100], stale[101] = 1, 2
				tc.find(p)
			})
			expect(t, got, Violation{Kind: UseAfterFree, Cache: "page-512", Detail: "2 bytes of a free page written, the first at offset 100 (0x01)"})
			if got[0].Allocated == "" || got[0].Freed == "" {
				t.Errorf("no history: %+v", got[0])
			}
		})
	}
}

func TestDebugFindsRefOfAFreePage(t *testing.T) {
	got := buggy(t, func(p *Pool) {
		pg := mustPage(t, p, Page256, nil)
		pg.Unref(nil)
		pg.Ref(nil)
	})
	expect(t, got, Violation{Kind: UseAfterFree, Cache: "page-256", Detail: "Ref of a free page"})
}

func TestUnrefOfAPageThatWentBackToTheArena(t *testing.T) {
	got := buggy(t, func(p *Pool) {
		pg := mustPage(t, p, Page256, nil)
		pg.Unref(nil)
		p.Shrink()
		pg.Unref(nil)
	})
	expect(t, got, Violation{Kind: DoubleFree, Cache: "page-256", Detail: "went back to the arena"})
}

func TestDebugFindsWritesOutsideAPage(t *testing.T) {
	for _, tc := range []struct {
		off    int
		detail string
	}{{-1, "1 bytes before"}, {-redZone, "1 bytes before"}, {4096, "1 bytes after"}, {4096 + redZone - 1, "1 bytes after"}} {
		var want Violation
		got := buggy(t, func(p *Pool) {
			want = Violation{Kind: RedZone, Cache: "page-4k", Detail: tc.detail, Allocated: here(1)}
			pg := p.Page(Page4K, nil)
			*beyond(unsafe.Pointer(&pg.Data[0]), tc.off) = 9
			pg.Unref(nil)
		})
		expect(t, got, want)
	}
}

func TestDebugPoisonsPages(t *testing.T) {
	buggy(t, func(p *Pool) {
		pg := mustPage(t, p, Page256, nil)
		stale := pg.Data
		if _, n := damage(stale, poisonNew); n > 0 {
			t.Error("a new page is not poisoned")
		}
		pg.Unref(nil)
		if _, n := damage(stale, poisonFree); n > 0 {
			t.Error("a free page is not poisoned")
		}
	})
}

func TestDebugQuarantineDelaysReuse(t *testing.T) {
	expect(t, buggy(t, func(p *Pool) {
		c := NewCache[plainThing](p, "quarantined", CacheOptions{})
		pg, x := mustPage(t, p, Page64K, nil), c.Alloc(nil)
		var rest []*plainThing // of the chunk
		for len(c.dbg.unused) > 0 {
			rest = append(rest, c.Alloc(nil))
		}
		pg.Unref(nil)
		c.Free(nil, x)
		for range 4 {
			pg2, y := mustPage(t, p, Page64K, nil), c.Alloc(nil)
			if pg2 == pg || x == y {
				t.Fatal("used again at once")
			}
			pg2.Unref(nil)
			c.Free(nil, y)
		}
		c.FreeBatch(nil, rest)
		p.Shrink()
		if len(p.dbg.tracks) != 0 || len(c.dbg.bases) != 0 {
			t.Error("the history of what is gone is kept")
		}
	}))
}

func TestDebugFindsObjectMisuse(t *testing.T) {
	for _, off := range []bool{false, true} {
		o := CacheOptions{OffHeap: off}
		for _, tc := range []struct {
			name string
			bug  func(p *Pool, c *Cache[plainThing], a *Account)
			want Violation
		}{
			{"double free", func(p *Pool, c *Cache[plainThing], a *Account) {
				x := c.Alloc(a)
				c.Free(a, x)
				c.Free(a, x)
			}, Violation{Kind: DoubleFree}},
			{"write to a free object", func(p *Pool, c *Cache[plainThing], a *Account) {
				x := c.Alloc(a)
				c.Free(a, x)
				x.buf[7] = 1
			}, Violation{Kind: UseAfterFree, Detail: fmt.Sprintf("offset %d", unsafe.Offsetof(plainThing{}.buf)+7)}},
			{"write behind it", func(p *Pool, c *Cache[plainThing], a *Account) {
				x := c.Alloc(a)
				*beyond(unsafe.Pointer(x), int(unsafe.Sizeof(*x))) ^= 1
				c.Free(a, x)
			}, Violation{Kind: RedZone}},
			{"write far behind it", func(p *Pool, c *Cache[plainThing], a *Account) {
				x := c.Alloc(a)
				*beyond(unsafe.Pointer(x), int(unsafe.Sizeof(*x))+23) = 1
				c.Free(a, x)
			}, Violation{Kind: RedZone}},
			{"its mark of use overwritten", func(p *Pool, c *Cache[plainThing], a *Account) {
				x := c.Alloc(a)
				*beyond(unsafe.Pointer(x), int(unsafe.Sizeof(*x))+4) = 1
				c.Free(a, x)
			}, Violation{Kind: RedZone}},
			{"freed to another cache", func(p *Pool, c *Cache[plainThing], a *Account) {
				d := NewCache[plainThing](p, "other", CacheOptions{})
				x := d.Alloc(a)
				c.Free(a, x)
				d.Free(a, x)
			}, Violation{Kind: ForeignFree}},
			{"an interior pointer", func(p *Pool, c *Cache[plainThing], a *Account) {
				x := c.Alloc(a)
				c.Free(a, (*plainThing)(unsafe.Add(unsafe.Pointer(x), 8)))
				c.Free(a, x)
			}, Violation{Kind: ForeignFree}},
			{"freed to another account", func(p *Pool, c *Cache[plainThing], a *Account) {
				var b Account
				c.Free(&b, c.Alloc(a))
				if b.Bytes() != 0 || b.Objects() != 0 {
					t.Errorf("the wrong account was changed: %+v", b)
				}
			}, Violation{Kind: WrongAccount}},
		} {
			t.Run(fmt.Sprintf("%s, off heap %v", tc.name, off), func(t *testing.T) {
				var a Account
				tc.want.Cache = "victim"
				got := buggy(t, func(p *Pool) {
					tc.bug(p, NewCache[plainThing](p, "victim", o), &a)
				})
				expect(t, got, tc.want)
				if a.Bytes() != 0 || a.Objects() != 0 {
					t.Errorf("still charged: %+v", a)
				}
			})
		}
	}
}

func TestDebugFindsPointerWrittenToAFreeObject(t *testing.T) {
	got := buggy(t, func(p *Pool) {
		c := NewCache[thing](p, "things", CacheOptions{})
		x := c.Alloc(nil)
		c.Free(nil, x)
		runtime.GC() // poison is no pointer to it
		x.next = new(thing)
		for range 2 * c.per {
			y := c.Alloc(nil)
			if y.next != nil || y.n != 0 || y.name != "" {
				t.Fatalf("not zeroed: %+v", *y)
			}
			defer c.Free(nil, y)
		}
		p.Check()
	})
	expect(t, got, Violation{Kind: UseAfterFree, Cache: "things", Detail: fmt.Sprintf("offset %d", unsafe.Offsetof(thing{}.next))})
}

func TestWithoutDebugDoubleFreesAreStillFound(t *testing.T) {
	p := NewPool(NewArena(ArenaOptions{}), PoolOptions{})
	c := NewCache[plainThing](p, "plain", CacheOptions{})
	var a Account
	pg, x := mustPage(t, p, Page2K, &a), c.Alloc(&a)
	pg.Unref(&a)
	c.Free(&a, x)
	pg.Unref(&a)
	c.Free(&a, x)
	pg.Ref(&a)
	if a.Bytes() != 0 || pg.Refs() != 0 {
		t.Errorf("accounts changed by double frees: %+v, %d references", a, pg.Refs())
	}
	for _, ci := range p.SlabInfo() {
		want := uint64(0)
		if ci.Name == "page-2k" || ci.Name == "plain" {
			want = 1
		}
		if ci.DoubleFrees != want {
			t.Errorf("%s: %d double frees, want %d", ci.Name, ci.DoubleFrees, want)
		}
	}
	err := p.Close()
	for _, want := range []string{"page-2k: double free", "plain: double free", "page-2k: use after free", "debug_test.go:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Close said %v, without %q", err, want)
		}
	}
	if err := p.Close(); err != nil {
		t.Errorf("a second Close repeats %v", err)
	}
}

func TestCollectedViolationsAreBounded(t *testing.T) {
	p := NewPool(NewArena(ArenaOptions{}), PoolOptions{})
	pg := mustPage(t, p, Page256, nil)
	for range 1001 {
		pg.Unref(nil)
	}
	err := p.Close()
	if err == nil || strings.Count(err.Error(), "\n") != maxViolations || !strings.HasSuffix(err.Error(), "allocator: 936 more violations") {
		t.Errorf("Close: %v", err)
	}
}

func TestArenaDebugMakesDebuggingPools(t *testing.T) {
	p := newTestPool(t, ArenaOptions{Debug: true}, PoolOptions{})
	pg := mustPage(t, p, Page256, nil)
	if _, n := damage(pg.Data, poisonNew); n > 0 {
		t.Error("not poisoned")
	}
	pg.Unref(nil)
}

func TestLeakReportNamesTheLine(t *testing.T) {
	p := newTestPool(t, ArenaOptions{}, PoolOptions{Debug: true})
	c := NewCache[thing](p, "sockets", CacheOptions{})
	var a, b, innocent Account
	var pages []*Page
	var objs []*thing
	pageLine := here(2)
	for range 3 {
		pages = append(pages, p.Page(Page2K, &a))
	}
	objLine := here(1)
	objs = append(objs, c.Alloc(&a))
	other := c.Alloc(&b)
	refLine := here(1)
	pages[0].Ref(&b)
	batchLine := here(2)
	batch := make([]*Page, 2)
	p.Pages(Page256, &b, batch)

	want := []string{
		"page-2k: 2 in use, 4096 bytes, allocated at " + pageLine + " called from ",
		"page-2k: 1 in use, 2048 bytes, allocated at " + pageLine + " called from ",
		"sockets: 1 in use, " + fmt.Sprint(c.Size()) + " bytes, allocated at " + objLine + " called from ",
	}
	got := p.Leaks(&a)
	if len(got) != len(want) {
		t.Fatalf("%v", got)
	}
	for i, l := range got {
		if !strings.HasPrefix(l.String(), want[i]) {
			t.Errorf("leak %d: %s\nwant %s", i, l, want[i])
		}
	}
	if !strings.HasSuffix(got[1].String(), ", last referenced at "+refLine) {
		t.Errorf("no line of the last reference: %s", got[1])
	}
	held := p.Leaks(&b) // also a page that another account is charged for
	if len(held) != 3 || held[0].Cache != "page-256" || held[0].Site != batchLine ||
		held[1].Cache != "page-2k" || held[2].Cache != "sockets" {
		t.Errorf("held by b: %v, batch at %s", held, batchLine)
	}
	if n := p.Leaks(&innocent); n != nil {
		t.Errorf("leaks of an idle account: %v", n)
	}
	if err := p.Close(); err == nil || !strings.HasPrefix(err.Error(), "allocator: 7 not freed\n\tpage-256: 2 in use, 512 bytes, allocated at "+batchLine) {
		t.Errorf("Close: %v", err)
	}
	UnrefPages(pages, &a)
	pages[0].Unref(&b)
	UnrefPages(batch, &b)
	c.FreeBatch(&a, objs)
	c.Free(&b, other)
}

// taken allocates for its callers, as the functions of a packet do.
func taken(p *Pool, a *Account) *Page { return p.Page(Page2K, a) }

func TestReportsPassOverWrappers(t *testing.T) {
	var seen []Violation
	p := newTestPool(t, ArenaOptions{}, PoolOptions{Debug: true,
		Report:  func(v Violation) { seen = append(seen, v) },
		Wrapper: func(f string) bool { return strings.HasSuffix(f, ".taken") || strings.HasSuffix(f, ".dropped") }})
	var a Account
	at := here(1)
	pg := taken(p, &a)
	if l := p.Leaks(&a); len(l) != 1 || l[0].Site != at || len(l[0].Stack) < 2 {
		t.Errorf("allocated at %s, and the report says %v", at, l)
	}
	pg.Unref(&a)
	again := here(1)
	dropped(pg, &a)
	if len(seen) != 1 || seen[0].Kind != DoubleFree || seen[0].At != again || seen[0].Allocated != at {
		t.Errorf("freed again at %s: %v", again, seen)
	}
}

func dropped(pg *Page, a *Account) { pg.Unref(a) }

func TestLeaksNameTheCallerInAnotherFile(t *testing.T) {
	l := Leak{Cache: "page-2k", Count: 1, Bytes: 2048, Site: "tcp/pieces.go:18", Stack: []string{"tcp/pieces.go:18", "tcp/pieces.go:28", "tcp/send.go:41"}}
	if got, want := l.String(), "page-2k: 1 in use, 2048 bytes, allocated at tcp/pieces.go:18 called from tcp/send.go:41"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestLeaksWithoutDebugCount(t *testing.T) {
	p := newTestPool(t, ArenaOptions{}, PoolOptions{})
	c := NewCache[thing](p, "sockets", CacheOptions{})
	var a, b Account
	pg, x, y := mustPage(t, p, Page2K, &a), c.Alloc(&a), c.Alloc(&b)
	got := fmt.Sprint(p.Leaks(&a))
	want := "[page-2k: 1 in use, 2048 bytes (allocating lines are known under SLAB_DEBUG) objects: 1 in use, 0 bytes (allocating lines are known under SLAB_DEBUG)]"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	pg.Ref(&b)
	if l := p.Leaks(&b); len(l) != 2 || l[0].Cache != "page-2k" {
		t.Errorf("a page held by b is not listed: %v", l)
	}
	pg.Unref(&a)
	pg.Unref(&b)
	c.Free(&a, x)
	c.Free(&b, y)
}
