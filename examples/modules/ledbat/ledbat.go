// Package ledbat is the congestion control LEDBAT (RFC 6817) for TCP: it uses what
// others leave of a link. A connection keeps the delay that its segments add to the
// queues of their way near a target, and goes back before one that looks at losses
// does. Start reading at Control.Event.
//
// The RFC measures one-way delays; TCP has those of round trips, to which the queues
// of the way back count.
package ledbat

import (
	"time"

	"github.com/libos-go/libos/core/congestion"
)

// The parameters of RFC 6817 §2.5.
const (
	target          = int64(60 * time.Millisecond) // of the delay that is added; the RFC allows up to 100 ms
	gain            = 1                            // segments a round trip when nothing is queued
	allowedIncrease = 1                            // segments beyond what is in flight
	minWindow       = 2                            // segments
	baseHistory     = 10                           // minutes
	currentFilter   = 4                            // samples
)

// Algorithm describes LEDBAT to TCP, linked in or as a module.
func Algorithm() congestion.Algorithm {
	return congestion.Algorithm{Name: "ledbat", New: func() congestion.Control { return new(Control) }}
}

// Control is the state of one connection.
type Control struct {
	base    [baseHistory]int64 // the smallest delay of each minute, the last one first; 0 is none
	minute  int64              // when base[0] began
	current [currentFilter]int64
	sample  int                 // the next place in current
	part    int64               // of a byte that the window is to grow, in bytes times cwnd times target
	before  congestion.Decision // the window before the last loss, for Undo
}

// Event implements congestion.Control.
func (c *Control) Event(e *congestion.Event, d *congestion.Decision) {
	if e.LastRTT > 0 {
		c.measure(e)
	}
	least := minWindow * e.MSS
	switch e.Kind {
	case congestion.Init:
		d.Cwnd, d.Ssthresh = congestion.InitialWindow(e.MSS), congestion.Infinite
	case congestion.Ack:
		if !e.AppLimited {
			c.acknowledged(e, d)
		}
	case congestion.EnterRecovery, congestion.ECN: // RFC 6817 §2.4.2: at most once a round trip
		c.before = *d
		d.Cwnd = min(d.Cwnd, max(d.Cwnd/2, least))
		d.Ssthresh = d.Cwnd
	case congestion.ExitRecovery:
		d.Cwnd = max(min(d.Cwnd, e.InFlight+e.MSS), least)
	case congestion.Timeout: // likewise: one segment
		c.before = *d
		d.Ssthresh = max(d.Cwnd/2, least)
		d.Cwnd = e.MSS
	case congestion.Undo:
		if c.before.Cwnd != 0 {
			d.Cwnd, d.Ssthresh = max(d.Cwnd, c.before.Cwnd), max(d.Ssthresh, c.before.Ssthresh)
			c.before = congestion.Decision{}
		}
	case congestion.IdleRestart:
		d.Cwnd = min(d.Cwnd, congestion.InitialWindow(e.MSS))
	}
}

// acknowledged moves the window in proportion to how far the delay is from the
// target (RFC 6817 §2.4.2).
func (c *Control) acknowledged(e *congestion.Event, d *congestion.Decision) {
	queued := c.queuing()
	if d.Cwnd < d.Ssthresh {
		if queued <= target/2 {
			d.Cwnd = min(d.Cwnd+e.Acked, congestion.Infinite/2)
			return
		}
		d.Ssthresh = d.Cwnd
	}
	off := target - queued
	unit := int64(d.Cwnd) * (target / 1024)
	c.part += gain * (off / 1024) * int64(e.Acked) * int64(e.MSS)
	change := c.part / unit
	c.part -= change * unit
	window := int64(d.Cwnd) + change
	window = min(window, int64(e.InFlight)+int64(allowedIncrease*e.MSS), congestion.Infinite/2)
	d.Cwnd = uint32(max(window, int64(minWindow*e.MSS)))
}

// measure takes a sample into both filters.
func (c *Control) measure(e *congestion.Event) {
	c.current[c.sample] = e.LastRTT
	c.sample = (c.sample + 1) % currentFilter
	if passed := (e.Now - c.minute) / int64(time.Minute); c.base[0] == 0 {
		c.minute = e.Now
	} else if passed > 0 {
		n := int(min(passed, baseHistory))
		copy(c.base[n:], c.base[:baseHistory-n])
		clear(c.base[:n])
		c.minute += passed * int64(time.Minute)
	}
	if c.base[0] == 0 || e.LastRTT < c.base[0] {
		c.base[0] = e.LastRTT
	}
}

// queuing is the delay that queues add now, 0 if it is not known.
func (c *Control) queuing() int64 {
	return max(least(c.current[:])-least(c.base[:]), 0)
}

// least is the smallest of the values that are there.
func least(values []int64) (v int64) {
	for _, x := range values {
		if x != 0 && (v == 0 || x < v) {
			v = x
		}
	}
	return v
}
