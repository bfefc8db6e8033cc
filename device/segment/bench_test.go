package segment_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/segment"
	"github.com/libos-go/libos/host"
)

// bench sends bursts of 64 frames from one station to another, with others at the
// same medium.
func bench(b *testing.B, medium func() func(segment.PortConfig) *segment.Port, cable segment.Cable, broadcast bool) {
	for _, n := range []int{2, 16} {
		b.Run(fmt.Sprintf("ports=%d", n), func(b *testing.B) {
			h := host.NewVirtual(1)
			r := coretest.New(b, h, coretest.Release())
			var all []*devicetest.Station
			port := medium()
			for i := range n {
				all = append(all, devicetest.NewStation(b, h, r, fmt.Sprint("s", i), port(segment.PortConfig{Cable: cable})))
			}
			x, y := all[0], all[1]
			y.Blast(1, 1, 100) // a switch learns where it is
			if !broadcast {
				x.ToHW = y.Interface.HWAddr()
			}
			h.RunFor(time.Second)
			base := y.Stats().RxPackets
			b.ReportAllocs()
			for b.Loop() {
				x.Blast(1, 64, 1400)
				h.RunFor(200 * time.Microsecond)
			}
			b.StopTimer()
			h.RunFor(time.Second)
			got := y.Stats().RxPackets - base
			if got != uint64(b.N*64) {
				b.Fatalf("%d of %d packets arrived", got, b.N*64)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(got), "ns/packet")
		})
	}
}

func BenchmarkHub(b *testing.B) {
	bench(b, func() func(segment.PortConfig) *segment.Port { return segment.NewHub(segment.HubConfig{}).Port }, segment.Cable{}, false)
}

func BenchmarkHubWithRate(b *testing.B) {
	bench(b, func() func(segment.PortConfig) *segment.Port {
		return segment.NewHub(segment.HubConfig{Rate: 10e9, Delay: 10 * time.Microsecond}).Port
	}, segment.Cable{}, false)
}

func BenchmarkHubBroadcast(b *testing.B) {
	bench(b, func() func(segment.PortConfig) *segment.Port { return segment.NewHub(segment.HubConfig{}).Port }, segment.Cable{}, true)
}

func BenchmarkSwitch(b *testing.B) {
	bench(b, func() func(segment.PortConfig) *segment.Port { return segment.NewSwitch(segment.SwitchConfig{}).Port }, segment.Cable{}, false)
}

func BenchmarkSwitchWithRate(b *testing.B) {
	bench(b, func() func(segment.PortConfig) *segment.Port { return segment.NewSwitch(segment.SwitchConfig{}).Port }, segment.Cable{Rate: 10e9, Delay: 10 * time.Microsecond}, false)
}

func BenchmarkRadio(b *testing.B) {
	bench(b, func() func(segment.PortConfig) *segment.Port {
		return segment.NewRadio(segment.RadioConfig{Rate: 10e9, Range: 100, Slot: -1}).Port
	}, segment.Cable{}, false)
}
