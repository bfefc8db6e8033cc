package wiretest

import (
	"fmt"
	"strings"

	"github.com/libos-go/libos/core/wire"
)

// Field is one field of a layer and its value. The same field says what to write and what to expect.
type Field struct {
	name  string
	value any // int64, bool, string, wire.Addr, wire.HWAddr, Packet or absence
}

// absence is the value of a field that must not be there.
type absence struct{}

func (absence) String() string { return "absent" }

func number(name string, v int) Field { return Field{name, int64(v)} }

// Of any header with a checksum.

// BadChecksum damages the checksum, or expects it damaged.
func BadChecksum() Field { return Field{"checksum", "bad"} }

// NoChecksum leaves the checksum of UDP or UDP-Lite out, or expects it left out.
func NoChecksum() Field { return Field{"checksum", "none"} }

// Length writes a length field as it should not be (IPv4 total length, IPv6 payload length, UDP length), or expects it.
func Length(n int) Field { return number("length", n) }

// Of Ethernet.

// Type is the ethertype of a frame.
func Type(t wire.EtherType) Field { return number("type", int(t)) }

// Of IP.

// TTL is the TTL or hop limit; 64 if not said.
func TTL(n int) Field { return number("ttl", n) }

// TOS is the TOS or traffic class byte.
func TOS(n int) Field { return number("tos", n) }

// ID is the identification of an IPv4 packet or of an echo.
func ID(n int) Field { return number("id", n) }

// DF is the don't-fragment bit.
func DF(v bool) Field { return Field{"df", v} }

// MF is the more-fragments bit.
func MF(v bool) Field { return Field{"more", v} }

// Offset is the fragment offset in bytes.
func Offset(n int) Field { return number("offset", n) }

// Proto is the protocol or next header, where it is not that of the layer that follows.
func Proto(p wire.Protocol) Field { return number("proto", int(p)) }

// FlowLabel is the IPv6 flow label.
func FlowLabel(n int) Field { return number("flow label", n) }

// IPOptions is the option bytes of an IPv4 header.
func IPOptions(b ...byte) Field { return Field{"options", string(b)} }

// Of TCP, UDP and UDP-Lite.

// Coverage is the checksum coverage of UDP-Lite in bytes, 0 for all; the datagram's length if not said.
func Coverage(n int) Field { return number("coverage", n) }

// SrcPort is the source port.
func SrcPort(n int) Field { return number("src port", n) }

// DstPort is the destination port.
func DstPort(n int) Field { return number("dst port", n) }

// Ports is source and destination port.
func Ports(src, dst int) Field { return Field{"ports", fmt.Sprint(src, " > ", dst)} }

// Of TCP.

// Flags is the control bits in tcpdump's letters: S, F, R, P, '.' for ACK, U, E, W; "none".
func Flags(s string) Field {
	f, ok := wire.ParseTCPFlags(s)
	if !ok {
		panic("wiretest: unknown TCP flag in " + s)
	}
	return Field{"flags", f.String()}
}

// Seq is the sequence number of a segment or of an echo.
func Seq(n uint32) Field { return number("seq", int(n)) }

// Ack is the acknowledgment number.
func Ack(n uint32) Field { return number("ack", int(n)) }

// Window is the window field, not scaled; 65535 if not said.
func Window(n int) Field { return number("window", n) }

// Urgent is the urgent pointer.
func Urgent(n int) Field { return number("urgent", n) }

// MSS is the maximum segment size option.
func MSS(n int) Field { return number("mss", n) }

// WScale is the window scale option.
func WScale(n int) Field { return number("wscale", n) }

// SACKPermitted is the option of that name.
func SACKPermitted() Field { return Field{"sackOK", true} }

// Timestamps is the timestamp option.
func Timestamps(val, ecr uint32) Field { return Field{"timestamps", fmt.Sprint(val, " ecr ", ecr)} }

// SACK is the SACK option, as pairs of left and right edge.
func SACK(edges ...uint32) Field { return Field{"sack", sackText(edges)} }

func sackText(edges []uint32) string {
	var s []string
	for i := 0; i+1 < len(edges); i += 2 {
		s = append(s, fmt.Sprint(edges[i], ":", edges[i+1]))
	}
	return strings.Join(s, " ")
}

// TCPOptions is the option bytes as they are, instead of the single options above.
func TCPOptions(b ...byte) Field { return Field{"options", string(b)} }

// Of ICMP and ICMPv6.

// Code is the message's code.
func Code(n int) Field { return number("code", n) }

// MTU is that of a Packet Too Big or Fragmentation Needed message, or of a neighbour discovery option.
func MTU(n int) Field { return number("mtu", n) }

// Pointer is the offset in a Parameter Problem message.
func Pointer(n int) Field { return number("pointer", n) }

// Gateway is the router of an ICMP redirect.
func Gateway(a any) Field { return Field{"gateway", ip(a)} }

// Destination is what an ICMPv6 redirect is about, Target its better hop and the address of a neighbour message.
func Destination(a any) Field { return Field{"destination", ip(a)} }

// Target is the target address of a neighbour discovery message.
func Target(a any) Field { return Field{"target", ip(a)} }

// SourceLL is a source link-layer address option, TargetLL a target's.
func SourceLL(h any) Field { return Field{"source ll", hw(h)} }

// TargetLL is a target link-layer address option.
func TargetLL(h any) Field { return Field{"target ll", hw(h)} }

// Lifetime is a Router Advertisement's, in seconds.
func Lifetime(n int) Field { return number("lifetime", n) }

// PrefixInfo is a Prefix Information option of a Router Advertisement; only the first is compared.
func PrefixInfo(p wire.PrefixInfo) Field { return Field{"prefix", p} }

// Quote is the packet that an ICMP error is about, of which the message may hold only the beginning.
func Quote(p Packet) Field { return Field{"quote", p} }

// Of any layer.

// Without expects a field not to be there: Without("mss"), Without("timestamps"), Without("source ll").
func Without(name string) Field { return Field{name, absence{}} }

// find is the value of the last field of this name.
func (l *layer) find(name string) (any, bool) {
	for i := len(l.fields) - 1; i >= 0; i-- {
		if l.fields[i].name == name {
			_, absent := l.fields[i].value.(absence)
			return l.fields[i].value, !absent
		}
	}
	return nil, false
}

func (l *layer) num(name string, otherwise int) int {
	if v, ok := l.find(name); ok {
		return int(v.(int64))
	}
	return otherwise
}

func (l *layer) has(name string) bool { _, ok := l.find(name); return ok }

func (l *layer) flag(name string) bool { v, ok := l.find(name); return ok && v.(bool) }

func (l *layer) text(name string) string {
	v, ok := l.find(name)
	if !ok {
		return ""
	}
	return v.(string)
}

func (l *layer) addr(name string) wire.Addr {
	v, _ := l.find(name)
	a, ok := v.(wire.Addr)
	if !ok {
		a = wire.IPv4Any()
	}
	return a
}

func (l *layer) hw(name string) wire.HWAddr {
	v, _ := l.find(name)
	h, _ := v.(wire.HWAddr)
	return h
}
