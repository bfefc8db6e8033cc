package fault

import (
	"fmt"
	"math/bits"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/timer"
)

// Config says how often what happens. Probabilities are between 0 and 1, of one
// frame, independent of each other.
type Config struct {
	Drop      float64 // the frame is not sent
	Corrupt   float64 // one random bit is flipped
	Duplicate float64 // the frame is sent twice
	Reorder   float64 // the next frame overtakes this one
	// Hold is how long an overtaken frame waits for the next one; 0 is 10 ms.
	Hold time.Duration
	// Source of the dice, used under the lock of the device's Domain. Nil takes
	// the host's stream "fault/INSTANCE/INTERFACE".
	Source core.Source
}

// Check finds probabilities out of range.
func (c *Config) Check() error {
	for _, p := range []struct {
		name string
		v    float64
	}{{"drop", c.Drop}, {"corrupt", c.Corrupt}, {"duplicate", c.Duplicate}, {"reorder", c.Reorder}} {
		if !(p.v >= 0 && p.v <= 1) {
			return fmt.Errorf("fault: %s is a probability between 0 and 1, not %v", p.name, p.v)
		}
	}
	return nil
}

// Counters tell what was done to frames.
type Counters struct {
	Dropped, Corrupted, Duplicated, Reordered uint64
}

// Device is a device with faults.
type Device struct {
	core.Device
	cfg   Config
	dice  core.Source
	ifc   *core.Interface
	held  *core.Packet // is overtaken by the next one
	timer timer.Timer
	count Counters
	one   [1]*core.Packet
}

// Wrap gives dev faults. Probabilities out of range count as the nearest legal
// one.
func Wrap(dev core.Device, c Config) *Device {
	if c.Hold <= 0 {
		c.Hold = 10 * time.Millisecond
	}
	return &Device{Device: dev, cfg: c}
}

// Counters so far. Inside an entry, or while nothing runs.
func (d *Device) Counters() Counters { return d.count }

// Properties implements core.Device. Damage shows only where checksums are
// complete and verified.
func (d *Device) Properties() core.Properties {
	p := d.Device.Properties()
	p.Offloads &= core.OffloadScatter
	return p
}

// Attach implements core.Device.
func (d *Device) Attach(ifc *core.Interface) {
	d.ifc = ifc
	d.dice = d.cfg.Source
	if d.dice == nil {
		in := ifc.Instance()
		d.dice = in.Domain().Host().Random("fault/" + in.Name() + "/" + ifc.Name())
	}
	d.Device.Attach(ifc)
}

// Changed implements core.InterfaceWatcher for a device that does.
func (d *Device) Changed() {
	if w, ok := d.Device.(core.InterfaceWatcher); ok {
		w.Changed()
	}
}

func (d *Device) roll(p float64) bool {
	return p > 0 && float64(d.dice.Uint64()>>11) < p*(1<<53)
}

// Send implements core.Device. Dice are cast anew for a frame that the device
// refused.
func (d *Device) Send(batch []*core.Packet) int {
	for i, p := range batch {
		if d.roll(d.cfg.Drop) {
			d.count.Dropped++
			p.Free()
			continue
		}
		if d.roll(d.cfg.Corrupt) && d.flipBit(p) {
			d.count.Corrupted++
		}
		if d.held == nil && d.roll(d.cfg.Reorder) {
			d.count.Reordered++
			d.held = p
			in := d.ifc.Instance()
			in.SetTimer(&d.timer, in.Now().Add(d.cfg.Hold), d)
			continue
		}
		var twin *core.Packet
		if d.roll(d.cfg.Duplicate) {
			twin = p.Clone(d.ifc.Instance())
		}
		if !d.pass(p) {
			if twin != nil {
				twin.Free()
			}
			return i
		}
		if twin != nil {
			d.count.Duplicated++
			d.passOrDrop(twin)
		}
		d.release()
	}
	return len(batch)
}

// pass gives the device one packet.
func (d *Device) pass(p *core.Packet) bool {
	d.one[0] = p
	ok := d.Device.Send(d.one[:]) == 1
	d.one[0] = nil
	return ok
}

func (d *Device) passOrDrop(p *core.Packet) {
	if !d.pass(p) {
		d.count.Dropped++
		p.Free()
	}
}

// release sends the frame that was overtaken.
func (d *Device) release() {
	if p := d.held; p != nil {
		d.held = nil
		d.ifc.Instance().CancelTimer(&d.timer)
		d.passOrDrop(p)
	}
}

// Expire implements timer.Expirer: no frame came to overtake.
func (d *Device) Expire(*timer.Timer, core.Time) { d.release() }

// flipBit damages one random bit of p.
func (d *Device) flipBit(p *core.Packet) bool {
	if p.Len() == 0 || !p.Linearize() || !p.Unshare() {
		return false
	}
	b := p.Linear()
	bit, _ := bits.Mul64(d.dice.Uint64(), uint64(len(b))*8)
	b[bit/8] ^= 1 << (bit % 8)
	return true
}

// Close implements core.Device.
func (d *Device) Close() error {
	if d.ifc != nil {
		in := d.ifc.Instance()
		in.Domain().Do(func() {
			in.CancelTimer(&d.timer)
			if d.held != nil {
				d.held.Free()
				d.held = nil
			}
		})
	}
	return d.Device.Close()
}
