package timer

import "math/bits"

const (
	digitBits = 6
	slots     = 1 << digitBits
	levels    = 11 // 11 digits of 6 bits cover 63
	fewTimers = 16
)

// place says which list a timer is in; level and slot count for slotted ones.
type place struct {
	kind  kind
	level uint8
	slot  uint8
}

type kind uint8

const (
	idle kind = iota
	slotted
	inSorted
	inDue
	inFiring
)

// level is one ring of the wheel: slot s of level l holds the deadlines whose
// digits above l are those of the wheel's time and whose digit l is s.
type level struct {
	occupied uint64
	slots    [slots]slot
}

type slot struct {
	head *Timer
	min  Time // no deadline in the slot is earlier
}

// placeOf returns the slot of a deadline later than now.
func (w *Wheel) placeOf(when Time) place {
	l := uint(bits.Len64(uint64(when^w.now))-1) / digitBits
	return place{slotted, uint8(l), uint8(uint64(when)>>(l*digitBits)) % slots}
}

func (w *Wheel) slot(p place) *slot {
	return &w.levels[p.level].slots[p.slot%slots]
}

// insert links t, whose deadline is set, where it belongs.
func (w *Wheel) insert(t *Timer) {
	switch {
	case t.when <= w.now:
		t.place = place{kind: inDue}
		push(&w.due, t)
	case w.hashed:
		w.insertSlot(t)
	case w.few < fewTimers:
		w.insertSorted(t)
	default:
		w.hashed = true
		for w.sorted != nil {
			moved := w.sorted
			unlink(&w.sorted, moved)
			w.insertSlot(moved)
		}
		w.few = 0
		w.insertSlot(t)
	}
}

func (w *Wheel) insertSlot(t *Timer) {
	p := w.placeOf(t.when)
	l := w.levels[p.level]
	if l == nil {
		l = new(level)
		w.levels[p.level] = l
	}
	t.place = p
	s := &l.slots[p.slot%slots]
	if s.head == nil {
		l.occupied |= 1 << (p.slot % slots)
		w.occupied |= 1 << p.level
		s.head, s.min = t, t.when
		t.next, t.prev = t, t
		return
	}
	s.min = min(s.min, t.when)
	link(s.head, t)
}

// insertSorted walks from the end, where new deadlines usually belong.
func (w *Wheel) insertSorted(t *Timer) {
	t.place = place{kind: inSorted}
	w.few++
	head := w.sorted
	if head == nil || t.when < head.when {
		push(&w.sorted, t)
		w.sorted = t
		return
	}
	after := head.prev
	for after.when > t.when {
		after = after.prev
	}
	link(after.next, t)
}

// remove unlinks a pending timer from whatever list it is in.
func (w *Wheel) remove(t *Timer) {
	switch t.place.kind {
	case slotted:
		l := w.levels[t.place.level]
		s := &l.slots[t.place.slot%slots]
		unlink(&s.head, t)
		if s.head == nil {
			l.occupied &^= 1 << (t.place.slot % slots)
			if l.occupied == 0 {
				w.occupied &^= 1 << t.place.level
			}
		} else if s.head.next == s.head {
			s.min = s.head.when
		}
	case inSorted:
		w.few--
		unlink(&w.sorted, t)
	case inDue:
		unlink(&w.due, t)
	case inFiring:
		unlink(&w.firing, t)
	}
	t.place = place{}
}

// moveTo sets the wheel's time to now, which no pending deadline precedes. What
// becomes due is put on the due list, but for a timer that is alone: it is taken out
// and returned. Of the levels only one slot can need
// work: the one that now enters at the highest digit that changes. Its
// timers move to lower levels; all below it are empty, all above keep their place.
func (w *Wheel) moveTo(now Time) *Timer {
	if !w.hashed {
		w.now = now
		for w.sorted != nil && w.sorted.when <= now {
			t := w.sorted
			w.few--
			unlink(&w.sorted, t)
			if w.due == nil && (w.sorted == nil || w.sorted.when > now) {
				t.place = place{}
				return t
			}
			t.place = place{kind: inDue}
			push(&w.due, t)
		}
		return nil
	}
	if now == w.now {
		return nil
	}
	p := w.placeOf(now)
	w.now = now
	l := w.levels[p.level]
	if l == nil || l.occupied&(1<<(p.slot%slots)) == 0 {
		return nil
	}
	l.occupied &^= 1 << (p.slot % slots)
	if l.occupied == 0 {
		w.occupied &^= 1 << p.level
	}
	s := &l.slots[p.slot%slots]
	t := s.head
	s.head = nil
	if t.next == t && t.when <= now && w.due == nil {
		t.next, t.prev, t.place = nil, nil, place{}
		return t
	}
	t.prev.next = nil
	for t != nil {
		next := t.next
		w.insert(t)
		t = next
	}
	return nil
}
