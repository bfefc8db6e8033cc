// Package packetdrilltest runs packetdrill scripts as subtests. A test of scripts is
// one line:
//
//	packetdrilltest.Run(t, "testdata/*.pkt")
package packetdrilltest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/packetdrill"
)

// Run runs the scripts that a pattern names against an instance in virtual time,
// each as a subtest of its own for IPv4 and for IPv6 (a script that says
// --ip_version only for that). Directories are searched for *.pkt. The instance has
// all that defconfig has.
func Run(t *testing.T, patterns ...string) {
	t.Helper()
	RunOn(t, &packetdrill.Virtual{Wiring: libos.Wiring, Seed: 1, Debug: true}, packetdrill.Defaults(), patterns...)
}

// RunOn is Run with the backend and the settings of the test's choice.
func RunOn(t *testing.T, b packetdrill.Backend, s packetdrill.Settings, patterns ...string) {
	t.Helper()
	var files []string
	for _, p := range patterns {
		list, err := filepath.Glob(p)
		if err == nil {
			list, err = packetdrill.Files(list...)
		}
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, list...)
	}
	if len(files) == 0 {
		t.Fatalf("no script is at %q", patterns)
	}
	for _, file := range files {
		t.Run(filepath.ToSlash(file), func(t *testing.T) {
			if b.Name() == "kernel" {
				t.Parallel() // its time is spent waiting
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			runs, err := packetdrill.Prepare(file, string(text), s, packetdrill.IPv4, packetdrill.IPv6)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range runs {
				t.Run(r.Settings.IPVersion.String(), func(t *testing.T) {
					if b.Name() == "kernel" {
						t.Parallel()
					}
					result := packetdrill.Run(r.Script, r.Settings, b, func(line string) { t.Log(line) })
					if result.Skipped != "" {
						t.Skip(result.Skipped)
					}
					for _, f := range result.Failures {
						t.Error(f.Format(file))
					}
				})
			}
		})
	}
}

// RunOnKernel runs scripts against the host's kernel, which judges whether they are
// right; it skips where no namespace or TUN device can be made. Times may be off by
// what a busy machine takes: 100 ms, or an eighth.
func RunOnKernel(t *testing.T, patterns ...string) {
	t.Helper()
	if err := (packetdrill.Kernel{}).Check(); err != nil {
		t.Skipf("scripts cannot run on the kernel here: %v", err)
	}
	s := packetdrill.Defaults()
	s.Tolerance = 100 * time.Millisecond
	RunOn(t, packetdrill.Kernel{}, s, patterns...)
}
