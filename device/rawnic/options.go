package rawnic

import (
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Options describe a device.
type Options struct {
	// Interface of the host, such as eth0.
	Interface string
	// HWAddr of the instance on the link; zero derives a locally administered one
	// from the interface's own. Several instances on one interface need different
	// ones.
	HWAddr wire.HWAddr
	// Promiscuous gives the instance's taps every frame of the link; otherwise the
	// host passes on those to HWAddr and to groups only.
	Promiscuous bool
}

// Kind makes devices for host files.
func Kind() core.DeviceKind {
	return core.DeviceKind{Kind: "packet", Parameters: parameters(), Needs: []string{"network", "CAP_NET_RAW"}, Open: func(given map[string]string) (core.Device, error) {
		o, err := Parse(given)
		if err != nil {
			return nil, err
		}
		return open(o)
	}}
}

func parameters() map[string]string {
	return map[string]string{
		"interface":   "the host's network interface, such as eth0",
		"hwaddr":      "hardware address of our side; derived from the interface's own if it is missing",
		"promiscuous": "yes lets captures see every frame of the link; no is the default",
	}
}

// Parse reads parameters of a host file.
func Parse(given map[string]string) (Options, error) {
	var o Options
	for _, k := range slices.Sorted(maps.Keys(given)) {
		switch v := given[k]; k {
		case "interface":
			o.Interface = v
		case "hwaddr":
			h, err := wire.ParseHWAddr(v)
			if err != nil || h.IsZero() {
				return o, fmt.Errorf("hwaddr = %q: it looks like 02:00:00:00:00:01", v)
			}
			o.HWAddr = h
		case "promiscuous":
			if o.Promiscuous = v == "yes" || v == "true"; !o.Promiscuous && v != "no" && v != "false" {
				return o, fmt.Errorf("promiscuous = %q: it is yes or no", v)
			}
		default:
			return o, fmt.Errorf("%s is no parameter of this device; there are %s", k, strings.Join(slices.Sorted(maps.Keys(parameters())), ", "))
		}
	}
	return o, o.check()
}

func (o *Options) check() error {
	switch {
	case o.Interface == "":
		return errors.New("interface is missing: name a network interface of the host, such as eth0")
	case len(o.Interface) > 15 || strings.ContainsAny(o.Interface, "/ \t\n:"):
		return fmt.Errorf("interface = %q: an interface name has 1 to 15 bytes without slash, colon and space", o.Interface)
	case o.HWAddr.IsMulticast():
		return fmt.Errorf("hwaddr = %v: it is a multicast address; the lowest bit of the first byte must be 0", o.HWAddr)
	}
	return nil
}

// derive is a locally administered address for a station beside own.
func derive(own wire.HWAddr) wire.HWAddr {
	f := fnv.New64a()
	_, _ = f.Write([]byte("packet/"))
	_, _ = f.Write(own[:])
	s := f.Sum64()
	h := wire.HWAddr{0x02, byte(s >> 32), byte(s >> 24), byte(s >> 16), byte(s >> 8), byte(s)}
	if h == own {
		h[5]++
	}
	return h
}
