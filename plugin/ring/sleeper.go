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

// How long a wait spins. Waking a sleeping process costs some tens of
// microseconds, so that spinning for longer than that gains nothing.
const (
	spinFor   = 50 * time.Microsecond
	spinLoads = 64 // loads between two looks at the clock
	// A sleep that was shorter than this would have ended in a spin, if the peer
	// had not slept as well: the next waits try it.
	shortSleep = 4 * spinFor
	// Spins in a row that may fail before waits go to sleep at once again.
	spinTries = 4
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
	tries    int           // spins that are still worth trying
}

func (s *sleeper) init(l *Link, word *atomic.Uint64, ready func() bool) {
	s.link, s.word, s.ready = l, word, ready
	s.token = make(chan struct{}, 1)
	s.timer = time.NewTimer(time.Hour)
	s.timer.Stop()
	s.patience = spinFor
	s.hope()
}

// wait returns nil when ready does, or the reason why it will not.
func (s *sleeper) wait(deadline time.Time) error {
	if s.tries > 0 && s.spin() {
		return nil
	}
	var timeout <-chan time.Time
	start := time.Now()
	if !deadline.IsZero() {
		left := deadline.Sub(start)
		if left <= 0 {
			if s.ready() {
				return nil
			}
			return os.ErrDeadlineExceeded
		}
		s.timer.Reset(left)
		defer s.timer.Stop()
		timeout = s.timer.C
	}
	// The wish first, then the last look: a peer that publishes after the look
	// finds the wish.
	s.word.Add(1)
	defer s.word.Add(1)
	for !s.ready() {
		select {
		case <-s.token:
			// The token may be an old one. Then the wish still stands.
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
	if time.Since(start) < shortSleep {
		s.hope()
	}
	return nil
}

// spin looks for up to spinFor and reports whether the wait is over. It goes on
// being tried only while it succeeds.
func (s *sleeper) spin() bool {
	start := time.Now()
	for {
		for range spinLoads {
			if s.ready() {
				s.tries = spinTries
				return true
			}
		}
		if time.Since(start) > s.patience || s.link.ended() {
			s.tries--
			return false
		}
		runtime.Gosched() // what we wait for may need this processor
	}
}

// hope lets the next waits spin, where another processor can work meanwhile.
func (s *sleeper) hope() {
	if s.patience > 0 && runtime.NumCPU() > 1 && runtime.GOMAXPROCS(0) > 1 {
		s.tries = spinTries
	}
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
