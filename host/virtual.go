package host

import (
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/timer"
	"github.com/petermattis/goid"
)

// Virtual drives stacks in virtual time: the clock jumps from one event to the
// next, tasks are coroutines of which one runs at a time, and the same program
// with the same seed does the same, byte for byte.
//
// Only code started by Start (or Go, Do) may block in socket calls. The loop
// runs inside Run, RunFor, RunUntil and Do; between them time stands still.
type Virtual struct {
	seed  uint64
	wall  time.Time
	log   *slog.Logger
	now   atomic.Int64
	wheel timer.Wheel // domains' deadlines, sleeps and events
	sole  *deadline   // the only Domain so far: its deadline is not in the wheel
	due   core.Time   // of sole
	until core.Time   // the loop goes no further
	alone bool        // see Alone

	current atomic.Pointer[task]
	mu      sync.Mutex // guards ready and deferred: a wake is legal from any thread
	ready   []*task
	head    int
	later   []*core.Domain
	tasks   []*task // all that have not ended, oldest first
	nextID  uint32
	domains int
	looping bool
	closed  bool
	stop    atomic.Bool // Interrupt was called
}

// task is one coroutine.
type task struct {
	host   *Virtual
	name   string
	id     uint32
	gid    int64
	next   func() (struct{}, bool)
	yield  func(struct{}) bool
	parked *core.Waiter
	queued bool
	ended  bool
}

// NewVirtual makes a host at time 0. Equal seeds give equal runs.
func NewVirtual(seed uint64, options ...Option) *Virtual {
	s := apply(options)
	return &Virtual{seed: seed, wall: s.wall, log: s.log, alone: s.alone, due: core.Never}
}

// Now implements core.Host.
func (h *Virtual) Now() core.Time { return core.Time(h.now.Load()) }

// WallNow implements core.Host: the start's civil time and the time since.
func (h *Virtual) WallNow() time.Time { return h.wall.Add(time.Duration(h.now.Load())) }

// Time is the host's instant for a civil time, as deadlines need it; the zero
// time is 0.
func (h *Virtual) Time(t time.Time) core.Time {
	if t.IsZero() {
		return 0
	}
	return max(1, core.Time(t.Sub(h.wall)))
}

// deadline is a Domain's place in the wheel.
type deadline struct {
	timer  timer.Timer
	domain *core.Domain
	order  uint32
	later  bool
}

// Expire implements timer.Expirer.
func (x *deadline) Expire(*timer.Timer, core.Time) { x.domain.RunTimers() }

func (h *Virtual) deadline(d *core.Domain) *deadline {
	x, ok := d.HostState.(*deadline)
	if !ok {
		h.nextID++
		x = &deadline{domain: d, order: h.nextID}
		d.HostState = x
		switch {
		case h.domains == 0:
			h.sole = x
		case h.sole != nil:
			if h.due != core.Never {
				h.wheel.Set(&h.sole.timer, h.due, h.sole, h.sole.order)
			}
			h.sole, h.due = nil, core.Never
		}
		h.domains++
	}
	return x
}

// lock and unlock guard what other goroutines may touch.
func (h *Virtual) lock() {
	if !h.alone {
		h.mu.Lock()
	}
}

func (h *Virtual) unlock() {
	if !h.alone {
		h.mu.Unlock()
	}
}

// nextEvent is the earliest deadline, with the lock held.
func (h *Virtual) nextEvent() core.Time { return min(h.due, h.wheel.Next()) }

// Arm implements core.Host.
func (h *Virtual) Arm(d *core.Domain, t core.Time) {
	h.lock()
	defer h.unlock()
	x := h.deadline(d)
	if x == h.sole {
		h.due = t
		return
	}
	if t == core.Never {
		h.wheel.Cancel(&x.timer)
		return
	}
	h.wheel.Set(&x.timer, t, x, x.order)
}

// Defer implements core.Host: d goes on at this same instant.
func (h *Virtual) Defer(d *core.Domain) {
	h.lock()
	defer h.unlock()
	x := h.deadline(d)
	if !x.later {
		x.later = true
		h.later = append(h.later, d)
	}
}

// Start implements core.Host. The task runs when the loop comes to it.
func (h *Virtual) Start(name string, f func()) {
	t := &task{host: h, name: name}
	next, _ := iter.Pull(func(yield func(struct{}) bool) {
		t.gid, t.yield = goid.Get(), yield
		f()
	})
	t.next = next
	h.lock()
	h.nextID++
	t.id = h.nextID
	h.tasks = append(h.tasks, t)
	h.enqueue(t)
	h.unlock()
}

// Go is Start.
func (h *Virtual) Go(name string, f func()) { h.Start(name, f) }

func (h *Virtual) enqueue(t *task) {
	if !t.queued && !t.ended {
		t.queued = true
		h.ready = append(h.ready, t)
	}
}

// ErrNotTask is what a blocking call gets outside of a task of the host.
var ErrNotTask = errors.New("host: a blocking call in virtual time from a goroutine that is no task: start it by Virtual.Go, or make the socket non-blocking")

// Park implements core.Host. A call that was woken already goes on wherever it
// comes from: nothing has to happen before it can.
func (h *Virtual) Park(w *core.Waiter) error {
	h.lock()
	if w.Woken {
		w.Woken = false
		h.unlock()
		return nil
	}
	t := h.current.Load()
	if t == nil || t.gid != goid.Get() {
		h.unlock()
		return ErrNotTask
	}
	if h.closed {
		h.unlock()
		return errClosed
	}
	w.Task = t
	t.parked = w
	h.unlock()
	t.yield(struct{}{})
	h.lock()
	w.Woken, w.Task, t.parked = false, nil, nil
	closed := h.closed
	h.unlock()
	if closed {
		return errClosed
	}
	return nil
}

// Wake implements core.Host.
func (h *Virtual) Wake(w *core.Waiter) {
	h.lock()
	w.Woken = true
	if t, ok := w.Task.(*task); ok {
		h.enqueue(t)
	}
	h.unlock()
}

// Random implements core.Host.
func (h *Virtual) Random(stream string) core.Source {
	f := fnv.New64a()
	f.Write([]byte(stream))
	return rand.NewPCG(h.seed, f.Sum64())
}

// Log implements core.Host.
func (h *Virtual) Log() *slog.Logger { return h.log }

// event is a function at an instant.
type event struct {
	timer timer.Timer
	f     func()
}

// Expire implements timer.Expirer.
func (e *event) Expire(*timer.Timer, core.Time) { e.f() }

// At has f called by the loop at t, outside of any task and of any Domain.
func (h *Virtual) At(t core.Time, f func()) {
	h.lock()
	e := &event{f: f}
	h.wheel.Set(&e.timer, t, e, 0)
	h.unlock()
}

// Sleep blocks the calling task for d.
func (h *Virtual) Sleep(d time.Duration) error {
	w := &core.Waiter{}
	h.At(h.Now().Add(d), func() { h.Wake(w) })
	return h.Park(w)
}

// Run runs until nothing is left to do: no task can run and no timer is armed.
// It returns a DeadlockError if tasks are still blocked then.
func (h *Virtual) Run() error {
	h.loop(core.Never, nil)
	if names := h.blocked(); len(names) > 0 {
		return &DeadlockError{Now: h.Now(), Tasks: names}
	}
	return nil
}

// RunUntil runs to the instant t and no further.
func (h *Virtual) RunUntil(t core.Time) { h.loop(t, nil) }

// RunFor runs for d of virtual time.
func (h *Virtual) RunFor(d time.Duration) { h.loop(h.Now().Add(d), nil) }

// Do runs f as a task and the loop until f has returned. A DeadlockError tells
// that it never can.
func (h *Virtual) Do(f func()) error {
	done := false
	h.Start("main", func() {
		f()
		done = true
	})
	h.loop(core.Never, &done)
	if !done {
		return &DeadlockError{Now: h.Now(), Tasks: h.blocked()}
	}
	return nil
}

// Next is the instant of the next event: Now if something can run at once, Never
// if nothing is left to happen.
func (h *Virtual) Next() core.Time {
	h.lock()
	defer h.unlock()
	if h.head < len(h.ready) || len(h.later) > 0 {
		return h.Now()
	}
	return h.nextEvent()
}

// Drive calls f on a goroutine on which the loop may run, for callers that run
// several hosts in step: run(t) does what happens before the instant t, and
// leaves the clock at the last of it.
func (h *Virtual) Drive(f func(run func(before core.Time))) {
	h.inLoop(func() {
		f(func(before core.Time) { h.events(before-1, nil) })
	})
}

// Interrupt has the loop return after the running event, or before the next one
// if it does not run. The loop goes on from there when it is called again. Any
// goroutine may call it, also a task.
func (h *Virtual) Interrupt() { h.stop.Store(true) }

// Blocked are the names of the tasks that have not ended, oldest first. It is for
// a caller outside of the loop.
func (h *Virtual) Blocked() []string { return h.blocked() }

// Task is the name of the running task, "" outside of tasks.
func (h *Virtual) Task() string {
	if t := h.current.Load(); t != nil {
		return t.name
	}
	return ""
}

// DeadlockError tells that blocked tasks are left and no event can wake them.
type DeadlockError struct {
	Now   core.Time
	Tasks []string
}

func (e *DeadlockError) Error() string {
	return fmt.Sprintf("host: at %v nothing is left to happen and these tasks are blocked: %s", time.Duration(e.Now), strings.Join(e.Tasks, ", "))
}

func (h *Virtual) blocked() []string {
	var names []string
	for _, t := range h.tasks {
		if !t.ended {
			names = append(names, t.name)
		}
	}
	return names
}

// loop runs events up to and including until, or to the moment done is set. It
// runs on a goroutine of its own that is not locked to a thread, as coroutines
// demand, and hands a Goexit of a task (a failed test) on to the caller.
func (h *Virtual) loop(until core.Time, done *bool) {
	h.inLoop(func() { h.steps(until, done) })
}

func (h *Virtual) inLoop(f func()) {
	if h.looping {
		panic("host: Run, RunFor, RunUntil or Do called from inside the loop: start a task with Go instead")
	}
	h.looping = true
	exit := true
	over := make(chan struct{})
	go func() {
		defer close(over)
		f()
		exit = false
	}()
	<-over
	h.looping = false
	if exit {
		h.current.Store(nil)
		runtime.Goexit()
	}
}

func (h *Virtual) steps(until core.Time, done *bool) {
	if h.events(until, done) && until != core.Never && core.Time(h.now.Load()) < until {
		h.now.Store(int64(until))
	}
}

// events runs what happens up to and including until; false tells that done was
// set or the loop interrupted before that.
func (h *Virtual) events(until core.Time, done *bool) bool {
	h.until = until
	for {
		for h.step() {
			if done != nil && *done || h.stop.Load() {
				h.stop.Store(false)
				return false
			}
		}
		h.lock()
		next := h.nextEvent()
		h.unlock()
		if next > until || next == core.Never {
			return true
		}
		h.advance(next)
		if h.stop.Load() {
			h.stop.Store(false)
			return false
		}
	}
}

// advance moves the clock to t and runs what is due. The wheel is not locked
// while it fires: only the loop's own thread arms it then.
func (h *Virtual) advance(t core.Time) {
	if core.Time(h.now.Load()) < t {
		h.now.Store(int64(t))
	}
	if h.wheel.Next() <= t {
		h.wheel.Advance(t)
	}
	h.lock()
	sole := h.sole
	if h.due > t {
		sole = nil
	} else {
		h.due = core.Never
	}
	h.unlock()
	if sole != nil {
		sole.domain.RunTimers()
	}
}

// Leap implements core.Leaper: a Domain that has the host for itself goes on up to
// the next event of the host's own, or to where the loop ends.
func (h *Virtual) Leap(d *core.Domain, t core.Time) bool {
	if !h.alone || h.sole == nil || h.sole.domain != d || t > h.until || t >= h.wheel.Next() ||
		h.head < len(h.ready) || len(h.later) > 0 || h.stop.Load() {
		return false
	}
	h.now.Store(int64(t))
	return true
}

// step runs one task or one deferred Domain; false when there is none.
func (h *Virtual) step() bool {
	h.lock()
	if h.head < len(h.ready) {
		t := h.ready[h.head]
		h.ready[h.head] = nil
		h.head++
		if h.head == len(h.ready) {
			h.ready, h.head = h.ready[:0], 0
		}
		t.queued = false
		h.unlock()
		h.resume(t)
		return true
	}
	if len(h.later) > 0 {
		d := h.later[0]
		h.later = append(h.later[:0], h.later[1:]...)
		h.deadline(d).later = false
		h.unlock()
		d.Run()
		return true
	}
	h.unlock()
	return false
}

func (h *Virtual) resume(t *task) {
	h.current.Store(t)
	_, more := t.next()
	h.current.Store(nil)
	if more {
		return
	}
	t.ended = true
	h.lock()
	for i, x := range h.tasks {
		if x == t {
			h.tasks = append(h.tasks[:i], h.tasks[i+1:]...)
			break
		}
	}
	h.unlock()
}

// Close ends every blocked task: its call fails, and it runs to its end.
func (h *Virtual) Close() error {
	h.lock()
	h.closed = true
	for _, t := range h.tasks {
		if t.parked != nil {
			h.enqueue(t)
		}
	}
	h.unlock()
	h.loop(h.Now(), nil)
	if names := h.blocked(); len(names) > 0 {
		return &DeadlockError{Now: h.Now(), Tasks: names}
	}
	return nil
}
