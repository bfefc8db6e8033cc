package examples

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/device/capture"
	"github.com/libos-go/libos/sim/file"
)

// Every simulation among the examples can be read, built and run.
func TestTheSimulationsRun(t *testing.T) {
	files, err := filepath.Glob("*/*.toml")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		if filepath.Dir(f) == "programs" { // for libos up
			continue
		}
		t.Run(filepath.ToSlash(f), func(t *testing.T) {
			d, err := file.Read(f, file.Options{Wiring: libos.Wiring()})
			if err != nil {
				t.Fatal(err)
			}
			if d.Until == 0 {
				t.Error("the file does not say until when")
			}
			until := 2 * time.Second
			if len(d.Network.Nodes()) > 1000 {
				until = 1010 * time.Millisecond // the first packets of ten thousand connections
			}
			if err := d.Network.Run(until); err != nil {
				t.Error(err)
			}
			if d.Network.Packets() == 0 {
				t.Errorf("nothing was sent in %v", until)
			}
			if err := d.Network.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// The large network has the same captures in two parts as in one, here with fewer
// routers and hosts.
func TestTheLargeNetworkIsTheSameInTwoParts(t *testing.T) {
	var sums [2]string
	for i := range sums {
		parts, until := i+1, 1300*time.Millisecond
		d, err := file.Read("large/large.toml", file.Options{Wiring: libos.Wiring(), Partitions: &parts, Until: &until,
			Set: []string{"topology.n=12", "topology.hosts=2"}})
		if err != nil {
			t.Fatal(err)
		}
		c, err := d.Network.Capture("", capture.Options{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Network.Run(until); err != nil {
			t.Fatal(err)
		}
		if got := d.Network.Partitions(); got != parts {
			t.Errorf("%d parts, want %d", got, parts)
		}
		if n := d.Network.Packets(); n < 24*150 {
			t.Errorf("%d packets in all, too few for 24 hosts that send 100 kB each", n)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		sums[i] = c.Sum()
		if err := d.Network.Close(); err != nil {
			t.Error(err)
		}
	}
	if sums[0] != sums[1] {
		t.Errorf("captures in one part %s, in two %s", sums[0], sums[1])
	}
}
