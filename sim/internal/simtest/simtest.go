// Package simtest has a small network with known figures, for the tests of what
// shows results.
package simtest

import (
	"io"
	"testing"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/sim"
)

// Dumbbell runs two TCP flows through a bottleneck of 10 Mbit/s with a queue of 40
// frames for ten seconds, the second from second 3 on, in so many parts.
func Dumbbell(t testing.TB, seed uint64, parts int) *sim.Results {
	n := sim.New(sim.Options{Seed: seed, Wiring: libos.Wiring(), Partitions: parts, Families: sim.IPv4})
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	r1, r2 := n.Node("r1", sim.NodeConfig{}), n.Node("r2", sim.NodeConfig{})
	access := sim.LinkConfig{Wire: pipe.Wire{Rate: 100e6, Delay: 2 * time.Millisecond}}
	n.Link("bottleneck", r1, r2, sim.LinkConfig{Wire: pipe.Wire{Rate: 10e6, Delay: 15 * time.Millisecond, QueueLen: 40, Loss: 0.0005}})
	for i := range 2 {
		name := string(rune('1' + i))
		a, b := n.Node("client"+name, sim.NodeConfig{}), n.Node("server"+name, sim.NodeConfig{})
		n.Link("", a, r1, access)
		n.Link("", r2, b, access)
		b.Go("sink", 0, func(t *sim.Task) {
			l, err := t.Listen("tcp", ":80")
			t.Assert(err == nil, "%v", err)
			c, err := l.Accept()
			t.Assert(err == nil, "%v", err)
			t.Track("sink", c)
			from := t.Now()
			m, _ := io.Copy(io.Discard, c)
			t.Record("goodput", float64(m)*8/(t.Now()-from).Seconds(), "bit/s")
			_ = c.Close()
		})
		a.Go("bulk", time.Duration(i)*3*time.Second, func(t *sim.Task) {
			c, err := t.Dial("tcp", b.Address()+":80")
			t.Assert(err == nil, "%v", err)
			t.Track("bulk", c)
			for t.Now() < 9*time.Second {
				if _, err := c.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
			_ = c.Close()
		})
	}
	n.Sample(50 * time.Millisecond)
	if err := n.Run(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	return n.Results()
}
