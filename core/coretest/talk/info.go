package talk

import (
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core"
)

// Control messages, as SCTP has them (RFC 6458 §5.3.4 to §5.3.6).
const (
	SendInfo    = 1 // with a send: an Info
	ReceiveInfo = 2 // with a receive, if WantInfo is set: an Info
	NextInfo    = 3 // with a receive, if WantNext is set and another message waits: the Info of that
)

// Streams is how many streams a connection has.
const Streams = 10

// Info is what is said of one message: the number of its stream, and what its bytes
// are, which only the users know.
type Info struct {
	Stream  uint16
	Payload uint32
}

// infoSize is the length of an Info, in a segment and in a control message.
const infoSize = 6

func (i Info) appendTo(b []byte) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(b, i.Stream), i.Payload)
}

// ParseInfo is an Info out of a control message; false if b is none.
func ParseInfo(b []byte) (Info, bool) {
	if len(b) < infoSize {
		return Info{}, false
	}
	return Info{binary.BigEndian.Uint16(b), binary.BigEndian.Uint32(b[2:])}, true
}

// Control is the control message of a send.
func (i Info) Control() core.ControlMessage {
	return core.ControlMessage{Level: Level, Name: SendInfo, Data: i.appendTo(nil)}
}

// sendInfo is what control messages say of a message to send; EINVAL for what is
// none or names a stream that there is not.
func sendInfo(control []byte) (i Info, err error) {
	for m, rest, ok := core.NextControl(control); ok; m, rest, ok = core.NextControl(rest) {
		if i, ok = ParseInfo(m.Data); m.Name != SendInfo || !ok || i.Stream >= Streams {
			return i, syscall.EINVAL
		}
	}
	return i, nil
}

// given is what the user wants to hear of messages.
func (c *conn) given() core.Given {
	g := core.Given{Set: true}
	if c.info {
		g.Own = 1 << ReceiveInfo
	}
	if c.next {
		g.Next = 1 << NextInfo
	}
	return g
}

// deliver gives a received message, which starts at its header, to the user; false
// if it did not take it.
func (h *talk) deliver(c *conn, p *core.Packet) bool {
	if !p.Pullup(header + infoSize) {
		return false
	}
	b := p.Linear()
	p.SrcPort, p.DstPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	info := append([]byte(nil), b[header:header+infoSize]...) // what is put in front lies where it lay
	p.Pull(header + infoSize)
	if !p.AddControl(Level, ReceiveInfo, info) || !p.AddControl(Level, NextInfo, info) {
		return false
	}
	h.env.Deliver(c.id, []*core.Packet{p})
	return true
}
