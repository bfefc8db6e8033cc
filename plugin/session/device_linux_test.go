package session_test

import (
	"errors"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/plugin/ring"
	"github.com/libos-go/libos/plugin/session"
)

// ends serves the two ends of a pipe as devices of a module of this process.
func ends(cfg pipe.Config) []session.Served {
	a, b := pipe.New(cfg)
	return []session.Served{{Name: "end", Device: func(p map[string]string) (core.Device, error) {
		switch p["which"] {
		case "a":
			return a, nil
		case "b":
			return b, nil
		}
		return nil, errors.New("which = \x1b[1m: it is a or b")
	}}}
}

// serve runs a module of this process at the other end of rings, until the test
// ends or the session is disconnected.
func serve(t testing.TB, s *session.Session, served []session.Served) {
	t.Helper()
	l, err := ring.Host(ring.Options{Name: "ends"})
	if err != nil {
		t.Fatal(err)
	}
	m, err := ring.Module(l.Files())
	if err != nil {
		t.Fatal(err)
	}
	l.HandedOver()
	ended := make(chan error, 1)
	go func() { ended <- session.Serve(session.Rings{Link: m}, served, slog.New(slog.DiscardHandler)) }()
	if err := s.Connect(session.Rings{Link: l}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Disconnect(nil)
		if err := <-ended; err != nil {
			t.Errorf("the module ended: %v", err)
		}
	})
}

func openEnd(t testing.TB, s *session.Session, which string) *session.Device {
	t.Helper()
	d, err := s.OpenDevice("end", map[string]string{"which": which})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDevicesOfAModuleKeepTheContract(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  pipe.Config
	}{
		{"ideal", pipe.Config{}},
		{"raw", pipe.Config{Raw: true, MTU: 65535}},
		{"offload", pipe.Config{Offload: true}},
		{"wire", pipe.Config{Wire: pipe.Wire{Rate: 1e9, Delay: time.Millisecond}}},
	} {
		t.Run("lockstep "+tt.name, func(t *testing.T) {
			devicetest.Run(t, func(t *testing.T) devicetest.Link {
				h := host.NewVirtual(1)
				rig := coretest.New(t, h)
				s := session.New(rig.Domain, session.Options{Name: "ends", Lockstep: true})
				serve(t, s, ends(tt.cfg))
				return devicetest.Link{Host: h, A: openEnd(t, s, "a"), B: openEnd(t, s, "b"), RigA: rig, RigB: rig, Pass: devicetest.Virtual(h.RunFor)}
			})
		})
		t.Run("real time "+tt.name, func(t *testing.T) {
			devicetest.Run(t, func(t *testing.T) devicetest.Link {
				h := host.NewRealTime()
				l := devicetest.Link{Host: h, RigA: coretest.New(t, h), RigB: coretest.New(t, h), Pass: devicetest.RealTime}
				served := ends(tt.cfg)
				for _, x := range []struct {
					rig   *coretest.Rig
					which string
					dev   *core.Device
				}{{l.RigA, "a", &l.A}, {l.RigB, "b", &l.B}} {
					s := session.New(x.rig.Domain, session.Options{Name: "ends", Patience: 20 * time.Second})
					serve(t, s, served)
					*x.dev = openEnd(t, s, x.which)
				}
				return l
			})
		})
	}
}

func TestAnErrorOfADeviceIsThatOfTheModuleAndDoesNothingToATerminal(t *testing.T) {
	rig := coretest.New(t, host.NewVirtual(1))
	s := session.New(rig.Domain, session.Options{Name: "ends", Lockstep: true})
	if _, err := s.OpenDevice("end", nil); !errors.Is(err, syscall.ENETDOWN) {
		t.Errorf("before there is a module: %v", err)
	}
	serve(t, s, ends(pipe.Config{}))
	if _, err := s.OpenDevice("end", nil); err == nil || err.Error() != "which =  [1m: it is a or b" {
		t.Errorf("%q", err)
	}
	if n := len(s.Devices()); n != 0 {
		t.Errorf("%d devices", n)
	}
	d := openEnd(t, s, "a")
	if n := len(s.Devices()); n != 1 {
		t.Errorf("%d devices", n)
	}
	if err := d.Close(); err != nil || len(s.Devices()) != 0 {
		t.Errorf("%v, %d devices", err, len(s.Devices()))
	}
}

// A module that is lost costs the device its carrier and what it is given; the
// next one opens it again.
func TestADeviceComesBackWithItsModule(t *testing.T) {
	for _, lockstep := range []bool{true, false} {
		var h core.Host = host.NewRealTime()
		if lockstep {
			h = host.NewVirtual(1)
		}
		rig := coretest.New(t, h)
		s := session.New(rig.Domain, session.Options{Name: "ends", Lockstep: lockstep, Patience: 20 * time.Second, Log: slog.New(slog.DiscardHandler)})
		serve(t, s, ends(pipe.Config{}))
		a, b := devicetest.NewStation(t, h, rig, "a", openEnd(t, s, "a")), devicetest.NewStation(t, h, rig, "b", openEnd(t, s, "b"))
		come := func(want ...uint32) {
			t.Helper()
			for end := time.Now().Add(20 * time.Second); b.Count() < len(want) && time.Now().Before(end); {
				time.Sleep(time.Millisecond)
			}
			if got := b.Numbers(); len(got) != len(want) || got[0] != want[0] {
				t.Errorf("lockstep %v: %v came, want %v", lockstep, got, want)
			}
		}
		a.Send(3, 100)
		come(0, 1, 2)
		s.Disconnect(session.ErrLost)
		a.Send(4, 100)
		if r, st := a.Running(), a.Stats(); r[len(r)-1] || st.TxDropped != 4 {
			t.Errorf("lockstep %v: running %v, %+v", lockstep, r, st)
		}
		serve(t, s, ends(pipe.Config{}))
		if r := a.Running(); !r[len(r)-1] {
			t.Errorf("lockstep %v: no carrier", lockstep)
		}
		a.Send(2, 100)
		come(7, 8)
		if st := s.Stats(); st.Lost != 1 || st.Faults != 0 || st.Packets != 5 || st.Frames != 5 {
			t.Errorf("lockstep %v: %+v", lockstep, st)
		}
	}
}

func TestADeviceThatComesBackAsAnotherStaysDown(t *testing.T) {
	rig := coretest.New(t, host.NewVirtual(1))
	var said strings.Builder
	s := session.New(rig.Domain, session.Options{Name: "ends", Lockstep: true, Log: slog.New(slog.NewTextHandler(&said, nil))})
	serve(t, s, ends(pipe.Config{}))
	a := devicetest.NewStation(t, rig.Host, rig, "a", openEnd(t, s, "a"))
	s.Disconnect(session.ErrLost)
	serve(t, s, ends(pipe.Config{Raw: true}))
	if r := a.Running(); r[len(r)-1] || !strings.Contains(said.String(), "give it one by its parameters") {
		t.Errorf("running %v; %s", r, said.String())
	}
}

func BenchmarkFramesThroughAModule(b *testing.B) {
	h := host.NewRealTime()
	rigs := [2]*coretest.Rig{coretest.New(b, h, coretest.Release()), coretest.New(b, h, coretest.Release())}
	served := ends(pipe.Config{})
	var stations [2]*devicetest.Station
	for i, which := range []string{"a", "b"} {
		s := session.New(rigs[i].Domain, session.Options{Name: "ends", Patience: 20 * time.Second})
		serve(b, s, served)
		stations[i] = devicetest.NewStation(b, h, rigs[i], which, openEnd(b, s, which))
	}
	b.SetBytes(1400)
	for range b.N {
		stations[0].Blast(1, 1, 1400)
	}
	for end := time.Now().Add(10 * time.Second); stations[1].Stats().RxPackets+stations[0].Stats().TxDropped < uint64(b.N) && time.Now().Before(end); {
		time.Sleep(100 * time.Microsecond)
	}
}
