package session

import (
	"errors"
	"fmt"
)

var errOtherDevice = errors.New("it has another kind of link, or another hardware address: give it one by its parameters")

// openDevices opens the devices at the other process. What one opens may be had only
// once: then the old process closes its own first.
func (t *takeover) openDevices() error {
	for _, d := range t.s.devices {
		if d == nil || !d.open {
			continue // it is tried again there
		}
		p, err := d.ask()
		if err != nil && t.failed == nil {
			if err := t.closeAtOld(d); err != nil {
				return err
			}
			p, err = d.ask()
		}
		if err == nil {
			t.opened = append(t.opened, d)
		}
		if err == nil && (p.Link != d.props.Link || p.HWAddr != d.props.HWAddr) {
			err = errOtherDevice
		}
		if t.failed != nil {
			err = t.failed
		}
		if err != nil {
			return fmt.Errorf("%w: device %s: %w", ErrTakeOver, d.kind, err)
		}
	}
	return nil
}

// giveBack has the other process close the devices that it opened, if the old one
// closed some: it can have them again.
func (t *takeover) giveBack() {
	for _, d := range t.opened {
		if t.failed == nil && len(t.shut) > 0 {
			_ = d.shut() // it is given up, whatever it says
		}
		d.open = true // at the old one
	}
}

// closeAtOld has the old process close a device, in the middle of asking the other.
func (t *takeover) closeAtOld(d *Device) error {
	s := t.s
	unhandled, beat := s.unhandled, s.pulse
	s.link, s.unhandled, s.pulse = t.old, t.unhandled, t.pulse
	d.open = true
	err := d.shut()
	if s.link == nil {
		t.moved = false // there is nothing to go back to
		return fmt.Errorf("%w: the old process ended meanwhile", ErrLost)
	}
	t.unhandled, t.pulse = s.unhandled, s.pulse
	s.link, s.unhandled, s.pulse = t.other, unhandled, beat
	t.shut = append(t.shut, d)
	return err
}

// reopen has the old process open again what it closed.
func (t *takeover) reopen() {
	for _, d := range t.shut {
		if t.s.link != nil && !d.closed {
			d.lost()
			_ = d.again() // an error is logged, and it is tried again
		}
	}
	t.shut = nil
}

// remains works on the frames of devices that the old process sent since.
func (t *takeover) remains() {
	s := t.s
	if len(s.devices) == 0 {
		return
	}
	s.link = t.old
	for n := 0; n < ringful && s.take(drainMost) > 0; n += drainMost {
	}
	s.link = t.other
}

// connect gives the devices of the other process their interfaces.
func (t *takeover) connect() {
	for _, d := range t.s.devices {
		switch {
		case d == nil || d.closed || t.s.link == nil:
		case !d.open:
			_ = d.again() // an error is logged, and it is tried again
		case d.ifc != nil:
			d.ifc.Instance().CancelTimer(&d.timer)
			d.begin()
		}
	}
}
