package ipv6

import (
	"math/bits"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Values of addr_gen_mode (Linux include/uapi/linux/if_link.h).
const (
	genEUI64         = 0
	genNone          = 1
	genStablePrivacy = 2
	genRandom        = 3
)

// generateLinkLocal gives an interface that came up its link-local address
// (RFC 4862 §5.3), unless it has one.
func (d *device) generateLinkLocal() {
	ifc := d.ifc
	if ifc.Link() == core.LinkLoopback || d.net.conf(ifc).AddrGenMode == genNone {
		return
	}
	for _, a := range ifc.Addresses() {
		if a.Prefix.Addr.Is6() && a.Prefix.Addr.IsLinkLocalUnicast() {
			return
		}
	}
	p := wire.Prefix{Addr: wire.Addr{Hi: 0xfe80 << 48}, Bits: 64}
	p.Addr = d.formAddress(p, 0)
	d.generated = p.Addr
	_ = ifc.AddAddressLocked(&core.Address{Prefix: p, Flags: core.AddressPermanent})
}

// formAddress joins a prefix of 64 bits with the interface's identifier. try
// counts the duplicates met so far (stable-privacy only).
func (d *device) formAddress(p wire.Prefix, try uint8) wire.Addr {
	hw := d.ifc.HWAddr()
	if d.net.conf(d.ifc).AddrGenMode == genEUI64 && !hw.IsZero() {
		return wire.WithInterfaceID(p.Addr, hw.InterfaceID())
	}
	return wire.WithInterfaceID(p.Addr, d.stableID(p.Addr.Hi, try))
}

// stableID is the opaque identifier of RFC 7217 §5: a function of prefix,
// interface and a secret, other for each of them and the same each time.
// Links without hardware addresses use it always.
func (d *device) stableID(prefix uint64, try uint8) uint64 {
	hw := d.ifc.HWAddr()
	words := [3]uint64{prefix, uint64(d.ifc.Index())<<16 | uint64(try)<<8}
	for _, b := range hw {
		words[2] = words[2]<<8 | uint64(b)
	}
	for {
		id := sipHash(d.net.key(), words[:])
		if id != 0 && id>>7 != 0xfdffffffffffff80>>7 { // RFC 5453: reserved identifiers
			return id
		}
		words[1]++
	}
}

// sipHash is SipHash-2-4 of whole words (Aumasson and Bernstein, "SipHash: a
// fast short-input PRF", 2012), as a message of 8 bytes each, little-endian.
func sipHash(key *[2]uint64, words []uint64) uint64 {
	v0, v1 := key[0]^0x736f6d6570736575, key[1]^0x646f72616e646f6d
	v2, v3 := key[0]^0x6c7967656e657261, key[1]^0x7465646279746573
	round := func(n int) {
		for range n {
			v0 += v1
			v1 = bits.RotateLeft64(v1, 13) ^ v0
			v0 = bits.RotateLeft64(v0, 32)
			v2 += v3
			v3 = bits.RotateLeft64(v3, 16) ^ v2
			v0 += v3
			v3 = bits.RotateLeft64(v3, 21) ^ v0
			v2 += v1
			v1 = bits.RotateLeft64(v1, 17) ^ v2
			v2 = bits.RotateLeft64(v2, 32)
		}
	}
	for _, m := range words {
		v3 ^= m
		round(2)
		v0 ^= m
	}
	end := uint64(len(words)*8) << 56
	v3 ^= end
	round(2)
	v0 ^= end
	v2 ^= 0xff
	round(4)
	return v0 ^ v1 ^ v2 ^ v3
}
