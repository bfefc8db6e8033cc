//go:build linux && (amd64 || arm64)

package guest_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Programs that change interfaces, routes and neighbours by ioctls do to the stack what
// they do to the kernel.
func TestNetToolsChangeTheStackAsTheKernel(t *testing.T) {
	for _, name := range []string{"ifconfig", "route", "arp", "nameif", "ip", "unshare"} {
		need(t, name)
	}
	if os.Getuid() != 0 {
		t.Skip("only root may make network namespaces")
	}
	const script = "testdata/nettools.sh"
	kernel, err := exec.Command("unshare", "-n", "sh", "-c", "ip link set lo up && sh "+script).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, kernel)
	}
	ours, err := program(t, lab(t), "sh", script)
	if err != nil {
		t.Fatalf("%v\n%s", err, ours)
	}
	if d := cmp.Diff(strings.Split(string(kernel), "\n"), strings.Split(ours, "\n")); d != "" {
		t.Errorf("kernel (-), stack (+):\n%s", d)
	}
}
