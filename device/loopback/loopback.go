package loopback

import "github.com/libos-go/libos/core"

// MTU of the loopback device in bytes, the largest IPv4 packet (Linux's lo has
// 65536, which no IPv4 packet can use).
const MTU = 65535

// device gives every packet back to the interface that sent it.
type device struct {
	ifc *core.Interface
}

// Device makes a loopback device. Both ends are the same memory, so that
// nothing is summed and nothing verified (Linux's NETIF_F_HW_CSUM and
// CHECKSUM_UNNECESSARY on lo).
func Device() core.Device { return &device{} }

// Kind is the loopback device for host files. It has no parameters.
func Kind() core.DeviceKind {
	return core.DeviceKind{Kind: "loopback", Open: func(map[string]string) (core.Device, error) { return Device(), nil }}
}

// Properties implements core.Device.
func (d *device) Properties() core.Properties {
	return core.Properties{
		Kind:     "loopback",
		Link:     core.LinkLoopback,
		MTU:      MTU,
		Flags:    core.FlagIsLoopback | core.FlagNoARP,
		Offloads: core.OffloadTxChecksum | core.OffloadRxVerified | core.OffloadScatter,
	}
}

// Attach implements core.Device.
func (d *device) Attach(ifc *core.Interface) { d.ifc = ifc }

// Send implements core.Device: it accepts everything.
func (d *device) Send(batch []*core.Packet) int {
	for _, p := range batch {
		p.Flags = core.FlagLoopback
		d.ifc.Receive(p)
	}
	return len(batch)
}

// Close implements core.Device.
func (d *device) Close() error { return nil }
