package tcp_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
)

// Urgent data (RFC 9293 §3.8.5, RFC 6093): one byte out of band.

// oob reads the byte out of band.
func (s *sock) oob(flags int, want string, expected error) {
	s.p.T.Helper()
	b := make([]byte, 2)
	n, err := s.Receive(&core.Message{Data: b, Flags: core.MsgOOB | flags})
	if string(b[:n]) != want || err != expected {
		s.p.T.Errorf("out of band %q: %v, expected %q: %v", b[:n], err, want, expected)
	}
}

func TestTheUrgentByteIsReadOutOfBand(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.after(0)
	c.oob(0, "", syscall.EINVAL)
	p.in(urg, urgent(4), data("abcXdef"))
	p.out(plain)
	c.is(core.ReadyIn | core.ReadyOut | core.ReadyPri)
	c.oob(core.MsgPeek, "X", nil)
	c.oob(0, "X", nil)
	c.oob(0, "", syscall.EINVAL)
	c.reads("abc") // up to the mark
	c.reads("def") // and over it
	c.is(core.ReadyOut)
}

func TestTheUrgentByteCanStayInTheStream(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.after(0)
	c.sets(core.SolSocket, core.SoOOBInline, 1)
	p.in(urg, urgent(4), data("abcXdef"))
	p.out(plain)
	c.oob(0, "", syscall.EINVAL)
	c.reads("abc")
	c.reads("Xdef")
}

// The pointer may come before the byte: poll tells, and reading has to wait.
func TestAnAnnouncedUrgentByteIsWaitedFor(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.after(0)
	p.in(urg, urgent(5), data("abc"))
	p.out(plain)
	c.is(core.ReadyIn | core.ReadyOut | core.ReadyPri)
	c.oob(0, "", syscall.EAGAIN)
	c.reads("abc")
	p.in(plain, data("dX"))
	p.out(plain)
	c.oob(0, "X", nil)
	c.reads("d")
}

func TestAnUrgentByteAheadOfItsTurnIsTaken(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.after(0)
	p.in(urg, seq(4), urgent(2), data("dX"))
	p.out(plain, ack(1))
	c.oob(0, "X", nil)
	p.in(plain, seq(1), data("abc"))
	p.out(plain, ack(6))
	c.reads("abcd")
}

// An urgent byte alone is nothing to read (net/ipv4/tcp.c, tcp_poll).
func TestAnUrgentByteAloneIsNotReadable(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.after(0)
	p.in(urg, urgent(1), data("X"))
	p.out(plain)
	c.is(core.ReadyOut | core.ReadyPri)
	c.oob(0, "X", nil)
	c.failsToRead(again)
}

func TestPeekingLeavesTheUrgentByteWhereItIs(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.after(0)
	p.in(urg, urgent(1), data("Xab"))
	p.out(plain)
	b := make([]byte, 5)
	for range 2 {
		n, err := c.Receive(&core.Message{Data: b, Flags: core.MsgPeek})
		if string(b[:n]) != "ab" || err != nil {
			t.Errorf("peeked %q: %v", b[:n], err)
		}
	}
	c.oob(0, "X", nil)
	c.reads("ab")
}

// tcp_stdurg: RFC 1122 §4.2.2.4 has the pointer at the last urgent byte, everybody
// else one behind it.
func TestTheSettingChoosesWhatTheUrgentPointerMeans(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	p.setting("tcp_stdurg", "1")
	c := p.after(0)
	p.in(urg, urgent(3), data("abcX"))
	p.out(plain)
	c.oob(0, "X", nil)
	c.reads("abc")
}

func TestAnUrgentPointerToWhatWasReceivedSaysNothing(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.after(0)
	p.in(plain, data("abc"))
	p.out(plain)
	p.in(urg, seq(2), urgent(1), data("bcd"))
	p.out(plain)
	c.is(core.ReadyIn | core.ReadyOut)
	c.reads("abcd")
}

func TestAnUrgentByteIsSentWithItsPointer(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.after(0)
	c.writesWith(core.MsgOOB, "abX")
	p.out(urg, urgent(3), data("abX"))
	c.writes("after") // while it is under way Nagle's rule rests, as in Linux
	p.out(plain, data("after"))
	p.in(plain)
}

// Nagle's rule does not hold it back, and a shut window does not keep it secret.
func TestAnUrgentByteIsAnnouncedAtOnce(t *testing.T) {
	p := newReno(t)
	c := p.after(0)
	c.writes("a")
	p.out(plain, data("a"))
	c.writesWith(core.MsgOOB, "X")
	p.out(urg, seq(2), urgent(1), data("X"))
	p.in(plain, win(0))
	c.writesWith(core.MsgOOB, "Y")
	p.out(urg, seq(3), urgent(1))
	p.in(plain, ack(3), win(100))
	p.out(urg, seq(3), urgent(1), data("Y"))
	p.in(plain)
	c.writes("b")
	p.out(plain, seq(4), data("b"))
	p.in(plain)
}

func TestAnUrgentByteThatWasLostIsSentAgainAsUrgent(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * milli)
	c.writesWith(core.MsgOOB, "X")
	p.out(urg, urgent(1), data("X"))
	p.sends(300 * milli)
	p.out(urg, seq(1), urgent(1), data("X"))
	p.in(plain)
	p.quiet(time.Minute)
}
