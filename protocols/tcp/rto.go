package tcp

import "time"

// Bounds of the retransmission timeout. Linux has 200 ms where RFC 6298 §2.4
// advises a second (include/net/tcp.h, TCP_RTO_MIN, TCP_RTO_MAX).
const (
	rtoMin     = 200 * time.Millisecond
	rtoMax     = 120 * time.Second
	rtoInitial = time.Second     // RFC 6298 §2.1
	rtoSynLost = 3 * time.Second // RFC 6298 §5.7: no sample, and the SYN was lost
	rtoBackoff = 16              // shifts beyond this exceed rtoMax anyway
)

// rttEstimator keeps the smoothed round-trip time and the timeout made from it
// (RFC 6298). Times are microseconds, which in 32 bits last for an hour.
type rttEstimator struct {
	smoothed  uint32 // SRTT, 0: no sample yet
	variation uint32 // RTTVAR
	smallest  uint32 // of all samples
	latest    uint32
	backoff   uint8 // doublings since the last acknowledgement of new data
	synLost   bool
}

// sample takes a measurement of a segment that was sent once (Karn's rule is the
// caller's).
func (r *rttEstimator) sample(d time.Duration) {
	us := uint32(min(max(d/time.Microsecond, 1), 1<<30))
	r.latest = us
	if r.smallest == 0 || us < r.smallest {
		r.smallest = us
	}
	if r.smoothed == 0 { // RFC 6298 §2.2
		r.smoothed, r.variation = us, us/2
		return
	}
	// RFC 6298 §2.3: alpha 1/8, beta 1/4; the variation first.
	delta := int64(r.smoothed) - int64(us)
	if delta < 0 {
		delta = -delta
	}
	r.variation = uint32((3*int64(r.variation) + delta) / 4)
	r.smoothed = uint32(max((7*int64(r.smoothed)+int64(us))/8, 1))
}

// base is the timeout without backoff. As in Linux the variation counts for at
// least rtoMin (net/ipv4/tcp_input.c, tcp_rtt_estimator).
func (r *rttEstimator) base() time.Duration {
	if r.smoothed == 0 {
		if r.synLost {
			return rtoSynLost
		}
		return rtoInitial
	}
	d := time.Duration(r.smoothed)*time.Microsecond + max(4*time.Duration(r.variation)*time.Microsecond, rtoMin)
	return min(d, rtoMax)
}

// timeout is the timeout in force: doubled for each expiry (RFC 6298 §5.5).
func (r *rttEstimator) timeout() time.Duration {
	return min(r.base()<<min(r.backoff, rtoBackoff), rtoMax)
}

func (r *rttEstimator) expired() {
	if r.backoff < 255 {
		r.backoff++
	}
}

// established ends the handshake: its backoff is over, and where the only hint of
// the path is that a SYN was lost, data begin with a longer timeout.
func (r *rttEstimator) established() {
	r.synLost = r.smoothed == 0 && r.backoff > 0
	r.progress()
}

// progress ends the backoff: new data were acknowledged.
func (r *rttEstimator) progress() { r.backoff = 0 }

func (r *rttEstimator) srtt() time.Duration { return time.Duration(r.smoothed) * time.Microsecond }
func (r *rttEstimator) min() time.Duration  { return time.Duration(r.smallest) * time.Microsecond }

// givesUp tells whether data first sent at elapsed before now have met as many
// timeouts as retries allow: like Linux it compares times, as if every timeout
// had started from rtoMin (net/ipv4/tcp_timer.c, retransmits_timed_out).
func givesUp(elapsed time.Duration, retries int, first time.Duration) bool {
	return elapsed >= retryTime(retries, first)
}

// retryTime is the time in which retries+1 timers run out that start at first
// and double up to rtoMax.
func retryTime(retries int, first time.Duration) time.Duration {
	total := time.Duration(0)
	for d := first; retries >= 0; retries-- {
		if d >= rtoMax {
			return total + time.Duration(retries+1)*rtoMax
		}
		total += d
		d = min(2*d, rtoMax)
	}
	return total
}
