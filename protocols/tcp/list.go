package tcp

import (
	"cmp"
	"slices"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// AppendSockets implements core.SocketLister.
func (d *door) AppendSockets(list []core.SocketEntry) []core.SocketEntry {
	if d.t == nil {
		return list
	}
	return d.t.appendSockets(list)
}

// appendSockets lists sockets that programs have, then connections that none has.
func (t *Transport) appendSockets(list []core.SocketEntry) []core.SocketEntry {
	for _, s := range t.in.Sockets() {
		if c, ok := s.Endpoint().(*conn); ok {
			list = append(list, c.entry())
		}
	}
	var others []*conn
	for _, c := range t.all() {
		if c.socket == nil {
			others = append(others, c)
		}
	}
	slices.SortFunc(others, func(a, b *conn) int {
		return cmp.Or(cmp.Compare(a.tuple.lport, b.tuple.lport), cmp.Compare(a.tuple.pport, b.tuple.pport),
			a.tuple.local.Compare(b.tuple.local), a.tuple.peer.Compare(b.tuple.peer))
	})
	for _, c := range others {
		list = append(list, c.entry())
	}
	return list
}

// entry is what lists tell of a socket or connection (net/ipv4/tcp_ipv4.c,
// get_tcp4_sock).
func (c *conn) entry() core.SocketEntry {
	e := core.SocketEntry{Socket: c.socket, Endpoint: c, Family: core.AFInet6, Type: core.SockStream, Protocol: int(wire.ProtoTCP),
		State: uint8(c.state), Local: c.Local(), Retransmits: c.snd.retries, Probes: c.probes}
	switch {
	case c.socket != nil:
		e.Family, _, _ = c.socket.Kind()
		e.Inode, e.UID = c.socket.Owner()
	case c.listener != nil && c.listener.conn.socket != nil:
		e.Family, _, _ = c.listener.conn.socket.Kind()
	case c.tuple.local.Is4():
		e.Family = core.AFInet
	}
	if c.state == stateListen {
		e.Received, e.Unsent = uint32(len(c.listener.ready)), uint32(c.listener.backlog)
		return e
	}
	if c.state != stateClosed {
		e.Peer = core.SockAddr{Addr: c.tuple.peer, Port: c.tuple.pport, Scope: c.scope}
	}
	if c.state.in(setSynchronized) {
		e.Received, e.Unsent = uint32(max(c.rcv.queue.bytes, 0)), uint32(max(c.queued().Sub(c.snd.una), 0))
	}
	at := core.Never
	switch {
	case c.state == stateTimeWait:
		e.Timer, at = core.TimerTimeWait, c.lifeAt
	case c.rtoAt != core.Never && c.is(flagPersist):
		e.Timer, at = core.TimerProbe, c.rtoAt
	case c.rtoAt != core.Never:
		e.Timer, at = core.TimerRetransmit, c.rtoAt
	case c.lifeAt != core.Never:
		e.Timer, at = core.TimerKeepalive, c.lifeAt
	}
	if at != core.Never && c.state != stateClosed {
		e.Left = max(at.Sub(c.now()), time.Duration(0))
	} else {
		e.Timer = core.TimerOff
	}
	return e
}
