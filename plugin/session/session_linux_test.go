package session_test

import (
	"errors"
	"log/slog"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/ipv4"
	"github.com/libos-go/libos/core/ipv6"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/device/loopback"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/plugin/session"
	"github.com/libos-go/libos/protocols/udp"
)

func networks() *core.Wiring {
	return &core.Wiring{Name: "networks", Loopback: loopback.Device, Networks: []core.NetworkEntry{
		{Network: ipv4.Protocol(), Sysctls: sysctl.Of[ipv4.Sysctls](), Devices: sysctl.Of[ipv4.DeviceSysctls]()},
		{Network: ipv6.Protocol(), Sysctls: sysctl.Of[ipv6.Sysctls](), Devices: sysctl.Of[ipv6.DeviceSysctls]()},
	}}
}

func served() []session.Served {
	return []session.Served{{Name: "udp", Open: udp.Protocol().NewHandler, Sysctls: sysctl.Of[udp.Sysctls]()}}
}

// module runs a module of this process that has UDP at the other end of rings.
func module(t testing.TB, s *session.Session) {
	t.Helper()
	serve(t, s, served())
}

func TestDatagramsCrossInLockstep(t *testing.T) {
	rig := coretest.New(t, host.NewVirtual(1))
	w := networks()
	a, b := rig.Instance("a", w), rig.Instance("b", w)
	da, db := pipe.New(pipe.Config{Wire: pipe.Wire{Delay: time.Millisecond}})
	rig.Attach(a, da, "eth0", "10.0.0.1/24")
	rig.Attach(b, db, "eth0", "10.0.0.2/24")
	s := session.New(rig.Domain, session.Options{Name: "udp", Lockstep: true})
	module(t, s)
	rig.Do(func() {
		for _, in := range []*core.Instance{a, b} {
			if err := in.AddProtocol(s.Protocol(udp.Protocol(), sysctl.Of[udp.Sysctls]())); err != nil {
				t.Fatal(err)
			}
		}
		server, err := b.ListenPacket("udp4", "10.0.0.2:7")
		if err != nil {
			t.Fatal(err)
		}
		rig.Host.Start("echo", func() {
			var buf [2000]byte
			for {
				n, from, err := server.ReadFrom(buf[:])
				if err != nil {
					return
				}
				if _, err := server.WriteTo(buf[:n], from); err != nil {
					t.Error(err)
				}
			}
		})
		client, err := a.Dial("udp4", "10.0.0.2:7")
		if err != nil {
			t.Fatal(err)
		}
		start := rig.Host.Now()
		for i := range 20 {
			msg := make([]byte, 1+i*70)
			msg[i] = byte(i)
			if _, err := client.Write(msg); err != nil {
				t.Fatal(err)
			}
			var buf [2000]byte
			n, err := client.Read(buf[:])
			if err != nil || n != len(msg) || buf[i] != byte(i) {
				t.Fatalf("read %d of %d bytes, %v", n, len(msg), err)
			}
		}
		if d := rig.Host.Now().Sub(start); d < 40*time.Millisecond || d > 50*time.Millisecond {
			t.Errorf("20 round trips of 2 ms took %v", d)
		}
		client.Close()
		server.Close()
	})
	if st := s.Stats(); st.Packets < 80 || st.Faults != 0 || st.Lost != 0 {
		t.Errorf("%+v", st)
	}
}

// station is an instance in real time with UDP in a module.
func station(t testing.TB, rig *coretest.Rig) (*core.Instance, *session.Session) {
	in := rig.Instance("a", networks())
	s := session.New(rig.Domain, session.Options{Name: "udp", Log: slog.Default()})
	module(t, s)
	if err := in.AddProtocol(s.Protocol(udp.Protocol(), sysctl.Of[udp.Sysctls]())); err != nil {
		t.Fatal(err)
	}
	return in, s
}

func TestDatagramsCrossInRealTime(t *testing.T) {
	rig := coretest.New(t, host.NewRealTime())
	in, s := station(t, rig)
	server, err := in.ListenPacket("udp4", "127.0.0.1:7")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var buf [2000]byte
		for {
			n, from, err := server.ReadFrom(buf[:])
			if err != nil {
				return
			}
			if _, err := server.WriteTo(buf[:n], from); err != nil {
				t.Error(err)
			}
		}
	}()
	client, err := in.Dial("udp4", "127.0.0.1:7")
	if err != nil {
		t.Fatal(err)
	}
	client.SetDeadline(time.Now().Add(10 * time.Second))
	var buf [2000]byte
	for i := range 2000 {
		msg := buf[:1+i%1472]
		if _, err := client.Write(msg); err != nil {
			t.Fatal(err)
		}
		if n, err := client.Read(buf[:]); err != nil || n != len(msg) {
			t.Fatalf("round %d: %d of %d bytes, %v", i, n, len(msg), err)
		}
	}
	client.Close()
	server.Close()
	<-done
	if st := s.Stats(); st.Packets < 8000 || st.Faults != 0 || st.Lost != 0 || st.Dropped != 0 {
		t.Errorf("%+v", st)
	}
}

func TestAModuleThatIsGoneCostsItsSocketsAndComesBack(t *testing.T) {
	rig := coretest.New(t, host.NewRealTime())
	in, s := station(t, rig)
	conn, err := in.Dial("udp4", "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	s.Disconnect(session.ErrLost)
	if _, err := conn.Write([]byte("x")); !errors.Is(err, syscall.ENETDOWN) {
		t.Errorf("write: %v", err)
	}
	conn.Close()
	if _, err := in.Dial("udp4", "127.0.0.1:9"); !errors.Is(err, syscall.ENETDOWN) {
		t.Errorf("while it is away: %v", err)
	}
	module(t, s)
	conn, err = in.Dial("udp4", "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("x")); err != nil {
		t.Errorf("write to the next module: %v", err)
	}
	conn.Close()
	if st := s.Stats(); st.Lost != 1 || st.SocketsLost != 1 {
		t.Errorf("%+v", st)
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	rig := coretest.New(b, host.NewRealTime(), coretest.Release())
	in, _ := station(b, rig)
	benchRoundTrip(b, in)
}

func BenchmarkRoundTripLinked(b *testing.B) {
	rig := coretest.New(b, host.NewRealTime(), coretest.Release())
	in := rig.Instance("a", networks())
	if err := in.AddProtocol(core.ProtocolEntry{Protocol: udp.Protocol(), Sysctls: sysctl.Of[udp.Sysctls]()}); err != nil {
		b.Fatal(err)
	}
	benchRoundTrip(b, in)
}

func benchRoundTrip(b *testing.B, in *core.Instance) {
	server, err := in.ListenPacket("udp4", "127.0.0.1:7")
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	client, err := in.Dial("udp4", "127.0.0.1:7")
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	var buf [64]byte
	for b.Loop() {
		if _, err := client.Write(buf[:]); err != nil {
			b.Fatal(err)
		}
		if _, _, err := server.ReadFrom(buf[:]); err != nil {
			b.Fatal(err)
		}
	}
}
