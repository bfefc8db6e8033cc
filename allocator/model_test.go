package allocator

import (
	"fmt"
	"math/rand"
	"testing"
)

// modelPage is what the test believes about a page.
type modelPage struct {
	pg    *Page
	stamp byte
	refs  map[int]int // by account
	since []int       // accounts in the order in which they came
	payer int
}

func (m *modelPage) ref(i int) {
	if m.refs[i] == 0 {
		m.since = append(m.since, i)
	}
	m.refs[i]++
}

func (m *modelPage) unref(i int) {
	m.refs[i]--
	if m.refs[i] > 0 {
		return
	}
	delete(m.refs, i)
	for k, x := range m.since {
		if x == i {
			m.since = append(m.since[:k], m.since[k+1:]...)
			break
		}
	}
	if m.payer == i && len(m.since) > 0 {
		m.payer = m.since[len(m.since)-1]
	}
}

// TestRandomOperationsFollowTheModel drives a pool at random and compares every account and
// the content of every page and object with a model of a few lines.
func TestRandomOperationsFollowTheModel(t *testing.T) {
	for seed := range int64(6) {
		for _, debug := range []bool{false, true} {
			t.Run(fmt.Sprintf("seed %d, debug %v", seed, debug), func(t *testing.T) { runModel(t, seed, debug) })
		}
	}
}

func runModel(t *testing.T, seed int64, debug bool) {
	const accounts, steps = 20, 12000
	r := rand.New(rand.NewSource(seed))
	p := newTestPool(t, ArenaOptions{Limit: 3 << 20, SlabSize: minSlabSize}, PoolOptions{Debug: debug, Quarantine: 8})
	heap := NewCache[thing](p, "things", CacheOptions{})
	off := NewCache[plainThing](p, "plain", CacheOptions{OffHeap: true, Limit: 300})
	acc := make([]Account, accounts)
	for i := range acc {
		if i%3 == 0 {
			acc[i].SetLimit(100 << 10)
		}
	}
	var pages []*modelPage
	type object struct {
		payer int
		stamp uint64
		x     *thing
		y     *plainThing
	}
	var objs []object
	refused, peaks := 0, make([]int64, accounts)
	grow := true
	for step := range steps {
		if step%1500 == 0 {
			grow = !grow // phases in which memory fills, and empties
		}
		i := r.Intn(accounts)
		a := &acc[i]
		op := r.Intn(100)
		if !grow && op < 40 && r.Intn(3) > 0 {
			op = 45 + op
		}
		switch {
		case op < 25:
			c := Class(r.Intn(NumClasses))
			pg := p.Page(c, a)
			if pg == nil {
				refused++
				break
			}
			m := &modelPage{pg: pg, stamp: byte(step), refs: map[int]int{}, payer: i}
			m.ref(i)
			pg.Data[0], pg.Data[c.Size()-1] = m.stamp, m.stamp
			pages = append(pages, m)
		case op < 40:
			if r.Intn(2) == 0 {
				if x := heap.Alloc(a); x != nil {
					if x.n != 0 || x.next != nil || x.any != nil {
						t.Fatalf("step %d: not zeroed: %+v", step, *x)
					}
					x.n, x.next = uint64(step), x
					objs = append(objs, object{payer: i, stamp: uint64(step), x: x})
				}
			} else if y := off.Alloc(a); y != nil {
				if *y != (plainThing{}) {
					t.Fatalf("step %d: not zeroed: %+v", step, *y)
				}
				y.seq = uint32(step)
				objs = append(objs, object{payer: i, stamp: uint64(step), y: y})
			}
		case op < 55 && len(pages) > 0:
			m := pages[r.Intn(len(pages))]
			m.pg.Ref(a)
			m.ref(i)
		case op < 60 && len(pages) > 0:
			m := pages[r.Intn(len(pages))]
			from := m.since[r.Intn(len(m.since))]
			m.pg.Transfer(&acc[from], a)
			if from != i {
				m.ref(i)
				m.unref(from)
			}
		case op < 85 && len(pages) > 0:
			k := r.Intn(len(pages))
			m := pages[k]
			if d := m.pg.Data; d[0] != m.stamp || d[len(d)-1] != m.stamp {
				t.Fatalf("step %d: page content changed", step)
			}
			from := m.since[r.Intn(len(m.since))]
			m.pg.Unref(&acc[from])
			m.unref(from)
			if len(m.since) == 0 {
				pages[k] = pages[len(pages)-1]
				pages = pages[:len(pages)-1]
			}
		case op < 99 && len(objs) > 0:
			k := r.Intn(len(objs))
			o := objs[k]
			if o.x != nil {
				if o.x.n != o.stamp || o.x.next != o.x {
					t.Fatalf("step %d: object changed", step)
				}
				heap.Free(&acc[o.payer], o.x)
			} else {
				if uint64(o.y.seq) != o.stamp {
					t.Fatalf("step %d: object changed", step)
				}
				off.Free(&acc[o.payer], o.y)
			}
			objs[k] = objs[len(objs)-1]
			objs = objs[:len(objs)-1]
		case r.Intn(10) == 0:
			p.Shrink()
		}
		if step%50 != 0 {
			continue
		}
		type charge struct{ bytes, pages, objects int }
		want := make([]charge, accounts)
		active := make(map[string]int)
		for _, m := range pages {
			want[m.payer].pages++
			want[m.payer].bytes += len(m.pg.Data)
			n := 0
			for _, k := range m.refs {
				n += k
			}
			if int(m.pg.Refs()) != n || m.pg.Account() != &acc[m.payer] {
				t.Fatalf("step %d: %d references, model %d", step, m.pg.Refs(), n)
			}
			active[m.pg.Class().String()]++
		}
		for _, o := range objs {
			want[o.payer].objects++
			size, name := heap.Size(), "things"
			if o.y != nil {
				size, name = off.Size(), "plain"
			}
			want[o.payer].bytes += size
			active[name]++
		}
		for i := range acc {
			got := charge{int(acc[i].Bytes()), acc[i].Pages(), acc[i].Objects()}
			if got != want[i] {
				t.Fatalf("step %d, account %d: %+v, model %+v", step, i, got, want[i])
			}
			peaks[i] = max(peaks[i], acc[i].Bytes())
			if acc[i].Peak() < peaks[i] {
				t.Fatalf("step %d: peak %d below %d", step, acc[i].Peak(), peaks[i])
			}
		}
		held := int64(0)
		for _, ci := range p.SlabInfo() {
			if ci.ActiveObjs != active[ci.Name] || ci.NumObjs < ci.ActiveObjs || ci.ActiveSlabs > ci.NumSlabs || int64(ci.NumObjs*ci.ObjSize) > ci.Bytes {
				t.Fatalf("step %d: %+v, model %d active", step, ci, active[ci.Name])
			}
			held += ci.Bytes
		}
		if st := p.Arena().Stats(); st.Lent+st.Heap != held || held > st.Limit {
			t.Fatalf("step %d: pool holds %d, %+v", step, held, st)
		}
	}
	if refused == 0 {
		t.Error("no limit was ever hit")
	}
	for _, m := range pages {
		for len(m.since) > 0 {
			from := m.since[r.Intn(len(m.since))]
			m.pg.Unref(&acc[from])
			m.unref(from)
		}
	}
	for _, o := range objs {
		heap.Free(&acc[o.payer], o.x)
		off.Free(&acc[o.payer], o.y)
	}
	for i := range acc {
		if acc[i].Bytes() != 0 || acc[i].Pages() != 0 || acc[i].Objects() != 0 {
			t.Errorf("account %d at the end: %+v", i, acc[i])
		}
	}
}
