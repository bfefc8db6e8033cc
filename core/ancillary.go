package core

import (
	"encoding/binary"
	"syscall"
)

// MaxAncillary bounds the control messages of one packet, in bytes with their
// headers and padding.
const MaxAncillary = 255 * cmsgAlign

// ControlMessage is what sendmsg(2) and recvmsg(2) carry beside the bytes: cmsg(3).
type ControlMessage struct {
	Level, Name int // cmsg_level, cmsg_type
	Data        []byte
}

// NextControl is the first control message of b, in the layout of 64-bit Linux, and
// what follows it; false if there is none, or one that is shorter than its header or
// longer than b. Its data are part of b.
func NextControl(b []byte) (c ControlMessage, rest []byte, ok bool) {
	if len(b) < cmsgHeader {
		return c, nil, false
	}
	ne := binary.NativeEndian
	n := ne.Uint64(b)
	if n < cmsgHeader || n > uint64(len(b)) {
		return c, nil, false
	}
	c = ControlMessage{Level: int(int32(ne.Uint32(b[8:]))), Name: int(int32(ne.Uint32(b[12:]))), Data: b[cmsgHeader:n:n]}
	return c, b[min(cmsgSpace(int(n)), len(b)):], true
}

// AppendTo appends c, with its padding, to b.
func (c ControlMessage) AppendTo(b []byte) []byte { return appendCmsg(b, c.Level, c.Name, c.Data) }

// cmsgSpace is the length of a control message of n bytes with its padding.
func cmsgSpace(n int) int { return (n + cmsgAlign - 1) &^ (cmsgAlign - 1) }

// FitControl copies control messages into b, as many as fit whole, and tells how
// long they are and whether all did (MSG_CTRUNC; net/core/scm.c, put_cmsg).
func FitControl(b, control []byte) (n int, whole bool) {
	for len(control) > 0 {
		_, rest, ok := NextControl(control)
		size := len(control) - len(rest)
		if !ok || size > len(b)-n {
			return n, false
		}
		n += copy(b[n:], control[:size])
		control = rest
	}
	return n, true
}

// Given says which control messages a socket's receives give of those that packets in
// its queue have, by the bits 1<<name: a protocol whose users ask for them by options
// puts them before every packet, since who asks may do so when some are there already
// (net/sctp/socket.c, sctp_recvmsg). A name past 31 is always given. A socket from
// Spawn begins with what holds of its listener.
type Given struct {
	Set  bool   // otherwise nothing changes: at first all of the message and none of the next
	Own  uint32 // of the message that is received
	Next uint32 // of the one that waits behind it (SCTP_NXTINFO)
}

// gives takes what an operation says of it.
func (e *datagramEndpoint) gives(op *Op) {
	if op.Given.Set && op.Err == nil {
		e.given = op.Given
	}
}

// appendControl appends to b the control messages of from that are of one level and
// whose names are among those.
func appendControl(b, from []byte, level int, names uint32) []byte {
	for c, rest, ok := NextControl(from); ok; c, rest, ok = NextControl(rest) {
		if c.Level == level && (uint(c.Name) > 31 || names>>c.Name&1 != 0) {
			b = appendCmsg(b, level, c.Name, c.Data)
		}
	}
	return b
}

const allNames = 1<<32 - 1

// takeAncillary has a receive give what the protocol said about p: no more than its
// own level, since a user believes the others of the core.
func (e *datagramEndpoint) takeAncillary(m *Message, p *Packet) {
	m.Ancillary = m.Ancillary[:0]
	level, g := e.sep.control, e.given
	if level == 0 {
		return
	}
	if !g.Set {
		g.Own = allNames
	}
	if p.next != nil && g.Next != 0 {
		m.Ancillary = appendControl(m.Ancillary, p.next.Ancillary(), level, g.Next)
	}
	m.Ancillary = appendControl(m.Ancillary, p.Ancillary(), level, g.Own)
}

// ancillary are the control messages of m for the protocol. EINVAL for one that is
// malformed, ENOBUFS for more than a packet carries (net/socket.c,
// ____sys_sendmsg).
func (e *datagramEndpoint) ancillary(m *Message) ([]byte, error) {
	level, n, whole := e.sep.control, 0, true
	for b := m.Ancillary; len(b) >= cmsgHeader; {
		c, rest, ok := NextControl(b)
		if !ok {
			return nil, syscall.EINVAL
		}
		size := cmsgSpace(cmsgHeader + len(c.Data))
		whole = whole && c.Level == level && size == len(b)-len(rest)
		if c.Level == level {
			n += size
		}
		b = rest
	}
	switch {
	case level == 0:
		return nil, nil
	case n > MaxAncillary:
		return nil, syscall.ENOBUFS
	case whole && n == len(m.Ancillary):
		return m.Ancillary, nil
	}
	return appendControl(nil, m.Ancillary, level, allNames), nil
}

// Ancillary are the control messages at the front of the packet, nil if there are
// none. They are valid until the packet changes.
func (p *Packet) Ancillary() []byte {
	if p.ancillary == 0 {
		return nil
	}
	b := p.Linear()
	return b[:min(int(p.ancillary), len(b))]
}

// userLen is the length without control messages.
func (p *Packet) userLen() int { return p.Len() - int(p.ancillary) }

// TakeAncillary takes the control messages off the front, so that the packet begins
// at the user's bytes. They are valid until something is pushed in front of these:
// who builds a header reads them before.
func (p *Packet) TakeAncillary() []byte {
	b := p.Ancillary()
	p.Pull(len(b))
	p.ancillary = 0
	return b
}

// AddControl puts a control message in front of the packet, and of those that are
// there. It fails when memory is short or they would be more than MaxAncillary.
func (p *Packet) AddControl(level, name int, data []byte) bool {
	n := cmsgSpace(cmsgHeader + len(data))
	if int(p.ancillary)+n > MaxAncillary || !p.EnsureHeadroom(n) {
		return false
	}
	appendCmsg(p.Push(n)[:0], level, name, data)
	p.ancillary += uint16(n)
	return true
}

// SetAncillary says that the first n bytes of the linear part are control messages;
// false, with nothing changed, if they are not, or too many. It is for what makes a
// packet out of bytes.
func (p *Packet) SetAncillary(n int) bool {
	if n > p.LinearLen() || !ControlMessages(p.Linear()[:n]) {
		return false
	}
	p.ancillary = uint16(n)
	return true
}

// ControlMessages tells whether b is what a packet can carry: whole control
// messages with their padding, no more than MaxAncillary.
func ControlMessages(b []byte) bool {
	if len(b) > MaxAncillary || len(b)%cmsgAlign != 0 {
		return false
	}
	for len(b) > 0 {
		_, rest, ok := NextControl(b)
		if !ok {
			return false
		}
		b = rest
	}
	return true
}
