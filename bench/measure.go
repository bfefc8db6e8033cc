package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"time"
)

// warmShare is the part of the budget spent before measuring starts: windows open, pools fill, stacks grow.
const warmShare = 0.25

// cpuPer runs block again and again until the budget is used, and returns the CPU nanoseconds per unit of work.
// block returns how many units it did. All CPU time of the process counts: goroutines, timers, garbage collection.
func cpuPer(b Budget, block func() (units int64, err error)) (float64, error) {
	until := func(d time.Duration) (units int64, used time.Duration, err error) {
		start := cpuTime()
		for used < d {
			n, err := block()
			if err != nil {
				return 0, 0, err
			}
			units += n
			used = cpuTime() - start
		}
		return units, used, nil
	}
	if _, _, err := until(time.Duration(warmShare * float64(b.CPU))); err != nil {
		return 0, err
	}
	runtime.GC()
	units, used, err := until(b.CPU)
	if err != nil {
		return 0, err
	}
	return float64(used) / float64(units), nil
}

// memory is what a process holds at one moment.
type memory struct {
	heap       int64 // live Go objects and goroutine stacks
	resident   int64
	goroutines int
}

// settle lets timers and goroutines that are about to finish do so before memory is read.
const settle = 300 * time.Millisecond

func readMemory() (memory, error) {
	time.Sleep(settle)
	// Twice: what sync.Pools hold survives one collection.
	runtime.GC()
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	resident, err := residentBytes()
	if err != nil {
		return memory{}, err
	}
	return memory{
		heap:       int64(m.HeapAlloc + m.StackInuse),
		resident:   resident,
		goroutines: runtime.NumGoroutine(),
	}, nil
}

// memoryPer measures what n things hold that build makes, build(i) being called for i from 0 to warm+n-1; the first
// warm of them are made before measuring, to leave out what is held once a process. What build makes must stay
// reachable until memoryPer returns. The value is the larger of live heap (with goroutine stacks) and growth of
// resident memory, which holds off-heap pages too; divided by per, the number of units in one thing.
func memoryPer(warm, n, per int, build func(i int) error) (Figure, error) {
	if err := smallPages(); err != nil {
		return Figure{}, fmt.Errorf("turning off huge pages: %w", err)
	}
	for i := range warm {
		if err := build(i); err != nil {
			return Figure{}, err
		}
	}
	before, err := readMemory()
	if err != nil {
		return Figure{}, err
	}
	for i := range n {
		if err := build(warm + i); err != nil {
			return Figure{}, err
		}
	}
	after, err := readMemory()
	if err != nil {
		return Figure{}, err
	}
	each := func(before, after int64) float64 { return float64(after-before) / float64(n*per) }
	heap, resident := each(before.heap, after.heap), each(before.resident, after.resident)
	return Figure{Value: max(heap, resident), Detail: map[string]float64{
		"heap":       heap,
		"resident":   resident,
		"goroutines": each(int64(before.goroutines), int64(after.goroutines)),
	}}, nil
}
