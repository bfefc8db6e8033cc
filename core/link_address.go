package core

import (
	"encoding/binary"

	"github.com/libos-go/libos/core/wire"
)

// Kinds of links, as ARPHRD_ numbers them (linux/if_arp.h).
const (
	arphrdEther    = 1
	arphrdLoopback = 772
	arphrdNone     = 0xfffe
)

// HardwareType is the ARPHRD_ number of the interface's link.
func (ifc *Interface) HardwareType() uint16 {
	switch {
	case ifc.flags&FlagIsLoopback != 0:
		return arphrdLoopback
	case ifc.link == LinkEthernet:
		return arphrdEther
	}
	return arphrdNone
}

// LinkAddress is an address of a packet socket (struct sockaddr_ll, packet(7)).
type LinkAddress struct {
	Protocol     wire.EtherType
	Ifindex      int // 0 for any
	HardwareType uint16
	Type         PacketType
	Length       uint8 // of Addr
	Addr         [8]byte
}

// SockAddr is the address as the socket layer carries it: the interface in Scope, the
// ethertype in Port, the rest in the bytes of Addr.
func (a LinkAddress) SockAddr() SockAddr {
	hi := uint64(a.HardwareType)<<16 | uint64(a.Type)<<8 | uint64(a.Length)
	return SockAddr{Addr: wire.Addr{Hi: hi, Lo: binary.BigEndian.Uint64(a.Addr[:])}, Port: uint16(a.Protocol), Scope: uint32(a.Ifindex)}
}

// LinkAddressOf is the inverse of LinkAddress.SockAddr.
func LinkAddressOf(s SockAddr) LinkAddress {
	a := LinkAddress{Protocol: wire.EtherType(s.Port), Ifindex: int(int32(s.Scope)), HardwareType: uint16(s.Addr.Hi >> 16),
		Type: PacketType(s.Addr.Hi >> 8), Length: uint8(s.Addr.Hi)}
	binary.BigEndian.PutUint64(a.Addr[:], s.Addr.Lo)
	return a
}
