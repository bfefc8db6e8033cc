package tcp

import (
	"time"

	"github.com/libos-go/libos/core"
)

// tuner lets the receive buffer grow to twice what the user reads in a
// round-trip time, so that the window never is what limits the peer
// (net/ipv4/tcp_input.c, tcp_rcv_space_adjust).
type tuner struct {
	since core.Time // start of this round
	read  uint32    // bytes that the user read in it
	most  uint32    // most of any round
	rtt   uint32    // microseconds, by the timestamps that data echo
}

// tune counts n bytes that the user has read.
func (c *conn) tune(n int) {
	r := &c.rcv.tune
	r.read += uint32(n)
	rtt := max(c.rtt.srtt(), time.Duration(r.rtt)*time.Microsecond)
	now := c.now()
	if rtt == 0 || now.Sub(r.since) < rtt {
		return
	}
	read := r.read
	r.since, r.read = now, 0
	if read <= r.most {
		return
	}
	set := c.t.settings()
	if o := c.options(); set.ModerateRcvbuf && (o == nil || !o.ReceiveBufferSet) {
		want := uint64(read) * 2
		if r.most > 0 { // the peer doubles its window in slow start: be ahead of it
			want += want * uint64(read-r.most) / uint64(r.most)
		}
		want = (want + 16*uint64(c.rcv.mss)) * 2 // window to memory
		c.rcv.limit = max(c.rcv.limit, int32(min(want, uint64(set.RMem[2]))))
	}
	r.most = read
}

// echoed takes a round-trip time that the timestamp echoed by data tells.
func (r *tuner) echoed(d time.Duration) {
	us := uint32(min(max(d/time.Microsecond, 1), 1<<30))
	if r.rtt == 0 || us < r.rtt {
		r.rtt = us
		return
	}
	r.rtt += (us - r.rtt) / 8
}
