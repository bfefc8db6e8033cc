package host

import (
	crand "crypto/rand"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libos-go/libos/core"
)

// RealTime drives stacks by the machine's clocks. Tasks are goroutines, timers
// are the runtime's. One value may drive any number of Domains.
type RealTime struct {
	base   time.Time
	log    *slog.Logger
	seed   *[32]byte
	random random
}

// random is the source of all streams of a host without a seed: nobody can
// tell them apart, and an instance does not pay for one of its own.
type random struct {
	mu     sync.Mutex
	stream *rand.ChaCha8
}

// Uint64 implements core.Source.
func (r *random) Uint64() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stream.Uint64()
}

// Option changes a host when it is made.
type Option func(*settings)

type settings struct {
	log   *slog.Logger
	seed  *[32]byte
	wall  time.Time
	alone bool
}

// WithLog gives the host a log; without it the host is silent.
func WithLog(l *slog.Logger) Option { return func(s *settings) { s.log = l } }

// WithSeed makes the random streams of a real-time host repeatable.
func WithSeed(seed [32]byte) Option { return func(s *settings) { s.seed = &seed } }

// Alone tells a virtual host that nothing but its loop, and the goroutine that
// runs it between two calls, touches its Domains and tasks: it then takes no locks.
func Alone() Option { return func(s *settings) { s.alone = true } }

// WithWallClock sets the civil time at which a virtual host starts.
func WithWallClock(t time.Time) Option { return func(s *settings) { s.wall = t } }

func apply(options []Option) settings {
	s := settings{log: slog.New(slog.DiscardHandler), wall: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)}
	for _, o := range options {
		o(&s)
	}
	return s
}

// NewRealTime starts a host whose clock begins at 0 now.
func NewRealTime(options ...Option) *RealTime {
	s := apply(options)
	var key [32]byte
	_, _ = crand.Read(key[:]) // never fails: it ends the program instead
	return &RealTime{base: time.Now(), log: s.log, seed: s.seed, random: random{stream: rand.NewChaCha8(key)}}
}

// driver is the host's part of one Domain.
type driver struct {
	timer    *time.Timer
	deferred atomic.Bool
}

// Now implements core.Host.
func (h *RealTime) Now() core.Time { return core.Time(time.Since(h.base)) }

// WallNow implements core.Host.
func (h *RealTime) WallNow() time.Time { return time.Now() }

// Time is the host's instant for a civil time, as deadlines need it; the zero
// time is 0.
func (h *RealTime) Time(t time.Time) core.Time {
	if t.IsZero() {
		return 0
	}
	return max(1, core.Time(t.Sub(h.base)))
}

func (h *RealTime) driver(d *core.Domain) *driver {
	if d.HostState == nil {
		d.HostState = &driver{}
	}
	return d.HostState.(*driver)
}

// Arm implements core.Host. It is called with d's lock held.
func (h *RealTime) Arm(d *core.Domain, t core.Time) {
	dr := h.driver(d)
	if t == core.Never {
		if dr.timer != nil {
			dr.timer.Stop()
		}
		return
	}
	wait := max(0, t.Sub(h.Now()))
	if dr.timer == nil {
		dr.timer = time.AfterFunc(wait, d.RunTimers)
		return
	}
	dr.timer.Reset(wait)
}

// Defer implements core.Host. It is called with d's lock held.
func (h *RealTime) Defer(d *core.Domain) {
	dr := h.driver(d)
	if dr.deferred.CompareAndSwap(false, true) {
		go func() {
			dr.deferred.Store(false)
			d.Run()
		}()
	}
}

// Start implements core.Host: a task is a goroutine.
func (h *RealTime) Start(_ string, task func()) { go task() }

// Park implements core.Host.
func (h *RealTime) Park(w *core.Waiter) error {
	<-w.Token
	return nil
}

// Wake implements core.Host.
func (h *RealTime) Wake(w *core.Waiter) {
	select {
	case w.Token <- struct{}{}:
	default:
	}
}

// Random implements core.Host: a cryptographically strong stream.
func (h *RealTime) Random(stream string) core.Source {
	var key [32]byte
	if h.seed == nil {
		return &h.random
	}
	key = *h.seed
	f := fnv.New64a()
	f.Write([]byte(stream))
	for i, b := range f.Sum(nil) {
		key[i] ^= b
	}
	return rand.NewChaCha8(key)
}

// Log implements core.Host.
func (h *RealTime) Log() *slog.Logger { return h.log }

var errClosed = fmt.Errorf("host: %w", net.ErrClosed)
