package wiretest

import (
	"fmt"
	"net/netip"

	"github.com/libos-go/libos/core/wire"
)

// Packet describes a packet, outermost layer first. It is a value: adding a layer gives a new one, so that a common
// beginning can be kept in a variable.
type Packet struct{ layers []layer }

// layer is one header, or the payload, with the fields that were named.
type layer struct {
	kind   kind
	fields []Field
}

type kind string

const (
	kindEthernet kind = "ethernet"
	kindARP      kind = "arp"
	kindIPv4     kind = "ipv4"
	kindIPv6     kind = "ipv6"
	kindHopByHop kind = "hop-by-hop options"
	kindDestOpts kind = "destination options"
	kindRouting  kind = "routing header"
	kindFragment kind = "fragment header"
	kindUDP      kind = "udp"
	kindUDPLite  kind = "udp-lite"
	kindTCP      kind = "tcp"
	kindICMP     kind = "icmp"
	kindPayload  kind = "payload"
	kindBroken   kind = "malformed"
)

func (p Packet) add(k kind, fs ...Field) Packet {
	return Packet{append(p.layers[:len(p.layers):len(p.layers)], layer{k, fs})}
}

// Then is p followed by the layers of q.
func (p Packet) Then(q Packet) Packet {
	return Packet{append(p.layers[:len(p.layers):len(p.layers)], q.layers...)}
}

// Ethernet begins a frame. Hardware addresses are text, wire.HWAddr or nil for "any".
func Ethernet(src, dst any, fs ...Field) Packet { return Packet{}.Ethernet(src, dst, fs...) }

// ARP is an ARP packet; ARPRequest and ARPReply say the usual ones shorter.
func ARP(fs ...Field) Packet { return Packet{}.ARP(fs...) }

// ARPRequest asks who has target.
func ARPRequest(senderHW, senderIP, target any) Packet {
	return Packet{}.ARPRequest(senderHW, senderIP, target)
}

// ARPReply tells targetHW, targetIP that senderIP is at senderHW.
func ARPReply(senderHW, senderIP, targetHW, targetIP any) Packet {
	return Packet{}.ARPReply(senderHW, senderIP, targetHW, targetIP)
}

// IPv4 is an IPv4 header. Addresses are text, wire.Addr, netip.Addr or nil for "any".
func IPv4(src, dst any, fs ...Field) Packet { return Packet{}.IPv4(src, dst, fs...) }

// IPv6 is an IPv6 header.
func IPv6(src, dst any, fs ...Field) Packet { return Packet{}.IPv6(src, dst, fs...) }

// IP is IPv4 or IPv6, by the family of src.
func IP(src, dst any, fs ...Field) Packet { return Packet{}.IP(src, dst, fs...) }

// UDP is a UDP header.
func UDP(fs ...Field) Packet { return Packet{}.UDP(fs...) }

// UDPLite is a UDP-Lite header.
func UDPLite(fs ...Field) Packet { return Packet{}.UDPLite(fs...) }

// TCP is a TCP header.
func TCP(fs ...Field) Packet { return Packet{}.TCP(fs...) }

// ICMP is an ICMP or ICMPv6 message, by the IP header before it; message is the name that wire.ICMPv4TypeName and
// wire.ICMPv6TypeName give it: "echo request", "unreachable", "neighbor solicitation".
func ICMP(message string, fs ...Field) Packet { return Packet{}.ICMP(message, fs...) }

// Echo is an ICMP or ICMPv6 echo request.
func Echo(id, seq int, fs ...Field) Packet { return Packet{}.Echo(id, seq, fs...) }

// EchoReply is an ICMP or ICMPv6 echo reply.
func EchoReply(id, seq int, fs ...Field) Packet { return Packet{}.EchoReply(id, seq, fs...) }

// NeighborSolicit asks who has target.
func NeighborSolicit(target any, fs ...Field) Packet { return Packet{}.NeighborSolicit(target, fs...) }

// NeighborAdvert tells about target; flags are of "R", "S" and "O".
func NeighborAdvert(flags string, target any, fs ...Field) Packet {
	return Packet{}.NeighborAdvert(flags, target, fs...)
}

// Payload is data: a string or bytes.
func Payload[T string | []byte](data T) Packet { return Packet{}.Payload(string(data)) }

// PayloadLen is data of a length; when building, its bytes count up from 0.
func PayloadLen(n int) Packet { return Packet{}.PayloadLen(n) }

func (p Packet) Ethernet(src, dst any, fs ...Field) Packet {
	return p.add(kindEthernet, append(both(hw, src, dst), fs...)...)
}

func (p Packet) ARP(fs ...Field) Packet { return p.add(kindARP, fs...) }

func (p Packet) ARPRequest(senderHW, senderIP, target any) Packet {
	fs := []Field{number("op", int(wire.ARPRequest))}
	return p.add(kindARP, append(fs, named(hw, "sender hw", senderHW, ip, "sender ip", senderIP, ip, "target ip", target)...)...)
}

func (p Packet) ARPReply(senderHW, senderIP, targetHW, targetIP any) Packet {
	fs := []Field{number("op", int(wire.ARPReply))}
	return p.add(kindARP, append(fs, named(hw, "sender hw", senderHW, ip, "sender ip", senderIP, hw, "target hw", targetHW, ip, "target ip", targetIP)...)...)
}

func (p Packet) IPv4(src, dst any, fs ...Field) Packet {
	return p.add(kindIPv4, append(both(ip, src, dst), fs...)...)
}

func (p Packet) IPv6(src, dst any, fs ...Field) Packet {
	return p.add(kindIPv6, append(both(ip, src, dst), fs...)...)
}

func (p Packet) IP(src, dst any, fs ...Field) Packet {
	if a, _ := ip(src).(wire.Addr); a.Is4() {
		return p.IPv4(src, dst, fs...)
	}
	return p.IPv6(src, dst, fs...)
}

// HopByHop is a hop-by-hop options header with these option bytes, padded to a multiple of eight.
func (p Packet) HopByHop(options ...byte) Packet {
	return p.add(kindHopByHop, Field{"options", string(options)})
}

// DestinationOptions is a destination options header with these option bytes, padded to a multiple of eight.
func (p Packet) DestinationOptions(options ...byte) Packet {
	return p.add(kindDestOpts, Field{"options", string(options)})
}

// Routing is a routing header of a type, with segments left and the bytes after the first four.
func (p Packet) Routing(typ, segmentsLeft int, data ...byte) Packet {
	return p.add(kindRouting, number("type", typ), number("segments left", segmentsLeft), Field{"data", string(data)})
}

// Fragment is an IPv6 fragment header. What follows is encoded whole and then stands as the piece: give a Payload to
// build later pieces.
func (p Packet) Fragment(id uint32, offset int, more bool) Packet {
	return p.add(kindFragment, number("id", int(id)), number("offset", offset), Field{"more", more})
}

func (p Packet) UDP(fs ...Field) Packet { return p.add(kindUDP, fs...) }
func (p Packet) TCP(fs ...Field) Packet { return p.add(kindTCP, fs...) }

func (p Packet) UDPLite(fs ...Field) Packet { return p.add(kindUDPLite, fs...) }

func (p Packet) ICMP(message string, fs ...Field) Packet {
	return p.add(kindICMP, append([]Field{{"message", message}}, fs...)...)
}

func (p Packet) Echo(id, seq int, fs ...Field) Packet {
	return p.ICMP("echo request", append([]Field{number("id", id), number("seq", seq)}, fs...)...)
}

func (p Packet) EchoReply(id, seq int, fs ...Field) Packet {
	return p.ICMP("echo reply", append([]Field{number("id", id), number("seq", seq)}, fs...)...)
}

func (p Packet) NeighborSolicit(target any, fs ...Field) Packet {
	return p.ICMP("neighbor solicitation", append(named(ip, "target", target), fs...)...)
}

func (p Packet) NeighborAdvert(flags string, target any, fs ...Field) Packet {
	return p.ICMP("neighbor advertisement", append(append(named(ip, "target", target), Field{"flags", flags}), fs...)...)
}

func (p Packet) Payload(data string) Packet { return p.add(kindPayload, Field{"data", data}) }

func (p Packet) PayloadLen(n int) Packet { return p.add(kindPayload, number("length", n)) }

// hw reads a hardware address, ip an IP address; nil stays nil.
func hw(v any) any {
	switch v := v.(type) {
	case nil, wire.HWAddr:
		return v
	case string:
		return wire.MustHWAddr(v)
	}
	panic(fmt.Sprintf("wiretest: %T is no hardware address: want text or wire.HWAddr", v))
}

func ip(v any) any {
	switch v := v.(type) {
	case nil, wire.Addr:
		return v
	case string:
		return wire.MustAddr(v)
	case netip.Addr:
		return wire.FromNetIP(v)
	}
	panic(fmt.Sprintf("wiretest: %T is no IP address: want text, wire.Addr or netip.Addr", v))
}

func both(read func(any) any, src, dst any) []Field { return named(read, "src", src, read, "dst", dst) }

// named makes fields of triples (reader, name, value), leaving out those that are nil.
func named(args ...any) (fs []Field) {
	for i := 0; i < len(args); i += 3 {
		if v := args[i].(func(any) any)(args[i+2]); v != nil {
			fs = append(fs, Field{args[i+1].(string), v})
		}
	}
	return fs
}
