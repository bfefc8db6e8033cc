package session

import (
	"encoding/binary"
	"errors"
	"net"
	"testing"

	"github.com/libos-go/libos/core/remote"
)

// talker is a hostile link that says more when it was given so many messages.
type talker struct {
	*hostile
	after int
	more  [][]byte
}

// Send implements Link.
func (l *talker) Send(msg []byte) bool {
	if l.after--; l.after == 0 {
		l.say = append(l.say, l.more...)
	}
	return l.hostile.Send(msg)
}

// takeOver has another process, which says messages after it was given some, take
// over from a good one with open sockets.
func (x *target) takeOver(t testing.TB, after int, messages [][]byte) {
	old, other := x.good(), &talker{x.good(), after, messages}
	defer old.server.close()
	defer other.server.close()
	x.connect(t, old)
	c, err := x.in.ListenPacket("udp4", "127.0.0.1:7")
	if err != nil {
		t.Fatal(err)
	}
	lost := x.s.Stats().Lost
	x.rig.Domain.Do(func() {
		tk := &takeover{s: x.s, old: old, other: other}
		if err = tk.run(); err != nil {
			tk.undo()
			return
		}
		// What it says from now on is that of the module that runs: FuzzReceive.
		tk.deferred, other.say = nil, nil
		x.s.takeover, x.s.link = nil, other
	})
	if err != nil { // it did not take over: all is as before
		if x.s.Stats().Lost != lost || !x.s.Connected() {
			t.Fatalf("%v: the old process was lost with it", err)
		}
		if _, err := c.WriteTo([]byte("good"), &net.UDPAddr{IP: net.IP{127, 0, 0, 1}, Port: 7}); err != nil {
			t.Fatal(err)
		}
	}
	x.rig.Advance(0)
	x.rig.Domain.Do(func() { x.s.drop(x.s.link, ErrLost) })
	c.Close()
}

// FuzzTakeOver has a process say anything while it takes over.
func FuzzTakeOver(f *testing.F) {
	for k := remote.KindOutput; k <= remote.KindOutputOn; k++ {
		m := message(k, 0, make([]byte, 60))
		f.Add(uint8(k)%8, append(binary.LittleEndian.AppendUint16(nil, uint16(len(m))), m...))
	}
	for _, k := range append([]remote.Kind{remote.KindAnswer, kindPong, kindHandled, kindDecide}, deviceKinds...) {
		m := message(k, 0, make([]byte, 9))
		f.Add(uint8(k)%8, append(binary.LittleEndian.AppendUint16(nil, uint16(len(m))), m...))
	}
	f.Fuzz(func(t *testing.T, after uint8, content []byte) {
		newTarget(t).takeOver(t, int(after%16), split(content))
	})
}

// recorder is a link that keeps what its module sends to the network.
type recorder struct {
	*hostile
	sent [][]byte
}

// Next implements Link.
func (l *recorder) Next() ([]byte, error) {
	msg, err := l.hostile.Next()
	if msg != nil && kind(msg) == remote.KindOutputOn { // as a call, which is answered at once
		l.sent = append(l.sent, message(remote.KindOutput, 0, msg[remote.HeaderSize:]))
	}
	return msg, err
}

// What comes back over the loopback waits until the Domain goes on.
func TestAProcessThatFloodsTheLoopbackWhileItTakesOverIsGivenUp(t *testing.T) {
	x := newTarget(t)
	old, other := &recorder{hostile: x.good()}, &talker{hostile: x.good()}
	defer old.server.close()
	defer other.server.close()
	x.rig.Domain.Do(func() {
		x.s.link, x.s.unhandled, x.s.pulse = old, 0, pulse{}
		for _, st := range x.s.stubs {
			if err := st.greet(); err != nil {
				t.Fatal(err)
			}
		}
	})
	c, err := x.in.ListenPacket("udp4", "127.0.0.1:7")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const size = 8000
	if _, err := c.WriteTo(make([]byte, size), c.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	if len(old.sent) != 1 {
		t.Fatalf("%d packets", len(old.sent))
	}
	other.after = 2
	for range 3 * maxHeld / size {
		other.more = append(other.more, old.sent[0])
	}
	x.rig.Domain.Do(func() {
		tk := &takeover{s: x.s, old: old, other: other}
		if err := tk.run(); !errors.Is(err, ErrTakeOver) || !errors.Is(err, errSays) {
			t.Errorf("it took over: %v", err)
		}
		tk.undo()
	})
	if st := x.s.Stats(); st.Lost != 0 || !x.s.Connected() {
		t.Errorf("the old process was lost: %+v", st)
	}
	x.rig.Domain.Do(func() { x.s.drop(x.s.link, ErrLost) })
}

// What the stack has to say is held for whoever goes on.
func TestAProcessThatCausesMoreThanIsHeldDoesNotTakeOver(t *testing.T) {
	x := newTarget(t)
	old, other := x.good(), x.good()
	defer old.server.close()
	defer other.server.close()
	event, input := message(remote.KindEvent, 0, make([]byte, 1<<16)), message(remote.KindInput, 0, make([]byte, 1<<16))
	for _, c := range []struct {
		what    string
		link    Link
		msg     []byte
		failed  error // of the other
		slow    error // of the takeover
		old     bool  // is there still
		dropped bool
	}{
		{"packets at the other", other, input, errHolds, nil, true, true},
		{"events at the other", other, event, errHolds, nil, true, false},
		{"packets at the old", old, input, nil, errHolds, true, true},
		{"events at the old", old, event, nil, nil, false, false},
	} {
		x.rig.Domain.Do(func() {
			tk := &takeover{s: x.s, old: old, other: other}
			x.s.takeover, x.s.link = tk, c.link
			before := x.s.stats
			for range 4 * maxHeld / len(c.msg) {
				tk.hold(c.msg)
			}
			if tk.holding > 2*maxHeld+len(c.msg) || len(tk.held) > 2*maxHeld/len(c.msg)+1 {
				t.Errorf("%s: %d bytes are held", c.what, tk.holding)
			}
			if !errors.Is(tk.failed, c.failed) || tk.slow != c.slow && c.slow != nil {
				t.Errorf("%s: the other failed by %v, it is given up for %v", c.what, tk.failed, tk.slow)
			}
			if old := x.s.stats.Lost == before.Lost; old != c.old || (x.s.stats.Dropped > before.Dropped) != c.dropped {
				t.Errorf("%s: the old one is there: %v, %d were dropped", c.what, old, x.s.stats.Dropped-before.Dropped)
			}
			x.s.takeover, x.s.link = nil, nil
		})
	}
}
