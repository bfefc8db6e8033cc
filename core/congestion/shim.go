package congestion

import "encoding/binary"

// Sizes of the encoded values.
const (
	EventSize    = 6*8 + 7*4 + 2
	DecisionSize = 2*4 + 8
)

// Encode writes e to b, which has EventSize bytes, in little-endian order.
func (e *Event) Encode(b []byte) {
	_ = b[EventSize-1]
	le := binary.LittleEndian
	for i, v := range [6]uint64{uint64(e.Now), e.Sent, e.Delivered, uint64(e.SRTT), uint64(e.MinRTT), uint64(e.LastRTT)} {
		le.PutUint64(b[8*i:], v)
	}
	for i, v := range [7]uint32{e.Acked, e.Lost, e.Marked, e.InFlight, e.MSS, e.Cwnd, e.Ssthresh} {
		le.PutUint32(b[48+4*i:], v)
	}
	b[76], b[77] = byte(e.Kind), 0
	if e.AppLimited {
		b[77] = 1
	}
}

// Decode reads what Encode wrote; false if b is too short or makes no sense.
func (e *Event) Decode(b []byte) bool {
	if len(b) < EventSize || Kind(b[76]) >= NumKinds || b[77] > 1 {
		return false
	}
	le := binary.LittleEndian
	*e = Event{
		Now: int64(le.Uint64(b)), Sent: le.Uint64(b[8:]), Delivered: le.Uint64(b[16:]),
		SRTT: int64(le.Uint64(b[24:])), MinRTT: int64(le.Uint64(b[32:])), LastRTT: int64(le.Uint64(b[40:])),
		Acked: le.Uint32(b[48:]), Lost: le.Uint32(b[52:]), Marked: le.Uint32(b[56:]), InFlight: le.Uint32(b[60:]),
		MSS: le.Uint32(b[64:]), Cwnd: le.Uint32(b[68:]), Ssthresh: le.Uint32(b[72:]),
		Kind: Kind(b[76]), AppLimited: b[77] == 1,
	}
	return true
}

// Encode writes d to b, which has DecisionSize bytes.
func (d *Decision) Encode(b []byte) {
	_ = b[DecisionSize-1]
	binary.LittleEndian.PutUint32(b, d.Cwnd)
	binary.LittleEndian.PutUint32(b[4:], d.Ssthresh)
	binary.LittleEndian.PutUint64(b[8:], d.PacingRate)
}

// Decode reads what Encode wrote; false if b is too short.
func (d *Decision) Decode(b []byte) bool {
	if len(b) < DecisionSize {
		return false
	}
	d.Cwnd = binary.LittleEndian.Uint32(b)
	d.Ssthresh = binary.LittleEndian.Uint32(b[4:])
	d.PacingRate = binary.LittleEndian.Uint64(b[8:])
	return true
}

// Remote wraps an algorithm as if it lived in another process: every event and
// every decision is turned into bytes, copied, and decoded at the other side.
func Remote(a Algorithm) Algorithm {
	return Algorithm{Name: a.Name, New: func() Control { return &remote{far: far{control: a.New()}} }}
}

// remote is the near side: it has only bytes to give and take.
type remote struct {
	far     far
	request [EventSize + DecisionSize]byte
}

// far is the other process: a control behind bytes.
type far struct {
	control  Control
	event    Event
	decision Decision
}

// serve answers one request; nil for one that makes no sense.
func (f *far) serve(request []byte) []byte {
	if !f.event.Decode(request) || !f.decision.Decode(request[EventSize:]) {
		return nil
	}
	f.control.Event(&f.event, &f.decision)
	f.event = Event{} // nothing of a request outlives it
	answer := make([]byte, DecisionSize)
	f.decision.Encode(answer)
	return answer
}

// Event implements Control.
func (r *remote) Event(e *Event, d *Decision) {
	e.Encode(r.request[:])
	d.Encode(r.request[EventSize:])
	d.Decode(r.far.serve(append([]byte(nil), r.request[:]...)))
}
