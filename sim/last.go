package sim

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/libos-go/libos/core"
)

// lastPackets keeps the heads of the packets that a node saw last, for a Failure.
type lastPackets struct {
	ring []lastPacket
	next uint
}

type lastPacket struct {
	at   core.Time
	ifc  *core.Interface
	out  bool
	size int
	head [54]byte // as much as IPv6 and the ports of TCP need behind Ethernet
	n    uint8
}

func newLastPackets(n int) *lastPackets {
	return &lastPackets{ring: make([]lastPacket, 0, n)}
}

// Tap implements core.Tap.
func (l *lastPackets) Tap(ifc *core.Interface, p *core.Packet, out bool) {
	if len(l.ring) < cap(l.ring) {
		l.ring = l.ring[:len(l.ring)+1]
	}
	x := &l.ring[l.next%uint(cap(l.ring))]
	l.next++
	x.at, x.ifc, x.out, x.size = ifc.Instance().Now(), ifc, out, p.Len()
	x.n = uint8(copy(x.head[:], p.Linear()))
}

// lines are the packets as text, oldest first.
func (l *lastPackets) lines() (out []string) {
	for i := range l.ring {
		at := uint(i)
		if len(l.ring) == cap(l.ring) {
			at = (l.next + uint(i)) % uint(len(l.ring))
		}
		out = append(out, l.ring[at].String())
	}
	return out
}

func (x *lastPacket) String() string {
	way := "<"
	if x.out {
		way = ">"
	}
	return fmt.Sprintf("%-14v %s %s %s, %d bytes", time.Duration(x.at), x.ifc.Name(), way, x.what(), x.size)
}

func (x *lastPacket) what() string {
	b := x.head[:x.n]
	if x.ifc.Link() == core.LinkEthernet {
		if len(b) < 14 {
			return "short frame"
		}
		if b[12] == 8 && b[13] == 6 {
			return "ARP"
		}
		b = b[14:]
	}
	var src, dst netip.Addr
	var proto, header int
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		src, _ = netip.AddrFromSlice(b[12:16])
		dst, _ = netip.AddrFromSlice(b[16:20])
		proto, header = int(b[9]), int(b[0]&15)*4
	case len(b) >= 40 && b[0]>>4 == 6:
		src, _ = netip.AddrFromSlice(b[8:24])
		dst, _ = netip.AddrFromSlice(b[24:40])
		proto, header = int(b[6]), 40
	default:
		return "unknown"
	}
	for (proto == 0 || proto == 43 || proto == 60) && b[0]>>4 == 6 && header+8 <= len(b) { // options and routing headers
		proto, header = int(b[header]), header+8+8*int(b[header+1])
	}
	name, ports := "", false
	switch proto {
	case 1:
		name = "ICMP"
	case 6:
		name, ports = "TCP", true
	case 17:
		name, ports = "UDP", true
	case 58:
		name = "ICMPv6"
	default:
		name = fmt.Sprintf("protocol %d", proto)
	}
	if t := b[min(header, len(b)):]; ports && len(t) >= 4 {
		return fmt.Sprintf("%s %v > %v", name, netip.AddrPortFrom(src, uint16(t[0])<<8|uint16(t[1])), netip.AddrPortFrom(dst, uint16(t[2])<<8|uint16(t[3])))
	}
	return fmt.Sprintf("%s %v > %v", name, src, dst)
}
