package tcp_test

import (
	"syscall"
	"testing"

	"github.com/libos-go/libos/core"
)

// ioctl checks what a request of ioctl(2) gives.
func (s *sock) ioctl(name string, request, want int, errno error) {
	s.p.T.Helper()
	if n, err := s.Ioctl(request); n != want || err != errno {
		s.p.T.Errorf("%s: %d, %v; want %d, %v", name, n, err, want, errno)
	}
}

func TestBytesToReadEndAtTheUrgentOne(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.after(0)
	c.ioctl("SIOCINQ", core.SIOCINQ, 0, nil)
	p.in(urg, urgent(4), data("abcXdef"))
	p.out(plain)
	c.ioctl("SIOCINQ", core.SIOCINQ, 3, nil)
	c.ioctl("SIOCATMARK", core.SIOCATMARK, 0, nil)
	c.reads("abc")
	c.ioctl("SIOCINQ at the mark", core.SIOCINQ, 0, nil)
	c.ioctl("SIOCATMARK", core.SIOCATMARK, 1, nil)
	c.sets(core.SolSocket, core.SoOOBInline, 1)
	c.ioctl("SIOCINQ in line", core.SIOCINQ, 4, nil)
}

func TestBytesThatWaitForTheirAcknowledgement(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.after(0, win(4))
	c.writes("abcdef")
	p.out(plain, data("abcd"))
	c.ioctl("SIOCOUTQ", core.SIOCOUTQ, 6, nil)
	c.ioctl("SIOCOUTQNSD", core.SIOCOUTQNSD, 2, nil)
	p.in(plain, ack(5), win(100))
	p.out(push, seq(5), data("ef"))
	c.ioctl("SIOCOUTQ", core.SIOCOUTQ, 2, nil)
	c.ioctl("SIOCOUTQNSD", core.SIOCOUTQNSD, 0, nil)
	c.shuts(core.ShutWrite)
	p.out(fin, seq(7))
	c.ioctl("SIOCOUTQ with a FIN", core.SIOCOUTQ, 3, nil)
	p.in(plain, ack(8))
	c.ioctl("SIOCOUTQ", core.SIOCOUTQ, 0, nil)
}

func TestQueuesOfAListenerAreNone(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	l := p.listen(1)
	l.ioctl("SIOCINQ", core.SIOCINQ, 0, syscall.EINVAL)
	l.ioctl("SIOCOUTQ", core.SIOCOUTQ, 0, syscall.EINVAL)
	l.ioctl("SIOCATMARK", core.SIOCATMARK, 0, nil)
	l.ioctl("unknown", 1, 0, syscall.EINVAL)
	c := p.socket()
	c.ioctl("SIOCOUTQ", core.SIOCOUTQ, 0, nil)
	c.ioctl("unknown", 1, 0, syscall.ENOTTY)
}
