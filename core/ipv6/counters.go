package ipv6

import "github.com/libos-go/libos/core"

// counter is one of the SNMP counters of /proc/net/snmp6, with Linux's names
// behind Ip6 and Icmp6 (RFC 4293; Linux net/ipv6/proc.c).
type counter uint8

const (
	inReceives counter = iota
	inDelivers
	inOctets
	inNoECTPkts // the four by the packet's ECN bits
	inECT1Pkts
	inECT0Pkts
	inCEPkts
	outRequests
	outOctets
	outForwDatagrams
	inMcastPkts
	inMcastOctets
	outMcastPkts
	outMcastOctets
	outTransmits
	inHdrErrors
	inTooBigErrors
	inNoRoutes
	inAddrErrors
	inUnknownProtos
	inTruncatedPkts
	inDiscards
	outDiscards
	outNoRoutes
	reasmTimeout
	reasmReqds
	reasmOKs
	reasmFails
	fragOKs
	fragFails
	fragCreates
	ip6Counters

	icmpInMsgs counter = iota - 1
	icmpInErrors
	icmpOutMsgs
	icmpOutErrors
	icmpInCsumErrors
	icmpOutRateLimitHost
	icmpInDestUnreachs
	icmpInPktTooBigs
	icmpInTimeExcds
	icmpInParmProblems
	icmpInEchos
	icmpInEchoReplies
	icmpInGroupMembQueries
	icmpInGroupMembResponses
	icmpInGroupMembReductions
	icmpInRouterSolicits
	icmpInRouterAdvertisements
	icmpInNeighborSolicits
	icmpInNeighborAdvertisements
	icmpInRedirects
	icmpInMLDv2Reports
	icmpOutDestUnreachs
	icmpOutPktTooBigs
	icmpOutTimeExcds
	icmpOutParmProblems
	icmpOutEchos
	icmpOutEchoReplies
	icmpOutGroupMembQueries
	icmpOutGroupMembResponses
	icmpOutGroupMembReductions
	icmpOutRouterSolicits
	icmpOutRouterAdvertisements
	icmpOutNeighborSolicits
	icmpOutNeighborAdvertisements
	icmpOutRedirects
	icmpOutMLDv2Reports
	allCounters
)

// chunk is how many counters are made at once.
const chunk = 8

// counters are made in small groups at first use, so that an idle instance has
// few of them.
type counters [(allCounters + chunk - 1) / chunk]*[chunk]uint64

func (c *counters) inc(i counter) { c.add(i, 1) }

func (c *counters) add(i counter, v int) {
	g := c[i/chunk]
	if g == nil {
		g = new([chunk]uint64)
		c[i/chunk] = g
	}
	g[i%chunk] += uint64(v)
}

func (c *counters) get(i counter) uint64 {
	if g := c[i/chunk]; g != nil {
		return g[i%chunk]
	}
	return 0
}

// icmpIn and icmpOut are the counters of a message type; ok is false for types
// that have none of their own.
func icmpIn(typ uint8) (counter, bool) {
	switch {
	case typ >= 1 && typ <= 4:
		return icmpInDestUnreachs + counter(typ-1), true
	case typ >= 128 && typ <= 137:
		return icmpInEchos + counter(typ-128), true
	case typ == 143:
		return icmpInMLDv2Reports, true
	}
	return 0, false
}

func icmpOut(typ uint8) (counter, bool) {
	c, ok := icmpIn(typ)
	return c + (icmpOutDestUnreachs - icmpInDestUnreachs), ok
}

// sent counts an outgoing ICMPv6 message.
func (c *counters) sentICMP(typ uint8) {
	c.inc(icmpOutMsgs)
	if i, ok := icmpOut(typ); ok {
		c.inc(i)
	}
}

// Counters implements core.Counted.
func (n *network) Counters() []core.Counters {
	ip6 := core.Counters{Group: "Ip6", Names: []string{"InReceives", "InDelivers", "InOctets", "InNoECTPkts", "InECT1Pkts", "InECT0Pkts", "InCEPkts", "OutRequests", "OutOctets",
		"OutForwDatagrams", "InMcastPkts", "InMcastOctets", "OutMcastPkts", "OutMcastOctets", "OutTransmits",
		"InHdrErrors", "InTooBigErrors", "InNoRoutes", "InAddrErrors", "InUnknownProtos", "InTruncatedPkts", "InDiscards", "OutDiscards",
		"OutNoRoutes", "ReasmTimeout", "ReasmReqds", "ReasmOKs", "ReasmFails", "FragOKs", "FragFails", "FragCreates"}}
	icmp6 := core.Counters{Group: "Icmp6", Names: []string{"InMsgs", "InErrors", "OutMsgs", "OutErrors", "InCsumErrors", "OutRateLimitHost",
		"InDestUnreachs", "InPktTooBigs", "InTimeExcds", "InParmProblems", "InEchos", "InEchoReplies", "InGroupMembQueries",
		"InGroupMembResponses", "InGroupMembReductions", "InRouterSolicits", "InRouterAdvertisements", "InNeighborSolicits",
		"InNeighborAdvertisements", "InRedirects", "InMLDv2Reports", "OutDestUnreachs", "OutPktTooBigs", "OutTimeExcds", "OutParmProblems",
		"OutEchos", "OutEchoReplies", "OutGroupMembQueries", "OutGroupMembResponses", "OutGroupMembReductions", "OutRouterSolicits",
		"OutRouterAdvertisements", "OutNeighborSolicits", "OutNeighborAdvertisements", "OutRedirects", "OutMLDv2Reports"}}
	for i := range ip6Counters {
		ip6.Values = append(ip6.Values, n.count.get(i))
	}
	for i := icmpInMsgs; i < allCounters; i++ {
		icmp6.Values = append(icmp6.Values, n.count.get(i))
	}
	return []core.Counters{ip6, icmp6}
}
