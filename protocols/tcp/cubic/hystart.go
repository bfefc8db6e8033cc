package cubic

import "github.com/libos-go/libos/core/congestion"

// Constants of HyStart++ (RFC 9406 §4.3); times in nanoseconds.
const (
	minThreshold  = 4e6
	maxThreshold  = 16e6
	rttDivisor    = 8
	samplesNeeded = 8
	cssDivisor    = 4
	cssRounds     = 5
	segmentsLimit = 8 // L of an implementation that does not pace
)

// hystart ends slow start when the round-trip time begins to grow, by way of a
// phase of conservative slow start (RFC 9406). It serves the first slow start
// only.
type hystart struct {
	windowEnd uint64 // Event.Sent at the start of this round
	lastMin   int64  // smallest sample of the round before, 0 if none
	currMin   int64  // of this round
	baseline  int64  // of the round that started conservative slow start
	samples   uint32 // in this round
	rounds    uint8  // in conservative slow start
	started   bool
	css       bool
	stopped   bool
	done      bool // leave slow start now
}

func (h *hystart) stop() { h.stopped = true }

// increase is what an acknowledgement adds to the window in slow start.
func (h *hystart) increase(e *congestion.Event, acked uint32) uint32 {
	if h.stopped {
		return acked
	}
	h.round(e)
	step := min(acked, segmentsLimit*e.MSS)
	if h.css {
		step /= cssDivisor
	}
	return step
}

// leave tells whether slow start is over.
func (h *hystart) leave(*congestion.Event) bool {
	if h.done && !h.stopped {
		h.stopped = true
		return true
	}
	return false
}

// round keeps the rounds and their smallest samples (RFC 9406 §4.2).
func (h *hystart) round(e *congestion.Event) {
	if !h.started || e.Delivered >= h.windowEnd {
		if h.started && h.css {
			if h.rounds++; h.rounds >= cssRounds {
				h.done = true
			}
		}
		h.started = true
		h.windowEnd = e.Sent
		h.lastMin, h.currMin, h.samples = h.currMin, 0, 0
	}
	if e.LastRTT <= 0 {
		return
	}
	h.samples++
	if h.currMin == 0 || e.LastRTT < h.currMin {
		h.currMin = e.LastRTT
	}
	if h.samples < samplesNeeded {
		return
	}
	switch {
	case !h.css && h.lastMin != 0 && h.currMin >= h.lastMin+min(max(h.lastMin/rttDivisor, minThreshold), maxThreshold):
		h.css, h.rounds, h.baseline = true, 0, h.currMin
	case h.css && h.currMin < h.baseline:
		h.css, h.baseline = false, 0 // the growth was spurious
	}
}
