package procfs

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Lists of sockets (net/ipv4/tcp_ipv4.c, udp.c, raw.c and ping.c, their siblings in
// net/ipv6, net/packet/af_packet.c, net/netlink/af_netlink.c).

// userHZ is the unit of times in these files: 100 in a second.
const userHZ = 100

func ticks(d time.Duration) int64 { return int64(d / (time.Second / userHZ)) }

// Headers, without what fills their lines up.
const (
	columns4 = "sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
	columns6 = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
	datagram = " ref pointer drops"
)

// line ends a line, filled with spaces to a width.
func (p *page) line(width int, format string, args ...any) {
	fmt.Fprintf(p, "%-*s\n", width, fmt.Sprintf(format, args...))
}

// word is an IPv4 address, or a quarter of another, as these files have it: a number
// in the machine's order.
func word(b []byte) uint32 { return binary.NativeEndian.Uint32(b) }

// end is an address with its port.
func end(a core.SockAddr, six bool) string {
	if !six {
		b := wire.FromV4(a.Addr.V4()).As4()
		return fmt.Sprintf("%08X:%04X", word(b[:]), a.Port)
	}
	b := a.Addr.As16()
	return fmt.Sprintf("%08X%08X%08X%08X:%04X", word(b[:]), word(b[4:]), word(b[8:]), word(b[12:]), a.Port)
}

// of are the sockets of a protocol and family.
func (p *page) of(protocol int, six bool, want func(*core.SocketEntry) bool) []core.SocketEntry {
	family := core.AFInet
	if six {
		family = core.AFInet6
	}
	var list []core.SocketEntry
	for i := range p.sockets {
		if e := &p.sockets[i]; e.Family == family && (protocol < 0 || e.Protocol == protocol) && (want == nil || want(e)) {
			list = append(list, *e)
		}
	}
	return list
}

func number(e *core.SocketEntry) uint64 {
	if e.Socket == nil {
		return 0
	}
	return uint64(e.Socket.ID())
}

func (p *page) tcp() {
	p.line(149, "%s", "  "+columns4)
	p.connections(false)
}

func (p *page) tcp6() {
	p.line(0, "%s", columns6)
	p.connections(true)
}

// States that need a form of their own.
const (
	stateSynReceived = 3
	stateTimeWait    = 6
)

// connections lists TCP sockets: those that listen first. One that is neither
// listening nor connected is not listed.
func (p *page) connections(six bool) {
	list := p.of(int(wire.ProtoTCP), six, func(e *core.SocketEntry) bool { return e.Type == core.SockStream && e.State != core.SocketClosed })
	slices.SortStableFunc(list, func(a, b core.SocketEntry) int { return rank(&a) - rank(&b) })
	width := 149
	if six {
		width = 0
	}
	for i := range list {
		e := &list[i]
		received, unsent := e.Received, e.Unsent
		if e.State == core.SocketListening {
			unsent = 0
		}
		head := fmt.Sprintf("%4d: %s %s %02X %08X:%08X %02X:%08X %08X", i, end(e.Local, six), end(e.Peer, six), e.State, unsent, received,
			uint8(e.Timer), ticks(e.Left), e.Retransmits)
		switch {
		case e.State == stateTimeWait:
			p.line(width, "%s %5d %8d %d %d %016x", head, 0, 0, 0, 3, number(e))
		case e.State == stateSynReceived && e.Socket == nil:
			p.line(width, "%s %5d %8d %d %d %016x", head, e.UID, 0, 0, 0, number(e))
		default:
			rto, ato, cwnd, ssthresh := congestion(e)
			p.line(width, "%s %5d %8d %d %d %016x %d %d %d %d %d", head, e.UID, e.Probes, e.Inode, 2, number(e), rto, ato, 0, cwnd, ssthresh)
		}
	}
}

func rank(e *core.SocketEntry) int {
	if e.State == core.SocketListening {
		return 0
	}
	return 1
}

// congestion is what TCP_INFO tells of timeouts, in ticks, and of windows, in
// packets: struct tcp_info (include/uapi/linux/tcp.h).
func congestion(e *core.SocketEntry) (rto, ato int64, cwnd uint32, ssthresh int32) {
	if e.State == core.SocketListening {
		return userHZ, 0, 10, 0
	}
	const tcpInfo = 11
	var b [104]byte
	if n, err := e.Endpoint.Option(core.SolTCP, tcpInfo, b[:]); err != nil || n < 84 {
		return 0, 0, 0, -1
	}
	at := func(i int) uint32 { return binary.NativeEndian.Uint32(b[i:]) }
	if ssthresh = int32(at(76)); ssthresh == 0x7fffffff {
		ssthresh = -1
	}
	return ticks(time.Duration(at(8)) * time.Microsecond), ticks(time.Duration(at(12)) * time.Microsecond), at(80), ssthresh
}

func (p *page) udp()      { p.datagrams4(int(wire.ProtoUDP), "   ", 127, 5) }
func (p *page) udpLite()  { p.datagrams4(int(wire.ProtoUDPLite), "   ", 127, 5) }
func (p *page) icmp()     { p.datagrams4(int(wire.ProtoICMP), "  ", 127, 5) }
func (p *page) raw()      { p.datagrams4(-1, "  ", 0, 4) }
func (p *page) udp6()     { p.datagrams6(int(wire.ProtoUDP)) }
func (p *page) udpLite6() { p.datagrams6(int(wire.ProtoUDPLite)) }
func (p *page) icmp6()    { p.datagrams6(int(wire.ProtoICMPv6)) }
func (p *page) raw6()     { p.datagrams6(-1) }

func (p *page) datagrams4(protocol int, indent string, width, number int) {
	p.line(width, "%s", indent+columns4+datagram)
	p.datagrams(protocol, false, width, number)
}

func (p *page) datagrams6(protocol int) {
	p.line(0, "%s", columns6+datagram)
	p.datagrams(protocol, true, 0, 5)
}

// datagrams lists sockets of a protocol that have a port, or the raw ones if it is -1.
func (p *page) datagrams(protocol int, six bool, width, digits int) {
	list := p.of(protocol, six, func(e *core.SocketEntry) bool {
		return (e.Type == core.SockRaw) == (protocol < 0) && (protocol < 0 || e.Local.Port != 0)
	})
	for i := range list {
		e := &list[i]
		p.line(width, "%*d: %s %s %02X %08X:%08X %02X:%08X %08X %5d %8d %d %d %016x %d", digits, i, end(e.Local, six), end(e.Peer, six),
			e.State, e.Unsent, e.Received, 0, 0, 0, e.UID, 0, e.Inode, 2, number(e), e.Drops)
	}
}

func (p *page) packet() {
	p.WriteString("sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n")
	for i := range p.sockets {
		e := &p.sockets[i]
		if e.Family != core.AFPacket {
			continue
		}
		a := core.LinkAddressOf(e.Local)
		running := 0
		if a.Protocol != 0 {
			running = 1
		}
		fmt.Fprintf(p, "%016x %-6d %-4d %04x   %-5d %1d %-6d %-6d %-6d\n", number(e), 2+running, e.Type, uint16(a.Protocol), a.Ifindex, running, e.Received, e.UID, e.Inode)
	}
}

func (p *page) netlink() {
	p.WriteString("sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n")
	for i := range p.sockets {
		e := &p.sockets[i]
		if e.Family != core.AFNetlink {
			continue
		}
		pid, groups := e.Local.Netlink()
		fmt.Fprintf(p, "%016x %-3d %-10d %08x %-8d %-8d %-5d %-8d %-8d %-8d\n", number(e), e.Protocol, pid, groups, e.Received, 0, 0, 2, e.Drops, e.Inode)
	}
}

// unix has none: those of programs are the host's.
func (p *page) unix() {
	p.WriteString("Num       RefCount Protocol Flags    Type St Inode Path\n")
}

// tally counts sockets of a kind, and the pages that they fill.
func (p *page) tally(protocol int, six bool) (sockets, pages int) {
	bytes := 0
	for _, e := range p.of(protocol, six, func(e *core.SocketEntry) bool { return e.Type == core.SockRaw == (protocol < 0) }) {
		switch {
		case e.State == core.SocketListening:
		case e.Type == core.SockStream:
			if e.State == core.SocketClosed || e.State == stateTimeWait {
				continue
			}
			bytes += int(e.Received + e.Unsent)
		case protocol >= 0 && e.Local.Port == 0:
			continue
		default:
			bytes += int(e.Received)
		}
		sockets++
	}
	return sockets, (bytes + 4095) / 4096
}

func (p *page) sockstat() {
	used, alloc, orphans, waiting := 0, 0, 0, 0
	for i := range p.sockets {
		e := &p.sockets[i]
		if e.Socket != nil {
			used++
		}
		switch {
		case e.Protocol != int(wire.ProtoTCP) || e.Type != core.SockStream:
		case e.State == stateTimeWait:
			waiting++
		case e.Socket != nil:
			alloc++
		case e.State == stateSynReceived:
		case e.State != core.SocketEstablished: // one that nobody accepted has not lost its program
			orphans++
			alloc++
		default:
			alloc++
		}
	}
	tcp, pages := p.tally(int(wire.ProtoTCP), false)
	_, pages6 := p.tally(int(wire.ProtoTCP), true)
	udp, udpPages := p.tally(int(wire.ProtoUDP), false)
	_, udpPages6 := p.tally(int(wire.ProtoUDP), true)
	lite, _ := p.tally(int(wire.ProtoUDPLite), false)
	raw, _ := p.tally(-1, false)
	packets, bytes := p.reassembly(core.AFInet)
	fmt.Fprintf(p, "sockets: used %d\nTCP: inuse %d orphan %d tw %d alloc %d mem %d\nUDP: inuse %d mem %d\nUDPLITE: inuse %d\nRAW: inuse %d\nFRAG: inuse %d memory %d\n",
		used, tcp, orphans, waiting, alloc, pages+pages6, udp, udpPages+udpPages6, lite, raw, packets, bytes)
}

func (p *page) sockstat6() {
	tcp, _ := p.tally(int(wire.ProtoTCP), true)
	udp, _ := p.tally(int(wire.ProtoUDP), true)
	lite, _ := p.tally(int(wire.ProtoUDPLite), true)
	raw, _ := p.tally(-1, true)
	packets, bytes := p.reassembly(core.AFInet6)
	fmt.Fprintf(p, "TCP6: inuse %d\nUDP6: inuse %d\nUDPLITE6: inuse %d\nRAW6: inuse %d\nFRAG6: inuse %d memory %d\n", tcp, udp, lite, raw, packets, bytes)
}

// reassembly is how many packets of a family wait for fragments, and their memory.
func (p *page) reassembly(family int) (packets, bytes int) {
	for i, n := range p.in.Networks() {
		if r, ok := n.(interface{ Reassembling() (packets, bytes int) }); ok && p.in.Wiring().Networks[i].Network.Family == family {
			return r.Reassembling()
		}
	}
	return 0, 0
}

// protocols lists what sockets there can be, the last first. The size of a socket is
// not told, nor what functions its protocol has.
func (p *page) protocols() {
	p.WriteString("protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de sh ss gs se re bi br ha uh gp em\n")
	w := p.in.Wiring()
	for _, family := range [...]int{core.AFPacket, core.AFInet6, core.AFInet, core.AFNetlink} {
		for i := len(w.Protocols) - 1; i >= 0; i-- {
			x := &w.Protocols[i].Protocol
			if !slices.ContainsFunc(x.Sockets, func(k core.SocketKind) bool { return k.Family == family }) {
				continue
			}
			name := strings.ToUpper(x.Name)
			if family == core.AFInet6 {
				name = strings.TrimSuffix(name, "6") + "v6"
			}
			sockets := 0
			for _, e := range p.sockets {
				if e.Family == family && x.Serves(e.Family, e.Type, e.Protocol) {
					sockets++
				}
			}
			fmt.Fprintf(p, "%-9s %4d %6d  %6d   %-3s %6d   %-3s  %-10s %s\n", name, 0, sockets, -1, "NI", 0, "yes", "libos", "y  y  y  y  y  y  y  y  y  y  y  y  n  n  y  y  y  n")
		}
	}
}
