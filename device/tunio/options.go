package tunio

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Options describe a TUN or TAP device.
type Options struct {
	// Name of the kernel's interface, at most 15 bytes; "" lets the kernel choose.
	Name string
	// TAP carries Ethernet frames; without it the link carries IP packets.
	TAP bool
	// MTU in bytes of network packet, for both sides; 0 is 1500.
	MTU int
	// HWAddr of our side (TAP); zero derives one from the name.
	HWAddr wire.HWAddr
	// NoOffload (device/tunvnet) leaves checksums and segmentation to the stack.
	NoOffload bool
}

// Parameters are the names of Options in host files.
func Parameters() map[string]string {
	return map[string]string{
		"name": "name of the kernel's interface, such as tun0; the kernel chooses one if it is missing",
		"mode": "tun (IP packets, the default) or tap (Ethernet frames)",
		"mtu":  "largest network packet in bytes, 68 to 65535; 1500 if it is missing",
		"mac":  "hardware address of our side, mode = tap only; derived from the name if it is missing",
	}
}

// Needs are what drivers use of the host: /dev/net/tun, and a socket for what is
// set on the interface.
func Needs() []string { return []string{"files", "network", "CAP_NET_ADMIN"} }

// Parse reads parameters of a host file.
func Parse(parameters map[string]string) (Options, error) {
	var o Options
	known := Parameters()
	names := make([]string, 0, len(known))
	for n := range known {
		names = append(names, n)
	}
	slices.Sort(names)
	keys := make([]string, 0, len(parameters))
	for k := range parameters {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		v := parameters[k]
		switch k {
		case "name":
			o.Name = v
		case "mode":
			switch v {
			case "tun":
			case "tap":
				o.TAP = true
			default:
				return o, fmt.Errorf("mode = %q: it is tun or tap", v)
			}
		case "mtu":
			n, err := strconv.Atoi(v)
			if err != nil {
				return o, fmt.Errorf("mtu = %q: it is a number of bytes, such as 1500", v)
			}
			if n == 0 {
				return o, errors.New("mtu = 0: it is between 68 and 65535")
			}
			o.MTU = n
		case "mac":
			h, err := wire.ParseHWAddr(v)
			if err != nil {
				return o, fmt.Errorf("mac = %q: it looks like 02:00:00:00:00:01", v)
			}
			o.HWAddr = h
		default:
			return o, fmt.Errorf("%s is no parameter of this device; there are %s", k, strings.Join(names, ", "))
		}
	}
	if !o.TAP && !o.HWAddr.IsZero() {
		return o, errors.New("mac is for mode = tap: a TUN device has no hardware address")
	}
	return o, o.Complete()
}

// Complete fills in what is missing and finds values out of range.
func (o *Options) Complete() error {
	if len(o.Name) > 15 || strings.ContainsAny(o.Name, "/ \t\n:") || o.Name == "." || o.Name == ".." {
		return fmt.Errorf("name = %q: an interface name has 1 to 15 bytes without slash, colon and space", o.Name)
	}
	if o.MTU == 0 {
		o.MTU = 1500
	}
	if o.MTU < 68 || o.MTU > 65535 {
		return fmt.Errorf("mtu = %d: it is between 68 and 65535", o.MTU)
	}
	if o.HWAddr.IsMulticast() {
		return fmt.Errorf("mac = %v: it is a multicast address; the lowest bit of the first byte must be 0", o.HWAddr)
	}
	return nil
}

// Properties of a device with these options, whose interface the kernel calls
// name.
func (o *Options) Properties(kind, name string) core.Properties {
	p := core.Properties{Kind: kind, Name: "", Link: core.LinkRaw, MTU: o.MTU, Offloads: core.OffloadScatter,
		Flags: core.FlagPointToPoint | core.FlagNoARP | core.FlagMulticast}
	if o.TAP {
		p.Link, p.Flags, p.HWAddr = core.LinkEthernet, core.FlagBroadcast|core.FlagMulticast, o.HWAddr
		if p.HWAddr.IsZero() {
			f := fnv.New64a()
			_, _ = f.Write([]byte("tap/" + name))
			h := f.Sum64()
			p.HWAddr = wire.HWAddr{0x02, byte(h >> 32), byte(h >> 24), byte(h >> 16), byte(h >> 8), byte(h)}
		}
	}
	return p
}

// Explain adds the cure to an error of opening a device.
func Explain(name string, err error) error {
	if name == "" {
		name = "a new interface"
	}
	cure := ""
	switch {
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES), errors.Is(err, fs.ErrPermission):
		cure = "run as root or grant CAP_NET_ADMIN"
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.ENXIO):
		cure = "the system has no TUN driver: on Linux run modprobe tun, in a container give it the device /dev/net/tun"
	case errors.Is(err, syscall.EBUSY):
		cure = "another program has " + name + " open: choose another name"
	case errors.Is(err, syscall.EINVAL):
		cure = name + " exists and is of another kind: choose another name or delete it (ip link del " + name + ")"
	default:
		return fmt.Errorf("/dev/net/tun: %s: %w", name, err)
	}
	return fmt.Errorf("/dev/net/tun: %w: %s", bare(err), cure)
}

// bare is the system's error without the names of calls around it.
func bare(err error) error {
	var e syscall.Errno
	if errors.As(err, &e) {
		return e
	}
	return err
}
