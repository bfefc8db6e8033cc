//go:build !linux

package tunvnet

import (
	"errors"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/device/tunio"
)

func open(tunio.Options) (core.Device, error) {
	return nil, errors.New("tunvnet: this driver needs Linux: use the device kind tun instead")
}
