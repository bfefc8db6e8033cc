package tcp

import "github.com/libos-go/libos/core"

// An orphan is a connection that its program has closed and that still has
// something to send. tcp_max_orphans bounds them.

// orphaned counts a connection that lost its program; one too many is reset
// (net/ipv4/tcp.c, __tcp_close).
func (c *conn) orphaned() {
	if !c.state.in(setOrphan) {
		return
	}
	c.flags |= flagCounted
	c.t.orphans++
	if int64(c.t.orphans) > int64(c.t.settings().MaxOrphans) {
		c.t.counters.abortOnMemory++
		c.abort(0)
	}
}

// outOfResources ends an orphan whose timer ran out while there are too many. One
// that sent nothing for long, or met an ICMP error, counts twice. The peer gets a
// RST if it may still be there (net/ipv4/tcp_timer.c, tcp_out_of_resources).
func (c *conn) outOfResources() bool {
	if !c.is(flagCounted) {
		return false
	}
	n, quiet := int64(c.t.orphans), c.now().Sub(core.Time(c.snd.lastAt))
	if quiet > 2*rtoMax {
		n *= 2
	}
	if c.softErr != 0 {
		n *= 2
	}
	if n <= int64(c.t.settings().MaxOrphans) {
		return false
	}
	c.t.counters.abortOnMemory++
	if quiet <= timeWaitLength || c.snd.window == 0 && !c.snd.outstanding() {
		c.abort(0)
	} else {
		c.end(0)
	}
	return true
}
