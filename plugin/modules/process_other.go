//go:build !linux

package modules

import (
	"errors"
	"net"
	"os"
	"os/exec"
)

func socketPair() (*net.UnixConn, *os.File, error) {
	return nil, nil, errors.New("modules run on Linux only: build what they serve as y")
}

func confine(*exec.Cmd, *Options) {}
