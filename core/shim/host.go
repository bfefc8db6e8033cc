package shim

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/libos-go/libos/core"
)

// host drives the far end's Domain: its clock is what the near end said last,
// and nothing in it waits.
type host struct{ wall *wall }

var errNoTasks = errors.New("shim: nobody waits at the far side")

// Now implements core.Host.
func (h *host) Now() core.Time { return h.wall.far.Now() }

// WallNow implements core.Host.
func (h *host) WallNow() time.Time { return time.Unix(0, int64(h.Now())) }

// Time implements core.Host.
func (h *host) Time(t time.Time) core.Time { return core.Time(t.UnixNano()) }

// Arm implements core.Host: the far Domain has no timers.
func (h *host) Arm(*core.Domain, core.Time) {}

// Defer implements core.Host: no frames travel in the far Domain.
func (h *host) Defer(*core.Domain) {}

// Start implements core.Host.
func (h *host) Start(string, func()) {}

// Park implements core.Host.
func (h *host) Park(*core.Waiter) error { return errNoTasks }

// Wake implements core.Host.
func (h *host) Wake(*core.Waiter) {}

// Random implements core.Host.
func (h *host) Random(string) core.Source { return rand.NewPCG(1, 2) }

// Log implements core.Host.
func (h *host) Log() *slog.Logger { return h.wall.env.Log() }
