//go:build !linux

package demo

import (
	"context"
	"fmt"
	"runtime"
)

func (o *options) withKernel(context.Context) error {
	return fmt.Errorf("demo --tun needs network namespaces, which %s does not have: run it on Linux", runtime.GOOS)
}
