package modules_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/coretest/talk"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/plugin"
	"github.com/libos-go/libos/plugin/control"
	"github.com/libos-go/libos/plugin/modules"
)

// otherModule serves what the program's name says.
func otherModule(name string) {
	if speaks, ok := talks[name]; ok {
		plugin.Main(plugin.Module{Name: name, Version: "1.0.0", Description: "Connections with several paths", License: "Apache-2.0", Contract: speaks,
			Protocols: []plugin.Protocol{{Protocol: talk.Protocol(), Sysctls: sysctl.Of[talk.Sysctls]()}}})
	}
	if strings.Contains(" top middle base a b c d e ", " "+name+" ") {
		neededModule(name)
	}
	if name == "paced" {
		pacedModule()
	}
	slog.Error("no such module", "name", name)
	os.Exit(1)
}

// talks are modules of the protocol by name, with the versions of the contract that
// they speak.
var talks = map[string]control.Range{"talk": {}, "talk-1": {Oldest: 1, Newest: 1}, "talk-2-3": {Oldest: 2, Newest: 3}, "talk-3-4": {Oldest: 3, Newest: 4}}

func stream(t *testing.T, in *core.Instance) *core.Socket {
	t.Helper()
	s, err := in.Socket(core.AFInet, core.SockStream, talk.Number)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func tell(t *testing.T, s *core.Socket, text string) {
	t.Helper()
	if n, err := s.Send(&core.Message{Data: []byte(text)}); n != len(text) || err != nil {
		t.Errorf("%q: sent %d bytes, %v", text, n, err)
	}
}

func told(t *testing.T, s *core.Socket, want string) (flags int) {
	t.Helper()
	m := core.Message{Data: make([]byte, 64)}
	n, err := s.Receive(&m)
	if err != nil || string(m.Data[:max(n, 0)]) != want {
		t.Errorf("received %q, %v; want %q", m.Data[:max(n, 0)], err, want)
	}
	return m.OutFlags
}

// A protocol with connections, several addresses of a peer, timers, notifications
// and options of its own is a module like another, over links that lose, and goes
// over to another process in the middle of its conversations.
func TestAProtocolWithConnectionsIsAModuleAndIsReplaced(t *testing.T) {
	m := manager(t, modules.Options{Dirs: []string{buildAs(t, "talk")}})
	rig := coretest.New(t, host.NewVirtual(3))
	w := networks()
	a, b := rig.Instance("a", w), rig.Instance("b", w)
	bad := pipe.Wire{Delay: time.Millisecond, Loss: 0.1, Duplicate: 0.05, Reorder: 0.05, ReorderDelay: 3 * time.Millisecond}
	for i := range 2 {
		da, db := pipe.New(pipe.Config{Wire: bad})
		rig.Attach(a, da, fmt.Sprint("eth", i), fmt.Sprintf("10.0.%d.1/24", i))
		rig.Attach(b, db, fmt.Sprint("eth", i), fmt.Sprintf("10.0.%d.2/24", i))
	}
	rig.Do(func() {
		for _, in := range []*core.Instance{a, b} {
			if err := m.Attach(in, "talk"); err != nil {
				t.Fatal(err)
			}
		}
		replace := func() {
			t.Helper()
			if lost, err := m.Replace("talk", modules.ReplaceOptions{}); lost != 0 || err != nil {
				t.Fatalf("%d sockets lost, %v", lost, err)
			}
		}
		l := stream(t, b)
		at := core.SockAddr{Addr: wire.MustAddr("10.0.0.2"), Port: 7}
		if err := errors.Join(l.Bind(at), l.Listen(4)); err != nil {
			t.Fatal(err)
		}
		var clients, servers []*core.Socket
		connect := func() {
			t.Helper()
			c := stream(t, a)
			if err := errors.Join(c.Connect(at), c.SetInt(talk.Level, talk.Notify, 1)); err != nil {
				t.Fatal(err)
			}
			s, _, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			clients, servers = append(clients, c), append(servers, s)
		}
		for round := range 3 { // opened before, between and after
			connect()
			for i, c := range clients {
				tell(t, c, fmt.Sprint("to ", i))
			}
			replace() // with messages on their way
			for i, s := range servers {
				told(t, s, fmt.Sprint("to ", i))
				tell(t, s, fmt.Sprint("from ", i))
			}
			for i, c := range clients {
				flags := told(t, c, fmt.Sprint("from ", i))
				if flags != core.MsgEOR {
					t.Errorf("round %d: flags %x", round, flags)
				}
			}
		}
		if err := b.InterfaceByName("eth0").SetUp(false); err != nil {
			t.Fatal(err)
		}
		tell(t, clients[0], "the other way")
		replace()
		told(t, servers[0], "the other way")
		if flags := told(t, clients[0], "path change"); flags&core.MsgNotification == 0 {
			t.Errorf("flags %x: want a notification", flags)
		}
		if err := m.Unload("talk"); !errors.Is(err, syscall.EBUSY) {
			t.Errorf("unloaded in use: %v", err)
		}
	})
	if st := m.List()[0]; st.PID == os.Getpid() || st.Replaced != 4 || st.Restarts != 0 || st.Sockets != 7 || st.Traffic.Packets < 30 {
		t.Errorf("%+v", st)
	}
}

// Host and module speak the newest version of the contract that both know, over
// rings and streams; what is newer is not asked of the other.
func TestHostAndModuleAgreeOnAVersionOfTheContract(t *testing.T) {
	both, only1, only2 := control.Range{Oldest: 1, Newest: 2}, control.Range{Oldest: 1, Newest: 1}, control.Range{Oldest: 2, Newest: 2}
	for _, x := range []struct {
		name   string
		host   control.Range
		stream bool
		agreed int    // 0: none
		why    string // when there is none
	}{
		{name: "talk", host: both, agreed: 2},
		{name: "talk", host: only1, agreed: 1},
		{name: "talk", host: control.Range{Oldest: 2, Newest: 3}, agreed: 2},
		{name: "talk-1", host: both, agreed: 1},
		{name: "talk-1", host: both, stream: true, agreed: 1},
		{name: "talk-2-3", host: both, agreed: 2},
		{name: "talk-2-3", host: both, stream: true, agreed: 2},
		{name: "talk-1", host: only2, why: "talk-1 speaks version 1 of the contract, this libos 2: build the module against this version"},
		{name: "talk-3-4", host: both, why: "talk-3-4 speaks version 3 to 4 of the contract, this libos 1 to 2: build the module against this version"},
	} {
		t.Run(fmt.Sprintf("%s of a host of %v, stream %v", x.name, x.host, x.stream), func(t *testing.T) {
			m := manager(t, modules.Options{Dirs: []string{buildAs(t, x.name)}, Contract: x.host, Stream: x.stream})
			if _, err := m.Load(x.name, nil); x.agreed == 0 {
				if err == nil || !strings.Contains(err.Error(), x.why) {
					t.Errorf("%v: want %q", err, x.why)
				}
				return
			}
			rig := coretest.New(t, host.NewVirtual(1))
			in := rig.Instance("a", networks())
			rig.Do(func() {
				if err := m.Attach(in, x.name); err != nil {
					t.Fatal(err)
				}
				l, c := stream(t, in), stream(t, in)
				at := core.SockAddr{Addr: wire.MustAddr("127.0.0.1"), Port: 7}
				if err := errors.Join(l.Bind(at), l.Listen(4), c.Connect(at)); err != nil {
					t.Fatal(err)
				}
				s, _, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				tell(t, c, "hello")
				told(t, s, "hello")
				// Only since version 2 can connections go over.
				lost, err := m.Replace(x.name, modules.ReplaceOptions{})
				if x.agreed == 1 && (!errors.Is(err, syscall.EBUSY) || !strings.Contains(err.Error(), "2 connections of talk")) || x.agreed == 2 && err != nil || lost != 0 {
					t.Errorf("version %d: %d sockets lost, %v", x.agreed, lost, err)
				}
				tell(t, c, "still here")
				told(t, s, "still here")
			})
			if st := m.List()[0]; st.Contract != x.agreed || st.Restarts != 0 || st.Traffic.Faults != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// What a user and a protocol say of single messages crosses to a module and back over
// rings and streams, also of a message that one process took and another sends again,
// and the other goes on to say what was asked of the one.
func TestControlMessagesCrossToAModuleAndToItsSuccessor(t *testing.T) {
	for _, streams := range []bool{false, true} {
		m := manager(t, modules.Options{Dirs: []string{buildAs(t, "talk")}, Stream: streams})
		rig := coretest.New(t, host.NewVirtual(5))
		in := rig.Instance("a", networks())
		rig.Do(func() {
			if err := m.Attach(in, "talk"); err != nil {
				t.Fatal(err)
			}
			l, c := stream(t, in), stream(t, in)
			at := core.SockAddr{Addr: wire.MustAddr("127.0.0.1"), Port: 7}
			if err := errors.Join(l.Bind(at), l.Listen(4), c.Connect(at)); err != nil {
				t.Fatal(err)
			}
			s, _, err := l.Accept()
			if err = errors.Join(err, s.SetInt(talk.Level, talk.WantInfo, 1)); err != nil {
				t.Fatal(err)
			}
			for i := range uint32(4) {
				want := talk.Info{Stream: uint16(i), Payload: 1000 + i}
				out := core.Message{Data: []byte("with more")}
				if err := out.ParseControl(want.Control().AppendTo(nil)); err != nil {
					t.Fatal(err)
				}
				if _, err := c.Send(&out); err != nil {
					t.Fatal(err)
				}
				if lost, err := m.Replace("talk", modules.ReplaceOptions{}); lost != 0 || err != nil {
					t.Fatalf("%d sockets lost, %v", lost, err)
				}
				back := core.Message{Data: make([]byte, 20)}
				n, err := s.Receive(&back)
				said, rest, _ := core.NextControl(s.AppendControl(nil, &back))
				if got, ok := talk.ParseInfo(said.Data); string(back.Data[:n]) != "with more" || err != nil || !ok || got != want || said.Name != talk.ReceiveInfo || len(rest) != 0 {
					t.Errorf("streams %v: %q with %+v and %+v, %v; want %+v", streams, back.Data[:n], got, said, err, want)
				}
			}
			out := core.Message{Data: []byte("x"), Ancillary: talk.Info{Stream: talk.Streams}.Control().AppendTo(nil)}
			if _, err := c.Send(&out); err != syscall.EINVAL {
				t.Errorf("a stream that there is not: %v", err)
			}
		})
		if st := m.List()[0]; st.PID == os.Getpid() || st.Replaced != 4 || st.Restarts != 0 || st.Traffic.Faults != 0 {
			t.Errorf("%+v", st)
		}
	}
}
