package tcp

import (
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

const (
	timeWaitLength = 60 * time.Second  // net/ipv4: TCP_TIMEWAIT_LEN
	finWaitMost    = 120 * time.Second // net/ipv4: TCP_FIN_TIMEOUT_MAX
)

// awaitFin bounds the stay of an orphan in FIN-WAIT-2 (tcp_fin_timeout,
// TCP_LINGER2).
func (c *conn) awaitFin() {
	wait := c.t.settings().FinTimeout
	if c.extra != nil && c.extra.linger2 != 0 {
		if c.extra.linger2 < 0 {
			c.t.counters.abortOnLinger++
			c.abort(0)
			return
		}
		wait = c.extra.linger2
	}
	c.setLife(c.now().Add(wait))
}

// timeWait waits for old segments to die (RFC 9293 §3.6.1).
func (c *conn) timeWait() {
	t := c.t
	if t.waiting >= t.settings().MaxTWBuckets {
		t.counters.timeWaitOverflow++
		c.end(0)
		return
	}
	t.waiting++
	t.counters.timeWaits++
	c.setState(stateTimeWait)
	c.over()
	c.rtoAt = core.Never
	c.snd.queue.clear(&t.slabs)
	c.rec.clear()
	c.stopControl()
	c.flags &^= flagFinQueued | flagPersist
	c.wake(core.ReadyIn | core.ReadyOut | core.ReadyHup | core.ReadyRdHup)
	c.setLife(c.now().Add(timeWaitLength))
}

// arriveTimeWait is RFC 9293 §3.10.7.4 in TIME-WAIT, as Linux reads it
// (net/ipv4/tcp_minisocks.c, tcp_timewait_state_process).
func (c *conn) arriveTimeWait(s *segment) {
	stamped := c.is(flagTimestamps) && s.opts.Has&wire.TCPHasTimestamp != 0
	stale := stamped && c.rcv.stale(s.opts.TSVal, c.now())
	reset := s.flags&wire.TCPRst != 0
	switch {
	case reset: // RFC 5961 §3.2: only the exact number counts
		if s.seq == c.rcv.nxt && !stale && !c.t.settings().RFC1337 {
			c.end(0)
		}
		return
	case s.seq == c.rcv.nxt && s.length() == 0 && !stale: // an old acknowledgement
		if stamped {
			c.rcv.remember(s.opts.TSVal, c.now())
		}
		c.setLife(c.now().Add(timeWaitLength))
		return
	case stale:
		c.t.counters.pawsEstab++
	}
	if stale || s.flags&wire.TCPAck != 0 { // the peer's FIN again
		c.setLife(c.now().Add(timeWaitLength))
	}
	c.answerInvalid(s, &c.t.counters.skippedTimeWait)
}

// renews tells whether a SYN begins a new connection where c waits for old
// segments to die: its number, or its timestamp (RFC 6191 §2), is newer than all
// they can have.
func (c *conn) renews(s *segment) bool {
	if c.state != stateTimeWait || s.flags&(wire.TCPSyn|wire.TCPRst|wire.TCPAck) != wire.TCPSyn {
		return false
	}
	if !c.is(flagTimestamps) || s.opts.Has&wire.TCPHasTimestamp == 0 {
		return s.seq.GT(c.rcv.nxt)
	}
	if c.rcv.stale(s.opts.TSVal, c.now()) {
		return false
	}
	return s.seq.GT(c.rcv.nxt) || int32(s.opts.TSVal-c.rcv.recent) > 0
}

// successor is an initial sequence number that no segment of c can reach
// (net/ipv4/tcp_minisocks.c).
func (c *conn) successor() wire.Seq { return c.snd.max.Add(65535 + 2) }
