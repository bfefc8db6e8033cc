package tcp

import (
	"syscall"

	"github.com/libos-go/libos/core"
)

// newConn makes a closed connection; nil when memory is short.
func (t *Transport) newConn() *conn {
	c := t.conns.Alloc(t.account)
	if c == nil {
		return nil
	}
	c.t = t
	c.state = stateClosed
	c.rtoAt, c.ackAt, c.lifeAt = core.Never, core.Never, core.Never
	return c
}

// setState moves the connection to another state and counts established ones.
func (c *conn) setState(s state) {
	const established = 1<<stateEstablished | 1<<stateCloseWait // RFC 4022, tcpCurrEstab
	if was, is := c.state.in(established), s.in(established); was != is {
		if is {
			c.t.counters.currEstab++
		} else {
			c.t.counters.currEstab--
		}
	}
	if c.is(flagCounted) && !s.in(setOrphan) {
		c.flags &^= flagCounted
		c.t.orphans--
	}
	c.state = s
}

// enter puts the connection in the table of connections.
func (c *conn) enter() {
	c.hash = c.t.key().hash(&c.tuple)
	c.t.demux.insert(c.hash, c.reference())
	c.flags |= flagHashed
}

func (c *conn) reference() reference { return reference(c.t.conns.Index(c) + 1) }

// leaveTable takes it out again.
func (c *conn) leaveTable() {
	if c.is(flagHashed) {
		c.flags &^= flagHashed
		if c.t.last == c {
			c.t.last = nil
		}
		c.t.demux.remove(c.hash, c.reference())
	}
}

// end closes the connection for good: the user, if any, sees err (0: an orderly
// end). Received data stay readable; everything else is released. The
// connection itself is freed when the batch is over and nobody holds it.
func (c *conn) end(err syscall.Errno) {
	if c.state == stateClosed {
		return
	}
	t := c.t
	c.over()
	c.touch()
	switch c.state { // RFC 4022, tcpAttemptFails and tcpEstabResets
	case stateSynSent, stateSynReceived:
		t.counters.attemptFails++
	case stateEstablished, stateCloseWait:
		t.counters.estabResets++
	case stateTimeWait:
		t.waiting--
	}
	c.setState(stateClosed)
	c.leaveTable()
	t.in.CancelTimer(&c.timer)
	c.rtoAt, c.ackAt, c.lifeAt = core.Never, core.Never, core.Never
	c.snd.queue.clear(&t.slabs)
	c.rec.clear()
	c.rcv.dropHeld(t)
	c.stopControl()
	c.flags = c.flags&^(flagAckNow|flagFinQueued) | flagEnded
	if l := c.listener; l != nil && l.conn != c && !l.keeps(c) {
		l.forget(c)
		c.listener = nil
	}
	if c.socket == nil {
		c.softErr = err // for who accepts it
		return
	}
	if !c.is(flagDone) && !c.is(flagBound) {
		c.tuple.lport = 0 // the next attempt chooses anew
	}
	c.softErr = 0
	if err != 0 {
		c.socket.SetError(err)
	}
	c.wake(core.ReadyIn | core.ReadyOut | core.ReadyErr | core.ReadyHup | core.ReadyRdHup)
}

// OnOver has f called once, inside an entry, when the connection has done its
// work: in TIME-WAIT or on the way to its end, while TCP_INFO still tells all of
// it. The socket may have been closed long before.
func (c *conn) OnOver(f func()) { c.more().over = f }

func (c *conn) over() {
	if x := c.extra; x != nil && x.over != nil {
		f := x.over
		x.over = nil
		f()
	}
}

// release frees a connection that nobody needs any more.
func (c *conn) release() {
	if c.state != stateClosed || c.socket != nil || c.listener != nil || c.holds > 0 || c.is(flagDirty) {
		return
	}
	t := c.t
	c.unbind()
	c.rcv.queue.clear(&t.slabs)
	t.in.CancelTimer(&c.timer)
	t.conns.Free(t.account, c)
}

// abort resets the connection: the peer gets a RST, the user err.
func (c *conn) abort(err syscall.Errno) {
	if c.state.in(setSynchronized | 1<<stateSynReceived) {
		c.sendReset()
	}
	c.end(err)
}

// reset is the peer's RST (RFC 9293 §3.10.7.4, second check).
func (c *conn) reset() {
	err := syscall.ECONNRESET
	switch c.state {
	case stateSynSent, stateSynReceived:
		err = syscall.ECONNREFUSED
		if c.listener != nil {
			c.t.counters.embryonicRsts++
		}
	case stateCloseWait:
		err = syscall.EPIPE // net/ipv4/tcp_input.c, tcp_reset
	}
	c.end(err)
}

// finReceived takes the peer's FIN (RFC 9293 §3.10.7.4, eighth check).
func (c *conn) finReceived() {
	c.rcv.nxt++
	c.flags |= flagFinReceived | flagAckNow
	c.rcv.dropHeld(c.t)
	switch c.state {
	case stateSynReceived, stateEstablished:
		c.setState(stateCloseWait)
	case stateFinWait1: // our FIN is not acknowledged, or this were FIN-WAIT-2
		c.setState(stateClosing)
	case stateFinWait2:
		c.sendAck()
		c.timeWait()
		return
	}
	r := core.ReadyIn | core.ReadyRdHup
	if c.state != stateCloseWait {
		r |= core.ReadyHup // both directions are over
	}
	c.wake(r)
}

// finAcked follows the acknowledgement of our FIN.
func (c *conn) finAcked() {
	switch c.state {
	case stateFinWait1:
		c.setState(stateFinWait2)
		c.wake(core.ReadyOut)
		if c.is(flagOrphan) {
			c.awaitFin()
		}
	case stateClosing:
		c.timeWait()
	case stateLastAck:
		c.end(0)
	}
}

// queueFin has a FIN follow the data: the user sends no more.
func (c *conn) queueFin() {
	switch c.state {
	case stateSynReceived, stateEstablished:
		c.setState(stateFinWait1)
	case stateCloseWait:
		c.setState(stateLastAck)
	default:
		return
	}
	c.flags |= flagFinQueued
	c.flags &^= flagMore | flagCork
	c.touch()
}
