package segment_test

import (
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/segment"
	"github.com/libos-go/libos/host"
)

var gigabit = segment.Cable{Rate: 1e9, Delay: 10 * time.Microsecond}

func TestContract(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func() (a, b core.Device)
	}{
		{"ideal hub", func() (a, b core.Device) {
			h := segment.NewHub(segment.HubConfig{Name: "h"})
			return h.Port(segment.PortConfig{}), h.Port(segment.PortConfig{})
		}},
		{"hub", func() (a, b core.Device) {
			h := segment.NewHub(segment.HubConfig{Name: "h", Rate: 1e9, Delay: time.Microsecond})
			return h.Port(segment.PortConfig{}), h.Port(segment.PortConfig{})
		}},
		{"ideal switch", func() (a, b core.Device) {
			s := segment.NewSwitch(segment.SwitchConfig{Name: "s"})
			return s.Port(segment.PortConfig{}), s.Port(segment.PortConfig{})
		}},
		{"switch", func() (a, b core.Device) {
			s := segment.NewSwitch(segment.SwitchConfig{Name: "s"})
			return s.Port(segment.PortConfig{Cable: gigabit}), s.Port(segment.PortConfig{Cable: gigabit})
		}},
		{"two switches", func() (a, b core.Device) {
			s, r := segment.NewSwitch(segment.SwitchConfig{Name: "s"}), segment.NewSwitch(segment.SwitchConfig{Name: "r"})
			if _, err := segment.Join(s, r, gigabit); err != nil {
				t.Fatal(err)
			}
			return s.Port(segment.PortConfig{Cable: gigabit}), r.Port(segment.PortConfig{Cable: gigabit})
		}},
		{"radio", func() (a, b core.Device) {
			r := segment.NewRadio(segment.RadioConfig{Name: "r", Rate: 1e9, Slot: time.Microsecond})
			return r.Port(segment.PortConfig{}), r.Port(segment.PortConfig{Position: segment.At(segment.Point{X: 100})})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			devicetest.Run(t, func(t *testing.T) devicetest.Link {
				h := host.NewVirtual(1)
				a, b := tt.make()
				return devicetest.Link{Host: h, A: a, B: b, OneDomain: true, Pass: devicetest.Virtual(h.RunFor)}
			})
		})
	}
}
