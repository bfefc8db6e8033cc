package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"time"
)

// moduleVariable makes this program the module of a measurement instead: its value is one of modulePrograms.
const moduleVariable = "LIBOS_BENCH_MODULE"

// modulePrograms are what the module's process of a measurement runs. Each ends when the process that started it does.
func modulePrograms() map[string]func() error {
	return map[string]func() error{
		"protocols": serveProtocols,
		"records":   serveRecords,
		"grpc":      serveGRPC,
	}
}

// moduleMain is main of a module's process, and does nothing in any other.
func moduleMain() {
	name := os.Getenv(moduleVariable)
	if name == "" {
		return
	}
	run := modulePrograms()[name]
	if run == nil {
		fmt.Fprintf(os.Stderr, "%s=%q: no such module\n", moduleVariable, name)
		os.Exit(1)
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// moduleCommand is this program as a module.
func moduleCommand(name string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), moduleVariable+"="+name)
	cmd.Stderr = os.Stderr
	return cmd, nil
}

const (
	small        = 64      // bytes of a record and of the short datagrams
	smallBatch   = 64      // of them in one batch over rings
	packedBatch  = 1024    // of them in one packed message over gRPC
	smallWindow  = 16 * 64 // on their way at once over rings
	singleWindow = 4096    // of single messages over gRPC: more changes nothing
	packedWindow = 4       // packed messages
)

// numbered checks that what comes back is what was sent, in order.
type numbered struct{ next uint64 }

func (n *numbered) check(b []byte) error {
	if len(b) != small {
		return fmt.Errorf("%d bytes came back of %d", len(b), small)
	}
	if got := binary.LittleEndian.Uint64(b); got != n.next {
		return fmt.Errorf("number %d came back instead of %d", got, n.next)
	}
	n.next++
	return nil
}

// echoes is a closed loop that goes on by itself once it is begun: count tells how many came back.
type echoes struct {
	count  atomic.Uint64
	failed chan error
}

func (e *echoes) fail(err error) {
	select {
	case e.failed <- err:
	default:
	}
}

// rate lets a loop run warm and measures how many come back a second for as long as the budget says, and by whose CPU.
func (e *echoes) rate(b Budget, module int) (perSecond, cpuEach float64, err error) {
	// wait lets d pass, and as much more as it takes until something came back.
	wait := func(d time.Duration) error {
		for n, deadline := e.count.Load(), time.Now().Add(patience); ; d = time.Millisecond {
			select {
			case err := <-e.failed:
				return err
			case <-time.After(d):
			}
			if e.count.Load() != n {
				return nil
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("nothing came back within %v", patience)
			}
		}
	}
	if err := wait(time.Duration(warmShare * float64(b.CPU))); err != nil {
		return 0, 0, err
	}
	theirs, err := cpuTimeOf(module)
	if err != nil {
		return 0, 0, err
	}
	n, start, cpu := e.count.Load(), time.Now(), cpuTime()+theirs
	if err := wait(b.CPU); err != nil {
		return 0, 0, err
	}
	done, took := e.count.Load()-n, time.Since(start)
	if theirs, err = cpuTimeOf(module); err != nil {
		return 0, 0, err
	}
	return float64(done) / took.Seconds(), float64(cpuTime()+theirs-cpu) / float64(done), nil
}

// roundTrips measures the median of round trips in microseconds: in a closed loop, which closed runs for a while, and as
// a detail of single ones after 1 ms of idleness. Both return how long each took.
func roundTrips(b Budget, closed func(time.Duration) ([]float64, error), single func() (float64, error)) (Figure, error) {
	if _, err := closed(time.Duration(warmShare * float64(b.CPU))); err != nil {
		return Figure{}, err
	}
	busy, err := closed(b.CPU)
	if err != nil {
		return Figure{}, err
	}
	var idle []float64
	for start := time.Now(); time.Since(start) < b.CPU || len(idle) < 10; {
		time.Sleep(time.Millisecond)
		took, err := single()
		if err != nil {
			return Figure{}, err
		}
		idle = append(idle, took)
	}
	if len(busy) == 0 {
		return Figure{}, fmt.Errorf("nothing came back within %v", b.CPU)
	}
	return Figure{Value: median(busy), Detail: map[string]float64{"after-1ms-idle": median(idle)}}, nil
}

func microseconds(d time.Duration) float64 { return float64(d) / 1e3 }
