package session

import (
	"encoding/binary"
	"log/slog"
	"net"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/remote"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/protocols/udp"
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

// good is a link to a good module of this process, for x.
func (x *target) good() *hostile {
	l := &hostile{session: x.s, done: make(chan struct{})}
	l.server = newServer(inner{l}, []Served{{Name: "udp", Open: udp.Protocol().NewHandler, Sysctls: sysctl.Of[udp.Sysctls]()},
		{Name: "sink", Device: func(map[string]string) (core.Device, error) { return sink{}, nil }}}, slog.New(slog.DiscardHandler))
	return l
}

// takeOver has another process, which says messages after it was given some, take
// over from a good one with open sockets.
func (x *target) takeOver(t testing.TB, after int, messages [][]byte) {
	old, other := x.good(), &talker{x.good(), after, messages}
	defer old.server.close()
	defer other.server.close()
	x.rig.Domain.Do(func() {
		x.s.link, x.s.unhandled, x.s.pulse = old, 0, pulse{}
		for _, st := range x.s.stubs {
			if err := st.greet(); err != nil {
				t.Fatal(err)
			}
		}
		for _, d := range x.s.devices {
			if err := d.again(); err != nil || !d.open {
				t.Fatal(err)
			}
		}
	})
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
