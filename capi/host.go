package capi

import (
	"context"
	"errors"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/libos-go/libos/core"
)

// Host is a core.Host whose surroundings are in C. Its clock is what the caller
// showed at the last crossing; it parks nobody.
type Host struct {
	Actions  Actions
	now      atomic.Int64
	offset   atomic.Int64 // civil time of instant 0, nanoseconds since 1970
	deferred atomic.Bool
	seed     [32]byte
	log      *slog.Logger
}

// NewHost makes a host whose random streams follow from seed.
func NewHost(seed [32]byte) *Host {
	h := &Host{seed: seed}
	h.log = slog.New(&lines{h: h})
	return h
}

// Show sets the clock: now in nanoseconds since the start of the caller's clock, and
// the civil time in nanoseconds since 1970. A clock never goes back.
func (h *Host) Show(now, wall int64) {
	for {
		old := h.now.Load()
		if now < old {
			return
		}
		if now == old || h.now.CompareAndSwap(old, now) {
			h.offset.Store(wall - now)
			return
		}
	}
}

// Now implements core.Host.
func (h *Host) Now() core.Time { return core.Time(h.now.Load()) }

// WallNow implements core.Host.
func (h *Host) WallNow() time.Time { return time.Unix(0, h.offset.Load()+h.now.Load()).UTC() }

// Time implements core.Host.
func (h *Host) Time(t time.Time) core.Time {
	if t.IsZero() {
		return 0
	}
	return max(1, core.Time(t.UnixNano()-h.offset.Load()))
}

// Arm implements core.Host.
func (h *Host) Arm(_ *core.Domain, t core.Time) { h.Actions.deadline(t) }

// Defer implements core.Host: the caller is asked to come back at once.
func (h *Host) Defer(*core.Domain) {
	h.deferred.Store(true)
	h.Actions.deadline(h.Now())
}

// RunTimers runs what is due and what was deferred.
func (h *Host) RunTimers(d *core.Domain) {
	d.RunTimers()
	if h.deferred.Swap(false) {
		d.Run()
	}
}

// ErrPark is what a blocking call of core gets under a C host.
var ErrPark = errors.New("capi: no Go code waits under a C host: begin the call by posix.Op and go on when it is told")

// Start implements core.Host: the task runs on a goroutine. It may not park.
func (h *Host) Start(_ string, task func()) { go task() }

// Park implements core.Host.
func (h *Host) Park(*core.Waiter) error { return ErrPark }

// Wake implements core.Host. Nobody is parked.
func (h *Host) Wake(*core.Waiter) {}

// Random implements core.Host.
func (h *Host) Random(stream string) core.Source {
	key := h.seed
	f := fnv.New64a()
	f.Write([]byte(stream))
	for i, b := range f.Sum(nil) {
		key[i] ^= b
	}
	return rand.NewChaCha8(key)
}

// Log implements core.Host.
func (h *Host) Log() *slog.Logger { return h.log }

// lines makes actions of records.
type lines struct {
	h     *Host
	attrs []slog.Attr
}

// Enabled implements slog.Handler.
func (*lines) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

// Handle implements slog.Handler.
func (x *lines) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Level.String() + " " + r.Message)
	add := func(a slog.Attr) bool {
		b.WriteString(" " + a.String())
		return true
	}
	for _, a := range x.attrs {
		add(a)
	}
	r.Attrs(add)
	text := b.String()
	x.h.Actions.put(Log, 0, []byte(text[:min(len(text), 4096)]))
	return nil
}

// WithAttrs implements slog.Handler.
func (x *lines) WithAttrs(a []slog.Attr) slog.Handler {
	return &lines{x.h, append(x.attrs[:len(x.attrs):len(x.attrs)], a...)}
}

// WithGroup implements slog.Handler: groups are not shown.
func (x *lines) WithGroup(string) slog.Handler { return x }
