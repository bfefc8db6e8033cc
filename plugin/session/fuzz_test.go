package session

import (
	"bytes"
	"encoding/binary"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/ipv4"
	"github.com/libos-go/libos/core/ipv6"
	"github.com/libos-go/libos/core/remote"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/device/loopback"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/plugin/control"
	"github.com/libos-go/libos/protocols/udp"
)

// hostile is a Link whose other end is a good module that works within Send, until
// it says what it was given.
type hostile struct {
	session *Session
	server  *Server
	queue   [][]byte // to the module
	busy    bool
	say     [][]byte // to the stack
	answers [][]byte // to the module
	done    chan struct{}
}

func (l *hostile) Send(msg []byte) bool {
	l.queue = append(l.queue, bytes.Clone(msg))
	if !l.busy {
		l.busy = true
		for len(l.queue) > 0 {
			msg := l.queue[0]
			l.queue = l.queue[1:]
			l.server.receive(msg)
		}
		l.busy = false
		for !call(msg) && !l.session.working && l.session.take(drainMost) > 0 { // what would come a moment later
		}
	}
	return true
}

// call tells whether the stack waits for an answer to a message.
func call(msg []byte) bool {
	switch kind(msg) {
	case remote.KindHello, remote.KindSend, remote.KindCounters, remote.KindClose, remote.KindSave, remote.KindRestore, kindDeviceOpen, kindDeviceClose, kindDeviceSync:
		return true
	}
	return false
}

func (l *hostile) Next() ([]byte, error) {
	if len(l.say) == 0 {
		return nil, nil
	}
	msg := l.say[0]
	l.say = l.say[1:]
	return msg, nil
}
func (l *hostile) Answer(msg []byte, _ time.Time) error {
	l.answers = append(l.answers, bytes.Clone(msg))
	return nil
}
func (l *hostile) Borrow() []byte                       { return nil }
func (l *hostile) Room(time.Time) error                 { return nil }
func (l *hostile) Ready() bool                          { return len(l.say) > 0 }
func (l *hostile) Doze(time.Time) error                 { return ErrLost }
func (l *hostile) WaitAnswer(time.Time) ([]byte, error) { return nil, ErrLost }
func (l *hostile) Done() <-chan struct{}                { return l.done }
func (l *hostile) Close() error                         { return nil }

// inner is the module's end.
type inner struct{ *hostile }

func (l inner) Send(msg []byte) bool {
	l.say = append(l.say, bytes.Clone(msg))
	return true
}

func (l inner) WaitAnswer(time.Time) ([]byte, error) {
	for len(l.answers) == 0 {
		if l.session.take(1) == 0 {
			return nil, ErrLost
		}
	}
	msg := l.answers[0]
	l.answers = l.answers[1:]
	return msg, nil
}

// sink is a device of a module that takes what it is given.
type sink struct{}

func (sink) Properties() core.Properties {
	return core.Properties{Kind: "sink", MTU: 1500, MaxMTU: 9000}
}
func (sink) Attach(*core.Interface) {}
func (sink) Close() error           { return nil }
func (sink) Send(batch []*core.Packet) int {
	free(batch)
	return len(batch)
}

// target is a session with a handler of UDP and a device.
type target struct {
	rig *coretest.Rig
	s   *Session
	in  *core.Instance
}

func newTarget(t testing.TB) *target {
	rig := coretest.New(t, host.NewVirtual(1))
	in := rig.Instance("a", &core.Wiring{Name: "networks", Loopback: loopback.Device, Networks: []core.NetworkEntry{
		{Network: ipv4.Protocol(), Sysctls: sysctl.Of[ipv4.Sysctls](), Devices: sysctl.Of[ipv4.DeviceSysctls]()},
		{Network: ipv6.Protocol(), Sysctls: sysctl.Of[ipv6.Sysctls](), Devices: sysctl.Of[ipv6.DeviceSysctls]()},
	}})
	x := &target{rig: rig, in: in, s: New(rig.Domain, Options{Name: "fuzz", Patience: time.Second, Log: slog.New(slog.DiscardHandler)})}
	if err := in.AddProtocol(x.s.Protocol(udp.Protocol(), sysctl.Of[udp.Sysctls]())); err != nil {
		t.Fatal(err)
	}
	d := &Device{session: x.s, kind: "sink", props: sink{}.Properties()}
	x.s.devices = append(x.s.devices, d)
	rig.Attach(in, d, "sink0", "10.0.0.1/24")
	return x
}

// good is a link to a good module of this process, for x.
func (x *target) good() *hostile {
	l := &hostile{session: x.s, done: make(chan struct{})}
	l.server = newServer(inner{l}, []Served{{Name: "udp", Open: udp.Protocol().NewHandler, Sysctls: sysctl.Of[udp.Sysctls]()},
		{Name: "sink", Device: func(map[string]string) (core.Device, error) { return sink{}, nil }}}, slog.New(slog.DiscardHandler))
	return l
}

// connect has the session go on over a link to a good module, by hand: nobody
// listens to it.
func (x *target) connect(t testing.TB, l Link) {
	t.Helper()
	x.rig.Domain.Do(func() {
		x.s.link, x.s.unhandled, x.s.pulse = l, 0, pulse{}
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
}

// hear has the session hear messages from a module that was good until then, with
// a socket open and a datagram waiting in it. The module is lost afterwards.
func (x *target) hear(t testing.TB, messages ...[]byte) {
	l := x.good()
	defer l.server.close()
	x.connect(t, l)
	c, err := x.in.ListenPacket("udp4", "127.0.0.1:7")
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []net.Addr{c.LocalAddr(), &net.UDPAddr{IP: net.IP{10, 0, 0, 2}, Port: 9}} {
		if _, err := c.WriteTo([]byte("good"), to); err != nil {
			t.Fatal(err)
		}
	}
	x.rig.Advance(0)
	x.rig.Domain.Do(func() {
		for x.s.take(drainMost) > 0 {
		}
		l.say = append(l.say, messages...)
		for x.s.take(drainMost) > 0 {
		}
	})
	x.rig.Advance(0)
	x.rig.Domain.Do(func() { x.s.drop(x.s.link, ErrLost) })
	c.Close()
}

// message is one of kind k with a good header and body.
func message(k remote.Kind, number int, body []byte) []byte {
	return remote.Finish(append(begin(nil, k, number, 0), body...))
}

// split cuts content into messages, each behind its length in two bytes.
func split(content []byte) (messages [][]byte) {
	for len(content) >= 2 {
		n := min(int(binary.LittleEndian.Uint16(content)), len(content)-2)
		messages = append(messages, content[2:2+n])
		content = content[2+n:]
	}
	return messages
}

// deviceKinds are the messages of a device.
var deviceKinds = []remote.Kind{remote.KindFrames, remote.KindTaken, remote.KindLink, remote.KindLosses, kindDeviceTimer}

func FuzzReceive(f *testing.F) {
	for k := remote.KindOutput; k <= remote.KindOutputOn; k++ {
		m := message(k, 0, make([]byte, 60))
		f.Add(append(binary.LittleEndian.AppendUint16(nil, uint16(len(m))), m...))
	}
	for _, k := range deviceKinds {
		for _, body := range [][]byte{
			{1, 0, 0, 0}, {1, 0xdc, 5, 0, 0}, make([]byte, 8), make([]byte, 16),
			append([]byte{8, 0, 0, 0, 2, 0, 4, 0, 2, 0, 0, 0}, 0x45, 0, 0, 8, 0, 0, 0, 0),
		} {
			m := message(k, 0, body)
			f.Add(append(binary.LittleEndian.AppendUint16(nil, uint16(len(m))), m...))
		}
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, content []byte) {
		newTarget(t).hear(t, split(content)...)
	})
}

// FuzzStream has batches of any content come over a stream: each message lies in
// the batch that it came in, and a length that goes too far ends it.
func FuzzStream(f *testing.F) {
	f.Add(appendMessage(nil, []byte("abc")), appendMessage(nil, []byte("answer")))
	f.Add([]byte{1, 0, 0}, []byte{255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, messages, answers []byte) {
		sent := 0
		hold := make(chan struct{})
		l := NewStream(t.Context(), func(*control.Batch) error { return nil }, func() (*control.Batch, error) {
			if sent++; sent == 1 {
				return &control.Batch{Messages: messages, Answers: answers}, nil
			}
			<-hold
			return nil, io.EOF
		})
		defer close(hold)
		defer l.Close()
		read := func(content []byte, next func() ([]byte, error)) {
			for len(content) > 0 {
				want, rest, wrong := cut(content)
				got, err := next()
				if (err != nil) != (wrong != nil) || !bytes.Equal(got, want) {
					t.Fatalf("%x, %v, want %x, %v", got, err, want, wrong)
				}
				if wrong != nil {
					return
				}
				content = rest
			}
		}
		if len(messages) > 0 {
			if err := l.Doze(time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
		read(messages, l.Next)
		read(answers, func() ([]byte, error) { return l.WaitAnswer(time.Time{}) })
	})
}

// A stack that hears nonsense for long goes on: nothing stays in its slabs, which
// the Rig looks at, and its memory does not grow. Ten million messages when
// LIBOS_SOAK is 1.
func TestAHostileModuleLeavesNothingBehindSoak(t *testing.T) {
	most := uint64(10_000)
	if os.Getenv("LIBOS_SOAK") == "1" {
		most = 10_000_000
	}
	x := newTarget(t)
	r := rand.New(rand.NewPCG(7, 7))
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := uint64(0)
	for heard := uint64(0); heard < most; {
		good := x.s.Stats().Received
		m := make([][]byte, 1+r.IntN(8))
		for i := range m {
			m[i] = nonsense(r)
		}
		x.hear(t, m...)
		heard += min(x.s.Stats().Received-good, uint64(len(m)))
		if before == 0 && heard > most/10 {
			before = heap()
		}
	}
	if after := heap(); after > before+16<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
	if st := x.s.Stats(); st.Faults < most/20 {
		t.Errorf("%+v", st)
	}
}

func TestAModuleThatSetsTimersWithoutEndIsLost(t *testing.T) {
	x := newTarget(t)
	var m [][]byte
	for token := range uint64(1<<20 + 1) {
		body := binary.LittleEndian.AppendUint64(nil, token)
		m = append(m, message(remote.KindSetTimer, 0, binary.LittleEndian.AppendUint64(body, 1<<60)))
	}
	x.hear(t, m...)
	if st := x.s.Stats(); st.Faults != 1 || st.Received < 1<<20 {
		t.Errorf("%+v", st)
	}
}

// nonsense is a message that is wrong somewhere, or by chance nowhere.
func nonsense(r *rand.Rand) []byte {
	body := make([]byte, r.IntN(180))
	for i := range body {
		switch r.IntN(3) {
		case 0:
			body[i] = byte(r.Uint32())
		case 1:
			body[i] = byte(r.IntN(4))
		}
	}
	k := remote.KindOutput + remote.Kind(r.IntN(13))
	if r.IntN(3) == 0 {
		k = deviceKinds[r.IntN(len(deviceKinds))]
	}
	m := message(k, r.IntN(2), body)
	for range r.IntN(2) * r.IntN(3) {
		m[r.IntN(len(m))] = byte(r.Uint32())
	}
	return m
}

// What breaks the rules of devices ends the module, and is counted as its breach.
func TestADeviceThatBreaksTheContractEndsItsModule(t *testing.T) {
	frame := func(length uint32, head ...byte) []byte {
		return append(append(binary.LittleEndian.AppendUint32(nil, length), head...), 0x45, 0, 0, 8, 0, 0, 0, 0)
	}
	for what, m := range map[string][]byte{
		"a frame longer than its message":    message(remote.KindFrames, 0, frame(9, make([]byte, 8)...)),
		"bytes after a frame":                message(remote.KindFrames, 0, frame(7, make([]byte, 8)...)),
		"a checksum past the frame's end":    message(remote.KindFrames, 0, frame(8, 2, 0, 7, 0, 0, 0, 0, 0)),
		"a checksum state nobody knows":      message(remote.KindFrames, 0, frame(8, 3, 0, 0, 0, 0, 0, 0, 0)),
		"more taken than was sent":           message(remote.KindTaken, 0, []byte{0, 1, 0, 0}),
		"an MTU beyond the device's largest": message(remote.KindLink, 0, []byte{1, 0x29, 0x23, 0, 0}),
		"a carrier that is neither":          message(remote.KindLink, 0, []byte{2, 0xdc, 5, 0, 0}),
		"half of the losses":                 message(remote.KindLosses, 0, make([]byte, 8)),
		"a timer in real time":               message(kindDeviceTimer, 0, make([]byte, 8)),
	} {
		x := newTarget(t)
		x.hear(t, m)
		if st := x.s.Stats(); st.Faults != 1 || st.Lost != 1 {
			t.Errorf("%s: %+v", what, st)
		}
	}
	x := newTarget(t)
	x.hear(t, message(remote.KindFrames, 0, frame(8, make([]byte, 8)...)), message(remote.KindFrames, 1, nil))
	if st := x.s.Stats(); st.Faults != 0 || st.Frames != 1 {
		t.Errorf("a good frame, and one for a device that has ended: %+v", st)
	}
}
