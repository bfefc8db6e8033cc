package packet

import (
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core"
)

// txRing is what PACKET_TX_RING makes: memory from which the socket sends the frames that
// the program has put there and marked (Linux: tpacket_snd). A frame is copied when it is
// sent, so that its place is the program's again at once. What the program writes meanwhile
// is not believed: a length is read once and what it describes checked in the copy.
type txRing struct {
	geometry
	next int // the frame that is the next to be sent
	sent int // bytes sent by a call that waits for room
}

// Whose a frame to send is (linux/if_packet.h).
const (
	statusAvailable   = 0
	statusSendRequest = 1 << 0
	statusSending     = 1 << 1
	statusWrongFormat = 1 << 2
)

// maxBurst is how many frames one call sends at most: in an entry of the stack they are all
// there at once.
const maxBurst = 1 << 14

// slot is one frame of the ring.
type slot struct {
	status       int // place of that in the memory
	memory       []byte
	length       uint32
	mac, network int
	offset       uint32 // to the next frame, of version 3
}

// slot reads the header of frame i.
func (r *txRing) slot(i int) slot {
	ne := binary.NativeEndian
	at := r.frameAt(i)
	s := slot{status: at, memory: r.memory[at : at+r.frameSize]}
	b := s.memory
	switch r.version {
	case version1:
		s.length, s.mac, s.network = ne.Uint32(b[8:]), int(ne.Uint16(b[16:])), int(ne.Uint16(b[18:]))
	case version2:
		s.length, s.mac, s.network = ne.Uint32(b[4:]), int(ne.Uint16(b[12:])), int(ne.Uint16(b[14:]))
	default:
		s.status += 20
		s.offset = ne.Uint32(b)
		s.length, s.mac, s.network = ne.Uint32(b[16:]), int(ne.Uint16(b[24:])), int(ne.Uint16(b[26:]))
	}
	return s
}

// statusAt is the place of the status of frame i.
func (r *txRing) statusAt(i int) int {
	if r.version == version3 {
		return r.frameAt(i) + 20
	}
	return r.frameAt(i)
}

// frame is what the program wants sent from a slot of at most most bytes
// (tpacket_parse_header). EMSGSIZE for more, EINVAL for a place that is not in the slot
// and for slots of different sizes.
func (e *endpoint) frame(s *slot, most int) ([]byte, error) {
	r := e.tx
	header, _ := headerLength(r.version)
	switch {
	case r.version == version3 && s.offset != 0:
		return nil, syscall.EINVAL
	case int64(s.length) > int64(most):
		return nil, syscall.EMSGSIZE
	}
	at := align(header, frameAlignment)
	if e.hasOffset {
		least := at
		if at = s.network; e.raw {
			at = s.mac
		}
		if at < least || at > r.frameSize-int(s.length) {
			return nil, syscall.EINVAL
		}
	}
	return s.memory[at : at+int(s.length)], nil
}

// sendRing is a send(2), of whatever, on a socket with a ring to send from: all frames
// that are marked go, one round of the ring at most. It returns how many bytes they had.
// A frame that cannot be sent ends the call with its error, marked, and is the first of
// the next call; or it is passed over (PACKET_LOSS).
func (e *endpoint) sendRing(m *core.Message) (int, error) {
	r := e.tx
	if m.HasAddr && core.LinkAddressOf(m.Addr).Ifindex == 0 {
		return 0, syscall.ENXIO
	}
	o, err := e.outgoing(m)
	if err != nil {
		return 0, err
	}
	header, _ := headerLength(r.version)
	most := r.frameSize - align(header, frameAlignment)
	if e.vnet == 0 {
		most = min(most, o.most())
	}
	for range min(r.blocks*r.perBlock, maxBurst) {
		if r.memory == nil || r.status(r.statusAt(r.next)).Load() != statusSendRequest {
			break
		}
		if o.ifc.Full() {
			e.await(o.ifc)
			return 0, syscall.EAGAIN
		}
		s := r.slot(r.next)
		word := r.status(s.status)
		b, err := e.frame(&s, most)
		if err == nil {
			word.Store(statusSending)
			err = e.sendFrame(&o, b)
		}
		switch {
		case err == syscall.ENOBUFS: // it is to be tried again
			word.Store(statusSendRequest)
			r.sent = 0
			return 0, err
		case err != nil && !e.loss:
			word.Store(statusWrongFormat)
			r.sent = 0
			return 0, err
		case err == nil:
			r.sent += len(b) - int(e.vnet)
		}
		word.Store(statusAvailable)
		r.next = (r.next + 1) % (r.blocks * r.perBlock)
	}
	n := r.sent
	r.sent = 0
	return n, nil
}
