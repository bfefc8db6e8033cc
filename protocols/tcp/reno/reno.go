// Package reno is the NewReno congestion control (RFC 5681, RFC 6582): slow
// start, congestion avoidance, halving on loss. It knows windows and nothing of
// segments, timers or retransmission, which are TCP's. Read RFC 5681 §3.1 beside
// Control.Event.
package reno

import "github.com/libos-go/libos/core/congestion"

// Algorithm describes NewReno.
func Algorithm() congestion.Algorithm {
	return congestion.Algorithm{Name: "reno", New: func() congestion.Control { return new(Control) }}
}

// Control is NewReno's state of one connection.
type Control struct {
	counted       uint32 // bytes acknowledged towards the next increase
	priorCwnd     uint32 // before the last reduction, for Undo
	priorSsthresh uint32
}

// Event implements congestion.Control.
func (c *Control) Event(e *congestion.Event, d *congestion.Decision) {
	switch e.Kind {
	case congestion.Init:
		d.Cwnd, d.Ssthresh = congestion.InitialWindow(e.MSS), congestion.Infinite
	case congestion.Ack:
		if !e.AppLimited {
			d.Cwnd = c.grow(e)
		}
	case congestion.EnterRecovery, congestion.ECN:
		c.remember(e)
		d.Ssthresh = Half(e)
		d.Cwnd = d.Ssthresh
	case congestion.ExitRecovery:
		// RFC 6582 §3.2 step 3, option 1: no burst when little is in flight.
		d.Cwnd = min(e.Ssthresh, max(e.InFlight, e.MSS)+e.MSS)
	case congestion.Timeout:
		c.remember(e)
		d.Ssthresh = Half(e)
		d.Cwnd = e.MSS // RFC 5681 §3.1, loss window
	case congestion.Undo:
		if c.priorCwnd != 0 {
			d.Cwnd, d.Ssthresh = max(e.Cwnd, c.priorCwnd), max(e.Ssthresh, c.priorSsthresh)
			c.priorCwnd = 0
		}
	case congestion.IdleRestart:
		d.Cwnd = min(e.Cwnd, congestion.InitialWindow(e.MSS)) // RFC 5681 §4.1
	}
}

func (c *Control) remember(e *congestion.Event) {
	c.counted = 0
	c.priorCwnd, c.priorSsthresh = e.Cwnd, e.Ssthresh
}

// Half is the threshold after a loss: half of what was in flight, at least two
// segments (RFC 5681 equation 4).
func Half(e *congestion.Event) uint32 {
	return max(min(e.InFlight, e.Cwnd)/2, 2*e.MSS)
}

// grow is the window after an acknowledgement (RFC 5681 §3.1). Slow start counts
// bytes, as appropriate byte counting does (RFC 3465), without going past the
// threshold.
func (c *Control) grow(e *congestion.Event) uint32 {
	w, acked := e.Cwnd, e.Acked
	if w < e.Ssthresh {
		step := min(acked, e.Ssthresh-w)
		w += step
		acked -= step
	}
	if acked == 0 {
		return w
	}
	c.counted += acked
	if c.counted >= w {
		c.counted -= w
		w += e.MSS
	}
	return min(w, congestion.Infinite/2)
}
