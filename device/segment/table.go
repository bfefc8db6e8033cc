package segment

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// table is the filtering database of a switch (IEEE 802.1D-2004 §7.9): behind
// which side a station was heard last, and when. Open addressing with linear
// probing; an entry that is too old is no entry, and its place is given back when
// the table is built anew.
type table struct {
	slots []slot // length is a power of two, at most half of them used
	used  int
	most  int
	age   core.Time
	tried core.Time // when a full table was looked through last
}

type slot struct {
	key  uint64 // 0 is none: no station has the address 0
	seen core.Time
	side *side
}

func key(h wire.HWAddr) uint64 {
	return uint64(h[0])<<40 | uint64(h[1])<<32 | uint64(h[2])<<24 | uint64(h[3])<<16 | uint64(h[4])<<8 | uint64(h[5])
}

func (t *table) find(k uint64) *slot {
	if len(t.slots) == 0 {
		return nil
	}
	mask := uint64(len(t.slots) - 1)
	for i := k * 0x9e3779b97f4a7c15 >> 32; ; i++ {
		if s := &t.slots[i&mask]; s.key == k || s.key == 0 {
			return s
		}
	}
}

// lookup is the side of a station, nil if it is not known.
func (t *table) lookup(now core.Time, k uint64) *side {
	if s := t.find(k); s != nil && s.key == k && s.side != nil && now-s.seen < t.age {
		return s.side
	}
	return nil
}

// learn remembers that a frame of the station came from a side. A full table learns
// nothing new.
func (t *table) learn(now core.Time, k uint64, from *side) {
	if k == 0 {
		return
	}
	s := t.find(k)
	if s == nil || s.key == 0 {
		if 2*(t.used+1) > len(t.slots) {
			t.rebuild(now)
			s = t.find(k)
		}
		if t.used >= t.most {
			if now-t.tried < t.age/16 && t.tried != 0 { // not for every stranger
				return
			}
			if t.rebuild(now); t.used >= t.most {
				t.tried = now
				return
			}
			s = t.find(k)
		}
		s.key = k
		t.used++
	}
	s.seen, s.side = now, from
}

// rebuild leaves out what is too old and makes room for more.
func (t *table) rebuild(now core.Time) {
	live := 0
	for i := range t.slots {
		if s := &t.slots[i]; s.side != nil && now-s.seen < t.age {
			live++
		}
	}
	size := 16
	for size < 4*(live+1) {
		size *= 2
	}
	old := t.slots
	t.slots, t.used = make([]slot, size), 0
	for i := range old {
		if s := &old[i]; s.side != nil && now-s.seen < t.age {
			*t.find(s.key) = *s
			t.used++
		}
	}
}

// forget drops what was heard from a side.
func (t *table) forget(from *side) {
	for i := range t.slots {
		if t.slots[i].side == from {
			t.slots[i].side = nil
		}
	}
}
