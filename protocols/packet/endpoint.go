package packet

import (
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/bpf"
	"github.com/libos-go/libos/core/wire"
)

// endpoint is a packet socket.
type endpoint struct {
	t        *transport
	socket   *core.Socket
	queue    core.PacketList
	queued   int // truesize of the queue, in bytes
	members  []membership
	ifindex  int // bound interface, 0 for all, -1 when it is gone
	protocol wire.EtherType
	raw      bool // SOCK_RAW: with the link header
	bound    bool
	down     bool   // the bound interface is
	packets  uint32 // PACKET_STATISTICS since it was read last
	drops    uint32
	ring     *ring   // PACKET_RX_RING
	tx       *txRing // PACKET_TX_RING
	awaits   *awaited
	settings
	group    *group    // PACKET_FANOUT
	rollover *rollover // of a member that passes frames on
	pressed  bool      // it had not much room when that was looked at last
}

// hears tells whether a frame is one that the socket is for. Only those that want all
// types see outgoing ones (dev_queue_xmit_nit, net/core/dev.c), and none its own.
func (e *endpoint) hears(f *frame) bool {
	if e.group != nil || e.protocol == 0 || e.ifindex != 0 && e.ifindex != f.ifc.Index() {
		return false
	}
	if f.from.Type == core.PacketOutgoing {
		return e.protocol == allTypes && !e.ignore && !(f.own && f.p.FlowLabel == uint32(e.socket.ID()))
	}
	return e.protocol == allTypes || e.protocol == f.from.Protocol
}

// receive runs the filter over a frame and queues what it wants (packet_rcv).
func (e *endpoint) receive(f *frame) {
	whole, header := f.p.Len(), 0
	if !e.raw {
		whole -= f.header
	} else if f.ifc.Link() == core.LinkLoopback {
		header = wire.EthernetSize
		whole += header
	}
	wanted := whole
	if e.socket.Options().Filter() != nil {
		n, ok := e.filter(f, header)
		if !ok {
			return
		}
		wanted = min(wanted, n)
	}
	if size := f.p.TrueSize(); e.ring == nil && e.queue.Len() > 0 && e.queued+size >= int(e.socket.Options().ReceiveBuffer) {
		e.drops++
		return
	}
	c := f.p.Share()
	if c != nil && header > 0 && !c.EnsureHeadroom(header) {
		c.Free()
		c = nil
	}
	if c == nil {
		e.drops++
		return
	}
	if header > 0 {
		wire.Ethernet(c.Push(header)).Encode(wire.HWAddr{}, wire.HWAddr{}, f.from.Protocol)
	} else if !e.raw {
		c.Pull(f.header)
	}
	c.Trim(min(wanted, c.Len()))
	if e.ring != nil {
		if e.ringReceive(f, c, whole) {
			e.packets++
		} else {
			e.drops++
		}
		c.Free()
		return
	}
	e.packets++
	e.push(f, c, whole)
	e.socket.Wake(core.ReadyIn)
}

// push queues a frame as c, which was so long before a filter cut it.
func (e *endpoint) push(f *frame, c *core.Packet, length int) {
	a := f.from.SockAddr()
	c.Src, c.SrcPort, c.FlowLabel = a.Addr, a.Port, uint32(length)
	c.Interface, c.Route, c.Arrival = f.ifc, nil, e.t.in.Now()
	e.queued += c.TrueSize()
	e.queue.Push(c)
}

// filter runs the socket's filter: how many bytes it wants, false for none.
func (e *endpoint) filter(f *frame, header int) (int, bool) {
	v := e.t.see(f)
	var view bpf.View = v
	switch {
	case header > 0:
		e.t.loopback = loopbackView{FilterView: v, protocol: f.from.Protocol}
		view = &e.t.loopback
	case !e.raw:
		v.Before, v.LinkAt, v.NetworkAt = -f.header, -f.header, 0
	}
	n := e.socket.Options().Filter().Run(view)
	return int(min(n, 1<<24)), n != 0
}

// see is a frame as programs see it, until the next.
func (t *transport) see(f *frame) *core.FilterView {
	t.view = core.FilterView{Packet: f.p, Interface: f.ifc, EtherType: f.from.Protocol, Type: f.from.Type, NetworkAt: f.header}
	return &t.view
}

// loopbackView is a packet of lo behind an Ethernet header of zeros.
type loopbackView struct {
	*core.FilterView
	protocol wire.EtherType
}

func (v *loopbackView) Len() int     { return v.FilterView.Len() + wire.EthernetSize }
func (v *loopbackView) Network() int { return wire.EthernetSize }
func (v *loopbackView) Load(off, n int) (value uint32, ok bool) {
	if off >= wire.EthernetSize || off < 0 {
		return v.FilterView.Load(off-wire.EthernetSize, n)
	}
	for ; n > 0; off, n = off+1, n-1 {
		value <<= 8
		switch {
		case off >= wire.EthernetSize:
			b, ok := v.FilterView.Load(off-wire.EthernetSize, 1)
			if !ok {
				return 0, false
			}
			value |= b
		case off == 12:
			value |= uint32(v.protocol >> 8)
		case off == 13:
			value |= uint32(v.protocol & 0xff)
		}
	}
	return value, true
}

// Receive implements core.Endpoint.
func (e *endpoint) Receive(m *core.Message) (int, error) {
	if m.Flags&^(core.MsgPeek|core.MsgDontWait|core.MsgTrunc|core.MsgErrQueue|cmsgCloexec) != 0 {
		return 0, syscall.EINVAL
	}
	if err := e.socket.TakeError(); err != nil {
		return 0, err
	}
	p := e.queue.Peek()
	if p == nil {
		return 0, syscall.EAGAIN
	}
	n, vnet := 0, int(e.vnet)
	if vnet == 0 {
		n = m.CopyOut(p)
	} else if n = e.receiveVnet(m, p); n < 0 {
		e.pop(m.Flags & core.MsgPeek)
		return 0, syscall.EINVAL
	}
	m.OutFlags = 0
	m.Addr, m.HasAddr = core.SockAddr{Addr: p.Src, Port: p.SrcPort, Scope: uint32(p.Ifindex())}, true
	m.Arrival = p.Arrival
	if e.auxdata {
		m.Ancillary = core.AppendControlMessage(m.Ancillary[:0], solPacket, packetAuxdata, e.auxiliary(p))
	}
	if n < p.Len() {
		m.OutFlags |= core.MsgTrunc
		if m.Flags&core.MsgTrunc != 0 {
			n = p.Len()
		}
	}
	e.pop(m.Flags & core.MsgPeek)
	e.relax()
	return vnet + n, nil
}

// pop drops the first frame of the queue, unless it was only looked at.
func (e *endpoint) pop(peek int) {
	if peek == 0 {
		p := e.queue.Pop()
		e.queued -= p.TrueSize()
		p.Free()
	}
}

const cmsgCloexec = 0x40000000

// auxiliary is struct tpacket_auxdata of a received frame.
func (e *endpoint) auxiliary(p *core.Packet) []byte {
	typ := core.LinkAddressOf(core.SockAddr{Addr: p.Src}).Type
	network := 0
	if e.raw && p.Interface != nil {
		network = linkHeader(p.Interface)
	}
	b := binary.NativeEndian.AppendUint32(nil, frameStatus(p, typ))
	b = binary.NativeEndian.AppendUint32(b, p.FlowLabel)
	b = binary.NativeEndian.AppendUint32(b, uint32(p.Len()))
	b = binary.NativeEndian.AppendUint16(b, 0)
	b = binary.NativeEndian.AppendUint16(b, uint16(network))
	return binary.NativeEndian.AppendUint32(b, 0) // no tag of a VLAN
}

// frameStatus is the status of a received frame, which is the user's.
func frameStatus(p *core.Packet, typ core.PacketType) uint32 {
	status := uint32(statusUser)
	switch {
	case p.Checksum == core.ChecksumPartial:
		status |= statusChecksumNotReady
	case p.Checksum == core.ChecksumVerified && typ != core.PacketOutgoing:
		status |= statusChecksumValid
	}
	if p.SegmentSize != 0 && p.ChecksumField == wire.TCPChecksumOffset {
		status |= statusSegmentsTCP
	}
	return status
}

// linkHeader is how long the link header of an interface's frames is, as sockets see them.
func linkHeader(ifc *core.Interface) int {
	if ifc.Link() == core.LinkRaw {
		return 0
	}
	return wire.EthernetSize
}

// Bits of tpacket_auxdata.tp_status (linux/if_packet.h).
const (
	statusUser             = 1 << 0
	statusChecksumNotReady = 1 << 3
	statusChecksumValid    = 1 << 7
	statusSegmentsTCP      = 1 << 8
)

// Bind implements core.Endpoint: an interface, or all, and an ethertype, 0 for that of
// socket(2). ENODEV for an interface that is not there; one that is down is an error
// for later calls (packet_do_bind).
func (e *endpoint) Bind(s core.SockAddr) error {
	if e.group != nil { // whose interface and ethertype it has for good
		return syscall.EINVAL
	}
	a := core.LinkAddressOf(s)
	up := true
	if a.Ifindex != 0 {
		ifc := e.t.in.InterfaceByIndex(a.Ifindex)
		if ifc == nil {
			return syscall.ENODEV
		}
		up = ifc.Up()
	}
	e.ifindex, e.bound, e.down = a.Ifindex, true, false
	if a.Protocol != 0 {
		e.protocol = a.Protocol
	}
	e.linkChanged(up)
	return nil
}

// linkChanged tells that the bound interface is up or not.
func (e *endpoint) linkChanged(up bool) {
	if !up && !e.down {
		e.socket.SetError(syscall.ENETDOWN)
	}
	e.down = !up
	if e.group != nil {
		e.group.link(e, up)
	}
}

// Local implements core.Endpoint.
func (e *endpoint) Local() core.SockAddr {
	a := core.LinkAddress{Protocol: e.protocol, Ifindex: e.ifindex}
	if ifc := e.t.in.InterfaceByIndex(e.ifindex); ifc != nil {
		a.HardwareType = ifc.HardwareType()
		if ifc.Link() != core.LinkRaw {
			hw := ifc.HWAddr()
			a.Length = uint8(copy(a.Addr[:], hw[:]))
		}
	}
	return a.SockAddr()
}

// Peer, Connect, Listen, Accept and Shutdown implement core.Endpoint: a packet socket
// has none of them.
func (e *endpoint) Peer() (core.SockAddr, bool)   { return core.SockAddr{}, false }
func (e *endpoint) Connect(core.SockAddr) error   { return syscall.EOPNOTSUPP }
func (e *endpoint) Listen(int) error              { return syscall.EOPNOTSUPP }
func (e *endpoint) Accept() (*core.Socket, error) { return nil, syscall.EOPNOTSUPP }
func (e *endpoint) Shutdown(int) error            { return syscall.EOPNOTSUPP }

// Close implements core.Endpoint.
func (e *endpoint) Close() {
	for len(e.members) > 0 {
		e.leave(0)
	}
	e.leaveFanout()
	e.endRing(false)
	e.endRing(true)
	e.endAwait()
	e.queue.Free()
	e.queued = 0
	e.t.drop(e)
}

// Ready implements core.Endpoint.
func (e *endpoint) Ready() core.Ready {
	e.relax()
	r := core.ReadyOut
	if e.blocked() {
		r = 0
	}
	if e.queue.Len() > 0 || e.ring != nil && e.ring.readable() {
		r |= core.ReadyIn
	}
	return r
}

// Held is what SO_MEMINFO tells.
func (e *endpoint) Held() (received, sent int) { return e.queued, 0 }

// Ioctl is ioctl(2).
func (e *endpoint) Ioctl(request int) (int, error) {
	switch request {
	case core.SIOCINQ:
		if p := e.queue.Peek(); p != nil {
			return p.Len(), nil
		}
		return 0, nil
	case core.SIOCOUTQ:
		return 0, nil
	}
	return 0, syscall.ENOTTY
}
