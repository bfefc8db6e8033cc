package ipv6

import (
	"crypto/sha256"
	"encoding/binary"

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
	var b [32]byte
	binary.BigEndian.PutUint64(b[:], prefix)
	copy(b[8:], hw[:])
	binary.BigEndian.PutUint32(b[14:], uint32(d.ifc.Index()))
	b[18] = try
	binary.BigEndian.PutUint64(b[24:], d.net.draw())
	for {
		sum := sha256.Sum256(b[:])
		id := binary.BigEndian.Uint64(sum[:])
		if id != 0 && id>>7 != 0xfdffffffffffff80>>7 { // RFC 5453: reserved identifiers
			return id
		}
		b[19]++
	}
}
