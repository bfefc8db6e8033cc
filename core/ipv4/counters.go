package ipv4

import (
	"strconv"

	"github.com/libos-go/libos/core"
)

// Counters of the groups Ip and IpExt, in the order of /proc/net/snmp and
// /proc/net/netstat.
const (
	ipInReceives = iota
	ipInHdrErrors
	ipInAddrErrors
	ipForwDatagrams
	ipInUnknownProtos
	ipInDiscards
	ipInDelivers
	ipOutRequests
	ipOutDiscards
	ipOutNoRoutes
	ipReasmTimeout
	ipReasmReqds
	ipReasmOKs
	ipReasmFails
	ipFragOKs
	ipFragFails
	ipFragCreates
	ipOutTransmits

	extInNoRoutes
	extInTruncated
	extInMcastPkts
	extOutMcastPkts
	extInBcastPkts
	extOutBcastPkts
	extInOctets
	extOutOctets
	extInMcastOctets
	extOutMcastOctets
	extInBcastOctets
	extOutBcastOctets
	extInCsumErrors
	extInNoECT // the four are indexed by the ECN bits
	extInECT1
	extInECT0
	extInCE
	extReasmOverlaps

	arpInRequests
	arpInReplies
	arpOutRequests
	arpOutReplies
	arpInErrors
	arpConflicts

	numCounters
)

type counters [numCounters]uint64

// c are the counters, made when the first packet comes or goes.
func (s *stack) c() *counters {
	if s.counters == nil {
		s.counters = new(counters)
	}
	return s.counters
}

func ipNames() []string {
	return []string{"InReceives", "InHdrErrors", "InAddrErrors", "ForwDatagrams", "InUnknownProtos", "InDiscards",
		"InDelivers", "OutRequests", "OutDiscards", "OutNoRoutes", "ReasmTimeout", "ReasmReqds", "ReasmOKs", "ReasmFails",
		"FragOKs", "FragFails", "FragCreates", "OutTransmits"}
}

func ipExtNames() []string {
	return []string{"InNoRoutes", "InTruncatedPkts", "InMcastPkts", "OutMcastPkts", "InBcastPkts", "OutBcastPkts",
		"InOctets", "OutOctets", "InMcastOctets", "OutMcastOctets", "InBcastOctets", "OutBcastOctets", "InCsumErrors",
		"InNoECTPkts", "InECT1Pkts", "InECT0Pkts", "InCEPkts", "ReasmOverlaps"}
}

func arpNames() []string {
	return []string{"InRequests", "InReplies", "OutRequests", "OutReplies", "InErrors", "Conflicts"}
}

// Counters implements core.Counted: Linux's groups Ip, IpExt, Icmp and IcmpMsg,
// and Arp, which Linux does not have.
func (s *stack) Counters() []core.Counters {
	var none counters
	c := s.counters
	if c == nil {
		c = &none
	}
	forwarding := uint64(2) // RFC 1213: 1 is a router
	if all, ok := s.view.All().(*DeviceSysctls); ok && all.Forwarding {
		forwarding = 1
	}
	ip := core.Counters{Group: "Ip", Names: append([]string{"Forwarding", "DefaultTTL"}, ipNames()...),
		Values: append([]uint64{forwarding, uint64(s.conf.DefaultTTL)}, c[:extInNoRoutes]...)}
	return append([]core.Counters{
		ip,
		{Group: "IpExt", Names: ipExtNames(), Values: append([]uint64(nil), c[extInNoRoutes:arpInRequests]...)},
		{Group: "Arp", Names: arpNames(), Values: append([]uint64(nil), c[arpInRequests:]...)},
	}, s.icmpCounters()...)
}

// Counters of the group Icmp that are not counts of a type.
const (
	icmpInMsgs = iota
	icmpInErrors
	icmpInCsumErrors
	icmpOutMsgs
	icmpOutErrors
	icmpOutRateLimitGlobal
	icmpOutRateLimitHost
	numICMPCounters
)

// numICMPTypes are the types counted one by one, as Linux's group Icmp has
// them: 0 to 18.
const numICMPTypes = 19

// icmpState is what ICMP keeps, made when the first message comes or goes.
type icmpState struct {
	n       [numICMPCounters]uint64
	in, out [numICMPTypes]uint32
	limits  *errorLimits
}

func (s *stack) i() *icmpState {
	if s.icmp == nil {
		s.icmp = new(icmpState)
	}
	return s.icmp
}

func (x *icmpState) countIn(typ uint8) {
	if typ < numICMPTypes {
		x.in[typ]++
	}
}

func (x *icmpState) countOut(typ uint8) {
	x.n[icmpOutMsgs]++
	if typ < numICMPTypes {
		x.out[typ]++
	}
}

// icmpTypeNames are the types with a name of their own in the group Icmp.
func icmpTypeNames() []struct {
	typ  uint8
	name string
} {
	return []struct {
		typ  uint8
		name string
	}{{3, "DestUnreachs"}, {11, "TimeExcds"}, {12, "ParmProbs"}, {4, "SrcQuenchs"}, {5, "Redirects"}, {8, "Echos"},
		{0, "EchoReps"}, {13, "Timestamps"}, {14, "TimestampReps"}, {17, "AddrMasks"}, {18, "AddrMaskReps"}}
}

func (s *stack) icmpCounters() []core.Counters {
	var none icmpState
	x := s.icmp
	if x == nil {
		x = &none
	}
	g := core.Counters{Group: "Icmp"}
	put := func(name string, v uint64) {
		g.Names = append(g.Names, name)
		g.Values = append(g.Values, v)
	}
	put("InMsgs", x.n[icmpInMsgs])
	put("InErrors", x.n[icmpInErrors])
	put("InCsumErrors", x.n[icmpInCsumErrors])
	for _, t := range icmpTypeNames() {
		put("In"+t.name, uint64(x.in[t.typ]))
	}
	put("OutMsgs", x.n[icmpOutMsgs])
	put("OutErrors", x.n[icmpOutErrors])
	put("OutRateLimitGlobal", x.n[icmpOutRateLimitGlobal])
	put("OutRateLimitHost", x.n[icmpOutRateLimitHost])
	for _, t := range icmpTypeNames() {
		put("Out"+t.name, uint64(x.out[t.typ]))
	}
	m := core.Counters{Group: "IcmpMsg"}
	for i, v := range x.in {
		if v != 0 {
			m.Names, m.Values = append(m.Names, "InType"+strconv.Itoa(i)), append(m.Values, uint64(v))
		}
	}
	for i, v := range x.out {
		if v != 0 {
			m.Names, m.Values = append(m.Names, "OutType"+strconv.Itoa(i)), append(m.Values, uint64(v))
		}
	}
	return []core.Counters{g, m}
}
