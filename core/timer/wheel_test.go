package timer

import (
	"slices"
	"testing"
	"time"
	"unsafe"
)

// journal is an owner that notes which of its timers fired when, and then does
// what the test wants done inside Expire.
type journal struct {
	wheel  Wheel
	timers [8]Timer
	fired  []firing
	inside func(id int, now Time)
}

type firing struct {
	ID  int
	Now Time
}

func (j *journal) Expire(t *Timer, now Time) {
	id := int((uintptr(unsafe.Pointer(t)) - uintptr(unsafe.Pointer(&j.timers))) / unsafe.Sizeof(*t))
	j.fired = append(j.fired, firing{id, now})
	if j.inside != nil {
		j.inside(id, now)
	}
}

func (j *journal) set(id int, when Time, order uint32) { j.wheel.Set(&j.timers[id], when, j, order) }

// crowd makes the wheel leave its sorted list for the levels.
func (j *journal) crowd() {
	var extra [fewTimers + 1]Timer
	for i := range extra {
		j.wheel.Set(&extra[i], Time(time.Hour), j, 0)
	}
	for i := range extra {
		j.wheel.Cancel(&extra[i])
	}
}

// both runs a test on the sorted list and on the levels.
func both(t *testing.T, f func(t *testing.T, j *journal)) {
	t.Run("few", func(t *testing.T) { f(t, new(journal)) })
	t.Run("levels", func(t *testing.T) {
		j := new(journal)
		j.crowd()
		f(t, j)
		if !j.wheel.hashed {
			t.Fatal("the wheel is not hashed")
		}
	})
}

func (j *journal) expect(t *testing.T, want ...firing) {
	t.Helper()
	if !slices.Equal(j.fired, want) {
		t.Fatalf("fired %v, want %v", j.fired, want)
	}
	j.fired = nil
}

func TestSizes(t *testing.T) {
	if n := unsafe.Sizeof(Timer{}); n > 64 {
		t.Errorf("Timer has %d bytes, want at most 64", n)
	}
	if n := unsafe.Sizeof(Wheel{}); n >= 200 {
		t.Errorf("Wheel has %d bytes, want below 200", n)
	}
}

func TestFewTimersAllocateNothing(t *testing.T) {
	j := new(journal)
	timers := make([]Timer, fewTimers)
	if n := testing.AllocsPerRun(1, func() {
		for i := range timers {
			j.wheel.Set(&timers[i], Time(i*1e9), j, 0)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestFiresAtTheExactNanosecond(t *testing.T) {
	both(t, func(t *testing.T, j *journal) {
		j.set(0, 1_000_000_007, 0)
		if n := j.wheel.Advance(1_000_000_006); n != 0 || j.wheel.Next() != 1_000_000_007 {
			t.Fatalf("early: fired %d, next %v", n, j.wheel.Next())
		}
		if !j.timers[0].Pending() || j.timers[0].When() != 1_000_000_007 {
			t.Fatal("not pending")
		}
		if n := j.wheel.Advance(1_000_000_007); n != 1 {
			t.Fatalf("fired %d", n)
		}
		j.expect(t, firing{0, 1_000_000_007})
		if j.timers[0].Pending() || j.timers[0].When() != Never || j.wheel.Next() != Never || j.wheel.Len() != 0 {
			t.Fatal("still pending after it fired")
		}
	})
}

func TestOneInstantFiresByOrderThenArming(t *testing.T) {
	both(t, func(t *testing.T, j *journal) {
		j.set(0, 100, 7)
		j.set(1, 100, 3)
		j.set(2, 100, 7)
		j.set(3, 99, 9)
		j.set(4, 100, 3)
		j.set(1, 100, 3) // armed anew: behind 4
		j.wheel.Advance(200)
		j.expect(t, firing{3, 99}, firing{4, 100}, firing{1, 100}, firing{0, 100}, firing{2, 100})
	})
}

func TestExpireSeesEachTimersOwnInstant(t *testing.T) {
	both(t, func(t *testing.T, j *journal) {
		j.inside = func(id int, now Time) {
			if j.wheel.Now() != now {
				t.Errorf("timer %d: Now is %v, Expire got %v", id, j.wheel.Now(), now)
			}
		}
		j.set(0, Time(time.Second), 0)
		j.set(1, Time(time.Minute), 0)
		j.set(2, 5, 0)
		j.wheel.Advance(Time(time.Hour))
		j.expect(t, firing{2, 5}, firing{0, Time(time.Second)}, firing{1, Time(time.Minute)})
		if j.wheel.Now() != Time(time.Hour) {
			t.Errorf("Now is %v", j.wheel.Now())
		}
	})
}

func TestPastDeadlinesAreDueAtOnce(t *testing.T) {
	both(t, func(t *testing.T, j *journal) {
		j.wheel.Advance(1000)
		j.set(0, 900, 1)
		j.set(1, 1000, 0)
		j.set(2, -5, 2)
		if next := j.wheel.Next(); next != 1000 {
			t.Fatalf("Next is %v", next)
		}
		j.wheel.Advance(10) // time does not go back
		j.expect(t, firing{2, 1000}, firing{0, 1000}, firing{1, 1000})
		if j.wheel.Now() != 1000 {
			t.Fatalf("Now is %v", j.wheel.Now())
		}
	})
}

func TestPeriodicTimerCatchesUpInOneAdvance(t *testing.T) {
	both(t, func(t *testing.T, j *journal) {
		j.inside = func(id int, now Time) {
			if id == 0 {
				j.set(0, now+10, 0)
			}
		}
		j.set(0, 10, 0)
		j.set(1, 25, 0)
		if n := j.wheel.Advance(39); n != 4 {
			t.Fatalf("fired %d", n)
		}
		j.expect(t, firing{0, 10}, firing{0, 20}, firing{1, 25}, firing{0, 30})
		if next := j.wheel.Next(); next != 40 {
			t.Fatalf("Next is %v", next)
		}
	})
}

func TestSetForThisInstantFiresAfterWhatWasDue(t *testing.T) {
	both(t, func(t *testing.T, j *journal) {
		j.inside = func(id int, now Time) {
			if id == 0 {
				j.set(3, now, 0)   // order 0, yet behind 1 and 2
				j.set(4, now-1, 5) // passed: before 3 in their round
			}
		}
		j.set(0, 50, 1)
		j.set(1, 50, 2)
		j.set(2, 50, 3)
		j.set(5, 51, 0)
		j.wheel.Advance(60)
		j.expect(t, firing{0, 50}, firing{1, 50}, firing{2, 50}, firing{4, 50}, firing{3, 50}, firing{5, 51})
	})
}

func TestExpireMayCancelAndPostponeItsPeers(t *testing.T) {
	both(t, func(t *testing.T, j *journal) {
		j.inside = func(id int, now Time) {
			if id != 0 {
				return
			}
			if !j.wheel.Cancel(&j.timers[1]) || j.wheel.Cancel(&j.timers[1]) || j.wheel.Cancel(&j.timers[0]) {
				t.Error("Cancel reports the wrong thing")
			}
			j.set(2, now+5, 0)
			if next := j.wheel.Next(); next != now { // 3 is still to fire
				t.Errorf("Next inside Expire is %v, want %v", next, now)
			}
			if n := j.wheel.Advance(now + 100); n != 0 {
				t.Errorf("Advance inside Expire fired %d", n)
			}
		}
		for id := range 4 {
			j.set(id, 50, 0)
		}
		j.wheel.Advance(60)
		j.expect(t, firing{0, 50}, firing{3, 50}, firing{2, 55})
	})
}

func TestNeverCancels(t *testing.T) {
	both(t, func(t *testing.T, j *journal) {
		j.set(0, 10, 0)
		j.set(0, Never, 0)
		j.set(1, Never, 0)
		if j.timers[0].Pending() || j.timers[1].Pending() || j.wheel.Len() != 0 || j.wheel.Next() != Never {
			t.Fatal("pending at Never")
		}
	})
}

func TestDeadlinesYearsAway(t *testing.T) {
	const year = Time(365 * 24 * time.Hour)
	both(t, func(t *testing.T, j *journal) {
		j.set(0, 290*year, 0)
		j.set(1, Never-1, 0)
		j.set(2, year+1, 0)
		j.set(3, year, 0)
		j.set(4, 100*year, 0)
		j.wheel.Advance(year - 1)
		j.expect(t)
		j.wheel.Advance(year)
		j.expect(t, firing{3, year})
		j.wheel.Advance(291 * year)
		j.expect(t, firing{2, year + 1}, firing{4, 100 * year}, firing{0, 290 * year})
		j.wheel.Advance(Never)
		j.expect(t, firing{1, Never - 1})
	})
}

func TestNextIsNeverLateAndComesCloser(t *testing.T) {
	j := new(journal)
	j.crowd()
	j.set(0, 1000, 0)
	j.set(1, 1001, 0)
	j.set(2, 1003, 0)
	j.wheel.Cancel(&j.timers[0]) // two neighbours remain: a bound
	if next := j.wheel.Next(); next > 1001 || next < 960 {
		t.Fatalf("Next is %v", next)
	}
	j.wheel.Cancel(&j.timers[1]) // one remains: exact
	if next := j.wheel.Next(); next != 1003 {
		t.Fatalf("Next is %v", next)
	}
	j.set(2, 1010, 0) // pushed back within its slot, alone: exact
	if next := j.wheel.Next(); next != 1010 {
		t.Fatalf("Next is %v", next)
	}
}

func TestWarmWheelAllocatesNothing(t *testing.T) {
	j := new(journal)
	timers := make([]Timer, 1000)
	owner := silent{}
	round := func() {
		for i := range timers {
			j.wheel.Set(&timers[i], j.wheel.Now()+Time(i*i*977), owner, uint32(i%3))
		}
		j.wheel.Advance(j.wheel.Now() + 1<<30)
	}
	for range 70 { // once around a level
		round()
	}
	if n := testing.AllocsPerRun(20, round); n != 0 {
		t.Errorf("%v allocations a round", n)
	}
}

type silent struct{}

func (silent) Expire(*Timer, Time) {}
