package shim_test

import (
	"bytes"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest/talk"
	"github.com/libos-go/libos/core/shim"
	"github.com/libos-go/libos/device/pipe"
)

// sendWith sends text with control messages as sendmsg(2) does.
func sendWith(t *testing.T, s *core.Socket, text string, control ...[]byte) error {
	t.Helper()
	m := core.Message{Data: []byte(text)}
	if err := m.ParseControl(bytes.Join(control, nil)); err != nil {
		return err
	}
	_, err := s.Send(&m)
	return err
}

// receiveWith receives as recvmsg(2) does, without a notification's flags.
func receiveWith(t *testing.T, s *core.Socket, room, flags int) (text string, control []byte) {
	t.Helper()
	m := core.Message{Data: make([]byte, room), Flags: flags}
	n, err := s.Receive(&m)
	if err != nil {
		t.Fatal(err)
	}
	return string(m.Data[:n]), s.AppendControl(nil, &m)
}

// informs checks that control is one ReceiveInfo.
func informs(t *testing.T, control []byte, want talk.Info) {
	t.Helper()
	m, rest, ok := core.NextControl(control)
	got, fits := talk.ParseInfo(m.Data)
	if !ok || len(rest) != 0 || m.Level != talk.Level || m.Name != talk.ReceiveInfo || !fits || got != want {
		t.Errorf("% x came: %+v, want %+v", control, got, want)
	}
}

func info(stream uint16, payload uint32) []byte {
	return talk.Info{Stream: stream, Payload: payload}.Control().AppendTo(nil)
}

// What a user says of a message goes to the protocol with it, and what the protocol
// says of one to its user.
func TestControlMessagesOfTheProtocolCrossBothWays(t *testing.T) {
	eachWay(t, pipe.Config{}, func(t *testing.T, p *pair) {
		p.Do(func() {
			client, server := p.connected(t)
			if err := sendWith(t, client, "unasked", info(1, 5)); err != nil {
				t.Fatal(err)
			}
			if text, control := receiveWith(t, server, 20, 0); text != "unasked" || len(control) != 0 {
				t.Errorf("%q came with % x, which nobody asked for", text, control)
			}
			if err := server.SetInt(talk.Level, talk.WantInfo, 1); err != nil {
				t.Fatal(err)
			}
			long := strings.Repeat("0123456789", 1200) // in pages of its own
			for _, x := range []struct {
				text    string
				control [][]byte
				want    talk.Info
			}{
				{"said of it", [][]byte{info(3, 0xdecade)}, talk.Info{Stream: 3, Payload: 0xdecade}},
				{"nothing said", nil, talk.Info{}},
				{"", [][]byte{info(4, 1)}, talk.Info{Stream: 4, Payload: 1}},
				{"of another level", [][]byte{core.ControlMessage{Level: 77}.AppendTo(nil)}, talk.Info{}},
				{"among others", [][]byte{core.ControlMessage{Level: 77, Data: []byte("x")}.AppendTo(nil), info(5, 2),
					core.ControlMessage{Level: core.SolIP, Name: core.IPTTL, Data: []byte{9, 0, 0, 0}}.AppendTo(nil)}, talk.Info{Stream: 5, Payload: 2}},
				{long, [][]byte{info(6, 3)}, talk.Info{Stream: 6, Payload: 3}},
			} {
				if err := sendWith(t, client, x.text, x.control...); err != nil {
					t.Fatal(err)
				}
				text, control := receiveWith(t, server, len(long), 0)
				if text != x.text {
					t.Errorf("%d bytes came of %.20q", len(text), x.text)
				}
				informs(t, control, x.want)
			}
		})
	})
}

// A message that is looked at, or read in parts, comes with what is said of it each
// time (net/sctp/socket.c, sctp_recvmsg).
func TestEachPartOfAMessageComesWithItsControlMessages(t *testing.T) {
	eachWay(t, pipe.Config{}, func(t *testing.T, p *pair) {
		p.Do(func() {
			client, server := p.connected(t)
			if err := server.SetInt(talk.Level, talk.WantInfo, 1); err != nil {
				t.Fatal(err)
			}
			if err := sendWith(t, client, "0123456789", info(7, 8)); err != nil {
				t.Fatal(err)
			}
			_ = p.b.Sleep(1e9)
			for _, x := range []struct {
				room, flags, waiting int
				want                 string
			}{{20, core.MsgPeek, 10, "0123456789"}, {4, 0, 10, "0123"}, {20, 0, 6, "456789"}} {
				if n, err := server.Ioctl(core.SIOCINQ); n != x.waiting || err != nil {
					t.Errorf("%d bytes wait, %v; want %d", n, err, x.waiting)
				}
				text, control := receiveWith(t, server, x.room, x.flags)
				if text != x.want {
					t.Errorf("%q, want %q", text, x.want)
				}
				informs(t, control, talk.Info{Stream: 7, Payload: 8})
			}
			if n := must(server.Int(talk.Level, talk.Read))(t); n != 10 {
				t.Errorf("the protocol heard of %d bytes read", n)
			}
		})
	})
}

// What users ask for by options holds of messages that wait already, and a message
// comes with what is said of the one behind it.
func TestControlMessagesAreChosenWhenAMessageIsRead(t *testing.T) {
	eachWay(t, pipe.Config{}, func(t *testing.T, p *pair) {
		p.Do(func() {
			client, server := p.connected(t)
			for i := range uint16(4) {
				if err := sendWith(t, client, "x", info(i, 9)); err != nil {
					t.Fatal(err)
				}
			}
			_ = p.b.Sleep(1e9)
			for i, x := range []struct {
				option, on int
				want       []talk.Info // the next one's, its own
			}{
				{talk.WantNext, 1, []talk.Info{{Stream: 1, Payload: 9}}},
				{talk.WantInfo, 1, []talk.Info{{Stream: 2, Payload: 9}, {Stream: 1, Payload: 9}}},
				{talk.WantInfo, 0, []talk.Info{{Stream: 3, Payload: 9}}},
				{talk.WantInfo, 1, []talk.Info{{Stream: 3, Payload: 9}}},
			} {
				if err := server.SetInt(talk.Level, x.option, x.on); err != nil {
					t.Fatal(err)
				}
				var got []talk.Info
				_, control := receiveWith(t, server, 9, 0)
				for c, rest, ok := core.NextControl(control); ok; c, rest, ok = core.NextControl(rest) {
					v, _ := talk.ParseInfo(c.Data)
					got = append(got, v)
				}
				if !slices.Equal(got, x.want) {
					t.Errorf("message %d came with %+v, want %+v", i, got, x.want)
				}
			}
		})
	})
}

func TestErrorsOfControlMessages(t *testing.T) {
	eachWay(t, pipe.Config{}, func(t *testing.T, p *pair) {
		p.Do(func() {
			client, server := p.connected(t)
			most := bytes.Repeat(info(1, 1), core.MaxAncillary/24)
			for _, x := range []struct {
				name    string
				control []byte
				want    error
			}{
				{"a stream that there is not", info(talk.Streams, 1), syscall.EINVAL},
				{"a name that there is not", core.ControlMessage{Level: talk.Level, Name: 9}.AppendTo(nil), syscall.EINVAL},
				{"too long", append(most, info(1, 1)...), syscall.ENOBUFS},
				{"less than it says", info(1, 1)[:20], syscall.EINVAL},
				{"as many as a packet carries", most, nil},
			} {
				if err := sendWith(t, client, "x", x.control); err != x.want {
					t.Errorf("%s: %v, want %v", x.name, err, x.want)
				}
			}
			if _, err := client.Send(&core.Message{Data: []byte("x"), Ancillary: make([]byte, 16)}); err != syscall.EINVAL {
				t.Errorf("a control message shorter than its header: %v", err)
			}
			if text, _ := receiveWith(t, server, 9, 0); text != "x" {
				t.Errorf("%q came of the one that was sent", text)
			}
		})
	})
}

// answers is a protocol of datagrams that gives each send back to its socket with
// control messages of any level, and keeps what the user's were.
type answers struct {
	core.Handler
	env  core.Env
	told [][]byte
}

func (a *answers) Control(op *core.Op) { op.Done = true; op.Local = at(ours, 5) }

func (a *answers) Send(s core.SocketID, batch []*core.Packet) error {
	for _, p := range batch {
		a.told = append(a.told, bytes.Clone(p.TakeAncillary()))
		p.AddControl(core.SolSocket, 1, []byte("4 rights"))
		p.AddControl(talk.Level, 7, []byte("own"))
	}
	a.env.Deliver(s, batch)
	return nil
}

// A protocol gives control messages of its level and no others, and gets no others;
// one without a level has none at all. What is cut off a datagram is the user's bytes.
func TestAProtocolHasTheControlMessagesOfItsLevel(t *testing.T) {
	for _, level := range []int{talk.Level, 0} {
		for _, way := range []func(core.ProtocolEntry) core.ProtocolEntry{
			func(e core.ProtocolEntry) core.ProtocolEntry { return e },
			func(e core.ProtocolEntry) core.ProtocolEntry {
				return shim.Wrap(e, shim.Options{Failed: func(err error) { t.Error(err) }})
			},
		} {
			var a *answers
			e := talk.Entry()
			e.Protocol.ControlLevel = level
			e.Protocol.Sockets = []core.SocketKind{{Family: core.AFInet, Type: core.SockDgram, Protocol: talk.Number}}
			e.Protocol.NewHandler = func(env core.Env) core.Handler {
				a = &answers{Handler: talk.New(env), env: env}
				return a
			}
			in := alone(t, way(e))
			s := must(in.Socket(core.AFInet, core.SockDgram, talk.Number))(t)
			out := core.Message{Data: []byte("hello"), HasAddr: true, Addr: at(theirs, 7)}
			if err := out.ParseControl(append(info(1, 2), core.ControlMessage{Level: 17}.AppendTo(nil)...)); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Send(&out); err != nil {
				t.Fatal(err)
			}
			m := core.Message{Data: make([]byte, 3), Ancillary: []byte("of another call"), Flags: core.MsgTrunc}
			n, err := s.Receive(&m)
			if n != 5 || string(m.Data) != "hel" || m.OutFlags != core.MsgTrunc || err != nil {
				t.Errorf("level %d: %d bytes, %q, flags %x, %v", level, n, m.Data, m.OutFlags, err)
			}
			given := core.ControlMessage{Level: talk.Level, Name: 7, Data: []byte("own")}.AppendTo(nil)
			got := info(1, 2)
			if level == 0 {
				given, got = nil, nil
			}
			if !bytes.Equal(m.Ancillary, given) || len(a.told) != 1 || !bytes.Equal(a.told[0], got) {
				t.Errorf("level %d: it got % x and gave % x", level, a.told, m.Ancillary)
			}
		}
	}
}
