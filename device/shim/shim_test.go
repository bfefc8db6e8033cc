package shim

import (
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/loopback"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
)

func wrap(t testing.TB, d core.Device) core.Device {
	t.Helper()
	w, err := Wrap(d)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestContract(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  pipe.Config
	}{
		{"ideal pipe", pipe.Config{}},
		{"raw pipe", pipe.Config{Raw: true, MTU: 65535}},
		{"offload", pipe.Config{Offload: true}},
		{"wire", pipe.Config{Wire: pipe.Wire{Rate: 1e9, Delay: time.Millisecond}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			devicetest.Run(t, func(t *testing.T) devicetest.Link {
				h := host.NewVirtual(1)
				a, b := pipe.New(tt.cfg)
				return devicetest.Link{Host: h, A: wrap(t, a), B: wrap(t, b), OneDomain: true, Pass: devicetest.Virtual(h.RunFor)}
			})
		})
	}
	t.Run("pipe in real time", func(t *testing.T) {
		devicetest.Run(t, func(t *testing.T) devicetest.Link {
			a, b := pipe.New(pipe.Config{})
			return devicetest.Link{Host: host.NewRealTime(), A: wrap(t, a), B: wrap(t, b), Pass: devicetest.RealTime}
		})
	})
	t.Run("loopback", func(t *testing.T) {
		devicetest.Run(t, func(t *testing.T) devicetest.Link {
			h := host.NewVirtual(1)
			return devicetest.Link{Host: h, A: wrap(t, loopback.Device()), Pass: devicetest.Virtual(h.RunFor)}
		})
	})
}

func TestTheCarrierCrosses(t *testing.T) {
	h := host.NewVirtual(1)
	ea, eb := pipe.New(pipe.Config{})
	a, b := devicetest.NewStation(t, h, nil, "a", wrap(t, ea)), devicetest.NewStation(t, h, nil, "b", wrap(t, eb))
	h.RunFor(time.Second)
	if r := b.Running(); !r[len(r)-1] {
		t.Fatalf("no carrier at the start: %v", r)
	}
	a.Close()
	h.RunFor(time.Second)
	if r := b.Running(); r[len(r)-1] {
		t.Errorf("the carrier is still there: %v", r)
	}
}
