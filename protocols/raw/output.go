package raw

import (
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Send implements core.Handler.
func (h *handler) Send(id core.SocketID, batch []*core.Packet) error {
	for i, p := range batch {
		err := error(syscall.EBADF)
		if h.sockets != nil {
			if x := h.byID[id]; x != nil {
				err = x.prepare(p)
			}
		}
		if err != nil {
			for _, q := range batch[i:] {
				q.Free()
			}
			return err
		}
	}
	return h.env.Output(batch)
}

// prepare makes a packet for IP of what the user gave.
func (x *socket) prepare(p *core.Packet) error {
	if x.v4 != p.Dst.Is4() {
		return syscall.ENETUNREACH
	}
	p.Protocol = x.protocol
	if !x.v4 && p.DstPort != 0 && p.DstPort != uint16(x.protocol) { // net/ipv6/raw.c, rawv6_sendmsg
		if x.protocol != wire.ProtoRaw || p.DstPort > 255 {
			return syscall.EINVAL
		}
		p.Protocol = wire.Protocol(p.DstPort)
	}
	if x.header {
		return x.withHeader(p)
	}
	if x.checksum && !x.v4 {
		return x.putChecksum(p)
	}
	return nil
}

// withHeader checks a packet that brings its own header (net/ipv4/raw.c,
// raw_send_hdrinc; net/ipv6/raw.c, rawv6_send_hdrinc): it is never fragmented, and IPv4
// completes the header.
func (x *socket) withHeader(p *core.Packet) error {
	if r := p.Route; r != nil && p.Len() > r.Interface.MTU() {
		return syscall.EMSGSIZE
	}
	size := wire.IPv6Size
	if x.v4 {
		size = wire.IPv4MinSize
	}
	if !p.Pullup(size) {
		return syscall.EINVAL
	}
	if b := p.Linear(); x.v4 {
		if hl := int(b[0]&15) * 4; hl < wire.IPv4MinSize || hl > p.Len() {
			return syscall.EINVAL
		}
		p.Protocol = wire.IPv4(b).Protocol()
	} else {
		p.Protocol = wire.IPv6(b).NextHeader()
	}
	p.Flags |= core.FlagHeader
	return nil
}

// putChecksum writes the checksum of an IPv6 payload at the offset that the socket
// names (RFC 3542 §3.1). EINVAL where the payload does not reach so far.
func (x *socket) putChecksum(p *core.Packet) error {
	at := int(x.offset)
	if at+2 > p.Len() || !p.Pullup(at+2) || !p.Unshare() {
		return syscall.EINVAL
	}
	b := p.Linear()[at:]
	b[0], b[1] = 0, 0
	var c wire.Checksum
	c.AddPseudoHeader(p.Src, p.Dst, p.Protocol, p.Len())
	p.Sum(&c, 0)
	sum := c.Field()
	if sum == 0 && p.Protocol == wire.ProtoUDP {
		sum = 0xffff
	}
	b[0], b[1] = byte(sum>>8), byte(sum)
	return nil
}
