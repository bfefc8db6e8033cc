package replay

import (
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Options describe a device.
type Options struct {
	// File is a pcap or pcapng file, which may be compressed by gzip.
	File string
	// Speed is how many times faster than recorded the packets come; 0 is 1.
	Speed float64
	// Max has packets come as fast as the instance takes them, and Speed ignored.
	Max bool
	// Loop is how many times the file is played; 0 is 1. A pass begins one mean
	// interval of the file after the last packet of the pass before, or 1 ms where
	// the file has none.
	Loop int
	// Direction leaves out packets that the file says went the other way. Those of
	// which it says nothing are played.
	Direction Direction
	// Source plays packets of the file's interface of this name only (pcapng).
	Source string
	// HWAddr of the instance on an Ethernet link; zero derives one from the file's
	// name.
	HWAddr wire.HWAddr
	// Rewrite addresses every unicast frame of an Ethernet file to HWAddr.
	Rewrite bool
	// MTU in bytes of network packet; 0 is 1500. Longer packets of the file are
	// played all the same.
	MTU int
	// Out is a pcapng file for what the instance sends; an older one is replaced.
	Out string
}

// Direction is which way a packet went at the interface where it was captured.
type Direction uint8

const (
	Both Direction = iota
	In             // received there
	Out            // sent there
)

// Kind makes devices for host files.
func Kind() core.DeviceKind {
	return core.DeviceKind{Kind: "replay", Parameters: parameters(), Needs: []string{"files"}, Open: func(given map[string]string) (core.Device, error) {
		o, err := Parse(given)
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

func parameters() map[string]string {
	return map[string]string{
		"file":      "pcap or pcapng file to play (Ethernet or raw IP)",
		"speed":     "how many times faster than recorded, such as 2 or 0.5, or max; 1 if it is missing",
		"loop":      "how many times the file is played; 1 if it is missing",
		"direction": "in or out plays packets that went that way when captured, as far as the file tells; both is the default",
		"source":    "plays packets of the file's interface of this name only (pcapng)",
		"hwaddr":    "hardware address of our side (Ethernet); derived from the file's name if it is missing",
		"rewrite":   "on addresses unicast frames to our hardware address (Ethernet); off is the default",
		"mtu":       "largest network packet that we send in bytes, 68 to 65535; 1500 if it is missing",
		"out":       "pcapng file for what we send; it is dropped if this is missing",
	}
}

// Parse reads parameters of a host file.
func Parse(given map[string]string) (Options, error) {
	var o Options
	for _, k := range slices.Sorted(maps.Keys(given)) {
		var err error
		switch v := given[k]; k {
		case "file":
			o.File = v
		case "source":
			o.Source = v
		case "out":
			o.Out = v
		case "speed":
			if o.Max = v == "max"; o.Max {
				break
			}
			if o.Speed, err = strconv.ParseFloat(v, 64); err != nil || !(o.Speed > 0) {
				return o, fmt.Errorf("speed = %q: it is a factor, such as 2 or 0.5, or max", v)
			}
		case "loop":
			if o.Loop, err = strconv.Atoi(v); err != nil || o.Loop < 1 {
				return o, fmt.Errorf("loop = %q: it is how many times the file is played, from 1", v)
			}
		case "direction":
			i := slices.Index([]string{"both", "in", "out"}, v)
			if i < 0 {
				return o, fmt.Errorf("direction = %q: it is in, out or both", v)
			}
			o.Direction = Direction(i)
		case "hwaddr":
			if o.HWAddr, err = wire.ParseHWAddr(v); err != nil || o.HWAddr.IsZero() {
				return o, fmt.Errorf("hwaddr = %q: it looks like 02:00:00:00:00:01", v)
			}
		case "rewrite":
			if o.Rewrite = v == "on" || v == "yes" || v == "true"; !o.Rewrite && v != "off" && v != "no" && v != "false" {
				return o, fmt.Errorf("rewrite = %q: it is on or off", v)
			}
		case "mtu":
			if o.MTU, err = strconv.Atoi(v); err != nil || o.MTU == 0 {
				return o, fmt.Errorf("mtu = %q: it is a number of bytes, such as 1500", v)
			}
		default:
			return o, fmt.Errorf("%s is no parameter of this device; there are %s", k, strings.Join(slices.Sorted(maps.Keys(parameters())), ", "))
		}
	}
	return o, o.complete()
}

// The range of Speed.
const minSpeed, maxSpeed = 1e-6, 1e6

// complete fills in what is missing and finds values out of range.
func (o *Options) complete() error {
	if o.File == "" {
		return errors.New("file is missing: name a pcap or pcapng file")
	}
	if o.Speed == 0 {
		o.Speed = 1
	}
	if !(o.Speed >= minSpeed && o.Speed <= maxSpeed) {
		return fmt.Errorf("speed = %g: it is between %g and %g, or max", o.Speed, minSpeed, maxSpeed)
	}
	if o.Loop == 0 {
		o.Loop = 1
	}
	if o.Loop < 0 {
		return fmt.Errorf("loop = %d: it is how many times the file is played, from 1", o.Loop)
	}
	if o.MTU == 0 {
		o.MTU = 1500
	}
	if o.MTU < 68 || o.MTU > 65535 {
		return fmt.Errorf("mtu = %d: it is between 68 and 65535", o.MTU)
	}
	if o.HWAddr.IsMulticast() {
		return fmt.Errorf("hwaddr = %v: it is a multicast address; the lowest bit of the first byte must be 0", o.HWAddr)
	}
	return nil
}

// properties of a device that plays packets of a link.
func (o *Options) properties(link core.Link) (core.Properties, error) {
	p := core.Properties{Kind: "replay", Link: link, MTU: o.MTU, Offloads: core.OffloadScatter,
		Flags: core.FlagPointToPoint | core.FlagNoARP | core.FlagMulticast}
	if link != core.LinkEthernet {
		if !o.HWAddr.IsZero() || o.Rewrite {
			return p, fmt.Errorf("hwaddr and rewrite are for files of Ethernet frames: %s has IP packets without a link header", o.File)
		}
		return p, nil
	}
	p.Flags, p.HWAddr = core.FlagBroadcast|core.FlagMulticast, o.HWAddr
	if p.HWAddr.IsZero() {
		f := fnv.New64a()
		_, _ = f.Write([]byte("replay/" + filepath.Base(o.File)))
		h := f.Sum64()
		p.HWAddr = wire.HWAddr{0x02, byte(h >> 32), byte(h >> 24), byte(h >> 16), byte(h >> 8), byte(h)}
	}
	return p, nil
}
