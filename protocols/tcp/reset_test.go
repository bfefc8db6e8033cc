package tcp_test

import (
	"syscall"
	"testing"
	"time"
)

// RFC 9293 §3.10.7.1.
func TestASegmentForNobodyIsReset(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		p.in(syn, seq(0))
		p.out(rstack, seq(0), ack(1), win(0))
		p.in(syn, seq(0), data("abc"))
		p.out(rstack, seq(0), ack(4))
		p.in("SF", seq(0))
		p.out(rstack, seq(0), ack(2))
		p.in(bare, seq(5), data("abc"))
		p.out(rstack, seq(0), ack(8))
		p.in(plain, seq(5), ack(77), data("abc"))
		p.out(rst, seq(77))
		p.in(synack, seq(5), ack(78))
		p.out(rst, seq(78))
		p.in(fin, seq(5), ack(79))
		p.out(rst, seq(79))
		p.counts("Tcp.OutRsts", 7)
		p.counts("Tcp.OutSegs", 7)
		p.counts("Tcp.InSegs", 7)
		p.counts("Tcp.InErrs", 0)
		p.counts("Tcp.AttemptFails", 0)
	})
}

func TestAResetForNobodyIsNotAnswered(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		p.in(rst, seq(0))
		p.in(rstack, seq(0), ack(0))
		p.listen(1)
		p.in(rst, seq(0))
		p.in(rstack, seq(0), ack(0))
	})
}

// RFC 9293 §3.10.7.2.
func TestAListenerResetsWhatAcknowledges(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		p.listen(1)
		p.in(plain, seq(5), ack(77))
		p.out(rst, seq(77))
		p.in(synack, seq(5), ack(78))
		p.out(rst, seq(78))
		p.in(bare, seq(5), data("x"))
		p.in(bareFin, seq(5))
		p.in("SF", seq(5))
	})
}

func TestABrokenSegmentIsCountedAndDropped(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		c := p.established()
		p.in(rst, badSum())
		p.in(plain, data("x"), badSum())
		c.failsToRead(syscall.EAGAIN)
		p.counts("Tcp.InErrs", 2)
		p.counts("Tcp.InCsumErrors", 2)
	})
}

// RFC 5961 §3.2.
func TestOnlyTheExactResetCounts(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		p.setting("tcp_invalid_ratelimit", "0")
		c := p.established(win(1000))
		p.in(rst, seq(2))
		p.out(plain, seq(1), ack(1))
		p.in(rst, seq(60000))
		p.out(plain, seq(1), ack(1))
		p.counts("TcpExt.TCPChallengeACK", 2)
		p.in(rst, seq(0)) // outside of the window: silence
		p.in(rst, seq(70000))
		c.state("ESTABLISHED")
		p.in(rst, seq(1))
		c.pending(syscall.ECONNRESET)
	})
}

// The peer answers our challenge with the number that it acknowledges.
func TestAResetInAnswerToAChallengeCounts(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.established()
	p.in(syn, seq(5000)) // the peer has restarted
	s := p.out(plain, seq(1), ack(1))
	p.in(rst, seq(s.ack))
	c.pending(syscall.ECONNRESET)
}

// RFC 5961 §4.2.
func TestASynOnAConnectionIsChallenged(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		p.setting("tcp_invalid_ratelimit", "0")
		c := p.established()
		for i, n := range []int{0, 1, 500, -5000, 1000000} {
			for _, flags := range []control{syn, synack} {
				p.in(flags, seq(n), ack(1))
				p.out(plain, seq(1), ack(1))
			}
			p.counts("TcpExt.TCPSYNChallenge", 2*i+2)
			p.counts("TcpExt.TCPChallengeACK", 2*i+2)
		}
		c.state("ESTABLISHED")
		p.in(plain, seq(1), data("x"))
		c.reads("x")
	})
}

// RFC 5961 §5.2: an acknowledgement of what was never sent, or older than any
// window.
func TestAnImpossibleAckIsChallenged(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		p.setting("tcp_invalid_ratelimit", "0")
		p.window = 4
		c := p.established(win(4))
		for i := range 3 {
			c.writes("abcd")
			p.out(plain, seq(1+4*i), data("abcd"))
			p.in(plain)
		}
		p.in(plain, ack(14), data("bad"))
		p.out(plain, seq(13), ack(1))
		p.in(plain, seq(1), ack(8), data("bad")) // una - MAX.SND.WND - 1
		p.out(plain, seq(13), ack(1))
		p.counts("TcpExt.TCPChallengeACK", 2)
		c.failsToRead(syscall.EAGAIN)
		p.in(plain, seq(1), ack(9), data("old"))
		p.out(plain, seq(13), ack(4))
		c.reads("old")
	})
}

func TestAnAckBeforeOurSynIsImpossible(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.established()
	p.in(plain, ack(0), data("bad"))
	p.out(plain, seq(1), ack(1))
	p.counts("TcpExt.TCPChallengeACK", 1)
	c.failsToRead(syscall.EAGAIN)
}

// RFC 9293 §3.10.7.4, fifth check: without ACK a segment is dropped.
func TestASegmentWithoutAckIsDropped(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		c := p.established()
		p.in(bare, data("x"))
		p.in(bareFin, seq(1))
		c.failsToRead(syscall.EAGAIN)
		c.state("ESTABLISHED")
	})
}

// RFC 9293 §3.10.7.4, first check.
func TestASegmentOutOfTheWindowIsAcknowledged(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		p.setting("tcp_invalid_ratelimit", "0")
		c := p.established()
		p.in(plain, seq(-100), data("old"))
		p.out(plain, seq(1), ack(1))
		p.in(plain, seq(1<<20), data("new"))
		p.out(plain, seq(1), ack(1))
		p.in(plain, seq(0))
		p.out(plain, seq(1), ack(1))
		p.in(fin, seq(1<<20))
		p.out(plain, seq(1), ack(1))
		c.failsToRead(syscall.EAGAIN)
		c.state("ESTABLISHED")
	})
}

// tcp_invalid_ratelimit: two ends must not answer each other for ever.
func TestInvalidSegmentsAreAnsweredTwiceASecond(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		p.established()
		p.wait(time.Second)
		for range 10 {
			p.in(plain, seq(-5))
		}
		p.out(plain, ack(1))
		p.silent()
		p.counts("TcpExt.TCPACKSkippedSeq", 9)
		p.wait(499 * time.Millisecond)
		p.in(syn, seq(-5))
		p.silent()
		p.counts("TcpExt.TCPACKSkippedChallenge", 1)
		p.wait(time.Millisecond)
		p.in(plain, seq(-5))
		p.out(plain, ack(1))
		p.in(plain, seq(-5), data("data")) // data are always answered
		p.out(plain, ack(1))
		p.in(fin, seq(-5))
		p.out(plain, ack(1))
	})
}

func TestChallengesOfAllConnectionsAreLimited(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	p.setting("tcp_invalid_ratelimit", "0")
	p.setting("tcp_challenge_ack_limit", "20")
	p.established()
	q := p.at(40001)
	q.established()
	for range 2 {
		for range 40 {
			p.in(syn, seq(100))
			q.in(syn, seq(100))
		}
		n := 0
		for b := p.next(); b != nil; b = p.next() {
			n++
		}
		if n < 10 || n >= 30 {
			t.Errorf("%d challenges in a second, expected 10 to 29", n)
		}
		p.wait(time.Second)
	}
	p.setting("tcp_challenge_ack_limit", "0")
	p.in(syn, seq(100))
}

// RFC 7323 §5.3: older timestamps are of older segments.
func TestAnOldTimestampIsAcknowledgedAndDropped(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		c := p.connect()
		p.out(syn)
		p.in(synack, ts(1000, 0))
		p.out(plain, ts(0, 1000))
		p.in(plain, ts(1001, 0), data("new"))
		p.out(plain, ts(0, 1001), ack(4))
		p.in(plain, ts(999, 0), data("old"))
		p.out(plain, ts(0, 1001), ack(4))
		p.counts("TcpExt.PAWSEstab", 1)
		c.reads("new")
		p.in(rst, seq(4), ts(5, 0)) // a reset is exempt
		c.pending(syscall.ECONNRESET)
	})
}

func TestTimeWaitAnswersTheFinAgain(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		p.timeWait()
		for range 3 {
			p.quiet(50 * time.Second)
			p.in(fin, seq(1)) // and begins anew
			p.out(plain, seq(2), ack(2))
		}
		p.quiet(59 * time.Second)
		p.in(plain, seq(0)) // so does any old segment
		p.out(plain, seq(2), ack(2))
		p.quiet(59 * time.Second)
		p.in(plain) // and a bare acknowledgement, without an answer
		p.quiet(59 * time.Second)
		p.in(bare, seq(7)) // but nothing without ACK
		p.out(plain, seq(2), ack(2))
		p.quiet(time.Second)
		p.in(fin, seq(1))
		p.out(rst, seq(2))
	})
}

// timeWait brings a connection of p into TIME-WAIT; nobody has a socket.
func (p *peer) timeWait(parts ...part) {
	p.T.Helper()
	c := p.established(parts...)
	c.closes()
	p.out(fin, seq(1))
	p.in(fin, parts...)
	p.out(plain, seq(2), ack(2))
}

func TestTimeWaitEndsByAnExactReset(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	p.timeWait()
	p.in(rst, seq(3))
	p.in(rst, seq(1))
	p.wait(time.Second)
	p.in(fin, seq(1))
	p.out(plain, ack(2))
	p.in(rst, seq(2))
	p.in(fin, seq(1))
	p.out(rst, seq(2))
}

func TestRFC1337ProtectsTimeWait(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	p.setting("tcp_rfc1337", "1")
	p.timeWait()
	p.in(rst, seq(2))
	p.in(fin, seq(1))
	p.out(plain, seq(2), ack(2))
}

func TestTimeWaitIsBoundedByMaxTWBuckets(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	p.setting("tcp_max_tw_buckets", "2")
	for i := range 4 {
		p.at(50000 + i).timeWait()
	}
	p.counts("TcpExt.TW", 2)
	p.counts("TcpExt.TCPTimeWaitOverflow", 2)
	p.wait(2 * time.Minute)
	p.at(50010).timeWait()
	p.counts("TcpExt.TW", 3)
}

// served brings a connection that the peer opened to l into TIME-WAIT.
func (p *peer) served(l *sock, parts ...part) {
	p.T.Helper()
	p.in(syn, parts...)
	p.out(synack)
	p.in(plain, parts...)
	c := l.accept()
	c.closes()
	p.out(fin, seq(1))
	p.in(fin, parts...)
	p.out(plain, seq(2), ack(2))
}

// RFC 9293 §3.6.1, RFC 6191 §2.
func TestANewerSynReplacesTimeWait(t *testing.T) {
	for _, x := range []struct {
		name          string
		before, after int // timestamps, 0 without
		seq           int
		newer         bool
	}{
		{"higher number", 0, 0, 3, true},
		{"same number", 0, 0, 2, false},
		{"lower number", 0, 0, -1000, false},
		{"higher timestamp", 100, 101, -1000, true},
		{"same timestamp", 100, 100, -1000, false},
		{"same timestamp, higher number", 100, 100, 3, true},
		{"older timestamp, higher number", 100, 99, 3, false},
		{"timestamp given up, higher number", 100, 0, 3, true},
		{"timestamp given up, lower number", 100, 0, -1000, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			p := newPeer(t, addrA, addrB)
			l := p.listen(5)
			var with []part
			if x.before != 0 {
				with = append(with, ts(x.before, 0))
			}
			p.served(l, with...)
			last := p.irs
			with = []part{seq(x.seq)}
			if x.after != 0 {
				with = append(with, ts(x.after, 0))
			}
			p.in(syn, with...)
			if !x.newer {
				p.out(plain, seq(2), ack(2))
				return
			}
			p.out(synack, seq(0), ack(x.seq+1))
			if d := int32(p.irs - last); d < 65535 {
				t.Errorf("the new numbers begin %d after the old ones", d)
			}
			with[0] = seq(x.seq + 1)
			p.in(plain, with...)
			l.accept().state("ESTABLISHED")
		})
	}
}

func TestTimeWaitStaysWhenNobodyListens(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	p.timeWait()
	p.in(syn, seq(1000))
	p.out(plain, seq(2), ack(2))
}

// tcp_tw_reuse (RFC 6191): an active open takes the place of TIME-WAIT after a
// second, if both sides have timestamps.
func TestAnActiveOpenReusesTimeWait(t *testing.T) {
	for _, x := range []struct {
		name   string
		reuse  string
		stamps bool
		after  time.Duration
		ok     bool
	}{
		{"allowed", "1", true, 2 * time.Second, true},
		{"too early", "1", true, time.Second / 2, false},
		{"without timestamps", "1", false, 2 * time.Second, false},
		{"forbidden", "0", true, 2 * time.Second, false},
		{"on loopback only", "2", true, 2 * time.Second, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			p := newPeer(t, addrA, addrB)
			p.setting("tcp_tw_reuse", x.reuse)
			p.setting("ip_local_port_range", "50000 50000")
			var with []part
			if x.stamps {
				with = append(with, ts(100, 0))
			}
			p.timeWait(with...)
			p.wait(x.after)
			s := p.socket()
			p.forget(p.iss + 100)
			if !x.ok {
				p.want(s.Connect(p.there()), syscall.EADDRNOTAVAIL)
				p.counts("TcpExt.TWRecycled", 0)
				return
			}
			s.connects()
			p.out(syn)
			p.in(synack, ts(200, 0))
			p.out(plain)
			s.state("ESTABLISHED")
			p.counts("TcpExt.TWRecycled", 1)
		})
	}
}
