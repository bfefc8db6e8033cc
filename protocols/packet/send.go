package packet

import (
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/timer"
	"github.com/libos-go/libos/core/vnethdr"
	"github.com/libos-go/libos/core/wire"
)

// Send implements core.Endpoint (packet_snd): a frame with its link header on SOCK_RAW,
// what comes behind it on SOCK_DGRAM; of a socket with a ring to send from, what is in the
// ring. ENXIO without an interface, ENETDOWN for one that is down, EMSGSIZE for more than
// its MTU, EINVAL for less than a link header, EAGAIN while its queue is full.
func (e *endpoint) Send(m *core.Message) (int, error) {
	if m.Flags&core.MsgOOB != 0 {
		return 0, syscall.EOPNOTSUPP
	}
	if err := e.socket.TakeError(); err != nil {
		return 0, err
	}
	if e.tx != nil {
		return e.sendRing(m)
	}
	o, err := e.outgoing(m)
	if err != nil {
		return 0, err
	}
	n := m.Len()
	if e.vnet == 0 && n > o.most() {
		return 0, syscall.EMSGSIZE
	}
	if o.ifc.Full() {
		e.await(o.ifc)
		return 0, syscall.EAGAIN
	}
	data := m.Data
	if len(m.Vector) > 0 {
		if n > maxFrame {
			return 0, syscall.EMSGSIZE
		}
		data = make([]byte, n)
		m.CopyIn(data)
	}
	if err := e.sendFrame(&o, data); err != nil {
		return 0, err
	}
	return n, nil
}

// maxFrame is more than any frame has, with its headers.
const maxFrame = 1 << 17

// outgoing is where a socket's frames go.
type outgoing struct {
	ifc       *core.Interface
	to        core.LinkAddress
	header    int  // bytes of the interface's link header
	raw       bool // frames have it
	addressed bool
}

// most is how long a frame may be: one with a tag of a VLAN is four bytes longer.
func (o *outgoing) most() int {
	if o.raw {
		return o.ifc.MTU() + o.header + tagSize
	}
	return o.ifc.MTU() + tagSize
}

const (
	tagSize       = 4
	etherTypeVLAN = 0x8100
)

// outgoing is where a message goes: where its address says, or where the socket is bound.
func (e *endpoint) outgoing(m *core.Message) (outgoing, error) {
	o := outgoing{to: core.LinkAddress{Protocol: e.protocol, Ifindex: e.ifindex}, raw: e.raw}
	if m.HasAddr {
		a := core.LinkAddressOf(m.Addr)
		if o.addressed = a.Length >= 6; a.Length > 8 {
			return o, syscall.EINVAL
		}
		if a.Protocol == 0 {
			a.Protocol = e.protocol
		}
		if a.Ifindex == 0 {
			a.Ifindex = e.ifindex
		}
		o.to = a
	}
	o.ifc = e.t.in.InterfaceByIndex(o.to.Ifindex)
	switch {
	case o.ifc == nil:
		return o, syscall.ENXIO
	case !o.ifc.Up():
		return o, syscall.ENETDOWN
	}
	if o.ifc.Link() != core.LinkRaw {
		o.header = wire.EthernetSize
	}
	return o, nil
}

// sendFrame sends one frame with what the socket puts before it (PACKET_VNET_HDR). b is
// the caller's.
func (e *endpoint) sendFrame(o *outgoing, b []byte) error {
	var h vnethdr.Header
	if e.vnet > 0 {
		if len(b) < int(e.vnet) {
			return syscall.EINVAL
		}
		var err error
		if h, err = vnethdr.Parse(b, len(b)-int(e.vnet)); err != nil {
			return err
		}
		b = b[e.vnet:]
	}
	switch {
	case len(b) > maxFrame, !h.Merged() && len(b) > o.most():
		return syscall.EMSGSIZE
	case o.raw && len(b) < o.header, len(b) == 0 && !(o.header > 0 && !o.raw):
		return syscall.EINVAL
	case !o.raw && !o.addressed && o.ifc.Link() == core.LinkEthernet: // eth_header
		return syscall.EINVAL
	}
	p := e.packet(b)
	if p == nil {
		return syscall.ENOBUFS
	}
	if !h.Merged() && len(b) > o.most()-tagSize {
		if !o.raw || o.header == 0 || wire.Ethernet(p.Linear()).Type() != etherTypeVLAN {
			p.Free()
			return syscall.EMSGSIZE
		}
	}
	link := core.LinkRaw
	if o.header > 0 {
		link = core.LinkEthernet
	}
	if e.vnet > 0 {
		if err := h.Apply(p, link); err != nil {
			p.Free()
			return err
		}
	}
	return e.transmit(o, p, link)
}

// packet is a packet with the bytes of a frame, nil when memory is short.
func (e *endpoint) packet(b []byte) *core.Packet {
	var p *core.Packet
	if len(b) <= linearFrame {
		if p = e.t.in.NewPacket(core.Headroom, len(b)); p == nil {
			return nil
		}
		copy(p.Put(len(b)), b)
	} else if p = e.t.in.NewInput(core.Frame{Data: b}); p == nil {
		return nil
	}
	p.Flags, p.FlowLabel = core.FlagOwnFrame, uint32(e.socket.ID())
	p.PacingRate = e.socket.Options().MaxPacingRate
	return p
}

// linearFrame is how long a frame may be that one page holds.
const linearFrame = 60 << 10

// transmit gives a frame to its interface, which begins with the header of link if the
// socket's frames do. Super-segments go whole where the interface takes them.
func (e *endpoint) transmit(o *outgoing, p *core.Packet, link core.Link) error {
	ifc := o.ifc
	p.EtherType, p.Interface = o.to.Protocol, ifc
	if o.raw && o.header > 0 {
		p.EtherType = wire.Ethernet(p.Linear()).Type()
	}
	if p.SegmentSize != 0 && (p.ChecksumField != wire.TCPChecksumOffset || ifc.Link() != core.LinkLoopback && ifc.Offloads()&core.OffloadSegmentation == 0) {
		var list core.PacketList
		if !p.Cut(link, &list) {
			ifc.Stats().TxDropped++ // as where Linux cuts them, of which the sender does not hear
			return nil
		}
		for p := list.Pop(); p != nil; p = list.Pop() {
			ifc.Full() // makes room
			_ = e.pass(o, p)
		}
		return nil
	}
	return e.pass(o, p)
}

// pass sends one frame of the link.
func (e *endpoint) pass(o *outgoing, p *core.Packet) error {
	ifc := o.ifc
	switch {
	case ifc.Link() == core.LinkLoopback && o.raw: // lo has no such header here
		p.Pull(o.header)
	case ifc.Link() == core.LinkEthernet && !o.raw:
		p.SetNetworkHeader()
		if !p.EnsureHeadroom(wire.EthernetSize) {
			p.Free()
			return syscall.ENOBUFS
		}
		var dst wire.HWAddr
		copy(dst[:], o.to.Addr[:])
		wire.Ethernet(p.Push(wire.EthernetSize)).Encode(dst, ifc.HWAddr(), p.EtherType)
	}
	if !e.bypass {
		ifc.Transmit(p)
	} else if !ifc.TransmitPast(p) {
		return syscall.ENOBUFS
	}
	return nil
}

// awaited is an interface whose full queue a socket waits for. It is looked at now and
// then: nobody tells when a device has taken something.
type awaited struct {
	e     *endpoint
	timer timer.Timer
	ifc   *core.Interface // nil: nothing is waited for
}

// lookAgain is how often.
const lookAgain = time.Millisecond

// await has the socket not writable while the queue of ifc is full.
func (e *endpoint) await(ifc *core.Interface) {
	w := e.awaits
	if w == nil {
		w = &awaited{e: e}
		e.awaits = w
	}
	if w.ifc == nil {
		e.t.in.SetTimer(&w.timer, e.t.in.Now().Add(lookAgain), w)
	}
	w.ifc = ifc
}

// Expire implements timer.Expirer.
func (w *awaited) Expire(*timer.Timer, core.Time) {
	in := w.e.t.in
	if w.ifc != nil && w.ifc.Up() && w.ifc.Full() {
		in.SetTimer(&w.timer, in.Now().Add(lookAgain), w)
		return
	}
	w.ifc = nil
	w.e.socket.Wake(core.ReadyOut)
}

// blocked tells whether a queue is waited for.
func (e *endpoint) blocked() bool { return e.awaits != nil && e.awaits.ifc != nil }

// endAwait forgets what a socket that is closed waits for.
func (e *endpoint) endAwait() {
	if e.blocked() {
		e.t.in.CancelTimer(&e.awaits.timer)
		e.awaits.ifc = nil
	}
}
