//go:build linux && (amd64 || arm64)

package guest_test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// The test binary is the program, too, where a program of the distribution would
// start too slowly or could not do what is wanted: role is in the environment.
const role, seedOf, countOf = "GUEST_ROLE", "GUEST_SEED", "GUEST_COUNT"

func TestMain(m *testing.M) {
	number := func(name string) uint64 {
		n, _ := strconv.ParseUint(os.Getenv(name), 10, 64)
		return n
	}
	switch os.Getenv(role) {
	case "":
		os.Exit(m.Run())
	case "busy":
		busy(number(seedOf))
	case "netlink":
		netlinkClient(os.Stdout)
	case "numbers":
		descriptorNumbers(number(countOf))
	case "random":
		randomCalls(number(seedOf), number(countOf))
	default:
		fmt.Fprintln(os.Stderr, "unknown role")
		os.Exit(2)
	}
}

// again is this binary in a role.
func again(t *testing.T, name string, seed, count uint64) *exec.Cmd {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(path)
	c.Env = append(os.Environ(), role+"="+name, fmt.Sprintf("%s=%d", seedOf, seed), fmt.Sprintf("%s=%d", countOf, count))
	return c
}
