package tcp_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/device/loopback"
)

func TestAnActiveOpenIsAThreeWayHandshake(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		c := p.connect()
		c.state("SYN-SENT")
		c.is(0)
		p.out(syn, seq(0), mss(1500-len40(p)), ts(0, 0), sackOK())
		p.in(synack, mss(1000), ack(1))
		p.out(plain, seq(1), ack(1), without("timestamps"))
		c.state("ESTABLISHED")
		c.is(core.ReadyOut)
		c.pending(0)
		p.counts("Tcp.ActiveOpens", 1)
		p.counts("Tcp.PassiveOpens", 0)
		p.counts("Tcp.CurrEstab", 1)
	})
}

func TestAPassiveOpenIsAThreeWayHandshake(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		l := p.listen(1)
		l.state("LISTEN")
		p.in(syn, mss(1000), win(2000))
		p.out(synack, seq(0), ack(1), mss(1500-len40(p)), without("wscale", "sackOK", "timestamps"))
		l.is(0)
		p.counts("Tcp.PassiveOpens", 0)
		p.in(plain)
		l.is(core.ReadyIn)
		c := l.accept()
		l.is(0)
		c.state("ESTABLISHED")
		p.want(c.LocalAddr(), p.here(80))
		from, err := c.PeerAddr()
		p.want(err, nil)
		p.want(from, p.there())
		p.counts("Tcp.PassiveOpens", 1)
		p.counts("Tcp.ActiveOpens", 0)
		p.counts("Tcp.CurrEstab", 1)
	})
}

// len40 is the size of an IP and a TCP header without options.
func len40(p *peer) int {
	if p.local == addrA6 {
		return 60
	}
	return 40
}

// RFC 9293 §3.5, figure 7.
func TestASimultaneousOpenMakesOneConnection(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		c := p.connect()
		p.out(syn, seq(0))
		p.in(syn, mss(1460))
		p.out(synack, seq(0), ack(1))
		c.state("SYN-RECEIVED")
		c.is(0)
		p.counts("TcpExt.TCPSynRetrans", 0)
		p.in(synack, seq(0), ack(1))
		c.state("ESTABLISHED")
		c.is(core.ReadyOut)
		p.quiet(10 * time.Second)
		p.in(plain, data("hello"))
		p.out(plain, seq(1), ack(6))
		c.reads("hello")
	})
}

func TestASimultaneousOpenEndsWithAPlainACKToo(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.connect()
	p.out(syn)
	p.in(syn, mss(1460))
	p.out(synack)
	p.in(plain, ack(1))
	c.state("ESTABLISHED")
}

func TestBothEndsOfASimultaneousOpenAreOurs(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.socket()
	p.want(c.Bind(p.here(4000)), nil)
	p.want(c.Connect(p.here(4000)), syscall.EINPROGRESS) // to itself
	p.wait(0)
	c.state("ESTABLISHED")
	c.writes("echo")
	c.reads("echo")
	c.shuts(core.ShutWrite)
	c.failsToRead(nil)
	p.wait(time.Second)
	p.counts("Tcp.RetransSegs", 0)
	c.closes()
}

func TestASynIsSentAgainWithBackoffUntilSynRetries(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		p.setting("tcp_syn_retries", "3")
		c := p.connect()
		first := p.out(syn, seq(0))
		for _, d := range []time.Duration{1, 2, 4} {
			p.sends(d * time.Second)
			if again := p.out(syn, seq(0), mss(1500-len40(p))); again.window != first.window {
				t.Error("the window of the SYN changed")
			}
		}
		p.quiet(8*time.Second - time.Millisecond)
		c.pending(0)
		p.wait(time.Millisecond)
		c.is(core.ReadyIn | core.ReadyOut | core.ReadyErr | core.ReadyHup | core.ReadyRdHup)
		c.pending(syscall.ETIMEDOUT)
		c.state("CLOSED")
		p.counts("TcpExt.TCPSynRetrans", 3)
		p.counts("TcpExt.TCPTimeouts", 4)
		p.counts("Tcp.RetransSegs", 3)
		p.counts("Tcp.AttemptFails", 1)
		p.counts("TcpExt.TCPAbortOnTimeout", 1)
	})
}

func TestTCPSynCntIsTheSocketsOwnSynRetries(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	s := p.socket()
	s.sets(core.SolTCP, tcpSynCnt, 1)
	if n, _ := s.Int(core.SolTCP, tcpSynCnt); n != 1 {
		t.Errorf("TCP_SYNCNT is %d", n)
	}
	for _, n := range []int{0, 128} {
		p.want(s.SetInt(core.SolTCP, tcpSynCnt, n), syscall.EINVAL)
	}
	s.connects()
	p.out(syn)
	p.sends(time.Second)
	p.out(syn)
	p.quiet(10 * time.Second)
	s.pending(syscall.ETIMEDOUT)
}

func TestALateSynAckEndsTheBackoff(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.connect()
	p.out(syn)
	p.sends(time.Second)
	p.out(syn)
	p.in(synack)
	p.out(plain)
	c.writes("x")
	p.out(plain, data("x"))
	p.sends(3 * time.Second) // RFC 6298 §5.7: no sample of a SYN that was sent twice
	p.out(plain, seq(1), data("x"))
	p.in(plain)
}

func TestARefusedConnect(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		c := p.connect()
		p.out(syn)
		p.in(rstack, seq(0), ack(1))
		c.is(core.ReadyIn | core.ReadyOut | core.ReadyErr | core.ReadyHup | core.ReadyRdHup)
		c.pending(syscall.ECONNREFUSED)
		c.pending(0)
		c.state("CLOSED")
		p.counts("Tcp.AttemptFails", 1)
		p.counts("Tcp.EstabResets", 0)
		p.quiet(10 * time.Second)
	})
}

// RFC 9293 §3.10.7.3, second check: a RST counts if its ACK is acceptable.
func TestAResetThatAcknowledgesNoSynIsNoRefusal(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.connect()
	p.out(syn)
	p.in(rst, seq(0))
	p.in(rstack, seq(0), ack(0))
	p.in(rstack, seq(0), ack(2))
	c.state("SYN-SENT")
	c.pending(0)
}

// RFC 9293 §3.10.7.3, first check: an ACK of nothing that was sent.
func TestASynAckOfAnOldConnectionIsReset(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		c := p.connect()
		p.out(syn)
		for _, n := range []int{0, 2} {
			p.in(synack, seq(0), ack(n))
			p.out(rst, seq(n))
		}
		p.in(plain, seq(7), ack(-1))
		p.out(rst, seq(-1))
		c.state("SYN-SENT")
		p.counts("Tcp.OutRsts", 3)
		p.in(synack, seq(0), ack(1))
		p.out(plain)
		c.state("ESTABLISHED")
	})
}

func TestASegmentWithoutSynIsDroppedInSynSent(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.connect()
	p.out(syn)
	p.in(plain, seq(1), ack(1), data("early"))
	p.in(fin, seq(1), ack(1))
	p.in(bare, seq(1))
	c.state("SYN-SENT")
}

// RFC 7323 §3.2: an answer to a SYN that was never sent.
func TestASynAckThatEchoesNoTimestampOfOursIsReset(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.connect()
	p.out(syn, ts(0, 0))
	p.in(synack, seq(0), ack(1), ts(5, -1))
	p.out(rst, seq(1))
	c.state("SYN-SENT")
	p.counts("TcpExt.PAWSActive", 1)
	p.in(synack, seq(0), ack(1), ts(5, 0))
	p.out(plain, ts(0, 5))
}

func TestDataAndFinOnASynAckAreTaken(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		c := p.connect()
		p.out(syn)
		p.in(synack, data("hello"))
		p.out(plain, seq(1), ack(6))
		c.reads("hello")
		p.in(fin)
		p.out(plain, ack(7))
		c.failsToRead(nil)
		c.state("CLOSE-WAIT")
	})
	p := newPeer(t, addrA, addrB)
	c := p.connect()
	p.out(syn)
	p.in("SF.", data("bye"))
	p.out(plain, seq(1), ack(5))
	c.reads("bye")
	c.state("CLOSE-WAIT")
}

// Without Fast Open the data of a SYN are not kept: they are acknowledged when
// they come again (RFC 9293 §3.10.7.2 allows either).
func TestDataOnASynAreNotKept(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	l := p.listen(1)
	p.in(syn, data("early"))
	p.out(synack, ack(1))
	p.in(plain, seq(1), data("early"))
	p.out(plain, ack(6))
	l.accept().reads("early")
}

func TestTheAckOfAHandshakeMayBringDataAndFin(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		l := p.listen(1)
		p.in(syn)
		p.out(synack)
		p.in(fin, data("all"))
		p.out(plain, ack(5))
		c := l.accept()
		c.state("CLOSE-WAIT")
		c.reads("all")
		c.failsToRead(nil)
	})
}

func TestConnectWithoutWaiting(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.connect() // EINPROGRESS
	p.out(syn)
	p.want(c.Connect(p.there()), syscall.EALREADY)
	c.failsToWrite(syscall.EAGAIN)
	c.failsToRead(syscall.EAGAIN)
	p.in(synack)
	p.out(plain)
	p.want(c.Connect(p.there()), nil) // net/ipv4/af_inet.c: the first call after success
	p.want(c.Connect(p.there()), syscall.EISCONN)
}

func TestConnectAgainTellsOfTheFailure(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.connect()
	p.out(syn)
	p.in(rstack, seq(0))
	p.want(c.Connect(p.there()), syscall.ECONNREFUSED)
	p.forget(1)
	c.connects()
	p.out(syn)
	p.in(rstack, seq(0))
	c.pending(syscall.ECONNREFUSED)
	p.want(c.Connect(p.there()), syscall.ECONNABORTED) // the error was taken
}

func TestABlockingConnectWaitsForTheEnd(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	ended := 0
	connect := func(expected, again error) {
		s := p.socket()
		s.SetNonblock(false)
		p.Go("connect", func() {
			p.want(s.Connect(p.there()), expected)
			p.port = int(s.LocalAddr().Port)
			if again != nil {
				p.want(s.Connect(p.there()), again)
			}
			ended++
		})
		p.wait(0)
		s.SetNonblock(true)
		p.port = int(s.LocalAddr().Port)
		p.forget(5)
	}
	connect(nil, syscall.EISCONN)
	p.out(syn)
	p.wait(50 * time.Millisecond)
	p.in(synack)
	p.out(plain)
	connect(syscall.ECONNREFUSED, nil)
	p.out(syn)
	p.in(rstack, seq(0))
	if ended != 2 {
		t.Errorf("%d of 2 calls returned", ended)
	}
}

func TestConnectFailsAtOnce(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	try := func(a string, port int, expected error) {
		t.Helper()
		q := *p
		q.local = a
		s := p.socket()
		p.want(s.Connect(q.here(port)), expected)
		s.pending(0)
		s.closes()
	}
	try("192.0.2.1", 80, syscall.ENETUNREACH)
	try("224.0.0.1", 80, syscall.ENETUNREACH)
	try("255.255.255.255", 80, syscall.ENETUNREACH)
	p.counts("Tcp.ActiveOpens", 0)
	l := p.listen(1)
	p.want(l.Connect(p.there()), syscall.EISCONN)
}

func TestConnectToTheUnspecifiedAddressReachesTheHostItself(t *testing.T) {
	for _, a := range []struct{ local, any string }{{addrA, "0.0.0.0"}, {addrA6, "::"}} {
		p := newPeer(t, a.local, addrB)
		p.Attach(p.host, loopback.Device(), "lo", "127.0.0.1/8", "::1/128")
		p.local = a.any
		l := p.listen(1)
		c := p.socket()
		p.want(c.Connect(p.here(80)), syscall.EINPROGRESS)
		p.wait(0)
		c.state("ESTABLISHED")
		l.accept()
	}
}

// An ICMP error ends a connection attempt whether it is hard or soft, as Linux
// has it (net/ipv4/tcp_ipv4.c, tcp_v4_err; RFC 5461 §2.1 describes it).
func TestAnICMPErrorEndsAConnectionAttempt(t *testing.T) {
	for _, x := range []struct {
		message string
		code    int
		errno   syscall.Errno
	}{
		{"unreachable", 0, syscall.ENETUNREACH}, {"unreachable", 1, syscall.EHOSTUNREACH}, {"unreachable", 2, syscall.ENOPROTOOPT},
		{"unreachable", 3, syscall.ECONNREFUSED}, {"unreachable", 13, syscall.EHOSTUNREACH}, {"time exceeded", 0, syscall.EHOSTUNREACH},
	} {
		p := newPeer(t, addrA, addrB)
		c := p.connect()
		p.out(syn)
		p.icmp(x.message, x.code, 0)
		c.pending(x.errno)
		c.state("CLOSED")
		p.counts("Tcp.AttemptFails", 1)
	}
	for code, errno := range map[int]syscall.Errno{0: syscall.ENETUNREACH, 1: syscall.EACCES, 3: syscall.EHOSTUNREACH, 4: syscall.ECONNREFUSED} {
		p := newPeer(t, addrA6, addrB6)
		c := p.connect()
		p.out(syn)
		p.icmp("unreachable", code, 0)
		c.pending(errno)
	}
}

// RFC 5927 §4.1.
func TestAnICMPErrorAboutNothingOutstandingIsIgnored(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.connect()
	p.out(syn)
	p.icmp("unreachable", 3, -1)
	p.icmp("unreachable", 3, 2)
	c.state("SYN-SENT")
	p.counts("TcpExt.OutOfWindowIcmps", 2)
}

// RFC 1122 §4.2.3.9.
func TestAnICMPErrorDoesNotEndAConnection(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		c := p.established()
		c.writes("x")
		p.out(plain, data("x"))
		code := 3
		if len40(p) == 60 {
			code = 4
		}
		p.icmp("unreachable", code, 1)
		c.state("ESTABLISHED")
		c.failsToRead(again)
		c.pending(syscall.ECONNREFUSED) // SO_ERROR tells of it, once
		c.pending(0)
	})
}

// What an ICMP error said is told when the connection times out.
func TestATimeoutTellsOfTheICMPError(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	p.setting("tcp_retries2", "2")
	c := p.established()
	c.writes("x")
	p.out(plain, data("x"))
	p.icmp("unreachable", 1, 1)
	p.wait(time.Minute)
	p.drop()
	c.pending(syscall.EHOSTUNREACH)
}

func TestASynAckIsSentAgainUntilSynackRetries(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		p.setting("tcp_synack_retries", "2")
		p.listen(1)
		p.in(syn)
		p.out(synack)
		for _, d := range []time.Duration{1, 2} {
			p.sends(d * time.Second)
			p.out(synack, seq(0), ack(1))
		}
		p.quiet(4*time.Second + time.Millisecond)
		p.in(plain) // too late
		p.out(rst, seq(1))
		p.counts("Tcp.PassiveOpens", 0)
	})
}

func TestASynSentAgainGetsTheSameSynAck(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	l := p.listen(1)
	p.in(syn)
	p.out(synack, seq(0), ack(1))
	p.wait(time.Second / 2)
	p.in(syn, seq(0))
	p.out(synack, seq(0), ack(1))
	p.in(plain)
	l.accept().state("ESTABLISHED")
}

// RFC 5961 §4 and net/ipv4/tcp_minisocks.c, tcp_check_req.
func TestAnotherSynInSynReceivedIsChallenged(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	p.listen(1)
	p.in(syn)
	p.out(synack)
	p.in(syn, seq(1000))
	p.out(plain, seq(1), ack(1))
}

// RFC 9293 §3.10.7.4, fifth check, SYN-RECEIVED.
func TestAWrongAckInSynReceivedIsReset(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		l := p.listen(1)
		p.in(syn)
		p.out(synack)
		for _, n := range []int{0, 2, -5} {
			p.in(plain, ack(n))
			p.out(rst, seq(n))
		}
		p.in(plain, ack(1))
		l.accept().state("ESTABLISHED")
	})
}

func TestAResetInSynReceivedEndsTheRequest(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		l := p.listen(1)
		p.in(syn)
		p.out(synack)
		p.in(rst, seq(1))
		p.counts("Tcp.AttemptFails", 1)
		p.counts("TcpExt.EmbryonicRsts", 1)
		p.quiet(5 * time.Second)
		l.is(0)
	})
}

func TestASegmentWithoutAckIsDroppedInSynReceived(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	l := p.listen(1)
	p.in(syn)
	p.out(synack)
	p.in(bare, data("x"))
	p.in(bareFin, seq(1))
	l.is(0)
}

func TestAnICMPErrorEndsARequest(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	p.listen(1)
	p.in(syn)
	p.out(synack)
	p.icmp("unreachable", 1, 0)
	p.quiet(10 * time.Second)
}

// tcp(7): what the user writes while the connection opens waits, and a close
// before the end of the handshake ends it.
func TestClosingInSynSentTellsNobody(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.connect()
	p.out(syn)
	c.closes()
	p.quiet(10 * time.Second)
	p.in(synack)
	p.out(rst, seq(1))
	p.counts("Tcp.AttemptFails", 1)
}

func TestDisconnectingAllowsAnotherConnect(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.established()
	p.want(c.Disconnect(), nil)
	p.out(rstack, seq(1), ack(1))
	c.state("CLOSED")
	p.forget(77)
	c.connects()
	p.out(syn)
	p.in(synack)
	p.out(plain, seq(1), ack(1))
	c.state("ESTABLISHED")
}
