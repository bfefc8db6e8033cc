package replay

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/timer"
	"github.com/libos-go/libos/core/wire"
)

const (
	// batch is how many packets are played at one instant; what is due then as
	// well comes a nanosecond later, so that the instance keeps up.
	batch = 64
	// patience is how often an interface that is not up yet is looked at.
	patience = 10 * time.Millisecond
	// pause comes between two passes of a file in which no time passes.
	pause = time.Millisecond
)

// Stats of a device.
type Stats struct {
	Played uint64 // packets given to the instance
	Passed uint64 // packets of the file left out by direction or source
	Sent   uint64 // packets that the instance sent
}

// Device plays a file.
type Device struct {
	options Options
	props   core.Properties
	file    *os.File
	ifc     *core.Interface
	timer   timer.Timer

	// Under the Domain's lock.
	reader *reader
	next   record // to be played
	clock  clock
	passes int // finished ones
	stats  Stats
	ended  bool
	err    error
	out    *output
	closed bool
}

// Open opens the file and looks at its first packet. Errors name the file.
func Open(o Options) (*Device, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	f, err := os.Open(o.File)
	if err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	d := &Device{options: o, file: f}
	if err := d.begin(); err != nil {
		_ = f.Close()
		return nil, err
	}
	return d, nil
}

func (d *Device) begin() error {
	info, err := d.file.Stat()
	if err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	if !info.Mode().IsRegular() { // reading it could block an instance for ever
		return fmt.Errorf("replay: %s: it is no regular file", d.options.File)
	}
	d.clock.speed = d.options.Speed
	if d.reader, err = newReader(d.file); err == nil {
		err = d.advance()
	}
	if err == io.EOF {
		err = errors.New("no packet of it is to be played (see direction and source)")
		if d.stats.Passed == 0 {
			err = errors.New("there is no packet in it")
		}
	}
	var link core.Link
	if err == nil {
		if link, err = linkOf(d.next.link); err != nil {
			err = fmt.Errorf("packet %d: %w", d.next.number, err)
		}
	}
	if err != nil {
		return d.named(err)
	}
	if d.props, err = d.options.properties(link); err != nil {
		return err
	}
	if d.options.Out == "" {
		return nil
	}
	if x, err := os.Stat(d.options.Out); err == nil && os.SameFile(x, info) {
		return fmt.Errorf("replay: out = %q is the file to play", d.options.Out)
	}
	d.out, err = create(d.options.Out)
	return err
}

// named is an error of the file.
func (d *Device) named(err error) error { return fmt.Errorf("replay: %s: %w", d.options.File, err) }

// Properties implements core.Device.
func (d *Device) Properties() core.Properties { return d.props }

// Attach implements core.Device: the first packet comes a nanosecond later, so
// that who adds the device can set it up first, or when the interface is up.
func (d *Device) Attach(ifc *core.Interface) {
	d.ifc = ifc
	if d.out != nil {
		d.failOut(d.out.start(ifc))
	}
	d.set(ifc.Instance().Now().Add(1))
}

func (d *Device) set(when core.Time) { d.ifc.Instance().SetTimer(&d.timer, when, d) }

// Expire implements timer.Expirer: it plays what is due.
func (d *Device) Expire(_ *timer.Timer, now core.Time) {
	switch {
	case d.closed || d.ended:
		return
	case !d.clock.running && !d.ifc.Up():
		d.set(now.Add(patience))
		return
	case !d.clock.running:
		d.clock.run(now)
	}
	for range batch {
		if due := d.due(); due > now {
			d.set(due)
			return
		}
		d.play()
		if err := d.advance(); err == io.EOF {
			d.end(nil)
			return
		} else if err != nil {
			d.end(d.named(err))
			return
		}
	}
	d.set(max(now.Add(1), d.due()))
}

// due is when the next packet is to be played.
func (d *Device) due() core.Time {
	if d.options.Max {
		return 0
	}
	return d.clock.due()
}

// play gives the instance the next packet.
func (d *Device) play() {
	b := d.next.data
	if len(b) > longest {
		d.ifc.Stats().RxErrors++
		return
	}
	if d.options.Rewrite && len(b) >= wire.EthernetSize && !wire.Ethernet(b).Dst().IsMulticast() {
		copy(b, d.props.HWAddr[:])
	}
	p := d.ifc.Instance().NewInput(core.Frame{Data: b})
	if p == nil {
		d.ifc.Stats().RxDropped++
		return
	}
	d.stats.Played++
	d.ifc.Receive(p)
}

// advance reads on to the next packet to be played; io.EOF after the last pass.
func (d *Device) advance() error {
	for {
		err := d.reader.next(&d.next)
		switch {
		case err == io.EOF:
			if d.passes++; d.passes >= d.options.Loop || !d.clock.begun() {
				return io.EOF
			}
			if err := d.rewind(); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		if x := &d.next; d.options.Source != "" && x.source != d.options.Source ||
			d.options.Direction != Both && x.direction != Both && x.direction != d.options.Direction {
			d.stats.Passed++
			continue
		}
		if d.ifc != nil {
			if link, err := linkOf(d.next.link); err != nil {
				return fmt.Errorf("packet %d: %w", d.next.number, err)
			} else if link != d.props.Link {
				return fmt.Errorf("packet %d: its link is of another kind than that of the packets before: choose one interface of the file by source", d.next.number)
			}
		}
		d.clock.read(&d.next)
		return nil
	}
}

// rewind goes back to the first packet.
func (d *Device) rewind() error {
	_, err := d.file.Seek(0, io.SeekStart)
	if err == nil {
		d.reader, err = newReader(d.file)
	}
	d.clock.rewind()
	return err
}

// end says that nothing more comes, and why.
func (d *Device) end(err error) {
	d.ended, d.err = true, err
	log := d.ifc.Instance().Domain().Host().Log()
	if err != nil {
		log.Error("device: the replay ends early", "instance", d.ifc.Instance().Name(), "interface", d.ifc.Name(), "played", d.stats.Played, "error", err)
		return
	}
	log.Info("device: the replay has ended", "instance", d.ifc.Instance().Name(), "interface", d.ifc.Name(), "file", d.options.File, "played", d.stats.Played)
}

// Send implements core.Device: nobody is at the other side.
func (d *Device) Send(batch []*core.Packet) int {
	for _, p := range batch {
		d.stats.Sent++
		if d.out != nil {
			d.failOut(d.out.write(d.ifc, p))
		}
		p.Free()
	}
	return len(batch)
}

// failOut ends the recording of what is sent; traffic goes on.
func (d *Device) failOut(err error) {
	if err != nil && d.out.err == nil {
		d.out.err = err
		d.ifc.Instance().Domain().Host().Log().Error("device: what is sent is no longer recorded", "instance", d.ifc.Instance().Name(), "interface", d.ifc.Name(), "file", d.options.Out, "error", err)
	}
}

// Stats are the numbers so far, whether the file has been played to its end, and
// the error that ended it early.
func (d *Device) Stats() (s Stats, ended bool, err error) {
	read := func() { s, ended, err = d.stats, d.ended, d.err }
	if d.ifc == nil {
		read()
	} else {
		d.ifc.Instance().Domain().Do(read)
	}
	return s, ended, err
}

// Close implements core.Device. Its error is that of writing Options.Out.
func (d *Device) Close() error {
	was := false
	end := func() { was, d.closed = d.closed, true }
	if d.ifc == nil {
		end()
	} else {
		in := d.ifc.Instance()
		in.Domain().Do(func() {
			end()
			in.CancelTimer(&d.timer)
		})
	}
	if was {
		return nil
	}
	err := d.file.Close()
	if d.out != nil {
		err = errors.Join(err, d.out.close())
	}
	return err
}
