package timer

import (
	"math"
	"time"
)

// Time is an instant in nanoseconds since the host's start, so that 63 bits
// last for 292 years.
type Time int64

// Never is later than every instant; as a deadline it means that there is none.
const Never Time = math.MaxInt64

// Add returns t+d. It saturates: what lies beyond the range is Never (or, for
// a negative d, the smallest Time), and Never plus anything stays Never.
func (t Time) Add(d time.Duration) Time {
	if t == Never {
		return Never
	}
	s := t + Time(d)
	if d > 0 && s < t {
		return Never
	}
	if d < 0 && s > t {
		return math.MinInt64
	}
	return s
}

// Sub returns t-u, saturating at the range of time.Duration.
func (t Time) Sub(u Time) time.Duration {
	d := t - u
	if u < 0 && d < t {
		return math.MaxInt64
	}
	if u > 0 && d > t {
		return math.MinInt64
	}
	return time.Duration(d)
}

// Before reports whether t is earlier than u.
func (t Time) Before(u Time) bool { return t < u }

// After reports whether t is later than u.
func (t Time) After(u Time) bool { return t > u }

// String gives t as time since the host's start ("1.5s"), or "never".
func (t Time) String() string {
	if t == Never {
		return "never"
	}
	return time.Duration(t).String()
}
