package packet

import (
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Send implements core.Endpoint (packet_snd): a frame with its link header on SOCK_RAW,
// what comes behind it on SOCK_DGRAM. ENXIO without an interface, ENETDOWN for one that
// is down, EMSGSIZE for more than its MTU, EINVAL for less than a link header.
func (e *endpoint) Send(m *core.Message) (int, error) {
	if m.Flags&core.MsgOOB != 0 {
		return 0, syscall.EOPNOTSUPP
	}
	if err := e.socket.TakeError(); err != nil {
		return 0, err
	}
	to, addressed := core.LinkAddress{Protocol: e.protocol, Ifindex: e.ifindex}, false
	if m.HasAddr {
		a := core.LinkAddressOf(m.Addr)
		if addressed = a.Length >= 6; a.Length > 8 {
			return 0, syscall.EINVAL
		}
		if a.Protocol == 0 {
			a.Protocol = e.protocol
		}
		if a.Ifindex == 0 {
			a.Ifindex = e.ifindex
		}
		to = a
	}
	ifc := e.t.in.InterfaceByIndex(to.Ifindex)
	switch {
	case ifc == nil:
		return 0, syscall.ENXIO
	case !ifc.Up():
		return 0, syscall.ENETDOWN
	}
	header := 0
	if ifc.Link() != core.LinkRaw {
		header = wire.EthernetSize
	}
	n := m.Len()
	most := ifc.MTU()
	if e.raw {
		most += header
	}
	switch {
	case n > most:
		return 0, syscall.EMSGSIZE
	case e.raw && n < header:
		return 0, syscall.EINVAL
	case !e.raw && !addressed && ifc.Link() == core.LinkEthernet: // eth_header
		return 0, syscall.EINVAL
	}
	p := e.t.in.NewPacket(core.Headroom, n)
	if p == nil {
		return 0, syscall.ENOBUFS
	}
	m.CopyIn(p.Put(n))
	p.Flags, p.FlowLabel, p.EtherType = core.FlagOwnFrame, uint32(e.socket.ID()), to.Protocol
	p.PacingRate = e.socket.Options().MaxPacingRate
	p.Interface = ifc
	switch {
	case ifc.Link() == core.LinkLoopback && e.raw: // lo has no such header here
		p.EtherType = wire.Ethernet(p.Linear()).Type()
		p.Pull(header)
	case ifc.Link() == core.LinkEthernet && e.raw:
		p.EtherType = wire.Ethernet(p.Linear()).Type()
	case ifc.Link() == core.LinkEthernet:
		var dst wire.HWAddr
		copy(dst[:], to.Addr[:])
		p.SetNetworkHeader()
		ifc.TransmitTo(p, dst)
		return n, nil
	}
	ifc.Transmit(p)
	return n, nil
}
