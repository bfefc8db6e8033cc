package remote

import (
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// FarDevice is the device's side of the wall: a Domain of its own with an instance
// that has no protocols, only the device. Its methods but Close run inside entries
// of that Domain.
type FarDevice struct {
	domain  *core.Domain
	ifc     *core.Interface
	near    DevicePeer
	message desk
	open    []byte // frames on their way to near, a message that is not finished; nil if there is none
	window  int    // frames that near may still get
	frames  []core.Frame
	told    core.InterfaceStats // losses that near knows
	carrier bool                // as near knows it
	mtu     int                 // likewise
	closed  bool
}

// NewFarDevice gives dev an interface in a Domain of its own that h drives. instance
// and name are those of the stack's side, for what the device says of itself. The
// device is FarDevice's from now on, also after an error.
func NewFarDevice(h core.Host, instance, name string, dev core.Device, near DevicePeer) (*FarDevice, error) {
	f := &FarDevice{domain: core.NewDomain(h, core.DomainOptions{}), near: near, window: receiveWindow, carrier: true, mtu: dev.Properties().MTU}
	f.message.serveLender(near)
	in, err := core.New(core.Options{Name: instance, Domain: f.domain, Wiring: &core.Wiring{
		Name: "far side of a device",
		Networks: []core.NetworkEntry{{Network: core.NetworkProtocol{Name: "watch",
			New: func(*core.Instance, core.SysctlView) core.Network { return watch{f} }}}},
	}})
	if err == nil {
		var wall core.Device = &meter{Device: dev, far: f}
		if s, ok := dev.(core.Sieve); ok {
			wall = sieve{&meter{Device: dev, far: f}, s}
		}
		f.ifc, err = in.AddDevice(wall, name)
	}
	if err != nil {
		_ = dev.Close()
		_ = f.domain.Close()
		return nil, err
	}
	f.domain.Do(func() { f.ifc.AddTap(f) })
	return f, nil
}

// Domain is the one that the device is in.
func (f *FarDevice) Domain() *core.Domain { return f.domain }

// meter tells near of what the device has taken.
type meter struct {
	core.Device
	far *FarDevice
}

// Send implements core.Device.
func (m *meter) Send(batch []*core.Packet) int {
	n := m.Device.Send(batch)
	if n > 0 {
		m.far.taken(n)
		m.far.losses()
	}
	return n
}

// Changed implements core.InterfaceWatcher.
func (m *meter) Changed() {
	if w, ok := m.Device.(core.InterfaceWatcher); ok {
		w.Changed()
	}
}

// sieve is a meter of a device that chooses what the stack gets: what it refuses
// does not cross.
type sieve struct {
	*meter
	of core.Sieve
}

// Admits implements core.Sieve.
func (s sieve) Admits(p *core.Packet) bool { return s.of.Admits(p) }

func (f *FarDevice) begin(k Kind) []byte { return f.message.begin(k, f.domain.Now()) }

func (f *FarDevice) post(b []byte) { f.near.Post(f.message.finish(b)) }

func (f *FarDevice) taken(n int) { f.post(appendCount(f.begin(KindTaken), n)) }

// Handle carries out a message of near.
func (f *FarDevice) Handle(msg []byte) error {
	k, _, r, err := Open(msg)
	if err != nil || f.closed {
		return err
	}
	switch k {
	case KindFrames:
		if f.frames, err = r.frames(f.frames[:0]); err == nil {
			f.transmit()
		}
	case KindTaken:
		n := r.Count(receiveWindow - f.window)
		if err = r.End(); err == nil {
			f.window += n
		}
	case KindLink:
		up, mtu := r.Bool(), r.Count(1<<16-1)
		if err = r.End(); err != nil {
			return err
		}
		if mtu != f.ifc.MTU() {
			f.mtu = mtu // near has it from itself
			if f.ifc.SetMTULocked(mtu) != nil {
				f.say(f.carrier, f.ifc.MTU())
			}
		}
		// What comes for an interface that is down is dropped and counted by the
		// stack: here it is up from the first time on.
		if up {
			err = f.ifc.SetUpLocked(true)
		}
	default:
		err = ErrMessage
	}
	return err
}

// transmit gives the frames that came to the device.
func (f *FarDevice) transmit() {
	lost := 0
	for _, x := range f.frames {
		p := f.ifc.Instance().NewInput(x)
		if p == nil {
			lost++
			continue
		}
		f.ifc.Transmit(p)
	}
	if lost > 0 {
		f.ifc.Stats().TxDropped += uint64(lost)
		f.taken(lost)
		f.losses()
	}
}

// Tap implements core.Tap: what the device received goes to near.
func (f *FarDevice) Tap(ifc *core.Interface, p *core.Packet, out bool) {
	if out {
		return
	}
	if f.window == 0 {
		ifc.Stats().RxDropped++
		return
	}
	f.window--
	if f.open == nil {
		f.open = f.begin(KindFrames)
	}
	if f.open = appendFrame(f.open, p); len(f.open) > fullMessage {
		f.flush()
	}
}

// Over implements core.GroupTap.
func (f *FarDevice) Over(*core.Interface) {
	f.flush()
	f.losses()
}

func (f *FarDevice) flush() {
	if b := f.open; b != nil {
		f.open = nil
		f.post(b)
	}
}

// losses tells near what was lost here since it was told last.
func (f *FarDevice) losses() {
	st := f.ifc.Stats()
	now := [4]*uint64{&st.RxErrors, &st.RxDropped, &st.TxErrors, &st.TxDropped}
	old := [4]*uint64{&f.told.RxErrors, &f.told.RxDropped, &f.told.TxErrors, &f.told.TxDropped}
	if *now[0] == *old[0] && *now[1] == *old[1] && *now[2] == *old[2] && *now[3] == *old[3] {
		return
	}
	b := f.begin(KindLosses)
	for i := range now {
		b = appendCount(b, int(min(*now[i]-*old[i], 1<<32-1)))
		*old[i] = *now[i]
	}
	f.post(b)
}

// say tells near of the link.
func (f *FarDevice) say(carrier bool, mtu int) {
	f.carrier, f.mtu = carrier, mtu
	f.post(appendCount(appendBool(f.begin(KindLink), carrier), mtu))
}

// Close ends the device.
func (f *FarDevice) Close() error {
	f.domain.Do(func() { f.closed = true })
	return f.domain.Close()
}

// watch is a network protocol that takes no packets: it hears of the carrier and
// of the MTU.
type watch struct{ f *FarDevice }

func (w watch) Event(e *core.Event) {
	f := w.f
	if e.Kind != core.EventInterface || e.Interface != f.ifc || !f.ifc.Up() || f.closed {
		return
	}
	carrier, mtu := f.ifc.Flags()&core.FlagRunning != 0, f.ifc.MTU()
	if carrier != f.carrier || mtu != f.mtu {
		f.say(carrier, mtu)
	}
}

func (watch) Output(p *core.Packet) error {
	p.Free()
	return syscall.EOPNOTSUPP
}
func (watch) Input(p *core.Packet)                                    { p.Free() }
func (watch) Failed(_ *core.Neighbour, p *core.Packet)                { p.Free() }
func (watch) Unreachable(*core.Packet, core.Unreachable)              {}
func (watch) Solicit(*core.Neighbour, bool)                           {}
func (watch) Source(*core.Interface, wire.Addr) (a wire.Addr, _ bool) { return }
func (watch) Close()                                                  {}
