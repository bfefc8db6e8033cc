package host_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/timer"
	"github.com/libos-go/libos/host"
)

func TestTasksSleepInVirtualTime(t *testing.T) {
	h := host.NewVirtual(1)
	var got []string
	for _, x := range []struct {
		name string
		d    time.Duration
	}{{"c", 3 * time.Hour}, {"a", time.Hour}, {"b", 2 * time.Hour}} {
		h.Go(x.name, func() {
			if err := h.Sleep(x.d); err != nil {
				t.Error(err)
			}
			got = append(got, x.name)
		})
	}
	if err := h.Run(); err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[0] != "a" || got[1] != "b" || got[2] != "c" {
		t.Errorf("tasks woke in the order %v", got)
	}
	if h.Now() != core.Time(3*time.Hour) {
		t.Errorf("the clock stands at %v, want 3h", time.Duration(h.Now()))
	}
}

func TestAWakeBeforeTheParkIsRemembered(t *testing.T) {
	h := host.NewVirtual(1)
	err := h.Do(func() {
		w := &core.Waiter{}
		h.Wake(w)
		if err := h.Park(w); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestBlockingOutsideOfATaskIsAnError(t *testing.T) {
	h := host.NewVirtual(1)
	if err := h.Park(&core.Waiter{}); !errors.Is(err, host.ErrNotTask) {
		t.Errorf("Park outside of a task: %v", err)
	}
	err := h.Do(func() {
		c := make(chan error)
		go func() { c <- h.Park(&core.Waiter{}) }()
		if err := <-c; !errors.Is(err, host.ErrNotTask) {
			t.Errorf("Park on a foreign goroutine while a task runs: %v", err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestADeadlockNamesTheTasks(t *testing.T) {
	h := host.NewVirtual(1)
	var got error
	h.Go("reader", func() { got = h.Park(&core.Waiter{}) })
	var dead *host.DeadlockError
	if err := h.Run(); !errors.As(err, &dead) || len(dead.Tasks) != 1 || dead.Tasks[0] != "reader" {
		t.Fatalf("Run: %v", err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if got == nil {
		t.Error("Close left the blocked call without an error")
	}
}

func TestAFailedTestInATaskEndsTheTest(t *testing.T) {
	h := host.NewVirtual(1)
	after := false
	done := make(chan struct{})
	go func() { // stands for a test's goroutine
		defer close(done)
		_ = h.Do(func() { runtime.Goexit() })
		after = true
	}()
	<-done
	if after {
		t.Error("Do returned although its task ended by Goexit")
	}
}

func TestStreamsDependOnSeedAndNameOnly(t *testing.T) {
	a, b := host.NewVirtual(7).Random("x"), host.NewVirtual(7).Random("x")
	c, d := host.NewVirtual(8).Random("x"), host.NewVirtual(7).Random("y")
	x := a.Uint64()
	if y := b.Uint64(); x != y {
		t.Errorf("same seed and name: %x and %x", x, y)
	}
	if x == c.Uint64() || x == d.Uint64() {
		t.Error("another seed or name gave the same number")
	}
}

func TestRunUntilStopsTheClockThere(t *testing.T) {
	h := host.NewVirtual(1)
	fired := core.Time(0)
	h.At(core.Time(10*time.Second), func() { fired = h.Now() })
	h.RunUntil(core.Time(5 * time.Second))
	if fired != 0 || h.Now() != core.Time(5*time.Second) {
		t.Fatalf("at 5 s: fired=%v now=%v", fired, h.Now())
	}
	h.RunFor(5 * time.Second)
	if fired != core.Time(10*time.Second) {
		t.Fatalf("fired at %v, want 10 s", fired)
	}
}

func BenchmarkSwitch(b *testing.B) {
	h := host.NewVirtual(1)
	w1, w2 := &core.Waiter{}, &core.Waiter{}
	h.Go("a", func() {
		for i := 0; i < b.N; i++ {
			h.Wake(w2)
			_ = h.Park(w1)
		}
		h.Wake(w2)
	})
	h.Go("b", func() {
		for i := 0; i < b.N; i++ {
			_ = h.Park(w2)
			h.Wake(w1)
		}
	})
	b.ResetTimer()
	_ = h.Run()
}

func TestAWakeFromAnotherGoroutine(t *testing.T) {
	h := host.NewVirtual(1)
	w := &core.Waiter{}
	woken := false
	h.Go("sleeper", func() {
		if err := h.Park(w); err != nil {
			t.Error(err)
		}
		woken = true
	})
	h.RunFor(time.Second)
	done := make(chan struct{})
	go func() {
		h.Wake(w)
		close(done)
	}()
	<-done
	if err := h.Run(); err != nil || !woken {
		t.Errorf("woken: %v, %v", woken, err)
	}
}

// Timers of one instant run before tasks go on, and deferred work after the
// tasks that could run.
func TestTimersOfVirtualTime(t *testing.T) {
	h := host.NewVirtual(1)
	d, in := stack(t, h)
	near, far, moved := &alarm{h: h}, &alarm{h: h}, &alarm{h: h}
	far.set(d, in, time.Hour)
	near.set(d, in, time.Second)
	moved.set(d, in, time.Minute)
	moved.set(d, in, 2*time.Minute)
	if err := h.Run(); err != nil {
		t.Fatal(err)
	}
	for i, x := range []struct {
		a  *alarm
		at time.Duration
	}{{near, time.Second}, {far, time.Hour}, {moved, 2 * time.Minute}} {
		if got := time.Duration(x.a.fired.Load()); got != x.at || x.a.times.Load() != 1 {
			t.Errorf("timer %d fired %d times, last at %v; want once at %v", i, x.a.times.Load(), got, x.at)
		}
	}
}

func TestDeferredWorkRunsAtTheSameInstant(t *testing.T) {
	h := host.NewVirtual(1)
	d, _ := stack(t, h)
	ran := core.Time(-1)
	h.At(core.Time(time.Second), func() { d.Post(func() { ran = h.Now() }) })
	if err := h.Run(); err != nil {
		t.Fatal(err)
	}
	if ran != core.Time(time.Second) {
		t.Errorf("posted work ran at %v, want 1s", time.Duration(ran))
	}
}

func TestTheWallClockOfVirtualTime(t *testing.T) {
	start := time.Date(2030, 5, 6, 7, 8, 9, 0, time.UTC)
	h := host.NewVirtual(1, host.WithWallClock(start))
	h.RunFor(90 * time.Second)
	if got := h.WallNow(); !got.Equal(start.Add(90 * time.Second)) {
		t.Errorf("it is %v", got)
	}
	if h.Time(time.Time{}) != 0 || h.Time(start.Add(-time.Second)) != 1 || h.Time(start.Add(time.Minute)) != core.Time(time.Minute) {
		t.Error("civil times are not the host's instants")
	}
}

func TestTheLoopIsNotEnteredFromInside(t *testing.T) {
	h := host.NewVirtual(1)
	err := h.Do(func() {
		defer func() {
			if recover() == nil {
				t.Error("Run inside of a task did not say what is wrong")
			}
		}()
		_ = h.Run()
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestACallOnAClosedHostFails(t *testing.T) {
	h := host.NewVirtual(1)
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	h.Go("late", func() {
		if err := h.Sleep(time.Second); err == nil {
			t.Error("a closed host let a task sleep")
		}
	})
	h.RunFor(0)
}

// clock goes off each millisecond and notes the host's time, and what it calls.
type clock struct {
	timer timer.Timer
	h     *host.Virtual
	in    *core.Instance
	seen  []time.Duration
	at    map[time.Duration]func()
}

func (c *clock) Expire(_ *timer.Timer, now core.Time) {
	t := time.Duration(c.h.Now())
	c.seen = append(c.seen, t)
	if f := c.at[t]; f != nil {
		f()
	}
	c.in.SetTimer(&c.timer, now.Add(time.Millisecond), c)
}

// A Domain that goes from deadline to deadline by itself stops for everybody else:
// the host's own events, tasks, the end of the run and Interrupt.
func TestADomainAloneOvertakesNobody(t *testing.T) {
	const ms = time.Millisecond
	h := host.NewVirtual(1, host.Alone())
	r := coretest.New(t, h, coretest.Exact())
	in := r.Instance("a", &core.Wiring{})
	c := &clock{h: h, in: in, at: map[time.Duration]func(){8 * ms: h.Interrupt}}
	in.Domain().Do(func() { in.SetTimer(&c.timer, core.Time(ms), c) })
	var order []string
	note := func(s string) {
		order = append(order, fmt.Sprintf("%s at %v after %d", s, time.Duration(h.Now()), len(c.seen)))
	}
	h.At(core.Time(2*ms), func() { note("event") }) // before the Domain's timer of that instant
	h.Go("task", func() {
		if err := h.Sleep(3*ms + ms/2); err != nil {
			t.Error(err)
		}
		note("task")
	})
	h.RunUntil(core.Time(5*ms + ms/2))
	note("end")
	h.RunUntil(core.Time(20 * ms))
	note("interrupt")
	h.RunUntil(core.Time(9 * ms))
	note("end")
	want := []string{"event at 2ms after 1", "task at 3.5ms after 3", "end at 5.5ms after 5", "interrupt at 8ms after 8", "end at 9ms after 9"}
	if !slices.Equal(order, want) {
		t.Errorf("got  %q\nwant %q", order, want)
	}
	for i, at := range c.seen {
		if at != time.Duration(i+1)*ms {
			t.Errorf("timer %d went off at %v", i+1, at)
		}
	}
	in.Domain().Do(func() { in.CancelTimer(&c.timer) })
}
