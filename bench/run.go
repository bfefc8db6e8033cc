package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// gogc is the collector's setting in every child, the same for both sides. See README.md for why it is what it is.
const gogc = "400"

// childTimeout ends a child that hangs; a child needs a second or two of CPU, on a machine that may be busy.
const childTimeout = 2 * time.Minute

const (
	sideOurs = "ours"
	sidePeer = "peer"
)

// side picks one side of b by its name.
func (b Benchmark) side(name string) (Side, error) {
	switch {
	case name == sidePeer:
		return b.Peer, nil
	case name == sideOurs && b.Ours != nil:
		return b.Ours, nil
	case name == sideOurs:
		return nil, fmt.Errorf("%s has no side of ours: run it with -peer-only", b.Name)
	}
	return nil, fmt.Errorf("no side %q: there are %q and %q", name, sideOurs, sidePeer)
}

// find returns the benchmarks of a comma-separated list, all of them for an empty one.
func find(all []Benchmark, list string) ([]Benchmark, error) {
	if list == "" {
		return all, nil
	}
	var found []Benchmark
	for name := range strings.SplitSeq(list, ",") {
		n := len(found)
		for _, b := range all {
			if b.Name == name {
				found = append(found, b)
			}
		}
		if len(found) == n {
			var names []string
			for _, b := range all {
				names = append(names, b.Name)
			}
			return nil, fmt.Errorf("no figure %q: there are %s", name, strings.Join(names, ", "))
		}
	}
	return found, nil
}

// runner starts child processes, each measuring one side of one benchmark.
type runner struct {
	ctx      context.Context
	budget   Budget
	pairs    int
	peerOnly bool
	cpus     []int                   // CPUs that children are pinned to: as many of the first as they want
	child    func() *exec.Cmd        // the program to run, with arguments and environment appended by the runner
	step     func(name, side string) // called before each child
}

// steps is the number of children that measuring b takes.
func (r *runner) steps(b Benchmark) int {
	if r.peerOnly {
		return r.pairs
	}
	return 2 * r.pairs
}

// run measures one benchmark. The sides alternate, and so does which of them goes first, so that neither a busy
// moment of the machine nor its slow drift favours one.
func (r *runner) run(b Benchmark) (Result, error) {
	if !r.peerOnly {
		if _, err := b.side(sideOurs); err != nil {
			return Result{}, err
		}
	}
	var pairs []Pair
	for i := range r.pairs {
		var p Pair
		order := []string{sideOurs, sidePeer}
		if i%2 == 1 {
			order = []string{sidePeer, sideOurs}
		}
		for _, side := range order {
			if side == sideOurs && r.peerOnly {
				continue
			}
			f, err := r.measure(b, side)
			if err != nil {
				return Result{}, fmt.Errorf("%s, %s: %w", b.Name, side, err)
			}
			if side == sideOurs {
				p.Ours = &f
			} else {
				p.Peer = f
			}
		}
		pairs = append(pairs, p)
	}
	return summarize(b, peerVersion(b.PeerName), pairs), nil
}

// measure runs one child and reads its figure.
func (r *runner) measure(b Benchmark, side string) (Figure, error) {
	r.step(b.Name, side)
	cpus := max(b.CPUs, 1)
	if cpus > len(r.cpus) {
		return Figure{}, fmt.Errorf("it wants %d CPUs, and this process may use %d", cpus, len(r.cpus))
	}
	ctx, cancel := context.WithTimeout(r.ctx, childTimeout)
	defer cancel()
	cmd := r.child()
	cmd.Args = append(cmd.Args, "-child", b.Name, "-side", side, "-budget", r.budget.CPU.String())
	cmd.Env = append(cmd.Environ(), fmt.Sprint("GOMAXPROCS=", cpus), "GOGC="+gogc, "GODEBUG=", "GOMEMLIMIT=off")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := runPinned(ctx, cmd, r.cpus[:cpus]); err != nil {
		if ctx.Err() != nil && r.ctx.Err() == nil {
			err = fmt.Errorf("no figure within %v", childTimeout)
		}
		return Figure{}, withStderr(err, stderr.String())
	}
	var f Figure
	if err := json.Unmarshal(stdout.Bytes(), &f); err != nil {
		return Figure{}, withStderr(fmt.Errorf("child printed %q: %w", stdout.String(), err), stderr.String())
	}
	if !(f.Value > 0) {
		return Figure{}, withStderr(fmt.Errorf("measured %v, which no figure can be", f.Value), stderr.String())
	}
	return f, nil
}

func withStderr(err error, text string) error {
	if text = strings.TrimSpace(text); text == "" {
		return err
	}
	return fmt.Errorf("%w\n%s", err, text)
}

// runPinned runs cmd on some CPUs. A new process inherits the CPUs of the thread that made it, so its runtime sees
// these alone from its first instruction on.
func runPinned(ctx context.Context, cmd *exec.Cmd, cpus []int) error {
	runtime.LockOSThread()
	restore, err := pinThread(cpus)
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	startErr := cmd.Start()
	if err := restore(); err != nil {
		// The thread stays locked, and ends with its goroutine, rather than carry the pin elsewhere.
		return errors.Join(startErr, err)
	}
	runtime.UnlockOSThread()
	if startErr != nil {
		return startErr
	}
	stop := context.AfterFunc(ctx, func() { cmd.Process.Kill() })
	defer stop()
	return cmd.Wait()
}

// runChild is the whole of a child process: measure and print.
func runChild(b Benchmark, sideName string, budget Budget) error {
	side, err := b.side(sideName)
	if err != nil {
		return err
	}
	f, err := side(budget)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(f)
}

// peerVersion appends to a module path the version this binary was built with.
func peerVersion(name string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return name
	}
	for _, m := range info.Deps {
		if m.Path == name {
			return name + " " + m.Version
		}
	}
	return name
}
