package loopback_test

import (
	"testing"

	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/loopback"
	"github.com/libos-go/libos/host"
)

func TestContract(t *testing.T) {
	devicetest.Run(t, func(t *testing.T) devicetest.Link {
		h := host.NewVirtual(1)
		return devicetest.Link{Host: h, A: loopback.Device(), Pass: devicetest.Virtual(h.RunFor)}
	})
}
