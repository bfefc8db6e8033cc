package tun

import (
	"github.com/songgao/water"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/device/tunio"
)

// Device is an open TUN or TAP device.
type Device struct {
	link
	name string
}

// Open makes a device. Errors name their cure.
func Open(o tunio.Options) (*Device, error) {
	if err := o.Complete(); err != nil {
		return nil, err
	}
	cfg := water.Config{DeviceType: water.TUN, PlatformSpecificParams: parameters(o.Name)}
	if o.TAP {
		cfg.DeviceType = water.TAP
	}
	w, err := water.New(cfg)
	if err != nil {
		return nil, tunio.Explain(o.Name, err)
	}
	if err := tunio.SetMTU(w.Name(), o.MTU); err != nil {
		_ = w.Close()
		return nil, err
	}
	d := &Device{name: w.Name()}
	d.init(w.ReadWriteCloser, o.Properties("tun", w.Name()))
	return d, nil
}

// KernelName is the name of the kernel's interface at the other side.
func (d *Device) KernelName() string { return d.name }

// Kind makes TUN and TAP devices for host files.
func Kind() core.DeviceKind {
	return core.DeviceKind{Kind: "tun", Parameters: tunio.Parameters(), Needs: tunio.Needs(), Open: func(parameters map[string]string) (core.Device, error) {
		o, err := tunio.Parse(parameters)
		if err != nil {
			return nil, err
		}
		d, err := Open(o)
		if err != nil {
			return nil, err
		}
		return d, nil
	}}
}
