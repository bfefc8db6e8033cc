package tcp_test

import (
	"testing"

	"github.com/libos-go/libos/core"
)

func TestAnActiveOpenIsAThreeWayHandshake(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		c := p.connect()
		c.state("SYN-SENT")
		p.out(syn, seq(0), mss(1500-len40(p)), ts(0, 0), sackOK())
		p.in(synack, mss(1000), ack(1))
		p.out(plain, seq(1), ack(1))
		c.state("ESTABLISHED")
		c.is(core.ReadyOut)
		p.counts("Tcp.ActiveOpens", 1)
		p.counts("Tcp.PassiveOpens", 0)
		p.counts("Tcp.CurrEstab", 1)
	})
}

func TestAPassiveOpenIsAThreeWayHandshake(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		l := p.listen(1)
		p.in(syn, mss(1000), win(2000))
		p.out(synack, seq(0), ack(1), mss(1500-len40(p)), without("wscale", "sackOK", "timestamps"))
		l.is(0)
		p.counts("Tcp.PassiveOpens", 0)
		p.in(plain)
		l.is(core.ReadyIn)
		c := l.accept()
		c.state("ESTABLISHED")
		p.counts("Tcp.PassiveOpens", 1)
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
