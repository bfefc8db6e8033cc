package tcp

import (
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/timer"
	"github.com/libos-go/libos/core/wire"
)

// arm sets the one timer to the earliest deadline if that is earlier than what
// it is set to: deadlines that move away cost nothing.
func (c *conn) arm() {
	at := min(c.rtoAt, c.ackAt, c.lifeAt)
	if at == core.Never {
		return
	}
	if !c.timer.Pending() || c.timer.When() > at {
		c.t.in.SetTimer(&c.timer, at, c)
	}
}

func (c *conn) setLife(at core.Time) {
	c.lifeAt = at
	c.arm()
}

// Expire implements timer.Expirer.
func (c *conn) Expire(*timer.Timer, core.Time) {
	now := c.now()
	c.touch()
	if c.ackAt <= now {
		c.ackAt = core.Never
		c.flags |= flagAckNow
	}
	if c.rtoAt <= now {
		c.rtoAt = core.Never
		c.retransmission()
	}
	if c.state != stateClosed && c.lifeAt <= now {
		c.lifeAt = core.Never
		c.lifetime()
	}
	c.t.settle()
}

// retransmission is the expiry of the retransmission or persist timer.
func (c *conn) retransmission() {
	set := c.t.settings()
	switch {
	case c.state == stateSynSent:
		most := set.SynRetries
		if c.extra != nil && c.extra.synRetries != 0 {
			most = c.extra.synRetries
		}
		c.t.counters.timeouts++
		if c.extra != nil {
			c.extra.silent = c.lastRecv
		}
		if int32(c.snd.retries) >= most || c.outlasted() {
			c.t.counters.abortOnTimeout++
			c.end(syscall.ETIMEDOUT)
			return
		}
		c.timedOut(c.snd.retries == 0)
		c.snd.retries++
		c.rtt.expired()
		c.sendSyn()
		c.windowReduced()
		c.rtoAt = c.patience(c.rtoAt)
	case c.state == stateSynReceived:
		defers := int32(0)
		if c.extra != nil {
			defers = c.extra.deferAccept
		}
		n, waits := int32(c.snd.retries), c.is(flagDeferred)
		if n >= set.SynackRetries && (!waits || n >= defers) {
			c.end(syscall.ETIMEDOUT)
			return
		}
		c.snd.retries++
		c.rtt.expired()
		if waits && n+1 < defers { // the peer has had it: data are awaited
			c.rtoAt = c.now().Add(c.rtt.timeout())
			return
		}
		c.sendSyn()
	case c.is(flagPersist):
		if c.giveUp() {
			return
		}
		c.t.counters.winProbe++
		c.rtt.expired()
		c.probes++
		c.rtoAt = c.patience(c.now().Add(c.rtt.timeout()))
		c.probeWindow()
	case c.snd.outstanding():
		shut := c.snd.window == 0 && c.now().Sub(c.lastRecv) <= rtoMax // the peer lives, and has shut its window
		if !shut && c.giveUp() {
			return
		}
		if int32(c.snd.retries) >= set.Retries1 && c.route != nil {
			c.route = nil // RFC 1122 §4.2.3.5: another way may work
			c.shrink(set)
		}
		c.expire(c.snd.retries == 0)
		c.snd.retries = min(c.snd.retries, 254) + 1
		c.rtoAt = c.patience(c.now().Add(c.rtt.timeout()))
	}
}

// shrink makes segments smaller on a path that may swallow large ones without an
// ICMP error (RFC 4821 §7.7; net/ipv4/tcp_timer.c, tcp_mtu_probing).
func (c *conn) shrink(set *Sysctls) {
	if set.MTUProbing == 0 {
		return
	}
	n := uint16(set.BaseMSS)
	if c.snd.mss <= n {
		n = max(c.snd.mss/2, uint16(set.MinSendMSS))
	}
	c.snd.mssCap = n
	c.snd.mss = min(c.snd.mss, n)
}

// giveUp ends a connection whose peer was silent for too long (RFC 1122
// §4.2.3.5, R2).
func (c *conn) giveUp() bool {
	if c.outOfResources() {
		return true
	}
	set := c.t.settings()
	most := set.Retries2
	if c.is(flagOrphan) {
		if most = set.OrphanRetries; most == 0 {
			most = 8
		}
	}
	n := int32(c.snd.retries)
	if c.is(flagPersist) {
		n = int32(c.probes)
	}
	if c.extra != nil && c.extra.userTimeout != 0 {
		if n == 0 {
			c.extra.silent = c.now().Add(-c.rtt.timeout())
		}
		if !c.outlasted() {
			return false
		}
	} else if n < most {
		return false
	}
	c.t.counters.abortOnTimeout++
	c.end(c.timeoutError())
	return true
}

// timeoutError is what a user learns who waited in vain: the error that was met on
// the way, if there was one (RFC 1122 §4.2.3.9).
func (c *conn) timeoutError() syscall.Errno {
	if c.softErr != 0 {
		return c.softErr
	}
	return syscall.ETIMEDOUT
}

// TakeSoftError implements core.SoftErrorer.
func (c *conn) TakeSoftError() syscall.Errno {
	err := c.softErr
	c.softErr = 0
	return err
}

// outlasted tells whether the peer was silent for longer than the user bears
// (TCP_USER_TIMEOUT, RFC 5482).
func (c *conn) outlasted() bool {
	return c.extra != nil && c.extra.userTimeout != 0 && c.now().Sub(c.extra.silent) >= c.extra.userTimeout
}

// patience has a retransmission timer run out no later than the user's patience
// (net/ipv4/tcp_timer.c, tcp_clamp_rto_to_user_timeout).
func (c *conn) patience(at core.Time) core.Time {
	if c.extra == nil || c.extra.userTimeout == 0 {
		return at
	}
	return max(min(at, c.extra.silent.Add(c.extra.userTimeout)), c.now().Add(time.Millisecond))
}

// probe asks the peer for an acknowledgement: a byte that it has had (RFC 9293
// §3.8.4).
func (c *conn) probe() { c.send(c.snd.una.Add(^uint32(0)), 0, wire.TCPAck) }

// probeWindow asks a peer whose window is shut for news, or sends a small piece
// into a window that is open but not worth a segment: the override timeout of
// RFC 9293 §3.8.6.2.1.
func (c *conn) probeWindow() {
	n := min(c.snd.usable(), c.snd.unsent(), int(c.full()))
	if n <= 0 || !c.send(c.snd.nxt, uint32(n), wire.TCPAck) {
		c.probe()
		return
	}
	c.snd.sent(uint32(n), int64(c.now()), true)
	c.flags &^= flagPersist
}

// lifetime is the end of FIN-WAIT-2 or TIME-WAIT, or time for a keepalive probe.
func (c *conn) lifetime() {
	switch {
	case c.state == stateTimeWait:
		c.end(0)
	case c.is(flagOrphan) && c.state == stateFinWait2:
		c.end(0)
	case c.state.in(setSynchronized):
		c.keepAlive()
	}
}

// keepaliveChanged starts or stops keepalive probes.
func (c *conn) keepaliveChanged() {
	o := c.options()
	if o == nil || !c.state.in(setSynchronized) {
		return
	}
	if !o.Keepalive {
		c.lifeAt = core.Never
		return
	}
	idle, _, _ := c.keepaliveTimes()
	c.setLife(c.lastRecv.Add(idle))
}

func (c *conn) keepaliveTimes() (idle, interval time.Duration, count int32) {
	set := c.t.settings()
	idle, interval, count = set.KeepaliveTime, set.KeepaliveIntvl, set.KeepaliveProbes
	if k := c.extra; k != nil {
		if k.idle != 0 {
			idle = k.idle
		}
		if k.interval != 0 {
			interval = k.interval
		}
		if k.count != 0 {
			count = k.count
		}
	}
	return idle, interval, count
}

// keepAlive sends a probe to a silent peer (RFC 9293 §3.8.4).
func (c *conn) keepAlive() {
	o := c.options()
	if o == nil || !o.Keepalive {
		return
	}
	idle, interval, count := c.keepaliveTimes()
	if quiet := c.now().Sub(c.lastRecv); quiet < idle {
		c.setLife(c.lastRecv.Add(idle))
		return
	}
	if c.snd.outstanding() || c.snd.unsent() > 0 { // their timers watch the peer
		c.setLife(c.now().Add(idle))
		return
	}
	dead := int32(c.probes) >= count
	if c.extra != nil && c.extra.userTimeout != 0 { // net/ipv4/tcp_timer.c, tcp_keepalive_timer
		c.extra.silent = c.lastRecv
		dead = c.probes > 0 && c.outlasted()
	}
	if dead {
		c.t.counters.abortOnTimeout++
		c.abort(c.timeoutError())
		return
	}
	c.probes++
	c.t.counters.keepAlive++
	c.probe()
	c.setLife(c.now().Add(interval))
}
