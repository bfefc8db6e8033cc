package packet

import (
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Protocol describes packet sockets to a wiring. The protocol of a socket is an
// ethertype in network order, as in socket(2).
func Protocol() core.Protocol {
	return core.Protocol{
		Name: "packet",
		Sockets: []core.SocketKind{
			{Family: core.AFPacket, Type: core.SockRaw, Protocol: core.AnyProtocol},
			{Family: core.AFPacket, Type: core.SockDgram, Protocol: core.AnyProtocol},
		},
		New: newTransport,
	}
}

// allTypes as a socket's ethertype stands for every one, and for outgoing frames, too
// (ETH_P_ALL).
const allTypes wire.EtherType = 3

// transport is packet sockets in one instance.
type transport struct {
	in      *core.Instance
	sockets []*endpoint
	taps    map[*core.Interface]func()
	groups  []*group // PACKET_FANOUT, in the order of their coming
	nextID  uint16   // for groups that ask for a number
	hashKey uint64   // of flows in groups, chosen with the first
	rings   int      // bytes of memory of all

	view     core.FilterView // lent to programs, one at a time
	loopback loopbackView
}

func newTransport(in *core.Instance, _ core.SysctlView) core.Transport { return &transport{in: in} }

// Input implements core.Transport: no protocol number of IP is of packet sockets.
func (t *transport) Input(batch []*core.Packet) {
	for _, p := range batch {
		p.Free()
	}
}

// Error implements core.Transport.
func (t *transport) Error(*core.ErrorReport) {}

// Close implements core.Transport.
func (t *transport) Close() { t.untap() }

// NewEndpoint implements core.Transport.
func (t *transport) NewEndpoint(s *core.Socket) (core.Endpoint, error) {
	_, typ, protocol := s.Kind()
	if protocol < 0 || protocol > 0xffff {
		return nil, syscall.EINVAL
	}
	e := &endpoint{t: t, socket: s, raw: typ == core.SockRaw, protocol: networkOrder(uint16(protocol))}
	t.sockets = append(t.sockets, e)
	if t.taps == nil {
		t.taps = make(map[*core.Interface]func())
		for _, ifc := range t.in.Interfaces() {
			t.taps[ifc] = ifc.AddTap(t)
		}
	}
	return e, nil
}

// drop forgets a closed socket; the last takes the taps away.
func (t *transport) drop(e *endpoint) {
	for i, x := range t.sockets {
		if x == e {
			t.sockets = append(t.sockets[:i:i], t.sockets[i+1:]...)
			break
		}
	}
	if len(t.sockets) == 0 {
		t.untap()
	}
}

func (t *transport) untap() {
	for _, remove := range t.taps {
		remove()
	}
	t.taps = nil
}

// Event implements core.Transport: interfaces come, go down and vanish
// (packet_notifier).
func (t *transport) Event(e *core.Event) {
	ifc := e.Interface
	if t.taps == nil || ifc == nil {
		return
	}
	switch e.Kind {
	case core.EventInterface:
		if t.taps[ifc] == nil {
			t.taps[ifc] = ifc.AddTap(t)
		}
		for _, x := range t.sockets {
			if x.ifindex == ifc.Index() {
				x.linkChanged(ifc.Up())
			}
		}
	case core.EventInterfaceGone:
		if remove := t.taps[ifc]; remove != nil {
			remove()
			delete(t.taps, ifc)
		}
		for _, x := range t.sockets {
			if x.ifindex == ifc.Index() {
				x.linkChanged(false)
				x.ifindex = -1
			}
			x.forget(ifc)
		}
	}
}

// Tap implements core.Tap: it shows a frame to the sockets.
func (t *transport) Tap(ifc *core.Interface, p *core.Packet, out bool) {
	ethernet := ifc.Link() == core.LinkEthernet
	if p.Flags&core.FlagLoopback != 0 && ifc.Link() != core.LinkLoopback || ethernet && p.LinearLen() < wire.EthernetSize && (out || !p.Pullup(wire.EthernetSize)) {
		return // a copy for ourselves was no frame of a link
	}
	f := frame{ifc: ifc, p: p, own: p.Flags&core.FlagOwnFrame != 0 && out}
	f.from = core.LinkAddress{Ifindex: ifc.Index(), HardwareType: ifc.HardwareType(), Type: core.PacketHost}
	switch {
	case ethernet:
		eth := wire.Ethernet(p.Linear())
		f.from.Protocol, f.from.Length, f.header = eth.Type(), 6, wire.EthernetSize
		src, dst := eth.Src(), eth.Dst()
		copy(f.from.Addr[:], src[:])
		switch {
		case dst == ifc.HWAddr():
		case dst.IsBroadcast():
			f.from.Type = core.PacketBroadcast
		case dst.IsMulticast():
			f.from.Type = core.PacketMulticast
		default:
			f.from.Type = core.PacketOtherHost
		}
	case p.LinearLen() > 0 && p.Linear()[0]>>4 == 6:
		f.from.Protocol = wire.EtherTypeIPv6
	default:
		f.from.Protocol = wire.EtherTypeIPv4
	}
	if ifc.Link() == core.LinkLoopback { // Linux's lo has an Ethernet header of zeros
		f.from.Length = 6
	}
	if out {
		f.from.Type = core.PacketOutgoing
	}
	for _, e := range t.sockets {
		if e.hears(&f) {
			e.receive(&f)
		}
	}
	for _, g := range t.groups {
		if g.hears(&f) {
			g.receive(&f)
		}
	}
}

// frame is one that was seen, borrowed.
type frame struct {
	ifc    *core.Interface
	p      *core.Packet
	from   core.LinkAddress
	header int  // bytes of link header in front
	own    bool // a packet socket made it
}

// networkOrder exchanges the bytes of an ethertype.
func networkOrder(v uint16) wire.EtherType {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], v)
	return wire.EtherType(b[0])<<8 | wire.EtherType(b[1])
}
