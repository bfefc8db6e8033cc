package coretest

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// judged are the packages whose tests say what leaves an instance.
const judged = "./core/ipv4 ./core/ipv6 ./core/ipcommon ./core/shim ./protocols/..."

// wrong finds what a receiver would throw away, or tshark calls an error.
const wrong = "_ws.malformed || _ws.expert.severity == error || ip.checksum.status == 0 || tcp.checksum.status == 0 || " +
	"udp.checksum.status == 0 || icmp.checksum.status == 0 || icmpv6.checksum.status == 0 || igmp.checksum.status == 0"

// TestTsharkFindsNoFaultWithWhatTestsSend has a program that we did not write
// judge every frame that the tests of the protocols have instances send. Fuzz
// seeds are left out: an instance forwards their garbage as it is.
func TestTsharkFindsNoFaultWithWhatTestsSend(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: the tests of the protocols are not run a second time")
	}
	for _, tool := range []string{"tshark", "mergecap"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed (Debian: apt install tshark)", tool)
		}
	}
	dir := t.TempDir()
	run := exec.Command("go", append([]string{"test", "-count=1", "-run", "^Test", "-skip", "Kernel"}, strings.Fields(judged)...)...)
	run.Dir = filepath.Join("..", "..")
	run.Env = append(os.Environ(), PcapVariable+"="+dir)
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	files := map[uint32][]string{} // by link type
	all, err := filepath.Glob(filepath.Join(dir, "*.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > 24 {
			link := binary.LittleEndian.Uint32(b[20:])
			files[link] = append(files[link], f)
		}
	}
	if len(files) == 0 {
		t.Fatal("the tests sent nothing")
	}
	for link, list := range files {
		whole := filepath.Join(t.TempDir(), "whole.pcapng")
		// Each file keeps an interface of its own, whose number tells which it is.
		if out, err := exec.Command("mergecap", append([]string{"-a", "-I", "none", "-w", whole}, list...)...).CombinedOutput(); err != nil {
			t.Fatalf("mergecap: %v\n%s", err, out)
		}
		judge := exec.Command("tshark", "-n", "-r", whole, "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE",
			// What tshark says of UDP-Lite is in the fields of UDP.
			"-o", "udp.check_checksum:TRUE", "-o", "udplite.check_checksum:TRUE", "-o", "udplite.ignore_checksum_coverage:FALSE", "--disable-protocol", "http", "--disable-protocol", "echo",
			"-Y", wrong, "-T", "fields", "-e", "frame.interface_id", "-e", "_ws.col.info", "-e", "_ws.expert.message")
		var problems strings.Builder
		judge.Stderr = &problems
		out, err := judge.Output()
		if err != nil {
			t.Fatalf("tshark: %v\n%s", err, &problems)
		}
		for line := range strings.Lines(string(out)) {
			number, what, _ := strings.Cut(strings.TrimSpace(line), "\t")
			i, err := strconv.Atoi(number)
			if err != nil || i >= len(list) {
				t.Fatalf("tshark: %s", line)
			}
			t.Errorf("%s: %s", filepath.Base(list[i]), what)
		}
		t.Logf("link type %d: %d files", link, len(list))
	}
}
