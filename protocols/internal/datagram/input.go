package datagram

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Input implements core.Handler. Neighbours in the batch that are for one
// socket are delivered together.
func (h *handler) Input(batch []*core.Packet) {
	var to *socket
	from := 0
	for i, p := range batch {
		s := h.receive(p)
		if s != to {
			if to != nil {
				h.env.Deliver(to.id, batch[from:i])
			}
			to, from = s, i
		}
	}
	if to != nil {
		h.env.Deliver(to.id, batch[from:])
	}
}

// receive checks p and finds its socket. It returns nil after it ended p or
// delivered it otherwise; else p begins with the user's bytes.
func (h *handler) receive(p *core.Packet) *socket {
	c := h.of(p.Dst)
	if p.LinearLen() < wire.UDPSize && !p.Pullup(wire.UDPSize) {
		c.inErrors++
		p.Free()
		return nil
	}
	var covered int
	var unchecked, bad bool
	if h.Coverage {
		covered, bad = coverage(p, c)
	} else {
		unchecked, bad = length(p, c)
	}
	if bad {
		p.Free()
		return nil
	}
	u := wire.UDP(p.Linear())
	f := flow{local: p.Dst, remote: p.Src, localPort: u.DstPort(), remotePort: u.SrcPort(), device: int32(p.Ifindex())}
	p.SrcPort, p.DstPort = f.remotePort, f.localPort
	if p.Dst.IsMulticast() || p.Dst.IsBroadcast() || p.Type == core.PacketBroadcast {
		h.deliverAll(p, &f, c, unchecked, covered)
		return nil
	}
	s := h.lookup(&f)
	switch {
	case s != nil && unchecked && !s.is(noCheck6Rx), s == nil && unchecked:
		c.inCsumErrors++
		c.inErrors++
		p.Free()
		return nil
	case s == nil:
		// RFC 1122 §4.1.3.1. Whether the packet may be answered is for IP to say.
		c.noPorts++
		h.env.Unreachable(p, core.UnreachablePort)
		p.Free()
		return nil
	case s.refuses(covered):
		c.inErrors++
		p.Free()
		return nil
	}
	c.inDatagrams++
	p.Pull(wire.UDPSize)
	return s
}

// length checks the header and the checksum of p, a UDP datagram, and cuts what
// link or IP carried behind it. unchecked is an IPv6 datagram without a checksum.
// If the datagram is to be dropped, bad tells so and it has been counted.
func length(p *core.Packet, c *counters) (unchecked, bad bool) {
	u := wire.UDP(p.Linear())
	// A length of zero would be that of a jumbogram (RFC 2675 §4), which no
	// link here can carry.
	n := u.Length()
	if n < wire.UDPSize || n > p.Len() {
		c.inErrors++
		return false, true
	}
	if n < p.Len() {
		p.Trim(n)
	}
	if field := u.Checksum(); field == 0 {
		unchecked = !p.Dst.Is4() // RFC 8200 §8.1: wrong, unless the socket says otherwise (RFC 6935)
	} else if p.Checksum == core.ChecksumUnknown && !verify(p, n) {
		c.inCsumErrors++
		c.inErrors++
		return false, true
	}
	return unchecked, false
}

// verify checks the checksum of a datagram of n bytes.
func verify(p *core.Packet, n int) bool {
	sum := wire.PseudoHeader(p.Src, p.Dst, wire.ProtoUDP, n)
	if len(p.Frags()) == 0 {
		return wire.Sum(p.Linear(), sum) == 0xffff
	}
	var c wire.Checksum
	c.AddSum(sum, 0)
	p.Sum(&c, 0)
	return c.Fold() == 0xffff
}

// deliverAll gives a packet to a group or to everybody to each socket that
// wants it.
func (h *handler) deliverAll(p *core.Packet, f *flow, c *counters, unchecked bool, covered int) {
	p.Pull(wire.UDPSize)
	var last *socket
	refused := false
	for s := h.ports.chain(uint32(f.localPort)); s != nil; s = s.next[byPort] {
		if !s.wants(f) || unchecked && !s.is(noCheck6Rx) {
			continue
		}
		if s.refuses(covered) {
			refused = true
			c.inErrors++
			continue
		}
		if last != nil {
			if q := p.Copy(); q != nil {
				h.deliverOne(last, q, c)
			} else {
				c.rcvbufErrors++
				c.inErrors++
			}
		}
		last = s
	}
	if last == nil {
		switch {
		case unchecked:
			c.inCsumErrors++
			c.inErrors++
		case !refused:
			c.ignoredMulti++
		}
		p.Free()
		return
	}
	h.deliverOne(last, p, c)
}

func (h *handler) deliverOne(s *socket, p *core.Packet, c *counters) {
	c.inDatagrams++
	h.env.Deliver(s.id, []*core.Packet{p})
}

// Error implements core.Handler: an ICMP error about a datagram that we sent
// (__udp4_lib_err, net/ipv4/udp.c).
func (h *handler) Error(e *core.ErrorReport) {
	if len(e.Quoted) < wire.UDPSize {
		return
	}
	f := flow{local: e.Src, remote: e.Dst, localPort: uint16(e.Quoted[0])<<8 | uint16(e.Quoted[1]),
		remotePort: uint16(e.Quoted[2])<<8 | uint16(e.Quoted[3])}
	s := h.connectedTo(&f)
	if s == nil {
		s = h.lookup(&f)
	}
	if s != nil {
		h.env.Report(s.id, e, f.remotePort, wire.UDPSize)
	}
}
