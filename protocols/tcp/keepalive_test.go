package tcp_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
)

// kept is a connection with keepalive: after 10 s, every 3 s, 2 probes.
func (p *peer) kept() *sock {
	p.T.Helper()
	c := p.established()
	c.sets(core.SolTCP, tcpKeepIdle, 10)
	c.sets(core.SolTCP, tcpKeepIntvl, 3)
	c.sets(core.SolTCP, tcpKeepCnt, 2)
	c.sets(core.SolSocket, core.SoKeepalive, 1)
	return c
}

// RFC 9293 §3.8.4: a probe is an acknowledgement of a byte that the peer has had.
func TestASilentPeerIsProbedAndGivenUp(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		c := p.kept()
		p.sends(10 * time.Second)
		p.out(plain, seq(0), ack(1))
		p.sends(3 * time.Second)
		p.out(plain, seq(0), ack(1))
		p.quiet(3*time.Second - time.Millisecond)
		c.state("ESTABLISHED")
		p.wait(time.Millisecond)
		p.out(rstack, seq(1), ack(1))
		c.pending(syscall.ETIMEDOUT)
		p.counts("TcpExt.TCPKeepAlive", 2)
		p.counts("TcpExt.TCPAbortOnTimeout", 1)
		p.counts("Tcp.EstabResets", 1)
	})
}

func TestAnAnswerBeginsTheIdleTimeAnew(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.kept()
	for range 3 {
		p.sends(10 * time.Second)
		p.out(plain, seq(0))
		p.wait(3 * time.Second)
		p.out(plain, seq(0))
		p.in(plain)
	}
	p.quiet(9 * time.Second)
	p.in(plain, data("x"))
	p.out(plain)
	p.sends(10 * time.Second)
	p.out(plain, seq(0))
	c.state("ESTABLISHED")
}

func TestKeepaliveUsesTheInstancesSettings(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	p.setting("tcp_keepalive_time", "20")
	p.setting("tcp_keepalive_intvl", "4")
	p.setting("tcp_keepalive_probes", "1")
	c := p.established()
	for name, v := range map[int]int{tcpKeepIdle: 20, tcpKeepIntvl: 4, tcpKeepCnt: 1} {
		if n, _ := c.Int(core.SolTCP, name); n != v {
			t.Errorf("option %d is %d, expected %d", name, n, v)
		}
	}
	c.sets(core.SolSocket, core.SoKeepalive, 1)
	p.sends(20 * time.Second)
	p.out(plain, seq(0))
	p.sends(4 * time.Second)
	p.out(rstack)
	c.pending(syscall.ETIMEDOUT)
}

func TestKeepaliveOptionsHaveRanges(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	s := p.socket()
	for name, most := range map[int]int{tcpKeepIdle: 32767, tcpKeepIntvl: 32767, tcpKeepCnt: 127} {
		for _, v := range []int{0, -1, most + 1} {
			p.want(s.SetInt(core.SolTCP, name, v), syscall.EINVAL)
		}
		s.sets(core.SolTCP, name, 1)
		s.sets(core.SolTCP, name, most)
	}
}

func TestWithoutKeepaliveNothingIsProbed(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.kept()
	c.sets(core.SolSocket, core.SoKeepalive, 0)
	p.quiet(24 * time.Hour)
	c.sets(core.SolSocket, core.SoKeepalive, 1) // long past: at once
	p.wait(0)
	p.out(plain, seq(0))
}

func TestAcceptedConnectionsInheritKeepalive(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	l := p.listen(1)
	l.sets(core.SolSocket, core.SoKeepalive, 1)
	l.sets(core.SolTCP, tcpKeepIdle, 5)
	p.accepted(l)
	p.sends(5 * time.Second)
	p.out(plain, seq(0), ack(1))
}

// While data wait for an acknowledgement the retransmission timer watches the
// peer.
func TestKeepaliveDoesNotProbeBesideData(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.kept()
	c.sets(core.SolTCP, tcpUserTimeout, 0)
	c.writes("x")
	p.out(plain, seq(1), data("x"))
	p.wait(20 * time.Second)
	for {
		s, _, ok := p.read()
		if !ok {
			break
		}
		if s.seq != 1 {
			t.Errorf("a probe of byte %d while data are outstanding", s.seq)
		}
	}
	c.state("ESTABLISHED")
	p.counts("TcpExt.TCPKeepAlive", 0)
}

// TCP_USER_TIMEOUT takes the place of TCP_KEEPCNT.
func TestTCPUserTimeoutEndsKeepalive(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.kept()
	c.sets(core.SolTCP, tcpUserTimeout, 20000)
	p.sends(10 * time.Second)
	for range 3 {
		p.out(plain, seq(0))
		p.wait(3 * time.Second)
	}
	p.out(plain, seq(0)) // 19 s
	p.wait(3 * time.Second)
	p.out(rstack)
	c.pending(syscall.ETIMEDOUT)
}

func TestKeepaliveInAHalfClosedConnection(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.kept()
	c.shuts(core.ShutWrite)
	p.out(fin)
	p.in(plain)
	p.sends(10 * time.Second)
	p.out(plain, seq(1), ack(1))
	p.in(plain)
	c.state("FIN-WAIT-2")
}
