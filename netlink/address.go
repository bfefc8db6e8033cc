package netlink

import (
	"cmp"
	"encoding/binary"
	"slices"
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Addresses: struct ifaddrmsg and IFA_… attributes (inet_fill_ifaddr,
// net/ipv4/devinet.c; inet6_fill_ifaddr, net/ipv6/addrconf.c).

func familyOf(a wire.Addr) uint8 {
	if a.Is4() {
		return afInet
	}
	return afInet6
}

// serves tells whether an instance has the network protocol of a family.
func serves(in *core.Instance, family uint8) bool {
	a := wire.IPv4Any()
	if family == afInet6 {
		a = wire.IPv6Any()
	}
	return in.Network(a) != nil
}

// writeAddress writes an address as an open message.
func writeAddress(w *writer, ifc *core.Interface, a *core.Address) {
	now := ifc.Instance().Now()
	is4 := a.Prefix.Addr.Is4()
	flags := a.Flags
	if a.Valid == 0 && a.Preferred == 0 {
		flags |= core.AddressPermanent
	} else if flags &^= core.AddressPermanent; a.Preferred != 0 && a.Preferred <= now {
		flags |= core.AddressDeprecated
	}
	w.u8(familyOf(a.Prefix.Addr), a.Prefix.Bits, uint8(flags), uint8(a.Scope))
	w.u32(uint32(ifc.Index()))
	peer := !a.Peer.IsUnspecified() && a.Peer != a.Prefix.Addr
	switch {
	case is4 && !peer:
		w.addr(ifaAddress, a.Prefix.Addr)
		w.addr(ifaLocal, a.Prefix.Addr)
	case peer:
		w.addr(ifaAddress, a.Peer)
		w.addr(ifaLocal, a.Prefix.Addr)
	default:
		w.addr(ifaAddress, a.Prefix.Addr)
	}
	if is4 {
		if !a.Broadcast.IsUnspecified() && a.Broadcast.Is4() {
			w.addr(ifaBroadcast, a.Broadcast)
		}
		label := a.Label
		if label == "" {
			label = ifc.Name()
		}
		w.text(ifaLabel, label)
	}
	w.attr32(ifaFlags, uint32(flags))
	w.header(ifaCacheinfo, 16)
	w.u32(remaining(a.Preferred, now))
	w.u32(remaining(a.Valid, now))
	w.u32(0) // when it was made, and changed last: hundredths of a second since the start
	w.u32(0)
}

// remaining is how many seconds there are until t, which is never if it is 0.
func remaining(t, now core.Time) uint32 {
	switch {
	case t == 0:
		return forever
	case t <= now:
		return 0
	}
	return uint32(min(t.Sub(now)/time.Second, forever-1))
}

// inOrder are addresses as Linux lists them: those of IPv4 by falling scope with
// secondary ones last (__inet_insert_ifa, net/ipv4/devinet.c), those of IPv6 by the
// reach of their addresses, the newest first (ipv6_link_dev_addr,
// net/ipv6/addrconf.c).
func inOrder(list []*core.Address) []*core.Address {
	out := slices.Clone(list)
	age := make(map[*core.Address]int, len(list))
	for i, a := range list {
		age[a] = i
	}
	reach := func(a *core.Address) int {
		switch {
		case a.Prefix.Addr.IsLoopback():
			return 1
		case a.Prefix.Addr.IsLinkLocalUnicast():
			return 2
		}
		return 14
	}
	slices.SortStableFunc(out, func(a, b *core.Address) int {
		if !a.Prefix.Addr.Is4() || !b.Prefix.Addr.Is4() {
			return cmp.Or(cmp.Compare(reach(b), reach(a)), cmp.Compare(age[b], age[a]))
		}
		last := cmp.Compare(a.Flags&core.AddressSecondary, b.Flags&core.AddressSecondary)
		if last == 0 && a.Flags&core.AddressSecondary == 0 {
			last = cmp.Compare(b.Scope, a.Scope)
		}
		return cmp.Or(last, cmp.Compare(age[a], age[b]))
	})
	return out
}

type ownedAddress struct {
	ifc *core.Interface
	a   *core.Address
}

// dumpAddresses tells of the addresses of a family, or of one interface where the
// request is checked strictly. Linux tells of IPv4 first.
func (r *request) dumpAddresses() (*dump, error) {
	family := r.family()
	index := 0
	if r.e.strict {
		index = int(int32(binary.NativeEndian.Uint32(r.fixed[4:])))
		if index != 0 && r.in.InterfaceByIndex(index) == nil {
			return nil, refuse(syscall.ENODEV, "there is no interface with that index")
		}
	}
	var list []ownedAddress
	for _, f := range [...]uint8{afInet, afInet6} {
		if family != afUnspec && family != f {
			continue
		}
		for _, ifc := range r.in.Interfaces() {
			if index != 0 && ifc.Index() != index {
				continue
			}
			for _, a := range inOrder(ifc.Addresses()) {
				if familyOf(a.Prefix.Addr) == f {
					list = append(list, ownedAddress{ifc, a})
				}
			}
		}
	}
	return listOf(list, func(w *writer, begin func(uint16), x ownedAddress) {
		begin(newAddr)
		writeAddress(w, x.ifc, x.a)
	}), nil
}

// addressed is what a request about an address says.
type addressed struct {
	ifc      *core.Interface
	bits     uint8
	local    wire.Addr
	peer     wire.Addr
	hasLocal bool
	hasPeer  bool
}

func (r *request) address() (x addressed, err error) {
	family := r.family()
	if family != afInet && family != afInet6 {
		return x, refuse(syscall.EAFNOSUPPORT, "no address is of that family")
	}
	x.bits = r.fixed[1]
	if x.ifc = r.in.InterfaceByIndex(int(int32(binary.NativeEndian.Uint32(r.fixed[4:])))); x.ifc == nil {
		return x, refuse(syscall.ENODEV, "there is no interface with that index")
	}
	if x.peer, x.hasPeer, err = r.attrs.addr(ifaAddress, family); err != nil {
		return x, err
	}
	if x.local, x.hasLocal, err = r.attrs.addr(ifaLocal, family); err != nil {
		return x, err
	}
	if !x.hasLocal {
		x.local, x.peer = x.peer, wire.Addr{}
	}
	if x.local == x.peer {
		x.peer = wire.Addr{}
	}
	return x, nil
}

// getAddress tells of one IPv6 address (inet6_rtm_getaddr); IPv4 has only the dump.
func (r *request) getAddress() error {
	if r.family() != afInet6 {
		return refuse(syscall.EOPNOTSUPP, "addresses of that family are only listed")
	}
	want, has, err := r.attrs.addr(ifaLocal, afInet6)
	if err == nil && !has {
		want, has, err = r.attrs.addr(ifaAddress, afInet6)
	}
	if err != nil {
		return err
	}
	if !has {
		return refuse(syscall.EINVAL, "the request names no address")
	}
	for _, ifc := range r.in.Interfaces() {
		if i := int(int32(binary.NativeEndian.Uint32(r.fixed[4:]))); i != 0 && i != ifc.Index() {
			continue
		}
		if a := ifc.Address(want); a != nil {
			return r.answer(func(w *writer) {
				w.begin(newAddr, 0, r.seq, r.pid)
				writeAddress(w, ifc, a)
				w.end()
			})
		}
	}
	return refuse(syscall.EADDRNOTAVAIL, "nobody has that address")
}

// addAddress is RTM_NEWADDR (inet_rtm_newaddr, inet6_rtm_newaddr).
func (r *request) addAddress() error {
	x, err := r.address()
	switch {
	case err != nil:
		return err
	case !x.hasLocal && !x.hasPeer:
		return refuse(syscall.EINVAL, "the request names no address")
	}
	a := &core.Address{Prefix: wire.Prefix{Addr: x.local, Bits: x.bits}, Peer: x.peer, Scope: core.Scope(r.fixed[3])}
	if x.bits > uint8(x.local.Bits()) {
		return refuse(syscall.EINVAL, "the prefix is longer than the address")
	}
	flags := uint32(r.fixed[2])
	if r.attrs.has(ifaFlags) {
		if flags, err = r.attrs.u32(ifaFlags); err != nil {
			return err
		}
	}
	const settable = core.AddressNoDAD | core.AddressOptimistic | core.AddressHome | core.AddressManageTemp | core.AddressNoPrefix
	a.Flags = core.AddressFlags(flags)&settable | core.AddressPermanent
	if x.local.Is4() {
		var has bool
		if a.Broadcast, has, err = r.attrs.addr(ifaBroadcast, afInet); err != nil {
			return err
		}
		a.NoBroadcast = !has
		if a.Label, _, err = r.attrs.text(ifaLabel, 15); err != nil {
			return err
		}
	}
	if c, ok := r.attrs.find(ifaCacheinfo); ok {
		if len(c.data) < 16 {
			return refuseAt(c.at, syscall.EINVAL, "lifetimes are too short")
		}
		preferred, valid := binary.NativeEndian.Uint32(c.data), binary.NativeEndian.Uint32(c.data[4:])
		if valid == 0 || preferred > valid {
			return refuseAt(c.at, syscall.EINVAL, "an address is valid for a time, and preferred for no longer")
		}
		a.Preferred, a.Valid = r.in.Lifetime(preferred), r.in.Lifetime(valid)
		if valid != forever || preferred != forever {
			a.Flags &^= core.AddressPermanent
		}
	}
	if old := x.ifc.Address(x.local); old != nil {
		if r.flags&flagExcl != 0 || r.flags&flagReplace == 0 {
			return refuse(syscall.EEXIST, "the interface has that address")
		}
		old.Valid, old.Preferred = a.Valid, a.Preferred
		old.Flags = old.Flags&^(core.AddressPermanent|core.AddressDeprecated) | a.Flags&core.AddressPermanent
		x.ifc.AddressChangedLocked(old)
		return nil
	}
	if err = x.ifc.AddAddressLocked(a); err == syscall.EACCES {
		err = refuse(syscall.EACCES, "IPv6 is turned off on the interface (disable_ipv6)")
	}
	return err
}

// removeAddress is RTM_DELADDR.
func (r *request) removeAddress() error {
	x, err := r.address()
	if err != nil {
		return err
	}
	if x.local.Is4() && !x.hasLocal && !x.hasPeer || x.local == (wire.Addr{}) {
		return refuse(syscall.EADDRNOTAVAIL, "the request names no address")
	}
	a := x.ifc.Address(x.local)
	if a == nil || x.hasPeer && a.Prefix.Bits != x.bits {
		return refuse(syscall.EADDRNOTAVAIL, "the interface lacks that address")
	}
	return x.ifc.RemoveAddressLocked(x.local)
}
