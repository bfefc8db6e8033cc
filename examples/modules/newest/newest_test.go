package newest_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/shim"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"

	"github.com/libos-go/libos/examples/modules/newest"
)

// straight is a link that only takes time.
var straight = pipe.Wire{Delay: time.Millisecond}

// each runs a test with the protocol linked in, and behind a wall that only bytes
// cross, as between two processes. Two hosts are on a link of one millisecond, in
// virtual time: the test takes no time of ours, and when it ends nothing may be
// left in the hosts' memory.
func each(t *testing.T, wire pipe.Wire, test func(t *testing.T, rig *coretest.Rig, a, b *core.Instance)) {
	entry := core.ProtocolEntry{Protocol: newest.Protocol(), Sysctls: sysctl.Of[newest.Sysctls]()}
	for name, e := range map[string]core.ProtocolEntry{
		"linked": entry,
		"module": shim.Wrap(entry, shim.Options{Failed: func(err error) { t.Error(err) }}),
	} {
		t.Run(name, func(t *testing.T) {
			rig := coretest.New(t, host.NewVirtual(1))
			w := libos.Wiring()
			a, b := rig.Instance("a", w), rig.Instance("b", w)
			da, db := pipe.New(pipe.Config{Wire: wire})
			rig.Attach(a, da, "eth0", "10.0.0.1/24", "fd00::1/64")
			rig.Attach(b, db, "eth0", "10.0.0.2/24", "fd00::2/64")
			rig.Do(func() {
				for _, in := range []*core.Instance{a, b} {
					if err := in.AddProtocol(e); err != nil {
						t.Fatal(err)
					}
				}
				test(t, rig, a, b)
			})
		})
	}
}

func open(t *testing.T, in *core.Instance, family int) *core.Socket {
	t.Helper()
	s, err := in.Socket(family, core.SockDgram, newest.Number)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func at(address string, port uint16) core.SockAddr {
	return core.SockAddr{Addr: wire.MustAddr(address), Port: port}
}

func TestADatagramArrivesAndIsAnswered(t *testing.T) {
	for family, to := range map[int]string{core.AFInet: "10.0.0.2", core.AFInet6: "fd00::2"} {
		each(t, straight, func(t *testing.T, rig *coretest.Rig, a, b *core.Instance) {
			server, client := open(t, b, family), open(t, a, family)
			defer server.Close()
			defer client.Close()
			if err := server.Bind(at(to, 7)); err != nil {
				t.Fatal(err)
			}
			if err := client.Connect(at(to, 7)); err != nil {
				t.Fatal(err)
			}
			for _, n := range []int{0, 1, 1000, 5000} { // the last one in fragments
				sent := bytes.Repeat([]byte{'x'}, n)
				if _, err := client.Send(&core.Message{Data: sent}); err != nil {
					t.Fatal(err)
				}
				m := core.Message{Data: make([]byte, 6000)}
				got, err := server.Receive(&m)
				if err != nil || !bytes.Equal(m.Data[:got], sent) {
					t.Fatalf("%d bytes of %d arrived, %v", got, n, err)
				}
				answer := core.Message{Data: m.Data[:got], Addr: m.Addr, HasAddr: true}
				if _, err := server.Send(&answer); err != nil {
					t.Fatal(err)
				}
				if got, err := client.Receive(&core.Message{Data: make([]byte, 6000)}); err != nil || got != n {
					t.Fatalf("%d bytes of %d came back, %v", got, n, err)
				}
			}
		})
	}
}

func TestAPortThatNobodyHasIsReported(t *testing.T) {
	each(t, straight, func(t *testing.T, rig *coretest.Rig, a, b *core.Instance) {
		client := open(t, a, core.AFInet)
		defer client.Close()
		if err := client.Connect(at("10.0.0.2", 9)); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Send(&core.Message{Data: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Receive(&core.Message{Data: make([]byte, 9)}); err != syscall.ECONNREFUSED {
			t.Errorf("receive: %v", err)
		}
	})
}

func TestTheSettingBoundsDatagrams(t *testing.T) {
	each(t, straight, func(t *testing.T, rig *coretest.Rig, a, b *core.Instance) {
		if err := a.SetSysctl("net.newest.max_size", "100"); err != nil {
			t.Fatal(err)
		}
		if err := a.SetSysctl("net.newest.max_size", "0"); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("out of range: %v", err)
		}
		client := open(t, a, core.AFInet)
		defer client.Close()
		if err := client.Connect(at("10.0.0.2", 9)); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Send(&core.Message{Data: make([]byte, 101)}); err != syscall.EMSGSIZE {
			t.Errorf("send: %v", err)
		}
	})
}

// missed is what a socket tells of what did not come in time.
func missed(t *testing.T, s *core.Socket) uint32 {
	t.Helper()
	var b [4]byte
	if _, err := s.Option(newest.Number, newest.OptionMissed, b[:]); err != nil {
		t.Fatal(err)
	}
	return binary.NativeEndian.Uint32(b[:])
}

// On a link on which some overtake others and some are lost, what comes is never
// older than what came before, and what is missing is told.
func TestNothingComesThatWasOvertaken(t *testing.T) {
	bad := pipe.Wire{Delay: time.Millisecond, Reorder: 0.2, ReorderDelay: 5 * time.Millisecond, Loss: 0.1, Duplicate: 0.1}
	each(t, bad, func(t *testing.T, rig *coretest.Rig, a, b *core.Instance) {
		server, client := open(t, b, core.AFInet), open(t, a, core.AFInet)
		defer server.Close()
		defer client.Close()
		if err := server.Bind(at("10.0.0.2", 7)); err != nil {
			t.Fatal(err)
		}
		const n = 500
		first, last, got := int64(-1), int64(-1), int64(0)
		receive := func() { // what has come by now
			for {
				m := core.Message{Data: make([]byte, 4), Flags: core.MsgDontWait}
				if _, err := server.Receive(&m); err != nil {
					return
				}
				i := int64(binary.BigEndian.Uint32(m.Data))
				if i <= last {
					t.Fatalf("%d came after %d", i, last)
				}
				if got++; first < 0 {
					first = i
				}
				last = i
			}
		}
		for i := range uint32(n) {
			m := core.Message{Data: binary.BigEndian.AppendUint32(nil, i), Addr: at("10.0.0.2", 7), HasAddr: true}
			if _, err := client.Send(&m); err != nil {
				t.Fatal(err)
			}
			rig.Host.(*host.Virtual).Sleep(time.Millisecond)
			receive()
		}
		rig.Host.(*host.Virtual).Sleep(20 * time.Millisecond)
		receive()
		if got < n/2 || got > n*9/10 {
			t.Errorf("%d of %d came", got, n)
		}
		if want, told := last-first+1-got, int64(missed(t, server)); told != want {
			t.Errorf("%d are told to be missing, want %d", told, want)
		}
		if again := missed(t, server); again != 0 {
			t.Errorf("asked again: %d", again)
		}
		if late := counter(b, "InLate"); late == 0 {
			t.Error("nothing was late")
		}
	})
}

func counter(in *core.Instance, name string) uint64 {
	for _, g := range in.Counters() {
		for i := range g.Names {
			if g.Group == "Newest" && g.Names[i] == name {
				return g.Values[i]
			}
		}
	}
	return 0
}

// Another socket is another stream: where it begins says nothing about the first.
func TestStreamsAreJudgedApart(t *testing.T) {
	each(t, straight, func(t *testing.T, rig *coretest.Rig, a, b *core.Instance) {
		server := open(t, b, core.AFInet)
		defer server.Close()
		if err := server.Bind(at("10.0.0.2", 7)); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			client := open(t, a, core.AFInet)
			if err := client.Bind(at("10.0.0.1", 9)); err != nil {
				t.Fatal(err)
			}
			if err := client.Connect(at("10.0.0.2", 7)); err != nil {
				t.Fatal(err)
			}
			if _, err := client.Send(&core.Message{Data: []byte("x")}); err != nil {
				t.Fatal(err)
			}
			server.SetReadDeadline(rig.Host.Now().Add(time.Second))
			if _, err := server.Receive(&core.Message{Data: make([]byte, 9)}); err != nil {
				t.Fatal(err)
			}
			client.Close()
		}
		if n := missed(t, server); n != 0 {
			t.Errorf("%d are told to be missing", n)
		}
	})
}

func TestAnUnknownOptionIsRefused(t *testing.T) {
	each(t, straight, func(t *testing.T, rig *coretest.Rig, a, b *core.Instance) {
		s := open(t, a, core.AFInet)
		defer s.Close()
		if _, err := s.Option(newest.Number, 77, make([]byte, 4)); err != syscall.ENOPROTOOPT {
			t.Errorf("option 77: %v", err)
		}
		if _, err := s.Option(newest.Number, newest.OptionMissed, make([]byte, 3)); err != syscall.EINVAL {
			t.Errorf("three bytes: %v", err)
		}
	})
}
