package sim

import (
	"encoding/binary"
	"math/bits"
	"net/netip"

	"github.com/libos-go/libos/core/wire"
)

// Automatic addresses
//
// A subnet to which one router belongs lies in that router's block, so that others
// need one route for all of them. The IPv4 address a.b.c.d of a subnet gives its
// IPv6 prefix fd00:0:ab:cd::/64 (in hexadecimal), and blocks follow: /p becomes
// /(32+p). Interfaces count from 1 in their subnet, in the order of their making.
const (
	pool     = 10 << 24 // 10.0.0.0/8
	poolEnd  = 11 << 24
	v6Prefix = 0xfd00_0000 << 32
)

// block is what a router's own subnets lie in.
type block struct {
	base uint32
	bits int // of the prefix, 0 if there is none
}

// families of automatic addresses.
func (n *Network) families(x *Node) Families {
	f := x.has()
	if n.options.Families != 0 {
		f &= n.options.Families
	}
	return f
}

// assignAddresses gives every port prefixes, and every automatic subnet its own.
func (n *Network) assignAddresses() {
	used := n.givenAddresses()
	blocks := map[*Node]*block{}
	next := uint32(pool)
	take := func(size uint32) (uint32, bool) {
		for {
			base := (next + size - 1) &^ (size - 1)
			if base < next || uint64(base)+uint64(size) > poolEnd {
				return 0, false
			}
			next = base + size
			if !used.overlaps(netip.PrefixFrom(v4(base), 32-bits.TrailingZeros32(size))) {
				return base, true
			}
			next = base + max(size, 256) // by hand there is something: look further
		}
	}
	full := func(s *subnet) {
		n.wrong(s.place, "%s: the addresses of 10.0.0.0/8 are used up: give addresses by hand", s.name)
	}
	// Subnets of one router, gathered in its block.
	own := make([][]*subnet, len(n.nodes))
	var others []*subnet
	for _, s := range n.subnets {
		if s.byHand() {
			continue
		}
		if r := s.onlyRouter(); r != nil {
			s.owner = r
			own[r.index] = append(own[r.index], s)
		} else {
			others = append(others, s)
		}
	}
	for _, x := range n.nodes {
		var size uint32
		for _, s := range own[x.index] {
			size = (size+s.size()-1)&^(s.size()-1) + s.size()
		}
		if size == 0 {
			continue
		}
		size = 1 << bits.Len32(size-1)
		base, ok := take(size)
		if !ok {
			full(own[x.index][0])
			return
		}
		blocks[x] = &block{base, 32 - bits.TrailingZeros32(size)}
		at := base
		for _, s := range own[x.index] {
			at = (at + s.size() - 1) &^ (s.size() - 1)
			s.number(n, at)
			at += s.size()
		}
	}
	for _, s := range others {
		base, ok := take(s.size())
		if !ok {
			full(s)
			return
		}
		s.number(n, base)
	}
	n.blocks = blocks
	n.clashes()
}

// byHand tells that some address of s was given: the others then are, too.
func (s *subnet) byHand() bool {
	for _, p := range s.ports {
		if len(p.given) > 0 {
			return true
		}
	}
	return false
}

// onlyRouter is the router of s if it has exactly one.
func (s *subnet) onlyRouter() (r *Node) {
	for _, p := range s.ports {
		if p.node.IsRouter() {
			if r != nil && r != p.node {
				return nil
			}
			r = p.node
		}
	}
	return r
}

// size is how many IPv4 addresses s takes, a power of two.
func (s *subnet) size() uint32 { return max(4, uint32(1)<<bits.Len32(uint32(len(s.ports))+1)) }

// number gives the ports of s addresses from base on.
func (s *subnet) number(n *Network, base uint32) {
	s.base, s.bits = base, 32-bits.TrailingZeros32(s.size())
	for i, p := range s.ports {
		f := n.families(p.node)
		if f&IPv4 != 0 {
			p.prefixes = append(p.prefixes, wire.Prefix{Addr: wire.FromV4(base + uint32(i) + 1), Bits: uint8(s.bits)})
		}
		if f&IPv6 != 0 {
			p.prefixes = append(p.prefixes, wire.Prefix{Addr: v6(base, uint64(i)+1), Bits: 64})
		}
	}
}

// prefixes are those of automatic addresses between base and base + 2^(32-bits).
func prefixes(f Families, base uint32, bits int) (out []wire.Prefix) {
	if f&IPv4 != 0 {
		out = append(out, wire.Prefix{Addr: wire.FromV4(base), Bits: uint8(bits)})
	}
	if f&IPv6 != 0 {
		out = append(out, wire.Prefix{Addr: v6(base, 0), Bits: uint8(min(64, 32+bits))})
	}
	return out
}

func v4(a uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)})
}

func v6(base uint32, host uint64) wire.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], v6Prefix|uint64(base))
	binary.BigEndian.PutUint64(b[8:], host)
	return wire.FromNetIP(netip.AddrFrom16(b))
}

// ranges are prefixes given by hand.
type ranges []netip.Prefix

func (r ranges) overlaps(p netip.Prefix) bool {
	for _, x := range r {
		if x.Overlaps(p) {
			return true
		}
	}
	return false
}

// givenAddresses reads the addresses given by hand.
func (n *Network) givenAddresses() (used ranges) {
	for _, s := range n.subnets {
		for _, p := range s.ports {
			for _, t := range p.given {
				a, err := wire.ParsePrefix(t.Text)
				if err != nil {
					n.wrong(t.Place, "%s: address %s of %s: %w", s.name, t.Text, p.node.name, err)
					continue
				}
				p.prefixes = append(p.prefixes, a)
				if q, err := netip.ParsePrefix(t.Text); err == nil {
					used = append(used, q.Masked())
				}
			}
		}
	}
	return used
}

// clashes finds addresses that two ports have, and subnets of different links that
// overlap at one node.
func (n *Network) clashes() {
	type owner struct {
		p     *port
		place string
	}
	owners := map[wire.Addr]owner{}
	for _, s := range n.subnets {
		for _, p := range s.ports {
			for i, a := range p.prefixes {
				place := s.place
				if i < len(p.given) {
					place = p.given[i].Place
				}
				if o, ok := owners[a.Addr]; ok {
					n.wrong(place, "%s: address %v of %s is %s's on %s%s: every interface needs its own", s.name, a.Addr, p.node.name, o.p.node.name, o.p.subnet.name, at(o.place))
				}
				owners[a.Addr] = owner{p, place}
			}
		}
	}
	for _, x := range n.nodes {
		if len(x.ports) > 64 { // a hub's ports are automatic, and apart
			continue
		}
		for i, p := range x.ports {
			for _, q := range x.ports[:i] {
				if p.subnet != q.subnet && overlap(p.prefixes, q.prefixes) && (len(p.given) > 0 || len(q.given) > 0) {
					n.wrong(p.subnet.place, "node %s: the networks of %s and %s overlap: %v and %v", x.name, q.subnet.name, p.subnet.name, q.prefixes, p.prefixes)
				}
			}
		}
	}
}

func overlap(a, b []wire.Prefix) bool {
	for _, x := range a {
		for _, y := range b {
			if x.Addr.Is4() == y.Addr.Is4() && (x.Contains(y.Addr) || y.Contains(x.Addr)) {
				return true
			}
		}
	}
	return false
}
