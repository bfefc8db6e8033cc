package tcp

import (
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// tally is what TCP_INFO counts of a connection (RFC 4898).
type tally struct {
	taken       uint64 // bytes that the user took off the receive queue
	sent        uint64 // bytes of all segments with data, those sent again too
	resent      uint64 // bytes sent again
	rate        uint64 // bytes delivered a second, as last measured
	dataAt      core.Time
	ackAt       core.Time
	timeoutAt   core.Time // when the timeouts began that last still
	timeoutTime time.Duration
	busy        chrono
	segsIn      uint32
	segsOut     uint32
	dataIn      uint32 // segments with data
	dataOut     uint32
	dsacks      uint32 // segments that the peer reported twice
	reordered   uint32 // times that a segment was found late, not lost
	outOfOrder  uint32 // segments that came ahead of their turn
	mark        uint32 // sentLog.acked when the timed segment was sent
	timeouts    uint16
	recoveries  uint16 // of runs of timeouts
	marked      uint32 // segments acknowledged with ECE
	passive     bool   // the peer began
	limited     bool   // the rate is that of the user, not of the path
}

// What holds a sender up (include/linux/tcp.h, enum tcp_chrono).
const (
	chronoIdle = iota
	chronoBusy
	chronoWindow // the peer's window
	chronoBuffer // SO_SNDBUF
	chronoKinds
)

// chrono tells for how long a sender had something to send, and what held it up.
type chrono struct {
	since core.Time
	spent [chronoKinds - 1]time.Duration // by kind, without idle
	kind  uint8
}

// turn says what holds from now on.
func (x *chrono) turn(kind uint8, now core.Time) {
	if kind == x.kind {
		return
	}
	x.settle(now)
	x.kind = kind
}

func (x *chrono) settle(now core.Time) {
	if x.kind != chronoIdle {
		x.spent[x.kind-1] += now.Sub(x.since)
	}
	x.since = now
}

// times are how long it was busy in all, and in that held up by the window and by
// the buffer, in microseconds.
func (x chrono) times(now core.Time) (busy, window, buffer uint64) {
	x.settle(now)
	us := func(d time.Duration) uint64 { return uint64(d / time.Microsecond) }
	window, buffer = us(x.spent[chronoWindow-1]), us(x.spent[chronoBuffer-1])
	return us(x.spent[chronoBusy-1]) + window + buffer, window, buffer
}

// watch notes what the sender does after it has sent what it may: window tells that
// the peer's window kept the rest, full that the congestion window did
// (net/ipv4/tcp_output.c, tcp_write_xmit, tcp_cwnd_validate).
func (c *conn) watch(window, full bool) {
	kind := uint8(chronoBusy)
	switch {
	case c.snd.queue.len() == 0 && !c.snd.outstanding():
		kind = chronoIdle
	case window:
		kind = chronoWindow
	case !full && c.snd.unsent() <= 0 && c.is(flagNoSpace):
		kind = chronoBuffer
	}
	c.tally.busy.turn(kind, c.now())
}

// delivered takes the measurement of a segment whose round trip took rtt: how many
// segments were acknowledged meanwhile (net/ipv4/tcp_rate.c).
func (c *conn) delivered(rtt time.Duration, limited bool) {
	if rtt <= 0 {
		return
	}
	n := c.snd.log.acked - c.tally.mark
	rate := uint64(n) * uint64(c.snd.mss) * uint64(time.Second) / uint64(rtt)
	if !limited || rate >= c.tally.rate {
		c.tally.rate, c.tally.limited = rate, limited
	}
}

// timedOut counts a retransmission timeout (net/ipv4/tcp_timer.c,
// tcp_update_rto_stats); first tells that it is the first of a run.
func (c *conn) timedOut(first bool) {
	c.tally.timeouts++
	if first {
		c.tally.recoveries++
		c.tally.timeoutAt = max(c.now(), 1)
	}
}

// timeoutsOver ends a run of timeouts: new data were acknowledged.
func (c *conn) timeoutsOver() {
	if at := c.tally.timeoutAt; at != 0 {
		c.tally.timeoutTime += c.now().Sub(at)
		c.tally.timeoutAt = 0
	}
}

// sentAgain tells whether the byte at seq may have been sent twice.
func (c *conn) sentAgain(seq wire.Seq) bool {
	r := &c.rec
	return r.active && seq.LT(r.next) || r.timedOut && seq.LT(c.snd.nxt)
}

// late counts a segment that an acknowledgement covers although the peer had what
// came behind it and nobody had sent it again: it was overtaken, not lost
// (net/ipv4/tcp_input.c, tcp_check_sack_reordering).
func (c *conn) late() {
	if len(c.rec.board.blocks) > 0 && !c.sentAgain(c.snd.una) {
		c.tally.reordered++
	}
}
