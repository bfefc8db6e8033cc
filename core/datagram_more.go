package core

import (
	"bytes"
	"syscall"
)

// heldDatagram is a datagram that MSG_MORE holds back. Later sends add to it, whatever
// destination they name; the first that does not say MSG_MORE sends it as one
// (udp_sendmsg, net/ipv4/udp.c).
type heldDatagram struct {
	first Message // where it goes, and its control messages
	data  []byte
}

// holds tells whether the protocol's datagrams may be held back: those of UDP and
// UDP-Lite, and raw ones.
func (e *datagramEndpoint) holds() bool {
	return !e.oriented() && (e.socket.typ == SockRaw || e.socket.hasPorts())
}

// hold keeps the beginning of a datagram whose way is known.
func (e *datagramEndpoint) hold(m *Message) (int, error) {
	h := &heldDatagram{first: *m}
	h.first.Data, h.first.Vector = nil, nil
	h.first.Ancillary = bytes.Clone(m.Ancillary)
	e.held = h
	return e.holdOn(m)
}

// holdOn adds to the datagram that is held back, and sends it when m says so. One that
// grows too long is lost.
func (e *datagramEndpoint) holdOn(m *Message) (int, error) {
	h, n := e.held, m.Len()
	if len(h.data)+n > maxDatagram {
		e.held = nil
		return 0, syscall.EMSGSIZE
	}
	at := len(h.data)
	h.data = append(h.data, make([]byte, n)...)
	m.CopyIn(h.data[at:])
	if m.Flags&MsgMore != 0 {
		return n, nil
	}
	e.held = nil
	whole := h.first
	whole.Data, whole.Flags = h.data, whole.Flags&^MsgMore
	if _, err := e.Send(&whole); err != nil {
		return 0, err
	}
	return n, nil
}
