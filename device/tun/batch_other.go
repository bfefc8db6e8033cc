//go:build !unix

package tun

import (
	"io"

	"github.com/libos-go/libos/core"
)

func batcher(file io.Reader) func([]byte, []core.Frame) ([]core.Frame, error) { return readOne(file) }
