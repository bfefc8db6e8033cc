package core_test

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/ipv4"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/loopback"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/protocols/udp"
)

// plain is a wiring with IPv4 alone: what else there is comes later.
func plain() *core.Wiring {
	return &core.Wiring{Name: "plain", Loopback: loopback.Device,
		Networks: []core.NetworkEntry{{Network: ipv4.Protocol(), Sysctls: sysctl.Of[ipv4.Sysctls](), Devices: sysctl.Of[ipv4.DeviceSysctls]()}}}
}

func udpEntry() core.ProtocolEntry {
	return core.ProtocolEntry{Protocol: udp.Protocol(), Sysctls: sysctl.Of[udp.Sysctls]()}
}

func echo(t *testing.T, in *core.Instance) {
	t.Helper()
	a, err := in.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := a.WriteTo([]byte("hello"), a.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	var b [16]byte
	if n, _, err := a.ReadFrom(b[:]); err != nil || string(b[:n]) != "hello" {
		t.Errorf("read %q, %v", b[:n], err)
	}
}

func TestAProtocolIsAddedToARunningInstanceAndTakenAway(t *testing.T) {
	rig := coretest.New(t, host.NewVirtual(1))
	in, other := rig.Instance("a", plain()), rig.Instance("b", plain())
	rig.Do(func() {
		if _, err := in.Socket(core.AFInet, core.SockDgram, 0); err != syscall.ESOCKTNOSUPPORT {
			t.Errorf("without UDP: %v", err)
		}
		for round := range 3 {
			if err := in.AddProtocol(udpEntry()); err != nil {
				t.Fatal(round, err)
			}
			echo(t, in)
			if err := in.SetSysctl("net.ipv4.udp_rmem_min", "5000"); err != nil {
				t.Error(err)
			}
			if v, err := in.Sysctl("net.ipv4.conf.lo.forwarding"); err != nil || v != "0" {
				t.Errorf("a device's setting beside it: %q, %v", v, err)
			}
			if v, err := in.Sysctl("net.ipv4.ip_local_port_range"); err != nil || !strings.HasPrefix(v, "32768") {
				t.Errorf("the core's own setting beside it: %q, %v", v, err)
			}
			if err := in.RemoveProtocol("udp"); err != nil {
				t.Fatal(round, err)
			}
			if slices.ContainsFunc(in.SysctlNames(), func(n string) bool { return strings.HasPrefix(n, "net.ipv4.udp_") }) {
				t.Error("its settings are still there")
			}
		}
		if _, err := in.Socket(core.AFInet, core.SockDgram, 0); err != syscall.ESOCKTNOSUPPORT {
			t.Errorf("after UDP: %v", err)
		}
		if _, err := other.Socket(core.AFInet, core.SockDgram, 0); err != syscall.ESOCKTNOSUPPORT {
			t.Errorf("another instance of the same wiring has it: %v", err)
		}
	})
}

func TestAProtocolInUseStays(t *testing.T) {
	rig := coretest.New(t, host.NewVirtual(1))
	in := rig.Instance("a", plain())
	rig.Do(func() {
		if err := in.AddProtocol(udpEntry()); err != nil {
			t.Fatal(err)
		}
		if err := in.AddProtocol(udpEntry()); !errors.Is(err, syscall.EEXIST) {
			t.Errorf("twice: %v", err)
		}
		again := udpEntry()
		again.Protocol.Name = "udp again"
		if err := in.AddProtocol(again); !errors.Is(err, syscall.EEXIST) {
			t.Errorf("another with its number: %v", err)
		}
		s, err := in.Socket(core.AFInet, core.SockDgram, 0)
		if err != nil {
			t.Fatal(err)
		}
		if n := in.SocketsOf("udp"); n != 1 {
			t.Errorf("%d sockets", n)
		}
		if err := in.RemoveProtocol("udp"); !errors.Is(err, syscall.EBUSY) {
			t.Errorf("in use: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := in.RemoveProtocol("udp"); err != nil {
			t.Error(err)
		}
		if err := in.RemoveProtocol("udp"); !errors.Is(err, syscall.ENOENT) {
			t.Errorf("twice: %v", err)
		}
	})
}

func TestAMissingProtocolIsAskedFor(t *testing.T) {
	rig := coretest.New(t, host.NewVirtual(1))
	var asked []core.SocketKind
	in := rig.Adopt(core.New(core.Options{Name: "a", Domain: rig.Domain, Wiring: plain(), Autoload: func(in *core.Instance, k core.SocketKind) {
		asked = append(asked, k)
		if k.Type == core.SockDgram {
			if err := in.AddProtocol(udpEntry()); err != nil {
				t.Error(err)
			}
		}
	}}))
	rig.Do(func() {
		echo(t, in)
		echo(t, in)
		if _, err := in.Socket(core.AFInet, core.SockStream, 0); err != syscall.ESOCKTNOSUPPORT {
			t.Errorf("what nobody has: %v", err)
		}
	})
	if want := []core.SocketKind{{core.AFInet, core.SockDgram, 17}, {core.AFInet, core.SockStream, 0}}; !slices.Equal(asked, want) {
		t.Errorf("asked for %v, want %v", asked, want)
	}
}

// elsewhere is UDP with the handle that stands for a handler in another process.
type elsewhere interface {
	Lost(why syscall.Errno) (sockets int)
}

func TestALostProtocolCostsItsOwnSocketsOnly(t *testing.T) {
	rig := coretest.New(t, host.NewVirtual(1))
	in := rig.Instance("a", plain())
	var env elsewhere
	e := udpEntry()
	open := e.Protocol.NewHandler
	e.Protocol.NewHandler = func(v core.Env) core.Handler {
		env = v.(elsewhere)
		return open(v)
	}
	rig.Do(func() {
		if err := in.AddProtocol(e); err != nil {
			t.Fatal(err)
		}
		s, err := in.Socket(core.AFInet, core.SockDgram, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Bind(core.SockAddr{Addr: wire.MustAddr("127.0.0.1"), Port: 7}); err != nil {
			t.Fatal(err)
		}
		rig.Host.Start("lose it", func() {
			in.Domain().Do(func() {
				if n := env.Lost(syscall.ENETDOWN); n != 1 {
					t.Errorf("%d sockets were lost", n)
				}
				if n := env.Lost(syscall.ENETDOWN); n != 0 {
					t.Errorf("%d sockets were lost twice", n)
				}
			})
		})
		var b [8]byte
		for range 2 { // the waiting call, and every one after
			if n, err := s.Receive(&core.Message{Data: b[:]}); err != syscall.ENETDOWN {
				t.Errorf("read %d, %v", n, err)
			}
		}
		if err := s.Connect(core.SockAddr{Addr: wire.MustAddr("127.0.0.1"), Port: 9}); err != syscall.ENETDOWN {
			t.Errorf("connect: %v", err)
		}
		if _, err := s.Send(&core.Message{Data: b[:]}); err != syscall.ENETDOWN {
			t.Errorf("write: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		echo(t, in) // new sockets work
	})
}
