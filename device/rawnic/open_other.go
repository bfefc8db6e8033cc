//go:build !linux

package rawnic

import (
	"errors"

	"github.com/libos-go/libos/core"
)

func open(Options) (core.Device, error) {
	return nil, errors.New("packet: this driver needs Linux: use the device kind tun instead")
}
