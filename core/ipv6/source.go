package ipv6

import (
	"slices"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// precedence is that of an address by the default policy table (RFC 6724 §2.1).
func precedence(a wire.Addr) int {
	switch {
	case a.Is4(): // ::ffff:0:0/96
		return 35
	case a == wire.IPv6Loopback(): // ::1/128
		return 50
	case a.Hi == 0 && a.Lo>>32 == 0: // ::/96
		return 1
	case a.Hi>>32 == 0x20010000: // 2001::/32
		return 5
	case a.Hi>>48 == 0x2002: // 2002::/16
		return 30
	case a.Hi>>48 == 0x3ffe: // 3ffe::/16
		return 1
	case a.Hi>>54 == 0xfec0>>6: // fec0::/10
		return 1
	case a.IsUniqueLocal(): // fc00::/7
		return 3
	}
	return 40 // ::/0
}

// Source implements core.Network: source address selection (RFC 6724 §5).
func (n *network) Source(ifc *core.Interface, dst wire.Addr) (wire.Addr, bool) {
	if dst.IsMulticast() || dst.IsLinkLocalUnicast() {
		return n.sourceOn(ifc, dst)
	}
	var best candidate
	for _, x := range n.in.Interfaces() {
		n.candidates(x, ifc, dst, &best)
	}
	return best.addr(), best.address != nil
}

// sourceOn is Source among the addresses of one interface.
func (n *network) sourceOn(ifc *core.Interface, dst wire.Addr) (wire.Addr, bool) {
	var best candidate
	n.candidates(ifc, ifc, dst, &best)
	return best.addr(), best.address != nil
}

// candidate is a source address with the interface that has it.
type candidate struct {
	address *core.Address
	ifc     *core.Interface
}

func (c *candidate) addr() wire.Addr {
	if c.address == nil {
		return wire.Addr{}
	}
	return c.address.Prefix.Addr
}

// candidates compares the addresses of x, for packets that leave by out, with
// the best so far.
func (n *network) candidates(x, out *core.Interface, dst wire.Addr, best *candidate) {
	preferTemporary := n.conf(out).UseTempAddr >= 2
	for _, a := range x.Addresses() {
		s := a.Prefix.Addr
		if s.Is4() || a.Flags&(core.AddressTentative|core.AddressDADFailed) != 0 {
			continue
		}
		if x != out && (s.IsLinkLocalUnicast() || s.IsLoopback()) {
			continue
		}
		c := candidate{a, x}
		if best.address == nil || n.better(&c, best, out, dst, preferTemporary) {
			*best = c
		}
	}
}

// better applies the rules in their order. There are no home addresses (rule
// 4), and routers do not say which prefixes are theirs (rule 5.5).
func (n *network) better(c, b *candidate, out *core.Interface, dst wire.Addr, preferTemporary bool) bool {
	cs, bs := c.address.Prefix.Addr, b.address.Prefix.Addr
	if cs == dst || bs == dst { // rule 1: the same address
		return cs == dst
	}
	if x, y := cs.Scope(), bs.Scope(); x != y { // rule 2: appropriate scope
		if x < y {
			return x >= dst.Scope()
		}
		return y < dst.Scope()
	}
	if x, y := c.address.Flags&core.AddressDeprecated, b.address.Flags&core.AddressDeprecated; x != y { // rule 3
		return x == 0
	}
	if x, y := c.ifc == out, b.ifc == out; x != y { // rule 5: outgoing interface
		return x
	}
	want, cl, bl := n.label(dst, out.Index()), n.label(cs, c.ifc.Index()), n.label(bs, b.ifc.Index())
	if (cl == want) != (bl == want) { // rule 6: matching label
		return cl == want
	}
	if x, y := c.address.Flags&core.AddressTemporary != 0, b.address.Flags&core.AddressTemporary != 0; x != y { // rule 7
		return x == preferTemporary
	}
	return c.common(dst) > b.common(dst) // rule 8: longest matching prefix
}

// common is how many bits of its prefix an address shares with dst.
func (c *candidate) common(dst wire.Addr) int {
	return min(wire.CommonPrefixLen(c.address.Prefix.Addr, dst), int(c.address.Prefix.Bits))
}

// SortDestinations orders the addresses of a name, of both families, by how
// well the instance can reach them (RFC 6724 §6). Inside an entry of the Domain.
func SortDestinations(in *core.Instance, list []wire.Addr) {
	type destination struct {
		addr                     wire.Addr
		usable, scope, fresh     bool
		label                    bool
		precedence, reach, match int
	}
	labelOf := defaultLabel
	if n, ok := in.Network(wire.IPv6Any()).(*network); ok {
		labelOf = func(a wire.Addr) uint32 { return n.label(a, 0) }
	}
	ds := make([]destination, len(list))
	for i, a := range list {
		d := destination{addr: a}
		d.precedence, d.reach = precedence(a), int(a.Scope())
		if r, err := in.Route(core.RouteQuery{Dst: a}); err == nil {
			d.usable = true
			d.label = labelOf(r.Src) == labelOf(a)
			d.scope = r.Src.Scope() == a.Scope()
			d.fresh = true
			d.match = wire.CommonPrefixLen(r.Src, a)
			for _, x := range in.Interfaces() {
				if s := x.Address(r.Src); s != nil {
					d.fresh = s.Flags&core.AddressDeprecated == 0
					d.match = min(d.match, int(s.Prefix.Bits))
				}
			}
			if a.Is4() {
				d.match = 0 // rule 9 says nothing across families, and nothing good for IPv4
			}
		}
		ds[i] = d
	}
	slices.SortStableFunc(ds, func(a, b destination) int {
		switch {
		case a.usable != b.usable: // rule 1: avoid unusable destinations
			return first(a.usable)
		case a.scope != b.scope: // rule 2: matching scope
			return first(a.scope)
		case a.fresh != b.fresh: // rule 3: avoid deprecated sources
			return first(a.fresh)
		case a.label != b.label: // rule 5: matching label
			return first(a.label)
		case a.precedence != b.precedence: // rule 6
			return b.precedence - a.precedence
		case a.reach != b.reach: // rule 8: smaller scope
			return a.reach - b.reach
		case a.addr.Is4() == b.addr.Is4() && a.match != b.match: // rule 9
			return b.match - a.match
		}
		return 0 // rule 10: as they were
	})
	for i := range ds {
		list[i] = ds[i].addr
	}
}

func first(yes bool) int {
	if yes {
		return -1
	}
	return 1
}
