package ipv4

import (
	"strconv"

	"github.com/libos-go/libos/core"
)

// counter is one of the groups Ip and IpExt of /proc/net/snmp and
// /proc/net/netstat, and of Arp. The first are those of every packet.
type counter int

const (
	ipInReceives counter = iota
	ipInDelivers
	ipOutRequests
	ipOutTransmits
	ipForwDatagrams
	extInOctets
	extOutOctets
	extInNoECT // the four are indexed by the ECN bits
	extInECT1
	extInECT0
	extInCE
	ipReasmReqds
	numCommon

	ipInHdrErrors counter = iota - 1
	ipInAddrErrors
	ipInUnknownProtos
	ipInDiscards
	ipOutDiscards
	ipOutNoRoutes
	ipReasmTimeout
	ipReasmOKs
	ipReasmFails
	ipFragOKs
	ipFragFails
	ipFragCreates
	extInNoRoutes
	extInTruncated
	extInCsumErrors
	extReasmOverlaps
	extInMcastPkts
	extOutMcastPkts
	extInBcastPkts
	extOutBcastPkts
	extInMcastOctets
	extOutMcastOctets
	extInBcastOctets
	extOutBcastOctets
	arpInRequests
	arpInReplies
	arpOutRequests
	arpOutReplies
	arpInErrors
	arpConflicts
	numCounters
)

// rareGroup is how many of the rare counters are made at once.
const rareGroup = 8

// counters are made when the first packet comes or goes, the rare ones in
// groups when the first of them counts.
type counters struct {
	common [numCommon]uint64
	rare   [(numCounters - numCommon + rareGroup - 1) / rareGroup]*[rareGroup]uint64
}

// at is counter i.
func (c *counters) at(i counter) *uint64 {
	if i < numCommon {
		return &c.common[i]
	}
	return c.rarely(i - numCommon)
}

func (c *counters) rarely(i counter) *uint64 {
	g := c.rare[i/rareGroup]
	if g == nil {
		g = new([rareGroup]uint64)
		c.rare[i/rareGroup] = g
	}
	return &g[i%rareGroup]
}

func (c *counters) get(i counter) uint64 {
	switch {
	case c == nil:
		return 0
	case i < numCommon:
		return c.common[i]
	}
	if g := c.rare[(i-numCommon)/rareGroup]; g != nil {
		return g[(i-numCommon)%rareGroup]
	}
	return 0
}

// c are the counters, made when the first packet comes or goes.
func (s *stack) c() *counters {
	if s.counters == nil {
		s.counters = new(counters)
	}
	return s.counters
}

type namedCounter struct {
	name string
	at   counter
}

// The groups in Linux's order.
func ipGroup() []namedCounter {
	return []namedCounter{{"InReceives", ipInReceives}, {"InHdrErrors", ipInHdrErrors}, {"InAddrErrors", ipInAddrErrors},
		{"ForwDatagrams", ipForwDatagrams}, {"InUnknownProtos", ipInUnknownProtos}, {"InDiscards", ipInDiscards},
		{"InDelivers", ipInDelivers}, {"OutRequests", ipOutRequests}, {"OutDiscards", ipOutDiscards},
		{"OutNoRoutes", ipOutNoRoutes}, {"ReasmTimeout", ipReasmTimeout}, {"ReasmReqds", ipReasmReqds},
		{"ReasmOKs", ipReasmOKs}, {"ReasmFails", ipReasmFails}, {"FragOKs", ipFragOKs}, {"FragFails", ipFragFails},
		{"FragCreates", ipFragCreates}, {"OutTransmits", ipOutTransmits}}
}

func ipExtGroup() []namedCounter {
	return []namedCounter{{"InNoRoutes", extInNoRoutes}, {"InTruncatedPkts", extInTruncated}, {"InMcastPkts", extInMcastPkts},
		{"OutMcastPkts", extOutMcastPkts}, {"InBcastPkts", extInBcastPkts}, {"OutBcastPkts", extOutBcastPkts},
		{"InOctets", extInOctets}, {"OutOctets", extOutOctets}, {"InMcastOctets", extInMcastOctets},
		{"OutMcastOctets", extOutMcastOctets}, {"InBcastOctets", extInBcastOctets}, {"OutBcastOctets", extOutBcastOctets},
		{"InCsumErrors", extInCsumErrors}, {"InNoECTPkts", extInNoECT}, {"InECT1Pkts", extInECT1}, {"InECT0Pkts", extInECT0},
		{"InCEPkts", extInCE}, {"ReasmOverlaps", extReasmOverlaps}}
}

func arpGroup() []namedCounter {
	return []namedCounter{{"InRequests", arpInRequests}, {"InReplies", arpInReplies}, {"OutRequests", arpOutRequests},
		{"OutReplies", arpOutReplies}, {"InErrors", arpInErrors}, {"Conflicts", arpConflicts}}
}

// group adds the counters of list to g.
func (c *counters) group(g core.Counters, list []namedCounter) core.Counters {
	for _, x := range list {
		g.Names, g.Values = append(g.Names, x.name), append(g.Values, c.get(x.at))
	}
	return g
}

// Counters implements core.Counted: Linux's groups Ip, IpExt, Icmp and IcmpMsg,
// and Arp, which Linux does not have.
func (s *stack) Counters() []core.Counters {
	c := s.counters
	forwarding := uint64(2) // RFC 1213: 1 is a router
	if all, ok := s.view.All().(*DeviceSysctls); ok && all.Forwarding {
		forwarding = 1
	}
	ip := core.Counters{Group: "Ip", Names: []string{"Forwarding", "DefaultTTL"}, Values: []uint64{forwarding, uint64(s.conf.DefaultTTL)}}
	return append([]core.Counters{c.group(ip, ipGroup()), c.group(core.Counters{Group: "IpExt"}, ipExtGroup()),
		c.group(core.Counters{Group: "Arp"}, arpGroup())}, s.icmpCounters()...)
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
	n      [numICMPCounters]uint64
	types  []typeCount // those that came or went
	limits *errorLimits
}

// typeCount counts the messages of one type that came, or that went.
type typeCount struct {
	typ uint8
	out bool
	n   uint32
}

func (x *icmpState) count(typ uint8, out bool) {
	if typ >= numICMPTypes {
		return
	}
	for i := range x.types {
		if c := &x.types[i]; c.typ == typ && c.out == out {
			c.n++
			return
		}
	}
	x.types = append(x.types, typeCount{typ, out, 1})
}

// counted is the count of a type, 0 if there was none.
func (x *icmpState) counted(typ uint8, out bool) uint64 {
	for _, c := range x.types {
		if c.typ == typ && c.out == out {
			return uint64(c.n)
		}
	}
	return 0
}

func (s *stack) i() *icmpState {
	if s.icmp == nil {
		s.icmp = new(icmpState)
	}
	return s.icmp
}

func (x *icmpState) countIn(typ uint8) {
	x.count(typ, false)
}

func (x *icmpState) countOut(typ uint8) {
	x.n[icmpOutMsgs]++
	x.count(typ, true)
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
		put("In"+t.name, x.counted(t.typ, false))
	}
	put("OutMsgs", x.n[icmpOutMsgs])
	put("OutErrors", x.n[icmpOutErrors])
	put("OutRateLimitGlobal", x.n[icmpOutRateLimitGlobal])
	put("OutRateLimitHost", x.n[icmpOutRateLimitHost])
	for _, t := range icmpTypeNames() {
		put("Out"+t.name, x.counted(t.typ, true))
	}
	m := core.Counters{Group: "IcmpMsg"}
	for _, way := range []struct {
		name string
		out  bool
	}{{"InType", false}, {"OutType", true}} {
		for typ := range uint8(numICMPTypes) {
			if v := x.counted(typ, way.out); v != 0 {
				m.Names, m.Values = append(m.Names, way.name+strconv.Itoa(int(typ))), append(m.Values, v)
			}
		}
	}
	return []core.Counters{g, m}
}
