package core

import (
	"github.com/libos-go/libos/allocator"
	"github.com/libos-go/libos/core/wire"
)

// Flags of send and receive calls, with Linux's numbers.
const (
	MsgOOB       = 0x1
	MsgPeek      = 0x2
	MsgDontRoute = 0x4
	MsgCTrunc    = 0x8 // control messages did not fit
	MsgTrunc     = 0x20
	MsgDontWait  = 0x40
	MsgEOR       = 0x80
	MsgWaitAll   = 0x100
	MsgErrQueue  = 0x2000
	MsgNoSignal  = 0x4000
	MsgMore      = 0x8000

	// MsgNotification in OutFlags marks a message of the protocol itself, not of
	// the peer (RFC 6458 §6.1).
	MsgNotification = 0x8000
)

// Arguments of shutdown.
const (
	ShutRead  = 0
	ShutWrite = 1
	ShutBoth  = 2
)

// PacketInfo is the local side of a datagram (IP_PKTINFO, IPV6_PKTINFO).
type PacketInfo struct {
	Addr      wire.Addr
	Interface int
}

// Message is one call of sendmsg(2) or recvmsg(2). The buffers belong to the
// caller.
type Message struct {
	Data    []byte          // the bytes, or
	Vector  [][]byte        // several pieces after Data
	zeros   *allocator.Page // Data lies in it, on a send
	Flags   int
	Addr    SockAddr // destination of a send, source of a received datagram
	HasAddr bool

	// Ancillary data, as control messages have it: chosen for a send by the Has
	// fields. On receive all of it is filled, and the Has fields tell what was
	// asked for by socket options.
	PacketInfo    PacketInfo
	HasPacketInfo bool
	TOS           uint8
	HasTOS        bool
	HopLimit      uint8
	HasHopLimit   bool
	Arrival       Time

	// Ancillary are control messages of the protocol's own level, each with its
	// header and padding as ParseControl leaves them. A send passes over those of
	// other levels. A receive puts what the protocol gave in their place, in the same
	// memory if that is long enough.
	Ancillary []byte

	// Error is what a receive with MsgErrQueue took off the error queue.
	Error    ExtendedError
	HasError bool

	OutFlags int // MsgTrunc, MsgOOB, MsgErrQueue, … on receive
}

// Zeros is the page that Data of a send is a part of if it consists of zeros that were
// never the user's (Conn.WriteZeros): a stream refers to it. Else it is nil.
func (m *Message) Zeros() *allocator.Page { return m.zeros }

// Len is the size of all buffers.
func (m *Message) Len() int {
	n := len(m.Data)
	for _, v := range m.Vector {
		n += len(v)
	}
	return n
}

// advance takes the first n bytes off the buffers.
func (m *Message) advance(n int) {
	for n >= len(m.Data) && len(m.Vector) > 0 {
		n -= len(m.Data)
		m.Data, m.Vector = m.Vector[0], m.Vector[1:]
	}
	m.Data = m.Data[n:]
}

// CopyIn copies the user's bytes into b, which has Len bytes or less.
func (m *Message) CopyIn(b []byte) {
	n := copy(b, m.Data)
	for _, v := range m.Vector {
		n += copy(b[n:], v)
	}
}

// CopyOut copies a datagram into the user's buffers and returns how many bytes
// fitted.
func (m *Message) CopyOut(p *Packet) int { return m.copyOut(p, 0) }

// copyOut is CopyOut from offset off on.
func (m *Message) copyOut(p *Packet, off int) int {
	n := p.CopyOut(off, m.Data)
	for _, v := range m.Vector {
		n += p.CopyOut(off+n, v)
	}
	return n
}

// takeMessage and takeReservation lend what one call needs and would otherwise
// come from the Go heap, since it is passed through an interface.
func (d *Domain) takeMessage() *Message {
	if n := len(d.messages); n > 0 {
		m := d.messages[n-1]
		d.messages = d.messages[:n-1]
		return m
	}
	return new(Message)
}

func (d *Domain) giveMessage(m *Message) {
	*m = Message{Ancillary: m.Ancillary[:0]}
	if len(d.messages) < idleCalls {
		d.messages = append(d.messages, m)
	}
}

func (d *Domain) takeReservation() *Reservation {
	if n := len(d.reservations); n > 0 {
		r := d.reservations[n-1]
		d.reservations = d.reservations[:n-1]
		return r
	}
	return new(Reservation)
}

func (d *Domain) giveReservation(r *Reservation) {
	clear(r.Pieces[:r.N])
	r.N, r.Bytes = 0, 0
	if len(d.reservations) < idleCalls {
		d.reservations = append(d.reservations, r)
	}
}

// idleCalls bounds what is kept for later calls.
const idleCalls = 64
