package core

import (
	"log/slog"
	"time"

	"github.com/libos-go/libos/core/timer"
)

// Time is an instant of a host's monotonic clock in nanoseconds since its start.
type Time = timer.Time

// Never is the deadline that does not come.
const Never = timer.Never

// Host is what the caller gives to a stack: time, tasks, randomness and a log
// (Linux LibOS called it SimImported). The real-time and the virtual-time host
// are two values of this interface and nothing in the core can tell them
// apart. All methods may be called from any goroutine unless they say
// otherwise.
type Host interface {
	// Now is the monotonic clock. It never goes back.
	Now() Time
	// WallNow is the civil time of Now.
	WallNow() time.Time
	// Time is the instant of Now's clock for a civil time (a deadline); 0 for
	// the zero time, at least 1 otherwise.
	Time(time.Time) Time
	// Arm asks that d.RunTimers be called at t or soon after. It replaces the
	// deadline given for d before; Never cancels. It is called only when the
	// next deadline moves earlier, or with d's lock held from RunTimers.
	Arm(d *Domain, t Time)
	// Defer asks that d.Run be called soon from another stack: work waits.
	Defer(d *Domain)
	// Start runs task as a task of this host: the only kind of code that may
	// park in virtual time.
	Start(name string, task func())
	// Park blocks the calling task until w is woken. A wake that came before
	// the park is remembered. It holds no lock. In virtual time a call from
	// a goroutine that is not the running task fails with an error that
	// says what to do instead.
	Park(w *Waiter) error
	// Wake lets the task parked on w go on, now or when it parks.
	Wake(w *Waiter)
	// Random is an independent stream of random numbers. The same host seed
	// and name give the same numbers.
	Random(stream string) Source
	// Log is the host's log.
	Log() *slog.Logger
}

// Leaper is a Host in virtual time that lets an exact Domain go from one of its
// deadlines to the next inside one entry.
type Leaper interface {
	// Leap moves the clock to t, d's next deadline, and returns true, or returns
	// false if anybody else may have something to do at t or before. It is called
	// with d's lock held, from RunTimers.
	Leap(d *Domain, t Time) bool
}

// Source is a stream of random numbers, used under one Domain's lock.
type Source interface {
	Uint64() uint64
}

// Waiter is a sticky wake-up token of one blocked call. It may sit on several
// wait queues at once (poll). The fields belong to the host.
type Waiter struct {
	// Token holds at most one wake-up (real-time host).
	Token chan struct{}
	// Woken is the same for a host that runs one task at a time.
	Woken bool
	// Task is the parked task (virtual-time host).
	Task any
}
