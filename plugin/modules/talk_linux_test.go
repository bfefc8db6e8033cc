package modules_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
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
	"github.com/libos-go/libos/plugin/modules"
)

// otherModule serves what the program's name says.
func otherModule(name string) {
	switch name {
	case "talk":
		plugin.Main(plugin.Module{Name: name, Version: "1.0.0", Description: "Connections with several paths", License: "Apache-2.0",
			Protocols: []plugin.Protocol{{Protocol: talk.Protocol(), Sysctls: sysctl.Of[talk.Sysctls]()}}})
	}
	slog.Error("no such module", "name", name)
	os.Exit(1)
}

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
