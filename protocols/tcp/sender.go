package tcp

import (
	"github.com/libos-go/libos/core/wire"
)

// sender is the send sequence space (RFC 9293 §3.3.1) with the data in it.
type sender struct {
	iss wire.Seq // our initial sequence number
	una wire.Seq // oldest unacknowledged
	nxt wire.Seq // next to send; back at una after a timeout
	max wire.Seq // behind everything ever sent
	wl1 wire.Seq // segment of the last window update
	wl2 wire.Seq

	window    uint32 // peer's, in bytes from una on
	maxWindow uint32 // largest it ever offered
	queue     sendQueue
	limit     int32 // bytes the user may queue (SO_SNDBUF)
	scale     uint8 // shift of the peer's windows
	retries   uint8 // timeouts since the last progress

	mss     uint16 // payload of a full segment, options taken off
	peerMSS uint16 // the peer's MSS option
	mssCap  uint16 // limit of our own: black holes, TCP_MAXSEG; 0 none

	small wire.Seq // end of the last segment that was not full (Minshall's Nagle)

	timed   wire.Seq // one segment is timed at a time (RFC 6298 §3)
	timedAt int64    // when it was sent, 0: none is
	lastAt  int64    // when data were last sent
	total   uint64   // acknowledged so far
	log     sentLog
}

// start begins the sequence space at iss.
func (s *sender) start(iss wire.Seq) {
	s.iss, s.una, s.nxt, s.max = iss, iss, iss, iss
	s.queue.base = iss.Add(1)
	s.small = iss
}

// flight is what is outstanding, in sequence numbers.
func (s *sender) flight() uint32 { return uint32(s.nxt - s.una) }

// outstanding tells whether anything waits for an acknowledgement.
func (s *sender) outstanding() bool { return s.una != s.max }

// unsent is how many queued bytes were not sent, or are to be sent again.
func (s *sender) unsent() int { return int(s.queue.end().Sub(s.nxt)) }

// usable is how many bytes the peer's window allows beyond nxt.
func (s *sender) usable() int { return int(s.una.Add(s.window).Sub(s.nxt)) }

// room is how many bytes the user may add.
func (s *sender) room() int { return int(s.limit) - s.queue.len() }

// sent moves nxt over n sequence numbers that went out at now. One segment at a
// time is measured, unless clear is false: in recovery its acknowledgement waits
// for others.
func (s *sender) sent(n uint32, now int64, clear bool) {
	seq := s.nxt
	s.nxt = s.nxt.Add(n)
	if s.nxt.GT(s.max) {
		seq = wire.MaxSeq(seq, s.max)
		s.log.add(seq, uint32(s.nxt-seq))
		if s.timedAt == 0 && clear {
			s.timed, s.timedAt = s.nxt, max(now, 1)
		}
		s.max = s.nxt
	}
}

// acked moves una over n acknowledged sequence numbers.
func (s *sender) acked(m *slabs, n uint32) {
	s.una = s.una.Add(n)
	s.total += uint64(n)
	s.log.ack(s.una)
	s.nxt = wire.MaxSeq(s.nxt, s.una) // after a timeout had sent it back
	s.small = wire.MaxSeq(s.small, s.una)
	s.queue.ack(m, s.una)
	s.retries = 0
}

// untime gives up the running measurement: an ACK would be ambiguous (Karn).
func (s *sender) untime() { s.timedAt = 0 }

// measured is the round-trip time that ack tells of, 0 if none.
func (s *sender) measured(ack wire.Seq, now int64) int64 {
	if s.timedAt == 0 || ack.LT(s.timed) {
		return 0
	}
	d := max(now-s.timedAt, 1)
	s.timedAt = 0
	return d
}

// updateWindow takes the window of an acceptable segment (RFC 9293 §3.10.7.4,
// fifth check) and reports whether it changed.
func (s *sender) updateWindow(seq, ack wire.Seq, window uint32) bool {
	if s.wl1.LT(seq) || s.wl1 == seq && s.wl2.LEQ(ack) {
		changed := s.window != window
		s.window = window
		s.maxWindow = max(s.maxWindow, window)
		s.wl1, s.wl2 = seq, ack
		return changed
	}
	return false
}
