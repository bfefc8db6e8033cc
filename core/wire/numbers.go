package wire

import "strconv"

// EtherType is the type field of an Ethernet frame (IEEE 802 Numbers, IANA).
type EtherType uint16

const (
	EtherTypeIPv4 EtherType = 0x0800
	EtherTypeARP  EtherType = 0x0806
	EtherTypeVLAN EtherType = 0x8100
	EtherTypeIPv6 EtherType = 0x86dd
)

func (t EtherType) String() string {
	switch t {
	case EtherTypeIPv4:
		return "IP"
	case EtherTypeARP:
		return "ARP"
	case EtherTypeVLAN:
		return "VLAN"
	case EtherTypeIPv6:
		return "IP6"
	}
	return "ethertype 0x" + strconv.FormatUint(uint64(t), 16)
}

// Protocol is an IP protocol number or IPv6 next-header value (IANA Assigned Internet Protocol Numbers).
type Protocol = uint8

const (
	ProtoHopByHop    Protocol = 0
	ProtoICMP        Protocol = 1
	ProtoIGMP        Protocol = 2
	ProtoIPIP        Protocol = 4
	ProtoTCP         Protocol = 6
	ProtoUDP         Protocol = 17
	ProtoDCCP        Protocol = 33
	ProtoIPv6        Protocol = 41
	ProtoRouting     Protocol = 43
	ProtoFragment    Protocol = 44
	ProtoGRE         Protocol = 47
	ProtoESP         Protocol = 50
	ProtoAH          Protocol = 51
	ProtoICMPv6      Protocol = 58
	ProtoNoNext      Protocol = 59
	ProtoDestination Protocol = 60
	ProtoSCTP        Protocol = 132
	ProtoMobility    Protocol = 135
	ProtoUDPLite     Protocol = 136
	ProtoRaw         Protocol = 255
)

// HasPorts tells whether headers of a protocol begin with a port of the source and one of
// the destination.
func HasPorts(p Protocol) bool {
	switch p {
	case ProtoTCP, ProtoUDP, ProtoUDPLite, ProtoSCTP, ProtoDCCP:
		return true
	}
	return false
}

// ProtocolName is the short name of an IP protocol, or "proto N".
func ProtocolName(p Protocol) string {
	switch p {
	case ProtoHopByHop:
		return "HBH"
	case ProtoICMP:
		return "ICMP"
	case ProtoIGMP:
		return "IGMP"
	case ProtoIPIP:
		return "IPIP"
	case ProtoTCP:
		return "TCP"
	case ProtoUDP:
		return "UDP"
	case ProtoDCCP:
		return "DCCP"
	case ProtoIPv6:
		return "IP6"
	case ProtoRouting:
		return "RT"
	case ProtoFragment:
		return "FRAG"
	case ProtoGRE:
		return "GRE"
	case ProtoESP:
		return "ESP"
	case ProtoAH:
		return "AH"
	case ProtoICMPv6:
		return "ICMP6"
	case ProtoNoNext:
		return "no next header"
	case ProtoDestination:
		return "DSTOPT"
	case ProtoSCTP:
		return "SCTP"
	case ProtoMobility:
		return "MOBILITY"
	case ProtoUDPLite:
		return "UDPLITE"
	}
	return "proto " + strconv.Itoa(int(p))
}

// LinkType says how a frame begins, by pcap's numbers (LINKTYPE_ registry).
type LinkType uint16

const (
	LinkEthernet LinkType = 1   // an Ethernet header
	LinkRaw      LinkType = 101 // an IPv4 or IPv6 header, told apart by its first four bits
)
