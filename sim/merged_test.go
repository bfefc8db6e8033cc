package sim_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos/device/capture"
)

// mergedFile is a capture of all interfaces of the busy network.
func mergedFile(t *testing.T, parts int) (file []byte, frames uint64) {
	n := busy(t, parts)
	var b bytes.Buffer
	c, err := n.CaptureMerged(&b, capture.Options{Comment: "busy"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	run(t, n, 500*time.Millisecond)
	if parts == 1 && b.Len() == 0 {
		t.Error("nothing was written while the network ran")
	}
	run(t, n, time.Second)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), c.Frames()
}

func TestAMergedCaptureIsTheSameInAnyPartition(t *testing.T) {
	want, frames := mergedFile(t, 1)
	for _, parts := range []int{2, 4} {
		if got, n := mergedFile(t, parts); !bytes.Equal(got, want) {
			t.Errorf("%d parts: %d frames in %d bytes, not the %d in %d of one part", parts, n, len(got), frames, len(want))
		}
	}
}

func TestTsharkReadsAMergedCapture(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed: the file is not read")
	}
	file, frames := mergedFile(t, 2)
	name := filepath.Join(t.TempDir(), "all.pcapng")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), tshark, "-n", "-r", name, "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-T", "fields",
		"-e", "frame.interface_name", "-e", "frame.time_relative", "-e", "ip.checksum.status", "-e", "tcp.checksum.status")
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	seen, lines, before := map[string]bool{}, uint64(0), 0.0
	for l := range strings.Lines(out.String()) {
		f := strings.Split(strings.TrimSuffix(l, "\n"), "\t")
		var at float64
		if _, err := fmt.Sscan(f[1], &at); err != nil || at < before {
			t.Fatalf("frame %d is of %s s, the one before of %g", lines+1, f[1], before)
		}
		if f[2] == "0" || f[3] == "0" {
			t.Errorf("frame %d has a bad checksum: %q", lines+1, l)
		}
		seen[f[0]], before = true, at
		lines++
	}
	if lines != frames || !seen["h00/eth0"] || !seen["r5/eth3"] || len(seen) != 36 {
		t.Errorf("%d frames of %d, interfaces: %v", lines, frames, seen)
	}
}
