package netlink

import (
	"encoding/binary"
	"slices"
	"syscall"

	"github.com/libos-go/libos/core"
)

const (
	// firstFill is how long the first datagram of a dump is at most, for readers of one
	// page; the following are as long as the longest buffer that was read into, up to
	// lastFill (net/netlink/af_netlink.c, netlink_dump).
	firstFill = 3776
	lastFill  = 32448
	// overhead is what a datagram counts beside its bytes in the receive buffer.
	overhead = 256
	// mostSent is the longest request.
	mostSent = 1 << 20
)

// endpoint is one socket of AF_NETLINK.
type endpoint struct {
	t           *transport
	s           *core.Socket
	protocol    int
	pid         uint32 // 0 until it is bound
	peer        uint32
	peerGroups  uint32
	groups      uint64 // group n is bit n-1
	queue       []datagram
	held        int // bytes in queue, with overhead
	most        int // how long the next datagram of a dump may be
	dump        *dump
	pktInfo     bool
	strict      bool
	extAck      bool
	capAck      bool
	noENOBUFS   bool
	broadcastEr bool
	allNSID     bool
	congested   bool // a notification was lost: none follow until the queue is empty
}

// datagram is what waits to be read: messages for one reader, or for a group.
type datagram struct {
	b     []byte
	group uint32
}

// Bind is bind(2): number 0 lets the stack choose one.
func (e *endpoint) Bind(a core.SockAddr) error {
	pid, groups := a.Netlink()
	if e.pid != 0 && pid != e.pid {
		return syscall.EINVAL
	}
	if e.pid == 0 {
		if pid != 0 && e.t.holder(e.protocol, pid) != nil {
			return syscall.EADDRINUSE
		}
		if e.pid = pid; pid == 0 {
			e.autobind()
		}
	}
	e.groups = e.groups&^uint64(^uint32(0)) | uint64(groups)
	return nil
}

// autobind gives the socket the first number that is free.
func (e *endpoint) autobind() {
	if e.pid != 0 {
		return
	}
	for pid := uint32(1); ; pid++ {
		if e.t.holder(e.protocol, pid) == nil {
			e.pid = pid
			return
		}
	}
}

// Connect chooses whom sends go to: the stack is number 0.
func (e *endpoint) Connect(a core.SockAddr) error {
	e.peer, e.peerGroups = a.Netlink()
	e.autobind()
	return nil
}

// Disconnect makes sends go to the stack again.
func (e *endpoint) Disconnect() error {
	e.peer, e.peerGroups = 0, 0
	return nil
}

func (e *endpoint) Listen(int) error              { return syscall.EOPNOTSUPP }
func (e *endpoint) Accept() (*core.Socket, error) { return nil, syscall.EOPNOTSUPP }
func (e *endpoint) Shutdown(int) error            { return syscall.EOPNOTSUPP }
func (e *endpoint) Local() core.SockAddr          { return core.NetlinkAddr(e.pid, uint32(e.groups)) }
func (e *endpoint) Peer() (core.SockAddr, bool)   { return core.NetlinkAddr(e.peer, e.peerGroups), true }

// Held is what waits, for SO_MEMINFO.
func (e *endpoint) Held() (received, sent int) { return e.held, 0 }

func (e *endpoint) Close() {
	if i := slices.Index(e.t.sockets, e); i >= 0 {
		e.t.sockets = slices.Delete(e.t.sockets, i, i+1)
	}
	e.queue, e.held, e.dump, e.groups = nil, 0, nil, 0
}

func (e *endpoint) Ready() core.Ready {
	r := core.ReadyOut
	if len(e.queue) > 0 {
		r |= core.ReadyIn
	}
	return r
}

// Send carries out the requests of a message. What goes wrong with one is told by its
// answer, not here. EPERM for a message to another program or to a group.
func (e *endpoint) Send(m *core.Message) (int, error) {
	if m.Flags&core.MsgOOB != 0 {
		return 0, syscall.EOPNOTSUPP
	}
	pid, groups := e.peer, e.peerGroups
	if m.HasAddr {
		pid, groups = m.Addr.Netlink()
	}
	if pid != 0 || groups != 0 {
		return 0, syscall.EPERM
	}
	n := m.Len()
	if n > mostSent {
		return 0, syscall.EMSGSIZE
	}
	if err := e.s.TakeError(); err != nil {
		return 0, err
	}
	e.autobind()
	b := make([]byte, n)
	m.CopyIn(b)
	e.serve(b)
	return n, nil
}

// Receive gives the next datagram; what does not fit is lost.
func (e *endpoint) Receive(m *core.Message) (int, error) {
	if m.Flags&core.MsgOOB != 0 {
		return 0, syscall.EOPNOTSUPP
	}
	if err := e.s.TakeError(); err != nil {
		return 0, err
	}
	if len(e.queue) == 0 {
		return 0, syscall.EAGAIN
	}
	d := e.queue[0]
	n := copy(m.Data, d.b)
	for _, v := range m.Vector {
		n += copy(v, d.b[n:])
	}
	m.Addr, m.HasAddr = core.NetlinkAddr(0, 0), true
	if d.group != 0 {
		m.Addr = core.NetlinkAddr(0, 1<<(d.group-1))
	}
	if e.pktInfo {
		m.Ancillary = core.AppendControlMessage(m.Ancillary[:0], solNetlink, optPktInfo, binary.NativeEndian.AppendUint32(nil, d.group))
	}
	m.OutFlags = 0
	if n < len(d.b) {
		m.OutFlags |= core.MsgTrunc
		if m.Flags&core.MsgTrunc != 0 {
			n = len(d.b)
		}
	}
	e.most = min(max(e.most, m.Len()), lastFill)
	if m.Flags&core.MsgPeek == 0 {
		e.queue[0] = datagram{}
		e.queue = e.queue[1:]
		e.held -= len(d.b) + overhead
		if len(e.queue) == 0 {
			e.queue, e.congested = nil, false
			e.fill()
		}
	}
	return n, nil
}

// put queues a datagram, or tells by ENOBUFS that one was lost.
func (e *endpoint) put(d datagram) {
	size := len(d.b) + overhead
	if d.group != 0 && e.congested {
		return
	}
	if len(e.queue) > 0 && e.held+size > int(e.s.Options().ReceiveBuffer) {
		if !e.noENOBUFS {
			e.congested = true
			e.s.SetError(syscall.ENOBUFS)
		}
		return
	}
	e.queue = append(e.queue, d)
	e.held += size
	e.s.Wake(core.ReadyIn)
}

func (e *endpoint) member(group uint32) bool { return e.groups>>(group-1)&1 != 0 }

// flag is an option that is on or off, nil for another.
func (e *endpoint) flag(name int) *bool {
	switch name {
	case optPktInfo:
		return &e.pktInfo
	case optBroadcastError:
		return &e.broadcastEr
	case optNoENOBUFS:
		return &e.noENOBUFS
	case optListenAllNSID:
		return &e.allNSID
	case optCapAck:
		return &e.capAck
	case optExtAck:
		return &e.extAck
	case optStrictCheck:
		return &e.strict
	}
	return nil
}

// SetOption is setsockopt(2) at level SOL_NETLINK.
func (e *endpoint) SetOption(level, name int, value []byte) error {
	if level != solNetlink {
		return syscall.ENOPROTOOPT
	}
	v := uint32(0)
	if len(value) >= 4 {
		v = binary.NativeEndian.Uint32(value)
	}
	if name == optAddMembership || name == optDropMembership {
		last := uint32(lastGroup)
		if e.protocol == protoGeneric {
			last = genericGroups
		}
		if v < 1 || v > last {
			return syscall.EINVAL
		}
		e.groups |= 1 << (v - 1)
		if name == optDropMembership {
			e.groups &^= 1 << (v - 1)
		}
		return nil
	}
	f := e.flag(name)
	if f == nil {
		return syscall.ENOPROTOOPT
	}
	*f = v != 0
	return nil
}

// Option is getsockopt(2) at level SOL_NETLINK. The length of the memberships is
// given in full, also where they did not fit.
func (e *endpoint) Option(level, name int, buf []byte) (int, error) {
	if level != solNetlink {
		return 0, syscall.ENOPROTOOPT
	}
	if name == optListMemberships {
		var b [8]byte
		binary.NativeEndian.PutUint32(b[:], uint32(e.groups))
		binary.NativeEndian.PutUint32(b[4:], uint32(e.groups>>32))
		copy(buf, b[:])
		return len(b), nil
	}
	f := e.flag(name)
	switch {
	case f == nil || name == optListenAllNSID:
		return 0, syscall.ENOPROTOOPT
	case len(buf) < 4:
		return 0, syscall.EINVAL
	}
	v := uint32(0)
	if *f {
		v = 1
	}
	binary.NativeEndian.PutUint32(buf, v)
	return 4, nil
}
