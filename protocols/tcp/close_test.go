package tcp_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
)

const hungUp = core.ReadyIn | core.ReadyOut | core.ReadyHup | core.ReadyRdHup

// RFC 9293 §3.6, figure 12: FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT.
func TestTheSideThatClosesFirstWaits(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		c := p.established()
		c.shuts(core.ShutWrite)
		p.out(fin, seq(1), ack(1))
		c.state("FIN-WAIT-1")
		p.counts("Tcp.CurrEstab", 0)
		p.in(plain)
		c.state("FIN-WAIT-2")
		p.in(fin, seq(1))
		p.out(plain, seq(2), ack(2))
		c.state("TIME-WAIT")
		c.is(hungUp)
		c.failsToRead(nil)
		p.counts("TcpExt.TW", 1)
		p.quiet(time.Minute - time.Millisecond)
		c.state("TIME-WAIT")
		p.quiet(2 * time.Millisecond)
		c.state("CLOSED")
		p.counts("Tcp.EstabResets", 0)
	})
}

// RFC 9293 §3.6, figure 12, the other side: CLOSE-WAIT, LAST-ACK.
func TestTheSideThatClosesLastDoesNotWait(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		c := p.established()
		p.in(fin)
		p.out(plain, seq(1), ack(2))
		c.state("CLOSE-WAIT")
		c.is(core.ReadyIn | core.ReadyOut | core.ReadyRdHup)
		c.failsToRead(nil)
		p.counts("Tcp.CurrEstab", 1)
		c.shuts(core.ShutWrite)
		p.out(fin, seq(1), ack(2))
		c.state("LAST-ACK")
		c.is(hungUp)
		p.counts("Tcp.CurrEstab", 0)
		p.in(plain)
		c.state("CLOSED")
		c.pending(0)
		c.failsToRead(nil)
		p.counts("TcpExt.TW", 0)
		p.counts("Tcp.EstabResets", 0)
	})
}

// RFC 9293 §3.6, figure 13.
func TestASimultaneousCloseGoesThroughClosing(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		c := p.established()
		c.shuts(core.ShutWrite)
		p.out(fin, seq(1), ack(1))
		p.in(fin, seq(1), ack(1))
		p.out(plain, seq(2), ack(2))
		c.state("CLOSING")
		c.is(hungUp)
		p.in(plain, seq(2), ack(2))
		c.state("TIME-WAIT")
		p.counts("TcpExt.TW", 1)
	})
}

func TestAFinThatAcknowledgesOursLeadsToTimeWaitAtOnce(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.established()
	c.shuts(core.ShutWrite)
	p.out(fin)
	p.in(fin, ack(2))
	p.out(plain, seq(2), ack(2))
	c.state("TIME-WAIT")
}

func TestAfterAHalfCloseThePeerStillSends(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		c := p.established()
		c.shuts(core.ShutWrite)
		p.out(fin)
		p.in(plain)
		c.failsToWrite(syscall.EPIPE)
		for i := range 3 {
			p.in(plain, data("more"))
			p.out(plain, seq(2), ack(5+4*i))
		}
		c.reads("moremoremore")
		c.is(core.ReadyOut)
		p.quiet(10 * time.Minute) // the user has all the time: FIN-WAIT-2 ends for orphans only
		c.state("FIN-WAIT-2")
	})
}

func TestAfterThePeersHalfCloseWeStillSend(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		c := p.established()
		p.in(fin)
		p.out(plain)
		c.writes("more")
		p.out(plain, seq(1), ack(2), data("more"))
		p.in(plain)
		c.closes()
		p.out(fin, seq(5), ack(2))
		p.in(plain)
	})
}

func TestAFinFollowsTheData(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		p.window = 4
		c := p.established()
		c.writes("abcdefgh")
		p.out(plain, seq(1), data("abcd"))
		c.shuts(core.ShutWrite)
		c.state("FIN-WAIT-1")
		p.in(plain)
		p.out(fin, seq(5), data("efgh"))
		p.in(plain, ack(9)) // the data without the FIN
		c.state("FIN-WAIT-1")
		p.in(plain, ack(10))
		c.state("FIN-WAIT-2")
	})
}

func TestAFinWithDataIsTakenAfterThem(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		c := p.established()
		p.in(fin, data("last"))
		p.out(plain, ack(6))
		c.reads("last")
		c.failsToRead(nil)
		c.failsToRead(nil)
	})
}

func TestAFinAheadOfItsTurnWaitsForTheData(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		c := p.established()
		p.in(fin, seq(5))
		p.out(plain, ack(1))
		c.state("ESTABLISHED")
		c.failsToRead(syscall.EAGAIN)
		p.in(plain, seq(1), data("last"))
		p.out(plain, ack(6))
		c.state("CLOSE-WAIT")
		c.reads("last")
	})
}

func TestAFinIsSentAgain(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		c := p.established()
		c.shuts(core.ShutWrite)
		p.out(fin, seq(1))
		p.wait(time.Second)
		for p.drop() == 0 {
			t.Fatal("the FIN was not sent again")
		}
		c.state("FIN-WAIT-1")
		p.in(plain, ack(2))
		c.state("FIN-WAIT-2")
		p.quiet(time.Minute)
	})
}

func TestAFinSentAgainIsAcknowledgedAgain(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		c := p.established()
		for range 3 {
			p.in(fin, seq(1))
			p.out(plain, seq(1), ack(2))
		}
		c.state("CLOSE-WAIT")
	})
}

func TestAnOrphanLeavesFinWait2AfterFinTimeout(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		p.setting("tcp_fin_timeout", "5")
		c := p.established()
		c.closes()
		p.out(fin)
		p.in(plain)
		p.quiet(5*time.Second - time.Millisecond)
		p.in(plain, seq(0)) // still there: an old segment is acknowledged
		p.out(plain, seq(2), ack(1))
		p.quiet(2 * time.Millisecond)
		p.in(fin, seq(1))
		p.out(rst, seq(2))
	})
}

func TestAnOrphanInFinWait2TakesTheFin(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.established()
	c.closes()
	p.out(fin)
	p.in(plain)
	p.wait(50 * time.Second)
	p.in(fin)
	p.out(plain, seq(2), ack(2))
	p.wait(50 * time.Second) // TIME-WAIT has its full length
	p.in(fin, seq(1))
	p.out(plain, seq(2), ack(2))
}

func TestTCPLinger2IsTheSocketsOwnFinTimeout(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.established()
	for _, x := range []struct{ set, get int }{{0, 60}, {7, 7}, {1000, 120}, {-5, -1}, {90, 90}} {
		c.sets(core.SolTCP, tcpLinger2, x.set)
		if n, _ := c.Int(core.SolTCP, tcpLinger2); n != x.get {
			t.Errorf("TCP_LINGER2 set to %d is %d, expected %d", x.set, n, x.get)
		}
	}
	c.closes()
	p.out(fin)
	p.in(plain)
	p.quiet(90*time.Second - time.Millisecond)
	p.in(fin)
	p.out(plain, ack(2))
}

func TestANegativeTCPLinger2LeavesOutFinWait2(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.established()
	c.sets(core.SolTCP, tcpLinger2, -1)
	c.closes()
	p.out(fin, seq(1))
	p.in(plain, ack(2))
	p.out(rstack, seq(2))
	p.counts("TcpExt.TCPAbortOnLinger", 1)
	p.in(fin)
	p.out(rst, seq(2))
}

// RFC 1122 §4.2.2.13: data for a program that is gone are answered by a reset.
func TestDataForAnOrphanAreReset(t *testing.T) {
	for _, acked := range []bool{false, true} {
		eachFamily(t, func(t *testing.T, p *peer) {
			c := p.established()
			c.closes()
			p.out(fin, seq(1))
			next := 1 // what the peer waits for
			if acked {
				p.in(plain)
				next = 2
			}
			p.in(plain, ack(1), data("x"))
			p.out(rst, seq(next))
			p.counts("TcpExt.TCPAbortOnData", 1)
			p.quiet(10 * time.Second)
		})
	}
}

func TestOldDataForAnOrphanAreOnlyAcknowledged(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.established()
	p.in(plain, data("old"))
	p.out(plain, ack(4))
	c.reads("old")
	c.closes()
	p.out(fin)
	p.in(plain)
	p.in(plain, seq(1), data("old"))
	p.out(plain, seq(2), ack(4))
	p.in(plain, seq(2), data("ld"))
	p.out(plain, seq(2), ack(4))
	p.in(fin, seq(4))
	p.out(plain, ack(5))
}

// RFC 2525 §2.17.
func TestClosingWithUnreadDataResets(t *testing.T) {
	for _, closed := range []bool{false, true} {
		eachFamily(t, func(t *testing.T, p *peer) {
			c := p.established()
			p.in(plain, data("unread"))
			p.out(plain, ack(7))
			if closed {
				p.in(fin)
				p.out(plain, ack(8))
			}
			c.closes()
			p.out(rstack, seq(1))
			p.counts("TcpExt.TCPAbortOnClose", 1)
			p.counts("Tcp.OutRsts", 1)
			p.counts("Tcp.EstabResets", 1)
		})
	}
}

func TestLingerZeroResets(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		c := p.established()
		c.lingers(0)
		c.writes("lost")
		p.out(plain, data("lost"))
		c.closes()
		p.out(rstack, seq(5), ack(1))
		p.counts("TcpExt.TCPAbortOnData", 1)
		p.in(plain)
		p.out(rst, seq(5))
	})
}

func TestLingerWaitsForTheAcknowledgement(t *testing.T) {
	for _, answered := range []bool{true, false} {
		p := newPeer(t, addrA, addrB)
		c := p.established()
		c.lingers(5 * time.Second)
		c.SetNonblock(false)
		c.writes("data")
		p.out(plain, data("data"))
		took := time.Duration(-1)
		p.Go("close", func() {
			began := p.host.Now()
			p.want(c.Close(), nil)
			took = p.host.Now().Sub(began)
		})
		p.wait(0)
		p.out(fin, seq(5))
		p.in(plain, ack(5)) // the FIN is not acknowledged
		p.wait(100 * time.Millisecond)
		if took >= 0 {
			t.Error("close did not wait")
		}
		expected := 5 * time.Second
		if answered {
			p.in(plain, ack(6))
			expected = 100 * time.Millisecond
		}
		p.wait(10 * time.Second)
		p.drop()
		if took != expected {
			t.Errorf("close took %v, expected %v", took, expected)
		}
	}
}

// Unread data make even a close that lingers a reset, at once.
func TestLingerDoesNotWaitWithUnreadData(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.established()
	c.lingers(5 * time.Second)
	c.SetNonblock(false)
	p.in(plain, data("unread"))
	p.out(plain)
	p.Go("close", func() { p.want(c.Close(), nil) })
	p.wait(0)
	p.out(rstack, seq(1))
}

func TestWritingAfterShutdownIsEPIPE(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.established()
	c.shuts(core.ShutWrite)
	p.out(fin)
	c.failsToWrite(syscall.EPIPE)
	c.shuts(core.ShutWrite) // again changes nothing
	p.in(plain)
	c.shuts(core.ShutWrite)
	c.state("FIN-WAIT-2")
}

// tcp(7) leaves it open; in Linux data that arrive after SHUT_RD can be read.
func TestAfterShutReadTheStreamHasEndedButForWhatArrives(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.established()
	c.shuts(core.ShutRead)
	c.is(core.ReadyIn | core.ReadyOut | core.ReadyRdHup)
	c.failsToRead(nil)
	p.in(plain, data("late"))
	p.out(plain, ack(5))
	c.reads("late")
	c.failsToRead(nil)
	c.writes("x")
	p.out(plain, data("x"))
	p.in(plain)
}

func TestAfterShutBothDataAreReset(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.established()
	c.shuts(core.ShutBoth)
	p.out(fin)
	c.is(hungUp)
	p.in(plain, data("x"))
	p.out(rst, seq(2))
	c.state("CLOSED")
	p.counts("TcpExt.TCPAbortOnData", 1)
}

func TestShutdownOfASocketThatIsNotConnected(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	s := p.socket()
	p.want(s.Shutdown(core.ShutWrite), syscall.ENOTCONN)
	s.failsToRead(syscall.ENOTCONN)
	s.failsToWrite(syscall.EPIPE)
	_, err := s.PeerAddr()
	p.want(err, syscall.ENOTCONN)
}

func TestAResetIsToldOnce(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		c := p.established()
		p.in(rst)
		c.is(hungUp | core.ReadyErr)
		c.failsToRead(syscall.ECONNRESET)
		c.failsToRead(nil)
		c.failsToWrite(syscall.EPIPE)
		p.counts("Tcp.EstabResets", 1)
		p.counts("Tcp.CurrEstab", 0)
		p.counts("Tcp.AttemptFails", 0)
		_, err := c.PeerAddr()
		p.want(err, syscall.ENOTCONN)
	})
}

func TestAWriteToAResetConnectionTellsOfTheReset(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.established()
	p.in(rst)
	c.failsToWrite(syscall.ECONNRESET)
	c.failsToWrite(syscall.EPIPE)
}

// net/ipv4/tcp_input.c, tcp_reset.
func TestAResetInCloseWaitIsEPIPE(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.established()
	p.in(fin)
	p.out(plain)
	p.in(rst)
	c.failsToRead(nil)
	c.pending(syscall.EPIPE)
	p.counts("Tcp.EstabResets", 1)
}

func TestDataThatArrivedBeforeAResetCanBeRead(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.established()
	p.in(plain, data("before"))
	p.out(plain)
	p.in(rst)
	c.reads("before")
	c.failsToRead(syscall.ECONNRESET)
}

func TestAResetEndsEveryState(t *testing.T) {
	steps := map[string]func(p *peer, c *sock){
		"FIN-WAIT-1": func(p *peer, c *sock) { c.shuts(core.ShutWrite); p.out(fin) },
		"FIN-WAIT-2": func(p *peer, c *sock) { c.shuts(core.ShutWrite); p.out(fin); p.in(plain) },
		"CLOSING":    func(p *peer, c *sock) { c.shuts(core.ShutWrite); p.out(fin); p.in(fin, ack(1)); p.out(plain) },
		"LAST-ACK":   func(p *peer, c *sock) { p.in(fin); p.out(plain); c.shuts(core.ShutWrite); p.out(fin) },
		"TIME-WAIT": func(p *peer, c *sock) {
			c.shuts(core.ShutWrite)
			p.out(fin)
			p.in(fin)
			p.out(plain)
		},
	}
	for state, to := range steps {
		t.Run(state, func(t *testing.T) {
			p := newPeer(t, addrA, addrB)
			c := p.established()
			to(p, c)
			c.state(state)
			p.in(rst)
			c.state("CLOSED")
			p.quiet(time.Minute)
			p.counts("Tcp.EstabResets", 0)
		})
	}
}

func TestAnOrphanGivesUpAfterOrphanRetries(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	p.setting("tcp_orphan_retries", "2")
	c := p.established()
	c.closes()
	p.out(fin)
	p.wait(time.Minute)
	if n := p.drop(); n != 2 {
		t.Errorf("the FIN was sent again %d times, expected 2", n)
	}
	p.in(plain)
	p.out(rst)
	p.counts("TcpExt.TCPAbortOnTimeout", 1)
}

func TestAConnectionGivesUpAfterRetries2(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		p.setting("tcp_retries2", "3")
		c := p.established()
		c.writes("x")
		p.out(plain, data("x"))
		p.wait(time.Minute)
		if p.drop() == 0 {
			t.Error("the segment was not sent again")
		}
		c.is(hungUp | core.ReadyErr)
		c.failsToRead(syscall.ETIMEDOUT)
		p.counts("TcpExt.TCPAbortOnTimeout", 1)
	})
}

func TestTCPUserTimeoutEndsASilentConnection(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.established()
	p.want(c.SetInt(core.SolTCP, tcpUserTimeout, -1), syscall.EINVAL)
	c.sets(core.SolTCP, tcpUserTimeout, 3000)
	if n, _ := c.Int(core.SolTCP, tcpUserTimeout); n != 3000 {
		t.Errorf("TCP_USER_TIMEOUT is %d", n)
	}
	c.writes("x")
	p.out(plain, data("x"))
	p.wait(3*time.Second - time.Millisecond)
	c.state("ESTABLISHED")
	p.wait(time.Millisecond)
	p.drop()
	c.state("CLOSED")
	c.pending(syscall.ETIMEDOUT)
}
