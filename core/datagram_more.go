package core

import (
	"bytes"
	"encoding/binary"
	"syscall"
)

// heldDatagram is a datagram that MSG_MORE or UDP_CORK holds back. Later sends add to it, whatever
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
	if e.cork || m.Flags&MsgMore != 0 {
		return n, nil
	}
	if err := e.sendHeld(); err != nil {
		return 0, err
	}
	return n, nil
}

// sendHeld sends the datagram that is held back.
func (e *datagramEndpoint) sendHeld() error {
	whole := e.held.first
	whole.Data, whole.Flags = e.held.data, whole.Flags&^MsgMore
	e.held = nil
	_, err := e.Send(&whole)
	return err
}

// udpCork is UDP_CORK (include/uapi/linux/udp.h), of both levels.
const udpCork = 1

// corks tells whether an option is UDP_CORK of a socket that has it.
func (e *datagramEndpoint) corks(level, name int) bool {
	return name == udpCork && (level == SolUDP || level == SolUDPLite) && e.holds() && e.socket.hasPorts()
}

// setCork is UDP_CORK: the end of it sends what is held back, by MSG_MORE too, and
// tells no error of that (udp_lib_setsockopt, net/ipv4/udp.c).
func (e *datagramEndpoint) setCork(value []byte) error {
	if len(value) < 4 {
		return syscall.EINVAL
	}
	e.cork = binary.NativeEndian.Uint32(value) != 0
	if !e.cork && e.held != nil {
		_ = e.sendHeld()
	}
	return nil
}
