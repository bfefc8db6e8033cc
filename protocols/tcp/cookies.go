package tcp

import (
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// SYN cookies (RFC 4987 §3.6): when requests overflow, the SYN-ACK's sequence
// number carries what the connection needs, and nothing is kept. The cookie is
// Bernstein's: a keyed hash, the minute, and an index into cookieMSS. With
// timestamps the SYN-ACK's timestamp carries window scale, SACK and ECN as well.

var cookieMSS = [8]uint16{536, 1220, 1300, 1400, 1420, 1440, 1460, 8940}

const (
	cookieMinutes = 2      // how long a cookie is good
	cookieNoScale = 15     // in the timestamp: no window scaling
	cookieSACK    = 1 << 4 // in the timestamp: SACK
	cookieECN     = 1 << 5 // in the timestamp: ECN
	cookieBits    = 1<<6 - 1
)

func (s *secret) cookieBase(u *tuple) uint32 {
	return uint32(s.sum(u.local.Hi, u.local.Lo, u.peer.Hi, u.peer.Lo, u.ports(), 4))
}

func (s *secret) cookieMask(u *tuple, minute uint32) uint32 {
	return uint32(s.sum(u.local.Hi, u.local.Lo, u.peer.Hi, u.peer.Lo, u.ports(), uint64(minute)<<8|5))
}

// cookie is the initial sequence number of a SYN-ACK to a SYN with number irs.
func (s *secret) cookie(u *tuple, irs wire.Seq, minute uint32, mss int) wire.Seq {
	return wire.Seq(s.cookieBase(u) + uint32(irs) + minute<<24 + (s.cookieMask(u, minute)+uint32(mss))&0xffffff)
}

// checkCookie is the index of the MSS in a cookie, -1 for one that is not ours or
// too old.
func (s *secret) checkCookie(u *tuple, irs, cookie wire.Seq, minute uint32) int {
	x := uint32(cookie) - s.cookieBase(u) - uint32(irs)
	age := (minute - x>>24) & 0xff
	if age >= cookieMinutes {
		return -1
	}
	mss := (x - s.cookieMask(u, minute-age)) & 0xffffff
	if mss >= uint32(len(cookieMSS)) {
		return -1
	}
	return int(mss)
}

func cookieMinute(now core.Time) uint32 { return uint32(now / core.Time(time.Minute)) }

// sendCookie answers a SYN without keeping anything of it.
func (l *listener) sendCookie(u *tuple, s *segment) {
	t := l.conn.t
	l.cookied = max(t.in.Now(), 1)
	mss := uint16(536)
	if s.opts.Has&wire.TCPHasMSS != 0 {
		mss = s.opts.MSS
	}
	index := 0
	for i, m := range cookieMSS {
		if m <= mss {
			index = i
		}
	}
	c := l.request(u, s)
	if c == nil {
		return
	}
	c.begin()
	c.synchronize(s)
	c.snd.start(t.key().cookie(u, s.seq, cookieMinute(t.in.Now()), index))
	if c.is(flagTimestamps) {
		bits := uint32(cookieNoScale)
		if c.is(flagScaling) {
			bits = uint32(c.snd.scale)
		}
		if c.is(flagSACK) {
			bits |= cookieSACK
		}
		if c.ecn() {
			bits |= cookieECN
		}
		now := c.timestamp()
		stamp := now&^cookieBits | bits
		if int32(stamp-now) > 0 {
			stamp -= cookieBits + 1
		}
		c.tsOffset += stamp - now
	} else {
		c.flags &^= flagScaling | flagSACK | flagECN // there is nowhere to keep them
		c.rcv.scale = 0
	}
	t.counters.syncookiesSent++
	c.state = stateSynReceived
	flags := wire.TCPSyn | wire.TCPAck
	if c.ecn() {
		flags |= wire.TCPEce
	}
	c.send(c.snd.iss, 0, flags)
	c.state, c.listener = stateClosed, nil
	c.release()
}

// fromCookie makes the connection of an acknowledgement that answers a cookie;
// cookie is false when it does not, c nil too when there is no room.
func (l *listener) fromCookie(u *tuple, s *segment) (c *conn, cookie bool) {
	t := l.conn.t
	if s.flags&wire.TCPSyn != 0 || t.settings().SynCookies == 0 || l.cookied == 0 ||
		t.in.Now().Sub(l.cookied) > cookieMinutes*time.Minute {
		return nil, false
	}
	irs, iss := s.seq.Add(^uint32(0)), s.ack.Add(^uint32(0))
	index := t.key().checkCookie(u, irs, iss, cookieMinute(t.in.Now()))
	if index < 0 {
		t.counters.syncookiesFailed++
		return nil, false
	}
	t.counters.syncookiesRecv++
	if !l.admits() {
		return nil, true
	}
	syn := *s
	syn.seq, syn.flags = irs, wire.TCPSyn
	syn.opts = wire.TCPOptions{Has: wire.TCPHasMSS, MSS: cookieMSS[index]}
	if c = l.request(u, s); c == nil {
		return nil, true
	}
	c.begin()
	if c.extra != nil {
		c.extra.deferAccept = 0 // nothing is kept that could wait
	}
	ecn := false
	if s.opts.Has&wire.TCPHasTimestamp != 0 && t.settings().Timestamps != 0 {
		bits := s.opts.TSEcr & cookieBits
		syn.opts.Has |= wire.TCPHasTimestamp
		syn.opts.TSVal = s.opts.TSVal
		if bits&15 != cookieNoScale {
			syn.opts.Has |= wire.TCPHasWindowScale
			syn.opts.WindowScale = uint8(bits & 15)
		}
		if bits&cookieSACK != 0 {
			syn.opts.Has |= wire.TCPHasSACKPermitted
		}
		ecn = bits&cookieECN != 0
	}
	c.synchronize(&syn)
	c.set(flagECN, ecn && c.wantsECN(false))
	c.snd.start(iss)
	c.snd.nxt, c.snd.max = iss.Add(1), iss.Add(1)
	c.snd.window, c.snd.maxWindow = s.window, s.window
	c.snd.wl1 = irs
	c.rcv.adv = c.rcv.nxt.Add(c.firstWindow())
	l.enter(c)
	return c, true
}
