package wiretest

import (
	"encoding/binary"
	"fmt"

	"github.com/libos-go/libos/core/wire"
)

// Bytes is the packet's bytes, with every length and checksum right but for those the description says otherwise.
func (p Packet) Bytes() []byte { return encode(p.layers, ends{}) }

// ends is the addresses of the IP header around a layer.
type ends struct{ src, dst wire.Addr }

func encode(ls []layer, e ends) []byte {
	if len(ls) == 0 {
		return nil
	}
	l := &ls[0]
	if l.kind == kindIPv4 || l.kind == kindIPv6 {
		e = ends{l.addr("src"), l.addr("dst")}
		if l.kind == kindIPv6 {
			if !l.has("src") {
				e.src = wire.IPv6Any()
			}
			if !l.has("dst") {
				e.dst = wire.IPv6Any()
			}
		}
	}
	rest := encode(ls[1:], e)
	switch l.kind {
	case kindEthernet:
		b := prepend(wire.EthernetSize, rest)
		wire.Ethernet(b).Encode(l.hw("dst"), l.hw("src"), wire.EtherType(l.num("type", int(etherType(ls[1:])))))
		return b
	case kindARP:
		b := prepend(wire.ARPSize, rest)
		wire.ARP(b).Encode(wire.ARPFields{Op: uint16(l.num("op", 1)), SenderHW: l.hw("sender hw"), SenderIP: l.addr("sender ip"),
			TargetHW: l.hw("target hw"), TargetIP: l.addr("target ip")})
		return b
	case kindIPv4:
		return encodeIPv4(l, ls[1:], e, rest)
	case kindIPv6:
		b := prepend(wire.IPv6Size, rest)
		wire.IPv6(b).Encode(&wire.IPv6Fields{TrafficClass: uint8(l.num("tos", 0)), FlowLabel: uint32(l.num("flow label", 0)),
			PayloadLen: l.num("length", len(rest)), NextHeader: protocol(l, ls[1:], true), HopLimit: uint8(l.num("ttl", 64)), Src: e.src, Dst: e.dst})
		return b
	case kindHopByHop, kindDestOpts:
		return encodeOptions(l, ls[1:], rest)
	case kindRouting:
		data := l.text("data")
		size := (4 + len(data) + 7) &^ 7
		b := prepend(size, rest)
		b[0], b[1], b[2], b[3] = protocol(l, ls[1:], true), uint8(size/8-1), uint8(l.num("type", 0)), uint8(l.num("segments left", 0))
		copy(b[4:], data)
		return b
	case kindFragment:
		b := prepend(wire.IPv6FragmentSize, rest)
		wire.IPv6Fragment(b).Encode(protocol(l, ls[1:], true), l.num("offset", 0), l.flag("more"), uint32(l.num("id", 0)))
		return b
	case kindUDP:
		b := prepend(wire.UDPSize, rest)
		u := wire.UDP(b)
		src, dst := ports(l)
		u.Encode(src, dst, l.num("length", len(b)))
		switch l.text("checksum") {
		case "none":
		case "bad":
			u.UpdateChecksum(e.src, e.dst)
			if bad := u.Checksum() ^ 0x0101; bad != 0 { // zero would say "none"
				u.SetChecksum(bad)
			} else {
				u.SetChecksum(0x5555)
			}
		default:
			u.UpdateChecksum(e.src, e.dst)
		}
		return b
	case kindUDPLite:
		return encodeUDPLite(l, e, rest)
	case kindTCP:
		return encodeTCP(l, e, rest)
	case kindICMP:
		return encodeICMP(l, e, rest)
	case kindPayload:
		if l.has("data") {
			return append([]byte(l.text("data")), rest...)
		}
		b := prepend(l.num("length", 0), rest)
		for i := range l.num("length", 0) {
			b[i] = byte(i)
		}
		return b
	}
	panic("wiretest: cannot build " + string(l.kind))
}

func prepend(n int, rest []byte) []byte { return append(make([]byte, n, n+len(rest)), rest...) }

func etherType(next []layer) wire.EtherType {
	if len(next) > 0 {
		switch next[0].kind {
		case kindARP:
			return wire.EtherTypeARP
		case kindIPv6:
			return wire.EtherTypeIPv6
		}
	}
	return wire.EtherTypeIPv4
}

// protocol is the number for the layer that follows; 253, set apart for experiments (RFC 3692), if that is no header.
func protocol(l *layer, next []layer, v6 bool) wire.Protocol {
	if l.has("proto") {
		return wire.Protocol(l.num("proto", 0))
	}
	if len(next) == 0 {
		return wire.ProtoNoNext
	}
	switch next[0].kind {
	case kindUDP:
		return wire.ProtoUDP
	case kindUDPLite:
		return wire.ProtoUDPLite
	case kindTCP:
		return wire.ProtoTCP
	case kindICMP:
		if v6 {
			return wire.ProtoICMPv6
		}
		return wire.ProtoICMP
	case kindHopByHop:
		return wire.ProtoHopByHop
	case kindDestOpts:
		return wire.ProtoDestination
	case kindRouting:
		return wire.ProtoRouting
	case kindFragment:
		return wire.ProtoFragment
	case kindIPv4:
		return wire.ProtoIPIP
	case kindIPv6:
		return wire.ProtoIPv6
	}
	return 253
}

func ports(l *layer) (src, dst uint16) {
	if s := l.text("ports"); s != "" {
		fmt.Sscanf(s, "%d > %d", &src, &dst)
	}
	return uint16(l.num("src port", int(src))), uint16(l.num("dst port", int(dst)))
}

func encodeIPv4(l *layer, next []layer, e ends, rest []byte) []byte {
	f := wire.IPv4Fields{TOS: uint8(l.num("tos", 0)), ID: uint16(l.num("id", 0)), Offset: l.num("offset", 0), TTL: uint8(l.num("ttl", 64)),
		Protocol: protocol(l, next, false), Src: e.src, Dst: e.dst, Options: []byte(l.text("options"))}
	if l.flag("df") {
		f.Flags |= wire.IPv4DontFragment
	}
	if l.flag("more") {
		f.Flags |= wire.IPv4MoreFragments
	}
	b := prepend(f.HeaderLen(), rest)
	f.TotalLen = l.num("length", len(b))
	p := wire.IPv4(b)
	p.Encode(&f)
	if l.text("checksum") == "bad" {
		p.SetChecksum(p.Checksum() ^ 0x0101)
	}
	return b
}

func encodeOptions(l *layer, next []layer, rest []byte) []byte {
	options := l.text("options")
	size := (2 + len(options) + 7) &^ 7
	b := prepend(size, rest)
	b[0], b[1] = protocol(l, next, true), uint8(size/8-1)
	n := 2 + copy(b[2:], options)
	if pad := size - n; pad > 1 {
		b[n], b[n+1] = wire.IPv6OptPadN, uint8(pad-2)
	}
	return b
}

// encodeUDPLite writes a coverage that cannot be as it is, with the checksum of the whole.
func encodeUDPLite(l *layer, e ends, rest []byte) []byte {
	b := prepend(wire.UDPLiteSize, rest)
	u := wire.UDPLite(b)
	src, dst := ports(l)
	u.Encode(src, dst, l.num("coverage", len(b)))
	covered := b
	if _, err := wire.ParseUDPLite(b); err == nil {
		covered = u.Covered()
	}
	switch sum := wire.UDPFinish(wire.Sum(covered, wire.PseudoHeader(e.src, e.dst, wire.ProtoUDPLite, len(b)))); l.text("checksum") {
	case "none":
	case "bad":
		if sum ^= 0x0101; sum == 0 {
			sum = 0x5555
		}
		u.SetChecksum(sum)
	default:
		u.SetChecksum(sum)
	}
	return b
}

func encodeTCP(l *layer, e ends, rest []byte) []byte {
	opts := []byte(l.text("options"))
	if !l.has("options") {
		opts = tcpOptions(l)
	}
	hl := wire.TCPMinSize + (len(opts)+3)&^3
	b := prepend(hl, rest)
	flags, _ := wire.ParseTCPFlags(l.text("flags"))
	src, dst := ports(l)
	t := wire.TCP(b)
	t.Encode(&wire.TCPFields{SrcPort: src, DstPort: dst, Seq: wire.Seq(l.num("seq", 0)), Ack: wire.Seq(l.num("ack", 0)), Flags: flags,
		Window: uint16(l.num("window", 65535)), Urgent: uint16(l.num("urgent", 0))}, hl)
	copy(b[wire.TCPMinSize:], opts)
	t.UpdateChecksum(e.src, e.dst)
	if l.text("checksum") == "bad" {
		t.SetChecksum(t.Checksum() ^ 0x0101)
	}
	return b
}

func tcpOptions(l *layer) []byte {
	var o wire.TCPOptions
	if l.has("mss") {
		o.Has |= wire.TCPHasMSS
		o.MSS = uint16(l.num("mss", 0))
	}
	if l.has("wscale") {
		o.Has |= wire.TCPHasWindowScale
		o.WindowScale = uint8(l.num("wscale", 0))
	}
	if l.flag("sackOK") {
		o.Has |= wire.TCPHasSACKPermitted
	}
	if s := l.text("timestamps"); s != "" {
		o.Has |= wire.TCPHasTimestamp
		fmt.Sscanf(s, "%d ecr %d", &o.TSVal, &o.TSEcr)
	}
	for s := l.text("sack"); s != "" && int(o.NumSACK) < len(o.SACK); o.NumSACK++ {
		k := &o.SACK[o.NumSACK]
		n, _ := fmt.Sscanf(s, "%d:%d", &k.Start, &k.End)
		if n != 2 {
			break
		}
		s = s[len(fmt.Sprint(uint32(k.Start), ":", uint32(k.End))):]
		if s != "" {
			s = s[1:]
		}
	}
	b := make([]byte, o.Size())
	o.Put(b)
	return b
}

func encodeICMP(l *layer, e ends, rest []byte) []byte {
	v6 := e.src.Is6()
	typ := icmpType(l.text("message"), v6)
	body := append(icmpBody(l, typ, v6), rest...)
	if v, ok := l.find("quote"); ok {
		body = append(body, v.(Packet).Bytes()...)
	}
	b := prepend(4, body)
	b[0], b[1] = typ, uint8(l.num("code", 0))
	if v6 {
		wire.ICMPv6(b).UpdateChecksum(e.src, e.dst)
	} else {
		wire.ICMPv4(b).UpdateChecksum()
	}
	if l.text("checksum") == "bad" {
		b[3] ^= 1
	}
	return b
}

// icmpType is the type with this name.
func icmpType(message string, v6 bool) uint8 {
	for t := range 256 {
		if v6 && wire.ICMPv6TypeName(uint8(t)) == message || !v6 && wire.ICMPv4TypeName(uint8(t)) == message {
			return uint8(t)
		}
	}
	panic("wiretest: no ICMP message is called " + message)
}

// icmpBody is what follows the checksum of a message, its neighbour discovery options included.
func icmpBody(l *layer, typ uint8, v6 bool) []byte {
	b := make([]byte, 4)
	switch {
	case l.has("id") || l.has("seq"):
		binary.BigEndian.PutUint16(b, uint16(l.num("id", 0)))
		binary.BigEndian.PutUint16(b[2:], uint16(l.num("seq", 0)))
	case l.has("pointer"):
		binary.BigEndian.PutUint32(b, uint32(l.num("pointer", 0)))
		if !v6 {
			b = []byte{b[3], 0, 0, 0}
		}
	case l.has("gateway"):
		l.addr("gateway").Put4(b)
	case l.has("mtu") && (!v6 || typ == wire.ICMPv6PacketTooBig):
		binary.BigEndian.PutUint32(b, uint32(l.num("mtu", 0)))
	}
	if !v6 || typ < wire.ICMPv6RouterSolicit || typ > wire.ICMPv6Redirect {
		return b
	}
	switch typ {
	case wire.ICMPv6RouterAdvert:
		ra := make([]byte, wire.RouterAdvertSize)
		wire.RouterAdvert(ra).Encode(wire.RouterAdvertFields{CurHopLimit: 64, Lifetime: uint16(l.num("lifetime", 0))})
		b = ra[4:]
	case wire.ICMPv6NeighborSolicit, wire.ICMPv6NeighborAdvert, wire.ICMPv6Redirect:
		for _, c := range l.text("flags") {
			b[0] |= map[rune]byte{'R': 0x80, 'S': 0x40, 'O': 0x20}[c]
		}
		b = append(b, make([]byte, 16)...)
		l.addr("target").Put16(b[4:])
		if typ == wire.ICMPv6Redirect {
			b = append(b, make([]byte, 16)...)
			l.addr("destination").Put16(b[20:])
		}
	}
	return append(b, ndOptions(l)...)
}

func ndOptions(l *layer) []byte {
	b := make([]byte, 64)
	n := 0
	if l.has("source ll") {
		wire.PutNDLinkLayer(b, wire.NDOptSourceLL, l.hw("source ll"))
		n += wire.NDLinkLayerSize
	}
	if l.has("target ll") {
		wire.PutNDLinkLayer(b[n:], wire.NDOptTargetLL, l.hw("target ll"))
		n += wire.NDLinkLayerSize
	}
	if l.has("mtu") {
		wire.PutNDMTU(b[n:], uint32(l.num("mtu", 0)))
		n += wire.NDMTUSize
	}
	if v, ok := l.find("prefix"); ok {
		p := v.(wire.PrefixInfo)
		p.Put(b[n:])
		n += wire.NDPrefixInfoSize
	}
	return b[:n]
}
