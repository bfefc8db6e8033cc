package session

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/remote"
	"github.com/libos-go/libos/core/timer"
)

// Messages about devices, beside those of core/remote. Their Number is that of the
// device, which the stack chooses.
const (
	kindDeviceOpen   remote.Kind = 200 + iota // to the module, answered: a kind and its parameters
	kindDeviceAttach                          // to the module: names, where random numbers begin, civil time
	kindDeviceClose                           // to the module, answered
	kindDeviceTimer                           // to the stack, in lockstep: an instant; to the module: it has come
	kindDeviceSync                            // to the module, answered: what came before was worked on
)

// Bounds of what is said of a device.
const (
	maxParameters = 256
	maxText       = 4096 // bytes of a parameter, or of an error
	maxDevices    = 1 << 12
)

// Device is what the core sees of a device in a module. While the module is away
// it has no carrier, and drops what it is given; then it is opened again with the
// same parameters.
type Device struct {
	session    *Session
	number     int
	kind       string
	parameters map[string]string
	props      core.Properties
	near       remote.NearDevice
	ifc        *core.Interface // nil before Attach
	timer      timer.Timer     // of the device, in lockstep
	open       bool            // the module has it
	refused    int             // times in a row that it did not open again
	closed     bool
}

// OpenDevice opens a device of a kind that the module serves. An error of the
// device names the parameter and the cure; ENETDOWN says that the module is away.
func (s *Session) OpenDevice(kind string, parameters map[string]string) (*Device, error) {
	d := &Device{session: s, kind: kind, parameters: maps.Clone(parameters), number: -1}
	var err error
	s.domain.Do(func() {
		if d.number = slices.Index(s.devices, nil); d.number < 0 {
			d.number = len(s.devices)
			if d.number == maxDevices {
				err = fmt.Errorf("session: %s has %d devices already: %w", s.o.Name, maxDevices, syscall.ENOSPC)
				return
			}
			s.devices = append(s.devices, nil)
		}
		if d.props, err = d.ask(); err == nil {
			s.devices[d.number] = d
		}
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Devices are those that are open, as the stack sees it.
func (s *Session) Devices() []*Device {
	var out []*Device
	s.domain.Do(func() {
		for _, d := range s.devices {
			if d != nil {
				out = append(out, d)
			}
		}
	})
	return out
}

// Kind of the device.
func (d *Device) Kind() string { return d.kind }

// Instance that has it, nil before Attach.
func (d *Device) Instance() (in *core.Instance) {
	d.session.domain.Do(func() {
		if d.ifc != nil {
			in = d.ifc.Instance()
		}
	})
	return in
}

// ask has the module open the device.
func (d *Device) ask() (core.Properties, error) {
	s := d.session
	if s.link == nil {
		return core.Properties{}, fmt.Errorf("session: module %s is away: %w", s.o.Name, syscall.ENETDOWN)
	}
	b := appendName(begin(s.buffer, kindDeviceOpen, d.number, s.domain.Now()), d.kind)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(d.parameters)))
	for _, k := range slices.Sorted(maps.Keys(d.parameters)) {
		b = appendName(appendName(b, k), d.parameters[k])
	}
	r, err := d.call(b)
	if err != nil {
		return core.Properties{}, err
	}
	p := r.Properties()
	if err := r.End(); err != nil {
		s.breach(err)
		return core.Properties{}, err
	}
	d.open = true
	return p, nil
}

// call carries a question and returns the rest of an answer that is no error.
func (d *Device) call(b []byte) (remote.Reader, error) {
	s := d.session
	s.buffer = b
	_, _, r, err := remote.Open(s.call(remote.Finish(b)))
	if err != nil {
		return r, fmt.Errorf("session: module %s went away: %w", s.o.Name, syscall.ENETDOWN)
	}
	if failed := r.Bool(); !failed {
		return r, nil
	}
	text := r.Text(maxText)
	if err := r.End(); err != nil {
		s.breach(err)
		return r, err
	}
	return r, errors.New(text)
}

// Properties implements core.Device.
func (d *Device) Properties() core.Properties { return d.props }

// Attach implements core.Device.
func (d *Device) Attach(ifc *core.Interface) {
	d.ifc = ifc
	d.near.Attach(ifc)
	if !d.open {
		d.near.Disconnect()
		return
	}
	d.begin()
}

// begin gives the device of the module its interface there.
func (d *Device) begin() {
	s, in := d.session, d.ifc.Instance()
	h := s.domain.Host()
	random := h.Random("device " + in.Name() + "/" + d.ifc.Name())
	le := binary.LittleEndian
	b := appendName(appendName(begin(s.buffer, kindDeviceAttach, d.number, s.domain.Now()), in.Name()), d.ifc.Name())
	b = le.AppendUint64(le.AppendUint64(b, random.Uint64()), random.Uint64())
	s.post(le.AppendUint64(b, uint64(h.WallNow().UnixNano())))
	if d.open {
		d.near.Connect(devicePeer{d}, d.props.QueueLen)
		d.sync()
	}
}

// sync waits until the device has heard what was told, so that an interface that is
// up is up at both ends. What the module itself caused waits for nothing.
func (d *Device) sync() {
	s := d.session
	if !d.open || s.o.Lockstep || s.working {
		return
	}
	if r, err := d.call(begin(s.buffer, kindDeviceSync, d.number, s.domain.Now())); err == nil && r.End() != nil {
		s.breach(r.Err())
	}
}

// A device that does not open again is tried anew after firstReopen, then after
// twice as long, up to longReopen: the process before may not have let go of what
// only one can have.
const (
	firstReopen = 5 * time.Millisecond
	longReopen  = time.Second
)

// again opens the device at a module that knows nothing yet.
func (d *Device) again() error {
	s := d.session
	p, err := d.ask()
	switch {
	case s.link == nil:
		return err
	case err == nil && (p.Link != d.props.Link || p.HWAddr != d.props.HWAddr):
		err = fmt.Errorf("its hardware address was %v and is %v: give it one by its parameters", d.props.HWAddr, p.HWAddr)
		fallthrough
	case err != nil:
		s.o.Log.Warn("device does not open again", "module", s.o.Name, "kind", d.kind, "error", err)
		if d.open {
			_ = d.shut()
		}
		if d.ifc != nil {
			d.near.Disconnect()
		}
		if l := s.link; l != nil && !s.o.Lockstep {
			pause := min(firstReopen<<min(d.refused, 10), longReopen)
			d.refused++
			time.AfterFunc(pause, func() {
				s.domain.Do(func() {
					if s.link == l && !d.closed && !d.open {
						_ = d.again() // a module that goes away meanwhile is told of elsewhere
					}
				})
			})
		}
	case d.ifc != nil:
		d.refused = 0
		d.begin()
	}
	return nil
}

// lost says that the module is away.
func (d *Device) lost() {
	d.open = false
	if d.ifc != nil {
		d.ifc.Instance().CancelTimer(&d.timer)
		d.near.Disconnect()
	}
}

// Send implements core.Device.
func (d *Device) Send(batch []*core.Packet) int {
	n := d.near.Send(batch)
	if d.open {
		d.session.stats.Packets += uint64(n)
	}
	return n
}

// Changed implements core.InterfaceWatcher.
func (d *Device) Changed() {
	d.near.Changed()
	d.sync()
}

// Close implements core.Device. Its error is that of the device in the module, if
// that is there.
func (d *Device) Close() error {
	var err error
	s := d.session
	s.domain.Do(func() {
		if d.closed {
			return
		}
		d.closed = true
		d.near.Close()
		if d.open {
			err = d.shut()
		}
		if d.ifc != nil {
			d.ifc.Instance().CancelTimer(&d.timer)
		}
		s.devices[d.number] = nil
	})
	return err
}

// shut has the module close the device.
func (d *Device) shut() error {
	s := d.session
	r, err := d.call(begin(s.buffer, kindDeviceClose, d.number, s.domain.Now()))
	d.open = false
	if err == nil && r.End() != nil {
		s.breach(r.Err())
	}
	if s.link == nil {
		return nil // its end was told
	}
	return err
}

// errTimer tells of a module that sets a timer in real time.
var errTimer = errors.New("session: a device of a module has timers of its own in real time")

// handle works on a message about the device.
func (d *Device) handle(msg []byte) error {
	if kind(msg) != kindDeviceTimer {
		before := d.near.Input
		err := d.near.Handle(msg)
		n := d.near.Input - before
		d.session.stats.Frames += n
		d.session.admitted += int(n)
		return err
	}
	_, _, r, err := remote.Open(msg)
	at := core.Time(r.Uint64())
	switch err = errors.Join(err, r.End()); {
	case err != nil:
		return err
	case !d.session.o.Lockstep || at < 0:
		return errTimer
	case d.ifc != nil && !d.closed:
		d.ifc.Instance().SetTimer(&d.timer, at, d)
	}
	return nil
}

// Expire implements timer.Expirer.
func (d *Device) Expire(*timer.Timer, core.Time) {
	if d.open && !d.closed {
		d.session.post(begin(d.session.buffer, kindDeviceTimer, d.number, d.session.domain.Now()))
	}
}

// ofDevice tells whether a message to the stack is about a device.
func ofDevice(k remote.Kind) bool {
	return k >= remote.KindFrames && k <= remote.KindLosses || k == kindDeviceTimer
}

// devicePeer is the way of one device's messages.
type devicePeer struct{ d *Device }

// Offer implements remote.DevicePeer. In lockstep there is room sooner or later.
func (p devicePeer) Offer(msg []byte) bool {
	remote.SetNumber(msg, p.d.number)
	s := p.d.session
	switch {
	case s.link == nil:
		return false
	case s.takeover != nil: // they wait where they are
		s.starve()
		return false
	case s.o.Lockstep:
		s.tell(msg)
		return true
	case !s.flush() || !s.link.Send(msg):
		s.starve()
		return false
	}
	s.sent(msg)
	return true
}

// Post implements remote.DevicePeer.
func (p devicePeer) Post(msg []byte) {
	remote.SetNumber(msg, p.d.number)
	p.d.session.tell(msg)
}

// Borrow implements remote.Lender.
func (p devicePeer) Borrow() []byte { return p.d.session.borrow() }

// starve has devices for whose frames there was no room try again soon, unless
// they hear before that some were taken.
func (s *Session) starve() {
	if s.starving {
		return
	}
	s.starving = true
	time.AfterFunc(time.Millisecond, func() {
		s.domain.Do(func() {
			s.starving = false
			for _, d := range s.devices {
				if d != nil && d.open {
					d.near.Resume()
				}
			}
		})
	})
}
