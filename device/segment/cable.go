package segment

import (
	"fmt"
	"math"
	"math/bits"
	"time"

	"github.com/libos-go/libos/core"
)

// Cable is what frames cross between a port and its switch, or between two
// switches; both directions are alike and independent. The zero value is ideal.
type Cable struct {
	// Rate in bits per second of frame bytes, 0 for no limit.
	Rate int64
	// Delay from the departure of a frame's last bit to its arrival.
	Delay time.Duration
	// QueueLen is how many frames wait at a switch for their departure where Rate is
	// set; more are dropped. 0 is 1000.
	QueueLen int
}

func (c *Cable) check() error {
	switch {
	case c.Rate < 0:
		return fmt.Errorf("rate %d is negative; 0 is no limit", c.Rate)
	case c.Delay < 0:
		return fmt.Errorf("delay %v is negative", c.Delay)
	case c.QueueLen < 0:
		return fmt.Errorf("queue length %d is negative; 0 is 1000", c.QueueLen)
	}
	return nil
}

// egress is the transmitter and the queue of a switch in front of one cable.
type egress struct {
	cable   Cable
	free    core.Time // when the last frame has left
	bytes   uint64    // of all frames that were not dropped
	leaving []core.Time
	head, n int // leaving[head…] are the departures of those that have not left
}

// carry tells when a frame of size bytes that is there at now arrives at the other
// end; false if the queue is full.
func (e *egress) carry(now core.Time, size int) (at core.Time, ok bool) {
	if e.cable.Rate <= 0 {
		e.bytes += uint64(size)
		return now.Add(e.cable.Delay), true
	}
	e.settle(now)
	most := e.cable.QueueLen
	if most <= 0 {
		most = defaultQueue
	}
	if e.n > most { // one is on the wire, the others wait
		return 0, false
	}
	e.free = max(now, e.free).Add(transmission(size, e.cable.Rate))
	if e.n == len(e.leaving) {
		ring := make([]core.Time, max(8, 2*len(e.leaving)))
		for i := range e.n {
			ring[i] = e.leaving[(e.head+i)&(len(e.leaving)-1)]
		}
		e.leaving, e.head = ring, 0
	}
	e.leaving[(e.head+e.n)&(len(e.leaving)-1)] = e.free
	e.n++
	e.bytes += uint64(size)
	return e.free.Add(e.cable.Delay), true
}

// settle forgets what has left by now.
func (e *egress) settle(now core.Time) {
	for e.n > 0 && e.leaving[e.head] <= now {
		e.head = (e.head + 1) & (len(e.leaving) - 1)
		e.n--
	}
}

// waiting is what waits at now, and its bytes with the rest of the frame on the cable.
func (e *egress) waiting(now core.Time) (frames, bytes int) {
	e.settle(now)
	return max(0, e.n-1), rest(e.free, now, e.cable.Rate)
}

// rest is how many bytes have not left at now where the last leaves at the instant
// free.
func rest(free, now core.Time, rate int64) int {
	if free <= now || rate <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(free-now), uint64(rate))
	if hi >= 8e9 {
		return math.MaxInt32
	}
	q, _ := bits.Div64(hi, lo, 8e9)
	return int(min(q, math.MaxInt32))
}

const defaultQueue = 1000

// transmission is how long size bytes take at rate bits per second, rounded up.
func transmission(size int, rate int64) time.Duration {
	if rate <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(size)*8, uint64(time.Second))
	lo, carry := bits.Add64(lo, uint64(rate)-1, 0)
	hi += carry
	if hi >= uint64(rate) {
		return time.Duration(core.Never)
	}
	q, _ := bits.Div64(hi, lo, uint64(rate))
	return time.Duration(min(q, uint64(core.Never)))
}
