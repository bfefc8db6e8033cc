package replay

import (
	"time"

	"github.com/libos-go/libos/core"
)

// clock maps the times of a file to the host's.
type clock struct {
	speed   float64
	running bool
	start   core.Time // when the pass began

	packets int           // of this pass that were read
	epoch   time.Time     // of the first packet with a time
	timed   bool          // epoch is known
	offset  time.Duration // of the packet read last, from the start of the pass
}

// run begins the first pass.
func (c *clock) run(now core.Time) { c.running, c.start = true, now }

// begun tells whether a packet of this pass was read.
func (c *clock) begun() bool { return c.packets > 0 }

// read takes the time of the next packet. Time does not go back: a packet that
// is older than the one before comes at once.
func (c *clock) read(r *record) {
	c.packets++
	if !r.timed {
		return
	}
	if !c.timed {
		c.timed, c.epoch = true, r.at
	}
	c.offset = max(c.offset, r.at.Sub(c.epoch))
}

// due is when the packet read last is to be played.
func (c *clock) due() core.Time { return c.start.Add(c.scale(c.offset)) }

// scale is a time of the file on the host's clock.
func (c *clock) scale(d time.Duration) time.Duration {
	if c.speed == 1 {
		return d
	}
	x := float64(d) / c.speed
	if x >= float64(1<<63-1) {
		return 1<<63 - 1
	}
	return time.Duration(x)
}

// rewind begins the next pass, one mean interval after the last packet.
func (c *clock) rewind() {
	gap := c.scale(pause)
	if c.packets > 1 && c.offset > 0 {
		gap = c.scale(c.offset / time.Duration(c.packets-1))
	}
	c.start = c.due().Add(max(gap, 1))
	c.packets, c.timed, c.offset = 0, false, 0
}
