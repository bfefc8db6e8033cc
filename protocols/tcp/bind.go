package tcp

import (
	"slices"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Bind implements core.Endpoint.
func (c *conn) Bind(a core.SockAddr) error {
	if c.state != stateClosed || c.tuple.lport != 0 || c.is(flagBound) {
		return syscall.EINVAL
	}
	if err := c.socket.CheckLocal(a); err != nil {
		return err
	}
	if a.Addr.IsMulticast() && !a.Addr.Is4() {
		return syscall.EINVAL
	}
	if a.Addr.IsMulticast() || a.Addr.IsBroadcast() {
		return syscall.EADDRNOTAVAIL
	}
	t, o := c.t, c.socket.Options()
	c.set(flagReuse, o.ReuseAddr)
	c.set(flagReusePort, o.ReusePort)
	if a.Addr.IsUnspecified() {
		a.Addr = anyAddress(c.socket)
	}
	port := a.Port
	if port == 0 {
		var ok bool
		if port, ok = t.freePort(c, a.Addr); !ok {
			return syscall.EADDRINUSE
		}
	} else if t.taken(c, a.Addr, port, false) {
		return syscall.EADDRINUSE
	}
	c.tuple.local, c.tuple.lport = a.Addr, port
	if !a.Addr.Is4() && a.Addr.IsLinkLocalUnicast() {
		c.scope = a.Scope
	}
	if t.ports == nil {
		t.ports = make(map[uint16][]*conn)
	}
	t.ports[port] = append(t.ports[port], c)
	c.flags |= flagBound
	return nil
}

// unbind gives the port back.
func (c *conn) unbind() {
	if !c.is(flagBound) {
		return
	}
	c.flags &^= flagBound
	t := c.t
	list := t.ports[c.tuple.lport]
	if i := slices.Index(list, c); i >= 0 {
		list = slices.Delete(list, i, i+1)
	}
	if len(list) == 0 {
		delete(t.ports, c.tuple.lport)
	} else {
		t.ports[c.tuple.lport] = list
	}
}

// taken tells whether c must not have addr and port beside those who have it
// (net/ipv4/inet_connection_sock.c, inet_csk_bind_conflict): two sockets share
// when both have SO_REUSEPORT, or both SO_REUSEADDR and neither listens.
// Connections count as well as sockets that were bound.
func (t *Transport) taken(c *conn, addr wire.Addr, port uint16, listens bool) bool {
	for _, o := range t.ports[port] {
		if o != c && c.conflicts(o, addr, listens) {
			return true
		}
	}
	if listens {
		return false // connections are no obstacle to listening again
	}
	found := false
	t.demux.each(func(r reference) {
		o := t.at(r)
		found = found || o != c && o.tuple.lport == port && !o.is(flagBound) && c.conflicts(o, addr, false)
	})
	return found
}

func (c *conn) conflicts(o *conn, addr wire.Addr, listens bool) bool {
	if d, e := c.device(), o.device(); d != 0 && e != 0 && d != e {
		return false
	}
	if c.is(flagReusePort) && o.is(flagReusePort) {
		return false
	}
	if c.is(flagReuse) && o.is(flagReuse) && o.state != stateListen && !listens {
		return false
	}
	if listens && o.state != stateListen {
		return false
	}
	a, b := addr, o.tuple.local
	switch {
	case !a.IsUnspecified() && !b.IsUnspecified():
		return a == b
	case a.IsUnspecified() && b.IsUnspecified():
		return a.Is4() == b.Is4() || c.takes4(a) && o.takes4(b)
	case a.IsUnspecified():
		return a.Is4() == b.Is4() || b.Is4() && c.takes4(a)
	default:
		return a.Is4() == b.Is4() || a.Is4() && o.takes4(b)
	}
}

// takes4 tells whether a socket that is bound to the unspecified address a takes
// IPv4 too.
func (c *conn) takes4(a wire.Addr) bool {
	return a.Is4() || c.socket != nil && !c.socket.Options().V6Only
}

func (c *conn) device() int32 {
	if o := c.options(); o != nil {
		return o.Device
	}
	return 0
}

// freePort chooses a port that nobody has, for a socket bound to port 0.
func (t *Transport) freePort(c *conn, addr wire.Addr) (uint16, bool) {
	r := t.in.PortRange()
	span := uint32(r.High) - uint32(r.Low) + 1
	start := uint32(t.in.Random().Uint64())
	var used []uint64
	if t.demux.n > 0 {
		used = make([]uint64, 1024)
		t.demux.each(func(ref reference) {
			p := t.at(ref).tuple.lport
			used[p>>6] |= 1 << (p & 63)
		})
	}
	for i := range span {
		p := uint16(uint32(r.Low) + (start+i)%span)
		if r.IsReserved(p) || len(t.ports[p]) > 0 || used != nil && used[p>>6]&(1<<(p&63)) != 0 {
			continue
		}
		return p, true
	}
	return 0, false
}

// choosePort chooses the local port of an active open by double hashing (RFC
// 6056 §3.3.4): the first that no bound socket has and that makes u new.
func (t *Transport) choosePort(u *tuple) error {
	r := t.in.PortRange()
	span := uint32(r.High) - uint32(r.Low) + 1
	key := t.key()
	h := key.sum(u.local.Hi, u.local.Lo, u.peer.Hi, u.peer.Lo, uint64(u.pport), 3)
	next := &t.nextPort[h>>32%uint64(len(t.nextPort))]
	start := uint32(h) + *next
	for i := range span {
		u.lport = uint16(uint32(r.Low) + (start+i)%span)
		if len(t.ports[u.lport]) > 0 || r.IsReserved(u.lport) || !t.vacate(u) {
			continue
		}
		*next += i + 1
		return nil
	}
	u.lport = 0
	return syscall.EADDRNOTAVAIL
}

// vacate tells whether u is free for an active open. A connection in TIME-WAIT
// gives way where net.ipv4.tcp_tw_reuse allows it and timestamps keep its old
// segments apart (RFC 6191).
func (t *Transport) vacate(u *tuple) bool {
	c := t.lookup(u)
	if c == nil {
		return true
	}
	reuse := t.settings().TWReuse
	if c.state != stateTimeWait || reuse == 0 || reuse == 2 && !u.peer.IsLoopback() || !c.is(flagTimestamps) ||
		c.now().Sub(c.lastRecv) < 1e9 {
		return false
	}
	t.counters.timeWaitRecycled++
	c.end(0)
	return true
}
