package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is the user and system time this process, all of its threads, has used.
func cpuTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(fmt.Sprintf("getrusage of this very process: %v", err)) // it has no way to fail
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// cpuTimeOf is cpuTime of another process, 0 for process 0 (clock_getcpuclockid(3): the clock's number is made of the
// process's).
func cpuTimeOf(pid int) (time.Duration, error) {
	if pid == 0 {
		return 0, nil
	}
	const scheduled = 2 // CPUCLOCK_SCHED
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &t); err != nil {
		return 0, fmt.Errorf("the CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// residentBytes is the memory of this process that is in RAM (/proc/self/smaps_rollup: proc(5)), counted page by page:
// the counters of /proc/self/statm lag behind by a batch per thread.
func residentBytes() (int64, error) {
	const file = "/proc/self/smaps_rollup"
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte("Rss:")); ok {
			kb, err := strconv.ParseInt(string(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte(" kB"))), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", file, err)
			}
			return kb << 10, nil
		}
	}
	return 0, fmt.Errorf("%s has no line Rss", file)
}

// smallPages asks the kernel for no transparent huge pages in this process, so that resident memory is what was touched.
func smallPages() error {
	return unix.Prctl(unix.PR_SET_THP_DISABLE, 1, 0, 0, 0)
}

// chooseCPUs lists the CPUs that are allowed to this process, the wanted one first; -1 prefers the last.
func chooseCPUs(want int) ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("sched_getaffinity: %w", err)
	}
	var cpus []int
	if want >= 0 {
		if !set.IsSet(want) {
			return nil, fmt.Errorf("-cpu %d: this process may not run there", want)
		}
		cpus = append(cpus, want)
	}
	for cpu := len(set)*64 - 1; cpu >= 0; cpu-- {
		if set.IsSet(cpu) && cpu != want {
			cpus = append(cpus, cpu)
		}
	}
	if len(cpus) == 0 {
		return nil, fmt.Errorf("sched_getaffinity reports no CPU at all")
	}
	return cpus, nil
}

// pinThread binds the calling thread, which must be locked to its goroutine, to some CPUs until restore.
func pinThread(cpus []int) (restore func() error, err error) {
	var before, some unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return nil, fmt.Errorf("sched_getaffinity: %w", err)
	}
	for _, cpu := range cpus {
		some.Set(cpu)
	}
	if err := unix.SchedSetaffinity(0, &some); err != nil {
		return nil, fmt.Errorf("sched_setaffinity to CPUs %v: %w", cpus, err)
	}
	return func() error {
		if err := unix.SchedSetaffinity(0, &before); err != nil {
			return fmt.Errorf("sched_setaffinity back: %w", err)
		}
		return nil
	}, nil
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
