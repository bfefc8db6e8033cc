package session_test

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/congestion"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/plugin/ring"
	"github.com/libos-go/libos/plugin/session"
	"github.com/libos-go/libos/protocols/tcp"
	"github.com/libos-go/libos/protocols/tcp/cubic"
	"github.com/libos-go/libos/protocols/tcp/reno"
)

// judge serves congestion controls from a module of this process.
func judge(t *testing.T, s *session.Session, algorithms ...congestion.Algorithm) (end func()) {
	t.Helper()
	l, err := ring.Host(ring.Options{Name: "cc"})
	if err != nil {
		t.Fatal(err)
	}
	m, err := ring.Module(l.Files())
	if err != nil {
		t.Fatal(err)
	}
	l.HandedOver()
	var served []session.Served
	for _, a := range algorithms {
		served = append(served, session.Served{Name: a.Name, Control: a.New})
	}
	ended := make(chan error, 1)
	go func() { ended <- session.Serve(session.Rings{Link: m}, served, slog.Default()) }()
	if err := s.Connect(session.Rings{Link: l}); err != nil {
		t.Fatal(err)
	}
	var over bool
	end = func() {
		if !over {
			over = true
			s.Disconnect(session.ErrLost)
			if err := <-ended; err != nil {
				t.Errorf("the module ended: %v", err)
			}
		}
	}
	t.Cleanup(end)
	return end
}

// transfer moves n bytes over a link that loses some, by the congestion control
// cubic, which is linked in or is a's and b's by s, and returns how long it took.
// half is called when half of them have arrived.
func transfer(t *testing.T, s func(d *core.Domain) *session.Session, half func(), n int) (time.Duration, session.Stats) {
	t.Helper()
	rig := coretest.New(t, host.NewVirtual(7))
	algorithms := []congestion.Algorithm{reno.Algorithm()}
	var of *session.Session
	if s == nil {
		algorithms = append(algorithms, cubic.Algorithm())
	} else {
		of = s(rig.Domain)
	}
	w := networks()
	w.Protocols = []core.ProtocolEntry{{Protocol: tcp.Protocol(nil, algorithms...), Sysctls: sysctl.Of[tcp.Sysctls]()}}
	a, b := rig.Instance("a", w), rig.Instance("b", w)
	da, db := pipe.New(pipe.Config{Wire: pipe.Wire{Delay: 10 * time.Millisecond, Rate: 50e6, Loss: 0.002}})
	rig.Attach(a, da, "eth0", "10.0.0.1/24")
	rig.Attach(b, db, "eth0", "10.0.0.2/24")
	var took time.Duration
	rig.Do(func() {
		for _, in := range []*core.Instance{a, b} {
			if of != nil {
				add := of.Algorithm("cubic", reno.Algorithm())
				rig.Domain.Do(func() {
					for _, x := range in.Transports() {
						if err := x.(interface {
							AddCongestionControl(congestion.Algorithm) error
						}).AddCongestionControl(add); err != nil {
							t.Error(err)
						}
					}
				})
			}
			if err := in.SetSysctl("net.ipv4.tcp_congestion_control", "cubic"); err != nil {
				t.Fatal(err)
			}
		}
		l, err := b.Listen("tcp4", "10.0.0.2:80")
		if err != nil {
			t.Fatal(err)
		}
		start := rig.Host.Now()
		rig.Host.Start("sender", func() {
			c, err := a.Dial("tcp4", "10.0.0.2:80")
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := c.Write(make([]byte, n)); err != nil {
				t.Error(err)
			}
			c.Close()
		})
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 1<<16)
		got := 0
		for {
			k, err := c.Read(buf)
			if got < n/2 && got+k >= n/2 && half != nil {
				half()
			}
			if got += k; err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if got != n {
			t.Errorf("%d bytes of %d", got, n)
		}
		took = rig.Host.Now().Sub(start)
		c.Close()
		l.Close()
	})
	var st session.Stats
	if of != nil {
		st = of.Stats()
	}
	return took, st
}

func TestACongestionControlInAModuleDecidesAsOneLinkedIn(t *testing.T) {
	linked, _ := transfer(t, nil, nil, 4<<20)
	module, st := transfer(t, func(d *core.Domain) *session.Session {
		s := session.New(d, session.Options{Name: "cc", Lockstep: true, Patience: 20 * time.Second})
		judge(t, s, cubic.Algorithm())
		return s
	}, nil, 4<<20)
	if linked != module {
		t.Errorf("a transfer took %v linked in and %v by the module", linked, module)
	}
	if st.Decisions < 100 || st.Fallbacks != 0 || st.Faults != 0 {
		t.Errorf("%+v", st)
	}
}

// A connection goes on with a new state of its congestion control, which is told
// the window in force, and no event is left to the fallback.
func TestACongestionControlGoesOverToAnotherProcess(t *testing.T) {
	var of *session.Session
	linked, _ := transfer(t, nil, nil, 4<<20)
	took, st := transfer(t, func(d *core.Domain) *session.Session {
		of = session.New(d, session.Options{Name: "cc", Lockstep: true, Patience: 20 * time.Second})
		judge(t, of, cubic.Algorithm())
		return of
	}, func() {
		l := another(t, []session.Served{{Name: "cubic", Control: cubic.Algorithm().New}}, nil)
		if _, err := session.Replace([]session.Move{{Session: of, Link: l}}, session.ReplaceOptions{}); err != nil {
			t.Error(err)
		}
	}, 4<<20)
	if st.Replaced != 1 || st.Decisions < 100 || st.Fallbacks != 0 || st.Faults != 0 || st.Lost != 0 {
		t.Errorf("%+v", st)
	}
	if took > linked*5/4 {
		t.Errorf("a transfer took %v, %v without another process", took, linked)
	}
}

func TestWithoutItsModuleTheFallbackDecides(t *testing.T) {
	var end func()
	_, st := transfer(t, func(d *core.Domain) *session.Session {
		s := session.New(d, session.Options{Name: "cc", Lockstep: true, Patience: 20 * time.Second})
		end = judge(t, s, cubic.Algorithm())
		return s
	}, func() { end() }, 2<<20)
	if st.Decisions < 20 || st.Fallbacks < 20 || st.Lost != 1 {
		t.Errorf("%+v", st)
	}
}

func TestInRealTimeAModuleDecidesByReports(t *testing.T) {
	rig := coretest.New(t, host.NewRealTime())
	w := networks()
	w.Protocols = []core.ProtocolEntry{{Protocol: tcp.Protocol(nil, reno.Algorithm()), Sysctls: sysctl.Of[tcp.Sysctls]()}}
	in := rig.Instance("a", w)
	s := session.New(rig.Domain, session.Options{Name: "cc", Patience: 20 * time.Second})
	judge(t, s, cubic.Algorithm())
	rig.Domain.Do(func() {
		if err := in.Transports()[0].(interface {
			AddCongestionControl(congestion.Algorithm) error
		}).AddCongestionControl(s.Algorithm("cubic", reno.Algorithm())); err != nil {
			t.Error(err)
		}
	})
	if err := in.SetSysctl("net.ipv4.tcp_congestion_control", "cubic"); err != nil {
		t.Fatal(err)
	}
	l, err := in.Listen("tcp4", "127.0.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const n = 8 << 20
	go func() {
		c, err := in.Dial("tcp4", "127.0.0.1:80")
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := c.Write(make([]byte, n)); err != nil {
			t.Error(err)
		}
		c.Close()
	}()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.Copy(io.Discard, c)
	if err != nil || got != n {
		t.Errorf("%d bytes, %v", got, err)
	}
	c.Close()
	if st := s.Stats(); st.Decisions == 0 || st.Faults != 0 || st.Lost != 0 {
		t.Errorf("%+v", st)
	}
}
