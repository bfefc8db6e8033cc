package newest

import (
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Options of a socket, at level Number.
const (
	// OptionMissed gets, as four bytes in the machine's order, how many datagrams
	// were sent to the socket and did not come in time since it was asked last.
	OptionMissed = 1
)

// judge knows what the streams that a socket hears have sent last.
type judge struct {
	streams map[name]*heard
	first   *heard // the one heard longest ago
	last    *heard
	missed  uint32
}

// name of a stream.
type name struct {
	addr   wire.Addr
	port   uint16
	stream uint32
}

// heard is a stream, in a list by the time of its last datagram.
type heard struct {
	name         name
	order        uint32
	at           core.Time
	before, next *heard
}

// isNews tells whether a datagram is newer than all of its stream before it, and
// remembers it then.
func (h *handler) isNews(s *socket, p *core.Packet) bool {
	b := p.Linear()
	n := name{p.Src, p.SrcPort, binary.BigEndian.Uint32(b[streamOffset:])}
	order := binary.BigEndian.Uint32(b[orderOffset:])
	j, now := &s.judge, h.env.Now()
	x := j.streams[n]
	switch {
	case x == nil:
		if j.streams == nil {
			j.streams = make(map[name]*heard)
		}
		for len(j.streams) >= h.settings().MaxStreams {
			j.forget(j.first)
		}
		if len(j.streams) == 0 {
			h.env.SetTimer(uint64(s.id), now.Add(h.patience()))
		}
		x = &heard{name: n}
		j.streams[n] = x
	case int32(order-x.order) <= 0: // RFC 1982 §3.2
		return false
	default:
		j.missed += order - x.order - 1
		j.unlink(x)
	}
	x.order, x.at = order, now
	j.append(x)
	return true
}

// Timer implements core.Handler: streams that have been silent are forgotten.
func (h *handler) Timer(token uint64) {
	s := h.sockets[core.SocketID(token)]
	if s == nil {
		return
	}
	j := &s.judge
	for j.first != nil && j.first.at.Add(h.patience()) <= h.env.Now() {
		j.forget(j.first)
	}
	if j.first != nil {
		h.env.SetTimer(token, j.first.at.Add(h.patience()))
	}
}

// option answers getsockopt(2).
func (s *socket) option(op *core.Op) error {
	if op.Level != Number || op.Name != OptionMissed {
		return syscall.ENOPROTOOPT
	}
	if len(op.Data) < 4 {
		return syscall.EINVAL
	}
	binary.NativeEndian.PutUint32(op.Data, s.judge.missed)
	op.Data, s.judge.missed = op.Data[:4], 0
	return nil
}

func (j *judge) append(x *heard) {
	x.before, x.next = j.last, nil
	if j.last != nil {
		j.last.next = x
	} else {
		j.first = x
	}
	j.last = x
}

func (j *judge) unlink(x *heard) {
	if x.before != nil {
		x.before.next = x.next
	} else {
		j.first = x.next
	}
	if x.next != nil {
		x.next.before = x.before
	} else {
		j.last = x.before
	}
}

func (j *judge) forget(x *heard) {
	j.unlink(x)
	delete(j.streams, x.name)
}
