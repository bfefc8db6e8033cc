package host_test

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
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
