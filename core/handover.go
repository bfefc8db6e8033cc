package core

import (
	"cmp"
	"slices"
	"syscall"

	"github.com/libos-go/libos/core/wire"
)

// Saver is implemented by a Handler whose sockets can go over to another process
// of it, of another version, while they are in use (modprobe --replace). One with
// connections needs it. One without does well without it: its sockets are opened,
// bound and connected anew at the other process, their options set.
type Saver interface {
	// Save is what Restore of the other needs to go on where this one is: sockets
	// with their options, and what is kept beside them. The protocol gives it a
	// version of its own. Timers go over by themselves, as they are set; operations
	// that Control left pending are asked again after Restore. Nothing changes: if
	// the other cannot take over, this one goes on. The slice is the caller's.
	Save() []byte
	// Restore is told what another version saved, once, after it was opened and
	// before anything else. It borrows state and sends nothing. After an error, which
	// says what is wrong with it, the handler is closed.
	Restore(state []byte) error
}

// Standing is a socket of a protocol behind the narrow contract as another handler
// must come to know it.
type Standing struct {
	ID SocketID
	// Connection tells that the protocol has the state of a connection, which no
	// operation can repeat.
	Connection bool
	// Ops open, bind, connect it and so on, in this order; each has a Tag of its own.
	Ops []Op
	// Pending is the operation that the handler has not ended, nil if there is none.
	Pending *Op
}

// Standing are the sockets that the handler knows, in the order in which they were
// bound. It is for what stands in the place of a handler that is elsewhere, as what
// follows.
func (s *separable) Standing() []Standing {
	var known []*datagramEndpoint
	for _, sock := range s.in.Sockets() {
		if e := s.endpoint(sock.id); e != nil && !e.dead() {
			known = append(known, e.settled())
		}
	}
	slices.SortStableFunc(known, func(a, b *datagramEndpoint) int { return cmp.Compare(a.bindTag, b.bindTag) })
	out := make([]Standing, 0, len(known))
	for _, e := range known {
		st := Standing{ID: e.socket.id, Connection: e.oriented() && (e.connected || e.connecting || e.peer.Port != 0)}
		if p := e.pending; p != nil && !p.Done {
			op := *p
			st.Pending = &op
		}
		if st.Pending == nil || st.Pending.Kind != OpOpen {
			st.Ops = e.repeated()
		}
		out = append(out, st)
	}
	return out
}

// settled is a copy of the endpoint as it will be when the call whose operation the
// protocol has ended takes its result.
func (e *datagramEndpoint) settled() *datagramEndpoint {
	x := *e
	p := e.pending
	if p == nil || !p.Done || p.Err != nil && p.Err != syscall.EINPROGRESS {
		return &x
	}
	switch {
	case p.Kind == OpBind:
		x.local = p.Local
		x.bindTag, x.anyAddr, x.anyPort = p.Tag, p.Addr.Addr.IsUnspecified(), p.Addr.Port == 0
	case p.Kind == OpConnect && p.Flags&OpDissolve != 0:
		x.local, x.peer, x.connected = p.Local, SockAddr{}, false
	case p.Kind == OpConnect:
		x.local, x.peer, x.connected = p.Local, p.Addr, p.Err == nil
	case p.Kind == OpListen:
		x.accepts = &acceptQueue{most: max(1, p.Value)}
	case p.Kind == OpSetOption && p.Local.Port != 0:
		x.local = p.Local
	}
	return &x
}

// repeated are the operations that would make the socket what it is.
func (e *datagramEndpoint) repeated() []Op {
	family := int(e.socket.family)
	ops := []Op{{Kind: OpOpen, Family: family, Type: int(e.socket.typ), Value: int(e.socket.protocol)}}
	if e.bound() {
		ops = append(ops, e.bindAgain())
	}
	if e.connected && !e.oriented() {
		ops = append(ops, Op{Kind: OpConnect, Addr: e.peer, Local: e.local})
	}
	if e.accepts != nil {
		ops = append(ops, Op{Kind: OpListen, Value: e.accepts.most})
	}
	if e.connected && (e.shutRead || e.shutWrite) {
		how := ShutBoth
		if !e.shutWrite {
			how = ShutRead
		} else if !e.shutRead {
			how = ShutWrite
		}
		ops = append(ops, Op{Kind: OpShutdown, Value: how})
	}
	if e.bound() { // the flags as they are
		ops = append(ops, Op{Kind: OpSetOption, Level: SolSocket, Name: SoReuseAddr})
	}
	for i := range ops {
		e.dress(&ops[i])
		if ops[i].Kind == OpBind { // it was granted before: whom it shares the port with does not matter
			ops[i].Flags |= OpReuseAddr | OpReusePort
		}
	}
	return ops
}

// bindAgain binds the socket to where it is, and leaves open what the user had left
// open: a port is chosen out of one.
func (e *datagramEndpoint) bindAgain() Op {
	op := Op{Kind: OpBind, Family: int(e.socket.family), Addr: e.local, Ports: e.socket.instance.PortRange()}
	if e.anyAddr {
		op.Addr.Addr = wire.IPv6Any()
		if e.socket.family == afInet {
			op.Addr.Addr = wire.IPv4Any()
		}
	}
	if e.anyPort {
		op.Addr.Port, op.Ports = 0, PortRange{Low: e.local.Port, High: e.local.Port}
	}
	return op
}

// Abandon ends one socket's life with the protocol, whose handler does not know it.
func (s *separable) Abandon(id SocketID, why syscall.Errno) {
	if e := s.endpoint(id); e != nil && !e.dead() {
		e.die(why)
	}
}

// ClearTimers cancels every timer: they were those of another handler.
func (s *separable) ClearTimers() {
	for _, t := range s.timers {
		s.in.CancelTimer(&t.timer)
	}
	clear(s.timers)
}

// Tag names one more operation, which no call waits for.
func (s *separable) Tag() uint32 {
	s.in.domain.lastOp++
	return s.in.domain.lastOp
}

// News tells a handler that came late of the interfaces and addresses that there
// are.
func (s *separable) News() {
	for _, ifc := range s.in.Interfaces() {
		s.Event(&Event{Kind: EventInterface, Interface: ifc})
		for _, a := range ifc.addresses {
			s.Event(&Event{Kind: EventAddress, Interface: ifc, Addr: a.Prefix.Addr})
		}
	}
}
