package timer

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// queue is what the wheel and the model have in common.
type queue interface {
	set(id int, when Time, order uint32)
	cancel(id int) bool
	advance(now Time) int
	next() Time
	now() Time
	size() int
	when(id int) Time
}

// model is a list that is sorted anew for each round.
type model struct {
	clock    Time
	sequence uint64
	armed    []armed
	expire   func(id int, now Time)
}

type armed struct {
	id       int
	when     Time
	order    uint32
	sequence uint64
}

func (m *model) set(id int, when Time, order uint32) {
	m.cancel(id)
	m.sequence++
	m.armed = append(m.armed, armed{id, when, order, m.sequence})
}

func (m *model) cancel(id int) bool {
	i := slices.IndexFunc(m.armed, func(a armed) bool { return a.id == id })
	if i < 0 {
		return false
	}
	last := len(m.armed) - 1
	m.armed[i] = m.armed[last]
	m.armed = m.armed[:last]
	return true
}

func (m *model) next() Time {
	next := Never
	for _, a := range m.armed {
		next = min(next, max(a.when, m.clock))
	}
	return next
}

func (m *model) now() Time { return m.clock }
func (m *model) size() int { return len(m.armed) }

func (m *model) when(id int) Time {
	for _, a := range m.armed {
		if a.id == id {
			return a.when
		}
	}
	return Never
}

func (m *model) advance(now Time) int {
	fired := 0
	for {
		next := m.next()
		if next == Never || next > max(now, m.clock) {
			break
		}
		m.clock = next
		var round []armed
		for _, a := range m.armed {
			if a.when <= m.clock {
				round = append(round, a)
			}
		}
		slices.SortFunc(round, func(a, b armed) int {
			return cmp.Or(cmp.Compare(a.when, b.when), cmp.Compare(a.order, b.order), cmp.Compare(a.sequence, b.sequence))
		})
		for _, a := range round {
			i := slices.Index(m.armed, a)
			if i < 0 {
				continue // cancelled or set anew by one before it
			}
			m.armed = slices.Delete(m.armed, i, i+1)
			fired++
			m.expire(a.id, m.clock)
		}
	}
	m.clock = max(m.clock, now)
	return fired
}

// subject is the wheel behind the same doors.
type subject struct {
	wheel  Wheel
	timers []numbered
	expire func(id int, now Time)
}

type numbered struct {
	id int
	s  *subject
	t  Timer
}

func newSubject(n int) *subject {
	s := &subject{timers: make([]numbered, n)}
	for i := range s.timers {
		s.timers[i].id, s.timers[i].s = i, s
	}
	return s
}

func (n *numbered) Expire(t *Timer, now Time) {
	if t != &n.t || t.Pending() || now != n.s.wheel.Now() {
		panic("Expire got the wrong timer or time")
	}
	n.s.expire(n.id, now)
}

func (s *subject) set(id int, when Time, order uint32) {
	s.wheel.Set(&s.timers[id].t, when, &s.timers[id], order)
}
func (s *subject) cancel(id int) bool   { return s.wheel.Cancel(&s.timers[id].t) }
func (s *subject) advance(now Time) int { return s.wheel.Advance(now) }
func (s *subject) next() Time           { return s.wheel.Next() }
func (s *subject) now() Time            { return s.wheel.Now() }
func (s *subject) size() int            { return s.wheel.Len() }
func (s *subject) when(id int) Time     { return s.timers[id].t.When() }

// script drives a queue with choices that depend on its source and on what
// fired so far alone, and notes everything seen in a trace.
type script struct {
	q     queue
	n     int
	draw  func() uint64
	trace []uint64
}

func (s *script) note(v ...uint64) { s.trace = append(s.trace, v...) }

// deadline is mostly near, on a coarse grid so that instants coincide, at times
// on a border between levels, far away, or past.
func (s *script) deadline() Time {
	r := s.draw()
	now, v := s.q.now(), Time(r>>8)
	switch r % 16 {
	case 0:
		return now
	case 1:
		return now - v%100
	case 2:
		return now.Add(1 << (v % 62))
	case 3:
		return (now | (1<<(v%50) - 1)).Add(1)
	case 4, 5, 6:
		return now.Add(1 + 1)
	case 7, 8, 9:
		return now + v%64
	case 10, 11:
		return now&^1023 + 1024*(v%70)
	case 12, 13:
		return now + v%1_000_000
	default:
		return now&^0xfffff + (v%4000)<<20
	}
}

func (s *script) act() {
	r := s.draw()
	id := int(r>>8) % s.n
	switch {
	case r%8 < 5:
		if when := s.deadline(); when != Never {
			s.q.set(id, when, uint32(r>>40)%4)
			s.note(uint64(s.q.when(id)))
		}
	case r%8 < 7:
		if s.q.cancel(id) {
			s.note(1)
		}
	default:
		s.note(uint64(s.q.when(id)), uint64(s.q.size()))
	}
}

func (s *script) expire(id int, now Time) {
	s.note(uint64(id), uint64(now))
	r := s.draw()
	switch {
	case r%8 < 2: // at a mean below one, so that an Advance ends
		s.q.set(id, s.deadline(), uint32(r>>40)%4)
	case r%8 < 3:
		s.act()
	}
}

// step acts or advances and returns the time advanced to, if any.
func (s *script) step() {
	r := s.draw()
	if r%12 != 0 {
		s.act()
		return
	}
	v := Time(r >> 8)
	now := s.q.now()
	to := now
	switch (r >> 4) % 16 {
	case 0:
		to -= v % 1000
	case 1:
		to += v % 5_000_000_000
	case 2:
		to = (now | (1<<(v%34) - 1)).Add(1)
	case 3:
		// exactly where the model's next is: the wheel's own may be earlier
		for id := range s.n {
			if w := s.q.when(id); w != Never && w > now && (to == now || w < to) {
				to = w
			}
		}
	case 4, 5, 6, 7:
		to += v % 1_000_000
	default:
		to += v % 100
	}
	s.note(uint64(s.q.advance(to)), uint64(s.q.now()), uint64(s.q.size()))
}

// compare runs steps on wheel and model in step; fresh makes one of two equal sources.
func compare(t *testing.T, n, steps int, fresh func() func() uint64) {
	t.Helper()
	m := &model{}
	w := newSubject(n)
	sm := &script{q: m, n: n, draw: fresh()}
	sw := &script{q: w, n: n, draw: fresh()}
	m.expire, w.expire = sm.expire, sw.expire
	for i := range steps {
		sm.step()
		sw.step()
		if !slices.Equal(sm.trace, sw.trace) {
			t.Fatalf("step %d with %d timers: the wheel did %v, the list %v", i, n, sw.trace, sm.trace)
		}
		sm.trace, sw.trace = sm.trace[:0], sw.trace[:0]
		exact, next := m.next(), w.next()
		if next > exact || (next == Never) != (exact == Never) || next < w.now() {
			t.Fatalf("step %d with %d timers: now %d, Next is %d, earliest deadline %d", i, n, w.now(), next, exact)
		}
		if err := w.wheel.check(); err != nil {
			t.Fatalf("step %d with %d timers: %v", i, n, err)
		}
	}
}

// check verifies what the wheel relies on between calls.
func (w *Wheel) check() error {
	count, few := 0, 0
	each := func(head *Timer, f func(t *Timer) bool) bool {
		for t := head; t != nil; {
			count++
			if !f(t) || t.next.prev != t {
				return false
			}
			if t = t.next; t == head {
				break
			}
		}
		return true
	}
	if w.firing != nil || w.running {
		return fmt.Errorf("left over in Advance")
	}
	if !each(w.due, func(t *Timer) bool { return t.place.kind == inDue && t.when <= w.now }) {
		return fmt.Errorf("due list")
	}
	last := w.now
	if !each(w.sorted, func(t *Timer) bool {
		few++
		ok := t.place.kind == inSorted && t.when >= last && t.when > w.now
		last = t.when
		return ok
	}) || few != w.few || few > fewTimers {
		return fmt.Errorf("sorted list")
	}
	for i, l := range w.levels {
		if l == nil {
			continue
		}
		if (l.occupied != 0) != (w.occupied>>i&1 != 0) {
			return fmt.Errorf("level %d: occupied", i)
		}
		for j := range l.slots {
			s := &l.slots[j]
			if (s.head != nil) != (l.occupied>>j&1 != 0) {
				return fmt.Errorf("slot %d.%d: occupied", i, j)
			}
			if !each(s.head, func(t *Timer) bool { return t.place == w.placeOf(t.when) && t.when >= s.min }) {
				return fmt.Errorf("slot %d.%d: a timer out of place", i, j)
			}
		}
	}
	if count != w.pending {
		return fmt.Errorf("%d timers linked, Len is %d", count, w.pending)
	}
	return nil
}

func TestWheelEqualsSortedList(t *testing.T) {
	runs := 12 // each starts at time 0, because far deadlines soon carry the clock years away
	if testing.Short() {
		runs = 2
	}
	for _, n := range []int{1, 3, 17, 20, 40, 100, 300} {
		t.Run(fmt.Sprintf("timers=%d", n), func(t *testing.T) {
			for seed := range runs {
				compare(t, n, 20_000, func() func() uint64 { return rand.NewPCG(uint64(seed), uint64(n)).Uint64 })
			}
		})
	}
}

func TestSameSeedSameTrace(t *testing.T) {
	run := func() []uint64 {
		w := newSubject(200)
		s := &script{q: w, n: 200, draw: rand.NewPCG(42, 42).Uint64}
		w.expire = s.expire
		for range 200_000 {
			s.step()
		}
		return s.trace
	}
	if !slices.Equal(run(), run()) {
		t.Fatal("two runs of one seed differ")
	}
}

func FuzzWheel(f *testing.F) {
	f.Add([]byte{20, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18})
	f.Add([]byte{1, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{63, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60, 64, 68, 72, 76, 80, 84, 88, 92})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 2 || len(data) > 4096 {
			return
		}
		n := int(data[0])%64 + 1
		// The input's bytes come first, then noise that they seed, so that every
		// script is long enough to matter.
		fresh := func() func() uint64 {
			rest := data[1:]
			noise := rand.NewPCG(uint64(len(data)), uint64(data[1]))
			return func() uint64 {
				if len(rest) >= 8 {
					v := binary.LittleEndian.Uint64(rest)
					rest = rest[8:]
					return v
				}
				return noise.Uint64()
			}
		}
		compare(t, n, 64+len(data)/8, fresh)
	})
}
