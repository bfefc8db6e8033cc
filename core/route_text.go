package core

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/libos-go/libos/core/wire"
)

// ParseRoute reads a route in the words of ip route: `default via 10.0.0.1`,
// `10.1.0.0/16 dev eth0 metric 7`, `blackhole 10.9.0.0/16`, with via, dev, src,
// metric, table and mtu. dev is the name of the device, "" if there is none; the entry's
// Interface is left to the caller, who knows the instance.
func ParseRoute(text string) (e RouteEntry, dev string, err error) {
	e = RouteEntry{Protocol: RouteByStatic}
	f := strings.Fields(text)
	if len(f) == 0 {
		return e, "", errors.New("it is empty: write `default via 10.0.0.1` or `10.1.0.0/16 dev eth0`")
	}
	for _, t := range [...]RouteType{RouteBlackhole, RouteUnreachable, RouteProhibit, RouteThrow, RouteLocal} {
		if f[0] == t.word() {
			e.Type, f = t, f[1:]
			break
		}
	}
	if len(f) == 0 {
		return e, "", errors.New("the destination is missing")
	}
	to, f := f[0], f[1:]
	for ; len(f) > 0; f = f[2:] {
		if len(f) == 1 {
			return e, "", fmt.Errorf("%s has no value", f[0])
		}
		switch word, value := f[0], f[1]; word {
		case "via":
			e.Gateway, err = wire.ParseAddr(value)
		case "src":
			e.Source, err = wire.ParseAddr(value)
		case "dev":
			dev = value
		case "table":
			e.Table, err = parseTable(value)
		case "metric", "mtu":
			var n uint64
			if n, err = strconv.ParseUint(value, 10, 32); word == "mtu" {
				e.MTU = int(n)
			} else {
				e.Metric = uint32(n)
			}
		default:
			return e, "", fmt.Errorf("unknown word %q: use via, dev, src, metric, table, mtu", word)
		}
		if err != nil {
			return e, "", fmt.Errorf("%s %s: not an address or number", f[0], f[1])
		}
	}
	e.Prefix, err = parseDestination(to, e.Gateway)
	return e, dev, err
}

// word is how ip route names a type, "" for unicast.
func (t RouteType) word() string {
	switch t {
	case RouteLocal:
		return "local"
	case RouteBroadcast:
		return "broadcast"
	case RouteAnycast:
		return "anycast"
	case RouteMulticast:
		return "multicast"
	case RouteBlackhole:
		return "blackhole"
	case RouteUnreachable:
		return "unreachable"
	case RouteProhibit:
		return "prohibit"
	case RouteThrow:
		return "throw"
	}
	return ""
}

// parseTable reads the number of a routing table, or its name.
func parseTable(word string) (uint32, error) {
	switch word {
	case "local":
		return TableLocal, nil
	case "main":
		return TableMain, nil
	case "default":
		return TableDefault, nil
	}
	n, err := strconv.ParseUint(word, 10, 32)
	if err == nil && n == 0 {
		err = strconv.ErrRange
	}
	return uint32(n), err
}

// parseDestination reads the first word of a route; "default" is of the gateway's
// family, IPv4 without one.
func parseDestination(to string, gateway wire.Addr) (wire.Prefix, error) {
	if to == "default" {
		if !gateway.IsUnspecified() && !gateway.Is4() {
			return wire.Prefix{}, nil
		}
		return wire.Prefix{Addr: wire.FromV4(0)}, nil
	}
	p, err := wire.ParsePrefix(to)
	if err != nil {
		a, err := wire.ParseAddr(to)
		if err != nil {
			return p, fmt.Errorf("%s is no prefix: write `default`, an address, or an address with a length", to)
		}
		p = wire.Prefix{Addr: a, Bits: 128}
		if a.Is4() {
			p.Bits = 32
		}
	}
	if p.Masked() != p {
		return p, fmt.Errorf("%s has bits behind its length: write %v", to, p.Masked())
	}
	return p, nil
}

// String is the route as ip route prints it.
func (e RouteEntry) String() string {
	var b strings.Builder
	if word := e.Type.word(); word != "" {
		b.WriteString(word + " ")
	}
	if e.Prefix.Bits == 0 {
		b.WriteString("default")
	} else {
		b.WriteString(e.Prefix.String())
	}
	if e.NexthopID != 0 {
		fmt.Fprintf(&b, " nhid %d", e.NexthopID)
	}
	if e.Paths == nil {
		e.writeWay(&b, e.Gateway, e.Interface)
	}
	if !e.Source.IsUnspecified() {
		fmt.Fprintf(&b, " src %v", e.Source)
	}
	if e.Table != 0 && e.Table != (&RouteEntry{Type: e.Type}).table() {
		fmt.Fprintf(&b, " table %d", e.Table)
	}
	if e.Metric != 0 {
		fmt.Fprintf(&b, " metric %d", e.Metric)
	}
	for _, x := range e.Paths {
		b.WriteString(" nexthop")
		e.writeWay(&b, x.Gateway, x.Interface)
		fmt.Fprintf(&b, " weight %d", x.Weight)
	}
	return b.String()
}

func (e *RouteEntry) writeWay(b *strings.Builder, gateway wire.Addr, ifc *Interface) {
	if !gateway.IsUnspecified() {
		fmt.Fprintf(b, " via %v", gateway)
	}
	if ifc != nil {
		fmt.Fprintf(b, " dev %s", ifc.name)
	}
}
