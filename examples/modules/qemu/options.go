package qemu

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Roles of the device.
const (
	Connect = "connect" // QEMU is the server
	Listen  = "listen"  // QEMU is the client
)

// Options of a device.
type Options struct {
	Role    string // Connect or Listen; "" is Connect
	Network string // "unix" or "tcp"
	Address string // of the socket
	HWAddr  wire.HWAddr
	MTU     int // bytes; 0 is 1500
}

// Kind describes the device to the stack, linked in or as a module.
func Kind() core.DeviceKind {
	return core.DeviceKind{
		Kind:  "qemu",
		Needs: []string{"network", "files"}, // the socket, and the file of a Unix one
		Parameters: map[string]string{
			"path":    "the Unix socket of QEMU's -netdev stream",
			"address": "host:port instead of a path",
			"role":    "connect (QEMU has server=on; the default) or listen",
			"hwaddr":  "hardware address of our side; derived from path or address and role if it is missing",
			"mtu":     "bytes of an IP packet, 68 to 65535; 1500 is the default",
		},
		Open: func(given map[string]string) (core.Device, error) {
			o, err := Parse(given)
			if err != nil {
				return nil, err
			}
			d, err := Open(o)
			if err != nil {
				return nil, err
			}
			return d, nil
		},
	}
}

// Parse reads the parameters of Kind.
func Parse(given map[string]string) (o Options, err error) {
	o.Network, o.Address, o.Role = "unix", given["path"], given["role"]
	if a := given["address"]; a != "" {
		if o.Address != "" {
			return o, fmt.Errorf("qemu: path and address are two ways to say where the socket is: give one")
		}
		o.Network, o.Address = "tcp", a
	}
	if m := given["mtu"]; m != "" {
		if o.MTU, err = strconv.Atoi(m); err != nil || o.MTU == 0 {
			return o, fmt.Errorf("qemu: mtu = %q: want 68 to 65535", m)
		}
	}
	if h := given["hwaddr"]; h != "" {
		if o.HWAddr, err = wire.ParseHWAddr(h); err != nil {
			return o, fmt.Errorf("qemu: hwaddr = %q: %w", h, err)
		}
	}
	return o, o.complete()
}

// complete fills in defaults and refuses what cannot be.
func (o *Options) complete() error {
	if o.Address == "" {
		return fmt.Errorf("qemu: which socket? Give path = FILE or address = HOST:PORT")
	}
	if o.Role == "" {
		o.Role = Connect
	}
	if !slices.Contains([]string{Connect, Listen}, o.Role) {
		return fmt.Errorf("qemu: role = %q: want connect or listen", o.Role)
	}
	if o.MTU == 0 {
		o.MTU = 1500
	}
	if o.MTU < 68 || o.MTU > 65535 {
		return fmt.Errorf("qemu: mtu = %d: want 68 to 65535", o.MTU)
	}
	if o.HWAddr == (wire.HWAddr{}) {
		h := fnv.New64a()
		fmt.Fprint(h, o.Network, o.Address, o.Role)
		sum := h.Sum64()
		o.HWAddr = wire.HWAddr{0x02, byte(sum), byte(sum >> 8), byte(sum >> 16), byte(sum >> 24), byte(sum >> 32)}
	}
	if o.Role == Listen && o.Network == "unix" {
		return removeStale(o.Address)
	}
	return nil
}
