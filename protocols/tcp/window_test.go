package tcp_test

import (
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
)

// Windows (RFC 9293 §3.8, RFC 7323 §2).

// RFC 7323 §2.2: the scale is what the largest buffer needs, 14 at most (Linux: as if all of
// its memory were window), and the
// window of a SYN is not scaled.
func TestTheScaleFollowsTheBuffer(t *testing.T) {
	for _, x := range []struct {
		most  string
		scale int
	}{
		{"4096 131072 131072", 2}, {"4096 65535 65535", 0}, {"4096 131072 6291456", 7}, {"4096 131072 2147483647", 14},
	} {
		p := newPeer(t, addrA, addrB)
		p.setting("tcp_rmem", x.most)
		p.connect()
		s := p.out(syn, seq(0), wscale(x.scale))
		if x.scale > 0 && s.window < 65535-1 {
			t.Errorf("rmem %s: window %d", x.most, s.window)
		}
		p.in(rstack)
	}
}

func TestASetBufferChoosesTheScale(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	s := p.socket()
	s.sets(core.SolSocket, core.SoRcvBuf, 20000)
	s.connects()
	p.out(syn, wscale(0), win(20000))
	p.in(rstack)
}

func TestWindowsAreScaledOnceTheHandshakeIsOver(t *testing.T) {
	p := newReno(t)
	c := p.after(0, wscale(3), win(800)) // 800 bytes, as it stands
	c.writes(text(5 * full))
	p.out(plain, seq(1), length(800))
	p.in(plain, win(375)) // 3000 bytes
	p.outs(801, 3)
	p.in(plain, win(0))
}

func TestWithoutTheOptionOfThePeerNothingIsScaled(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	p.after(0)
	p.in(plain, data("x"))
	if s := p.out(plain); s.window < 60000 {
		t.Errorf("window %d is scaled", s.window)
	}
}

func TestTheSettingTurnsScalingOff(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	p.setting("tcp_window_scaling", "0")
	p.connect()
	p.out(syn, without("wscale"))
	p.in(synack, wscale(5), win(10))
	p.out(plain)
}

// small is a connection with a receive window of 10000 bytes.
func small(t *testing.T, parts ...part) (*peer, *sock) {
	t.Helper()
	p := newPeer(t, addrA, addrB)
	s := p.socket()
	s.sets(core.SolSocket, core.SoRcvBuf, 10000)
	s.connects()
	p.out(syn, win(10000))
	p.in(synack, append([]part{mss(full)}, parts...)...)
	p.out(plain, win(10000))
	return p, s
}

func TestTheWindowShutsAsDataWait(t *testing.T) {
	p, c := small(t)
	for i := 1; i <= 10; i++ {
		p.in(plain, data(text(full)))
		for s, _, ok := p.read(); ok; s, _, ok = p.read() {
			if s.ack+s.window != 10001 {
				t.Errorf("the edge is at %d", s.ack+s.window)
			}
		}
	}
	p.wait(40 * milli)
	p.out(plain, ack(10001), win(0))
	p.counts("TcpExt.TCPToZeroWindowAdv", 1)
	c.reads(strings.Repeat(text(full), 10)[:10000])
	p.out(plain, ack(10001), win(10000))
	p.counts("TcpExt.TCPFromZeroWindowAdv", 1)
}

// RFC 9293 §3.8.6.2.2: the window opens in steps that are worth a segment.
func TestAReaderOfSmallPiecesOpensTheWindowInSteps(t *testing.T) {
	p, c := small(t)
	for range 10 {
		p.in(plain, data(text(full)))
	}
	p.wait(40 * milli)
	p.drop()
	steps := 0
	for range 10 * full / 100 {
		n, err := c.Receive(&core.Message{Data: make([]byte, 100)})
		if n != 100 || err != nil {
			t.Fatalf("read %d bytes: %v", n, err)
		}
		p.Advance(0)
		for s, _, ok := p.read(); ok; s, _, ok = p.read() {
			if steps++; s.window < full {
				t.Errorf("the window opened by %d bytes", s.window)
			}
		}
	}
	if steps == 0 || steps > 4 { // when it has doubled
		t.Errorf("%d window updates", steps)
	}
}

// RFC 9293 §3.8.6: the edge of the window does not move back, whatever becomes of
// the buffer.
func TestASmallerBufferDoesNotShrinkTheWindow(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.after(0, wscale(0))
	p.in(plain, data("x"))
	s := p.out(plain)
	edge := s.ack + s.window<<6
	c.sets(core.SolSocket, core.SoRcvBuf, 4096)
	for range 20 {
		p.in(plain, length(full))
		p.wait(40 * milli)
		for s, _, ok := p.read(); ok; s, _, ok = p.read() {
			if now := s.ack + s.window<<6; now < edge {
				t.Errorf("the edge went from %d to %d", edge, now)
			} else {
				edge = now
			}
		}
	}
}

func TestDataBeyondTheWindowAreCutOff(t *testing.T) {
	p, c := small(t)
	for range 9 {
		p.in(plain, data(text(full)))
	}
	p.drop()
	p.in(plain, data(text(full)+"beyond"))
	p.out(plain, ack(10001), win(0))
	c.reads(strings.Repeat(text(full), 10))
	p.drop()
}

func TestASegmentOutsideTheWindowIsAnswered(t *testing.T) {
	p, c := small(t)
	p.in(plain, seq(10001), data("x"))
	p.out(plain, ack(1), win(10000))
	c.failsToRead(again)
}

// RFC 9293 §3.8.6.1: probes of a shut window are answered, and their
// acknowledgements count.
func TestAProbeOfAShutWindowIsAnswered(t *testing.T) {
	p, c := small(t)
	for range 10 {
		p.in(plain, length(full))
	}
	p.drop()
	c.writes("hi")
	p.out(plain, data("hi"), win(0))
	p.in(plain, length(1), ack(3))
	p.out(plain, ack(10001), win(0))
	p.in(plain, seq(10000), ack(3))
	p.out(plain, ack(10001), win(0))
	p.quiet(time.Minute) // "hi" is not sent again
}

// The window of a peer that uses it up to the last byte, and whose segment was
// lost: what it acknowledges meanwhile counts.
func TestAnAckAtTheEdgeOfTheWindowCounts(t *testing.T) {
	p, c := small(t)
	c.writes("hi")
	p.out(plain, data("hi"))
	p.in(plain, seq(10001), ack(3))
	p.quiet(time.Minute)
}

// The sender's side.

func TestThePeersWindowHoldsDataBack(t *testing.T) {
	p := newReno(t)
	p.window = 3000
	c := p.after(0)
	c.writes(text(5 * full))
	p.outs(1, 3)
	p.in(plain, ack(1001), win(2000))
	p.silent()
	p.in(plain, ack(2001), win(3000))
	p.outs(3001, 2)
	p.in(plain)
}

// RFC 9293 §3.8.6.2.1: less than a segment goes only if it is half of the largest
// window, or all there is.
func TestSillyWindowsAreNotFilled(t *testing.T) {
	p := newReno(t)
	p.window = 4000
	c := p.after(0)
	c.writes(text(10 * full))
	p.outs(1, 4)
	p.in(plain, win(900))
	p.silent()
	p.in(plain, win(1000))
	p.outs(4001, 1)
	p.in(plain, win(0))
}

func TestHalfOfASmallWindowIsFilled(t *testing.T) {
	p := newReno(t)
	p.window = 800
	c := p.after(0)
	c.writes(text(2 * full))
	p.out(plain, length(800))
	p.in(plain, win(399))
	p.silent()
	p.in(plain, win(400))
	p.out(plain, seq(801), length(400))
	p.in(plain, win(0))
}

// RFC 9293 §3.8.6.2.1, the override timeout.
func TestASillyWindowIsUsedAfterAWhile(t *testing.T) {
	p := newReno(t)
	p.window = 4000
	c := p.after(100 * milli)
	c.writes(text(10 * full))
	p.outs(1, 4)
	p.in(plain, win(900))
	p.quiet(200 * milli)
	p.wait(300 * milli)
	p.out(plain, seq(4001), length(900))
	p.in(plain, win(0))
}

// RFC 9293 §3.8.6.1: a shut window is probed, ever more seldom and without end as
// long as the peer answers.
func TestAShutWindowIsProbedForEver(t *testing.T) {
	p := newReno(t)
	c := p.after(100*milli, win(0))
	c.writes("hello")
	d := 300 * milli
	for range 30 {
		p.sends(d)
		p.out(plain, seq(0))
		p.in(plain, ack(1), win(0))
		d = min(2*d, 120*time.Second)
	}
	c.state("ESTABLISHED")
	p.counts("TcpExt.TCPWinProbe", 30)
	p.in(plain, ack(1), win(1000))
	p.out(plain, seq(1), data("hello"))
	p.sends(300 * milli) // the backoff is over
	p.out(plain, seq(1), data("hello"))
	p.in(plain)
}

func TestAPeerThatDoesNotAnswerProbesIsGivenUp(t *testing.T) {
	p := newReno(t)
	c := p.after(100*milli, win(0))
	c.writes("hello")
	p.wait(time.Hour)
	if n := p.drop(); n != 15 { // tcp_retries2
		t.Errorf("%d probes", n)
	}
	c.state("CLOSED")
	c.pending(timedOut)
}

// RFC 9293 §3.8.6: a peer may take back what it offered. What is outstanding is
// sent again one by one, and the connection lives while the peer does.
func TestAPeerThatShrinksItsWindowIsNotLost(t *testing.T) {
	p := newReno(t)
	c := p.after(100 * milli)
	c.writes(text(5 * full))
	p.outs(1, 5)
	p.in(plain, ack(1), win(0))
	d := 300 * milli
	for range 20 {
		p.sends(d)
		p.outs(1, 1)
		p.in(plain, ack(1), win(0))
		d = min(2*d, 120*time.Second)
	}
	c.state("ESTABLISHED")
	p.in(plain, ack(1), win(5000))
	p.outs(1, 1)
	p.in(plain, ack(1001), win(5000))
	p.outs(1001, 2)
	p.in(plain, ack(5001))
}

func TestAWindowUpdateOfAnOldSegmentIsIgnored(t *testing.T) {
	p := newReno(t)
	c := p.after(0, win(2000))
	p.in(plain, seq(4), data("def"), win(3000))
	p.in(plain, seq(1), data("abc"), win(1000)) // older than what gave 3000
	p.drop()
	c.writes(text(3 * full))
	p.outs(1, 3)
	p.in(plain)
}
