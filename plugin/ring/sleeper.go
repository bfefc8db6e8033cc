package ring

import (
	"os"
	"runtime"
	"sync/atomic"
	"time"
)

// wanted is the bit of a sleep word that asks for a doorbell. The word as a whole
// is the epoch: it goes up by one with each wish and each end of a wish, so that
// every wish is another odd number and is answered once.
const wanted = 1

// How long and how often waits spin. Waking a process that sleeps costs some tens
// of microseconds, so that a spin which goes on for longer gains nothing.
const (
	spinFor   = 50 * time.Microsecond
	quickSpin = 10 * time.Microsecond // less than a sleep costs
	spinLoads = 64                    // loads between two looks at the clock

	// After a spin that failed, some waits sleep at once, and twice as many after
	// the next. Only short sleeps count: after long ones there is no hurry. Then
	// one spin is long enough to outlast a peer that is woken from its sleep, since
	// otherwise two peers that wait for each other would never both be awake.
	shortSleep = 4 * spinFor
	fewSleeps  = 4
	manySleeps = 1024
)

// A sleeper is one of the four waits of a Link's end: of a reader for records or
// of a writer for room. It belongs to the goroutine of its reader or writer; the
// listener calls notify.
type sleeper struct {
	link     *Link
	ready    func() bool    // whether the wait is over; any goroutine may ask
	word     *atomic.Uint64 // the sleep word, in our memory
	token    chan struct{}  // capacity 1: a wake before the sleep counts
	timer    *time.Timer
	patience time.Duration // how long to spin, 0 for never
	sleeps   int           // short sleeps to come before the next spin
	backoff  int           // how many there were after the last spin that did not pay
	slow     bool          // the last spin succeeded, but late
}

func (s *sleeper) init(l *Link, word *atomic.Uint64, ready func() bool) {
	s.link, s.word, s.ready = l, word, ready
	s.token = make(chan struct{}, 1)
	s.timer = time.NewTimer(time.Hour)
	s.timer.Stop()
	s.patience = spinFor
}

// wait returns nil when ready does, or the reason why it will not.
func (s *sleeper) wait(deadline time.Time) error {
	start := time.Now()
	var timeout <-chan time.Time
	if !deadline.IsZero() {
		left := deadline.Sub(start)
		if left <= 0 {
			if s.ready() {
				return nil
			}
			return os.ErrDeadlineExceeded
		}
		if s.spin(start) {
			return nil
		}
		s.timer.Reset(left)
		defer s.timer.Stop()
		timeout = s.timer.C
	} else if s.spin(start) {
		return nil
	}
	// The wish first, then the last look: a peer that publishes after the look
	// finds the wish.
	s.word.Add(1)
	defer s.word.Add(1)
	for !s.ready() {
		select {
		case <-s.token:
			// The token may be an old one, or another goroutine took what it was for
			// (see Reader.Doze). Then the wish may be spent, so it is made anew.
			if !s.ready() {
				s.word.Add(2)
			}
		case <-timeout:
			if s.ready() {
				return nil
			}
			return os.ErrDeadlineExceeded
		case <-s.link.done:
			// What the peer published before its end still counts.
			if s.ready() {
				return nil
			}
			return s.link.Err()
		}
	}
	if s.sleeps > 0 && time.Since(start) < shortSleep {
		s.sleeps--
	}
	return nil
}

// spin looks for a while, if that promises something, and reports whether the
// wait is over.
func (s *sleeper) spin(start time.Time) bool {
	if s.sleeps > 0 || s.patience == 0 {
		return false
	}
	limit := s.patience
	if s.backoff > 0 {
		limit = shortSleep
	}
	// With one processor, whom we wait for would wait for us.
	for several := runtime.NumCPU() > 1 && runtime.GOMAXPROCS(0) > 1; several; {
		for range spinLoads {
			if s.ready() {
				return s.paid(time.Since(start))
			}
		}
		if time.Since(start) > limit || s.link.ended() {
			break
		}
		runtime.Gosched() // what we wait for may need this processor
	}
	s.rest()
	return false
}

// paid judges a spin that succeeded. A slow one did not pay, once it is not the
// first: it held a processor that the peer may have lacked.
func (s *sleeper) paid(took time.Duration) bool {
	switch {
	case took < quickSpin:
		s.backoff, s.slow = s.backoff/2, false
	case s.slow:
		s.rest()
	default:
		s.slow = true
	}
	return true
}

// rest has the next waits sleep at once.
func (s *sleeper) rest() {
	s.backoff = min(max(2*s.backoff, fewSleeps), manySleeps)
	s.sleeps, s.slow = s.backoff, false
}

// notify answers a doorbell, which may have been for this sleeper: it wakes one
// whose wait is over. If it is not, the wish may be spent all the same: a peer
// that publishes, is held up, and then reads the sleep word rings for something
// that was taken before the wish. So the wish is made anew, and the last look
// after it as well.
func (s *sleeper) notify() {
	want := s.word.Load()
	if want&wanted == 0 {
		return
	}
	if !s.ready() && (!s.word.CompareAndSwap(want, want+2) || !s.ready()) {
		return
	}
	select {
	case s.token <- struct{}{}:
	default:
	}
}
