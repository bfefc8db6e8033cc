//go:build !(linux && (amd64 || arm64))

package run

import (
	"context"
	"errors"
	"io"
	"os/exec"

	"github.com/libos-go/libos/cmd/libos/control"
	"github.com/libos-go/libos/core"
)

var errSystem = errors.New("programs are run on Linux only, on amd64 and arm64: what stops their system calls is its seccomp")

type guests struct{}

func (*guests) serve(context.Context, *control.Call) error { return errSystem }

func own(*core.Instance, []string, bool) error { return errSystem }

func start(*exec.Cmd, func(pid, fd int) error, bool) error { return errSystem }

func guard(io.Reader) error { return errSystem }

func waitExit(c *exec.Cmd) error { return c.Wait() }
