// Package player is a device that plays the frames of a pcap file to the stack, at
// the pace at which they were recorded, again and again if wanted, and swallows what
// the stack sends. It is the shortest device that does something: a file, a timer,
// two counters. (device/replay of libos does more.) Start reading at Device.Expire.
package player

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/timer"
	"github.com/libos-go/libos/core/wire"
)

const (
	// maxFile bounds the file, which is kept in memory.
	maxFile = 64 << 20
	// burst is how many frames come at one instant; more come a nanosecond later,
	// so that the stack keeps up with a file in which no time passes.
	burst = 64
	// wait is between two looks at an interface that is not up yet.
	wait = 10 * time.Millisecond
	// pause is between two passes.
	pause = time.Second
)

// Device plays a file.
type Device struct {
	frames []frame
	link   core.Link
	mtu    int
	passes int // left, this one included; 0: without end

	ifc   *core.Interface
	timer timer.Timer
	start core.Time // of this pass
	next  int       // frame
}

// frame of the file.
type frame struct {
	at   time.Duration // since the first
	data []byte
}

// Open reads a file. Errors name it.
func Open(file string, passes int) (*Device, error) {
	b, err := read(file)
	if err != nil {
		return nil, fmt.Errorf("player: %w", err)
	}
	d := &Device{passes: passes}
	if err := d.parse(b); err != nil {
		return nil, fmt.Errorf("player: %s: %w", file, err)
	}
	return d, nil
}

// read reads a file that is not too long.
func read(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file", file)
	case st.Size() > maxFile:
		return nil, fmt.Errorf("%s has %d bytes, more than %d: cut it with editcap -c", file, st.Size(), maxFile)
	}
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// parse takes the frames out of a pcap file.
func (d *Device) parse(b []byte) error {
	r, err := pcapgo.NewReader(bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("it is no pcap file: %w", err)
	}
	switch r.LinkType() {
	case layers.LinkTypeEthernet:
		d.link = core.LinkEthernet
	case layers.LinkTypeRaw, layers.LinkTypeIPv4, layers.LinkTypeIPv6:
		d.link = core.LinkRaw
	default:
		return fmt.Errorf("its link layer is %v: want Ethernet or raw IP", r.LinkType())
	}
	var first time.Time
	last := time.Duration(0)
	d.mtu = 1500
	for {
		data, info, err := r.ReadPacketData()
		if err == io.EOF {
			break
		} else if err != nil {
			return fmt.Errorf("frame %d: %w", len(d.frames)+1, err)
		}
		if len(d.frames) == 0 {
			first = info.Timestamp
		}
		last = max(last, info.Timestamp.Sub(first)) // time does not go back
		d.frames = append(d.frames, frame{last, data})
		n := len(data)
		if d.link == core.LinkEthernet {
			n -= wire.EthernetSize
		}
		d.mtu = min(max(d.mtu, n), 65535)
	}
	if len(d.frames) == 0 {
		return errors.New("there is no frame in it")
	}
	return nil
}

// Properties implements core.Device.
func (d *Device) Properties() core.Properties {
	p := core.Properties{Kind: "player", Link: d.link, MTU: d.mtu, Offloads: core.OffloadScatter}
	if d.link == core.LinkEthernet {
		p.Flags = core.FlagBroadcast | core.FlagMulticast
		p.HWAddr = wire.HWAddr{0x02, 'p', 'l', 'a', 'y', 1}
	}
	return p
}

// Attach implements core.Device.
func (d *Device) Attach(ifc *core.Interface) {
	d.ifc = ifc
	d.set(ifc.Instance().Now().Add(1))
}

func (d *Device) set(at core.Time) { d.ifc.Instance().SetTimer(&d.timer, at, d) }

// Expire implements timer.Expirer: it plays the frames that are due.
func (d *Device) Expire(_ *timer.Timer, now core.Time) {
	if d.next == 0 {
		if !d.ifc.Up() {
			d.set(now.Add(wait))
			return
		}
		d.start = now
	}
	for range burst {
		f := &d.frames[d.next]
		if due := d.start.Add(f.at); due > now {
			d.set(due)
			return
		}
		if p := d.ifc.Instance().NewInput(core.Frame{Data: f.data}); p != nil {
			d.ifc.Receive(p)
		} else {
			d.ifc.Stats().RxDropped++
		}
		if d.next++; d.next == len(d.frames) {
			d.next = 0
			if d.passes == 1 {
				return
			}
			d.passes = max(d.passes-1, 0)
			d.set(now.Add(pause))
			return
		}
	}
	d.set(now.Add(1))
}

// Send implements core.Device: nobody is at the other end.
func (d *Device) Send(batch []*core.Packet) int {
	for _, p := range batch {
		p.Free()
	}
	return len(batch)
}

// Close implements core.Device. The interface is closed: no timer runs any more.
func (d *Device) Close() error { return nil }

// Kind describes the device to the stack, linked in or as a module.
func Kind() core.DeviceKind {
	return core.DeviceKind{
		Kind:  "player",
		Needs: []string{"files"},
		Parameters: map[string]string{
			"file":   "a pcap file (classic format) of Ethernet frames or IP packets",
			"passes": "how many times it is played; 1 is the default, 0 is without end",
		},
		Open: func(given map[string]string) (core.Device, error) {
			passes := 1
			if p := given["passes"]; p != "" {
				var err error
				if passes, err = strconv.Atoi(p); err != nil || passes < 0 {
					return nil, fmt.Errorf("player: passes = %q: want a number from 0", p)
				}
			}
			if given["file"] == "" {
				return nil, errors.New("player: which file? Give file = FILE")
			}
			d, err := Open(given["file"], passes)
			if err != nil {
				return nil, err
			}
			return d, nil
		},
	}
}
