package datagram

import (
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// The most bytes of a user that one datagram carries: 65535 bytes less the
// headers of UDP and, in IPv4's total length, IP.
const (
	maxPayload4 = 65535 - wire.UDPSize - wire.IPv4MinSize
	maxPayload6 = 65535 - wire.UDPSize
)

// Send implements core.Handler.
func (h *handler) Send(id core.SocketID, batch []*core.Packet) error {
	s := h.socket(id)
	if s == nil {
		return free(batch, syscall.EBADF)
	}
	for _, p := range batch {
		most := maxPayload6
		if p.Dst.Is4() {
			most = maxPayload4
		}
		if p.Len() > most {
			return free(batch, syscall.EMSGSIZE)
		}
		if p.Headroom() < wire.UDPSize && !p.EnsureHeadroom(core.Headroom) {
			h.of(p.Dst).sndbufErrors++
			return free(batch, syscall.ENOBUFS)
		}
		if h.Coverage {
			s.encodeCovered(p)
		} else {
			s.encode(p)
		}
	}
	// One call's datagrams have one destination.
	c := h.of(batch[0].Dst)
	err := h.env.Output(batch)
	switch err {
	case nil:
		c.outDatagrams += uint64(len(batch))
	case syscall.ENOBUFS:
		c.sndbufErrors++
	}
	return err
}

// encode puts the header in front of the user's bytes.
func (s *socket) encode(p *core.Packet) {
	u := wire.UDP(p.Push(wire.UDPSize))
	n := p.Len()
	u.Encode(p.SrcPort, p.DstPort, n)
	p.Protocol = wire.ProtoUDP
	p.SetTransportHeader()
	if p.Dst.Is4() {
		if s.is(noCheckTx) {
			return
		}
	} else if s.is(noCheck6Tx) {
		return
	}
	sum := wire.PseudoHeader(p.Src, p.Dst, wire.ProtoUDP, n)
	switch {
	case p.Flags&core.FlagTxChecksum != 0:
		u.SetChecksum(wire.Fold(sum))
		p.Checksum, p.ChecksumStart, p.ChecksumField = core.ChecksumPartial, 0, wire.UDPChecksumOffset
	case len(p.Frags()) == 0:
		u.SetChecksum(wire.UDPFinish(wire.Sum(p.Linear(), sum)))
	default:
		var c wire.Checksum
		c.AddSum(sum, 0)
		p.Sum(&c, 0)
		u.SetChecksum(wire.UDPFinish(uint32(c.Fold())))
	}
}

func free(batch []*core.Packet, err error) error {
	for _, p := range batch {
		p.Free()
	}
	return err
}
