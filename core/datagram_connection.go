package core

import "syscall"

// oriented tells whether the socket is one end of a connection: the protocol
// says when it can send, and what was read opens its window.
func (e *datagramEndpoint) oriented() bool {
	return e.socket.typ == SockStream || e.socket.typ == SockDCCP
}

// keepsRest tells whether what a call has no room for is read by the next: true
// of all but datagrams.
func (e *datagramEndpoint) keepsRest() bool {
	return e.socket.typ == SockStream || e.socket.typ == SockSeqPacket
}

// connectGoesOn notes that the protocol will tell when it is connected, unless
// it has told already.
func (e *datagramEndpoint) connectGoesOn(local, peer SockAddr) error {
	e.local, e.peer, e.route = local, peer, nil
	switch {
	case e.socket.err != 0:
		return e.socket.takeError()
	case e.ready&ReadyOut != 0:
		e.connected = true
		return nil
	}
	e.connecting = true
	return syscall.EINPROGRESS
}

// consume takes the n bytes that m got off the oldest message, p, and the
// message once it was read to its end.
func (e *datagramEndpoint) consume(m *Message, p *Packet, n int) {
	last := int(e.offset)+n >= p.userLen()
	if last {
		m.OutFlags |= MsgEOR
	}
	if m.Flags&MsgPeek != 0 {
		return
	}
	e.offset += int32(n)
	e.consumed += int32(n)
	if last {
		e.queue.Pop()
		e.queued -= int32(p.TrueSize())
		e.offset = 0
		p.Free()
	}
	if e.oriented() && e.consumed > 0 && e.life == e.sep.life && (e.queue.head == nil || e.consumed >= e.socket.options.ReceiveBuffer/4) {
		count := int(e.consumed)
		e.consumed = 0
		e.sep.handler.Event(&Event{Kind: EventReceived, Socket: e.socket.id, Count: count})
	}
}
