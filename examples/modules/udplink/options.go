package udplink

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

const (
	maxMTU     = maxFrame - wire.EthernetSize
	defaultMTU = 1450 // leaves room for the outer headers on Ethernet
)

// Options of a device.
type Options struct {
	Network       string // "udp" or "unixgram"
	Local, Remote string // addresses of the sockets
	HWAddr        wire.HWAddr
	MTU           int // bytes; 0 is 1450
}

// Kind describes the device to the stack, linked in or as a module.
func Kind() core.DeviceKind {
	return core.DeviceKind{
		Kind:  "udplink",
		Needs: []string{"network", "files"}, // the socket, and the file of a Unix one
		Parameters: map[string]string{
			"local":  "HOST:PORT of our UDP socket, or the path of our Unix socket (it begins with / or .)",
			"remote": "likewise of the other end",
			"hwaddr": "hardware address of our side; derived from local and remote if it is missing",
			"mtu":    fmt.Sprintf("bytes of an IP packet, 68 to %d; %d is the default", maxMTU, defaultMTU),
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
	o.Local, o.Remote, o.Network = given["local"], given["remote"], "udp"
	if isPath(o.Local) {
		o.Network = "unixgram"
	}
	if m := given["mtu"]; m != "" {
		if o.MTU, err = strconv.Atoi(m); err != nil || o.MTU == 0 {
			return o, fmt.Errorf("udplink: mtu = %q: want 68 to %d", m, maxMTU)
		}
	}
	if h := given["hwaddr"]; h != "" {
		if o.HWAddr, err = wire.ParseHWAddr(h); err != nil {
			return o, fmt.Errorf("udplink: hwaddr = %q: %w", h, err)
		}
	}
	return o, o.complete()
}

func isPath(s string) bool { return strings.HasPrefix(s, "/") || strings.HasPrefix(s, ".") }

// complete fills in defaults and refuses what cannot be.
func (o *Options) complete() error {
	switch {
	case o.Local == "" || o.Remote == "":
		return fmt.Errorf("udplink: between which sockets? Give local and remote")
	case isPath(o.Local) != isPath(o.Remote):
		return fmt.Errorf("udplink: local = %q and remote = %q: want two paths or two HOST:PORT", o.Local, o.Remote)
	}
	if o.MTU == 0 {
		o.MTU = defaultMTU
	}
	if o.MTU < 68 || o.MTU > maxMTU {
		return fmt.Errorf("udplink: mtu = %d: want 68 to %d", o.MTU, maxMTU)
	}
	if o.HWAddr == (wire.HWAddr{}) {
		h := fnv.New64a()
		fmt.Fprint(h, o.Network, " ", o.Local, " ", o.Remote)
		sum := h.Sum64()
		o.HWAddr = wire.HWAddr{0x02, byte(sum), byte(sum >> 8), byte(sum >> 16), byte(sum >> 24), byte(sum >> 32)}
	}
	return nil
}
