package dummy

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/libos-go/libos/core"
)

// Config describes a device. The zero value has an MTU of 1500.
type Config struct {
	MTU int // bytes of network packet, 68 to 65535; 0 is 1500
}

// Device is a link to nowhere. It implements core.LinkDevice.
type Device struct{ mtu int }

// New makes a device, with the nearest legal MTU.
func New(c Config) *Device {
	if c.MTU == 0 {
		c.MTU = 1500
	}
	return &Device{mtu: min(max(c.MTU, 68), 65535)}
}

// Kind makes such devices for host files (kind dummy) and for ip link add … type dummy.
func Kind() core.DeviceKind {
	return core.DeviceKind{
		Kind:       "dummy",
		Parameters: map[string]string{"mtu": "largest network packet in bytes, 68 to 65535; 1500 if it is missing"},
		Open: func(given map[string]string) (core.Device, error) {
			c, err := parse(given)
			if err != nil {
				return nil, err
			}
			return New(c), nil
		},
		Link: core.LinkKind{Name: "dummy", Make: func() []core.LinkDevice { return []core.LinkDevice{New(Config{})} }},
	}
}

func parse(given map[string]string) (c Config, err error) {
	for _, k := range slices.Sorted(maps.Keys(given)) {
		if k != "mtu" {
			return c, fmt.Errorf("a dummy has no parameter %q (parameters: mtu)", k)
		}
		if c.MTU, err = strconv.Atoi(given[k]); err != nil || c.MTU < 68 || c.MTU > 65535 {
			return c, fmt.Errorf("mtu = %q: it is a number in 68..65535", given[k])
		}
	}
	return c, nil
}

// Properties implements core.Device (dummy_setup, drivers/net/dummy.c).
func (d *Device) Properties() core.Properties {
	return core.Properties{
		Kind:  "dummy",
		Link:  core.LinkEthernet,
		MTU:   d.mtu,
		Flags: core.FlagBroadcast | core.FlagNoARP,
		// Nothing reads what is sent: it may be whole and without a checksum.
		Offloads:    core.OffloadTxChecksum | core.OffloadSegmentation | core.OffloadScatter,
		NoQueue:     true,
		NoOperState: true,
	}
}

// Attach implements core.Device.
func (d *Device) Attach(*core.Interface) {}

// Send implements core.Device: it accepts everything, which the interface counts.
func (d *Device) Send(batch []*core.Packet) int {
	for _, p := range batch {
		p.Free()
	}
	return len(batch)
}

// Partner implements core.LinkDevice: there is none.
func (d *Device) Partner() *core.Interface { return nil }

// CloseLocked implements core.LinkDevice.
func (d *Device) CloseLocked() {}

// Close implements core.Device.
func (d *Device) Close() error { return nil }
