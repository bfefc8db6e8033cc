package main

import (
	"bytes"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// stopping is a run of `libos sim` that a debugger stops: after each of so many bytes
// of its merged capture, which the test takes from a pipe. So the process cannot have
// gone on to the end meanwhile, however late the stop comes.
type stopping struct {
	after []int
	stand time.Duration // how long it stands each time
}

// simulated runs the dumbbell of the examples and returns every file that it wrote,
// and what it printed.
func simulated(t *testing.T, s stopping, flags ...string) map[string][]byte {
	t.Helper()
	dir := t.TempDir()
	self, err := exec.LookPath("libos")
	if err != nil {
		t.Fatal(err)
	}
	file, err := filepath.Abs("../../examples/dumbbell/dumbbell.toml")
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c := exec.Command(self, append([]string{"sim", "--until", "5s", "--pcap", "captures", "--digest", "--results", "results.json",
		"--report", "report.html", "--plot", "plots", "--merged", "/dev/fd/3"}, append(flags, file)...)...)
	var out, errs bytes.Buffer
	c.Dir, c.Stdout, c.Stderr, c.ExtraFiles = dir, &out, &errs, []*os.File{w}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	var merged bytes.Buffer
	for _, bytes := range s.after {
		if _, err := io.CopyN(&merged, r, int64(bytes-merged.Len())); err != nil {
			t.Errorf("after %d bytes of the capture: %v", merged.Len(), err)
			break
		}
		if err := stand(c.Process.Pid, s.stand); err != nil {
			t.Error(err)
		}
	}
	if _, err := io.Copy(&merged, r); err != nil {
		t.Error(err)
	}
	if err := c.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, errs.Bytes())
	}
	// The last line tells how long it took on the machine.
	lines := bytes.SplitAfter(bytes.TrimSpace(out.Bytes()), []byte("\n"))
	files := map[string][]byte{"merged": merged.Bytes(), "standard output": bytes.Join(lines[:len(lines)-1], nil)}
	err = filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			files[path[len(dir):]], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// stand stops all threads of a child, as a debugger does, and has it go on later.
func stand(pid int, d time.Duration) error {
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	// It stands now, and has not ended before.
	if err := unix.Waitid(unix.P_PID, pid, nil, unix.WSTOPPED, nil); err != nil {
		return err
	}
	time.Sleep(d) // the machine's time is what must make no difference
	return syscall.Kill(pid, syscall.SIGCONT)
}

// However often and long the process stands, and whatever the wall clock says
// meanwhile, each byte of captures, digests, results, page and plots is the same.
// With LIBOS_SOAK it stands for a whole minute each time.
func TestAStoppedSimulationSoakGivesTheSameBytes(t *testing.T) {
	s := stopping{after: []int{1, 1 << 20, 5 << 20, 9 << 20}, stand: 1500 * time.Millisecond}
	switch {
	case os.Getenv("LIBOS_SOAK") == "1":
		s.stand = time.Minute
	case testing.Short():
		s.stand = 20 * time.Millisecond
	}
	want := simulated(t, stopping{})
	for _, name := range []string{"merged", "standard output", "/results.json", "/report.html", "/captures/a0-eth0.pcapng"} {
		if len(want[name]) == 0 {
			t.Fatalf("%s is missing", name)
		}
	}
	for _, tt := range []struct {
		name  string
		flags []string
	}{
		{"one part", nil},
		{"two parts", []string{"--partitions", "2"}},
		{"on the wall clock", []string{"--realtime", "--speed", "10"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := simulated(t, s, tt.flags...)
			names := slices.AppendSeq(slices.Collect(maps.Keys(want)), maps.Keys(got))
			slices.Sort(names)
			for _, name := range slices.Compact(names) {
				if !bytes.Equal(got[name], want[name]) {
					t.Errorf("%s differs: %d bytes, undisturbed %d", name, len(got[name]), len(want[name]))
				}
			}
		})
	}
}
