package wiretest

import (
	"fmt"

	"github.com/libos-go/libos/core/wire"
)

// Read describes the frame b with every field it has. Whether an Ethernet header comes first is told by the first four
// bits: 4 and 6 begin an IP packet, so Ethernet addresses in tests should begin with 02.
func Read(b []byte) Packet { return read(b, wire.IPVersion(b) != 4 && wire.IPVersion(b) != 6) }

func read(b []byte, ethernet bool) Packet {
	var r reader
	if ethernet {
		r.ethernet(b)
	} else {
		r.ip(b)
	}
	return Packet{r.layers}
}

// reader collects layers. In a quoted packet the lengths reach past the end and checksums cannot be judged.
type reader struct {
	layers []layer
	quoted bool
}

func (r *reader) add(k kind, fs ...Field) { r.layers = append(r.layers, layer{k, fs}) }

func (r *reader) broken(what kind, err error) { r.add(kindBroken, Field{string(what), err.Error()}) }

func (r *reader) payload(b []byte) {
	r.add(kindPayload, Field{"data", string(b)}, number("length", len(b)))
}

// checksum is the value of that field.
func (r *reader) checksum(ok bool) Field {
	if ok || r.quoted {
		return Field{"checksum", "good"}
	}
	return BadChecksum()
}

func (r *reader) ethernet(b []byte) {
	e, err := wire.ParseEthernet(b)
	if err != nil {
		r.broken(kindEthernet, err)
		return
	}
	r.add(kindEthernet, Field{"src", e.Src()}, Field{"dst", e.Dst()}, Type(e.Type()))
	switch e.Type() {
	case wire.EtherTypeARP:
		a, err := wire.ParseARP(e.Payload())
		if err != nil {
			r.broken(kindARP, err)
			return
		}
		f := a.Fields()
		r.add(kindARP, number("op", int(f.Op)), Field{"sender hw", f.SenderHW}, Field{"sender ip", f.SenderIP},
			Field{"target hw", f.TargetHW}, Field{"target ip", f.TargetIP})
	case wire.EtherTypeIPv4, wire.EtherTypeIPv6:
		r.ip(e.Payload())
	default:
		r.payload(e.Payload())
	}
}

func (r *reader) ip(b []byte) {
	if wire.IPVersion(b) == 6 {
		r.ipv6(b)
	} else {
		r.ipv4(b)
	}
}

func (r *reader) ipv4(b []byte) {
	if r.quoted && len(b) >= wire.IPv4MinSize {
		b = append([]byte(nil), b...)
		wire.IPv4(b).SetTotalLen(min(wire.IPv4(b).TotalLen(), len(b)))
	}
	p, err := wire.ParseIPv4(b)
	if err != nil {
		r.broken(kindIPv4, err)
		return
	}
	r.add(kindIPv4, Field{"src", p.Src()}, Field{"dst", p.Dst()}, TTL(int(p.TTL())), TOS(int(p.TOS())), ID(int(p.ID())), DF(p.DontFragment()),
		MF(p.MoreFragments()), Offset(p.FragmentOffset()), Proto(p.Protocol()), Length(p.TotalLen()), IPOptions(p.Options()...), r.checksum(p.ChecksumOK()))
	if p.IsFragment() {
		r.payload(p.Payload())
		return
	}
	r.upper(ends{p.Src(), p.Dst()}, p.Protocol(), p.Payload())
}

func (r *reader) ipv6(b []byte) {
	if r.quoted && len(b) >= wire.IPv6Size {
		b = append([]byte(nil), b...)
		wire.IPv6(b).SetPayloadLen(min(wire.IPv6(b).PayloadLen(), len(b)-wire.IPv6Size))
	}
	p, err := wire.ParseIPv6(b)
	if err != nil {
		r.broken(kindIPv6, err)
		return
	}
	r.add(kindIPv6, Field{"src", p.Src()}, Field{"dst", p.Dst()}, TTL(int(p.HopLimit())), TOS(int(p.TrafficClass())),
		FlowLabel(int(p.FlowLabel())), Proto(p.NextHeader()), Length(p.PayloadLen()))
	w := wire.WalkIPv6(p)
	whole := true
	for w.Next() {
		d := w.Data()
		switch w.Header {
		case wire.ProtoHopByHop:
			r.add(kindHopByHop, Field{"options", optionBytes(w.Options())})
		case wire.ProtoDestination:
			r.add(kindDestOpts, Field{"options", optionBytes(w.Options())})
		case wire.ProtoRouting:
			r.add(kindRouting, number("type", int(d[2])), number("segments left", int(d[3])), Field{"data", string(d[4:])})
		case wire.ProtoFragment:
			f := wire.IPv6Fragment(d)
			r.add(kindFragment, number("id", int(f.ID())), Offset(f.Offset()), MF(f.More()))
			whole = f.IsAtomic()
		}
	}
	switch {
	case w.Problem.Err != 0:
		r.broken("extension headers", w.Problem.Err)
	case !whole:
		r.payload(w.Rest())
	default:
		r.upper(ends{p.Src(), p.Dst()}, w.Header, w.Rest())
	}
}

// optionBytes is the options without padding, as Packet.HopByHop takes them.
func optionBytes(o wire.IPv6OptionWalker) string {
	var b []byte
	for o.Next() {
		b = append(append(b, o.Type, uint8(len(o.Data))), o.Data...)
	}
	return string(b)
}

func (r *reader) upper(e ends, proto wire.Protocol, b []byte) {
	switch {
	case proto == wire.ProtoTCP:
		r.tcp(e, b)
	case proto == wire.ProtoUDP:
		r.udp(e, b)
	case proto == wire.ProtoUDPLite:
		r.udpLite(e, b)
	case proto == wire.ProtoICMP && e.src.Is4():
		m, err := wire.ParseICMPv4(b)
		if err != nil {
			r.broken(kindICMP, err)
			return
		}
		r.icmp(b, wire.ICMPv4TypeName(m.Type()), m.ChecksumOK(), m.IsError(),
			Field{"gateway", m.Gateway()}, Pointer(int(m.Pointer())), MTU(int(m.MTU())))
	case proto == wire.ProtoICMPv6 && e.src.Is6():
		m, err := wire.ParseICMPv6(b)
		if err != nil {
			r.broken(kindICMP, err)
			return
		}
		ok := m.ChecksumOK(e.src, e.dst)
		if m.Type() >= wire.ICMPv6RouterSolicit && m.Type() <= wire.ICMPv6Redirect {
			r.discovery(m, ok)
			return
		}
		r.icmp(b, wire.ICMPv6TypeName(m.Type()), ok, m.IsError(), Pointer(int(m.Pointer())), MTU(int(m.MTU())))
	case proto == wire.ProtoIPIP || proto == wire.ProtoIPv6:
		r.ip(b)
	default:
		r.payload(b)
	}
}

func (r *reader) udp(e ends, b []byte) {
	if r.quoted && len(b) >= wire.UDPSize {
		b = append([]byte(nil), b...)
		wire.UDP(b).SetLength(min(wire.UDP(b).Length(), len(b)))
	}
	u, err := wire.ParseUDP(b)
	if err != nil {
		r.broken(kindUDP, err)
		return
	}
	sum := r.checksum(u.ChecksumOK(e.src, e.dst))
	if u.Checksum() == 0 && e.src.Is4() {
		sum = NoChecksum()
	}
	r.add(kindUDP, Ports(int(u.SrcPort()), int(u.DstPort())), SrcPort(int(u.SrcPort())), DstPort(int(u.DstPort())), Length(u.Length()), sum)
	r.payload(u.Payload())
}

func (r *reader) udpLite(e ends, b []byte) {
	if r.quoted && len(b) >= wire.UDPLiteSize {
		b = append([]byte(nil), b...)
		wire.UDPLite(b).SetCoverage(min(wire.UDPLite(b).Coverage(), len(b)))
	}
	u, err := wire.ParseUDPLite(b)
	if err != nil {
		r.broken(kindUDPLite, err)
		return
	}
	sum := r.checksum(u.ChecksumOK(e.src, e.dst))
	if u.Checksum() == 0 {
		sum = NoChecksum()
	}
	r.add(kindUDPLite, Ports(int(u.SrcPort()), int(u.DstPort())), SrcPort(int(u.SrcPort())), DstPort(int(u.DstPort())), Coverage(u.Coverage()), sum)
	r.payload(u.Payload())
}

func (r *reader) tcp(e ends, b []byte) {
	if r.quoted && len(b) >= 8 && len(b) < wire.TCPMinSize {
		src, dst := int(b[0])<<8|int(b[1]), int(b[2])<<8|int(b[3])
		seq := uint32(b[4])<<24 | uint32(b[5])<<16 | uint32(b[6])<<8 | uint32(b[7])
		r.add(kindTCP, Ports(src, dst), SrcPort(src), DstPort(dst), Seq(seq))
		return
	}
	t, err := wire.ParseTCP(b)
	if err != nil {
		r.broken(kindTCP, err)
		return
	}
	f := t.Fields()
	fs := []Field{Ports(int(f.SrcPort), int(f.DstPort)), SrcPort(int(f.SrcPort)), DstPort(int(f.DstPort)), Seq(uint32(f.Seq)), Ack(uint32(f.Ack)),
		{"flags", f.Flags.String()}, Window(int(f.Window)), Urgent(int(f.Urgent)), r.checksum(t.ChecksumOK(e.src, e.dst)), TCPOptions(t.Options()...)}
	var o wire.TCPOptions
	if err := wire.ParseTCPOptions(t.Options(), &o); err != nil {
		fs = append(fs, Field{"options error", err.Error()})
	}
	if o.Has&wire.TCPHasMSS != 0 {
		fs = append(fs, MSS(int(o.MSS)))
	}
	if o.Has&wire.TCPHasWindowScale != 0 {
		fs = append(fs, WScale(int(o.WindowScale)))
	}
	if o.Has&wire.TCPHasSACKPermitted != 0 {
		fs = append(fs, SACKPermitted())
	}
	if o.Has&wire.TCPHasTimestamp != 0 {
		fs = append(fs, Timestamps(o.TSVal, o.TSEcr))
	}
	if o.NumSACK > 0 {
		var edges []uint32
		for _, k := range o.SACKBlocks() {
			edges = append(edges, uint32(k.Start), uint32(k.End))
		}
		fs = append(fs, SACK(edges...))
	}
	r.add(kindTCP, fs...)
	r.payload(t.Payload())
}

func (r *reader) icmp(b []byte, message string, ok, isError bool, fs ...Field) {
	m := wire.ICMPv4(b) // the first eight bytes are the same in both families
	all := append([]Field{{"message", message}, Code(int(m.Code())), r.checksum(ok), ID(int(m.ID())), Seq(uint32(m.Seq()))}, fs...)
	if isError && !r.quoted {
		q := reader{quoted: true}
		q.ip(m.Payload())
		all = append(all, Quote(Packet{q.layers}))
	}
	r.add(kindICMP, all...)
	r.payload(m.Payload())
}

func (r *reader) discovery(m wire.ICMPv6, ok bool) {
	fs := []Field{{"message", wire.ICMPv6TypeName(m.Type())}, Code(int(m.Code())), r.checksum(ok)}
	size := map[uint8]int{wire.ICMPv6RouterSolicit: wire.RouterSolicitSize, wire.ICMPv6RouterAdvert: wire.RouterAdvertSize,
		wire.ICMPv6NeighborSolicit: wire.NeighborSolicitSize, wire.ICMPv6NeighborAdvert: wire.NeighborAdvertSize, wire.ICMPv6Redirect: wire.RedirectSize}[m.Type()]
	var o wire.NDOptions
	if len(m) < size {
		r.broken(kindICMP, wire.ErrTruncated)
		return
	}
	if err := wire.ParseNDOptions(m[size:], &o); err != nil {
		r.broken(kindICMP, err)
		return
	}
	switch m.Type() {
	case wire.ICMPv6RouterAdvert:
		fs = append(fs, Lifetime(int(wire.RouterAdvert(m).Fields().Lifetime)))
	case wire.ICMPv6NeighborSolicit:
		fs = append(fs, Target(wire.NeighborSolicit(m).Target()))
	case wire.ICMPv6NeighborAdvert:
		fs = append(fs, Target(wire.NeighborAdvert(m).Target()), Field{"flags", advertFlags(wire.NeighborAdvert(m).Flags())})
	case wire.ICMPv6Redirect:
		fs = append(fs, Target(wire.Redirect(m).Target()), Destination(wire.Redirect(m).Destination()))
	}
	if o.Has&wire.NDHasSourceLL != 0 {
		fs = append(fs, SourceLL(o.SourceLL))
	}
	if o.Has&wire.NDHasTargetLL != 0 {
		fs = append(fs, TargetLL(o.TargetLL))
	}
	if o.Has&wire.NDHasMTU != 0 {
		fs = append(fs, MTU(int(o.MTU)))
	}
	for w := wire.NDOptionWalker(m[size:]); ; {
		_, opt, ok := w.Next()
		if !ok {
			break
		}
		if p, ok := wire.ParsePrefixInfo(opt); ok && opt[0] == wire.NDOptPrefixInfo {
			fs = append(fs, PrefixInfo(p))
			break
		}
	}
	r.add(kindICMP, fs...)
}

func advertFlags(f wire.NDAFlags) (s string) {
	for i, c := range "RSO" {
		if f&(wire.NDARouter>>i) != 0 {
			s += string(c)
		}
	}
	return s
}

// String is the layers and their fields, for messages.
func (p Packet) String() (s string) {
	for i, l := range p.layers {
		if i > 0 {
			s += " / "
		}
		s += string(l.kind)
		for _, f := range l.fields {
			s += fmt.Sprintf(" %s=%v", f.name, show(f.value))
		}
	}
	return s
}

// show makes text that is not printable readable.
func show(v any) any {
	if s, ok := v.(string); ok {
		for _, c := range []byte(s) {
			if c < ' ' || c > '~' {
				return fmt.Sprintf("%x", s)
			}
		}
	}
	return v
}
