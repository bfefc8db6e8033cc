package tcp

import (
	"slices"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// listener is what a listening socket has beside its address.
type listener struct {
	conn    *conn
	ready   []*conn // established, oldest first
	pending []*conn // in the handshake
	backlog int
	// cookied is when a request was last answered by a cookie, 0 if never
	cookied core.Time
}

// listening finds the socket that takes connections to u: the one bound to the
// address before one bound to any.
func (t *Transport) listening(u *tuple, p *core.Packet) *listener {
	var best *conn
	score, equal := -1, uint32(1)
	for _, c := range t.ports[u.lport] {
		if c.state != stateListen || c.socket == nil {
			continue
		}
		o := c.socket.Options()
		if o.Device != 0 && (p.Interface == nil || int(o.Device) != p.Interface.Index()) {
			continue
		}
		n := 0
		family, _, _ := c.socket.Kind()
		switch {
		case c.tuple.local == u.local:
			n = 4
		case !c.tuple.local.IsUnspecified():
			continue
		case u.local.Is4() && family == core.AFInet:
			n = 2
		case u.local.Is4() && (o.V6Only || c.tuple.local.Is4()), !u.local.Is4() && family == core.AFInet:
			continue
		default:
			n = 1
		}
		if o.Device != 0 {
			n += 8
		}
		switch {
		case n > score:
			best, score, equal = c, n, 1
		case n == score && best.is(flagReusePort) && c.is(flagReusePort): // shared by the connection's hash
			equal++
			if t.key().hash(u)%equal == 0 {
				best = c
			}
		}
	}
	if best == nil {
		return nil
	}
	return best.listener
}

// arrive takes a segment to a listening socket (RFC 9293 §3.10.7.2).
func (l *listener) arrive(u *tuple, s *segment) {
	t := l.conn.t
	switch {
	case s.flags&wire.TCPRst != 0:
		return
	case s.flags&wire.TCPAck != 0:
		switch c, cookie := l.fromCookie(u, s); {
		case c != nil:
			c.arrive(s)
			return
		case cookie: // no room: the peer sends again
			return
		}
		t.sendReset(u, s.ack, 0, wire.TCPRst)
		return
	case s.flags&wire.TCPSyn == 0 || s.flags&wire.TCPFin != 0:
		return
	}
	if !l.admits() {
		return
	}
	switch set := t.settings(); {
	case set.SynCookies == 2, l.crowded() && set.SynCookies == 1:
		t.counters.reqQFullDoCookies++
		l.sendCookie(u, s)
		return
	case l.crowded():
		t.counters.reqQFullDrop++
		t.counters.listenDrops++
		return
	case set.SynCookies == 0 && int(set.MaxSynBacklog)-len(l.pending) < int(set.MaxSynBacklog)/4:
		t.counters.listenDrops++ // the last quarter is for peers that are known, and none is
		return
	}
	c := l.request(u, s)
	if c == nil {
		t.counters.listenDrops++
		return
	}
	c.keepSyn(l, s)
	c.begin()
	if s.renewed {
		c.snd.start(s.iss)
	}
	c.synchronize(s)
	c.snd.window, c.snd.maxWindow = s.window, s.window
	c.snd.wl1 = s.seq
	l.enter(c)
	c.sendSyn()
}

// admits tells whether the accept queue has room, and counts if not. As in Linux
// it holds one more than the backlog says (include/net/sock.h,
// sk_acceptq_is_full).
func (l *listener) admits() bool {
	if len(l.ready) <= l.backlog {
		return true
	}
	l.conn.t.counters.listenOverflows++
	l.conn.t.counters.listenDrops++
	return false
}

// crowded tells whether there are as many requests as the listener keeps: its
// backlog's worth (include/net/inet_connection_sock.h,
// inet_csk_reqsk_queue_is_full), and tcp_max_syn_backlog at most.
func (l *listener) crowded() bool {
	return len(l.pending) > l.backlog || len(l.pending) >= int(max(l.conn.t.settings().MaxSynBacklog, 1))
}

// request makes the connection of a request; nil when memory is short or the
// peer cannot be reached.
func (l *listener) request(u *tuple, s *segment) *conn {
	c := l.conn.t.newConn()
	if c == nil {
		return nil
	}
	c.tuple = *u
	c.listener = l
	c.scope = uint32(l.conn.socket.Options().Device)
	if u.peer.IsLinkLocalUnicast() && !u.peer.Is4() && s.p.Interface != nil {
		c.scope = uint32(s.p.Interface.Index())
	}
	c.inherit(l.conn)
	if !c.refreshRoute() {
		c.listener = nil
		c.release()
		return nil
	}
	return c
}

// enter puts a connection request among those that wait for the last step.
func (l *listener) enter(c *conn) {
	c.tally.segsIn, c.tally.passive = 1, true // the SYN
	c.setState(stateSynReceived)
	c.enter()
	l.pending = append(l.pending, c)
	c.touch()
}

// inherit takes over what a listening socket passes on beside the core's options.
func (c *conn) inherit(from *conn) {
	c.flags |= from.flags & (flagNoDelay | flagReuse | flagReusePort)
	if from.extra != nil {
		x := *from.extra
		x.urgent = urgent{}
		c.extra = &x
	}
	c.cong.name = from.cong.name
}

// establishPassive ends the handshake of a passive or simultaneous open; false
// when the accept queue has no room, and the peer has to try again.
func (c *conn) establishPassive(s *segment) bool {
	t := c.t
	l := c.listener
	if l != nil && s.n == 0 && s.flags&wire.TCPFin == 0 && c.defers() {
		return false
	}
	if l != nil && !l.admits() {
		if t.settings().AbortOverflow {
			t.counters.embryonicRsts++
			t.sendReset(&c.tuple, s.ack, 0, wire.TCPRst) // as where there is no connection
			c.end(0)
		}
		return false
	}
	c.snd.wl1, c.snd.wl2 = s.seq, s.ack
	c.snd.window = s.window << c.snd.scale
	c.snd.maxWindow = max(c.snd.maxWindow, c.snd.window)
	c.established()
	c.tally.segsOut = 0 // Linux counts from the socket's beginning on, which is now
	if l == nil {
		c.wake(core.ReadyOut | core.ReadyIn)
		return true
	}
	t.counters.passiveOpens++
	l.forget(c)
	l.ready = append(l.ready, c)
	l.conn.wake(core.ReadyIn)
	return true
}

// defers leaves a handshake open until there is data (TCP_DEFER_ACCEPT): the
// ACK is dropped while the SYN-ACK was not yet sent again as often as the option
// says (net/ipv4/tcp_minisocks.c, tcp_check_req).
func (c *conn) defers() bool {
	if c.extra == nil || int32(c.snd.retries) >= c.extra.deferAccept {
		return false
	}
	c.flags |= flagDeferred
	c.t.counters.deferAcceptDrop++
	return true
}

// keeps tells whether c waits to be accepted. It does so even when it has ended:
// accept returns it, and its error with it.
func (l *listener) keeps(c *conn) bool { return slices.Contains(l.ready, c) }

// forget takes a connection out of the lists.
func (l *listener) forget(c *conn) {
	for _, list := range []*[]*conn{&l.pending, &l.ready} {
		if i := slices.Index(*list, c); i >= 0 {
			*list = slices.Delete(*list, i, i+1)
		}
		if len(*list) == 0 {
			*list = nil
		}
	}
}

// close resets everything that waits.
func (l *listener) close() {
	waiting := append(slices.Clone(l.pending), l.ready...)
	l.pending, l.ready = nil, nil
	for _, c := range waiting {
		c.listener = nil
		c.touch()
		c.abort(0)
	}
}
