package procfs

import (
	"fmt"
	"slices"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Interfaces, their addresses, neighbours and groups (net/core/net-procfs.c,
// net/ipv4/arp.c and igmp.c, net/ipv6/addrconf.c and mcast.c).

func (p *page) dev() {
	p.WriteString("Inter-|   Receive                                                |  Transmit\n" +
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n")
	for _, ifc := range p.in.Interfaces() {
		s := ifc.StatsNow()
		fmt.Fprintf(p, "%6s: %7d %7d %4d %4d %4d %5d %10d %9d %8d %7d %4d %4d %4d %5d %7d %10d\n", ifc.Name(),
			s.RxBytes, s.RxPackets, s.RxErrors, s.RxDropped, 0, 0, 0, s.Multicast,
			s.TxBytes, s.TxPackets, s.TxErrors, s.TxDropped, 0, 0, 0, 0)
	}
}

// groups are the multicast groups of an interface, the last joined first, and behind
// them those that every host is in.
func groups(ifc *core.Interface, six bool) []wire.Addr {
	var list []wire.Addr
	for _, g := range ifc.Groups() {
		if g.Is4() != six {
			list = append(list, g)
		}
	}
	slices.Reverse(list)
	switch {
	case six:
		list = append(list, wire.IPv6AllNodes(), wire.MustAddr("ff01::1"))
	case ifc.Flags()&core.FlagMulticast != 0 || ifc.Flags()&core.FlagIsLoopback != 0:
		list = append(list, wire.MustAddr("224.0.0.1"))
	}
	return slices.Compact(list)
}

// users is how often a group was joined; those that every host is in count once.
func users(ifc *core.Interface, g wire.Addr) int { return max(ifc.GroupUsers(g), 1) }

func (p *page) devMulticast() {
	for _, ifc := range p.in.Interfaces() {
		if ifc.Link() != core.LinkEthernet {
			continue
		}
		var seen []wire.HWAddr
		for _, six := range [...]bool{true, false} {
			if six && !hasFamily(p.in.Wiring(), core.AFInet6) || !six && !hasFamily(p.in.Wiring(), core.AFInet) {
				continue
			}
			for _, g := range groups(ifc, six) {
				if hw := wire.MulticastHWAddr(g); !slices.Contains(seen, hw) {
					seen = append(seen, hw)
					fmt.Fprintf(p, "%-4d %-15s %-5d %-5d %x\n", ifc.Index(), ifc.Name(), users(ifc, g), 0, hw[:])
				}
			}
		}
	}
}

func (p *page) igmp() {
	p.WriteString("Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n")
	for _, ifc := range p.in.Interfaces() {
		list := groups(ifc, false)
		fmt.Fprintf(p, "%d\t%-10s: %5d %7s\n", ifc.Index(), ifc.Name(), len(list), "V3")
		for _, g := range list {
			b := g.As4()
			fmt.Fprintf(p, "\t\t\t\t%08X %5d %d:%08X\t\t%d\n", word(b[:]), users(ifc, g), 0, 0, 0)
		}
	}
}

// Flags of a group in igmp6.
const (
	groupLoaded   = 4
	groupNoReport = 8
)

func (p *page) igmp6() {
	for _, ifc := range p.in.Interfaces() {
		for _, g := range groups(ifc, true) {
			flags := groupLoaded
			switch g {
			case wire.IPv6AllNodes():
				flags |= groupNoReport
			case wire.MustAddr("ff01::1"):
				flags = groupNoReport
			}
			b := g.As16()
			fmt.Fprintf(p, "%-4d %-15s %x %5d %08X %d\n", ifc.Index(), ifc.Name(), b[:], users(ifc, g), flags, 0)
		}
	}
}

func (p *page) multicastFilter() {
	p.WriteString("Idx Device        MCA        SRC    INC    EXC\n")
}

func (p *page) multicastFilter6() {
	p.WriteString("Idx Device                Multicast Address                   Source Address    INC    EXC\n")
}

func (p *page) ifInet6() {
	for _, ifc := range p.in.Interfaces() {
		for _, a := range ifc.Addresses() {
			at := a.Prefix.Addr
			if at.Is4() {
				continue
			}
			scope := 0
			switch {
			case at.IsLoopback():
				scope = 0x10
			case at.IsLinkLocalUnicast():
				scope = 0x20
			}
			b := at.As16()
			fmt.Fprintf(p, "%x %02x %02x %02x %02x %8s\n", b[:], ifc.Index(), a.Prefix.Bits, scope, uint8(a.Flags), ifc.Name())
		}
	}
}

// Flags of an entry of the ARP table (linux/if_arp.h).
const (
	arpComplete  = 0x2
	arpPermanent = 0x4
)

func (p *page) arp() {
	p.WriteString("IP address       HW type     Flags       HW address            Mask     Device\n")
	for _, ifc := range p.in.Interfaces() {
		list := ifc.Neighbours()
		slices.SortFunc(list, func(a, b *core.Neighbour) int { return a.Addr.Compare(b.Addr) })
		for _, n := range list {
			flags, hw := arpComplete, n.HWAddr
			switch {
			case !n.Addr.Is4() || n.State == core.NeighbourNoARP:
				continue
			case n.State == core.NeighbourPermanent:
				flags |= arpPermanent
			case n.State&(core.NeighbourIncomplete|core.NeighbourFailed) != 0 || n.State == 0:
				flags, hw = 0, wire.HWAddr{}
			}
			fmt.Fprintf(p, "%-16s 0x%-10x0x%-10x%-17s     *        %s\n", n.Addr, ifc.HardwareType(), flags, hw, ifc.Name())
		}
	}
}

func (p *page) packetTypes() {
	p.WriteString("Type Device      Function\n")
	for i := range p.sockets {
		e := &p.sockets[i]
		a := core.LinkAddressOf(e.Local)
		if e.Family != core.AFPacket || a.Protocol == 0 {
			continue
		}
		name := ""
		if ifc := p.in.InterfaceByIndex(a.Ifindex); ifc != nil {
			name = ifc.Name()
		}
		typ := fmt.Sprintf("%04x", uint16(a.Protocol))
		if a.Protocol == 3 { // ETH_P_ALL
			typ = "ALL "
		}
		fmt.Fprintf(p, "%s %-8s packet_rcv\n", typ, name)
	}
	if hasFamily(p.in.Wiring(), core.AFInet) {
		fmt.Fprintf(p, "%04x %-8s ip_rcv\n%04x %-8s arp_rcv\n", uint16(wire.EtherTypeIPv4), "", uint16(wire.EtherTypeARP), "")
	}
	if hasFamily(p.in.Wiring(), core.AFInet6) {
		fmt.Fprintf(p, "%04x %-8s ipv6_rcv\n", uint16(wire.EtherTypeIPv6), "")
	}
}

// clock is psched, from which tc learns the unit of its times: nanoseconds in a
// tick, as Linux has it (net/sched/sch_api.c, psched_show).
func (p *page) clock() { fmt.Fprintf(p, "%08x %08x %08x %08x\n", 1000, 64, 1000000, 1000000000) }
