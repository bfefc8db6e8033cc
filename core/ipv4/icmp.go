package ipv4

import (
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// icmpInput takes a message for this host; h is its IP header. It owns p.
func (s *stack) icmpInput(p *core.Packet, h wire.IPv4) {
	x := s.i()
	x.n[icmpInMsgs]++
	if !p.Pullup(wire.ICMPv4Size) {
		s.icmpBad(p)
		return
	}
	if p.Checksum == core.ChecksumUnknown { // RFC 1122 §3.2.2
		var c wire.Checksum
		p.Sum(&c, 0)
		if c.Fold() != 0xffff {
			x.n[icmpInCsumErrors]++
			s.icmpBad(p)
			return
		}
	}
	m := wire.ICMPv4(p.Linear())
	x.countIn(m.Type())
	group := p.Type != core.PacketHost || p.Dst.IsMulticast() || p.Dst.IsBroadcast()
	switch typ := m.Type(); typ {
	case wire.ICMPv4Echo, wire.ICMPv4Timestamp:
		if group && s.conf.EchoIgnoreBroadcasts || typ == wire.ICMPv4Echo && s.conf.EchoIgnoreAll {
			p.Free()
			return
		}
		if typ == wire.ICMPv4Timestamp {
			s.timestampReply(p, h, group)
			return
		}
		s.echoReply(p, h, group)
	case wire.ICMPv4EchoReply:
		if !s.in.DeliverTransport(p) {
			p.Free()
		}
	case wire.ICMPv4Unreachable, wire.ICMPv4SourceQuench, wire.ICMPv4TimeExceeded, wire.ICMPv4ParameterProblem:
		s.icmpErrorInput(p)
	case wire.ICMPv4Redirect:
		s.redirectInput(p)
	default: // RFC 1122 §3.2.2: unknown types are silently discarded
		if typ >= numICMPTypes {
			x.n[icmpInErrors]++
		}
		p.Free()
	}
}

func (s *stack) icmpBad(p *core.Packet) {
	s.i().n[icmpInErrors]++
	p.Free()
}

// echoReply turns a request into its answer (RFC 1122 §3.2.2.6): all data comes
// back, from the address that was asked.
func (s *stack) echoReply(p *core.Packet, h wire.IPv4, group bool) {
	var room [wire.IPv4MaxHeaderSize]byte
	options := s.replyOptions(h, p, room[:0])
	if !p.Unshare() {
		s.i().n[icmpOutErrors]++
		p.Free()
		return
	}
	m := wire.ICMPv4(p.Linear())
	m.SetType(wire.ICMPv4EchoReply)
	m.SetChecksum(wire.Update16(m.Checksum(), wire.ICMPv4Echo<<8|uint16(m.Code()), uint16(m.Code())))
	s.reply(p, group, options)
}

// timestampReply answers with the time since midnight UTC (RFC 792, RFC 1122
// §3.2.2.8).
func (s *stack) timestampReply(p *core.Packet, h wire.IPv4, group bool) {
	if p.Len() < 20 || !p.Linearize() || !p.Unshare() {
		s.icmpBad(p)
		return
	}
	var room [wire.IPv4MaxHeaderSize]byte
	options := s.replyOptions(h, p, room[:0])
	m := wire.ICMPv4(p.Linear())
	now := s.milliseconds()
	for i, shift := range [4]uint{24, 16, 8, 0} {
		m[12+i] = byte(now >> shift)
		m[16+i] = byte(now >> shift)
	}
	m.SetType(wire.ICMPv4TimestampReply)
	m.UpdateChecksum()
	s.reply(p, group, options)
}

// milliseconds since midnight UTC, as ICMP and the timestamp option have it.
func (s *stack) milliseconds() uint32 {
	t := s.in.Domain().Host().WallNow().UTC()
	return uint32(t.Sub(t.Truncate(24*time.Hour)) / time.Millisecond)
}

// reply sends p, which holds a complete message, back to where it came from.
func (s *stack) reply(p *core.Packet, group bool, options []byte) {
	src, dst := p.Dst, p.Src
	if group {
		src = wire.IPv4Any()
	}
	r, err := s.in.Route(core.RouteQuery{Dst: dst, Src: src})
	if err != nil {
		s.i().n[icmpOutErrors]++
		p.Free()
		return
	}
	s.i().countOut(p.Linear()[0])
	p.Src, p.Dst, p.Protocol, p.Route = r.Src, dst, wire.ProtoICMP, r
	p.HopLimit, p.Flags, p.Checksum, p.SegmentSize = 0, core.FlagMayFragment, core.ChecksumUnknown, 0
	_ = s.output(p, options) // counted there
}

// icmpErrorInput takes an error about a packet of ours to its transport.
func (s *stack) icmpErrorInput(p *core.Packet) {
	m := wire.ICMPv4(p.Linear())
	if !p.Linearize() {
		s.icmpBad(p)
		return
	}
	m = wire.ICMPv4(p.Linear())
	q := m.Payload()
	// RFC 1122 §3.2.2: the header and at least eight bytes after it.
	if len(q) < wire.IPv4MinSize || q[0]>>4 != 4 {
		s.icmpBad(p)
		return
	}
	quoted := wire.IPv4(q)
	hl := quoted.HeaderLen()
	if hl < wire.IPv4MinSize || len(q) < hl+8 || quoted.FragmentOffset() != 0 {
		s.icmpBad(p)
		return
	}
	if quoted.Dst().IsBroadcast() || !s.in.IsLocal(quoted.Src()) { // not about anything we sent
		if !s.conf.IgnoreBogusErrors {
			s.in.Domain().Host().Log().Warn("bogus ICMP error", "host", s.in.Name(), "source", p.Src.String())
		}
		p.Free()
		return
	}
	e := core.ErrorReport{Protocol: quoted.Protocol(), Src: quoted.Src(), Dst: quoted.Dst(), Offender: p.Src,
		Type: m.Type(), Code: m.Code(), Quoted: q[hl:], Whole: q, Ifindex: p.Ifindex(), TOS: p.TOS, HopLimit: p.HopLimit}
	switch m.Type() {
	case wire.ICMPv4Unreachable:
		e.Errno, e.Hard = unreachableErrno(m.Code())
		if m.Code() == wire.ICMPv4FragmentationNeeded {
			if s.conf.NoPMTUDisc >= 2 {
				p.Free()
				return
			}
			e.Info = uint32(m.MTU())
			if s.in.Credible(&e) {
				e.MTU = s.fragmentationNeeded(int(m.MTU()), quoted)
			}
		}
	case wire.ICMPv4ParameterProblem:
		e.Errno, e.Hard, e.Info = syscall.EPROTO, true, uint32(m.Pointer())
	case wire.ICMPv4TimeExceeded:
		e.Errno = syscall.EHOSTUNREACH
	case wire.ICMPv4SourceQuench: // RFC 6633: ignored
		p.Free()
		return
	}
	s.in.DeliverError(&e)
	p.Free()
}

// unreachableErrno is what a Destination Unreachable means to a socket and
// whether it ends a connection attempt (Linux: icmp_err_convert).
func unreachableErrno(code uint8) (err syscall.Errno, hard bool) {
	switch code {
	case wire.ICMPv4NetUnreachable, wire.ICMPv4NetTOS:
		return syscall.ENETUNREACH, false
	case wire.ICMPv4HostUnreachable, wire.ICMPv4HostTOS:
		return syscall.EHOSTUNREACH, false
	case wire.ICMPv4ProtocolUnreachable:
		return syscall.ENOPROTOOPT, true
	case wire.ICMPv4PortUnreachable:
		return syscall.ECONNREFUSED, true
	case wire.ICMPv4FragmentationNeeded:
		return syscall.EMSGSIZE, false
	case wire.ICMPv4SourceRouteFailed:
		return syscall.EOPNOTSUPP, false
	case wire.ICMPv4NetUnknown, wire.ICMPv4NetProhibited:
		return syscall.ENETUNREACH, true
	case wire.ICMPv4HostUnknown:
		return syscall.EHOSTDOWN, true
	case wire.ICMPv4HostIsolated:
		return syscall.Errno(errNoNet), true
	}
	return syscall.EHOSTUNREACH, true
}

// errNoNet is Linux's ENONET, which package syscall has on Linux only.
const errNoNet = 64

// plateaus are RFC 1191's usual MTUs (§7.1), for routers that do not tell theirs.
func plateaus() []int {
	return []int{32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68}
}

// fragmentationNeeded learns a path MTU (RFC 1191 §6.3) and returns it.
func (s *stack) fragmentationNeeded(mtu int, quoted wire.IPv4) int {
	r, err := s.in.Route(core.RouteQuery{Dst: quoted.Dst(), Src: quoted.Src()})
	if err != nil || r.Type != core.RouteUnicast {
		return 0
	}
	if mtu == 0 {
		total := min(quoted.TotalLen(), r.MTU)
		for _, x := range plateaus() {
			if x < total {
				mtu = x
				break
			}
		}
	}
	if s.conf.NoPMTUDisc == 1 || mtu < int(s.conf.MinPMTU) { // Linux locks such routes at min_pmtu
		mtu = int(s.conf.MinPMTU)
	}
	if mtu < r.MTU {
		s.in.SetPathMTU(quoted.Dst(), mtu, s.in.Now().Add(s.conf.MTUExpires))
	}
	return mtu
}
