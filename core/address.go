package core

import (
	"syscall"
	"time"

	"github.com/libos-go/libos/core/wire"
)

// AddressFlags are Linux's IFA_F_ flags.
type AddressFlags uint32

const (
	AddressSecondary  AddressFlags = 0x01
	AddressNoDAD      AddressFlags = 0x02
	AddressOptimistic AddressFlags = 0x04
	AddressDADFailed  AddressFlags = 0x08
	AddressHome       AddressFlags = 0x10
	AddressDeprecated AddressFlags = 0x20
	AddressTentative  AddressFlags = 0x40
	AddressPermanent  AddressFlags = 0x80
	AddressTemporary  AddressFlags = 0x01 // IPv6: same bit as secondary
	AddressManageTemp AddressFlags = 0x100
	AddressNoPrefix   AddressFlags = 0x200 // no on-link route for the prefix
)

// Scope is how far an address or route reaches, with Linux's numbers.
type Scope uint8

const (
	ScopeUniverse Scope = 0
	ScopeSite     Scope = 200
	ScopeLink     Scope = 253
	ScopeHost     Scope = 254
	ScopeNowhere  Scope = 255
)

// Address is one address of an interface.
type Address struct {
	Prefix    wire.Prefix // the address with its prefix length
	Peer      wire.Addr   // the other end of a point-to-point link, unspecified if none
	Broadcast wire.Addr   // IPv4, unspecified if none
	// NoBroadcast leaves Broadcast unspecified, as ip addr add does without brd; the
	// route of the prefix's broadcast address is there in any case.
	NoBroadcast bool
	Scope       Scope
	Flags       AddressFlags
	Label       string // IPv4: the interface's name if it is empty (ip addr add … label)
	// Valid and Preferred are the instants at which the address disappears
	// and is deprecated; 0 means never (a permanent address).
	Valid, Preferred Time
	// State belongs to the address's network protocol (duplicate address
	// detection).
	State any
}

// Addresses are the interface's addresses, oldest first; not to be changed.
func (ifc *Interface) Addresses() []*Address { return ifc.addresses }

// Address finds the interface's own address a.
func (ifc *Interface) Address(a wire.Addr) *Address {
	for _, x := range ifc.addresses {
		if x.Prefix.Addr == a {
			return x
		}
	}
	return nil
}

// FirstAddress is the oldest address of the family that is fit to be used.
func (ifc *Interface) FirstAddress(v4 bool) *Address {
	for _, x := range ifc.addresses {
		if x.Prefix.Addr.Is4() == v4 && x.Flags&(AddressTentative|AddressDADFailed) == 0 {
			return x
		}
	}
	return nil
}

// AddAddress gives the interface an address and the routes that come with it
// (local, connected prefix, IPv4 broadcast). EEXIST if it has it, EAFNOSUPPORT
// if the instance lacks the family, EINVAL for an impossible prefix.
func (ifc *Interface) AddAddress(p wire.Prefix) error {
	var err error
	ifc.instance.domain.Do(func() { err = ifc.AddAddressLocked(&Address{Prefix: p, Flags: AddressPermanent}) })
	return err
}

// AddAddressLocked is AddAddress with all particulars, inside an entry.
func (ifc *Interface) AddAddressLocked(a *Address) error {
	p := a.Prefix
	is4 := p.Addr.Is4()
	if p.Addr.IsMulticast() || p.Addr.IsUnspecified() || (is4 && p.Bits > 32) || p.Bits > 128 {
		return syscall.EINVAL
	}
	if ifc.instance.networkOf(p.Addr) < 0 {
		return syscall.EAFNOSUPPORT
	}
	if ifc.closed {
		return syscall.ENODEV
	}
	if ifc.Address(p.Addr) != nil {
		return syscall.EEXIST
	}
	judge, ok := ifc.instance.Network(p.Addr).(AddressJudge)
	if ok && !judge.TakesAddresses(ifc) {
		return syscall.EACCES
	}
	switch {
	case p.Addr.IsLoopback():
		a.Scope = ScopeHost
	case p.Addr.IsLinkLocalUnicast():
		a.Scope = ScopeLink
	case p.Addr.Scope() == wire.ScopeSiteLocal:
		a.Scope = ScopeSite
	}
	if is4 {
		for _, x := range ifc.addresses {
			if x.Prefix.Addr.Is4() && x.Prefix.Bits == p.Bits && x.Prefix.Contains(p.Addr) && x.Flags&AddressSecondary == 0 {
				a.Flags |= AddressSecondary
			}
		}
		if a.Broadcast.IsUnspecified() && !a.NoBroadcast && p.Bits < 31 && ifc.flags&FlagBroadcast != 0 {
			a.Broadcast = wire.FromV4(p.Addr.V4() | (1<<(32-p.Bits) - 1))
		}
	}
	ifc.addresses = append(ifc.addresses, a)
	news := Event{Kind: EventAddress, Interface: ifc, Addr: p.Addr, Address: a}
	if is4 { // programs hear of an address before its routes (inet_insert_ifa, net/ipv4/devinet.c)
		ifc.instance.announce(news)
		ifc.instance.addressRoutes(ifc, a, true)
	} else { // or between them (inet6_addr_add, net/ipv6/addrconf.c)
		if ok {
			judge.BeginAddress(ifc, a)
		}
		ifc.instance.addRoutesOf(ifc, a, false, true)
		ifc.instance.announce(news)
		ifc.instance.addRoutesOf(ifc, a, true, false)
	}
	ifc.instance.spread(news)
	return nil
}

// AddressJudge is a Network that has a say in the addresses of its family.
type AddressJudge interface {
	// TakesAddresses tells whether the interface may have any (net.ipv6.conf.*.disable_ipv6).
	TakesAddresses(ifc *Interface) bool
	// BeginAddress sets the flags with which a new address begins.
	BeginAddress(ifc *Interface, a *Address)
}

// RemoveAddress takes an address and its routes away. EADDRNOTAVAIL if the
// interface does not have it.
func (ifc *Interface) RemoveAddress(a wire.Addr) error {
	var err error
	ifc.instance.domain.Do(func() { err = ifc.RemoveAddressLocked(a) })
	return err
}

// RemoveAddressLocked is RemoveAddress inside an entry.
func (ifc *Interface) RemoveAddressLocked(a wire.Addr) error {
	for i, x := range ifc.addresses {
		if x.Prefix.Addr != a {
			continue
		}
		ifc.addresses = append(ifc.addresses[:i:i], ifc.addresses[i+1:]...)
		ifc.instance.addressRoutes(ifc, x, false)
		for _, other := range ifc.addresses { // a sharer of the prefix takes its route over
			if other.Prefix.Bits == x.Prefix.Bits && other.Prefix.Addr.Is4() == a.Is4() && other.Prefix.Masked() == x.Prefix.Masked() {
				other.Flags &^= AddressSecondary
				ifc.instance.addressRoutes(ifc, other, true)
				break
			}
		}
		ifc.instance.forgetSource(a)
		ifc.instance.notify(Event{Kind: EventAddressGone, Interface: ifc, Addr: a, Address: x})
		return nil
	}
	return syscall.EADDRNOTAVAIL
}

// Lifetime turns seconds of a router advertisement or of ip address into an
// instant; 0xffffffff is for ever.
func (in *Instance) Lifetime(seconds uint32) Time {
	if seconds == 0xffffffff {
		return 0
	}
	return in.domain.now.Add(time.Duration(seconds) * time.Second)
}

// AddressChangedLocked tells the protocols that lifetimes or flags of an address of
// the interface were changed. Inside an entry.
func (ifc *Interface) AddressChangedLocked(a *Address) {
	ifc.instance.invalidateRoutes()
	ifc.instance.notify(Event{Kind: EventAddressChanged, Interface: ifc, Addr: a.Prefix.Addr, Address: a})
}
