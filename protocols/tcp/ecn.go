package tcp

import (
	"github.com/libos-go/libos/core/config/protocols/tcp"
	"github.com/libos-go/libos/core/congestion"
	"github.com/libos-go/libos/core/wire"
)

// Explicit congestion notification (RFC 3168): both sides agree on it by the flags
// of their SYNs. Then data travel as ECN-capable, routers mark them in place of
// dropping, the receiver echoes the mark (ECE) until the sender says that it has
// reduced its window (CWR).

// ect0 is the codepoint of segments that may be marked (RFC 3168 §5).
const (
	ecnBits = 3
	ect0    = 2
	ecnCE   = 3
)

const ecnSetup = wire.TCPEce | wire.TCPCwr // of a SYN that asks for it

// ecn tells whether both sides speak ECN.
func (c *conn) ecn() bool { return config.TCP_ECN && c.is(flagECN) }

// askECN are the flags of our SYN (RFC 3168 §6.1.1). One that is sent again asks no
// more: something on the path may drop those that do (§6.1.1.1; tcp_ecn_fallback).
func (c *conn) askECN() wire.TCPFlags {
	set := c.t.settings()
	if !config.TCP_ECN || !c.wantsECN(true) || c.snd.max != c.snd.iss && set.ECNFallback {
		return 0
	}
	c.flags |= flagECN
	return ecnSetup
}

// agreeECN takes the peer's SYN or SYN-ACK (RFC 3168 §6.1.1). A SYN that came as
// ECN-capable is not of RFC 3168 (include/net/tcp_ecn.h, tcp_ecn_create_request).
func (c *conn) agreeECN(s *segment) {
	if !config.TCP_ECN {
		return
	}
	says := s.flags & ecnSetup
	switch {
	case c.state != stateSynSent: // a request
		c.set(flagECN, says == ecnSetup && s.p.TOS&ecnBits == 0 && c.wantsECN(false))
	case s.flags&wire.TCPAck != 0:
		c.set(flagECN, c.is(flagECN) && says == wire.TCPEce)
	default: // simultaneous open
		c.set(flagECN, c.is(flagECN) && says == ecnSetup)
	}
}

// signal is what a segment with n bytes from seq on says of congestion: flags and
// the ECN bits of its IP header. Only data that are sent for the first time may be
// marked (RFC 3168 §6.1.4, §6.1.5), and the first of them after a reduction tells of
// it (§6.1.2).
func (c *conn) signal(seq wire.Seq, n uint32) (flags wire.TCPFlags, bits uint8) {
	if n > 0 && seq.GEQ(c.snd.max) {
		bits = ect0
		if c.is(flagReduced) {
			c.flags &^= flagReduced
			flags = wire.TCPCwr
		}
	}
	if c.is(flagEcho) {
		flags |= wire.TCPEce
	}
	return flags, bits
}

// markOf takes what the IP header of data says (RFC 3168 §6.1.3). The sender may have
// a window of one segment now: it is answered without delay. So is what is probably
// sent again, by a sender that has marked its data before (include/net/tcp_ecn.h,
// tcp_data_ecn_check).
func (c *conn) markOf(s *segment) {
	bits := s.p.TOS & ecnBits
	switch {
	case bits == 0:
		if c.is(flagCapable) {
			c.rcv.quick = max(c.rcv.quick, 2)
		}
		return
	case bits == ecnCE && !c.is(flagEcho):
		c.flags |= flagEcho
		c.rcv.quick = max(c.rcv.quick, 2)
	}
	c.flags |= flagCapable
}

// reducedByPeer takes CWR: what was marked before is known. Data are answered at once,
// since the peer's window may be one segment now (include/net/tcp_ecn.h,
// tcp_ecn_accept_cwr).
func (c *conn) reducedByPeer(data bool) {
	c.flags &^= flagEcho
	if data {
		c.flags |= flagAckNow
	}
}

// echoed takes an acknowledgement with ECE, of which una and recovery know already:
// the window is reduced once for what was in flight (RFC 3168 §6.1.2), flight bytes,
// as it is for a loss.
func (c *conn) echoed(flight uint32) {
	r := &c.rec
	r.undo = undo{} // there is congestion, whatever the losses were
	if r.trouble() || r.marked {
		return
	}
	r.marked, r.markedTo = true, c.snd.max
	c.flags |= flagReduced
	c.tell(congestion.Event{Kind: congestion.ECN, Marked: uint32(c.snd.mss), InFlight: flight})
}

// windowReduced has the next new data tell the peer so, for whatever reason it was.
func (c *conn) windowReduced() {
	if c.ecn() {
		c.flags |= flagReduced
	}
}
