package tcp

import (
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// What answers segments that do not fit: resets where there is no connection,
// acknowledgements where there is one.

// refuse answers a segment for which there is no connection (RFC 9293
// §3.10.7.1).
func (t *Transport) refuse(u *tuple, s *segment) {
	if s.flags&wire.TCPRst != 0 {
		return
	}
	if s.flags&wire.TCPAck != 0 {
		t.sendReset(u, s.ack, 0, wire.TCPRst)
		return
	}
	t.sendReset(u, 0, s.seq.Add(s.length()), wire.TCPRst|wire.TCPAck)
}

func (t *Transport) sendReset(u *tuple, seq, ack wire.Seq, flags wire.TCPFlags) {
	p := t.in.NewPacket(core.Headroom, wire.TCPMinSize)
	if p == nil {
		return
	}
	h := wire.TCP(p.Put(wire.TCPMinSize))
	h.Encode(&wire.TCPFields{SrcPort: u.lport, DstPort: u.pport, Seq: seq, Ack: ack, Flags: flags}, wire.TCPMinSize)
	p.Src, p.Dst, p.Protocol = u.local, u.peer, wire.ProtoTCP
	p.SetTransportHeader()
	h.SetChecksum(wire.Finish(wire.Sum(p.Linear(), wire.PseudoHeader(u.local, u.peer, wire.ProtoTCP, p.Len()))))
	t.counters.outRsts++
	t.counters.outSegs++
	_ = t.in.Output(p)
}

// challengeACK answers a segment that may be forged (RFC 5961), a limited number
// of times a second over all connections. The limit varies by half, so that
// nobody learns from it what others are sent (RFC 5961 §7; net/ipv4/tcp_input.c,
// tcp_send_challenge_ack).
func (c *conn) challengeACK() {
	t := c.t
	if c.answersTooOften(&t.counters.skippedChallenge) {
		return
	}
	second := t.in.Now() / core.Time(time.Second)
	if limit := uint32(t.settings().ChallengeLimit); t.challenge.second != second || t.challenge.budget > limit+limit/2 {
		t.challenge.second = second
		t.challenge.budget = (limit+1)/2 + uint32(uint64(uint32(t.in.Random().Uint64()))*uint64(limit)>>32)
	}
	if t.challenge.budget == 0 {
		return
	}
	t.challenge.budget--
	t.counters.challengeACK++
	c.sendAck()
}

// answersTooOften tells, and counts in skipped, that an invalid segment of this
// connection was answered less than tcp_invalid_ratelimit ago: two ends must not
// answer each other for ever.
func (c *conn) answersTooOften(skipped *uint64) bool {
	now := uint32(c.now()/core.Time(time.Millisecond)) | 1
	if c.answered != 0 && time.Duration(now-c.answered)*time.Millisecond < c.t.settings().InvalidLimit {
		*skipped++
		return true
	}
	c.answered = now
	return false
}

// answerInvalid acknowledges a segment that is out of the window or too old. What
// takes no part of the sequence space, or is a SYN, is answered a limited number
// of times (net/ipv4/tcp_input.c, tcp_oow_rate_limited).
func (c *conn) answerInvalid(s *segment, skipped *uint64) {
	if (s.length() == 0 || s.flags&wire.TCPSyn != 0) && c.answersTooOften(skipped) {
		return
	}
	c.sendAck()
}
