package timer

import "math/bits"

// Expirer is what a timer wakes: usually the struct the Timer is embedded in,
// which tells its timers apart by their addresses.
type Expirer interface {
	// Expire is called by Wheel.Advance when t is due. t is no longer pending
	// and may be set again. now is the wheel's time: t's deadline, or later if t
	// was set for an instant that had already passed.
	Expire(t *Timer, now Time)
}

// Timer is one deadline. The zero value is ready and not pending. It is linked
// into the wheel itself, so it must not be copied or dropped while pending, and
// belongs to one wheel at a time.
type Timer struct {
	next, prev *Timer // circular list of its slot; nil when not pending
	owner      Expirer
	when       Time
	sequence   uint64 // of the arming, unique in the wheel, or ranked
	order      uint32
	place      place
}

// Pending reports whether t is set and has neither fired nor been cancelled.
func (t *Timer) Pending() bool { return t.place.kind != idle }

// When returns the deadline t was last set for; Never if t is not pending.
func (t *Timer) When() Time {
	if t.place.kind == idle {
		return Never
	}
	return t.when
}

// Wheel holds the deadlines of one Domain. The zero value is ready and its time
// is 0. It is not safe for concurrent use: the Domain's mutex guards it.
//
// Up to fewTimers deadlines are kept in one sorted list, so that the many
// instances that do little own no slots. Beyond that a timer lies in one of 11
// levels of 64 slots by the highest 6-bit digit in which its deadline differs
// from the wheel's time, after Varghese and Lauck, "Hashed and Hierarchical
// Timing Wheels", SOSP 1987. Levels are made at first use and kept.
type Wheel struct {
	now      Time
	sequence uint64
	pending  int
	few      int    // timers in the sorted list
	occupied uint16 // levels with a timer in them
	hashed   bool   // the levels are in use, the sorted list no longer is
	running  bool   // inside Advance
	sorted   *Timer // by deadline; the first is the earliest
	due      *Timer // deadline ≤ now, not yet taken up
	firing   *Timer // the round that Advance is firing, in its order
	levels   [levels]*level
}

// Now returns the wheel's time: that of the last Advance or, inside Expire, the
// instant being fired.
func (w *Wheel) Now() Time { return w.now }

// Len returns the number of pending timers.
func (w *Wheel) Len() int { return w.pending }

// Set arms t, or arms it anew, to call owner.Expire at when. order is the number
// of the owning instance: timers of one instant fire by ascending order and,
// within one order, as they were set. A deadline that is not after Now is due at
// once, in the next Advance or, inside Expire, later in the running one; code that
// always answers Expire with such a deadline keeps Advance from returning.
// Setting a timer to Never cancels it. owner must not be nil.
func (w *Wheel) Set(t *Timer, when Time, owner Expirer, order uint32) {
	if when == Never {
		w.Cancel(t)
		return
	}
	w.sequence++
	if t.place.kind == slotted && when > w.now && t.place == w.placeOf(when) {
		// Most timers are pushed back a little: the slot stays, nothing is unlinked.
		s := w.slot(t.place)
		if when < s.min || t.next == t {
			s.min = when
		}
	} else {
		if t.place.kind != idle {
			w.remove(t)
			w.pending--
		}
		t.when = when
		w.pending++
		w.insert(t)
	}
	t.when, t.owner, t.order, t.sequence = when, owner, order, w.sequence
}

// SetRanked is Set for a timer that fires after those of Set at its instant and
// order, and among its kind by rank: whatever the order they were set in. Two
// timers of one order must not have the same rank.
func (w *Wheel) SetRanked(t *Timer, when Time, owner Expirer, order, rank uint32) {
	w.Set(t, when, owner, order)
	t.sequence = ranked | uint64(rank)
}

// ranked is above every sequence of Set.
const ranked = 1 << 63

// Cancel disarms t and reports whether it was pending.
func (w *Wheel) Cancel(t *Timer) bool {
	if t.place.kind == idle {
		return false
	}
	w.remove(t)
	w.pending--
	return true
}

// Next returns when Advance has something to do: the earliest deadline, or an
// instant before it after the earliest of several neighbours was cancelled or
// pushed back, or Now if something is due already; Never when no timer is pending.
func (w *Wheel) Next() Time {
	switch {
	case w.due != nil || w.firing != nil:
		return w.now
	case w.sorted != nil:
		return w.sorted.when
	case w.occupied == 0:
		return Never
	}
	// Lower levels share more digits with now, so their deadlines come first.
	l := w.levels[bits.TrailingZeros16(w.occupied)]
	return l.slots[bits.TrailingZeros64(l.occupied)%slots].min
}

// Advance moves the wheel's time to now and fires every timer with a deadline
// ≤ now, in order of deadline, order and arming; it returns their number. Timers
// may be set and cancelled inside Expire: one set for an instant ≤ now fires in this
// same Advance, in its turn, and one set for an instant that has come or passed
// fires after all that were due at that moment. The wheel's time never goes back:
// for an earlier now only timers already due fire. Calling Advance inside Expire
// does nothing and returns 0.
func (w *Wheel) Advance(now Time) int {
	if w.running {
		return 0
	}
	w.running = true
	fired := w.fireDue()
	for w.pending > 0 {
		next := w.Next()
		if next > now {
			break
		}
		if t := w.moveTo(next); t != nil {
			w.pending--
			fired++
			t.owner.Expire(t, next)
		}
		fired += w.fireDue()
	}
	if now > w.now {
		w.moveTo(now) // nothing is due
	}
	w.running = false
	return fired
}

// fireDue fires the due timers in rounds: what is set during a round for an
// instant already reached makes the next one.
func (w *Wheel) fireDue() int {
	fired := 0
	for w.due != nil {
		w.firing, w.due = sortList(w.due), nil
		for w.firing != nil {
			t := w.firing
			unlink(&w.firing, t)
			t.place = place{}
			w.pending--
			fired++
			t.owner.Expire(t, w.now)
		}
	}
	return fired
}
