package timer

import (
	"container/heap"
	"fmt"
	"testing"
	"time"
)

func BenchmarkSetCancel(b *testing.B) {
	for _, n := range []int{0, 1000, 100_000} {
		b.Run(fmt.Sprintf("pending=%d", n), func(b *testing.B) {
			var w Wheel
			others := make([]Timer, n)
			for i := range others {
				w.Set(&others[i], Time(i+1)*Time(time.Millisecond), silent{}, 0)
			}
			var t Timer
			var owner Expirer = &t0{}
			for i := range b.N {
				w.Set(&t, Time(200*time.Millisecond)+Time(i&0xffff), owner, 1)
				w.Cancel(&t)
			}
		})
	}
}

// BenchmarkPushBack is the retransmission timer of a connection that makes progress.
func BenchmarkPushBack(b *testing.B) {
	var w Wheel
	timers := make([]Timer, 1000)
	var owner Expirer = &t0{}
	for i := range b.N {
		w.Set(&timers[i%1000], Time(200*time.Millisecond)+Time(i), owner, 1)
	}
}

type t0 struct{}

func (*t0) Expire(*Timer, Time) {}

// BenchmarkSetFire keeps n timers pending; an operation is one that fires and is
// set anew 1 to 200 ms ahead.
func BenchmarkSetFire(b *testing.B) {
	for _, n := range []int{10, 1000, 100_000} {
		b.Run(fmt.Sprintf("wheel/timers=%d", n), func(b *testing.B) {
			r := &rearm{random: 1}
			timers := make([]Timer, n)
			for i := range timers {
				r.w.Set(&timers[i], r.delay(), r, 0)
			}
			b.ResetTimer()
			for fired := 0; fired < b.N; {
				fired += r.w.Advance(r.w.Next())
			}
		})
		b.Run(fmt.Sprintf("heap/timers=%d", n), func(b *testing.B) {
			r := &rearm{random: 1}
			entries := make([]entry, n)
			h := make(entryHeap, 0, n)
			for i := range entries {
				entries[i].when = r.delay()
				entries[i].sequence = uint64(i)
				heap.Push(&h, &entries[i])
			}
			b.ResetTimer()
			for i := range b.N {
				e := h[0]
				e.when += r.delay()
				e.sequence = uint64(i + n)
				heap.Fix(&h, 0)
			}
		})
	}
}

type rearm struct {
	w      Wheel
	random uint64
}

func (r *rearm) delay() Time {
	r.random = r.random*6364136223846793005 + 1442695040888963407
	return Time(time.Millisecond) + Time(r.random>>33)%Time(199*time.Millisecond)
}

func (r *rearm) Expire(t *Timer, now Time) { r.w.Set(t, now+r.delay(), r, 0) }

type entry struct {
	when     Time
	sequence uint64
	index    int
}

type entryHeap []*entry

func (h entryHeap) Len() int { return len(h) }
func (h entryHeap) Less(i, j int) bool {
	return h[i].when < h[j].when || h[i].when == h[j].when && h[i].sequence < h[j].sequence
}
func (h entryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *entryHeap) Push(x any) {
	e := x.(*entry)
	e.index = len(*h)
	*h = append(*h, e)
}
func (h *entryHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	*h = old[:len(old)-1]
	return e
}
