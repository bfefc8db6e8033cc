package host_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/timer"
	"github.com/libos-go/libos/host"
)

// stack is a Domain with one bare instance, whose timers a test sets.
func stack(t testing.TB, h core.Host) (*core.Domain, *core.Instance) {
	t.Helper()
	r := coretest.New(t, h)
	return r.Domain, r.Instance("a", &core.Wiring{})
}

// alarm notes when it goes off.
type alarm struct {
	timer timer.Timer
	h     core.Host
	fired atomic.Int64
	times atomic.Int32
}

func (a *alarm) Expire(*timer.Timer, core.Time) {
	a.fired.Store(int64(a.h.Now()))
	a.times.Add(1)
}

func (a *alarm) set(d *core.Domain, in *core.Instance, after time.Duration) {
	d.Do(func() { in.SetTimer(&a.timer, d.Now().Add(after), a) })
}

// A bubble's clock makes the tests of real time exact.
func TestTimersFireInRealTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := host.NewRealTime()
		d, in := stack(t, h)
		near, far, gone, moved := &alarm{h: h}, &alarm{h: h}, &alarm{h: h}, &alarm{h: h}
		far.set(d, in, time.Hour)
		near.set(d, in, time.Second) // the host is armed anew for the earlier one
		gone.set(d, in, time.Minute)
		moved.set(d, in, time.Minute)
		moved.set(d, in, 2*time.Minute)
		d.Do(func() { in.CancelTimer(&gone.timer) })
		time.Sleep(2 * time.Hour)
		for name, x := range map[string]struct {
			a    *alarm
			at   time.Duration
			runs int32
		}{"near": {near, time.Second, 1}, "far": {far, time.Hour, 1}, "cancelled": {gone, 0, 0}, "moved": {moved, 2 * time.Minute, 1}} {
			if got := time.Duration(x.a.fired.Load()); got != x.at || x.a.times.Load() != x.runs {
				t.Errorf("%s: fired %d times, last at %v; want %d, at %v", name, x.a.times.Load(), got, x.runs, x.at)
			}
		}
		near.set(d, in, time.Second)
		time.Sleep(time.Minute)
		if near.times.Load() != 2 {
			t.Error("a timer that was set again did not fire")
		}
	})
}

func TestArmReplacesTheDeadlineBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := host.NewRealTime()
		d, in := stack(t, h)
		a := &alarm{h: h}
		a.set(d, in, time.Hour)
		h.Arm(d, core.Never)
		time.Sleep(2 * time.Hour)
		if a.times.Load() != 0 {
			t.Error("a cancelled deadline came")
		}
		h.Arm(d, h.Now().Add(time.Minute))
		h.Arm(d, h.Now()) // of the past: at once
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if a.times.Load() != 1 {
			t.Error("a deadline that had passed did not come")
		}
	})
}

func TestAClosedDomainHasNoTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := host.NewRealTime()
		d, in := stack(t, h)
		a := &alarm{h: h}
		a.set(d, in, time.Second)
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if a.times.Load() != 0 {
			t.Error("a timer of a closed Domain went off")
		}
	})
}

func TestWorkThatProducersLeaveIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := host.NewRealTime()
		d, _ := stack(t, h)
		var ran atomic.Int32
		d.Do(func() { d.Post(func() { ran.Add(1) }) }) // the holder takes it over
		synctest.Wait()
		d.Post(func() { ran.Add(1) }) // nobody is inside: the host runs it
		synctest.Wait()
		if ran.Load() != 2 {
			t.Errorf("%d of 2 pieces of work were done", ran.Load())
		}
	})
}

func TestParkAndWakeInRealTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := host.NewRealTime()
		w := &core.Waiter{Token: make(chan struct{}, 1)}
		h.Wake(w)
		h.Wake(w) // one token, however many wakes
		if err := h.Park(w); err != nil {
			t.Error(err)
		}
		var back atomic.Bool
		h.Start("sleeper", func() {
			if err := h.Park(w); err != nil {
				t.Error(err)
			}
			back.Store(true)
		})
		synctest.Wait()
		if back.Load() {
			t.Error("two wakes before the park ended two parks")
		}
		var all sync.WaitGroup
		for range 8 { // any goroutine may wake
			all.Go(func() { h.Wake(w) })
		}
		all.Wait()
		synctest.Wait()
		if !back.Load() {
			t.Error("the parked task was not woken")
		}
	})
}

func TestTimesOfARealTimeHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := host.NewRealTime()
		if h.Time(time.Time{}) != 0 {
			t.Error("the zero time is a deadline")
		}
		if got := h.Time(time.Now().Add(-time.Hour)); got != 1 {
			t.Errorf("a time before the host's start is %d, want 1", got)
		}
		if got := h.Time(time.Now().Add(3 * time.Second)); got != core.Time(3*time.Second) {
			t.Errorf("in 3s is %v", got)
		}
		time.Sleep(5 * time.Second)
		if h.Now() != core.Time(5*time.Second) || !h.WallNow().Equal(time.Now()) {
			t.Errorf("after 5s the clock shows %v", h.Now())
		}
		if h.Log() == nil {
			t.Error("no log")
		}
	})
}

func TestRandomStreamsOfRealTime(t *testing.T) {
	seeded := func(b byte, name string) uint64 {
		return host.NewRealTime(host.WithSeed([32]byte{b})).Random(name).Uint64()
	}
	if seeded(1, "x") != seeded(1, "x") {
		t.Error("one seed and name gave two streams")
	}
	if x := seeded(1, "x"); x == seeded(2, "x") || x == seeded(1, "y") {
		t.Error("another seed or name gave the same number")
	}
	if host.NewRealTime().Random("x").Uint64() == host.NewRealTime().Random("x").Uint64() {
		t.Error("two hosts without a seed gave the same number")
	}
}

func TestASleepIsWokenByItsTimeOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := host.NewRealTime()
		_, in := stack(t, h)
		start := time.Now()
		if err := in.Sleep(time.Hour); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d != time.Hour {
			t.Errorf("slept %v", d)
		}
	})
}
