package shim

import (
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// far is the device's side of the wall: a Domain of its own with an instance
// that has no protocols, only the device.
type far struct {
	domain *core.Domain
	ifc    *core.Interface
	out    *lane // to near
	in     lane  // from near
	window int   // frames that near may still get
	closed bool
}

func newFar(h core.Host, name string, dev core.Device, out *lane) (*far, error) {
	f := &far{domain: core.NewDomain(h, core.DomainOptions{}), out: out, window: receiveWindow}
	f.in.init(f.domain, f.receive)
	in, err := core.New(core.Options{Name: "far side of " + name, Domain: f.domain, Wiring: &core.Wiring{
		Name: "far side of a device",
		Networks: []core.NetworkEntry{{Network: core.NetworkProtocol{Name: "watch",
			New: func(*core.Instance, core.SysctlView) core.Network { return watch{f} }}}},
	}})
	if err != nil {
		return nil, err
	}
	if f.ifc, err = in.AddDevice(&meter{Device: dev, far: f}, ""); err != nil {
		return nil, err
	}
	f.domain.Do(func() { f.ifc.AddTap(f) })
	return f, f.ifc.SetUp(true)
}

// meter tells near of what the device has taken.
type meter struct {
	core.Device
	far *far
}

// Send implements core.Device.
func (m *meter) Send(batch []*core.Packet) int {
	n := m.Device.Send(batch)
	if n > 0 {
		m.far.out.send(header(msgDone, n))
	}
	return n
}

// receive runs inside an entry of the far Domain.
func (f *far) receive(msg []byte) {
	kind, count, frames, err := decode(msg)
	if err != nil || f.closed {
		return
	}
	if kind == msgDone {
		f.window += count
		return
	}
	lost := 0
	for _, fr := range frames {
		p := f.ifc.Instance().NewInput(fr)
		if p == nil {
			lost++
			continue
		}
		f.ifc.Transmit(p)
	}
	if lost > 0 {
		f.ifc.Stats().TxDropped += uint64(lost)
		f.out.send(header(msgDone, lost))
	}
}

// Tap implements core.Tap: what the device received goes to near.
func (f *far) Tap(ifc *core.Interface, p *core.Packet, out bool) {
	if out {
		return
	}
	if f.window == 0 {
		ifc.Stats().RxDropped++
		return
	}
	f.window--
	f.out.send(appendFrame(header(msgFrames, 1), p))
}

func (f *far) close() error {
	f.domain.Do(func() { f.closed = true })
	return f.domain.Close()
}

// watch is a network protocol that takes no packets: it hears of the carrier.
type watch struct{ f *far }

func (w watch) Event(e *core.Event) {
	if e.Kind != core.EventInterface || e.Interface != w.f.ifc || !e.Interface.Up() {
		return
	}
	on := 0
	if e.Interface.Flags()&core.FlagRunning != 0 {
		on = 1
	}
	w.f.out.send(header(msgCarrier, on))
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
