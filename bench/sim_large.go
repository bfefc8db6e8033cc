package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/sim"
	"github.com/libos-go/libos/sim/file"
)

// largeFile is the network: hosts at a core of a hundred routers, of which each sends 100 kB to another one.
var largeFile = filepath.Join("..", "examples", "large", "large.toml")

// Of the ten thousand hosts of the file a fifth, and fewer where the budget is less than that of a measurement.
const (
	largeHosts  = 20 // at each router
	littleHosts = 1
	largeUntil  = 2 * time.Second // of virtual time: all have sent before that
)

// largeVariable has a copy that another process started know how many hosts there are.
const largeVariable = "LIBOS_BENCH_HOSTS"

func hostsFor(b Budget) int {
	if b.CPU < 500*time.Millisecond {
		return littleHosts
	}
	return largeHosts
}

// oursLarge is seconds of the machine for the network in two parts on two cores.
func oursLarge(b Budget) (Figure, error) { return simulateLarge(hostsFor(b), 2) }

// simulateLarge runs the network. Building it does not count, and its memory is that after the run.
func simulateLarge(hosts, parts int) (Figure, error) {
	before, until := sim.Live(), largeUntil
	d, err := file.Read(largeFile, file.Options{Wiring: libos.Wiring(), Until: &until, Partitions: &parts,
		Set: []string{fmt.Sprint("topology.hosts=", hosts)}})
	if err != nil {
		return Figure{}, err
	}
	n := d.Network
	if err := n.Build(); err != nil {
		return Figure{}, err
	}
	if n.Partitions() != parts {
		return Figure{}, fmt.Errorf("the network has %d parts, not %d", n.Partitions(), parts)
	}
	begun, usedBefore := time.Now(), cpuTime()
	if err := n.Run(until); err != nil {
		return Figure{}, errors.Join(err, n.Close())
	}
	wall, used := time.Since(begun).Seconds(), cpuTime()-usedBefore
	return Figure{Value: wall, Detail: map[string]float64{
		"virtual-s-per-s": until.Seconds() / wall,
		"packets-per-s":   float64(n.Packets()) / wall,
		"cpu-s":           used.Seconds(),
		"bytes-per-node":  float64(n.Memory(before)) / float64(len(n.Nodes())),
	}}, n.Close()
}

// copiesLarge is seconds of the machine for one of two independent copies of the network that run at once, each in a
// process with one core: half of what both take.
func copiesLarge(b Budget) (Figure, error) {
	var figures [2]Figure
	var errs [2]error
	var both sync.WaitGroup
	for i := range figures {
		both.Go(func() { figures[i], errs[i] = copyLarge(hostsFor(b)) })
	}
	both.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return Figure{}, err
	}
	f := Figure{Value: (figures[0].Value + figures[1].Value) / 4, Detail: map[string]float64{}}
	for name, v := range figures[0].Detail {
		f.Detail[name] = (v + figures[1].Detail[name]) / 2
	}
	return f, nil
}

// copyLarge starts one copy and reads its figure.
func copyLarge(hosts int) (f Figure, err error) {
	self, err := os.Executable()
	if err != nil {
		return f, err
	}
	var out bytes.Buffer
	c := exec.Command(self)
	c.Env = append(os.Environ(), largeVariable+"="+fmt.Sprint(hosts), "GOMAXPROCS=1")
	c.Stdout, c.Stderr = &out, os.Stderr
	if err := c.Run(); err != nil {
		return f, fmt.Errorf("a copy on one core: %w", err)
	}
	if err := json.Unmarshal(out.Bytes(), &f); err != nil {
		return f, fmt.Errorf("a copy on one core printed %q: %w", out.String(), err)
	}
	return f, nil
}

// copyMain is main of a copy's process, and does nothing in any other.
func copyMain() {
	text := os.Getenv(largeVariable)
	if text == "" {
		return
	}
	var hosts int
	_, err := fmt.Sscan(text, &hosts)
	if err == nil {
		var f Figure
		if f, err = simulateLarge(hosts, 1); err == nil {
			err = json.NewEncoder(os.Stdout).Encode(f)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
