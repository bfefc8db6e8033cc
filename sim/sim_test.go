package sim_test

import (
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/sim"
)

// chain is a line of hosts at both ends and routers between them.
func chain(n *sim.Network, routers int, c sim.LinkConfig) (first, last *sim.Node) {
	first = n.Node("left", sim.NodeConfig{Sysctls: []sim.Sysctl{{Name: "net.ipv4.ip_default_ttl", Value: "128"}}})
	before := first
	for i := range routers {
		r := n.Node(fmt.Sprintf("r%d", i), sim.NodeConfig{})
		n.Link("", before, r, c)
		before = r
	}
	last = n.Node("right", sim.NodeConfig{})
	n.Link("", before, last, c)
	return first, last
}

func run(t testing.TB, n *sim.Network, until time.Duration) {
	t.Helper()
	if err := n.Run(until); err != nil {
		t.Fatal(err)
	}
}

func closed(t testing.TB, n *sim.Network) {
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestADownloadThroughAChainOfRouters(t *testing.T) {
	for _, parts := range []int{1, 2, 4} {
		t.Run(fmt.Sprintf("%d parts", parts), func(t *testing.T) {
			n := sim.New(sim.Options{Seed: 1, Wiring: libos.Wiring(), Partitions: parts})
			closed(t, n)
			a, b := chain(n, 3, sim.LinkConfig{Wire: pipe.Wire{Rate: 10e6, Delay: 2 * time.Millisecond}})
			got := 0
			b.Go("server", 0, func(t *sim.Task) {
				l, err := t.Listen("tcp", ":80")
				t.Assert(err == nil, "%v", err)
				c, err := l.Accept()
				t.Assert(err == nil, "%v", err)
				m, err := io.Copy(io.Discard, c)
				t.Assert(err == nil, "%v", err)
				got = int(m)
			})
			a.Go("client", time.Second, func(t *sim.Task) {
				c, err := t.Dial("tcp", b.Address()+":80")
				t.Assert(err == nil, "%v", err)
				_, err = c.Write(make([]byte, 1<<20))
				t.Assert(err == nil, "%v", err)
				t.Assert(c.Close() == nil, "close")
			})
			run(t, n, 10*time.Second)
			if got != 1<<20 {
				t.Errorf("%d bytes came", got)
			}
		})
	}
}
