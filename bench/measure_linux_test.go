package main

import (
	"errors"
	"math"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// burn uses CPU time d of this process.
func burn(d time.Duration) {
	for start := cpuTime(); cpuTime()-start < d; {
	}
}

func TestCPUPerCountsTheWorkDone(t *testing.T) {
	got, err := cpuPer(Budget{CPU: 40 * time.Millisecond}, func() (int64, error) {
		burn(2 * time.Millisecond)
		return 1000, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got < 2000 || got > 4000 {
		t.Errorf("2 ms for 1000 units measured as %v ns a unit", got)
	}
}

func TestCPUPerPassesTheErrorOn(t *testing.T) {
	lost := errors.New("lost")
	if _, err := cpuPer(Budget{CPU: time.Second}, func() (int64, error) { return 0, lost }); !errors.Is(err, lost) {
		t.Errorf("error %v, want %v", err, lost)
	}
}

func TestMemoryPerSeesHeapAndOffHeap(t *testing.T) {
	const size, n, warm, per = 256 << 10, 100, 5, 2
	within := func(got, want float64) bool { return math.Abs(got-want) < want/5 }

	var heap [][]byte
	f, err := memoryPer(warm, n, per, func(i int) error {
		b := make([]byte, size)
		for i := range b {
			b[i] = 1
		}
		heap = append(heap, b)
		return nil
	})
	runtime.KeepAlive(heap)
	if err != nil {
		t.Fatal(err)
	}
	if len(heap) != warm+n || !within(f.Detail["heap"], size/per) || !within(f.Value, size/per) {
		t.Errorf("%d things of %d bytes, %d units each, on the heap: measured %+v", len(heap), size, per, f)
	}

	heap = nil
	runtime.GC()
	var mapped [][]byte
	f, err = memoryPer(warm, n, per, func(i int) error {
		b, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		for i := range b {
			b[i] = 1
		}
		mapped = append(mapped, b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if f.Detail["heap"] > size/per/5 || !within(f.Detail["resident"], size/per) || f.Value != f.Detail["resident"] {
		t.Errorf("%d things of %d bytes, %d units each, off the heap: measured %+v", len(mapped), size, per, f)
	}
	for _, b := range mapped {
		if err := syscall.Munmap(b); err != nil {
			t.Error(err)
		}
	}
}
