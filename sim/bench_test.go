package sim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/sim"
)

// BenchmarkChain is what one hop of a 1470-byte datagram costs, link and routing
// together: ns/hop is the CPU time by the packets received and the hops they took.
func BenchmarkChain(b *testing.B) {
	for _, routers := range []int{1, 8, 32, 64} {
		b.Run(fmt.Sprintf("routers=%d", routers), func(b *testing.B) {
			n := sim.New(sim.Options{Seed: 1, Wiring: libos.Wiring(), Families: sim.IPv4})
			closed(b, n)
			from, to := chain(n, routers, sim.LinkConfig{Wire: pipe.Wire{Rate: 100e6, Delay: time.Millisecond}})
			const gap = 200 * time.Microsecond
			received := 0
			to.Go("sink", 0, func(t *sim.Task) {
				c, err := t.ListenPacket("udp4", ":9")
				t.Assert(err == nil, "%v", err)
				buf := make([]byte, 2000)
				for {
					if _, _, err := c.ReadFromAddrPort(buf); err != nil {
						return
					}
					received++
				}
			})
			from.Go("source", time.Millisecond, func(t *sim.Task) {
				c, err := t.Dial("udp4", to.Address()+":9")
				t.Assert(err == nil, "%v", err)
				buf := make([]byte, 1470)
				for {
					if _, err := c.Write(buf); err != nil {
						return
					}
					if t.Sleep(gap) != nil {
						return
					}
				}
			})
			run(b, n, time.Second)
			received = 0
			b.ResetTimer()
			run(b, n, time.Second+time.Duration(b.N)*gap)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(received*(routers+1)), "ns/hop")
			b.ReportMetric(float64(received)/b.Elapsed().Seconds(), "packets/s")
		})
	}
}
