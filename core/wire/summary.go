package wire

import "strconv"

// Summary is one line about a frame, as short as tcpdump's, for traces and test messages:
//
//	IP 10.0.0.1.49152 > 10.0.0.2.80: Flags [S], seq 1, win 65535, options [mss 1460,sackOK], length 0
//
// Sequence numbers are absolute. Checksums are not judged. Malformed frames are summed up too, up to where they break.
func Summary(frame []byte, link LinkType) string {
	return string(AppendSummary(make([]byte, 0, 160), frame, link))
}

// AppendSummary appends Summary's line to b; it allocates nothing if b has room.
func AppendSummary(b, frame []byte, link LinkType) []byte {
	s := summary(b)
	switch link {
	case LinkEthernet:
		s.ethernet(frame)
	case LinkRaw:
		s.ip(frame)
	default:
		s.str("link type ").num(int(link)).length(len(frame))
	}
	return s
}

// summary is a line being written.
type summary []byte

func (s *summary) str(v string) *summary { *s = append(*s, v...); return s }
func (s *summary) num(v int) *summary    { *s = strconv.AppendInt(*s, int64(v), 10); return s }
func (s *summary) u32(v uint32) *summary { *s = strconv.AppendUint(*s, uint64(v), 10); return s }
func (s *summary) hex(v uint32) *summary {
	*s = strconv.AppendUint(append(*s, "0x"...), uint64(v), 16)
	return s
}
func (s *summary) addr(a Addr) *summary  { *s = a.AppendTo(*s); return s }
func (s *summary) length(n int) *summary { return s.str(", length ").num(n) }
func (s *summary) bad(err error, b []byte) {
	s.str("[malformed: ").str(err.Error()).str("]").length(len(b))
}
func (s *summary) mac(h HWAddr) *summary  { *s = h.AppendTo(*s); return s }
func (s *summary) port(p uint16) *summary { return s.str(".").num(int(p)) }
func (s *summary) frag(off int, more bool) {
	s.num(off)
	if more {
		s.str("+")
	}
}

func (s *summary) ethernet(b []byte) {
	e, err := ParseEthernet(b)
	if err != nil {
		s.str("ethernet ").bad(err, b)
		return
	}
	switch e.Type() {
	case EtherTypeARP:
		s.arp(e.Payload())
	case EtherTypeIPv4, EtherTypeIPv6:
		s.ip(e.Payload())
	default:
		s.mac(e.Src()).str(" > ").mac(e.Dst()).str(", ethertype ").hex(uint32(e.Type())).length(len(b))
	}
}

func (s *summary) arp(b []byte) {
	s.str("ARP, ")
	a, err := ParseARP(b)
	if err != nil {
		s.bad(err, b)
		return
	}
	switch a.Op() {
	case ARPRequest:
		s.str("Request who-has ").addr(a.TargetIP()).str(" tell ").addr(a.SenderIP())
	case ARPReply:
		s.str("Reply ").addr(a.SenderIP()).str(" is-at ").mac(a.SenderHW())
	default:
		s.str("operation ").num(int(a.Op()))
	}
	s.length(len(a))
}

func (s *summary) ip(b []byte) {
	switch IPVersion(b) {
	case 4:
		s.ipv4(b)
	case 6:
		s.ipv6(b)
	default:
		s.str("IP ").bad(ErrVersion, b)
	}
}

func (s *summary) ipv4(b []byte) {
	s.str("IP ")
	p, err := ParseIPv4(b)
	if err != nil {
		s.bad(err, b)
		return
	}
	if off := p.FragmentOffset(); off > 0 || p.MoreFragments() {
		if off > 0 {
			s.addr(p.Src()).str(" > ").addr(p.Dst()).str(": ").str(ProtocolName(p.Protocol()))
			s.length(len(p.Payload()))
		} else {
			s.upper(p.Src(), p.Dst(), p.Protocol(), p.Payload(), true)
		}
		s.str(" (frag ").num(int(p.ID())).str(":").num(len(p.Payload())).str("@")
		s.frag(off, p.MoreFragments())
		s.str(")")
		return
	}
	s.upper(p.Src(), p.Dst(), p.Protocol(), p.Payload(), false)
}

func (s *summary) ipv6(b []byte) {
	s.str("IP6 ")
	p, err := ParseIPv6(b)
	if err != nil {
		s.bad(err, b)
		return
	}
	w := WalkIPv6(p)
	for w.Next() {
	}
	if w.Problem.Err != 0 {
		s.addr(p.Src()).str(" > ").addr(p.Dst()).str(": ").str(ProtocolName(w.Header)).str(" ")
		s.bad(w.Problem.Err, p)
		return
	}
	if w.Fragment == 0 {
		s.upper(p.Src(), p.Dst(), w.Header, w.Rest(), false)
		return
	}
	f := IPv6Fragment(p[w.Fragment:])
	if f.Offset() > 0 {
		s.addr(p.Src()).str(" > ").addr(p.Dst()).str(": ").str(ProtocolName(w.Header)).length(len(w.Rest()))
	} else {
		s.upper(p.Src(), p.Dst(), w.Header, w.Rest(), f.More())
	}
	s.str(" (frag ").hex(f.ID()).str(":").num(len(w.Rest())).str("@")
	s.frag(f.Offset(), f.More())
	s.str(")")
}

// upper sums up an upper-layer header; in a first fragment the lengths inside it reach past the piece.
func (s *summary) upper(src, dst Addr, proto Protocol, b []byte, fragment bool) {
	ports := (proto == ProtoTCP || proto == ProtoUDP || proto == ProtoUDPLite) && len(b) >= 4
	s.addr(src)
	if ports {
		s.port(uint16(b[0])<<8 | uint16(b[1]))
	}
	s.str(" > ").addr(dst)
	if ports {
		s.port(uint16(b[2])<<8 | uint16(b[3]))
	}
	s.str(": ")
	switch proto {
	case ProtoTCP:
		s.tcp(b)
	case ProtoUDP:
		s.str("UDP")
		u, err := ParseUDP(b)
		switch {
		case err == nil:
			s.length(len(u.Payload()))
		case fragment && len(b) >= UDPSize:
			s.length(UDP(b).Length() - UDPSize)
		default:
			s.str(" ").bad(err, b)
		}
	case ProtoUDPLite:
		s.str("UDPLITE")
		switch u, err := ParseUDPLite(b); {
		case fragment && len(b) >= UDPLiteSize: // the length is in the last fragment only
			s.str(", coverage ").num(UDPLite(b).Coverage())
		case err == nil:
			s.str(", coverage ").num(u.Coverage()).length(len(u.Payload()))
		default:
			s.str(" ").bad(err, b)
		}
	case ProtoICMP:
		s.icmpv4(b)
	case ProtoICMPv6:
		s.icmpv6(b)
	case ProtoIPIP, ProtoIPv6:
		s.ip(b)
	default:
		s.str(ProtocolName(proto)).length(len(b))
	}
}

func (s *summary) tcp(b []byte) {
	t, err := ParseTCP(b)
	if err != nil {
		s.str("TCP ").bad(err, b)
		return
	}
	s.str("Flags [")
	*s = t.Flags().appendTo(*s)
	s.str("]")
	n := uint32(len(t.Payload()))
	if n > 0 || t.Flags()&(TCPSyn|TCPFin|TCPRst) != 0 {
		s.str(", seq ").u32(uint32(t.Seq()))
		if n > 0 {
			s.str(":").u32(uint32(t.Seq().Add(n)))
		}
	}
	if t.Flags()&TCPAck != 0 {
		s.str(", ack ").u32(uint32(t.Ack()))
	}
	s.str(", win ").num(int(t.Window()))
	if t.Flags()&TCPUrg != 0 {
		s.str(", urg ").num(int(t.Urgent()))
	}
	s.tcpOptions(t.Options())
	s.length(int(n))
}

func (s *summary) tcpOptions(b []byte) {
	if len(b) == 0 {
		return
	}
	var o TCPOptions
	err := ParseTCPOptions(b, &o)
	s.str(", options [")
	start := len(*s)
	item := func(v string) *summary {
		if len(*s) > start {
			s.str(",")
		}
		return s.str(v)
	}
	if o.Has&TCPHasMSS != 0 {
		item("mss ").num(int(o.MSS))
	}
	if o.Has&TCPHasSACKPermitted != 0 {
		item("sackOK")
	}
	if o.Has&TCPHasTimestamp != 0 {
		item("TS val ").u32(o.TSVal).str(" ecr ").u32(o.TSEcr)
	}
	if o.Has&TCPHasWindowScale != 0 {
		item("wscale ").num(int(o.WindowScale))
	}
	if o.NumSACK > 0 {
		item("sack ").num(int(o.NumSACK)).str(" ")
		for _, k := range o.SACKBlocks() {
			s.str("{").u32(uint32(k.Start)).str(":").u32(uint32(k.End)).str("}")
		}
	}
	if o.Has&TCPHasFastOpen != 0 {
		item("tfo cookie ").num(int(o.FastOpenLen))
	}
	for w := TCPOptionWalker(b); ; {
		kind, _, ok := w.Next()
		if !ok {
			break
		}
		switch kind {
		case TCPOptMSS, TCPOptSACKPermitted, TCPOptTimestamp, TCPOptWindowScale, TCPOptSACK, TCPOptFastOpen:
		case TCPOptMPTCP:
			item("mptcp")
		default:
			item("unknown-").num(int(kind))
		}
	}
	if err != nil {
		item("malformed")
	}
	s.str("]")
}

func (s *summary) icmpv4(b []byte) {
	s.str("ICMP ")
	m, err := ParseICMPv4(b)
	if err != nil {
		s.bad(err, b)
		return
	}
	s.str(ICMPv4TypeName(m.Type()))
	switch m.Type() {
	case ICMPv4Echo, ICMPv4EchoReply, ICMPv4Timestamp, ICMPv4TimestampReply:
		s.str(", id ").num(int(m.ID())).str(", seq ").num(int(m.Seq()))
	case ICMPv4Redirect:
		s.str(" to ").addr(m.Gateway())
	case ICMPv4ParameterProblem:
		s.str(", code ").num(int(m.Code())).str(", pointer ").num(int(m.Pointer()))
	case ICMPv4Unreachable:
		s.str(", code ").num(int(m.Code()))
		if m.Code() == ICMPv4FragmentationNeeded {
			s.str(", mtu ").num(int(m.MTU()))
		}
	default:
		s.str(", code ").num(int(m.Code()))
	}
	s.length(len(m))
}

func (s *summary) icmpv6(b []byte) {
	s.str("ICMP6 ")
	m, err := ParseICMPv6(b)
	if err != nil {
		s.bad(err, b)
		return
	}
	s.str(ICMPv6TypeName(m.Type()))
	switch typ := m.Type(); {
	case typ == ICMPv6Echo, typ == ICMPv6EchoReply:
		s.str(", id ").num(int(m.ID())).str(", seq ").num(int(m.Seq()))
	case typ == ICMPv6PacketTooBig:
		s.str(", mtu ").u32(m.MTU())
	case typ == ICMPv6ParameterProblem:
		s.str(", code ").num(int(m.Code())).str(", pointer ").u32(m.Pointer())
	case typ < 128:
		s.str(", code ").num(int(m.Code()))
	case typ == ICMPv6NeighborSolicit && len(m) >= NeighborSolicitSize:
		s.str(", who has ").addr(NeighborSolicit(m).Target())
	case typ == ICMPv6NeighborAdvert && len(m) >= NeighborAdvertSize:
		s.str(", tgt is ").addr(NeighborAdvert(m).Target())
	case typ == ICMPv6Redirect && len(m) >= RedirectSize:
		s.str(", ").addr(Redirect(m).Destination()).str(" by ").addr(Redirect(m).Target())
	}
	s.length(len(m))
}
