package tcp

import (
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Urgent data (RFC 9293 §3.8.5, RFC 6093) as every system has it: one byte out
// of band, the one before the urgent pointer.

type urgentState uint8

const (
	urgentNone    urgentState = iota
	urgentAwaited             // announced, not here yet
	urgentHere                // data is the byte
	urgentRead                // the user took it; the mark stays in the stream
)

// urgent is the state of both directions.
type urgent struct {
	at      wire.Seq // of the byte received
	up      wire.Seq // behind the byte to send
	state   urgentState
	sending bool
	data    byte
}

// mark sets the urgent pointer of a segment that goes out.
func (u *urgent) mark(seq wire.Seq, f *wire.TCPFields) {
	if d := u.up.Sub(seq); u.sending && d > 0 && d <= 0xffff && f.Flags&(wire.TCPSyn|wire.TCPRst) == 0 {
		f.Flags |= wire.TCPUrg
		f.Urgent = uint16(d)
	}
}

func (u *urgent) acked(ack wire.Seq) {
	if u.sending && ack.GEQ(u.up) {
		u.sending = false
	}
}

// sendUrgent makes the last byte queued the urgent one. The peer learns at once,
// even when its window is shut.
func (c *conn) sendUrgent() {
	u := &c.more().urgent
	u.up, u.sending = c.snd.queue.end(), true
	if c.snd.usable() <= 0 {
		c.sendAck()
	}
}

// read is the sequence number of the next byte that the user reads.
func (c *conn) readSeq() wire.Seq {
	seq := c.rcv.nxt.Add(-uint32(c.rcv.queue.bytes))
	if c.is(flagFinReceived) {
		seq = seq.Add(^uint32(0))
	}
	return seq
}

// urgentPointer takes the pointer of a segment (net/ipv4/tcp_input.c,
// tcp_check_urg).
func (c *conn) urgentPointer(s *segment) {
	if !c.state.in(setReceiving) || s.urgent == 0 {
		return
	}
	at := s.seq.Add(uint32(s.urgent) - 1)
	if c.t.settings().StdUrg { // RFC 1122 §4.2.2.4, against which everybody decided (RFC 6093 §3.1)
		at = at.Add(1)
	}
	if at.LT(c.rcv.nxt) {
		return
	}
	if u := c.extra; u != nil && u.urgent.state != urgentNone && at.LEQ(u.urgent.at) {
		return
	}
	u := &c.more().urgent
	u.at, u.state = at, urgentAwaited
	c.wake(core.ReadyPri)
}

// urgentByte looks for the byte in n bytes that continue the stream.
func (c *conn) urgentByte(s *segment, seq wire.Seq, n, skip uint32) {
	if c.extra == nil || c.extra.urgent.state != urgentAwaited {
		return
	}
	u := &c.extra.urgent
	if u.at.InWindow(seq, n) {
		var b [1]byte
		s.p.CopyOut(int(skip+uint32(u.at-seq)), b[:])
		u.data, u.state = b[0], urgentHere
		c.wake(core.ReadyPri)
	}
}

// urgentStop tells how far a read may go: to the mark (0: no limit). at is true
// when the urgent byte is next and must be passed over.
func (c *conn) urgentStop() (limit int, at bool) {
	if c.extra == nil || c.extra.urgent.state == urgentNone {
		return 0, false
	}
	d := c.extra.urgent.at.Sub(c.readSeq())
	switch {
	case d < 0: // the mark is behind
		c.extra.urgent.state = urgentNone
	case d > 0 && d < c.rcv.queue.bytes:
		return int(d), false
	case d == 0 && c.rcv.queue.bytes > 0 && !c.socket.Options().OOBInline:
		return 0, true
	}
	return 0, false
}

// onlyUrgent tells whether the urgent byte is all that could be read.
func (c *conn) onlyUrgent() bool {
	return c.rcv.queue.bytes == 1 && c.extra != nil && c.extra.urgent.state != urgentNone &&
		c.extra.urgent.at == c.readSeq() && !c.socket.Options().OOBInline
}

// skipUrgent takes the urgent byte out of the stream.
func (c *conn) skipUrgent() {
	c.rcv.queue.drop(&c.t.slabs, 1)
	c.tally.taken++
	if c.extra.urgent.state == urgentRead {
		c.extra.urgent.state = urgentNone
	}
}

// atMark tells whether the next byte to read is the urgent one (SIOCATMARK).
func (c *conn) atMark() bool {
	return c.extra != nil && c.extra.urgent.state != urgentNone && c.extra.urgent.at == c.readSeq()
}

// receiveUrgent is recv with MSG_OOB (net/ipv4/tcp.c, tcp_recv_urg).
func (c *conn) receiveUrgent(m *core.Message) (int, error) {
	u := c.extra
	if u == nil || c.socket.Options().OOBInline || u.urgent.state == urgentNone || u.urgent.state == urgentRead {
		return 0, syscall.EINVAL
	}
	if u.urgent.state == urgentAwaited {
		if c.state == stateClosed || c.flags&(flagShutRead|flagFinReceived) != 0 {
			return 0, nil
		}
		return 0, syscall.EAGAIN
	}
	m.OutFlags |= core.MsgOOB
	if m.Flags&core.MsgPeek == 0 {
		u.urgent.state = urgentRead
	}
	if m.Len() == 0 {
		m.OutFlags |= core.MsgTrunc
		return 0, nil
	}
	b := [1]byte{u.urgent.data}
	if copy(m.Data, b[:]) == 0 {
		copy(m.Vector[0], b[:])
	}
	return 1, nil
}

func (c *conn) urgentDrop() {
	if c.extra != nil {
		c.extra.urgent.state = urgentNone
	}
}
