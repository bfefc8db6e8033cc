package tcp_test

import (
	"testing"
	"time"
)

// net.ipv4.tcp_max_orphans (net/ipv4/tcp.c, tcp_check_oom).
func TestAnOrphanTooManyIsReset(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	p.setting("tcp_max_orphans", "1")
	q, r := p.at(50001), p.at(50002)
	first, second, third := p.after(0), q.after(0), r.after(0)
	first.closes()
	p.out(fin, seq(1))
	second.closes()
	q.out(rstack, seq(1))
	p.counts("TcpExt.TCPAbortOnMemory", 1)
	p.in(plain, ack(2)) // in FIN-WAIT-2 it is an orphan no more
	third.closes()
	r.out(fin, seq(1))
	p.counts("TcpExt.TCPAbortOnMemory", 1)
}

func TestAnOrphanIsResetWhenItsTimerFindsTooMany(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.after(0)
	c.closes()
	p.out(fin, seq(1))
	p.setting("tcp_max_orphans", "0")
	p.wait(time.Second)
	p.out(rstack, seq(2))
	p.counts("TcpExt.TCPAbortOnMemory", 1)
	p.quiet(time.Minute)
}

func TestAResetIsNoOrphan(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	p.setting("tcp_max_orphans", "0")
	c := p.after(0)
	c.lingers(0)
	c.closes()
	p.out(rstack, seq(1))
	p.counts("TcpExt.TCPAbortOnMemory", 0)
}
