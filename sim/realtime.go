package sim

import (
	"context"
	"time"
)

// tick is how far RunRealTime runs at once: events of one tick happen together.
const tick = time.Millisecond

// RunRealTime runs to the instant until as Run does, at the speed of the wall clock
// times speed (1 is real time), or as fast as the machine can if that is slower. It
// returns ctx's error when ctx ends. The result is that of Run.
func (n *Network) RunRealTime(ctx context.Context, until time.Duration, speed float64) error {
	if err := n.Build(); err != nil {
		return err
	}
	from, begun := n.Now(), time.Now()
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		next, more := n.Next()
		if !more || next > until {
			next = until
		}
		at := begun.Add(time.Duration(float64(next-from) / speed))
		if d := time.Until(at); d > 0 {
			wait.Reset(d)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-wait.C:
			}
		} else if err := ctx.Err(); err != nil {
			return err
		}
		if next >= until {
			return n.Run(until)
		}
		// Everything that is due by now, and the tick that began with next.
		due := from + time.Duration(float64(time.Since(begun))*speed)
		if err := n.Run(min(until, max(due, next+time.Duration(float64(tick)*speed)))); err != nil {
			return err
		}
	}
}
