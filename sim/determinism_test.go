package sim_test

import (
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/device/capture"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/sim"
)

// busy is a ring of routers with two hosts each, all of which exchange TCP and UDP
// over lossy links of equal delays, so that much happens at the same instants.
func busy(t testing.TB, parts int) *sim.Network {
	n := sim.New(sim.Options{Seed: 7, Wiring: libos.Wiring(), Partitions: parts})
	closed(t, n)
	var routers, hosts []*sim.Node
	for i := range 6 {
		r := n.Node(fmt.Sprintf("r%d", i), sim.NodeConfig{})
		routers = append(routers, r)
		for j := range 2 {
			h := n.Node(fmt.Sprintf("h%d%d", i, j), sim.NodeConfig{})
			hosts = append(hosts, h)
			n.Link("", r, h, sim.LinkConfig{Ethernet: j == 0, Wire: pipe.Wire{Rate: 1e6 * int64(8*(j+1)), Delay: time.Millisecond * time.Duration(j)}})
		}
	}
	for i, r := range routers {
		w := pipe.Wire{Rate: 8e6, Delay: time.Millisecond, Loss: 0.01, QueueLen: 20}
		if i%2 == 1 {
			w.Jitter, w.Duplicate, w.Reorder = time.Millisecond, 0.01, 0.02
		}
		n.Link("", r, routers[(i+1)%len(routers)], sim.LinkConfig{Wire: w})
	}
	for i, h := range hosts {
		to := hosts[(i+5)%len(hosts)]
		h.Go("sink", 0, func(t *sim.Task) {
			l, err := t.Listen("tcp", ":80")
			t.Assert(err == nil, "%v", err)
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				t.Go("connection", func(*sim.Task) { _, _ = io.Copy(c, c) })
			}
		})
		h.Go("bulk", 100*time.Millisecond, func(t *sim.Task) {
			c, err := t.Dial("tcp", to.Address()+":80")
			if err != nil {
				return
			}
			t.Go("reader", func(*sim.Task) { _, _ = io.Copy(io.Discard, c) })
			_, _ = c.Write(make([]byte, 300_000))
			_ = c.Close()
		})
		h.Go("datagrams", 100*time.Millisecond, func(t *sim.Task) {
			c, err := t.Dial("udp", to.Address()+":9")
			t.Assert(err == nil, "%v", err)
			for range 200 {
				_, _ = c.Write(make([]byte, 500))
				if t.Sleep(10*time.Millisecond) != nil {
					return
				}
			}
		})
	}
	return n
}

func sums(t testing.TB, parts int) []string {
	n := busy(t, parts)
	c, err := n.Capture("", capture.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	run(t, n, 5*time.Second)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return c.Sums()
}

func TestCapturesAreTheSameInAnyPartition(t *testing.T) {
	want := sums(t, 1)
	for _, procs := range []int{1, 2} {
		for _, parts := range []int{1, 2, 3, 4} {
			t.Run(fmt.Sprintf("%d parts on %d cores", parts, procs), func(t *testing.T) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
				differ := 0
				for i, s := range sums(t, parts) {
					if s != want[i] {
						if differ++; differ <= 5 {
							t.Errorf("%s is not %s", s, want[i])
						}
					}
				}
			})
		}
	}
}

// What tasks record when the simulation ends has the instant of its end, in any
// partition.
func TestWhatIsRecordedAtTheEndIsTheSameInAnyPartition(t *testing.T) {
	for _, parts := range []int{1, 3} {
		n := busy(t, parts)
		for _, x := range n.Nodes() {
			x.Go("last", 0, func(t *sim.Task) {
				for t.Sleep(time.Hour) == nil {
				}
				t.Record("end", t.Now().Seconds(), "s")
			})
		}
		run(t, n, 1234567*time.Microsecond)
		if err := n.Stop(); err != nil {
			t.Fatal(err)
		}
		values := n.Results().Values
		if len(values) != len(n.Nodes()) {
			t.Errorf("%d parts: %d values of %d nodes", parts, len(values), len(n.Nodes()))
		}
		for _, v := range values {
			if v.Time != 1.234567 || v.Value != 1.234567 {
				t.Errorf("%d parts: %s ended at %v, by its record at %v", parts, v.Node, v.Value, v.Time)
			}
		}
	}
}
