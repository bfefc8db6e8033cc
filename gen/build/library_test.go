package build

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The C library of a build has what the build has: IPv6 is not in that of a
// configuration without it.
func TestTheCLibraryHoldsWhatWasChosen(t *testing.T) {
	if testing.Short() {
		t.Skip("it links a library: not with -short")
	}
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("gcc is not installed: apt install gcc")
	}
	b := repository(t)
	b.target(t, "four", "defconfig", "IPV6=n")
	if err := b.Library("four"); err != nil {
		t.Fatal(err)
	}
	dir := b.Folder("four")
	for _, f := range []string{LibraryName(), "libos.h", "packetdrill.h", "liblibos-preload.so"} {
		if _, err := os.Stat(filepath.Join(dir, f)); err != nil {
			t.Error(err)
		}
	}
	if to, err := os.Readlink(filepath.Join(dir, "liblibos.so")); err != nil || to != LibraryName() {
		t.Errorf("liblibos.so leads to %q: %v", to, err)
	}
	data, err := os.ReadFile(filepath.Join(dir, LibraryName()))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), "net.ipv4.tcp_sack") || strings.Contains(string(data), "net.ipv6.auto_flowlabels") {
		t.Error("the library is not that of its configuration")
	}
}

func TestAMissingCCompilerIsExplained(t *testing.T) {
	t.Setenv("CC", "no-such-compiler")
	b := repository(t)
	b.target(t, "tiny", "tinyconfig")
	err := b.Library("tiny")
	if err == nil || !strings.Contains(err.Error(), "no-such-compiler is not in PATH: install it (apt install gcc)") {
		t.Errorf("%v", err)
	}
}
