package main

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestEveryRowOfTheTableIsComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, b := range benchmarks() {
		if b.Name == "" || seen[b.Name] || strings.ContainsAny(b.Name, " ,=") {
			t.Errorf("name %q is empty, taken or cannot stand on a line", b.Name)
		}
		seen[b.Name] = true
		if b.Unit == "" || strings.ContainsAny(b.Unit, " =") {
			t.Errorf("%s: unit %q cannot stand on a line", b.Name, b.Unit)
		}
		if b.Help == "" || b.PeerName == "" {
			t.Errorf("%s: help or the peer's name is missing", b.Name)
		}
		if b.Peer == nil {
			t.Errorf("%s: has no peer", b.Name)
		}
	}
}

// TestPeersMeasureSomethingPlausible runs every peer's side with a small budget: it finds a wiring that loses packets,
// does not work at all, or is off by a unit.
func TestPeersMeasureSomethingPlausible(t *testing.T) {
	if _, err := chooseCPUs(-1); err != nil {
		t.Skipf("no measuring here: %v", err)
	}
	bounds := map[string][2]float64{ // a hundred times around what a slow or fast machine may show
		"tcp-bulk-1500":      {0.1, 500},
		"tcp-bulk-1500-pipe": {0.1, 500},
		"tcp-rr":             {0.5, 5000},
		"udp-1400":           {0.1, 1000},
		"forward-8":          {50, 500_000},
		"instance":           {5000, 500_000},
		"tcp-idle-mem":       {1000, 100_000},
		"instance-10k":       {6000, 6000},
		"sim-chain-ns3":      {100, 1_000_000},
		"sim-chain-gvisor":   {100, 1_000_000},
		"sim-large":          {0.001, 100},
		"exec-python":        {100, 10_000_000},
		"program-tcp":        {2, 20_000},
		"program-udp-64":     {500, 5_000_000},
		"program-http":       {200, 5_000_000},
		"program-tcp-tun":    {2, 20_000},
		"program-udp-64-tun": {500, 5_000_000},
		"program-http-tun":   {200, 5_000_000},
		"module-64":          {5000, 50_000_000},
		"module-cpu":         {1, 10_000},
		"module-bulk":        {5, 50_000},
		"module-rtt":         {1, 10_000},
	}
	for _, b := range benchmarks() {
		t.Run(b.Name, func(t *testing.T) {
			f, err := b.Peer(Budget{CPU: 20 * time.Millisecond})
			if errors.Is(err, errNoPeer) || errors.Is(err, errNoPython) || errors.Is(err, errNoPrograms) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			limits, ok := bounds[b.Name]
			if !ok {
				t.Fatalf("this test has no bounds for %s: add them", b.Name)
			}
			if f.Value < limits[0] || f.Value > limits[1] {
				t.Errorf("measured %v %s, expected between %v and %v", f.Value, b.Unit, limits[0], limits[1])
			}
		})
	}
}
