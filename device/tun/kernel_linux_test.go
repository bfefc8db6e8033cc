package tun_test

import (
	"strings"
	"testing"

	"github.com/libos-go/libos/device/devicetest/kernel"
	"github.com/libos-go/libos/device/tun"
	"github.com/libos-go/libos/device/tunio"
	"github.com/libos-go/libos/host"
)

func open(o tunio.Options) (kernel.Device, error) { return tun.Open(o) }

func TestTheKernelPingsUs(t *testing.T) {
	t.Run("tun", func(t *testing.T) { kernel.Ping(t, host.NewRealTime(), false, open) })
	t.Run("tap", func(t *testing.T) { kernel.Ping(t, host.NewRealTime(), true, open) })
}

func TestANameInUseIsExplained(t *testing.T) {
	kernel.InNamespace(t, func(t *testing.T) {
		first, err := tun.Open(tunio.Options{Name: "twice"})
		if err != nil {
			t.Skip(err)
		}
		defer first.Close()
		_, err = tun.Open(tunio.Options{Name: "twice"})
		if err == nil || err.Error() != "/dev/net/tun: device or resource busy: another program has twice open: choose another name" {
			t.Errorf("opening it twice: %v", err)
		}
		_, err = tun.Open(tunio.Options{Name: "twice", TAP: true})
		if err == nil || !strings.Contains(err.Error(), "choose another name") {
			t.Errorf("opening it as TAP: %v", err)
		}
	})
}
