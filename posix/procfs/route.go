package procfs

import (
	"fmt"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Routes (net/ipv4/fib_trie.c, fib_route_seq_show; net/ipv6/ip6_fib.c,
// ipv6_route_native_seq_show).

// Flags of a route (linux/route.h, linux/ipv6_route.h).
const (
	routeUp        = 0x1
	routeGateway   = 0x2
	routeHost      = 0x4
	routeReject    = 0x200
	routeDefault   = 0x10000
	routeAddrConf  = 0x40000
	routeNoNextHop = 0x200000
	routeExpires   = 0x400000
	routeLocal     = 0x80000000
)

// route is the main table of IPv4.
func (p *page) route() {
	p.line(127, "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT")
	for _, e := range p.in.RoutesLocked() {
		name, flags := "*", routeUp
		switch {
		case !e.Prefix.Addr.Is4() || e.Table != core.TableMain:
			continue
		case e.Interface != nil:
			name = e.Interface.Name()
		}
		switch e.Type {
		case core.RouteBroadcast, core.RouteMulticast:
			continue
		case core.RouteUnreachable, core.RouteProhibit:
			flags |= routeReject
		}
		if e.Interface != nil && !e.Interface.Up() {
			continue
		}
		if e.Prefix.Bits == 32 {
			flags |= routeHost
		}
		gateway := wire.IPv4Any()
		if !e.Gateway.IsUnspecified() {
			if flags |= routeGateway; e.Gateway.Is4() {
				gateway = e.Gateway
			}
		}
		mtu := 0
		if e.MTU > 40 { // Linux tells the MSS with its headers, where a route sets it
			mtu = e.MTU
		}
		mask := wire.FromV4(uint32(uint64(0xffffffff) << (32 - e.Prefix.Bits)))
		dst, via, m := e.Prefix.Addr.As4(), gateway.As4(), mask.As4()
		p.line(127, "%s\t%08X\t%08X\t%04X\t%d\t%d\t%d\t%08X\t%d\t%d\t%d", name, word(dst[:]), word(via[:]), flags, 0, 0, e.Metric, word(m[:]), mtu, 0, 0)
	}
}

// route6 is all tables of IPv6.
func (p *page) route6() {
	lo := "lo"
	if x := p.in.Loopback(); x != nil {
		lo = x.Name()
	}
	all := p.in.RoutesLocked()
	for _, table := range p.in.Tables(true) {
		whole := false
		for i := range all {
			e := &all[i]
			if e.Prefix.Addr.Is4() || e.Table != table {
				continue
			}
			name := lo
			if e.Interface != nil {
				name = e.Interface.Name()
			}
			whole = whole || e.Prefix.Bits == 0
			p.line6(e.Prefix, e.Gateway, e.Metric, flags6(e), name)
		}
		if !whole { // what a table without a default route ends with
			p.line6(wire.Prefix{}, wire.Addr{}, ^uint32(0), routeReject|routeNoNextHop, lo)
		}
	}
}

func (p *page) line6(to wire.Prefix, via wire.Addr, metric, flags uint32, name string) {
	dst, gateway, none := to.Addr.As16(), via.As16(), make([]byte, 16)
	fmt.Fprintf(p, "%x %02x %x %02x %x %08x %08x %08x %08x %8s\n", dst[:], to.Bits, none, 0, gateway[:], metric, 1, 0, flags, name)
}

func flags6(e *core.RouteEntry) uint32 {
	flags := uint32(routeUp)
	switch e.Type {
	case core.RouteLocal:
		flags |= routeLocal | routeNoNextHop
	case core.RouteBlackhole, core.RouteUnreachable, core.RouteProhibit, core.RouteThrow:
		flags = routeReject | routeNoNextHop
	}
	if !e.Gateway.IsUnspecified() {
		flags |= routeGateway
	}
	if e.Protocol == core.RouteByRA {
		flags |= routeAddrConf
		if e.Prefix.Bits == 0 {
			flags |= routeDefault
		}
	}
	if e.Expires != 0 {
		flags |= routeExpires
	}
	return flags
}

// routeStats6 is rt6_stats: nodes, nodes with routes, allocations, entries and what a
// cache holds, of which there is none.
func (p *page) routeStats6() {
	n := 0
	for _, e := range p.in.RoutesLocked() {
		if !e.Prefix.Addr.Is4() {
			n++
		}
	}
	fmt.Fprintf(p, "%04x %04x %04x %04x %04x %04x %04x\n", n, n, n, n, 0, 0, 0)
}

// routeCache has a header alone, as since Linux 3.6.
func (p *page) routeCache() {
	p.line(127, "Iface\tDestination\tGateway \tFlags\t\tRefCnt\tUse\tMetric\tSource\t\tMTU\tWindow\tIRTT\tTOS\tHHRef\tHHUptod\tSpecDst")
}
