package tcp_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
)

// What the tests of data transfer share: connections with a round-trip time, and
// runs of full segments. Segments of theirs carry 1000 bytes.

const full = 1000

// after is a connection that the instance opened to a peer rtt away. The parts are
// those of the peer's SYN-ACK.
func (p *peer) after(rtt time.Duration, parts ...part) *sock {
	p.T.Helper()
	s := p.connect()
	p.out(syn, seq(0))
	p.wait(rtt)
	p.in(synack, append([]part{mss(full)}, parts...)...)
	p.out(plain, seq(1), ack(1))
	return s
}

// text is n bytes that differ from place to place.
func text(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		b.WriteByte(byte('a' + i%26))
		if i%26 == 25 {
			b.WriteByte(byte('0' + i/26%10))
		}
	}
	return b.String()[:n]
}

// outs takes n full segments, from the sequence number first on.
func (p *peer) outs(first, n int) {
	p.T.Helper()
	for i := range n {
		p.out(plain, seq(first+i*full), length(full))
	}
}

// writesWith writes with flags, all of which has to be taken.
func (s *sock) writesWith(flags int, text string) {
	s.p.T.Helper()
	n, err := s.Send(&core.Message{Data: []byte(text), Flags: flags})
	if n != len(text) || err != nil {
		s.p.T.Errorf("wrote %d of %d bytes: %v", n, len(text), err)
	}
	s.p.Advance(0)
}

// reno has new connections use Reno, whose windows are easy to follow.
func (p *peer) reno() *peer {
	p.T.Helper()
	p.setting("tcp_congestion_control", "reno")
	return p
}

func newReno(t *testing.T) *peer {
	t.Helper()
	return newPeer(t, addrA, addrB).reno()
}

const (
	again    = syscall.EAGAIN
	reset    = syscall.ECONNRESET
	timedOut = syscall.ETIMEDOUT
)

const invalid = syscall.EINVAL
