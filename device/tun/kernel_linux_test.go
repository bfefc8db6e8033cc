package tun_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/device/devicetest/kernel"
	"github.com/libos-go/libos/device/tun"
	"github.com/libos-go/libos/device/tunio"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/plugin/plugintest"
)

func TestMain(m *testing.M) { plugintest.Main(m, tun.Kind()) }

// inModule is a device in a module, whose other side has a name that was asked for.
type inModule struct {
	core.Device
	name string
}

func (d inModule) KernelName() string { return d.name }
func (d inModule) Changed()           { d.Device.(core.InterfaceWatcher).Changed() }

// The ways to the kernel are the same when the device is in a process of its own,
// which opens /dev/net/tun itself.
func TestTheKernelPingsUsThroughAModule(t *testing.T) {
	for mode, tap := range map[string]bool{"tun": false, "tap": true} {
		t.Run(mode, func(t *testing.T) {
			var p *plugintest.Process
			t.Cleanup(func() { // after the check
				if to, from := p.Carried(); !t.Skipped() && (to < 30 || from < 30) {
					t.Errorf("%d frames went to the module, %d came from it", to, from)
				}
			})
			kernel.PingThrough(t, host.NewRealTime(), tap, func(rig *coretest.Rig, o tunio.Options) (kernel.Device, error) {
				p = plugintest.Start(t)
				d, err := p.Open(rig, "tun", map[string]string{"name": "module0", "mode": mode, "mtu": strconv.Itoa(o.MTU)})
				if err != nil {
					return nil, err
				}
				return inModule{d, "module0"}, nil
			})
		})
	}
}

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
