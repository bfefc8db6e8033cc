// Command testreport runs `go test` and reports what a reader needs: failures
// in full, skipped tests with their reasons, one closing note.
//
//	go run ./gen/contracts/cmd/testreport [-noskip] [-name=NAME] [go test flags] packages
//
// With -noskip a skipped test fails the run: where everything is installed,
// nothing may skip; -name heads the closing note. Exit code 0 only if all tests passed.
package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

func main() {
	args := os.Args[1:]
	noSkip, name := false, "go test"
	args = slices.DeleteFunc(args, func(a string) bool {
		given, isName := strings.CutPrefix(a, "-name=")
		if isName {
			name = given
		}
		noSkip = noSkip || a == "-noskip"
		return isName || a == "-noskip"
	})
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "testreport: %v: is go in the PATH?\n", err)
		os.Exit(1)
	}
	r := newReport(os.Stdout)
	readErr := r.read(out)
	_, _ = io.Copy(io.Discard, out)
	waitErr := cmd.Wait()
	r.note(name)
	switch {
	case readErr != nil:
		fmt.Fprintf(os.Stderr, "testreport: output of go test: %v\n", readErr)
	case waitErr != nil && r.failed == 0 && r.broken == 0:
		fmt.Fprintf(os.Stderr, "testreport: go test %s: %v\n", strings.Join(args, " "), waitErr)
	case noSkip && len(r.skips) > 0:
		fmt.Fprintf(os.Stderr, "testreport: %d tests were skipped, and -noskip allows none\n", len(r.skips))
	case waitErr == nil && r.failed == 0 && r.broken == 0:
		return
	}
	os.Exit(1)
}
