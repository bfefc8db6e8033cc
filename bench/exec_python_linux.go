//go:build linux && (amd64 || arm64)

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/guest"
	"github.com/libos-go/libos/host"
)

// startsScript starts a program $1 times, one after the other, and prints how many nanoseconds that took.
const startsScript = `n=$1; shift; "$@"; b=$(date +%s%N); i=0; while [ $i -lt $n ]; do "$@"; i=$((i+1)); done; e=$(date +%s%N); echo $((e-b))`

// starts measures the start of a python3 that does nothing in microseconds of the machine; run runs the script.
func starts(b Budget, run func(c *exec.Cmd) error) (Figure, error) {
	python, err := exec.LookPath("/usr/bin/python3") // and not a script of some version manager
	if err != nil {
		if python, err = exec.LookPath("python3"); err != nil {
			return Figure{}, errNoPython
		}
	}
	n := max(2, int(b.CPU/(12*time.Millisecond)))
	c := exec.Command("sh", "-c", startsScript, "sh", strconv.Itoa(n), python, "-c", "pass")
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := run(c); err != nil {
		return Figure{}, fmt.Errorf("%w: %s", err, out.String())
	}
	took, err := strconv.ParseInt(strings.TrimSpace(out.String()), 10, 64)
	if err != nil {
		return Figure{}, err
	}
	return Figure{Value: float64(took) / 1000 / float64(n)}, nil
}

// oursExecPython is a start on an instance: every path that python looks at is judged.
func oursExecPython(b Budget) (f Figure, err error) {
	in, err := core.New(core.Options{Name: "bench", Host: host.NewRealTime(), Wiring: libos.Wiring()})
	if err != nil {
		return f, err
	}
	g := guest.New(in)
	f, err = starts(b, func(c *exec.Cmd) error { return g.Run(c, (*exec.Cmd).Wait) })
	return f, errors.Join(err, g.Close(), in.Close())
}

func nativeExecPython(b Budget) (Figure, error) { return starts(b, (*exec.Cmd).Run) }
